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
 * hit.  Whoever evicts takes a sample.  The pool remembers the lowest of all that samples showed,
 * and what was published since with a priority as low: most of what is never asked for again would
 * otherwise stay until a sample happens to show it.  A priority only rises, so whoever takes the
 * lowest one of the pool looks at its entry again.  test/unit/eviction_test.cpp compares that with
 * an exact order of all entries.  Leaf code.
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

/* How many entries are looked at for each eviction. */
constexpr int kSampled = 8;
/* How many the pool remembers. */
constexpr uint32_t kPooled = 256;

/* An entry that may be evicted, and enough to find it again if it is still there. */
struct Victim
{
	double priority; // when it was looked at
	uint64_t id;
	uint64_t hash;
	uint32_t unit;
	uint32_t units;
};

/* The entries of the lowest priorities that were seen, the lowest one last. */
struct Pool
{
	EvictionPolicy policy; // whose priorities these are
	uint32_t count;
	Victim items[kPooled];
};

/* Forgets everything. */
extern void PoolClear(Pool *pool, EvictionPolicy policy);
/* Would a candidate of this priority be taken in? */
extern bool PoolWants(const Pool *pool, double priority);
/* Takes it in unless it is there, or not low enough for a full pool. */
extern void PoolAdd(Pool *pool, const Victim &candidate);
/* Takes the lowest one out; false: the pool is empty. */
extern bool PoolTake(Pool *pool, Victim *candidate);

} // namespace cq
