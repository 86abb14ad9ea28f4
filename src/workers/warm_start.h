/*
 * warm_start.h
 *		Warm start: the most valuable queries over a clean restart.
 */
#pragma once

#include "pg.h"

namespace cq
{

/* From _PG_init, and from shmem_startup_hook. */
extern void InitWarmStart();
extern void WarmStartup();

} // namespace cq

extern "C" {
PGDLLEXPORT void cached_query_warm_worker(Datum arg);
}
