/*
 * eviction_test.cpp
 *		What the sampling and the pool of the store lose against an exact order of all entries.
 *
 * sources: src/store/policy.cpp
 *
 * Two caches get the same trace.  One has all its entries in order and evicts the one of the lowest
 * priority: Greedy-Dual-Size-Frequency as published.  The other one does as src/store/evict.cpp: it
 * looks at kSampled entries for each eviction, remembers the lowest in the pool, offers it what is
 * published, and looks again at what it takes out.  What hits save in time must be within 2 % of
 * the exact order's, trace by trace.
 *
 * The traces are generated, with numbers that are the same everywhere: Zipf popularity of several
 * exponents; fill times and sizes independent of each other, or one following the other, or one of
 * them equal for all; scans of queries asked once; changes of what is popular; small caches and one
 * of tens of thousands of entries.
 */
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <set>
#include <utility>
#include <vector>

#include "store/policy.h"
#include "tap.h"

using namespace cq;
using tap::Done;
using tap::Ok;

namespace
{

constexpr double kLeast = 0.98;

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

enum class Costs
{
	independent, // of sizes
	by_size,
	same_size,
	same_cost
};

struct Workload
{
	const char *name;
	uint32_t queries;
	uint32_t scanned;   // queries that a scan asks, one after the other
	uint32_t scan_each; // so many steps one of the scan; 0: none
	int steps;
	int changes; // of what is popular
	uint64_t capacity;
	double exponent;
	Costs costs;
};

struct Query
{
	int64_t fill_us;
	uint64_t size;
};

std::vector<Query>
MakeQueries(const Workload &w)
{
	Random random = {w.queries + static_cast<uint64_t>(w.exponent * 100)};
	std::vector<Query> queries;

	for (uint32_t i = 0; i < w.queries + w.scanned; i++)
	{
		int64_t fill_us = INT64_C(100) << random.Next(14);
		uint64_t size = UINT64_C(512) << random.Next(8);

		if (w.costs == Costs::by_size)
			fill_us = static_cast<int64_t>(size * (1 + random.Next(40)) / 20);
		if (w.costs == Costs::same_size)
			size = 1024;
		if (w.costs == Costs::same_cost)
			fill_us = 1000;
		queries.push_back({fill_us, size});
	}
	return queries;
}

std::vector<uint32_t>
MakeTrace(const Workload &w)
{
	Random random = {7};
	std::vector<double> cumulative;
	std::vector<uint32_t> trace;
	double total = 0;
	uint32_t scanned = 0;

	for (uint32_t rank = 1; rank <= w.queries; rank++)
		cumulative.push_back(total += std::pow(rank, -w.exponent));
	for (int step = 0; step < w.steps; step++)
	{
		if (w.scan_each != 0 && static_cast<uint32_t>(step) % w.scan_each == w.scan_each - 1)
		{
			trace.push_back(w.queries + scanned++ % w.scanned);
			continue;
		}

		double at = static_cast<double>(random.Next(1 << 30)) / (1 << 30) * total;
		size_t rank = static_cast<size_t>(
			std::upper_bound(cumulative.begin(), cumulative.end(), at) - cumulative.begin());
		size_t phase = static_cast<size_t>(step) * static_cast<size_t>(w.changes + 1) /
					   static_cast<size_t>(w.steps);

		rank = std::min(rank, cumulative.size() - 1);
		trace.push_back(static_cast<uint32_t>((rank + phase * (w.queries / 2 + 17)) % w.queries));
	}
	return trace;
}

double
PriorityOf(const Usage &usage)
{
	return Priority(EvictionPolicy::cost, usage);
}

/* Time saved with all entries in order. */
double
RunExact(const Workload &w, const std::vector<Query> &queries, const std::vector<uint32_t> &trace)
{
	std::vector<Usage> usage(queries.size());
	std::vector<bool> cached(queries.size());
	std::set<std::pair<double, uint32_t>> order;
	double aging = 0;
	double saved = 0;
	uint64_t used = 0;

	for (uint32_t query : trace)
	{
		const Query &q = queries[query];

		if (cached[query])
		{
			order.erase({PriorityOf(usage[query]), query});
			usage[query].hits++;
			usage[query].aging = aging;
			order.insert({PriorityOf(usage[query]), query});
			saved += static_cast<double>(q.fill_us);
			continue;
		}
		while (used + q.size > w.capacity)
		{
			auto [priority, victim] = *order.begin();

			aging = AgingAfter(EvictionPolicy::cost, aging, priority);
			order.erase(order.begin());
			cached[victim] = false;
			used -= queries[victim].size;
		}
		usage[query] = {0, aging, 0, q.fill_us, q.size};
		cached[query] = true;
		order.insert({PriorityOf(usage[query]), query});
		used += q.size;
	}
	return saved;
}

/* The store's cache: a directory in no order, and the pool. */
struct Store
{
	struct Cached
	{
		uint32_t query;
		uint64_t id;
		Usage usage;
	};

	std::vector<Cached> directory;
	std::vector<int> where;
	Pool pool;
	Random random = {99};
	double aging = 0;
	uint64_t used = 0;
	uint64_t next_id = 1;

	explicit Store(size_t queries) : where(queries, -1)
	{
		PoolClear(&pool, EvictionPolicy::cost);
	}

	Victim
	VictimOf(const Cached &cached) const
	{
		return {PriorityOf(cached.usage), cached.id, 0, cached.query, 1};
	}

	/* The lowest of the pool, as it is now. */
	Victim
	TakeLowest()
	{
		Victim lowest;

		for (;;)
		{
			for (int i = 0; i < kSampled; i++)
				PoolAdd(&pool, VictimOf(directory[random.Next(directory.size())]));
			while (PoolTake(&pool, &lowest))
			{
				int slot = where[lowest.unit];

				if (slot < 0 || directory[static_cast<size_t>(slot)].id != lowest.id)
					continue;
				lowest = VictimOf(directory[static_cast<size_t>(slot)]);
				if (pool.count == 0 || lowest.priority <= pool.items[pool.count - 1].priority)
					return lowest;
				PoolAdd(&pool, lowest);
			}
		}
	}

	void
	Evict()
	{
		Victim victim = TakeLowest();
		size_t slot = static_cast<size_t>(where[victim.unit]);

		aging = AgingAfter(EvictionPolicy::cost, aging, victim.priority);
		used -= directory[slot].usage.size;
		where[victim.unit] = -1;
		directory[slot] = directory.back();
		directory.pop_back();
		if (slot < directory.size())
			where[directory[slot].query] = static_cast<int>(slot);
	}

	void
	Publish(uint32_t query, const Query &q)
	{
		where[query] = static_cast<int>(directory.size());
		directory.push_back({query, next_id++, {0, aging, 0, q.fill_us, q.size}});
		used += q.size;
		/* as PoolOffer() */
		if (pool.count > 0)
			PoolAdd(&pool, VictimOf(directory.back()));
	}

	bool
	Hit(uint32_t query)
	{
		if (where[query] < 0)
			return false;

		Usage &usage = directory[static_cast<size_t>(where[query])].usage;

		usage.hits++;
		usage.aging = aging;
		return true;
	}
};

double
RunSampled(const Workload &w, const std::vector<Query> &queries, const std::vector<uint32_t> &trace)
{
	Store store(queries.size());
	double saved = 0;

	for (uint32_t query : trace)
	{
		const Query &q = queries[query];

		if (store.Hit(query))
		{
			saved += static_cast<double>(q.fill_us);
			continue;
		}
		while (store.used + q.size > w.capacity)
			store.Evict();
		store.Publish(query, q);
	}
	return saved;
}

void
TestWorkload(const Workload &w)
{
	std::vector<Query> queries = MakeQueries(w);
	std::vector<uint32_t> trace = MakeTrace(w);
	double exact = RunExact(w, queries, trace);
	double sampled = RunSampled(w, queries, trace);
	double all = 0;
	char name[160];

	for (uint32_t query : trace)
		all += static_cast<double>(queries[query].fill_us);
	printf("# %s: of all cost, exact order saves %.3f, the store %.3f\n", w.name, exact / all,
		   sampled / all);
	snprintf(name, sizeof(name), "%s: %.4f of what the exact order saves", w.name, sampled / exact);
	/* where nothing is evicted, or nothing is saved, both do the same */
	Ok(exact < 0.95 * all && exact > 0.2 * all && sampled >= kLeast * exact, name);
}

/* The pool itself: the lowest ones, in order, each once. */
void
TestPool()
{
	Pool pool;
	Random random = {5};
	std::vector<double> given;
	Victim victim = {};
	double last = -1;
	bool sorted = true;
	size_t taken = 0;

	PoolClear(&pool, EvictionPolicy::cost);
	Ok(!PoolTake(&pool, &victim), "an empty pool gives nothing");
	for (uint64_t id = 1; id <= 4 * kPooled; id++)
	{
		double priority = static_cast<double>(random.Next(1000));

		given.push_back(priority);
		PoolAdd(&pool, {priority, id, 0, 0, 1});
		PoolAdd(&pool, {priority, id, 0, 0, 1});
	}
	std::sort(given.begin(), given.end());
	Ok(pool.count == kPooled, "it holds no more than it has room for");
	Ok(!PoolWants(&pool, 1000) && PoolWants(&pool, -1), "full, it wants lower ones only");
	for (; PoolTake(&pool, &victim); taken++)
	{
		sorted = sorted && victim.priority >= last && victim.priority == given[taken];
		last = victim.priority;
	}
	Ok(sorted && taken == kPooled, "it gives the lowest of all, the lowest one first");
}

} // namespace

int
main()
{
	TestPool();
	TestWorkload(
		{"one change and scans", 2000, 40000, 5, 100000, 1, 4 << 20, 1.0, Costs::independent});
	TestWorkload({"a small cache", 2000, 40000, 5, 100000, 1, 1 << 20, 0.8, Costs::independent});
	TestWorkload({"no scans", 20000, 1, 0, 200000, 0, 32 << 20, 0.9, Costs::independent});
	TestWorkload({"flat popularity and scans", 20000, 100000, 4, 200000, 0, 32 << 20, 0.8,
				  Costs::independent});
	TestWorkload({"four changes", 20000, 40000, 10, 200000, 4, 32 << 20, 1.0, Costs::independent});
	TestWorkload(
		{"twelve changes", 20000, 40000, 10, 200000, 12, 16 << 20, 0.9, Costs::independent});
	TestWorkload({"cost by size", 20000, 40000, 10, 200000, 2, 32 << 20, 0.9, Costs::by_size});
	TestWorkload({"equal sizes", 20000, 40000, 10, 200000, 2, 4 << 20, 0.9, Costs::same_size});
	TestWorkload({"equal costs", 20000, 40000, 10, 200000, 2, 32 << 20, 0.9, Costs::same_cost});
	TestWorkload({"many entries", 200000, 100000, 5, 300000, 1, UINT64_C(512) << 20, 0.9,
				  Costs::independent});
	return Done();
}
