/*
 * release.h
 *		Which release of the library this is, for what is kept or sent for others to read.
 *
 * Values in Redis, WAL messages and the file of a warm start are made by one process and read by another, which
 * may be of another release.  What their bytes mean is not known to be the same there, so each carries this
 * number, and who finds another one does without.
 */
#pragma once

#include "pg.h"

namespace cq
{

extern uint64 ReleaseHash();

#ifdef CQ_DEBUG
extern void DefineReleaseDebug();
#endif

} // namespace cq
