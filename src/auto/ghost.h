/*
 * ghost.h
 *		Would the result of the last run still be valid?
 *
 * A statement whose result was not cached leaves a ghost: when it ran, how long it took, and what it read.
 * At the next run, rows are cached only if the result of the run before would be a hit now.  So the cache
 * is not filled by statements with literals that never come back, by statements on tables that are always
 * written, or by statements that run once.  No rule names any of these.
 *
 * Ghosts are in a table of fixed size in shared memory, by the hash of the key.  There is no lock, and a new
 * ghost replaces the one in its place.  A ghost is only a prediction: if it is wrong, a result is cached
 * that is never reused, or it is cached one run later.
 */
#pragma once

#include "pg.h"
#include "validity/lookup.h"

namespace cq
{

struct GhostReport
{
	int64 run_us;       /* the time of the run whose result would be valid; 0: there is none */
	bool voided;        /* there was a run, but something that it read has changed */
	exact::SlotNo slot; /* what has */
	int64 last_us;      /* what the last run took, if there was one, whatever has changed */
};
extern GhostReport ReadGhost(const Lookup &lookup);
/*
 * A run under the lookup's snapshot, which is still there, that read these relations took so long.  `row_slots` (int):
 * those in which writers of the rows that it read are listed.
 */
extern void LeaveGhost(const Lookup &lookup, List *relations, List *row_slots, int64 run_us);

extern void GhostRequestShmem();
extern void GhostInitShmem();

} // namespace cq
