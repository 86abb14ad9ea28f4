/*
 * call.cpp
 *		One call of a reader function, from question to rows: the decisions of the cache.
 *
 * Order matters: the query's own errors come first (syntax, permissions, columns), then what
 * forbids the cache for this query, then for this transaction, then the entry's validity.  Locks on
 * the relations are held from GetHandle() on, as the query itself would hold them.
 */
#include "pg.h"
#include "validity/age.h"
#include "validity/lookup.h"
#include "call/cost.h"
#include "call/singleflight.h"
#include "remote/lease.h"
#include "call/sizes.h"
#include "remote/lookup.h"
#include "query/catalog.h"
#include "query/kept.h"
#include "stats/stats.h"

extern "C" {
#include "portability/instr_time.h"
}

namespace cq
{
namespace
{

int64
ElapsedUs(const instr_time &start)
{
	instr_time now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, start);
	return static_cast<int64>(INSTR_TIME_GET_MICROSEC(now));
}

void
TakeRows(Answer *answer, Rows *rows)
{
	answer->pin = rows->fill;
	answer->next = rows->next;
	answer->stream = rows->stream;
	answer->rest = rows->rest;
	answer->rows = rows->total;
}

/* Run the query and keep its rows, for the attempt's key. */
Reason
Fill(Attempt *attempt, Answer *answer, Reason miss, bool leads)
{
	Watch watch;
	Rows rows;
	exact::FillMark mark;
	instr_time start;
	int32 lag_ms;
	TimestampTz as_of = TimeOf(attempt->view, &lag_ms);
	volatile int64 fill_us = 0;
	const SizeNote known = RecallSize(attempt->key.hash);
	const bool too_large = known.too_large && known.bytes > MaxEntryBytes();
	Pin *fill =
		too_large ? nullptr : BeginFill(attempt->key.hash, attempt->key.bytes, attempt->key.length);
	bool published = false;
	Reason reason;

	attempt->key_slot =
		exact::NamedSlot(exact::Named::key, MyDatabaseId, &attempt->key.hash, sizeof(uint64));
	/* while they mean what they did when the call was made */
	attempt->args_text = attempt->params ? TextOfParams(attempt->params) : "";
	exact::MarkFill(&mark);
	BeginRows(&rows, attempt->call->shape, answer->desc, fill, MaxEntryBytes(), attempt->context);
	rows.leads = leads;
	if (too_large)
		ExpectTooLarge(&rows);
	else if (fill != nullptr && !known.too_large)
		ExpectSize(fill, known.bytes);
	BeginWatch(&watch, attempt->context, attempt->examined->findings);
	Count(Counter::fills);
	INSTR_TIME_SET_CURRENT(start);
	PG_TRY();
	{
		RunQuery(attempt->handle, attempt->params, &rows);
		fill_us = ElapsedUs(start);
		if (rows.stream == nullptr)
			NoteFillTime(*attempt->handle, fill_us);
	}
	PG_CATCH();
	{
		Distrust(attempt->handle);
		DropWatch(&watch);
		PG_RE_THROW();
	}
	PG_END_TRY();
	EndWatch(&watch);

	reason = Publish(attempt, &rows, {&watch, &mark, fill_us, as_of, lag_ms}, miss, &published);
	if (leads)
	{
		GiveUpLease(LeaseEnd::unstorable); /* a published entry has it */
		Land(published ? Boarding::stored : Boarding::unstorable);
	}
	if (rows.fill != nullptr && !published)
		SealFill(rows.fill, rows.kept);
	TakeRows(answer, &rows);
	return reason;
}

/* Run the query and keep nothing. */
void
RunOnly(Attempt *attempt, Answer *answer, Reason reason)
{
	Rows rows;
	instr_time start;

	if (reason == Reason::volatile_function)
		NoticeVolatile(answer->detail);
	BeginRows(&rows, attempt->call->shape, answer->desc, nullptr, 0, attempt->context);
	INSTR_TIME_SET_CURRENT(start);
	rows.some_at_once = reason == Reason::cheap;
	RunQuery(attempt->handle, attempt->params, &rows);
	TakeRows(answer, &rows);
	/* who was cheap has few rows */
	if (reason == Reason::cheap)
		NoteDirectRun(attempt, ElapsedUs(start));
}

/* An entry came after we had missed it: its rows, or the query's if it is not for us. */
Reason
Take(Attempt *attempt, Answer *answer, Reason reason)
{
	if (Describe(reason).kind != Kind::hit)
		RunOnly(attempt, answer, reason);
	return reason;
}

/* Rows from Redis if it has them, else the query's, without anybody waiting for us. */
Reason
Obtain(Attempt *attempt, Answer *answer, Reason miss)
{
	bool published;

	if (LookUpRedis(attempt, answer, miss, &published) != Reason::redis_hit)
		return Fill(attempt, answer, miss, false);
	return Reason::redis_hit;
}

/*
 * The same as the leader, who may also wait for another server's.  A worker doesn't, and leaves the
 * entry as it is: stale_hit.
 */
Reason
ObtainForAll(Attempt *attempt, Answer *answer, Reason miss, TimestampTz deadline)
{
	const bool kept = attempt->call->options.store == StoreKind::tiered;
	bool published;

	if (attempt->call->by_worker && LeasedElsewhere(attempt))
	{
		Land(Boarding::stopped);
		return Reason::stale_hit;
	}
	if (LookUpRedis(attempt, answer, miss, &published) != Reason::redis_hit &&
		AwaitLease(attempt, answer, miss, deadline, &published) != Reason::redis_hit)
		return Fill(attempt, answer, miss, true);
	GiveUpLease(LeaseEnd::free);
	if (published)
		Land(Boarding::stored);
	else
		Land(kept ? Boarding::unstorable : Boarding::elsewhere);
	return Reason::redis_hit;
}

/* We lead no more, because of an error. */
void
LeadNoMore()
{
	GiveUpLease(LeaseEnd::free);
	/* a cancel, a timeout or a termination tells nothing about the query */
	Land(ERRCODE_TO_CATEGORY(geterrcode()) == ERRCODE_OPERATOR_INTERVENTION ? Boarding::stopped
																			: Boarding::failed);
}

/*
 * As the one whom others may wait for.  Somebody may have landed between our look-up and our
 * take-off: look again.
 */
Reason
Lead(Attempt *attempt, Answer *answer, Reason miss, TimestampTz deadline)
{
	volatile Reason reason = miss;

	PG_TRY();
	{
		if (miss != Reason::miss_refresh && !(miss == Reason::miss_ahead && StillThere(attempt)))
			reason = LookUp(attempt, answer);
		if (Describe(reason).kind == Kind::miss)
			reason = ObtainForAll(attempt, answer, miss, deadline);
		else
		{
			GiveUpLease(LeaseEnd::free);
			Land(Boarding::stored);
			reason = Take(attempt, answer, reason);
		}
	}
	PG_CATCH();
	{
		LeadNoMore();
		PG_RE_THROW();
	}
	PG_END_TRY();
	return reason;
}

/* What was written to Redis after we asked, by the one we waited for or another server. */
Reason
LookUpRedisAgain(Attempt *attempt, Answer *answer, Reason miss)
{
	bool published;

	if (attempt->call->options.store != StoreKind::redis)
		return miss;
	attempt->asked_redis = false;
	return LookUpRedis(attempt, answer, miss, &published);
}

/* ... by the one for whom we waited, or who was about to wait with us. */
Reason
TakeOfOther(Attempt *attempt, Answer *answer, Reason reason)
{
	if (Describe(reason).kind == Kind::hit)
		Count(Counter::coalesced);
	return Take(attempt, answer, reason);
}

/* Another server's run is worth no longer a wait than another session's. */
TimestampTz
LeaseDeadline(const Patience &patience)
{
	const TimestampTz worth =
		patience.expected_us > 0 ? GetCurrentTimestamp() + 2 * patience.expected_us : DT_NOEND;

	return Min(patience.deadline, worth);
}

/*
 * A miss: run the query, or wait for somebody who runs it already.  The age of an answer counts
 * up to the moment we asked, not to the end of our waiting: our own run would have shown the same
 * moment.
 *
 * Others than the one we waited for may want the same again: when the query failed, or the entry
 * was too old for us.  One of us leads then, but nobody waits for a third: a query that fails for
 * each, or a ttl that is shorter than the age of each one's snapshot, would make a queue of us.
 *
 * Nobody waits longer than it is worth (Patience).  Those who have lost it do not run the query all
 * at once, but wait for one of them in the next lane, and twice as long: so that many who want the same
 * are never more than a few who run it, also where the server is so busy that everything takes longer.
 */
Reason
FillOrShare(Attempt *attempt, Answer *answer, Reason miss)
{
	int wait_ms = attempt->call->options.wait_timeout_ms;
	TimestampTz deadline = miss == Reason::miss_refresh
							   ? DT_NOBEGIN
							   : attempt->now + static_cast<int64>(wait_ms) * 1000;
	Patience patience = PatienceOf(*attempt, deadline);
	int lane = 0;
	int in_vain = 0;
	bool published;

	/* Each reads its own copy in this mode: nothing is gained by waiting for another's. */
	if (attempt->call->options.store == StoreKind::redis &&
		LookUpRedis(attempt, answer, miss, &published) == Reason::redis_hit)
		return Reason::redis_hit;
	while (in_vain < 2 && lane < kLanes)
	{
		Reason reason;

		switch (Board(LaneOf(attempt->key.hash, lane), patience))
		{
		case Boarding::lead:
			return Lead(attempt, answer, miss, LeaseDeadline(patience));
		case Boarding::alone:
		case Boarding::unstorable:
			return Obtain(attempt, answer, miss);
		case Boarding::stopped:
			break;
		case Boarding::failed:
			in_vain++;
			break;
		case Boarding::late:
			lane++;
			patience.expected_us *= 2;
			reason = LookUp(attempt, answer);
			if (Describe(reason).kind != Kind::miss)
				return TakeOfOther(attempt, answer, reason);
			break;
		case Boarding::stored:
		case Boarding::elsewhere:
			reason = LookUp(attempt, answer);
			if (Describe(reason).kind == Kind::miss)
				reason = LookUpRedisAgain(attempt, answer, reason);
			if (Describe(reason).kind != Kind::miss)
				return TakeOfOther(attempt, answer, reason);
			in_vain++;
			break;
		}
	}
	return Obtain(attempt, answer, miss);
}

/* We lead the flight of an entry that is good yet.  If another server renews it, we leave it at that. */
bool
LeftToAnother(Attempt *attempt)
{
	volatile bool left = false;

	PG_TRY();
	{
		left = LeasedElsewhere(attempt);
	}
	PG_CATCH();
	{
		LeadNoMore();
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (left)
		Land(Boarding::stopped);
	return left;
}

/*
 * Rows that are stale, or fresh but to be renewed early: one caller renews them, in its call or by
 * a worker, and the others take them as they are.
 */
Reason
RenewOrServe(Attempt *attempt, Answer *answer, Reason found)
{
	if (!OursToRenew(attempt) || LeftToAnother(attempt))
	{
		CountServed(attempt, answer);
		return found;
	}
	EndAnswer(answer);
	return Lead(attempt, answer,
				found == Reason::stale_hit ? Reason::miss_expired : Reason::miss_ahead, DT_NOBEGIN);
}

/* What a bypass says about an answer that is being kept around this call. */
void
TellOuterWatch(Reason reason)
{
	if (Describe(reason).kind == Kind::bypass)
		WatchUncacheable();
}

/* --- the decision --------------------------------------------------------------------------- */

Reason
Decide(Attempt *attempt, Answer *answer)
{
	const CallOptions &options = attempt->call->options;
	CostSample sample;
	Reason reason;

	if (!settings::enabled)
		return Reason::disabled;
	if (options.mode == Mode::off)
		return Reason::mode_off;
	reason = JudgeQuery(*attempt->examined, attempt->call->shape, attempt->exact, &answer->detail);
	if (reason != Reason::hit)
		return reason;
	if (attempt->exact)
	{
		exact::StartWriters();
		attempt->standing = exact::Look(&attempt->view);
	}
	reason = JudgeTransaction(attempt);
	if (reason != Reason::hit)
		return reason;

	if (RunsDirectly(attempt))
		return Reason::cheap;

	attempt->now = GetCurrentTimestamp();
	BeginCostSample(&sample, options.min_fill_time_ms < 0);
	reason = BuildKey(*attempt->examined, attempt->call->shape, attempt->params, &attempt->key);
	if (reason != Reason::hit)
		return reason;
	if (options.mode == Mode::refresh || attempt->call->ttl_us == 0)
	{
		InheritTtl(attempt);
		return Reason::miss_refresh;
	}
	attempt->may_renew = MayRenew(attempt);
	reason = LookUp(attempt, answer);
	attempt->look_up_ns = EndCostSample(sample, answer->pin);
	attempt->may_renew = false; /* who waits or runs the query gets what it asked for */
	return reason;
}

[[noreturn]] void
NotCached(Reason reason)
{
	ereport(ERROR, (errcode(MAKE_SQLSTATE('C', 'Q', '0', '0', '1')), errmsg("query is not cached"),
					errdetail("%s (%s).", Describe(reason).description, Describe(reason).code),
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
		   (findings.exact == Reason::hit || findings.exact == Reason::time_function ||
			findings.exact == Reason::dep_catalog);
}

/*
 * Was a relation truncated or rewritten by somebody whom our snapshot doesn't see?  The query's own statement
 * takes its snapshot after its locks, so it would see him.  Ours is of before, when we may have waited for such
 * a lock: it shows neither the old rows nor the new ones.  Any other change leaves the rows of our snapshot to
 * be read, and the whole statement around us must see the same ones.
 */
bool
IsOvertaken(const Attempt *attempt)
{
	const exact::View &view = attempt->view;
	ListCell *cell;

	if (attempt->standing != exact::Standing::ok || IsolationUsesXactSnapshot())
		return false;
	foreach (cell, attempt->examined->findings.relations)
	{
		if (exact::Check(exact::DdlSlot(MyDatabaseId, lfirst_oid(cell)), view, view.pos) !=
				exact::Verdict::valid &&
			StorageReplacedSince(lfirst_oid(cell), view.snapshot))
			return true;
	}
	return false;
}

/* Go on under a snapshot of now, until the call ends.  It sees no more of our own commands. */
void
RenewSnapshot(Attempt *attempt)
{
	const CommandId own = GetActiveSnapshot()->curcid;

	if (attempt->renewed)
		PopActiveSnapshot();
	PushCopiedSnapshot(GetTransactionSnapshot());
	GetActiveSnapshot()->curcid = own;
	attempt->renewed = true;
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
			RenewSnapshot(attempt);
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

/* Everything after the handle is known. */
void
AnswerWithHandle(Attempt *attempt, Answer *answer)
{
	const CallOptions &options = attempt->call->options;
	Reason reason = DecideAnew(attempt, answer, Decide(attempt, answer));
	bool published;

	if (reason != Reason::hit || attempt->early)
		KeepBeyond(attempt, answer);
	/* who may not run the query to keep it looks into Redis, and that is all */
	if (options.mode == Mode::only_cached || options.mode == Mode::read_only)
		reason = LookUpRedis(attempt, answer, reason, &published);
	if (reason == Reason::stale_hit || attempt->early)
		reason = RenewOrServe(attempt, answer, reason);
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
	attempt.context = context;
	attempt.exact = call.options.consistency == Consistency::exact;
	answer->context = context;
	answer->ttl_us = call.ttl_us;
	Prepare(&attempt, answer);
	AnswerWithHandle(&attempt, answer);
	Release(&attempt.handle);
	BeginReading(answer, call.again);
	if (attempt.renewed)
		PopActiveSnapshot();
}

} // namespace cq
