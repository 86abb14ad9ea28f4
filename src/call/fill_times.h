/*
 * fill_times.h
 *		How long queries take: what a caller that waits for another session goes by.
 */
#pragma once

#include "pg.h"
#include "call/singleflight.h"
#include "validity/lookup.h"

namespace cq
{

/* A fill of this query was run to its end. */
extern void NoteFillTime(const Handle &handle, int64 fill_us);
/* How long may a call wait for others, at the most until `deadline`? */
extern WaitLimit WaitLimitOf(const Lookup &lookup, TimestampTz deadline);

extern void FillTimesRequestShmem();
extern void FillTimesInitShmem();

} // namespace cq
