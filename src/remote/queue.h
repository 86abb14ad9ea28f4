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
	unstorable /* whoever waits had better not */
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

/* False: no room.  What must not be lost leaves a note then, see TakeJob().  Raises nothing. */
extern bool PutJob(const Job &job);
/* The oldest one; when removals were lost, a `clear` instead of them. */
extern bool TakeJob(Job *job);

/*
 * Slots that the other servers are to be told of.  However many changes come while Redis is away or
 * slow, each is there once.  TakeChange(): any one, false: none; who can't tell it returns it.
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
/* It could not be started: is that to be said?  Once until it was there again. */
extern bool NoteNoRedisWriter();
/* A value of Redis's was not believed: is that to be said?  Once a minute at most. */
extern bool NoteRejected();

extern void WriteQueueRequestShmem();
extern void WriteQueueInitShmem();

} // namespace cq
