/*
 * handle.cpp
 *		What this session knows of a query text: finding, making, revalidating and dropping handles.
 *
 * Everything here is backend-local.
 */
#include "pg.h"
#include "query/fingerprint.h"
#include "query/handle.h"
#include "query/kept.h"
#include "query/key.h"
#include "query/news.h"
#include "query/statement.h"
#include "query/tree.h"
#include "settings.h"

extern "C" {
#include "common/hashfn.h"
#include "tcop/utility.h"
#include "utils/rls.h"
}

namespace cq
{
namespace
{

constexpr int kChains = 1024;

Handle *chains[kChains];
dlist_head recently_used = DLIST_STATIC_INIT(recently_used); /* head: last used */
Size total_memory = 0;
ProcessUtility_hook_type previous_process_utility = nullptr;

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
	SPI_freeplan(handle->plan);
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

/* Of one that is linked, with no code between that could forget it. */
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

/* What an error left behind.  At commit somebody has forgotten it, as with PostgreSQL's own resources. */
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
	Handle *handle = static_cast<Handle *>(palloc0(sizeof(Handle)));

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
	handle->declared = static_cast<Oid *>(palloc(sizeof(Oid) * Max(args.count, 1)));
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

/* Parse analysis, once: the kept plan and the parameter types. */
void
Prepare(Handle *handle)
{
	Statement statement = ParseStatement(handle->query);
	MemoryContext caller;

	handle->time_words = HasTimeWord(statement.raw->stmt);
	caller = MemoryContextSwitchTo(handle->context);
	handle->param_count = handle->declared_count;
	handle->params = static_cast<Oid *>(palloc(sizeof(Oid) * Max(handle->param_count, 1)));
	memcpy(handle->params, handle->declared, sizeof(Oid) * handle->param_count);
	MemoryContextSwitchTo(caller);
	InferParameters(statement, handle->params, handle->param_count);

	SPI_connect();
	handle->plan = SPI_prepare_cursor(handle->query, handle->param_count, handle->params,
									  CURSOR_OPT_PARALLEL_OK | CURSOR_OPT_CUSTOM_PLAN);
	if (handle->plan == nullptr)
		elog(ERROR, "SPI_prepare_cursor failed: %s", SPI_result_code_string(SPI_result));
	handle->source =
		static_cast<CachedPlanSource *>(linitial(SPI_plan_get_plan_sources(handle->plan)));
	RefuseLocksAndWrites(handle->source->query_list);

	/* What runs in a parallel worker can't be watched during a fill. */
	if (CallsUserCode(handle->source->query_list))
		handle->source->cursor_options &= ~CURSOR_OPT_PARALLEL_OK;
	SPI_keepplan(handle->plan);
	SPI_finish();
}

Handle *
Make(uint64 hash, const char *query, int length, const Args &args)
{
	Handle *handle = Allocate(hash, query, length, args);

	Prepare(handle);

	/* Nothing below can fail. */
	MemoryContextSetParent(handle->context, TopMemoryContext);
	handle->next = chains[hash % kChains];
	chains[hash % kChains] = handle;
	dlist_push_head(&recently_used, &handle->lru);
	return handle;
}

/* --- revalidating --------------------------------------------------------------------------- */

void
JudgeParameters(Handle *handle)
{
	ParamTraits traits = TraitsOf(handle->params, handle->param_count);

	handle->forms =
		static_cast<ParamForm *>(palloc(sizeof(ParamForm) * Max(handle->param_count, 1)));
	for (int i = 0; i < handle->param_count; i++)
		get_typlenbyval(handle->params[i], &handle->forms[i].length, &handle->forms[i].by_value);

	handle->params_refused = traits.refused;
	handle->params_lasting = traits.lasting;
	if (traits.refused > 0)
		RefuseBoth(&handle->findings, Reason::record_parameter, psprintf("$%d", traits.refused));
}

/* What tells the query from others, besides settings and arguments; false: nothing does. */
bool
Identify(Handle *handle)
{
	const Findings &findings = handle->findings;
	Moment moment;

	if (findings.time_literal)
		moment = {true, handle->query};
	handle->digest = findings.inside_digest;
	return !findings.unidentified &&
		   (findings.inlined == NIL || DigestOids(findings.inlined, &handle->digest)) &&
		   DigestTrees(handle->source->query_list, moment, &handle->digest);
}

/* Longer than a key may be: it is run and no more, so what is not needed for that isn't found out. */
bool
TooLong(const Handle *handle)
{
	return handle->query_length > static_cast<int>(kMaxKeyBytes);
}

void
ExamineTooLong(Handle *handle, PlannedStmt *plan)
{
	Findings *findings = &handle->findings;

	findings->relations = list_copy(plan->relationOids);
	list_sort(findings->relations, list_oid_cmp);
	handle->identified = false;
	initStringInfo(&handle->regional);
	initStringInfo(&handle->key_prefix);
	RefuseBoth(findings, Reason::key_too_large, "the query's text");
}

void
ExamineAll(Handle *handle, PlannedStmt *plan)
{
	Findings *findings = &handle->findings;

	findings->names_inside = &handle->names;
	Examine(findings, handle->source->query_list, plan, handle->desc, handle->source->dependsOnRLS,
			handle->time_words);
	JudgeParameters(handle);
	Widen(findings, handle->learned);
	CollectNames(handle->source->raw_parse_tree->stmt, &handle->names);
	initStringInfo(&handle->regional);
	if (findings->folded)
		AppendRegional(&handle->regional);
	handle->identified = Identify(handle);
	if (!handle->identified)
		RefuseBoth(findings, Reason::no_identity, nullptr);
	BuildKeyPrefix(handle, handle->parse_flags);
}

/* The plan is new: find out again what the answer depends on. */
void
Reexamine(Handle *handle, CachedPlan *plan)
{
	PlannedStmt *statement = linitial_node(PlannedStmt, plan->stmt_list);
	exact::View view;
	MemoryContext caller;

	handle->generation = -1;
	handle->plan_cost = statement->planTree->total_cost;
	handle->plan_position = exact::Look(&view) == exact::Standing::ok ? view.pos : 0;
	MemoryContextReset(handle->findings_context);
	handle->findings = Findings();
	handle->names = NameHashes();
	caller = MemoryContextSwitchTo(handle->findings_context);
	handle->desc = CreateTupleDescCopy(handle->source->resultDesc);
	handle->queryid =
		static_cast<uint64>(linitial_node(Query, handle->source->query_list)->queryId);
	handle->news = false;
	if (TooLong(handle))
		ExamineTooLong(handle, statement);
	else
		ExamineAll(handle, statement);
	MemoryContextSwitchTo(caller);

	total_memory -= handle->memory;
	handle->memory = MemoryContextMemAllocated(handle->context, true) +
					 MemoryContextMemAllocated(handle->source->context, true) +
					 MemoryContextMemAllocated(plan->context, true);
	total_memory += handle->memory;
	handle->generation = plan->generation;
}

/* Were literals converted, or expressions folded, under other settings than there are now? */
bool
LiteralsMoved(Handle *handle)
{
	StringInfoData now;
	bool moved;

	if (handle->generation < 0 || !handle->findings.folded)
		return false;
	initStringInfo(&now);
	AppendRegional(&now);
	moved =
		now.len != handle->regional.len || memcmp(now.data, handle->regional.data, now.len) != 0;
	pfree(now.data);
	return moved;
}

/*
 * May the text mean something else than when it was analysed?  After an examination of a new plan the news
 * of before are asked about again, with the names that were met now.
 */
bool
Outdated(const Handle *handle)
{
	return handle->names_changed || NewsConcern(handle->heard, handle->names, handle->findings);
}

/* Execution has made another plan meanwhile, while nobody looked what the examination would find. */
bool
PlannedUnseen(const Handle *handle)
{
	const CachedPlan *plan = handle->source->gplan;

	return plan != nullptr && plan->generation != handle->generation;
}

/*
 * Constraints of domains ran when its literals were analysed: what they would say now, and whether they
 * raise an error, only an analysis of now shows.
 */
bool
LiteralsChecked(const Handle *handle)
{
	return handle->generation >= 0 && handle->findings.checked_literal;
}

/*
 * Bring it up to date and check rights on relations.  False: it is to be made anew, because a name
 * may mean something else now, or because its plan can't be believed.
 *
 * A plan is not believed if messages came in while it was made.  Planning reads which children a
 * table has, then locks them, and that may wait for a transaction that detaches one.  Its message finds
 * no plan to invalidate yet: PostgreSQL would keep the child in the plan for good, and we would
 * hand its answer to everybody.
 *
 * When that never ends, the last one is used once all the same: ExaminationHolds() is false then.
 */
bool
Revalidate(Handle *handle, bool last)
{
	const uint64 messages = SharedInvalidMessageCounter;
	const uint64 heard = news_count;
	CachedPlan *plan;
	bool same;

	if (!last && (Outdated(handle) || LiteralsMoved(handle) || LiteralsChecked(handle) ||
				  PlannedUnseen(handle)))
		return false;
	handle->names_changed =
		!last; /* what fails is not tried again: the next call begins from the text */
	plan = GetCachedPlan(handle->source, nullptr, CurrentResourceOwner, nullptr);
	handle->names_changed = false;
	same = plan->generation == handle->generation;
	if (Outdated(handle) ||
		(!same && (SharedInvalidMessageCounter != messages || handle->holds > 1)))
		handle->names_changed = true;
	if (last || !handle->names_changed)
	{
		/* somebody who holds it as well goes by the findings and the key that it has */
		if (!same || (handle->news && handle->holds == 1))
			Reexamine(handle, plan);
		compat::CheckRelationRights(linitial_node(PlannedStmt, plan->stmt_list));
	}
	ReleaseCachedPlan(plan, CurrentResourceOwner);
	if (last)
		return true;
	if (Outdated(handle) || handle->forgotten)
		return false;
	/* names in functions, or what was inlined, may mean something else than when the session planned it */
	if (KeptOutdated(handle->findings, handle->names))
	{
		ForgetKept();
		return false;
	}
	handle->heard = heard;
	return true;
}

/* --- invalidation --------------------------------------------------------------------------- */

void
ForgetOnDiscard(PlannedStmt *pstmt, const char *query, bool read_only,
				ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *env,
				DestReceiver *dest, QueryCompletion *qc)
{
	Node *statement = pstmt->utilityStmt;
	bool discard = IsA(statement, DiscardStmt) &&
				   (reinterpret_cast<DiscardStmt *>(statement)->target == DISCARD_ALL ||
					reinterpret_cast<DiscardStmt *>(statement)->target == DISCARD_PLANS);

	if (previous_process_utility)
		previous_process_utility(pstmt, query, read_only, context, params, env, dest, qc);
	else
		standard_ProcessUtility(pstmt, query, read_only, context, params, env, dest, qc);
	if (discard)
		ForgetHandles();
}

/* As SPI does it: a position in the inner text is no position in the client's text. */
void
QueryErrorCallback(void *arg)
{
	const char *query = static_cast<QueryErrorContext *>(arg)->query;
	int position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery(query);
	}
	else
		errcontext("SQL statement \"%s\"", query);
}

} // namespace

void
PushQueryErrorContext(QueryErrorContext *context, const char *query)
{
	context->query = query;
	context->callback.callback = QueryErrorCallback;
	context->callback.arg = context;
	context->callback.previous = error_context_stack;
	error_context_stack = &context->callback;
}

void
PopQueryErrorContext(QueryErrorContext *context)
{
	error_context_stack = context->callback.previous;
}

/*
 * Which partitions a table has depends on the planner's snapshot while one is being detached
 * concurrently, and the message of that may be taken in before a snapshot that doesn't see it yet
 * makes the plan.  PostgreSQL would use the plan under later snapshots, too.
 */
bool
PlanOutdated(const HeldHandle &handle, const exact::View &view)
{
	ListCell *cell;

	if (handle->plan_position >= view.pos)
		return false; /* made again under this snapshot it would be no newer */
	foreach (cell, handle->findings.relations)
	{
		if (exact::Check(exact::DdlSlot(MyDatabaseId, lfirst_oid(cell)), view,
						 handle->plan_position) == exact::Verdict::changed)
		{
			handle->names_changed = true;
			return true;
		}
	}
	return false;
}

bool
ExaminationHolds(const HeldHandle &handle)
{
	const CachedPlanSource *source = handle->source;

	return !Outdated(&*handle) && !handle->forgotten && source->is_valid &&
		   source->gplan != nullptr && source->gplan->is_valid &&
		   source->gplan->generation == handle->generation;
}

void
Distrust(const HeldHandle &handle)
{
	const int category = ERRCODE_TO_CATEGORY(geterrcode());

	if (category == ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION ||
		category == ERRCODE_INTERNAL_ERROR)
		handle->names_changed = true;
}

void
Learn(const HeldHandle &handle, const Findings &seen)
{
	MemoryContext caller = MemoryContextSwitchTo(handle->context);

	Widen(&handle->learned, seen);
	MemoryContextSwitchTo(caller);
	handle->news = true;
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

	/* Parsing the text would, too: what was announced before this call is known in it. */
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
}

void
InitHandles()
{
	InitNews();
	RegisterResourceReleaseCallback(ReleaseOwned, nullptr);
	previous_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = ForgetOnDiscard;
}

} // namespace cq
