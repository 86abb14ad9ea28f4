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
	bool averaged;
	instr_time start;
};

/* Around building a key and finding its entry: now and then, or always, it is measured. */
extern void BeginCostSample(CostSample *sample, bool always);
/* A hit adds to the averages.  Nanoseconds that it took, 0 if it was not measured. */
extern uint64 EndCostSample(const CostSample &sample, Pin *hit);
/* Nanoseconds that finding an entry, `least` at least, and reading that many bytes takes. */
extern uint64 HitCostNs(uint64 least, uint64 bytes);

#ifdef CQ_DEBUG
extern int debug_hit_cost_us; /* set by tests */
extern void DefineCostDebugSettings();
#endif

extern void CostRequestShmem();
extern void CostInitShmem();

} // namespace cq
