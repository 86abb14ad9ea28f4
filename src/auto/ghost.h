/*
 * ghost.h
 *		Would the answer of the last run be good now?
 *
 * A statement that is not in the cache leaves a ghost: when it ran, how long it took, and what it read.
 * Only if an answer of that run would be a hit now are rows kept.  So statements with literals that never
 * come back, tables that are written all the time and statements that run once are never kept, without a
 * rule about any of them.
 *
 * Ghosts stand in a table of fixed size in shared memory, by the hash of the key; nothing is locked, and who
 * comes last has the place.  A ghost is a prediction: if it is wrong, rows are kept that nobody asks for, or
 * kept one run later.
 */
#pragma once

#include "pg.h"
#include "validity/lookup.h"

namespace cq
{

struct GhostReport
{
	int64 run_us;       /* what the run of which it would be took; 0: no answer would be good now */
	bool voided;        /* there was a run, but something that it read has changed */
	exact::SlotNo slot; /* what has */
};
extern GhostReport ReadGhost(const Attempt &attempt);
/* A run under the attempt's snapshot, which is still there, that read these relations took so long. */
extern void LeaveGhost(const Attempt &attempt, List *relations, int64 run_us);

extern void GhostRequestShmem();
extern void GhostInitShmem();

} // namespace cq
