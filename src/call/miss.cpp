/*
 * miss.cpp
 *		Who runs a query that is not in the cache: this call, or another that it waits for.
 */
#include "pg.h"
#include "call/refresh_queue.h"
#include "call/answer.h"
#include "validity/watch.h"
#include "remote/queue.h"
#include "validity/staleness.h"
#include "validity/judge.h"
#include "call/fill_times.h"
#include "call/miss.h"
#include "validity/age.h"
#include "validity/lookup.h"
#include "call/singleflight.h"
#include "remote/lease.h"
#include "remote/lookup.h"
#include "stats/stats.h"

namespace cq
{
namespace
{

/* The entry is handed out. */
void
Serve(Answer *answer, const Served &served)
{
	answer->pin = served.pin;
	answer->rows = served.rows;
	answer->age_us = served.age_us;
}

} // namespace

void
EndLead(JoinResult outcome)
{
	GiveUpLease(outcome == JoinResult::unstorable ? LeaseEnd::unstorable : LeaseEnd::free);
	Finish(outcome);
}

Reason
LookUpFor(Attempt *attempt, Answer *answer)
{
	Served served = {};
	Reason reason = LookUp(attempt, &served);
	Reason refused;

	if (served.pin == nullptr)
		return reason;
	refused = attempt->examiner->accepts(attempt, served);
	if (refused == Reason::none)
	{
		Serve(answer, served);
		return reason;
	}
	attempt->early = false;
	Unpin(served.pin);
	return refused;
}

namespace
{

bool
FindInRedis(Attempt *attempt, Reason miss, Served *served)
{
	if (!LookUpRedis(attempt, miss, served))
		return false;
	if (attempt->examiner->accepts(attempt, *served) == Reason::none)
		return true;
	Unpin(served->pin);
	*served = {};
	return false;
}

} // namespace

bool
LookUpRedisFor(Attempt *attempt, Answer *answer, Reason miss)
{
	Served served = {};

	if (!FindInRedis(attempt, miss, &served))
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
		attempt->examiner->run(attempt, answer, reason);
	return reason;
}

/* Rows from Redis if it has them and was not asked yet, else the query's, without anybody waiting for us. */
Reason
Obtain(Attempt *attempt, Answer *answer, Reason miss, bool asked)
{
	if (!asked && LookUpRedisFor(attempt, answer, miss))
		return Reason::redis_hit;
	return attempt->examiner->fill(attempt, answer, miss, false);
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

		if (wait.news && FindInRedis(attempt, miss, served))
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
	if ((asked || !FindInRedis(attempt, miss, &served)) &&
		!AwaitLease(attempt, miss, deadline, &served))
		return attempt->examiner->fill(attempt, answer, miss, true);
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
