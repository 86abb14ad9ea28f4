/*
 * redis_writer.cpp
 *		The background process that writes entries and removals to Redis.
 *
 * It needs no database: it pins entries in shared memory and copies their bytes.  It writes an entry's
 * chunks first and its head last, so that a reader who finds the head finds all chunks.  Then it removes
 * the chunks of the value that the entry replaced.
 *
 * An entry that cannot be written is dropped from the queue and counted.  Removals, and invalidations for
 * other servers (remote/invalidations.cpp), are retried until they succeed.  Correctness does not wait for
 * them: this server refuses what it has invalidated by its slots (exact/), and on other servers the value
 * ends with its ttl.
 *
 * Servers that share a namespace start it with the server, since the other servers rely on its messages.
 *
 * Locking: everything here belongs to the process.
 */
#include "pg.h"
#include "redis/resolve.h"
#include "workers/redis_writer.h"
#include "remote/write_entry.h"
#include "remote/queue.h"
#include "remote/lease.h"
#include "validity/meta.h"
#include "remote/clear.h"
#include "remote/invalidations.h"
#include "redis/command.h"
#include "redis/identity.h"
#include "settings.h"
#include "stats/stats.h"
#include "base/process.h"

namespace cq
{
namespace
{

constexpr int kMaxRetries = 1024;
constexpr int kRetryMs = 1000;
constexpr int kIdleMs = 60 * 1000;
constexpr int kLastMs = 200; /* for the last requests, after SIGTERM */

/* What failed and is to be tried again. */
Job retries[kMaxRetries];
int nretries = 0;
bool clear_pending = false;
bool changes_pending = false;

/* Did it reach Redis? */
bool
DoEntry(const Job &job)
{
	Pin *pin = PinTicket(job.ticket);
	bool written;

	if (pin == nullptr)
	{
		Count(Counter::redis_dropped);
		return false;
	}
	written = redis::Usable() && WriteEntry(pin);
	Count(written ? Counter::redis_stores : Counter::redis_dropped);
	if (FactsOf(PinnedEntry(pin)).flags & kEntryTransit)
		DropEntry(pin);
	Unpin(pin);
	return written;
}

/* --- removals ------------------------------------------------------------------------------- */

bool
Remove(const Job &job)
{
	const redis::Identity identity = redis::GetIdentity();
	char name[redis::kNameRoom];
	const redis::Slice head = {name,
							   static_cast<size_t>(redis::HeadName(identity, job.name, name))};
	const redis::Slice argv[] = {"UNLINK"_s, head};

	return identity.usable && redis::RunCommand(head, argv, 2);
}

/* The other servers are told first, since removing the values can take long. */
bool
Clear()
{
	return SendInvalidation(exact::kSlotClear) && ClearRedis();
}

/* Tells the other servers which slots changed.  What cannot be sent is put back and sent later. */
void
TellChanges()
{
	exact::SlotNo slot;

	while (TakeChange(&slot))
	{
		if (redis::Usable() && SendInvalidation(slot))
			continue;
		ReturnChange(slot);
		changes_pending = true;
		return;
	}
	changes_pending = false;
}

bool
TryJob(const Job &job)
{
	return job.kind == Job::Kind::lease ? EndLease(job.lease, job.lease_end) : Remove(job);
}

/* If more removals have failed than can be kept, all values of the namespace are removed instead. */
void
RetryLater(const Job &job)
{
	if (job.kind == Job::Kind::lease && nretries == kMaxRetries)
		return; /* the lease expires by itself */
	if (job.kind == Job::Kind::clear || nretries == kMaxRetries)
	{
		clear_pending = true;
		nretries = 0;
	}
	else
		retries[nretries++] = job;
}

/* Ends the lease on an entry's key, if there is one: the value has been written, or will not be. */
void
EndLeaseOf(const Job &entry, bool written)
{
	Job job = {};

	job.kind = Job::Kind::lease;
	job.lease = entry.lease;
	job.lease_end = written ? LeaseEnd::free : LeaseEnd::unstorable;
	if (job.lease.any && !TryJob(job))
		RetryLater(job);
}

void
RetryAll()
{
	if (clear_pending && redis::Usable())
		clear_pending = !Clear();
	while (nretries > 0 && redis::Usable() && TryJob(retries[nretries - 1]))
		nretries--;
}

void
Do(const Job &job)
{
	switch (job.kind)
	{
	case Job::Kind::entry:
		EndLeaseOf(job, DoEntry(job));
		break;
	case Job::Kind::removal:
	case Job::Kind::lease:
		if (!TryJob(job))
			RetryLater(job);
		break;
	case Job::Kind::clear:
		if (!Clear())
			RetryLater(job);
		break;
	}
}

/* --- the process ---------------------------------------------------------------------------- */

/* Exchanges invalidations with the other servers.  Returns after how many ms it is due again. */
int
Talk()
{
	TellChanges();
	return NamespaceShared() ? PeersTick() : kIdleMs;
}

/* Invalidations are sent between any two jobs, so that they do not wait for a long queue. */
void
WorkOff(MemoryContext context)
{
	Job job;

	while (TakeJob(&job))
	{
		MemoryContext caller = MemoryContextSwitchTo(context);

		workers::Interrupts();
		(void) Talk();
		Do(job);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(context);
	}
}

/* One turn of the loop.  Returns after how many ms the next one is due. */
int
Turn(MemoryContext context)
{
	MemoryContext caller;
	int resolve_ms;
	int pause_ms;

	WorkOff(context);
	caller = MemoryContextSwitchTo(context);
	RetryAll();
	pause_ms = Talk();
	if (nretries > 0 || clear_pending || changes_pending)
		pause_ms = Min(pause_ms, kRetryMs);
	/* last, as the steps before may have met a host name that is not resolved yet */
	resolve_ms = redis::ResolveNames();
	if (resolve_ms > 0)
		pause_ms = Min(pause_ms, resolve_ms);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(context);
	return pause_ms;
}

/*
 * At exit the invalidations are still sent, if Redis answers within kLastMs.  The queue of writes stays in
 * shared memory for the next Redis writer.
 */
void
Leave(int, Datum)
{
	redis::BeginLastRequests(kLastMs);
	TellChanges();
	(void) RedisWriterPresent(false);
}

} // namespace

} // namespace cq

void
cached_query_redis_writer_main(Datum)
{
	using namespace cq;
	MemoryContext context;

	workers::Begin(workers::kRedisWriter);
	if (!RedisWriterPresent(true))
		return;
	before_shmem_exit(Leave, static_cast<Datum>(0));
	context =
		AllocSetContextCreate(TopMemoryContext, "CachedQueryRedisWriter", ALLOCSET_DEFAULT_SIZES);
	while (redis::Configured())
		workers::Wait(Turn(context));
}
