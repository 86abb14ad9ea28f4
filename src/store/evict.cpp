/*
 * evict.cpp
 *		Memory of the store: taking units, giving them back, and evicting when there are none.
 *
 * A victim is chosen from a sample of the directory: unpinned entries at positions that a random
 * start and a random stride give.  Expired and dead ones go first, all of them; else the one that
 * the policy values least.  The sample is pinned, so that the owner's dead test can run without
 * the locks of the index; and one backend evicts at a time, so that the pins of one are not taken
 * for those of a reader by another.  A victim that somebody began to read meanwhile is spared.
 *
 * The stride has no common divisor with the number of entries: if all in the sample are pinned
 * the walk goes on and meets each entry once.  So an allocation fails only if every linked entry
 * is pinned.
 *
 * A victim's units are freed and taken under one hold of the allocator's lock: each eviction
 * serves the backend that paid for it, and nobody evicts in vain for others.
 */
#include "pg.h"

#include <bit>
#include <numeric>

#include "store/internal.h"

namespace cq
{

namespace
{

constexpr int kSample = 16;

/* Extents given back under one hold of the allocator's lock. */
constexpr int kFreeBatch = 128;

/* Samples in a row that readers pinned under our hands before we believe all is pinned. */
constexpr int kMaxVain = 1000;

struct Candidate
{
	Entry *entry;
	double priority;
	bool gone; // expired or dead
};

enum class Outcome
{
	evicted,
	in_vain, // candidates were there, but all came into use
	all_pinned
};

/* Pins up to kSample unpinned entries. */
int
TakeSample(Candidate *sample)
{
	int found = 0;

	LWLockAcquire(map.directory_lock, LW_SHARED);

	uint64 n = map.shared->nentries;

	if (n > 0)
	{
		uint64 at = pg_prng_uint64(&pg_global_prng_state) % n;
		uint64 stride = pg_prng_uint64(&pg_global_prng_state) % n + 1;

		while (std::gcd(stride, n) != 1)
			stride++;
		for (uint64 i = 0; i < n && found < kSample; i++, at = (at + stride) % n)
		{
			Entry *entry = EntryAt(map.directory[at]);

			if (PinsOf(entry) > 0)
				continue;
			PinRaw(entry);
			sample[found++].entry = entry;
		}
	}
	LWLockRelease(map.directory_lock);
	return found;
}

/* What the policy knows of an entry, and what it makes of it. */
double
PriorityOf(const Entry *entry)
{
	uint64 last_hit = ReadAtomic(entry->last_hit);
	Usage usage;

	usage.last_use = last_hit != 0 ? static_cast<TimestampTz>(last_hit) : entry->published;
	usage.aging = std::bit_cast<double>(ReadAtomic(entry->aging));
	usage.hits = ReadAtomic(entry->state) >> kHitShift;
	usage.fill_us = entry->facts.fill_us;
	usage.size = entry->units * kUnitBytes;
	return Priority(static_cast<EvictionPolicy>(eviction_policy), usage);
}

/* Unlink a candidate unless somebody else has it pinned by now; give up our pin in any case. */
bool
EvictCandidate(Entry *entry, TimestampTz now, uint32 want, UnitRun *run)
{
	LWLock *lock = PartitionLock(entry->hash);
	bool ours;
	UnitRun taken;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	ours = !IsUnlinked(entry) && PinsOf(entry) == 1;
	if (ours)
		UnlinkLocked(entry, now);
	LWLockRelease(lock);

	taken = UnpinTaking(entry, run->count > 0 ? 0 : want);
	if (taken.count > 0)
		*run = taken;
	return ours;
}

/* The aging value follows what is evicted.  Eviction lock held. */
void
RaiseAging(double evicted)
{
	double aging = std::bit_cast<double>(pg_atomic_read_u64(&map.shared->aging));
	double after = AgingAfter(static_cast<EvictionPolicy>(eviction_policy), aging, evicted);

	if (after != aging)
		pg_atomic_write_u64(&map.shared->aging, std::bit_cast<uint64>(after));
}

/* The index of the candidate to evict next, or -1. */
int
Worst(const Candidate *sample, int n)
{
	int worst = -1;

	for (int i = 0; i < n; i++)
	{
		if (sample[i].entry == nullptr)
			continue;
		if (worst < 0 || sample[i].priority < sample[worst].priority)
			worst = i;
	}
	return worst;
}

/*
 * Evict one entry, or all of a sample that can't be served any more, and take up to `want` units
 * of theirs into *run.  Eviction lock held.
 */
Outcome
EvictSome(uint32 want, UnitRun *run)
{
	Candidate sample[kSample];
	int n = TakeSample(sample);
	TimestampTz now = GetCurrentTimestamp();
	bool evicted = false;
	int worst;

	if (n == 0)
		return Outcome::all_pinned;
	for (int i = 0; i < n; i++)
	{
		Entry *entry = sample[i].entry;

		sample[i].gone = IsExpired(entry, now) || (entry_dead != nullptr && entry_dead(entry));
		sample[i].priority = PriorityOf(entry);
	}
	for (int i = 0; i < n; i++)
	{
		if (!sample[i].gone)
			continue;
		evicted |= EvictCandidate(sample[i].entry, now, want, run);
		sample[i].entry = nullptr;
	}
	while (!evicted && (worst = Worst(sample, n)) >= 0)
	{
		evicted = EvictCandidate(sample[worst].entry, now, want, run);
		sample[worst].entry = nullptr;
		if (evicted)
		{
			pg_atomic_fetch_add_u64(&map.shared->evictions, 1);
			RaiseAging(sample[worst].priority);
		}
	}
	for (int i = 0; i < n; i++)
	{
		if (sample[i].entry != nullptr)
			UnpinRaw(sample[i].entry);
	}
	return evicted ? Outcome::evicted : Outcome::in_vain;
}

/* Units that are free now. */
UnitRun
TakeFree(uint32 want)
{
	UnitRun run;

	LWLockAcquire(map.allocator_lock, LW_EXCLUSIVE);
	run = UnitsTake(map.units, want);
	LWLockRelease(map.allocator_lock);
	return run;
}

} // namespace

UnitRun
TakeUnits(uint32 want)
{
	UnitRun run = TakeFree(want);

	if (run.count > 0)
		return run;
	LWLockAcquire(map.eviction_lock, LW_EXCLUSIVE);
	for (int vain = 0; vain < kMaxVain;)
	{
		/* others may have freed some while we waited for the lock */
		run = TakeFree(want);
		if (run.count > 0)
			break;

		Outcome outcome = EvictSome(want, &run);

		if (run.count > 0 || outcome == Outcome::all_pinned)
			break;
		if (outcome == Outcome::in_vain)
			vain++;
	}
	LWLockRelease(map.eviction_lock);
	return run;
}

bool
EvictForDirectory()
{
	UnitRun run = {kNoUnit, 0};
	Outcome outcome = Outcome::in_vain;

	LWLockAcquire(map.eviction_lock, LW_EXCLUSIVE);
	for (int vain = 0; vain < kMaxVain && outcome == Outcome::in_vain; vain++)
		outcome = EvictSome(0, &run);
	LWLockRelease(map.eviction_lock);
	return outcome == Outcome::evicted;
}

UnitRun
FreeChain(UnitRef first, uint32 want)
{
	UnitRun run = {kNoUnit, 0};

	while (first != kNoUnit)
	{
		LWLockAcquire(map.allocator_lock, LW_EXCLUSIVE);
		for (int i = 0; i < kFreeBatch && first != kNoUnit; i++)
		{
			/* read before the unit is anybody's */
			UnitRun extent = {first, ExtentAt(first)->units};
			UnitRef next = ExtentAt(first)->next;
			bool given pg_attribute_unused() = UnitsGive(map.units, extent);

			CqAssert(given);
			first = next;
		}
		if (first == kNoUnit && want > 0)
			run = UnitsTake(map.units, want);
		LWLockRelease(map.allocator_lock);
	}
	return run;
}

void
TrimExtent(Extent *extent, uint32 keep)
{
	UnitRun tail = {UnitOf(extent) + keep, extent->units - keep};

	if (tail.count == 0)
		return;
	extent->units = keep;
	LWLockAcquire(map.allocator_lock, LW_EXCLUSIVE);

	bool given pg_attribute_unused() = UnitsGive(map.units, tail);

	CqAssert(given);
	LWLockRelease(map.allocator_lock);
}

} // namespace cq
