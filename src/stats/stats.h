/*
 * stats.h
 *		Counters of outcomes and work, summed over all backends.
 */
#pragma once

#include "pg.h"
#include "stats/reason.h"

namespace cq
{

/* Counters of work, beside those of outcomes. */
enum class Counter : int
{
	fills,             // executions of a query in order to cache its rows
	stores,            // entries published
	coalesced,         // calls that were answered by another call's fill
	invalidations,     // entries dropped because a dependency changed or by request
	errors,            // queries that failed while they ran for a call
	saved_us,          // execution time that hits did not spend
	refreshes,         // entries refreshed by a worker
	refresh_failures,  // requests that a worker could not fulfil
	refreshes_skipped, // requests that no worker took: no worker, no room, too late
	image_hits,        // hits that were sent from an image
	redis_hits,        // calls answered from Redis
	redis_misses,      // look-ups that found nothing there
	redis_skipped,     // look-ups skipped because Redis was unavailable
	redis_rejected,    // values found there that could not be verified or used
	redis_stores,      // entries written there
	redis_dropped,     // entries that could not be written
	redis_leases,      // fills under a lease, while other servers waited
	redis_lease_waits, // calls that waited for another server's lease
	count
};

extern void CountOutcome(Reason reason);
/* The outcome of a statement without a call, which auto/ has looked up. */
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
