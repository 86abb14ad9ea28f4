/*
 * call.cpp
 *		One call of a reader function, from question to rows: the decisions of the cache.
 *
 * Order matters: the query's own errors come first (syntax, permissions, columns), then what
 * forbids the cache for this query, then for this transaction, then the entry's validity.  Locks on
 * the relations are held from GetHandle() on, as the query itself would hold them.
 */
#include "pg.h"
#include "call/answer.h"
#include "call/rows.h"
#include "validity/watch.h"
#include "validity/staleness.h"
#include "validity/judge.h"
#include "call/columns.h"
#include "call/call.h"
#include "call/miss.h"
#include "validity/lookup.h"
#include "query/catalog.h"
#include "query/kept.h"
#include "stats/stats.h"

namespace cq
{
namespace
{

/* --- the decision --------------------------------------------------------------------------- */

Reason
Decide(Lookup *lookup, Answer *answer)
{
	const CallOptions &options = lookup->call->options;
	Reason reason;

	if (!settings::enabled)
		return Reason::disabled;
	if (options.mode == Mode::off)
		return Reason::mode_off;
	reason = JudgeQuery(*lookup->examined, lookup->call->shape, lookup->exact, &answer->detail);
	if (reason != Reason::none)
		return reason;
	if (lookup->exact)
	{
		exact::StartWriters();
		lookup->standing = exact::Look(&lookup->view);
	}
	reason = JudgeTransaction(lookup);
	if (reason != Reason::none)
		return reason;

	lookup->now = GetCurrentTimestamp();
	reason = BuildKey(*lookup->examined, lookup->call->shape, lookup->params, &lookup->key);
	if (reason != Reason::none)
		return reason;
	if (options.mode == Mode::refresh || lookup->call->ttl_us == 0)
	{
		InheritTtl(lookup);
		return Reason::miss_refresh;
	}
	lookup->may_take_stale = MayTakeStale(lookup);
	reason = LookUpFor(lookup, answer);
	lookup->may_take_stale = false; /* who waits or runs the query gets what it asked for */
	return reason;
}

[[noreturn]] void
NotCached(Reason reason)
{
	ereport(ERROR, (errcode(MAKE_SQLSTATE('C', 'Q', '0', '0', '1')), errmsg("query is not cached"),
					errdetail("The reason is %s: %s.", Describe(reason).code,
							  Describe(reason).description),
					errhint("Mode only_cached never runs a query; another mode fills the cache.")));
	pg_unreachable();
}

/*
 * A call inside the query builds its key in the same buffer, so ours is copied; and the handle may be
 * dropped before the call ends.
 */
void
KeepBeyond(Lookup *lookup, Answer *answer)
{
	if (answer->detail != nullptr)
		answer->detail = MemoryContextStrdup(lookup->context, answer->detail);
	if (lookup->key.bytes != nullptr)
	{
		char *bytes = static_cast<char *>(MemoryContextAlloc(lookup->context, lookup->key.length));

		memcpy(bytes, lookup->key.bytes, lookup->key.length);
		lookup->key.bytes = bytes;
	}
}

/* Would the query bring the same rows once more under the same snapshot? */
bool
Repeatable(const Findings &findings)
{
	return findings.volatile_detail == nullptr &&
		   (findings.exact == Reason::none || findings.exact == Reason::time_function ||
			findings.exact == Reason::dep_catalog);
}

/*
 * Was a relation made, truncated or rewritten by a transaction that our snapshot doesn't see?  The
 * query as a statement of its own would take its snapshot after its locks, and would see that
 * transaction.  Our snapshot was taken before, perhaps before we waited for such a lock: it finds
 * neither the old rows nor the new ones.  After any other change the rows of our snapshot can still be
 * read, and the whole statement around the call must see the same rows.  Nothing is listed in the slot
 * of a new relation, as nobody can have used it before; but then the plan is new, too.
 */
bool
IsOvertaken(const Lookup *lookup)
{
	const exact::View &view = lookup->view;
	const bool seen = lookup->handle->seen_whole;
	ListCell *cell;

	if (lookup->standing != exact::Standing::ok || IsolationUsesXactSnapshot())
		return false;
	foreach (cell, lookup->examined->findings.relations)
	{
		if ((!seen || exact::Check(exact::DdlSlot(MyDatabaseId, lfirst_oid(cell)), view,
								   view.pos) != exact::SlotCheck::valid) &&
			StorageReplacedSince(lfirst_oid(cell), view.snapshot))
			return true;
	}
	lookup->handle->seen_whole = true;
	return false;
}

/*
 * From here to the end of the call, run under a new snapshot.  It sees no more of our own commands than
 * the old one.
 */
void
TakeNewSnapshot(Lookup *lookup)
{
	const CommandId own = GetActiveSnapshot()->curcid;

	if (lookup->new_snapshot)
		PopActiveSnapshot();
	PushCopiedSnapshot(GetTransactionSnapshot());
	GetActiveSnapshot()->curcid = own;
	lookup->new_snapshot = true;
	lookup->standing = exact::Look(&lookup->view);
}

/*
 * The handle, whose plan must not be older than the definitions that our snapshot sees; and the view of
 * that snapshot.
 */
void
FindHandle(Lookup *lookup)
{
	constexpr int kTries = 3;
	const Call &call = *lookup->call;

	for (int tries = 1;; tries++)
	{
		lookup->handle = GetHandle(call.query, call.query_length, call.args);
		lookup->examined = &*lookup->handle;
		lookup->standing = exact::Look(&lookup->view);
		if (IsOvertaken(lookup))
			TakeNewSnapshot(lookup);
		if (tries == kTries || lookup->standing != exact::Standing::ok ||
			!PlanOutdated(lookup->handle, lookup->view))
			return;
		Release(&lookup->handle);
	}
}

/* The handle and what follows from it: columns and arguments. */
void
Prepare(Lookup *lookup, Answer *answer)
{
	const Call &call = *lookup->call;

	FindHandle(lookup);
	lookup->plan_cost = lookup->handle->plan_cost;

	MemoryContext caller = MemoryContextSwitchTo(lookup->context);

	answer->repeatable = Repeatable(lookup->handle->findings);
	answer->desc =
		call.shape == Shape::json ? JsonDesc() : CreateTupleDescCopy(lookup->examined->desc);
	MemoryContextSwitchTo(caller);
	if (call.expected != nullptr)
		CheckColumns(call, answer->desc);
	lookup->params = ParamsFromArgs(call.args, lookup->examined->params);
}

/* Will a run of the query be published, if nothing speaks against it? */
bool
IsToBeKept(const Lookup *lookup, Reason reason)
{
	const Mode mode = lookup->call->options.mode;

	if (mode == Mode::only_cached || mode == Mode::read_only)
		return false;
	return (Describe(reason).kind == Kind::miss && reason != Reason::cheap) ||
		   reason == Reason::stale_hit || lookup->early;
}

/*
 * Were plans of functions, or planned constraints of domains, made under settings or definitions that
 * have changed since?  Then they are made again, and the call is decided again.  If a fill runs around
 * this call, they stay, because that fill uses them.
 */
Reason
DecideAnew(Lookup *lookup, Answer *answer, Reason reason)
{
	Reason again;

	if (!IsToBeKept(lookup, reason) || !KeptUnlikeNow(lookup->handle->findings))
		return reason;
	if (Watching())
	{
		lookup->kept_old = true;
		return reason;
	}
	EndAnswer(answer);
	lookup->early = false;
	ForgetKept();
	Release(&lookup->handle);
	Prepare(lookup, answer);
	again = Decide(lookup, answer);
	/* an invalid entry was dropped by the first decision, whose reason is the one to report */
	return again == Reason::miss_cold ? reason : again;
}

bool
HandleHolds(const Lookup *lookup)
{
	return ExaminationHolds(lookup->handle);
}

void
LearnOfHandle(Lookup *lookup, const Findings &seen)
{
	Learn(lookup->handle, seen);
}

Reason
AcceptAny(Lookup *, const Served &)
{
	return Reason::none;
}

const Examiner handle_examiner = {HandleHolds, LearnOfHandle, AcceptAny, FillForCall, RunOnly};

/* Everything after the handle is known. */
void
AnswerWithHandle(Lookup *lookup, Answer *answer)
{
	const CallOptions &options = lookup->call->options;
	Reason reason = DecideAnew(lookup, answer, Decide(lookup, answer));

	if (reason != Reason::hit || lookup->early)
		KeepBeyond(lookup, answer);
	/* a call that may not keep rows still looks into Redis */
	if ((options.mode == Mode::only_cached || options.mode == Mode::read_only) &&
		LookUpRedisFor(lookup, answer, reason))
		reason = Reason::redis_hit;
	if (reason == Reason::stale_hit || lookup->early)
		reason = RefreshOrServe(lookup, answer, reason);
	else if (Describe(reason).kind != Kind::hit)
	{
		if (options.mode == Mode::only_cached && settings::enabled)
		{
			CountOutcome(reason);
			NotCached(reason);
		}
		if (Describe(reason).kind == Kind::miss && options.mode == Mode::read_only)
			reason = Reason::read_only;
		if (Describe(reason).kind == Kind::miss && reason != Reason::cheap)
			reason = FillOrShare(lookup, answer, reason);
		else
			RunOnly(lookup, answer, reason);
		TellOuterWatch(reason);
	}
	answer->reason = reason;
	if (lookup->call->by_worker)
		return;
	if (Describe(reason).kind == Kind::hit)
		ShowToPermissionHooks(lookup->handle);
	CountOutcome(reason);
}

} // namespace

CallOptions
SessionOptions()
{
	return {static_cast<Mode>(settings::mode),
			static_cast<Consistency>(settings::consistency),
			settings::min_fill_time_ms,
			settings::wait_timeout_ms,
			settings::stale_for_ms,
			settings::tag,
			static_cast<StoreKind>(settings::store),
			settings::redis_lease_ms};
}

void
AnswerCall(const Call &call, MemoryContext context, Answer *answer)
{
	Lookup lookup = {};

	memset(answer, 0, sizeof(*answer));
	lookup.call = &call;
	lookup.examiner = &handle_examiner;
	lookup.context = context;
	lookup.exact = call.options.consistency == Consistency::exact;
	answer->context = context;
	answer->ttl_us = call.ttl_us;
	answer->read_only = call.options.mode == Mode::read_only;
	Prepare(&lookup, answer);
	AnswerWithHandle(&lookup, answer);
	Release(&lookup.handle);
	BeginReading(answer, call.again);
	if (lookup.new_snapshot)
		PopActiveSnapshot();
}

} // namespace cq
