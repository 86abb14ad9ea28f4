/*
 * lease.cpp
 *		One execution per key over all servers that share a Redis: a lease on the key there.
 *
 * The leader of a fill (singleflight.cpp) that would run the query first sets a key beside the value's,
 * in the same slot of a cluster, if it is not there:
 *
 *		SET cached_query:<namespace>:{<hash>}:lease <16 random bytes> NX PX <redis_lease>
 *
 * Whose bytes are there runs the query.  Others look again and again, after pauses that grow with
 * the time they have waited, until the value comes, or the lease is free, or they have waited for
 * wait_timeout; then they run the query without it.
 *
 * The lease is held until the value can be read, so it is the Redis writer that ends it, after it has
 * written the value: whoever gets the next lease finds it.  When the query raised an error or was
 * cancelled the lease is removed, and one of those who wait takes over.  When its result can't be
 * kept a mark takes the lease's place for a moment, and nobody waits for the next one to find that
 * out.  What ends a lease is a job for the Redis writer too: there is no I/O in error paths.  Nobody
 * prolongs a lease.  A server that dies, or a query that takes longer, loses it at the end of its
 * life, and the query may run twice.
 *
 * It saves work and protects nothing, so all that can happen to it is harmless: a second execution.
 * That is why it is compared and removed in two steps, which needs no more permissions in Redis than
 * values do (SET, GET, GETRANGE, UNLINK; no scripts), and why with any trouble we do without.
 *
 * A waiter holds locks of its transaction, as everybody does who runs a query.  No deadlock detector
 * sees another server, so this wait is bounded by time only, by the shorter one of wait_timeout and
 * statement_timeout.  A backend waits here at the beginning of its one fill and while it holds no
 * lease, so there is no circle of leases.
 *
 * Locking: none.  `own_lease` belongs to the process.
 */
#include "pg.h"
#include "base/exit.h"
#include "validity/lookup.h"
#include "remote/queue.h"
#include "remote/server.h"
#include "validity/lag.h"
#include "validity/age.h"
#include "remote/writer.h"
#include "remote/lease.h"
#include "remote/invalidations.h"
#include "redis/command.h"
#include "redis/identity.h"
#include "stats/stats.h"

extern "C" {
#include "storage/latch.h"
}

namespace cq
{
namespace
{

constexpr char kUnstorable[] = "-"; /* instead of an id */
constexpr char kMarkMs[] = "1000";  /* longer than any pause */
constexpr int64 kMinPauseUs = 1000;
constexpr int64 kMaxPauseUs = 100 * 1000;
constexpr int64 kAgainUs = 30 * 1000;
constexpr int64 kPauseShare = 8; /* of the time that was waited so far */

/*
 * The lease that this process has to end.  A process leads one fill at most (singleflight.cpp), and only
 * the leader takes a lease and asks for it here, so one is enough.  It is not in the Lookup, because it must
 * be ended even if the process exits in the middle of the fill.
 */
Lease own_lease = {};

redis::Slice
Bytes(const redis::LeaseId &id)
{
	return {reinterpret_cast<const char *>(id.bytes), sizeof(id.bytes)};
}

bool
Same(const redis::LeaseId &a, const redis::LeaseId &b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}

/* --- asking for the lease ------------------------------------------------------------------- */

bool
BeginInquiry(const Lookup *lookup, Inquiry *inquiry)
{
	const redis::Identity &identity = redis::GetIdentity();

	memset(inquiry, 0, sizeof(*inquiry));
	if (!identity.usable || !redis::NewFillId(&inquiry->id) ||
		!redis::HashKey(identity, lookup->key.bytes, lookup->key.length, &inquiry->name))
		return false;
	inquiry->lease_name = {inquiry->lease, static_cast<size_t>(redis::LeaseName(
											   identity, inquiry->name, inquiry->lease))};
	inquiry->head_name = {inquiry->head, static_cast<size_t>(redis::HeadName(
											 identity, inquiry->name, inquiry->head))};
	snprintf(inquiry->life, sizeof(inquiry->life), "%d", lookup->call->options.redis_lease_ms);
	snprintf(inquiry->last, sizeof(inquiry->last), "%zu", sizeof(inquiry->value) - 1);
	return true;
}

/*
 * If a connection was lost, the commands run twice, and the second SET fails on the lease that the
 * first one has set.  So GET tells whose the lease is.
 */
int
AskInquiry(void *arg, int index, redis::Slice *argv, int)
{
	const Inquiry *inquiry = static_cast<Inquiry *>(arg);

	switch (index)
	{
	case 0:
		argv[0] = "SET"_s;
		argv[1] = inquiry->lease_name;
		argv[2] = Bytes(inquiry->id);
		argv[3] = "NX"_s;
		argv[4] = "PX"_s;
		argv[5] = redis::Text(inquiry->life);
		return 6;
	case 1:
		argv[0] = "GET"_s;
		argv[1] = inquiry->lease_name;
		return 2;
	default:
		argv[0] = "GETRANGE"_s;
		argv[1] = inquiry->head_name;
		argv[2] = "0"_s;
		argv[3] = redis::Text(inquiry->last);
		return 4;
	}
}

/* Who has the lease? */
Claim
Interpret(Inquiry *inquiry, const redis::Reply &reply)
{
	if (reply.type == redis::Reply::Type::nil)
		return Claim::busy; /* it was, when we tried to set it */
	if (reply.type != redis::Reply::Type::string)
		return Claim::none;
	if (reply.length == sizeof(kUnstorable) - 1)
		return Claim::unstorable;
	if (reply.length != sizeof(inquiry->holder))
		return Claim::none;
	memcpy(&inquiry->holder, reply.bytes, sizeof(inquiry->holder));
	return Same(inquiry->holder, inquiry->id) ? Claim::ours : Claim::busy;
}

bool
TakeInquiry(void *arg, int index, const redis::Reply &reply)
{
	Inquiry *inquiry = static_cast<Inquiry *>(arg);

	if (reply.type == redis::Reply::Type::error) /* full, read-only, not permitted */
	{
		inquiry->state = Claim::none;
		return false;
	}
	if (index == 1)
		inquiry->state = Interpret(inquiry, reply);
	else if (index == 2 && reply.type == redis::Reply::Type::string &&
			 reply.length <= sizeof(inquiry->value))
	{
		memcpy(inquiry->value, reply.bytes, reply.length);
		inquiry->value_length = reply.length;
	}
	return true;
}

void
LoseAtExit(int, Datum)
{
	GiveUpLease(LeaseEnd::free);
}

/*
 * Called before the lease is asked for: if the reply is lost, the lease may be ours although we don't
 * know.
 */
void
Hold(const Inquiry &inquiry)
{
	BeforeExit<LoseAtExit>();
	own_lease = {true, inquiry.name, inquiry.id};
}

/* If it raises, EndLead() gives the lease up. */
Claim
Inquire(Inquiry *inquiry)
{
	inquiry->state = Claim::none;
	inquiry->holder = {};
	inquiry->value_length = 0;
	if (!redis::Usable() || !InvalidationsTakenIn())
		return Claim::none;
	EnsureRedisWriter(); /* who will end it */
	Hold(*inquiry);
	if (redis::Run({inquiry->lease_name, 3, 3, AskInquiry, TakeInquiry, inquiry}) !=
		redis::Result::done)
	{
		GiveUpLease(LeaseEnd::free);
		return Claim::none;
	}
	if (inquiry->state == Claim::ours)
		Count(Counter::redis_leases);
	else
		own_lease.any = false;
	return inquiry->state;
}

/*
 * Would a result of ours be of use to others?  Not that of a standby that can't tell how far behind
 * it is, nor if it has replayed nothing for so long that its rows are older than the ttl already.
 */
bool
HelpsOthers(const Lookup *lookup)
{
	int32 lag_ms;
	const TimestampTz as_of = TimeOf(lookup->view, &lag_ms);

	return lookup->now - as_of < LifeFor(*lookup->call) &&
		   (lag_ms != kLagUnknown || !NamespaceShared());
}

/*
 * Does the leader want a lease?  Exact results don't come from other servers, and a call that asked for a
 * fresh result doesn't want another server's.  A leader that refreshes an entry may have the lease
 * already, from LeasedElsewhere().
 */
bool
WantsLease(const Lookup *lookup, Reason miss)
{
	const CallOptions &options = lookup->call->options;

	return options.redis_lease_ms > 0 && !lookup->exact && miss != Reason::miss_refresh &&
		   UsesRedis(options) && !own_lease.any && HelpsOthers(lookup);
}

/* --- waiting for it ------------------------------------------------------------------------- */

void
SleepUntil(TimestampTz end)
{
	for (;;)
	{
		const int64 left = end - GetCurrentTimestamp();

		CHECK_FOR_INTERRUPTS();
		if (left <= 0)
			return;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 static_cast<long>((left + 999) / 1000), compat::LeaseWaitEvent());
		ResetLatch(MyLatch);
	}
}

void
Pause(TimestampTz since, TimestampTz deadline)
{
	const TimestampTz now = GetCurrentTimestamp();
	const int64 longest = Max(kMinPauseUs, Min((now - since) / kPauseShare, kMaxPauseUs));
	/* waiters of different servers shall not come all at once */
	const double part = 0.5 + pg_prng_double(&pg_global_prng_state) / 2;

	SleepUntil(Min(deadline, now + static_cast<int64>(static_cast<double>(longest) * part)));
}

/*
 * In a stampede of new connections a request may have been given up for no good reason (see
 * redis/breaker.h): once it is tried again.
 */
bool
TryAgain(LeaseWait *wait, TimestampTz deadline)
{
	const TimestampTz now = GetCurrentTimestamp();

	if (wait->tried || now >= deadline || !redis::Usable())
		return false;
	wait->tried = true;
	SleepUntil(Min(deadline, now + kAgainUs));
	return true;
}

/* Is there another value than at the last look, which was not for this call? */
bool
IsNews(LeaseWait *wait)
{
	const Inquiry &inquiry = wait->inquiry;

	if (inquiry.value_length == 0 || (inquiry.value_length == wait->value_length &&
									  memcmp(inquiry.value, wait->value, wait->value_length) == 0))
		return false;
	memcpy(wait->value, inquiry.value, inquiry.value_length);
	wait->value_length = inquiry.value_length;
	return true;
}

/*
 * If the query fails on each server, or each result is valid on its own server only, the servers must not
 * run it one after the other: nobody waits for a third server.
 */
bool
WaitsOn(LeaseWait *wait, TimestampTz deadline)
{
	const Inquiry &inquiry = wait->inquiry;
	const TimestampTz now = GetCurrentTimestamp();

	if (!Same(wait->holder, inquiry.holder))
	{
		wait->holder = inquiry.holder;
		wait->holders++;
	}
	if (wait->holders > 2 || now >= deadline || IsolationUsesXactSnapshot())
		return false;
	if (wait->began == 0)
	{
		wait->began = now;
		Count(Counter::redis_lease_waits);
	}
	return true;
}

} // namespace

bool
BeginLeaseWait(const Lookup *lookup, Reason miss, LeaseWait *wait)
{
	*wait = {};
	return WantsLease(lookup, miss) && BeginInquiry(lookup, &wait->inquiry);
}

Claim
AskForLease(const Lookup *lookup, TimestampTz deadline, LeaseWait *wait)
{
	for (;;)
	{
		const Claim claim = Inquire(&wait->inquiry);

		wait->news = claim != Claim::none && IsNews(wait);
		if (claim != Claim::none || !TryAgain(wait, deadline) ||
			!BeginInquiry(lookup, &wait->inquiry))
			return claim;
	}
}

bool
PauseForLease(TimestampTz deadline, LeaseWait *wait)
{
	if (!WaitsOn(wait, deadline))
		return false;
	Pause(wait->began, deadline);
	return true;
}

bool
LeasedElsewhere(Lookup *lookup)
{
	Inquiry inquiry;

	return WantsLease(lookup, Reason::miss_expired) && BeginInquiry(lookup, &inquiry) &&
		   Inquire(&inquiry) == Claim::busy;
}

Lease
HandOverLease()
{
	const Lease lease = own_lease;

	own_lease = {};
	return lease;
}

void
GiveUpLease(LeaseEnd end)
{
	Job job = {};

	if (!own_lease.any)
		return;
	job.kind = Job::Kind::lease;
	job.lease = own_lease;
	job.lease_end = end;
	own_lease = {};
	(void) PutJob(job);
}

/* --- for the Redis writer ------------------------------------------------------------------------ */

namespace
{

struct Ending
{
	redis::Slice name;
	redis::LeaseId id;
	bool ours;
};

bool
TakeWhose(void *arg, const redis::Reply &reply)
{
	Ending *ending = static_cast<Ending *>(arg);

	ending->ours = reply.type == redis::Reply::Type::string && reply.length == sizeof(ending->id) &&
				   memcmp(reply.bytes, &ending->id, sizeof(ending->id)) == 0;
	return true;
}

} // namespace

bool
EndLease(const Lease &lease, LeaseEnd end)
{
	const redis::Identity &identity = redis::GetIdentity();
	char text[redis::kNameRoom];
	Ending ending = {{text, 0}, lease.id, false};

	if (!identity.usable)
		return true;
	ending.name.length = static_cast<size_t>(redis::LeaseName(identity, lease.name, text));

	const redis::Slice whose[] = {"GET"_s, ending.name};
	const redis::Slice removal[] = {"UNLINK"_s, ending.name};
	const redis::Slice mark[] = {"SET"_s, ending.name, redis::Text(kUnstorable), "PX"_s,
								 redis::Text(kMarkMs)};

	if (!redis::RunCommand(ending.name, whose, lengthof(whose), TakeWhose, &ending))
		return false;
	if (!ending.ours)
		return true;
	return end == LeaseEnd::free ? redis::RunCommand(ending.name, removal, lengthof(removal))
								 : redis::RunCommand(ending.name, mark, lengthof(mark));
}

} // namespace cq
