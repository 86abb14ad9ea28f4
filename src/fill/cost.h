/*
 * cost.h
 *		What a hit costs on this server, measured: for min_fill_time = -1.
 */
#pragma once

#include "pg.h"
#include "store/store.h"

extern "C" {
#include "portability/instr_time.h"
}

namespace cq
{

struct CostSample
{
	bool taken;
	instr_time start;
};

/* Around building a key and finding its entry: now and then a hit is measured. */
extern void BeginCostSample(CostSample *sample);
extern void EndCostSample(const CostSample &sample, Pin *hit);
/* Nanoseconds that finding an entry and reading that many bytes of rows takes. */
extern uint64 HitCostNs(uint64 bytes);

extern void CostRequestShmem();
extern void CostInitShmem();

} // namespace cq
