/*
 * stats.cpp
 *		Counters of outcomes and work.
 *
 * If all backends counted in the same cache lines, hits on different cores would wait for each other.  So
 * there are kShards copies of all counters.  A backend adds to the copy that its number selects, with
 * relaxed atomics and without a lock.  A reader sums the copies one after the other, so the sums are not of
 * one moment.  A reset stores zeros and can lose a count that is added at that moment.
 */
#include "pg.h"
#include "base/shared.h"
#include "stats/stats.h"

namespace cq
{
namespace
{

constexpr int kShards = 32;
constexpr int kCounters = static_cast<int>(Counter::count);

struct alignas(PG_CACHE_LINE_SIZE) Shard
{
	pg_atomic_uint64 outcomes[kReasons];   /* atomic; of calls */
	pg_atomic_uint64 statements[kReasons]; /* atomic */
	pg_atomic_uint64 counters[kCounters];  /* atomic */
};

struct Shared
{
	pg_atomic_uint64 reset_time; /* TimestampTz, atomic */
	Shard shards[kShards];
};

Shared *shared = nullptr;

Shard &
OwnShard()
{
	return shared->shards[compat::BackendNumber() % kShards];
}

/* Relaxed: others may see the increment late, but no increment is lost. */
void
Add(pg_atomic_uint64 *counter, uint64 by)
{
	pg_atomic_fetch_add_u64(counter, static_cast<int64>(by));
}

} // namespace

const ReasonInfo &
Describe(Reason reason)
{
	static const ReasonInfo infos[] = {
#define CQ_INFO(code, kind, text) {#code, Kind::kind, text},
		CQ_REASONS(CQ_INFO)
#undef CQ_INFO
	};

	return infos[static_cast<int>(reason)];
}

void
CountOutcome(Reason reason)
{
	Add(&OwnShard().outcomes[static_cast<int>(reason)], 1);
}

void
CountStatement(Reason reason)
{
	Add(&OwnShard().statements[static_cast<int>(reason)], 1);
}

void
Count(Counter counter, uint64 by)
{
	Add(&OwnShard().counters[static_cast<int>(counter)], by);
}

uint64
OutcomeTotal(Reason reason)
{
	uint64 sum = 0;

	for (Shard &shard : shared->shards)
		sum += pg_atomic_read_u64(&shard.outcomes[static_cast<int>(reason)]);
	return sum;
}

uint64
StatementTotal(Reason reason)
{
	uint64 sum = 0;

	for (Shard &shard : shared->shards)
		sum += pg_atomic_read_u64(&shard.statements[static_cast<int>(reason)]);
	return sum;
}

uint64
CounterTotal(Counter counter)
{
	uint64 sum = 0;

	for (Shard &shard : shared->shards)
		sum += pg_atomic_read_u64(&shard.counters[static_cast<int>(counter)]);
	return sum;
}

TimestampTz
StatsResetTime()
{
	return static_cast<TimestampTz>(pg_atomic_read_u64(&shared->reset_time));
}

void
ResetStats()
{
	for (Shard &shard : shared->shards)
	{
		for (pg_atomic_uint64 &counter : shard.outcomes)
			pg_atomic_write_u64(&counter, 0);
		for (pg_atomic_uint64 &counter : shard.statements)
			pg_atomic_write_u64(&counter, 0);
		for (pg_atomic_uint64 &counter : shard.counters)
			pg_atomic_write_u64(&counter, 0);
	}
	pg_atomic_write_u64(&shared->reset_time, static_cast<uint64>(GetCurrentTimestamp()));
}

void
StatsRequestShmem()
{
	RequestShared(sizeof(Shared));
}

void
StatsInitShmem()
{
	shared = MakeOrFindShared<Shared>("cached_query counters", [](Shared *made) {
		pg_atomic_init_u64(&made->reset_time, static_cast<uint64>(GetCurrentTimestamp()));
		for (Shard &shard : made->shards)
		{
			for (pg_atomic_uint64 &counter : shard.outcomes)
				pg_atomic_init_u64(&counter, 0);
			for (pg_atomic_uint64 &counter : shard.statements)
				pg_atomic_init_u64(&counter, 0);
			for (pg_atomic_uint64 &counter : shard.counters)
				pg_atomic_init_u64(&counter, 0);
		}
	});
}

} // namespace cq
