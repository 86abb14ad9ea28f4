/*
 * decide.cpp
 *		May a statement be answered from the cache, and is its result cached if not?
 *
 * Part of statement.h.
 */
#include "pg.h"
#include "auto/decide.h"
#include "call/miss.h"
#include "remote/server.h"
#include "validity/staleness.h"
#include "query/findings.h"
#include "validity/meta.h"
#include "call/answer.h"
#include "validity/lookup.h"
#include "call/singleflight.h"
#include "validity/watch.h"
#include "validity/judge.h"
#include "call/call.h"
#include "auto/ghost.h"
#include "auto/nesting.h"
#include "auto/settings.h"
#include "auto/statement.h"
#include "auto/worth.h"
#include "validity/age.h"
#include "query/kept.h"
#include "query/news.h"
#include "settings.h"
#include "stats/stats.h"

extern "C" {
#include "storage/lmgr.h"
#include "tcop/pquery.h"
#include "utils/portal.h"
}

namespace cq
{
namespace
{

/* --- looking up ----------------------------------------------------------------------------- */

/*
 * Were rows of this relation read for the entry?  `at` is where the last one was found: both lists have the order of the
 * fill, so the next one is usually found at once.
 */
bool
ReadForEntry(const Meta &meta, Oid relation, uint32 *at)
{
	const exact::SlotNo slot = exact::WriteSlot(MyDatabaseId, relation);
	const uint32 count = meta.head.write_slots;

	for (uint32 i = 0; i < count; i++)
	{
		const uint32 place = (*at + i) % count;

		if (meta.write_slots[place] == slot)
		{
			*at = place;
			return true;
		}
	}
	return false;
}

/*
 * In REPEATABLE READ the query itself would lock all relations that it reads until the transaction ends, so
 * that no other session can truncate a partition between two statements of one snapshot.  A hit has only the
 * locks on the relations that the tree names.  The entry lists the partitions.  Those that were read for it are locked
 * here, and then the entry is judged again.  The plan of this execution might read fewer, so nothing is waited for.
 */
Reason
LockWhatItRead(Lookup *lookup, Pin *pin)
{
	const Entry *entry = PinnedEntry(pin);
	const EntryFacts facts = FactsOf(entry);
	const Meta meta = ReadEntryMeta(entry);
	uint32 at = 0;
	Reason reason;

	for (uint32 i = 0; i < meta.head.relations; i++)
	{
		/* a standby doesn't know relations by these slots */
		if ((RecoveryInProgress() || ReadForEntry(meta, meta.relations[i], &at)) &&
			!ConditionalLockRelationOid(meta.relations[i], AccessShareLock))
			return Reason::miss_locked;
	}
	reason = JudgeFacts(lookup, facts);
	if (reason == Reason::none || reason == Reason::stale_hit)
		reason = JudgeMeta(lookup, facts, meta);
	return reason;
}

} // namespace

Reason
AcceptForStatement(Lookup *lookup, const Served &served)
{
	if (HeldBytes() > MaxPinnedBytes() || TooMuchPinned(served.pin))
		return Reason::no_memory;
	if (!IsolationUsesXactSnapshot() || settings::debug_auto_no_locks)
		return Reason::none;
	/* rows that only pass through from Redis don't say what they were computed from */
	return served.in_memory ? LockWhatItRead(lookup, served.pin) : Reason::miss_not_exact;
}

namespace
{

/* The next key is built in the same buffer, so ours is copied. */
void
KeepKey(Statement *statement)
{
	Key *key = &statement->lookup.key;
	char *bytes;

	if (statement->key_kept)
		return;
	statement->key_kept = true;
	bytes = static_cast<char *>(MemoryContextAlloc(statement->context, key->length));

	memcpy(bytes, key->bytes, key->length);
	key->bytes = bytes;
}

} // namespace

bool
HasSameKey(const Statement *statement)
{
	const Lookup *lookup = &statement->lookup;
	Key now;

	if (statement->known->key_is_of_query || !statement->key_kept)
		return statement->known->key_is_of_query;
	return BuildKey(*statement->known, Shape::rows, lookup->params, &now) == Reason::none &&
		   now.hash == lookup->key.hash && now.length == lookup->key.length &&
		   memcmp(now.bytes, lookup->key.bytes, now.length) == 0;
}

namespace
{

/* --- keeping -------------------------------------------------------------------------------- */

/*
 * A session that runs the same statement is waited for up to twice the time that the statement is known to take.
 * A transaction that has written doesn't wait: it holds locks that the other session may need.
 */
void
LimitWait(Statement *statement, int64 run_us)
{
	int *wait_ms = &statement->call.options.wait_timeout_ms;

	if (TransactionIdIsValid(GetTopTransactionIdIfAny()))
		*wait_ms = 0;
	else
		*wait_ms = static_cast<int>(Min(static_cast<int64>(*wait_ms), (2 * run_us + 999) / 1000));
	if (statement->lookup.fill_us == 0)
		statement->lookup.fill_us = run_us;
	statement->lookup.plan_cost = statement->planned->planTree->total_cost;
}

} // namespace

void
ReplaceByNewPlan(Statement *statement)
{
	MemoryContext caller = MemoryContextSwitchTo(statement->context);

	statement->query->plannedstmt =
		PlanNow(statement->query, statement->known, statement->note->options);
	statement->note = NoteOf(StatementScan(statement->query->plannedstmt));
	MemoryContextSwitchTo(caller);
}

bool
HasPlan(const Statement *statement)
{
	return outerPlan(statement->query->plannedstmt->planTree) != nullptr;
}

namespace
{

/*
 * Can the rows of this run be kept?  What the session keeps of functions must be of now, and so must the plan:
 * else it is made again.
 */
bool
IsReadyToKeep(Statement *statement)
{
	constexpr int kTries = 3;
	Known *known = statement->known;
	const Lookup *lookup = &statement->lookup;
	bool again = false;

	exact::MarkFill(&statement->mark);
	if (!StillKnown(known))
		return false;
	if (KeptUnlikeNow(known->findings) || KeptOutdated(known->findings, known->names))
	{
		ForgetKept();
		again = true;
	}
	for (int tries = 0; tries < kTries; tries++)
	{
		const PlannedStmt *plan = statement->query->plannedstmt;

		if (!again && HasPlan(statement) && !IsPlanOld(plan, *statement->note, lookup->view))
			return true;
		PlanAgainNextTime(statement->planned);
		ReplaceByNewPlan(statement);
		again = false;
	}
	return false;
}

/* Why not, or Reason::none: the node keeps the rows. */
Reason
DecideToKeep(Statement *statement)
{
	const Known *known = statement->known;

	if (!IsReadyToKeep(statement))
		return Reason::changed_during_fill;
	/* more would come, if any: what watching each run costs would be for nothing */
	if (list_length(statement->query->plannedstmt->relationOids) >
		static_cast<int>(kMaxDependencies))
		return Reason::too_many_dependencies;
	if (known->findings.user_function && statement->query->plannedstmt->parallelModeNeeded)
		return Reason::parallel_function;
	statement->as_of = TimeOf(statement->lookup.view, &statement->lag_ms);
	statement->conduct = Conduct::keep;
	return Reason::none;
}

} // namespace

Reason
FillForStatement(Lookup *lookup, Answer *, Reason miss)
{
	Statement *statement = static_cast<Statement *>(lookup->statement);
	const Reason reason = statement->promising ? DecideToKeep(statement) : Reason::ghost;

	if (reason != Reason::none)
		EndLead(lookup, JoinResult::unstorable);
	statement->leaves_ghost = reason == Reason::ghost;
	return reason == Reason::none ? miss : reason;
}

/* Nothing is needed for that: the plan runs without our node. */
void
RunStatement(Lookup *, Answer *, Reason)
{
}

namespace
{

/* Does it take as long as is asked for?  A hint asks for nothing. */
bool
IsLongEnough(const Statement *statement, int64 run_us)
{
	return (statement->known->text_hash & kHinted) != 0 ||
		   static_cast<double>(run_us) >= settings::auto_min_time * 1000;
}

} // namespace

bool
IsPromisingMiss(const Statement *statement, int64 ghost_us)
{
	if (statement->reason == Reason::miss_refresh ||
		(statement->reason == Reason::miss_expired && statement->lookup.was_hit))
		return true;
	return ghost_us > 0 && IsLongEnough(statement, ghost_us);
}

namespace
{

int64
AskGhost(Statement *statement)
{
	const GhostReport report = ReadGhost(statement->lookup);

	statement->voided = report.voided;
	statement->voided_slot = report.slot;
	return settings::debug_auto_fill_first ? 1 : report.run_us;
}

/* Nothing is looked up: would the result of the last run still be valid? */
void
Observe(Statement *statement)
{
	const int64 ghost_us = AskGhost(statement);

	statement->reason = ghost_us > 0 ? Reason::would_hit : Reason::ghost;
	statement->saved_us = ghost_us;
	statement->leaves_ghost = ghost_us == 0;
	if (ghost_us > 0 && !IsLongEnough(statement, ghost_us))
		UnmarkWorth(statement->known->text_hash);
}

/* A miss: rows from Redis; else keep those of the run if that seems to be worth it, or leave a ghost. */
Reason
DecideMiss(Statement *statement, Reason miss)
{
	Lookup *lookup = &statement->lookup;
	int64 ghost_us;

	/* a fill around this statement watches the plan that runs here, not this fill */
	if (miss == Reason::no_memory || Watching())
		return miss;
	if (statement->call.options.mode == Mode::read_only)
		return LookUpRedisFor(lookup, &statement->answer, miss) ? Reason::redis_hit
																: Reason::read_only;
	KeepKey(statement);
	ghost_us = AskGhost(statement);
	statement->promising = IsPromisingMiss(statement, ghost_us);
	if (!statement->promising && ghost_us > 0)
		UnmarkWorth(statement->known->text_hash);
	if (!statement->promising && !UsesRedis(statement->call.options))
	{
		statement->leaves_ghost = true;
		return Reason::ghost;
	}
	/* nobody waits for what is not going to be kept */
	if (!statement->promising)
		statement->call.options.redis_lease_ms = 0;
	LimitWait(statement, Max(ghost_us, lookup->fill_us));
	return FillOrShare(lookup, &statement->answer, miss);
}

/* What is there, and is good enough. */
Reason
LookUpOrRefresh(Statement *statement)
{
	Lookup *lookup = &statement->lookup;
	Reason reason;

	if (statement->call.options.mode == Mode::refresh)
	{
		InheritTtl(lookup);
		return Reason::miss_refresh;
	}
	lookup->may_take_stale = MayTakeStale(lookup);
	reason = LookUpFor(lookup, &statement->answer);
	lookup->may_take_stale = false;
	if (reason != Reason::stale_hit && !lookup->early)
		return reason;
	KeepKey(statement);
	statement->promising = true;
	lookup->plan_cost = statement->planned->planTree->total_cost;
	return RefreshOrServe(lookup, &statement->answer, reason);
}

/* Which outcome it is to have, and what the node is to do. */
void
Choose(Statement *statement)
{
	Reason reason = JudgeStatement(statement);

	if (reason == Reason::none && settings::automatic == static_cast<int>(Auto::observe))
	{
		KeepKey(statement);
		Observe(statement);
		return;
	}
	if (reason == Reason::none && !statement->known->key_is_of_query)
		KeepKey(statement);
	if (reason == Reason::none)
		reason = LookUpOrRefresh(statement);
	statement->reason = reason;
	if (Describe(reason).kind == Kind::miss && !statement->promising)
		statement->reason = DecideMiss(statement, reason);
	if (Describe(statement->reason).kind == Kind::hit)
		statement->conduct = Conduct::hit;
}

} // namespace

void
Decide(Statement *statement)
{
	Lookup *lookup = &statement->lookup;
	MemoryContext caller;

	PrepareCall(statement);
	/* with a ttl of 0 nothing is good for anybody */
	if (statement->call.ttl_us == 0)
		return;
	caller = MemoryContextSwitchTo(statement->context);
	if (UsedParams(statement->known, statement->query->params, false, &lookup->params))
	{
		statement->counts = true;
		Choose(statement);
	}
	MemoryContextSwitchTo(caller);
}

} // namespace cq
