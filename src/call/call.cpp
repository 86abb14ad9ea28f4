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
Decide(Attempt *attempt, Answer *answer)
{
	const CallOptions &options = attempt->call->options;
	Reason reason;

	if (!settings::enabled)
		return Reason::disabled;
	if (options.mode == Mode::off)
		return Reason::mode_off;
	reason = JudgeQuery(*attempt->examined, attempt->call->shape, attempt->exact, &answer->detail);
	if (reason != Reason::none)
		return reason;
	if (attempt->exact)
	{
		exact::StartWriters();
		attempt->standing = exact::Look(&attempt->view);
	}
	reason = JudgeTransaction(attempt);
	if (reason != Reason::none)
		return reason;

	attempt->now = GetCurrentTimestamp();
	reason = BuildKey(*attempt->examined, attempt->call->shape, attempt->params, &attempt->key);
	if (reason != Reason::none)
		return reason;
	if (options.mode == Mode::refresh || attempt->call->ttl_us == 0)
	{
		InheritTtl(attempt);
		return Reason::miss_refresh;
	}
	attempt->may_take_stale = MayTakeStale(attempt);
	reason = LookUpFor(attempt, answer);
	attempt->may_take_stale = false; /* who waits or runs the query gets what it asked for */
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
 * What is built next, by a call inside the query, takes the place of our key; and a handle may be
 * gone before the answer is.
 */
void
KeepBeyond(Attempt *attempt, Answer *answer)
{
	if (answer->detail != nullptr)
		answer->detail = MemoryContextStrdup(attempt->context, answer->detail);
	if (attempt->key.bytes != nullptr)
	{
		char *bytes =
			static_cast<char *>(MemoryContextAlloc(attempt->context, attempt->key.length));

		memcpy(bytes, attempt->key.bytes, attempt->key.length);
		attempt->key.bytes = bytes;
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
 * Was a relation made, truncated or rewritten by somebody whom our snapshot doesn't see?  The query's own
 * statement takes its snapshot after its locks, so it would see him.  Ours is of before, when we may have waited
 * for such a lock: it shows neither the old rows nor the new ones.  Any other change leaves the rows of our
 * snapshot to be read, and the whole statement around us must see the same ones.
 *
 * What was made has nothing listed in its slot, as nobody can have used it before.  But then the plan is new, too.
 */
bool
IsOvertaken(const Attempt *attempt)
{
	const exact::View &view = attempt->view;
	const bool seen = attempt->handle->seen_whole;
	ListCell *cell;

	if (attempt->standing != exact::Standing::ok || IsolationUsesXactSnapshot())
		return false;
	foreach (cell, attempt->examined->findings.relations)
	{
		if ((!seen || exact::Check(exact::DdlSlot(MyDatabaseId, lfirst_oid(cell)), view,
								   view.pos) != exact::SlotCheck::valid) &&
			StorageReplacedSince(lfirst_oid(cell), view.snapshot))
			return true;
	}
	attempt->handle->seen_whole = true;
	return false;
}

/* Go on under a snapshot of now, until the call ends.  It sees no more of our own commands. */
void
TakeNewSnapshot(Attempt *attempt)
{
	const CommandId own = GetActiveSnapshot()->curcid;

	if (attempt->new_snapshot)
		PopActiveSnapshot();
	PushCopiedSnapshot(GetTransactionSnapshot());
	GetActiveSnapshot()->curcid = own;
	attempt->new_snapshot = true;
	attempt->standing = exact::Look(&attempt->view);
}

/*
 * The handle, with a plan that is not older than the definitions our snapshot sees; and that
 * one's view.
 */
void
FindHandle(Attempt *attempt)
{
	constexpr int kTries = 3;
	const Call &call = *attempt->call;

	for (int tries = 1;; tries++)
	{
		attempt->handle = GetHandle(call.query, call.query_length, call.args);
		attempt->examined = &*attempt->handle;
		attempt->standing = exact::Look(&attempt->view);
		if (IsOvertaken(attempt))
			TakeNewSnapshot(attempt);
		if (tries == kTries || attempt->standing != exact::Standing::ok ||
			!PlanOutdated(attempt->handle, attempt->view))
			return;
		Release(&attempt->handle);
	}
}

/* The handle and what follows from it: columns and arguments. */
void
Prepare(Attempt *attempt, Answer *answer)
{
	const Call &call = *attempt->call;

	FindHandle(attempt);
	attempt->plan_cost = attempt->handle->plan_cost;

	MemoryContext caller = MemoryContextSwitchTo(attempt->context);

	answer->repeatable = Repeatable(attempt->handle->findings);
	answer->desc =
		call.shape == Shape::json ? JsonDesc() : CreateTupleDescCopy(attempt->examined->desc);
	MemoryContextSwitchTo(caller);
	if (call.expected != nullptr)
		CheckColumns(call.expected, answer->desc);
	attempt->params = ParamsFromArgs(call.args, attempt->examined->params);
}

/* Will a run of the query be published, if nothing speaks against it? */
bool
IsToBeKept(const Attempt *attempt, Reason reason)
{
	const Mode mode = attempt->call->options.mode;

	if (mode == Mode::only_cached || mode == Mode::read_only)
		return false;
	return (Describe(reason).kind == Kind::miss && reason != Reason::cheap) ||
		   reason == Reason::stale_hit || attempt->early;
}

/*
 * May plans of functions, or constraints of domains, be of other settings than there are now?  Then they are
 * made again, and the decision, too.  A fill around this call relies on what there is, so it isn't disturbed.
 */
Reason
DecideAnew(Attempt *attempt, Answer *answer, Reason reason)
{
	Reason again;

	if (!IsToBeKept(attempt, reason) || !KeptUnlikeNow(attempt->handle->findings))
		return reason;
	if (Watching())
	{
		attempt->kept_old = true;
		return reason;
	}
	EndAnswer(answer);
	attempt->early = false;
	ForgetKept();
	Release(&attempt->handle);
	Prepare(attempt, answer);
	again = Decide(attempt, answer);
	/* what was void is gone by now */
	return again == Reason::miss_cold ? reason : again;
}

bool
HandleHolds(const Attempt *attempt)
{
	return ExaminationHolds(attempt->handle);
}

void
LearnOfHandle(Attempt *attempt, const Findings &seen)
{
	Learn(attempt->handle, seen);
}

Reason
AcceptAny(Attempt *, const Served &)
{
	return Reason::none;
}

const Examiner handle_examiner = {HandleHolds, LearnOfHandle, AcceptAny, FillForCall, RunOnly};

/* Everything after the handle is known. */
void
AnswerWithHandle(Attempt *attempt, Answer *answer)
{
	const CallOptions &options = attempt->call->options;
	Reason reason = DecideAnew(attempt, answer, Decide(attempt, answer));

	if (reason != Reason::hit || attempt->early)
		KeepBeyond(attempt, answer);
	/* who may not run the query to keep it looks into Redis, and that is all */
	if ((options.mode == Mode::only_cached || options.mode == Mode::read_only) &&
		LookUpRedisFor(attempt, answer, reason))
		reason = Reason::redis_hit;
	if (reason == Reason::stale_hit || attempt->early)
		reason = RefreshOrServe(attempt, answer, reason);
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
			reason = FillOrShare(attempt, answer, reason);
		else
			RunOnly(attempt, answer, reason);
		TellOuterWatch(reason);
	}
	answer->reason = reason;
	if (attempt->call->by_worker)
		return;
	if (Describe(reason).kind == Kind::hit)
		ShowToPermissionHooks(attempt->handle);
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
	Attempt attempt = {};

	memset(answer, 0, sizeof(*answer));
	attempt.call = &call;
	attempt.examiner = &handle_examiner;
	attempt.context = context;
	attempt.exact = call.options.consistency == Consistency::exact;
	answer->context = context;
	answer->ttl_us = call.ttl_us;
	answer->read_only = call.options.mode == Mode::read_only;
	Prepare(&attempt, answer);
	AnswerWithHandle(&attempt, answer);
	Release(&attempt.handle);
	BeginReading(answer, call.again);
	if (attempt.new_snapshot)
		PopActiveSnapshot();
}

} // namespace cq
