/*
 * auto.h
 *		The start of this room, which answers statements without a call from the cache.
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
