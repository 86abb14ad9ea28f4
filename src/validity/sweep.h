/*
 * sweep.h
 *		Asking for a sweep: the sweeper (workers/sweeper.cpp) gives back the memory of what is void.
 */
#pragma once

#include "pg.h"

namespace cq
{

/*
 * Something was invalidated, or will be when this returns to its caller's commit: look for it soon.
 * No error; a spinlock.  May be called in a commit callback.
 */
extern void RequestSweep();

/* --- for the sweeper --------------------------------------------------------------------------- */

/* Requests so far. */
extern uint64 SweepsRequested();
/* Must it be woken up?  First this, then a last look at the requests. */
extern void SetSweeperIdle(bool idle);
/* nullptr: it does not run. */
extern void SetSweeperLatch(Latch *latch);

extern void SweepRequestShmem();
extern void SweepInitShmem();

} // namespace cq
