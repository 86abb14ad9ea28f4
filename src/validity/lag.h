/*
 * lag.h
 *		How far a standby is behind its primary, where that can be proved.
 */
#pragma once

#include "pg.h"

namespace cq
{

/* Of a result that a standby computed: nobody can prove how old it is. */
constexpr int32 kLagUnknown = PG_INT32_MAX;

/* On a standby: what a snapshot of that moment shows is of this moment of the primary, or later. */
extern bool ProvedAt(TimestampTz taken, TimestampTz *shown);
/* A snapshot of `then` or later shows what the primary showed at `shown`; both MonotonicMs(). */
extern void AddProof(int64 then_ms, int64 shown_ms);

extern void LagRequestShmem();
extern void LagInitShmem();

} // namespace cq
