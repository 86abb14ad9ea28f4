/*
 * queue.cpp
 *		The queue of what is to be carried to Redis, in shared memory.
 */
#include "pg.h"
#include "base/shared.h"
#include "remote/queue.h"

extern "C" {
#include "port/pg_bitutils.h"
#include "storage/latch.h"
}

namespace cq
{
namespace
{

constexpr uint32 kRoom = 1024;
constexpr uint32 kForRemovals = 256; /* of these, not for what can be lost */
constexpr int64 kLaunchPauseMs = 1000;
constexpr int64 kRejectedPauseMs = 60 * 1000;

struct Shared
{
	slock_t lock;
	uint32 first;                                 /* lock */
	uint32 count;                                 /* lock; read without */
	bool lost;                                    /* lock: one of these found no room */
	Latch *writer;                                /* lock: nullptr: there is none */
	int pid;                                      /* lock; read without */
	pg_atomic_uint32 complained;                  /* atomic, see NoteNoRedisWriter() */
	pg_atomic_uint64 rejected;                    /* MonotonicMs() when one was last said; atomic */
	pg_atomic_uint64 launched;                    /* MonotonicMs() of the last try; atomic */
	pg_atomic_uint32 changes[exact::kSlots / 32]; /* a bit for each slot; atomic */
	Job jobs[kRoom];                              /* lock */
};

Shared *shared = nullptr;

/*
 * Is that so long ago?  True for one of several callers that ask at the same time; the time then counts
 * from now.
 */
bool
Elapsed(pg_atomic_uint64 *last, int64 pause_ms)
{
	const uint64 now = static_cast<uint64>(exact::MonotonicMs());
	uint64 then = pg_atomic_read_u64(last);

	return (then == 0 || static_cast<int64>(now - then) >= pause_ms) &&
		   pg_atomic_compare_exchange_u64(last, &then, now);
}

/* An entry is not written then, and a lease ends by its expiry. */
bool
MayBeLost(const Job &job)
{
	return job.kind == Job::Kind::entry || job.kind == Job::Kind::lease;
}

} // namespace

bool
PutJob(const Job &job)
{
	const uint32 room = MayBeLost(job) ? kRoom - kForRemovals : kRoom;
	Latch *writer;
	bool done;

	SpinLockAcquire(&shared->lock);
	done = shared->count < room;
	if (done)
		shared->jobs[(shared->first + shared->count++) % kRoom] = job;
	else if (!MayBeLost(job))
		shared->lost = true;
	writer = shared->writer;
	SpinLockRelease(&shared->lock);

	/* the writer may be gone by now: then another process is woken for nothing */
	if (writer != nullptr)
		SetLatch(writer);
	return done;
}

bool
TakeJob(Job *job)
{
	bool found = true;

	SpinLockAcquire(&shared->lock);
	if (shared->lost)
	{
		shared->lost = false;
		*job = {};
		job->kind = Job::Kind::clear;
	}
	else if (shared->count > 0)
	{
		*job = shared->jobs[shared->first];
		shared->first = (shared->first + 1) % kRoom;
		shared->count--;
	}
	else
		found = false;
	SpinLockRelease(&shared->lock);
	return found;
}

void
ReturnChange(exact::SlotNo slot)
{
	pg_atomic_fetch_or_u32(&shared->changes[slot / 32], 1U << slot % 32);
}

void
PutChange(exact::SlotNo slot)
{
	Latch *writer;

	ReturnChange(slot);
	SpinLockAcquire(&shared->lock);
	writer = shared->writer;
	SpinLockRelease(&shared->lock);
	if (writer != nullptr)
		SetLatch(writer);
}

bool
TakeChange(exact::SlotNo *slot)
{
	for (uint32 i = 0; i < lengthof(shared->changes); i++)
	{
		const uint32 word = pg_atomic_read_u32(&shared->changes[i]);

		if (word == 0)
			continue;

		const uint32 bit = static_cast<uint32>(pg_rightmost_one_pos32(word));

		pg_atomic_fetch_and_u32(&shared->changes[i], ~(1U << bit));
		*slot = i * 32 + bit;
		return true;
	}
	return false;
}

uint32
WritesQueued()
{
	uint32 count = shared->count;

	for (pg_atomic_uint32 &word : shared->changes)
		count += static_cast<uint32>(pg_popcount32(pg_atomic_read_u32(&word)));
	return count;
}

bool
RedisWriterPresent(bool present)
{
	bool alone;

	SpinLockAcquire(&shared->lock);
	alone = shared->pid == 0 || shared->pid == MyProcPid;
	if (alone)
	{
		shared->writer = present ? MyLatch : nullptr;
		shared->pid = present ? MyProcPid : 0;
	}
	SpinLockRelease(&shared->lock);
	if (present)
		pg_atomic_write_u32(&shared->complained, 0);
	return alone;
}

bool
NoteNoRedisWriter()
{
	return pg_atomic_exchange_u32(&shared->complained, 1) == 0;
}

int
RedisWriterPid()
{
	return shared->pid;
}

bool
RedisWriterMissing()
{
	return shared->pid == 0 && Elapsed(&shared->launched, kLaunchPauseMs);
}

bool
NoteRejected()
{
	return Elapsed(&shared->rejected, kRejectedPauseMs);
}

void
WriteQueueRequestShmem()
{
	RequestShared(sizeof(Shared));
}

void
WriteQueueInitShmem()
{
	shared =
		MakeOrFindShared<Shared>("cached_query jobs for Redis", sizeof(Shared), [](Shared *made) {
			memset(static_cast<void *>(made), 0, offsetof(Shared, jobs));
			SpinLockInit(&made->lock);
			pg_atomic_init_u64(&made->rejected, 0);
			pg_atomic_init_u64(&made->launched, 0);
			pg_atomic_init_u32(&made->complained, 0);
			for (pg_atomic_uint32 &word : made->changes)
				pg_atomic_init_u32(&word, 0);
		});
}

bool
QueueEntry(const Pin *pin, const Lease &lease)
{
	Job job = {};

	job.kind = Job::Kind::entry;
	job.lease = lease;
	job.ticket = TicketOf(pin);
	return PutJob(job);
}

void
QueueRemoval(const redis::EntryHash &name)
{
	Job job = {};

	job.kind = Job::Kind::removal;
	job.name = name;
	(void) PutJob(job);
}

void
QueueInvalidation(exact::SlotNo slot)
{
	PutChange(slot);
}

void
QueueClear()
{
	Job job = {};

	job.kind = Job::Kind::clear;
	(void) PutJob(job);
}

} // namespace cq
