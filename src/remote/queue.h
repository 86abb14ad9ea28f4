/*
 * queue.h
 *		The queue of what is to be carried to Redis, in shared memory.
 *
 * Locking: a spinlock protects the ring, a few instructions at a time.  Many put in, the Redis writer alone
 * takes out.  The changes are a bit for each slot, atomic.
 */
#pragma once

#include "pg.h"
#include "exact/exact.h"
#include "redis/identity.h"
#include "store/store.h"

namespace cq
{

/* A lease on a key in Redis (lease.cpp). */
struct Lease
{
	bool any;
	redis::EntryHash name; /* of the key */
	redis::LeaseId id;
};

enum class LeaseEnd : uint8
{
	free,      /* the next one may have it */
	unstorable /* waiters of other servers give up: they run the query themselves */
};

struct Job
{
	enum class Kind : uint8
	{
		entry,   /* write it */
		removal, /* remove the head of a key */
		clear,   /* remove everything */
		lease    /* end it */
	} kind;
	LeaseEnd lease_end;
	redis::EntryHash name; /* of a removal */
	Lease lease;           /* of an entry: it ends with that */
	EntryTicket ticket;
};

/* Have this published entry written, and the lease on its key ended, if there is one; false: there
 * is no room in the queue. */
extern bool QueueEntry(const Pin *pin, const Lease &lease);

/* These raise nothing: for commit callbacks.  Have the entry of a key removed. */
extern void QueueRemoval(const redis::EntryHash &name);
/* Have the other servers of the namespace told that a slot was invalidated. */
extern void QueueInvalidation(exact::SlotNo slot);
/* Have everything in the namespace removed. */
extern void QueueClear();

/* --- below these, and for the writer -------------------------------------------------------------- */

/*
 * False: there is no room.  What must not be lost then leaves a note, see TakeJob().  Raises nothing.
 */
extern bool PutJob(const Job &job);
/* The oldest one; when removals were lost, a `clear` instead of them. */
extern bool TakeJob(Job *job);

/*
 * Slots that the other servers must be told of.  Each is there once, however many changes come while
 * Redis is away or slow.  TakeChange() takes any pending change; false if there is none.  A caller that
 * fails to send it must put it back.
 */
extern void PutChange(exact::SlotNo slot);
extern bool TakeChange(exact::SlotNo *slot);
extern void ReturnChange(exact::SlotNo slot);

/* Jobs and changes. */
extern uint32 WritesQueued();

/* The Redis writer comes and goes. */
extern bool RedisWriterPresent(bool present); /* false: there is one already */
extern int RedisWriterPid();
/* May the caller try to start it now?  At most one in a second. */
extern bool RedisWriterMissing();
/* It could not be started: is that to be logged?  True once, until it has run again. */
extern bool NoteNoRedisWriter();
/* A value from Redis was rejected: is that to be logged?  At most once a minute. */
extern bool NoteRejected();

extern void WriteQueueRequestShmem();
extern void WriteQueueInitShmem();

} // namespace cq
