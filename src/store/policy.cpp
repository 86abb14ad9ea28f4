/*
 * policy.cpp
 *		Which entry is worth least: the eviction policies of policy.h.
 *
 * Pure functions of their arguments; test/unit/policy_test.cpp pins what they do on a trace.
 */
#include "store/policy.h"

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

} // namespace cq
