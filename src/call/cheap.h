/*
 * cheap.h
 *		Queries that are cheaper to run than to look up (min_fill_time = -1).
 */
#pragma once

#include "pg.h"
#include "validity/lookup.h"

namespace cq
{

/* Was it found cheap, and is it not time to look again?  Then run it, and don't ask the cache. */
extern bool RunsDirectly(Attempt *attempt);
/* What a run that began there tells: nothing, or that it is not cheap any more. */
extern void NoteDirectRun(Attempt *attempt, int64 run_us);
/* Is a run that took so long, and brought so many bytes, cheaper than a hit?  Remembers it. */
extern bool CheaperThanHit(Attempt *attempt, int64 run_us, uint64 bytes);

extern void CheapRequestShmem();
extern void CheapInitShmem();

} // namespace cq
