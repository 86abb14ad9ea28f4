/*
 * policy_test.cpp
 *		The eviction policies, judged on a trace: hits, and what they save in time.
 *
 * The trace is generated: Zipf-like popularity over queries of mixed cost and size, with a scan of
 * queries asked once in between and a change of what is popular halfway.  Random numbers come
 * from the generator below, so the counts are the same everywhere; a change to a policy that
 * changes them is to be looked at, then pinned anew.
 */
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "store/policy.h"
#include "tap.h"

using namespace cq;
using tap::Done;
using tap::Ok;

namespace
{

/* xorshift64*: the same numbers with every library. */
struct Random
{
	uint64_t state;

	uint64_t
	Next(uint64_t below)
	{
		state ^= state >> 12;
		state ^= state << 25;
		state ^= state >> 27;
		return (state * UINT64_C(2685821657736338717) >> 11) % below;
	}
};

constexpr uint32_t kQueries = 2000;
constexpr uint32_t kScanned = 40000; // asked once each
constexpr int kSteps = 100000;
constexpr uint64_t kCapacity = 4 << 20;
constexpr size_t kSample = 16;

struct Query
{
	int64_t fill_us;
	uint64_t size;
};

struct Cached
{
	uint32_t query;
	Usage usage;
};

struct Result
{
	uint64_t hits;
	uint64_t saved_us;
	uint64_t evictions;
};

/* Costs of 0.1 ms to 0.8 s and sizes of 512 bytes to 64 kB, independent of each other. */
std::vector<Query>
MakeQueries()
{
	Random random = {42};
	std::vector<Query> queries;

	for (uint32_t i = 0; i < kQueries + kScanned; i++)
	{
		int64_t fill_us = INT64_C(100) << random.Next(14);
		uint64_t size = UINT64_C(512) << random.Next(8);

		queries.push_back({fill_us, size});
	}
	return queries;
}

/* Popularity of rank r is proportional to 1/r; every fifth step asks something new. */
std::vector<uint32_t>
MakeTrace()
{
	Random random = {7};
	std::vector<uint64_t> cumulative;
	std::vector<uint32_t> trace;
	uint64_t total = 0;
	uint32_t scanned = 0;

	for (uint32_t rank = 1; rank <= kQueries; rank++)
		cumulative.push_back(total += UINT64_C(1000000) / rank);
	for (int step = 0; step < kSteps; step++)
	{
		if (step % 5 == 4)
		{
			trace.push_back(kQueries + scanned++ % kScanned);
			continue;
		}

		uint64_t at = random.Next(total);
		uint32_t rank = 0;

		while (cumulative[rank] <= at)
			rank++;
		/* the second half likes others */
		trace.push_back(step < kSteps / 2 ? rank : (rank + kQueries / 2) % kQueries);
	}
	return trace;
}

/* A cache that evicts as the store does: the worst of a sample. */
Result
Run(EvictionPolicy policy)
{
	std::vector<Query> queries = MakeQueries();
	std::vector<Cached> cache;
	std::vector<int> where(queries.size(), -1);
	Random random = {99};
	double aging = 0;
	uint64_t used = 0;
	int64_t now = 0;
	Result result = {};

	for (uint32_t query : MakeTrace())
	{
		const Query &q = queries[query];

		now++;
		if (where[query] >= 0)
		{
			Usage &usage = cache[static_cast<size_t>(where[query])].usage;

			usage.hits++;
			usage.last_use = now;
			usage.aging = aging;
			result.hits++;
			result.saved_us += static_cast<uint64_t>(q.fill_us);
			continue;
		}
		while (used + q.size > kCapacity)
		{
			size_t worst = random.Next(cache.size());

			for (size_t i = 1; i < kSample; i++)
			{
				size_t other = random.Next(cache.size());

				if (Priority(policy, cache[other].usage) < Priority(policy, cache[worst].usage))
					worst = other;
			}
			aging = AgingAfter(policy, aging, Priority(policy, cache[worst].usage));
			used -= cache[worst].usage.size;
			where[cache[worst].query] = -1;
			cache[worst] = cache.back();
			cache.pop_back();
			if (worst < cache.size())
				where[cache[worst].query] = static_cast<int>(worst);
			result.evictions++;
		}
		where[query] = static_cast<int>(cache.size());
		cache.push_back({query, {now, aging, 0, q.fill_us, q.size}});
		used += q.size;
	}
	return result;
}

void
TestOrder()
{
	Usage a = {100, 0, 0, 1000, 1024};
	Usage b = a;

	b.last_use = 101;
	Ok(Priority(EvictionPolicy::lru, a) < Priority(EvictionPolicy::lru, b), "lru: older first");
	b = a;
	b.hits = 3;
	Ok(Priority(EvictionPolicy::cost, b) == 4 * Priority(EvictionPolicy::cost, a),
	   "cost: the fill counts as one use");
	b = a;
	b.fill_us = 2000;
	Ok(Priority(EvictionPolicy::cost, a) < Priority(EvictionPolicy::cost, b),
	   "cost: cheap to fill first");
	b = a;
	b.size = 512;
	Ok(Priority(EvictionPolicy::cost, a) < Priority(EvictionPolicy::cost, b), "cost: large first");
	b = a;
	b.aging = 0.5;
	Ok(Priority(EvictionPolicy::cost, b) == Priority(EvictionPolicy::cost, a) + 0.5,
	   "cost: on top of the aging value");
	b = a;
	b.fill_us = 0;
	b.size = 0;
	Ok(std::isfinite(Priority(EvictionPolicy::cost, b)) && Priority(EvictionPolicy::cost, b) > 0,
	   "cost: nothing measured is no harm");
	Ok(AgingAfter(EvictionPolicy::cost, 2, 3) == 3 && AgingAfter(EvictionPolicy::cost, 3, 2) == 3,
	   "cost: aging never falls");
	Ok(AgingAfter(EvictionPolicy::lru, 2, 3e17) == 2, "lru: leaves the aging value alone");
}

/* Once popular, then never asked again: aging must let it go. */
void
TestAging()
{
	Usage old = {1, 0, 1000, 1000, 1000};
	Usage fresh = {2, 0, 0, 1000, 1000};
	double aging = 0;
	int evicted = 0;

	while (Priority(EvictionPolicy::cost, old) >= Priority(EvictionPolicy::cost, fresh))
	{
		aging = AgingAfter(EvictionPolicy::cost, aging, Priority(EvictionPolicy::cost, fresh));
		fresh.aging = aging;
		if (++evicted > 10000)
			break;
	}
	Ok(evicted == 1001, "cost: 1000 hits are outlived by as many evictions");
}

void
TestTrace()
{
	Result lru = Run(EvictionPolicy::lru);
	Result cost = Run(EvictionPolicy::cost);

	printf("# lru:  %llu hits, %llu us saved, %llu evictions\n",
		   static_cast<unsigned long long>(lru.hits), static_cast<unsigned long long>(lru.saved_us),
		   static_cast<unsigned long long>(lru.evictions));
	printf("# cost: %llu hits, %llu us saved, %llu evictions\n",
		   static_cast<unsigned long long>(cost.hits),
		   static_cast<unsigned long long>(cost.saved_us),
		   static_cast<unsigned long long>(cost.evictions));
	Ok(lru.hits == 46739 && lru.saved_us == 6389571600, "lru: hits and time saved as pinned");
	Ok(cost.hits == 50214 && cost.saved_us == 8419975600, "cost: hits and time saved as pinned");
	Ok(cost.saved_us > lru.saved_us, "cost saves more time than lru");
}

} // namespace

int
main()
{
	TestOrder();
	TestAging();
	TestTrace();
	return Done();
}
