/*
 * policy.cpp
 *		Which entry is worth least: the eviction policies of policy.h.
 *
 * Pure functions of their arguments; test/unit/policy_test.cpp pins what they do on a trace.
 */
#include "store/policy.h"

#include <algorithm>

namespace cq
{

namespace
{

/* Microseconds are exact in a double for 285 years around 2000. */
double
LruPriority(const Usage &usage)
{
	return static_cast<double>(usage.last_use);
}

/* A query too fast to be measured still took something. */
double
CostPriority(const Usage &usage)
{
	double fill_us = usage.fill_us > 0 ? static_cast<double>(usage.fill_us) : 1.0;
	double size = usage.size > 0 ? static_cast<double>(usage.size) : 1.0;

	return usage.aging + (1.0 + static_cast<double>(usage.hits)) * fill_us / size;
}

} // namespace

double
Priority(EvictionPolicy policy, const Usage &usage)
{
	switch (policy)
	{
	case EvictionPolicy::lru:
		return LruPriority(usage);
	case EvictionPolicy::cost:
		return CostPriority(usage);
	}
	return 0;
}

double
AgingAfter(EvictionPolicy policy, double aging, double evicted)
{
	return policy == EvictionPolicy::cost && evicted > aging ? evicted : aging;
}

void
PoolClear(Pool *pool, EvictionPolicy policy)
{
	pool->policy = policy;
	pool->count = 0;
}

bool
PoolWants(const Pool *pool, double priority)
{
	return pool->count < kPooled || priority < pool->items[0].priority;
}

void
PoolAdd(Pool *pool, const Victim &candidate)
{
	Victim *begin = pool->items;
	Victim *end = begin + pool->count;
	auto higher = [](const Victim &a, const Victim &b) { return a.priority > b.priority; };
	Victim *at;

	if (!PoolWants(pool, candidate.priority))
		return;
	if (std::any_of(begin, end, [&](const Victim &c) { return c.id == candidate.id; }))
		return;
	if (pool->count == kPooled)
	{
		/* the highest one goes */
		at = std::upper_bound(begin + 1, end, candidate, higher);
		std::copy(begin + 1, at, begin);
		*(at - 1) = candidate;
		return;
	}
	at = std::upper_bound(begin, end, candidate, higher);
	std::copy_backward(at, end, end + 1);
	*at = candidate;
	pool->count++;
}

bool
PoolTake(Pool *pool, Victim *candidate)
{
	if (pool->count == 0)
		return false;
	*candidate = pool->items[--pool->count];
	return true;
}

} // namespace cq
