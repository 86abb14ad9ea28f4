/*
 * auto.h
 *		The start of what answers statements that do not know of the cache.
 */
#pragma once

#include "pg.h"

namespace cq
{

/* From _PG_init, and shared memory. */
extern void InitAuto();
extern void AutoRequestShmem();
extern void AutoInitShmem();

} // namespace cq
