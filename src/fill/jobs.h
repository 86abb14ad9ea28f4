/*
 * jobs.h
 *		The queue of what is to be carried to Redis, in shared memory.
 *
 * Locking: a spinlock protects the ring, a few instructions at a time.  Many put in, the carrier alone
 * takes out.
 */
#pragma once

#include "pg.h"
#include "exact/exact.h"
#include "redis/identity.h"
#include "store/store.h"

namespace cq
{

struct Job
{
	enum class Kind : uint8
	{
		entry,   /* write it */
		removal, /* remove the head of a key */
		change,  /* tell the other servers that a slot was invalidated */
		clear    /* remove everything */
	} kind;
	redis::EntryHash name; /* of a removal */
	EntryTicket ticket;
	exact::SlotNo slot; /* of a change */
};

/* False: no room.  What must not be lost leaves a note then, see TakeJob().  Raises nothing. */
extern bool PutJob(const Job &job);
/* The oldest one; when removals or changes were lost, a `clear` instead of them. */
extern bool TakeJob(Job *job);
extern uint32 JobsQueued();

/* The carrier comes and goes. */
extern bool CarrierPresent(bool present); /* false: there is one already */
extern int CarrierPid();
/* May the caller try to start it now?  At most one in a second. */
extern bool CarrierMissing();
/* It could not be started: is that to be said?  Once until it was there again. */
extern bool NoteNoCarrier();
/* A value of Redis's was not believed: is that to be said?  Once a minute at most. */
extern bool NoteRejected();

extern void JobsRequestShmem();
extern void JobsInitShmem();

} // namespace cq
