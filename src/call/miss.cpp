/*
 * miss.cpp
 *		Who runs a query that is not in the cache: this call, or another that it waits for (declared in miss.h).
 */
#include "pg.h"
#include "call/miss.h"
#include "validity/age.h"
#include "validity/lookup.h"
#include "call/cost.h"
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

} // namespace

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

namespace
{

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

} // namespace

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

void
TellOuterWatch(Reason reason)
{
	if (Describe(reason).kind == Kind::bypass)
		WatchUncacheable();
}

} // namespace cq
