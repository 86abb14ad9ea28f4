/*
 * policy.h
 *		Which entry is worth least?
 *
 * lru:  the one not used for longest.
 * cost: Greedy-Dual-Size-Frequency (L. Cherkasova, "Improving WWW Proxies Performance with
 *		 Greedy-Dual-Size-Frequency Caching Policy", HP Laboratories HPL-98-69R1, 1998):
 *			priority = L + uses * fill time / size
 *		 that is, the time that the entry saved so far per byte it takes, on top of L, an aging
 *		 value: the highest priority evicted so far, as it stood when the entry was last used.
 *		 What is evicted sets the mark which everything used later starts from; so an entry
 *		 that earned much long ago, and is not used any more, is overtaken in the end.  A new
 *		 entry counts as used once.  Costly, small and often used entries stay.
 *
 * Both judge an entry from its own header only: no list to keep in order, nothing to lock on a
 * hit.  Whoever evicts takes a sample and drops the entry with the lowest priority.  Leaf code.
 */
#pragma once

#include <cstdint>

namespace cq
{

enum class EvictionPolicy : int
{
	lru,
	cost
};

extern int eviction_policy; // setting cached_query.eviction: an EvictionPolicy

/* What a policy may know of an entry. */
struct Usage
{
	int64_t last_use; // microseconds; the fill is a use
	double aging;     // L when it was last used
	uint64_t hits;    // uses after the fill
	int64_t fill_us;  // what the next fill would take
	uint64_t size;    // bytes
};

/* The entry with the lowest priority goes first. */
extern double Priority(EvictionPolicy policy, const Usage &usage);
/* The aging value after an entry of this priority was evicted; it never falls. */
extern double AgingAfter(EvictionPolicy policy, double aging, double evicted);

} // namespace cq
