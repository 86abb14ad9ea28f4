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
EndLead(Lookup *lookup, JoinResult outcome)
{
	if (!lookup->leads)
		return;
	lookup->leads = false;
	GiveUpLease(outcome == JoinResult::unstorable ? LeaseEnd::unstorable : LeaseEnd::free);
	Finish(outcome);
}

Reason
LookUpFor(Lookup *lookup, Answer *answer)
{
	Served served = {};
	Reason reason = LookUp(lookup, &served);
	Reason refused;

	if (served.pin == nullptr)
		return reason;
	refused = lookup->examiner->accepts(lookup, served);
	if (refused == Reason::none)
	{
		Serve(answer, served);
		return reason;
	}
	lookup->early = false;
	Unpin(served.pin);
	return refused;
}

namespace
{

bool
FindInRedis(Lookup *lookup, Reason miss, Served *served)
{
	if (!LookUpRedis(lookup, miss, served))
		return false;
	if (lookup->examiner->accepts(lookup, *served) == Reason::none)
		return true;
	Unpin(served->pin);
	*served = {};
	return false;
}

} // namespace

bool
LookUpRedisFor(Lookup *lookup, Answer *answer, Reason miss)
{
	Served served = {};

	if (!FindInRedis(lookup, miss, &served))
		return false;
	Serve(answer, served);
	return true;
}

namespace
{

/* An entry came after our miss: hand out its rows, or run the query if this call may not use it. */
Reason
Take(Lookup *lookup, Answer *answer, Reason reason)
{
	if (Describe(reason).kind != Kind::hit)
		lookup->examiner->run(lookup, answer, reason);
	return reason;
}

/*
 * Rows from Redis, if it has them and was not asked yet; else run the query as one for whom nobody
 * waits.
 */
Reason
Obtain(Lookup *lookup, Answer *answer, Reason miss, bool asked)
{
	if (!asked && LookUpRedisFor(lookup, answer, miss))
		return Reason::redis_hit;
	return lookup->examiner->fill(lookup, answer, miss);
}

/* Take the lease on the key, or wait until the deadline for the entry of the server that has it. */
bool
AwaitLease(Lookup *lookup, Reason miss, TimestampTz deadline, Served *served)
{
	LeaseWait wait;

	if (!BeginLeaseWait(lookup, miss, &wait))
		return false;
	for (;;)
	{
		const Claim claim = AskForLease(lookup, deadline, &wait);

		if (wait.news && FindInRedis(lookup, miss, served))
		{
			if (wait.began != 0)
				Count(Counter::coalesced);
			return true;
		}
		if (claim == Claim::unstorable)
			EndLead(lookup,
					JoinResult::unstorable); /* those who wait for us need not wait either */
		if (claim != Claim::busy || !PauseForLease(deadline, &wait))
			return false;
	}
}

/*
 * As Obtain(), for the leader, who may also wait for another server's fill.  A worker doesn't wait: it
 * leaves the entry as it is and returns stale_hit.
 */
Reason
ObtainForAll(Lookup *lookup, Answer *answer, Reason miss, TimestampTz deadline, bool asked)
{
	const bool kept = lookup->call->options.store == StoreKind::tiered;
	Served served = {};

	if (lookup->call->by_worker && LeasedElsewhere(lookup))
	{
		EndLead(lookup, JoinResult::stopped);
		return Reason::stale_hit;
	}
	if ((asked || !FindInRedis(lookup, miss, &served)) &&
		!AwaitLease(lookup, miss, deadline, &served))
		return lookup->examiner->fill(lookup, answer, miss);
	Serve(answer, served);
	GiveUpLease(LeaseEnd::free); /* the value is there */
	if (served.in_memory)
		EndLead(lookup, JoinResult::stored);
	else
		EndLead(lookup, kept ? JoinResult::unstorable : JoinResult::elsewhere);
	return Reason::redis_hit;
}

/* We lead no more, because of an error. */
void
EndLeadOnError(Lookup *lookup)
{
	/* a cancel, a timeout or a termination says nothing about the query: somebody else may run it */
	EndLead(lookup, ERRCODE_TO_CATEGORY(geterrcode()) == ERRCODE_OPERATOR_INTERVENTION
						? JoinResult::stopped
						: JoinResult::failed);
}

/*
 * As the leader, whom others may wait for.  Somebody may have finished between our look-up and the
 * moment when we became the leader: look again.
 */
Reason
Lead(Lookup *lookup, Answer *answer, Reason miss, TimestampTz deadline, bool asked)
{
	volatile Reason reason = miss;

	lookup->leads = true;
	PG_TRY();
	{
		if (miss != Reason::miss_refresh && !(miss == Reason::miss_ahead && StillThere(lookup)))
			reason = LookUpFor(lookup, answer);
		if (Describe(reason).kind == Kind::miss)
			reason = ObtainForAll(lookup, answer, miss, deadline, asked);
		else
		{
			EndLead(lookup, JoinResult::stored);
			reason = Take(lookup, answer, reason);
		}
	}
	PG_CATCH();
	{
		EndLeadOnError(lookup);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return reason;
}

/*
 * After we waited: the entry that the leader, or another server, has made meanwhile.  It is in memory
 * or, where each call reads its own copy, in Redis.
 */
Reason
LookUpAgain(Lookup *lookup, Answer *answer)
{
	const Reason reason = LookUpFor(lookup, answer);

	if (Describe(reason).kind == Kind::miss && lookup->call->options.store == StoreKind::redis &&
		LookUpRedisFor(lookup, answer, reason))
		return Reason::redis_hit;
	return reason;
}

/* The entry that another session has filled, instead of our own run. */
Reason
TakeOfOther(Lookup *lookup, Answer *answer, Reason reason)
{
	if (Describe(reason).kind == Kind::hit)
		Count(Counter::coalesced);
	return Take(lookup, answer, reason);
}

/* A call waits for another server as long as it would wait for another session. */
TimestampTz
LeaseDeadline(const WaitLimit &limit)
{
	const TimestampTz worth =
		limit.expected_us > 0 ? GetCurrentTimestamp() + 2 * limit.expected_us : DT_NOEND;

	return Min(limit.deadline, worth);
}

} // namespace

Reason
FillOrShare(Lookup *lookup, Answer *answer, Reason miss)
{
	int wait_ms = lookup->call->options.wait_timeout_ms;
	TimestampTz deadline = miss == Reason::miss_refresh
							   ? DT_NOBEGIN
							   : lookup->now + static_cast<int64>(wait_ms) * 1000;
	WaitLimit limit = WaitLimitOf(*lookup, deadline);
	int fill_number = 0;
	int in_vain = 0;
	/*
	 * With this setting each call reads its own copy from Redis, so waiting for another call gains
	 * nothing.
	 */
	const bool asked = lookup->call->options.store == StoreKind::redis;

	if (asked && LookUpRedisFor(lookup, answer, miss))
		return Reason::redis_hit;
	/* if it reads what this transaction wrote, it can't be kept: others would wait in vain */
	if (OwnChange(lookup->examined->findings.relations, false))
		return Obtain(lookup, answer, miss, asked);
	while (in_vain < 2 && fill_number < kMaxFills)
	{
		Reason reason;

		switch (Join(FillHash(lookup->key.hash, fill_number), limit))
		{
		case JoinResult::lead:
			return Lead(lookup, answer, miss, LeaseDeadline(limit), asked);
		case JoinResult::alone:
		case JoinResult::unstorable:
			return Obtain(lookup, answer, miss, asked);
		case JoinResult::stopped:
			break;
		case JoinResult::failed:
			in_vain++;
			break;
		case JoinResult::late:
			fill_number++;
			limit.expected_us *= 2;
			reason = LookUpFor(lookup, answer);
			if (Describe(reason).kind != Kind::miss)
				return TakeOfOther(lookup, answer, reason);
			break;
		case JoinResult::stored:
		case JoinResult::elsewhere:
			reason = LookUpAgain(lookup, answer);
			if (Describe(reason).kind != Kind::miss)
				return TakeOfOther(lookup, answer, reason);
			in_vain++;
			break;
		}
	}
	return Obtain(lookup, answer, miss, asked);
}

namespace
{

/*
 * The rows of a standby are as old as the last commit that it replayed, or as the primary says
 * (lag.h).  As long as nothing new was replayed, a refresh at each call would bring the same rows of
 * the same age.
 */
bool
NothingNew(const Lookup *lookup)
{
	int32 lag_ms;

	return RecoveryInProgress() && TimeOf(lookup->view, &lag_ms) <= lookup->as_of;
}

bool
ShouldRefresh(Lookup *lookup)
{
	if (lookup->call->options.mode != Mode::on || NothingNew(lookup))
		return false;
	if (settings::refresh == static_cast<int>(Refresh::background) && RequestRefresh(lookup))
		return false;
	lookup->leads = Join(lookup->key.hash, WaitLimitOf(*lookup, DT_NOBEGIN)) == JoinResult::lead;
	return lookup->leads;
}

/* We lead the fill of an entry that is still good.  If another server refreshes it, the entry is served. */
bool
LeftToAnother(Lookup *lookup)
{
	volatile bool left = false;

	PG_TRY();
	{
		left = LeasedElsewhere(lookup);
	}
	PG_CATCH();
	{
		EndLeadOnError(lookup);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (left)
		EndLead(lookup, JoinResult::stopped);
	return left;
}

} // namespace

Reason
RefreshOrServe(Lookup *lookup, Answer *answer, Reason found)
{
	if (!ShouldRefresh(lookup) || LeftToAnother(lookup))
	{
		CountServed(lookup, answer->pin);
		return found;
	}
	EndAnswer(answer);
	return Lead(lookup, answer,
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
