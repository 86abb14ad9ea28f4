/*
 * redis_writer.cpp
 *		The background worker that carries entries and removals to Redis.
 *
 * It has no database: it reads entries in shared memory, pinned, and knows nothing of what is in
 * them.  An entry's chunks are written first, its head last, and then the chunks of the value that
 * it replaced are removed.  An entry that can't be written is dropped from the queue and counted;
 * removals and news for other servers (invalidations.cpp) are kept until they are done.  Until then nothing
 * depends on them: this server refuses what it has invalidated by the slots (exact/), others by
 * their ttl.
 *
 * Where servers share a namespace it runs from the start, since others count on what it says.
 *
 * Everything here belongs to the worker's process.
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
constexpr int kLastMs = 200; /* what SIGTERM leaves it */

/* What Redis has not had yet. */
Job retries[kMaxRetries];
int nretries = 0;
bool clear_pending = false;
bool changes_pending = false;

/* True when it was written. */
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

/* The others hear of it before the memory is given back: that can take long. */
bool
Clear()
{
	return SendInvalidation(exact::kSlotClear) && ClearRedis();
}

/* Tell the others; what can't be told now is told later. */
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

/* Removals that didn't succeed are tried again later; too many of them become one of everything. */
void
RetryLater(const Job &job)
{
	if (job.kind == Job::Kind::lease && nretries == kMaxRetries)
		return; /* it ends by its life */
	if (job.kind == Job::Kind::clear || nretries == kMaxRetries)
	{
		clear_pending = true;
		nretries = 0;
	}
	else
		retries[nretries++] = job;
}

/* The lease on an entry's key, if there is one, now that the answer is there or won't be. */
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

/* With the other servers.  Returns when to come again, in ms. */
int
Talk()
{
	TellChanges();
	return NamespaceShared() ? PeersTick() : kIdleMs;
}

/* However much is to be written, what voids answers does not wait for it. */
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

/* One turn.  Returns when to come again, in ms. */
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
	/* last, as what is done before may want a name */
	resolve_ms = redis::ResolveNames();
	if (resolve_ms > 0)
		pause_ms = Min(pause_ms, resolve_ms);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(context);
	return pause_ms;
}

/*
 * The others learn what is void even now, if Redis answers at once.  What is not written is not: the
 * queue is for the next Redis writer, if there is one.
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
