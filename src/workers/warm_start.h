/*
 * warm_start.h
 *		Warm start: the most valuable queries over a clean restart.
 */
#pragma once

#include "pg.h"
#include "call/answer.h"

namespace cq
{

/* What it takes to run this call again, for its entry's meta bytes; none without warm_start. */
extern const char *OriginOf(const Call &call, uint32 *length);

/* From _PG_init, and from shmem_startup_hook. */
extern void InitWarmStart();
extern void WarmStartup();

} // namespace cq

extern "C" {
PGDLLEXPORT void cached_query_warm_worker(Datum arg);
}
