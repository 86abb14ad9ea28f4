/*
 * miss.cpp
 *		Who runs a query that is not in the cache: this call, or another that it waits for.
 */
#include "pg.h"
#include "call/refresh_queue.h"
#include "call/answer.h"
#include "call/rows.h"
#include "validity/watch.h"
#include "remote/queue.h"
#include "validity/staleness.h"
#include "validity/judge.h"
#include "call/fill_times.h"
#include "call/cheap.h"
#include "call/publish.h"
#include "call/miss.h"
#include "validity/age.h"
#include "validity/lookup.h"
#include "call/singleflight.h"
#include "remote/lease.h"
#include "call/sizes.h"
#include "remote/lookup.h"
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

/* We lead no more: those who wait go on at once, and the lease in Redis ends, too. */
void
EndLead(JoinResult outcome)
{
	GiveUpLease(outcome == JoinResult::unstorable ? LeaseEnd::unstorable : LeaseEnd::free);
	Finish(outcome);
}

/* The rows can't be kept: nobody need wait for the rest of them. */
void
GaveUp()
{
	EndLead(JoinResult::unstorable);
}

/* The entry is handed out. */
void
Serve(Answer *answer, const Served &served)
{
	answer->pin = served.pin;
	answer->rows = served.rows;
	answer->age_us = served.age_us;
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
	if (leads)
		rows.gave_up = GaveUp;
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
		EndLead(published ? JoinResult::stored : JoinResult::unstorable);
	if (rows.fill != nullptr && !published)
		SealFill(rows.fill, rows.kept);
	TakeRows(answer, &rows);
	return reason;
}

} // namespace

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

Reason
LookUpFor(Attempt *attempt, Answer *answer)
{
	Served served = {};
	const Reason reason = LookUp(attempt, &served);

	if (served.pin != nullptr)
		Serve(answer, served);
	return reason;
}

bool
LookUpRedisFor(Attempt *attempt, Answer *answer, Reason miss)
{
	Served served = {};

	if (!LookUpRedis(attempt, miss, &served))
		return false;
	Serve(answer, served);
	return true;
}

namespace
{

/* An entry came after we had missed it: its rows, or the query's if it is not for us. */
Reason
Take(Attempt *attempt, Answer *answer, Reason reason)
{
	if (Describe(reason).kind != Kind::hit)
		RunOnly(attempt, answer, reason);
	return reason;
}

/* Rows from Redis if it has them and was not asked yet, else the query's, without anybody waiting for us. */
Reason
Obtain(Attempt *attempt, Answer *answer, Reason miss, bool asked)
{
	if (!asked && LookUpRedisFor(attempt, answer, miss))
		return Reason::redis_hit;
	return Fill(attempt, answer, miss, false);
}

/* Take the lease on the key, or wait until the deadline for the answer of the server that has it. */
bool
AwaitLease(Attempt *attempt, Reason miss, TimestampTz deadline, Served *served)
{
	LeaseWait wait;

	if (!BeginLeaseWait(attempt, miss, &wait))
		return false;
	for (;;)
	{
		const Claim claim = AskForLease(attempt, deadline, &wait);

		if (wait.news && LookUpRedis(attempt, miss, served))
		{
			if (wait.began != 0)
				Count(Counter::coalesced);
			return true;
		}
		if (claim == Claim::unstorable)
			EndLead(JoinResult::unstorable); /* nor need those wait who wait for us */
		if (claim != Claim::busy || !PauseForLease(deadline, &wait))
			return false;
	}
}

/*
 * The same as the leader, who may also wait for another server's.  A worker doesn't, and leaves the
 * entry as it is: stale_hit.
 */
Reason
ObtainForAll(Attempt *attempt, Answer *answer, Reason miss, TimestampTz deadline, bool asked)
{
	const bool kept = attempt->call->options.store == StoreKind::tiered;
	Served served = {};

	if (attempt->call->by_worker && LeasedElsewhere(attempt))
	{
		EndLead(JoinResult::stopped);
		return Reason::stale_hit;
	}
	if ((asked || !LookUpRedis(attempt, miss, &served)) &&
		!AwaitLease(attempt, miss, deadline, &served))
		return Fill(attempt, answer, miss, true);
	Serve(answer, served);
	GiveUpLease(LeaseEnd::free); /* the value is there */
	if (served.in_memory)
		EndLead(JoinResult::stored);
	else
		EndLead(kept ? JoinResult::unstorable : JoinResult::elsewhere);
	return Reason::redis_hit;
}

/* We lead no more, because of an error. */
void
EndLeadOnError()
{
	/* a cancel, a timeout or a termination tells nothing about the query */
	EndLead(ERRCODE_TO_CATEGORY(geterrcode()) == ERRCODE_OPERATOR_INTERVENTION
				? JoinResult::stopped
				: JoinResult::failed);
}

/*
 * As the one whom others may wait for.  Somebody may have finished between our look-up and the
 * moment when we became the leader: look again.
 */
Reason
Lead(Attempt *attempt, Answer *answer, Reason miss, TimestampTz deadline, bool asked)
{
	volatile Reason reason = miss;

	PG_TRY();
	{
		if (miss != Reason::miss_refresh && !(miss == Reason::miss_ahead && StillThere(attempt)))
			reason = LookUpFor(attempt, answer);
		if (Describe(reason).kind == Kind::miss)
			reason = ObtainForAll(attempt, answer, miss, deadline, asked);
		else
		{
			EndLead(JoinResult::stored);
			reason = Take(attempt, answer, reason);
		}
	}
	PG_CATCH();
	{
		EndLeadOnError();
		PG_RE_THROW();
	}
	PG_END_TRY();
	return reason;
}

/*
 * After we waited: what is there by now, in memory or, where each reads its own copy, in Redis, written
 * by the one we waited for or another server.
 */
Reason
LookUpAgain(Attempt *attempt, Answer *answer)
{
	const Reason reason = LookUpFor(attempt, answer);

	if (Describe(reason).kind == Kind::miss && attempt->call->options.store == StoreKind::redis &&
		LookUpRedisFor(attempt, answer, reason))
		return Reason::redis_hit;
	return reason;
}

/* The answer of the one for whom we waited, or who was about to wait with us. */
Reason
TakeOfOther(Attempt *attempt, Answer *answer, Reason reason)
{
	if (Describe(reason).kind == Kind::hit)
		Count(Counter::coalesced);
	return Take(attempt, answer, reason);
}

/* Another server's run is worth no longer a wait than another session's. */
TimestampTz
LeaseDeadline(const WaitLimit &limit)
{
	const TimestampTz worth =
		limit.expected_us > 0 ? GetCurrentTimestamp() + 2 * limit.expected_us : DT_NOEND;

	return Min(limit.deadline, worth);
}

} // namespace

Reason
FillOrShare(Attempt *attempt, Answer *answer, Reason miss)
{
	int wait_ms = attempt->call->options.wait_timeout_ms;
	TimestampTz deadline = miss == Reason::miss_refresh
							   ? DT_NOBEGIN
							   : attempt->now + static_cast<int64>(wait_ms) * 1000;
	WaitLimit limit = WaitLimitOf(*attempt, deadline);
	int lane = 0;
	int in_vain = 0;
	/* Each reads its own copy in this mode: nothing is gained by waiting for another's. */
	const bool asked = attempt->call->options.store == StoreKind::redis;

	if (asked && LookUpRedisFor(attempt, answer, miss))
		return Reason::redis_hit;
	while (in_vain < 2 && lane < kLanes)
	{
		Reason reason;

		switch (Join(LaneOf(attempt->key.hash, lane), limit))
		{
		case JoinResult::lead:
			return Lead(attempt, answer, miss, LeaseDeadline(limit), asked);
		case JoinResult::alone:
		case JoinResult::unstorable:
			return Obtain(attempt, answer, miss, asked);
		case JoinResult::stopped:
			break;
		case JoinResult::failed:
			in_vain++;
			break;
		case JoinResult::late:
			lane++;
			limit.expected_us *= 2;
			reason = LookUpFor(attempt, answer);
			if (Describe(reason).kind != Kind::miss)
				return TakeOfOther(attempt, answer, reason);
			break;
		case JoinResult::stored:
		case JoinResult::elsewhere:
			reason = LookUpAgain(attempt, answer);
			if (Describe(reason).kind != Kind::miss)
				return TakeOfOther(attempt, answer, reason);
			in_vain++;
			break;
		}
	}
	return Obtain(attempt, answer, miss, asked);
}

namespace
{

/*
 * A standby's rows are as old as the last commit that was replayed, or what the primary says (lag.h).
 * As long as none has come since, they would be the same rows of the same age again, at each call.
 */
bool
NothingNew(const Attempt *attempt)
{
	int32 lag_ms;

	return RecoveryInProgress() && TimeOf(attempt->view, &lag_ms) <= attempt->as_of;
}

bool
ShouldRefresh(Attempt *attempt)
{
	if (attempt->call->options.mode != Mode::on || NothingNew(attempt))
		return false;
	if (settings::refresh == static_cast<int>(Refresh::background) && RequestRefresh(attempt))
		return false;
	return Join(attempt->key.hash, WaitLimitOf(*attempt, DT_NOBEGIN)) == JoinResult::lead;
}

/* We lead the fill of an entry that is still good.  If another server refreshes it, the entry is served. */
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
		EndLeadOnError();
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (left)
		EndLead(JoinResult::stopped);
	return left;
}

} // namespace

Reason
RefreshOrServe(Attempt *attempt, Answer *answer, Reason found)
{
	if (!ShouldRefresh(attempt) || LeftToAnother(attempt))
	{
		CountServed(attempt, answer->pin);
		return found;
	}
	EndAnswer(answer);
	return Lead(attempt, answer,
				found == Reason::stale_hit ? Reason::miss_expired : Reason::miss_ahead, DT_NOBEGIN,
				false);
}

void
TellOuterWatch(Reason reason)
{
	if (Describe(reason).kind == Kind::bypass)
		WatchUncacheable();
}

} // namespace cq
