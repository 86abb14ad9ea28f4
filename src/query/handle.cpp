/*
 * handle.cpp
 *		What this session knows of a query text: finding, making, revalidating and dropping handles.
 *
 * Everything here is backend-local.
 */
#include "pg.h"
#include "query/walk.h"
#include "query/handle_internal.h"
#include "query/fingerprint.h"
#include "query/handle.h"
#include "query/judged.h"
#include "query/kept.h"
#include "query/key.h"
#include "query/news.h"
#include "query/statement.h"
#include "query/tree.h"
#include "settings.h"

extern "C" {
#include "common/hashfn.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/rls.h"
}

namespace cq
{

Handle *chains[kChains];
dlist_head recently_used = DLIST_STATIC_INIT(recently_used); /* head: last used */
Size total_memory = 0;

namespace
{

/* dlist_container() and dlist_foreach() are no C++ up to 15. */
static_assert(offsetof(HandleLink, lru) == 0);

dlist_node *
First()
{
	return recently_used.head.next;
}

dlist_node *
End()
{
	return &recently_used.head;
}

Handle *
HandleOf(dlist_node *node)
{
	return static_cast<Handle *>(reinterpret_cast<HandleLink *>(node));
}

/* --- freeing -------------------------------------------------------------------------------- */

void
Destroy(Handle *handle)
{
	total_memory -= handle->memory;
	DropCachedPlan(handle->source);
	MemoryContextDelete(handle->context);
}

/* Nobody finds it any more; the last release frees it. */
void
Forget(Handle *handle)
{
	Handle **link = &chains[handle->hash % kChains];

	if (handle->forgotten)
		return;
	while (*link != handle)
		link = &(*link)->next;
	*link = handle->next;
	dlist_delete(&handle->lru);
	handle->forgotten = true;
	if (handle->holds == 0)
		Destroy(handle);
}

/* Drop handles not used for long until the rest fits. */
void
Trim()
{
	Size limit = static_cast<Size>(settings::handle_memory_kb) * 1024;
	dlist_node *node = dlist_is_empty(&recently_used) ? nullptr : dlist_tail_node(&recently_used);

	while (node != nullptr && total_memory > limit)
	{
		Handle *handle = HandleOf(node);

		node =
			dlist_has_prev(&recently_used, node) ? dlist_prev_node(&recently_used, node) : nullptr;
		if (handle->holds == 0)
			Forget(handle);
	}
}

/* --- holding -------------------------------------------------------------------------------- */

Hold *held = nullptr;
Hold *free_holds = nullptr; /* kept, so that a call allocates none */

/* Valid while the handle is linked and no code has run that could drop it. */
HeldHandle
HoldHandle(Handle *handle)
{
	Hold *hold;

	if (free_holds == nullptr)
		free_holds = static_cast<Hold *>(MemoryContextAllocZero(TopMemoryContext, sizeof(Hold)));
	hold = free_holds;
	free_holds = hold->next;
	*hold = {held, CurrentResourceOwner, handle};
	held = hold;
	handle->holds++;
	return HeldHandle(hold);
}

void
EndHold(Hold *hold)
{
	Hold **link = &held;
	Handle *handle = hold->handle;

	while (*link != hold)
		link = &(*link)->next;
	*link = hold->next;
	*hold = {free_holds, nullptr, nullptr};
	free_holds = hold;
	CqAssert(handle->holds > 0);
	if (--handle->holds == 0 && handle->forgotten)
		Destroy(handle);
}

/*
 * An error came while the handle was planned or examined.  It is dropped with the error: its memory
 * would not be counted, and the next call would begin from the text in any case.
 */
bool
LeftUnfinished(const Handle *handle)
{
	return handle->generation < 0 || handle->names_changed;
}

/*
 * Holds that an error left behind.  If there is one at commit, our code forgot it: a WARNING, as for
 * PostgreSQL's own resources.
 */
void
ReleaseOwned(ResourceReleasePhase phase, bool is_commit, bool, void *)
{
	Hold *next;

	if (phase != RESOURCE_RELEASE_BEFORE_LOCKS)
		return;
	for (Hold *hold = held; hold != nullptr; hold = next)
	{
		next = hold->next;
		if (hold->owner != CurrentResourceOwner)
			continue;
		if (!is_commit && LeftUnfinished(hold->handle))
			Forget(hold->handle);
		EndHold(hold);
		if (is_commit)
			elog(WARNING, "cached_query handle leak: a query is still in use");
	}
}

/* --- finding -------------------------------------------------------------------------------- */

uint64
HashIdentity(const char *query, int length, const Args &args)
{
	uint64 seed = GetUserId() ^ (static_cast<uint64>(ParseFlags()) << 32);

	seed = hash_bytes_extended(reinterpret_cast<const unsigned char *>(query), length, seed);
	if (args.count > 0)
		seed = hash_bytes_extended(reinterpret_cast<const unsigned char *>(args.types),
								   static_cast<int>(sizeof(Oid)) * args.count, seed);
	return seed;
}

bool
Matches(const Handle *handle, const char *query, int length, const Args &args)
{
	return handle->query_length == length && handle->role == GetUserId() &&
		   handle->trusted_version == settings::trusted_version &&
		   handle->declared_count == args.count && handle->parse_flags == ParseFlags() &&
		   handle->row_security == row_security && memcmp(handle->query, query, length) == 0 &&
		   (args.count == 0 ||
			memcmp(handle->declared, args.types, sizeof(Oid) * args.count) == 0) &&
		   strcmp(handle->path, namespace_search_path) == 0;
}

Handle *
Find(uint64 hash, const char *query, int length, const Args &args)
{
	for (Handle *handle = chains[hash % kChains]; handle; handle = handle->next)
	{
		if (handle->hash == hash && Matches(handle, query, length, args))
			return handle;
	}
	return nullptr;
}

/* --- making --------------------------------------------------------------------------------- */

/* A handle in a context of its own under the caller's, so that an error leaves nothing behind. */
Handle *
Allocate(uint64 hash, const char *query, int length, const Args &args)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "CachedQueryHandle", ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	Handle *handle = NewZeroed<Handle>();

	handle->findings = Findings();
	handle->learned = Findings();
	handle->names = NameHashes();
	handle->context = context;
	handle->findings_context =
		AllocSetContextCreate(context, "CachedQueryFindings", ALLOCSET_SMALL_SIZES);
	handle->hash = hash;
	handle->query = pnstrdup(query, length);
	handle->query_length = length;
	handle->declared_count = args.count;
	handle->declared = NewArray<Oid>(args.count);
	if (args.count > 0)
		memcpy(handle->declared, args.types, sizeof(Oid) * args.count);
	handle->role = GetUserId();
	handle->row_security = row_security;
	handle->path = pstrdup(namespace_search_path);
	handle->parse_flags = ParseFlags();
	handle->trusted_version = settings::trusted_version;
	handle->generation = -1;
	handle->heard = news_count;
	MemoryContextSwitchTo(caller);
	return handle;
}

/* As SPI_prepare() does it with a text, of a statement that is parsed already. */
CachedPlanSource *
Analyze(const Statement &statement, Oid *types, int count)
{
	CachedPlanSource *source =
		CreateCachedPlan(statement.raw, statement.query, CreateCommandTag(statement.raw->stmt));
	QueryErrorContext context;
	List *queries;

	PushQueryErrorContext(&context, statement.query);
	queries =
		pg_analyze_and_rewrite_fixedparams(statement.raw, statement.query, types, count, nullptr);
	PopQueryErrorContext(&context);
	CompleteCachedPlan(source, queries, nullptr, types, count, nullptr, nullptr,
					   CURSOR_OPT_PARALLEL_OK | CURSOR_OPT_CUSTOM_PLAN | kPlainPlan, false);
	return source;
}

/* Parse analysis, once: the kept plan and the parameter types. */
void
Prepare(Handle *handle)
{
	MemoryContext scratch =
		AllocSetContextCreate(CurrentMemoryContext, "CachedQueryAnalysis", ALLOCSET_DEFAULT_SIZES);
	MemoryContext outer = MemoryContextSwitchTo(scratch);
	Statement statement = ParseStatement(handle->query);
	MemoryContext caller;

	handle->time_words = HasTimeWord(statement.raw->stmt);
	caller = MemoryContextSwitchTo(handle->context);
	handle->param_count = handle->declared_count;
	handle->params = NewArray<Oid>(handle->param_count);
	memcpy(handle->params, handle->declared, sizeof(Oid) * handle->param_count);
	MemoryContextSwitchTo(caller);
	InferParameters(statement, handle->params, handle->param_count);

	handle->source = Analyze(statement, handle->params, handle->param_count);
	RefuseLocksAndWrites(handle->source->query_list);

	/* What runs in a parallel worker can't be watched during a fill. */
	if (CallsUserCode(handle->source->query_list))
		handle->source->cursor_options &= ~CURSOR_OPT_PARALLEL_OK;
	SaveCachedPlan(handle->source);
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(scratch);
}

Handle *
Make(uint64 hash, const char *query, int length, const Args &args)
{
	Handle *handle = Allocate(hash, query, length, args);

	Prepare(handle);

	/* Nothing below can fail. */
	CountMemory(handle, nullptr);
	MemoryContextSetParent(handle->context, TopMemoryContext);
	handle->next = chains[hash % kChains];
	chains[hash % kChains] = handle;
	dlist_push_head(&recently_used, &handle->lru);
	return handle;
}

} // namespace

bool
DiscardsPlans(const Node *statement)
{
	if (!IsA(statement, DiscardStmt))
		return false;

	const DiscardMode target = reinterpret_cast<const DiscardStmt *>(statement)->target;

	return target == DISCARD_ALL || target == DISCARD_PLANS;
}

void
ShowToPermissionHooks(const HeldHandle &handle)
{
	CachedPlan *plan;

	if (ExecutorCheckPerms_hook == nullptr)
		return;
	plan = GetCachedPlan(handle->source, nullptr, CurrentResourceOwner, nullptr);
	compat::BeginAndEnd(linitial_node(PlannedStmt, plan->stmt_list), handle->query);
	ReleaseCachedPlan(plan, CurrentResourceOwner);
}

void
Release(HeldHandle *handle)
{
	EndHold(handle->Take());
}

HeldHandle
PeekHandle(const char *query, int length, const Args &args)
{
	Handle *handle = Find(HashIdentity(query, length, args), query, length, args);

	if (handle == nullptr || handle->generation < 0)
		return {};
	return HoldHandle(handle);
}

HeldHandle
GetHandle(const char *query, int length, const Args &args)
{
	constexpr int kTries = 10;
	const uint64 hash = HashIdentity(query, length, args);

	/*
	 * Parsing the text would take in the messages, too: what others committed before this call is known
	 * in it.
	 */
	AcceptInvalidationMessages();
	for (int tries = 1;; tries++)
	{
		/* the last one is new, so that nobody else uses it */
		const bool last = tries == kTries;
		Handle *found = last ? nullptr : Find(hash, query, length, args);
		HeldHandle handle;
		QueryErrorContext context;
		bool good;

		CHECK_FOR_INTERRUPTS();
		if (found == nullptr)
		{
			handle = HoldHandle(Make(hash, query, length, args));
			Trim();
		}
		else
		{
			handle = HoldHandle(found);
			dlist_move_head(&recently_used, &found->lru);
		}
		PushQueryErrorContext(&context, handle->query);
		good = Revalidate(&*handle, last);
		PopQueryErrorContext(&context);
		if (!good || TooLong(&*handle))
			Forget(&*handle);
		if (good)
			return handle;
		Release(&handle);
	}
}

void
ForgetHandles()
{
	while (First() != End())
		Forget(HandleOf(First()));
	ForgetJudged();
}

void
InitHandles()
{
	InitNews();
	RegisterResourceReleaseCallback(ReleaseOwned, nullptr);
}

} // namespace cq
