/*
 * decide.cpp
 *		May a statement be answered from the cache, and is its result cached if not?
 *
 * Part of statement.h.
 */
#include "pg.h"
#include "auto/decide.h"
#include "call/miss.h"
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

/* --- may the cache be used? ----------------------------------------------------------------- */

/* Where rows of a portal, of SPI and of a SQL function go; a portal's own receiver comes later. */
bool
IsUsualReceiver(const DestReceiver *receiver)
{
	switch (receiver->mydest)
	{
	case DestNone:
	case DestRemote:
	case DestRemoteExecute:
	case DestRemoteSimple:
	case DestSPI:
	case DestTuplestore:
	case DestSQLFunction:
		return true;
	default:
		return false;
	}
}

} // namespace

bool
IsOurs(const Statement *statement, int eflags)
{
	const QueryDesc *query = statement->query;

	return IsAutomatic() && preloaded && IsOwnLevel() && !IsParallelWorker() &&
		   !(eflags &
			 (EXEC_FLAG_EXPLAIN_ONLY | EXEC_FLAG_REWIND | EXEC_FLAG_BACKWARD | EXEC_FLAG_MARK)) &&
		   query->operation == CMD_SELECT && query->queryEnv == nullptr &&
		   IsUsualReceiver(query->dest) && IsWorth(statement->known->text_hash) &&
		   ActiveSnapshotSet() && GetActiveSnapshot() == query->snapshot;
}

namespace
{

/* What the transaction and the session forbid, up to the key. */
Reason
JudgeStatement(Statement *statement)
{
	Attempt *attempt = &statement->attempt;
	Known *known = statement->known;
	Reason reason;

	if (!settings::enabled)
		return Reason::disabled;
	if (statement->call.options.mode == Mode::off)
		return Reason::mode_off;
	reason = JudgeKnown(known, attempt->exact, &statement->detail);
	if (reason != Reason::none)
		return reason;
	exact::StartWriters();
	attempt->standing = exact::Look(&attempt->view);
	reason = JudgeTransaction(attempt);
	if (reason != Reason::none)
		return reason;
	attempt->now = GetCurrentTimestamp();
	return BuildKey(*known, Shape::rows, attempt->params, &attempt->key);
}

static_assert(kMaxHintTag == kMaxTagLength);

void
PrepareCall(Statement *statement)
{
	Call *call = &statement->call;
	Attempt *attempt = &statement->attempt;

	call->query = statement->known->text;
	call->query_length = statement->known->text_length;
	call->shape = Shape::rows;
	call->again = Again::no;
	call->ttl_us = AutoTtl();
	call->options = SessionOptions();
	call->options.consistency = Consistency::exact;
	call->options.store = StoreKind::memory;
	call->options.min_fill_time_ms = 0;
	if (statement->known->tag != nullptr)
		call->options.tag = statement->known->tag;
	attempt->call = call;
	attempt->examiner = &statement_examiner;
	attempt->statement = statement;
	attempt->examined = statement->known;
	attempt->context = statement->context;
	attempt->exact = true;
}

/* --- looking up ----------------------------------------------------------------------------- */

/*
 * In REPEATABLE READ the query itself would lock all relations that it reads until the transaction ends, so
 * that no other session can truncate a partition between two statements of one snapshot.  A hit has only the
 * locks on the relations that the tree names.  The entry lists the partitions, which are locked here.
 * Returns the entry's id, or 0 if there is none.
 */
uint64
LockWhatItRead(const Key &key)
{
	Pin *pin = FindEntry(key.hash, key.bytes, key.length);
	uint64 id;
	Meta meta;

	if (pin == nullptr)
		return 0;
	id = Summarize(pin).id;
	meta = ReadEntryMeta(PinnedEntry(pin));
	for (uint32 i = 0; i < meta.head.relations; i++)
		LockRelationOid(meta.relations[i], AccessShareLock);
	Unpin(pin);
	return id;
}

Reason
LookUpLocked(Statement *statement)
{
	constexpr int kTries = 3;
	Attempt *attempt = &statement->attempt;
	Answer *answer = &statement->answer;

	for (int tries = 0; tries < kTries; tries++)
	{
		const uint64 locked = LockWhatItRead(attempt->key);
		Reason reason;

		if (locked == 0)
			return Reason::miss_cold;
		reason = LookUpFor(attempt, answer);
		if (Describe(reason).kind != Kind::hit || Summarize(answer->pin).id == locked)
			return reason;
		/* another entry has replaced it meanwhile */
		Unpin(answer->pin);
		answer->pin = nullptr;
	}
	return Reason::miss_cold;
}

} // namespace

Reason
LookUpStatement(Statement *statement)
{
	Answer *answer = &statement->answer;
	const Reason reason = IsolationUsesXactSnapshot() && !settings::debug_auto_no_locks
							  ? LookUpLocked(statement)
							  : LookUpFor(&statement->attempt, answer);

	if (Describe(reason).kind != Kind::hit ||
		(HeldBytes() <= MaxPinnedBytes() && !TooMuchPinned(answer->pin)))
		return reason;
	Unpin(answer->pin);
	answer->pin = nullptr;
	return Reason::no_memory;
}

namespace
{

/* The next key is built in the same buffer, so ours is copied. */
void
KeepKey(Statement *statement)
{
	Key *key = &statement->attempt.key;
	char *bytes = static_cast<char *>(MemoryContextAlloc(statement->context, key->length));

	memcpy(bytes, key->bytes, key->length);
	key->bytes = bytes;
}

/* --- keeping -------------------------------------------------------------------------------- */

/* How long is it worth waiting for a session that runs the same statement? */
WaitLimit
WaitLimitOf(const Statement *statement, int64 ghost_us)
{
	const int64 wait_us =
		Min(static_cast<int64>(statement->call.options.wait_timeout_ms) * 1000, 2 * ghost_us);
	WaitLimit limit = {};

	/* a transaction that has written holds locks that the other session may need: no waiting */
	limit.deadline = TransactionIdIsValid(GetTopTransactionIdIfAny())
						 ? DT_NOBEGIN
						 : statement->attempt.now + wait_us;
	limit.expected_us = ghost_us;
	limit.cost = statement->planned->planTree->total_cost;
	return limit;
}

/* Become the leader, or wait for the session that is.  A hit: it has published the entry. */
Reason
JoinOrLead(Statement *statement, int64 ghost_us, Reason miss)
{
	WaitLimit limit = WaitLimitOf(statement, ghost_us);
	Reason reason = miss;

	if (miss == Reason::miss_refresh)
		limit.deadline = DT_NOBEGIN;
	switch (Join(statement->attempt.key.hash, limit))
	{
	case JoinResult::lead:
		statement->leads = true;
		if (miss == Reason::miss_refresh)
			break;
		/* another leader may have finished before we became one */
		reason = LookUpStatement(statement);
		if (Describe(reason).kind != Kind::miss)
			FinishLead(statement, JoinResult::stored);
		break;
	case JoinResult::stored:
	case JoinResult::late:
		reason = LookUpStatement(statement);
		if (Describe(reason).kind == Kind::hit)
			Count(Counter::coalesced);
		break;
	case JoinResult::alone:
	case JoinResult::unstorable:
	case JoinResult::elsewhere:
	case JoinResult::failed:
	case JoinResult::stopped:
		break;
	}
	return reason;
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
	const Attempt *attempt = &statement->attempt;
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

		if (!again && HasPlan(statement) && !IsPlanOld(plan, *statement->note, attempt->view))
			return true;
		PlanAgainNextTime(statement->planned);
		ReplaceByNewPlan(statement);
		again = false;
	}
	return false;
}

void
DecideToKeep(Statement *statement)
{
	const Known *known = statement->known;
	Reason *reason = &statement->reason;

	if (!IsReadyToKeep(statement))
		*reason = Reason::changed_during_fill;
	else if (list_length(statement->query->plannedstmt->relationOids) >
			 static_cast<int>(kMaxDependencies))
		/* more would come, if any: what watching each run costs would be for nothing */
		*reason = Reason::too_many_dependencies;
	else if (known->findings.user_function && statement->query->plannedstmt->parallelModeNeeded)
		*reason = Reason::parallel_function;
	else
	{
		statement->as_of = TimeOf(statement->attempt.view, &statement->lag_ms);
		statement->conduct = Conduct::keep;
		return;
	}
	FinishLead(statement, JoinResult::unstorable);
}

/* Does it take as long as is asked for?  A hint asks for nothing. */
bool
IsLongEnough(const Statement *statement, int64 run_us)
{
	return (statement->known->text_hash & kHinted) != 0 ||
		   static_cast<double>(run_us) >= settings::auto_min_time * 1000;
}

int64
AskGhost(Statement *statement)
{
	const GhostReport report = ReadGhost(statement->attempt);

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

/* A miss: cache the rows if that seems to be worth it, else leave a ghost. */
void
DecideMiss(Statement *statement)
{
	int64 ghost_us;

	/* a fill around this statement watches the plan that runs here, not this fill */
	if (statement->call.options.mode == Mode::read_only)
		statement->reason = Reason::read_only;
	if (statement->reason == Reason::read_only || statement->reason == Reason::no_memory ||
		Watching())
		return;
	KeepKey(statement);
	ghost_us = AskGhost(statement);
	if (statement->reason == Reason::miss_refresh)
		ghost_us = Max(ghost_us, static_cast<int64>(settings::auto_min_time * 1000) + 1);
	if (ghost_us == 0 || !IsLongEnough(statement, ghost_us))
	{
		if (ghost_us != 0)
			UnmarkWorth(statement->known->text_hash);
		statement->leaves_ghost = true;
		statement->reason = Reason::ghost;
		return;
	}
	statement->reason = JoinOrLead(statement, ghost_us, statement->reason);
	if (Describe(statement->reason).kind == Kind::hit)
		statement->conduct = Conduct::hit;
	else if (Describe(statement->reason).kind == Kind::miss)
		DecideToKeep(statement);
}

} // namespace

void
Decide(Statement *statement)
{
	Attempt *attempt = &statement->attempt;
	Reason reason;

	PrepareCall(statement);
	MemoryContext caller = MemoryContextSwitchTo(statement->context);

	if (!UsedParams(statement->known, statement->query->params, false, &attempt->params))
	{
		MemoryContextSwitchTo(caller);
		return;
	}
	statement->counts = true;
	reason = JudgeStatement(statement);
	if (reason == Reason::none && settings::automatic == static_cast<int>(Auto::observe))
	{
		KeepKey(statement);
		Observe(statement);
		MemoryContextSwitchTo(caller);
		return;
	}
	if (reason == Reason::none)
		reason = statement->call.options.mode == Mode::refresh ? Reason::miss_refresh
															   : LookUpStatement(statement);
	statement->reason = reason;
	if (Describe(reason).kind == Kind::hit)
		statement->conduct = Conduct::hit;
	else if (Describe(reason).kind == Kind::miss)
		DecideMiss(statement);
	MemoryContextSwitchTo(caller);
}

} // namespace cq
