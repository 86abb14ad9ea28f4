/*
 * cost.cpp
 *		What a hit costs on this server, measured: for min_fill_time = -1.
 *
 * A hit has a fixed part, the key and the look-up, and one that grows with its rows.  Each backend
 * measures one call early on and every kEvery-th after it, and walks through the entry's rows once more
 * for the second part.  All share two moving averages.
 *
 * Locking: none.  The averages are atomics; of two backends that add a sample at the same moment
 * one may be lost, and a sample during which the process lost the CPU is cut to a few times the
 * average.
 */
#include "pg.h"
#include "base/shared.h"
#include "call/cost.h"

namespace cq
{

#ifdef CQ_DEBUG
int debug_hit_cost_us = -1;
#endif

namespace
{

constexpr int kEvery = 256;
constexpr int kFirst = 16;
constexpr uint64 kWeight = 16;          /* a sample moves the average by 1/16 */
constexpr uint64 kOutlier = 4;          /* times the average */
constexpr uint64 kLookUpNs = 2000;      /* until something was measured */
constexpr uint64 kPicosPerByte = 100;   /* the same */
constexpr uint64 kMinBytes = 1024;      /* less tells nothing of a byte's cost */
constexpr uint64 kMaxBytes = 64 * 1024; /* read for a sample */

struct Shared
{
	pg_atomic_uint64 look_up_ns;     /* atomic */
	pg_atomic_uint64 picos_per_byte; /* atomic */
};

Shared *shared = nullptr;

uint64
NsSince(const instr_time &start)
{
	instr_time now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, start);
	return static_cast<uint64>(INSTR_TIME_GET_DOUBLE(now) * 1e9);
}

void
Average(pg_atomic_uint64 *average, uint64 sample)
{
	uint64 old = pg_atomic_read_u64(average);

	sample = Min(sample, kOutlier * old);
	pg_atomic_write_u64(average, Max((old * (kWeight - 1) + sample) / kWeight, kWeight));
}

/* How long it takes to come by all rows, or enough of them. */
void
MeasureRows(Pin *pin)
{
	TupleReader reader;
	uint64 bytes = 0;
	instr_time start;
	MinimalTuple tuple;

	ReaderBegin(&reader, pin, CurrentMemoryContext);
	INSTR_TIME_SET_CURRENT(start);
	while (bytes < kMaxBytes && (tuple = ReaderNext(&reader)) != nullptr)
		bytes += tuple->t_len;
	if (bytes >= kMinBytes)
		Average(&shared->picos_per_byte, NsSince(start) * 1000 / bytes);
	if (reader.scratch != nullptr)
		pfree(reader.scratch);
}

} // namespace

void
BeginCostSample(CostSample *sample, bool always)
{
	static int calls = kEvery - kFirst; /* a short session measures nothing */

	sample->averaged = calls == 0;
	sample->taken = sample->averaged || always;
	calls = (calls + 1) % kEvery;
	if (sample->taken)
		INSTR_TIME_SET_CURRENT(sample->start);
}

uint64
EndCostSample(const CostSample &sample, Pin *hit)
{
	uint64 ns;

	if (!sample.taken)
		return 0;
	ns = NsSince(sample.start);
	if (sample.averaged && hit != nullptr)
	{
		Average(&shared->look_up_ns, ns);
		MeasureRows(hit);
	}
	return ns;
}

uint64
HitCostNs(uint64 least, uint64 bytes)
{
#ifdef CQ_DEBUG
	if (debug_hit_cost_us >= 0)
		return static_cast<uint64>(debug_hit_cost_us) * 1000;
#endif
	return Max(pg_atomic_read_u64(&shared->look_up_ns), least) +
		   pg_atomic_read_u64(&shared->picos_per_byte) * bytes / 1000;
}

#ifdef CQ_DEBUG
void
DefineCostDebugSettings()
{
	DefineCustomIntVariable("cached_query.debug_hit_cost",
							"Tests: what a hit is held to cost, in microseconds; -1: as measured.",
							nullptr, &debug_hit_cost_us, -1, -1, INT_MAX, PGC_SUSET, 0, nullptr,
							nullptr, nullptr);
}
#endif

void
CostRequestShmem()
{
	RequestShared(sizeof(Shared));
}

void
CostInitShmem()
{
	shared = MakeOrFindShared<Shared>("cached_query hit costs", [](Shared *made) {
		pg_atomic_init_u64(&made->look_up_ns, kLookUpNs);
		pg_atomic_init_u64(&made->picos_per_byte, kPicosPerByte);
	});
}

} // namespace cq
