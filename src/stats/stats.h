/*
 * stats.h
 *		Counters of outcomes and work, summed over all backends.
 */
#pragma once

#include "pg.h"
#include "stats/reason.h"

namespace cq
{

/* What is counted beside the outcomes. */
enum class Counter : int
{
	fills,             // executions of a query in order to keep its rows
	stores,            // entries published
	coalesced,         // calls that were answered by another call's fill
	invalidations,     // entries dropped because a dependency changed or by request
	errors,            // queries that failed while they ran for a call
	saved_us,          // execution time that hits did not spend
	refreshes,         // answers refreshed by a worker
	refresh_failures,  // requests that a worker could not fulfil
	refreshes_skipped, // requests that no worker took: no worker, no room, too late
	image_hits,        // hits that were sent from an image
	redis_hits,        // answers taken from Redis
	redis_misses,      // looked for there in vain
	redis_skipped,     // not looked for: Redis was unavailable
	redis_rejected,    // found there, but not to be believed or used
	redis_stores,      // entries written there
	redis_dropped,     // entries that could not be written there
	redis_leases,      // fills that other servers were kept from
	redis_lease_waits, // calls that waited for another server's
	count
};

extern void CountOutcome(Reason reason);
/* Of a statement of the client's own that was answered by auto/, which calls are not. */
extern void CountStatement(Reason reason);
extern void Count(Counter counter, uint64 by = 1);
extern uint64 OutcomeTotal(Reason reason);
extern uint64 StatementTotal(Reason reason);
extern uint64 CounterTotal(Counter counter);
extern TimestampTz StatsResetTime();
extern void ResetStats();

extern void StatsRequestShmem();
extern void StatsInitShmem();

} // namespace cq
