/*
 * writer.h
 *		The background worker that carries entries and removals to Redis.
 *
 * No caller waits for a write to Redis: it puts a job into the queue (queue.h), which takes a few
 * instructions, and the carrier does the rest.  It is started when it is needed for the first time,
 * or with the server where a namespace is shared, and ends when Redis is no longer configured; who
 * doesn't use Redis never has one.
 */
#pragma once

#include "pg.h"
#include "exact/exact.h"
#include "remote/queue.h"
#include "redis/identity.h"
#include "store/store.h"

namespace cq
{

/* From _PG_init. */
extern void InitCarrier();
/* Start the carrier unless it runs.  Not in a commit callback. */
extern void EnsureCarrier();
/* Have this published entry written, and the lease on its key ended, if there is one; false: there
 * is no room in the queue. */
extern bool CarryEntry(const Pin *pin, const Lease &lease);

/* These raise nothing: for commit callbacks.  Have the answer of a key removed. */
extern void CarryRemoval(const redis::EntryHash &name);
/* Have the other servers of the namespace told that a slot was invalidated. */
extern void CarryChange(exact::SlotNo slot);
/* Have everything in the namespace removed. */
extern void CarryClear();

} // namespace cq
