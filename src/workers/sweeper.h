/*
 * sweeper.h
 *		The process that gives back the memory of what is void.
 */
#pragma once

#include "pg.h"

extern "C" PGDLLEXPORT void cached_query_sweeper_main(Datum arg);

namespace cq
{

/* Something was invalidated, or will be when this returns to its caller's commit: look for it soon.
 * No error; a spinlock.  May be called in a commit callback. */
extern void RequestSweep();

extern void InitSweeper(); // from _PG_init
extern void SweeperRequestShmem();
extern void SweeperInitShmem();

} // namespace cq
