/*
 * evict.cpp
 *		Memory of the store: taking units, giving them back, and evicting when there are none.
 *
 * A victim is chosen from a sample of the directory: unpinned entries at positions that a random
 * start and a random stride give.  Expired and dead ones go first, all of them; then images, the
 * one not used for longest; else the answer that the policy values least.  An image's own memory
 * comes from the first two only: it takes no good answer's place.  The sample is pinned, so that the owner's dead test can run without
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
	none_left
};

/* What was sampled: answers, then images. */
struct Sample
{
	Candidate candidates[2 * kSample];
	int answers;
	int all;
};

/* Pins up to kSample unpinned entries of a part of the directory, whose lock is held. */
int
PinSome(Candidate *sample, const UnitRef *part, uint64 n)
{
	int found = 0;
	uint64 at;
	uint64 stride;

	if (n == 0)
		return 0;
	at = pg_prng_uint64(&pg_global_prng_state) % n;
	stride = pg_prng_uint64(&pg_global_prng_state) % n + 1;
	while (std::gcd(stride, n) != 1)
		stride++;
	for (uint64 i = 0; i < n && found < kSample; i++, at = (at + stride) % n)
	{
		Entry *entry = EntryAt(part[at]);

		if (PinsOf(entry) > 0)
			continue;
		PinRaw(entry);
		sample[found++].entry = entry;
	}
	return found;
}

void
TakeSample(Sample *sample)
{
	LWLockAcquire(map.directory_lock, LW_SHARED);

	uint32 nimages = map.shared->nimages;

	sample->answers = PinSome(sample->candidates, map.directory, map.shared->nentries);
	sample->all = sample->answers + PinSome(sample->candidates + sample->answers,
											map.directory + map.directory_size - nimages, nimages);
	LWLockRelease(map.directory_lock);
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
	return Priority(
		IsImage(entry) ? EvictionPolicy::lru : static_cast<EvictionPolicy>(eviction_policy), usage);
}

/* Unlink a candidate unless somebody else has it pinned by now; give up our pin in any case. */
bool
EvictCandidate(Entry *entry, TimestampTz now, uint32 want, UnitRun *run)
{
	LWLock *lock = PartitionLock(entry->hash);
	bool ours;
	UnitRef garbage = kNoUnit;
	UnitRun taken;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	ours = !IsUnlinked(entry) && PinsOf(entry) == 1;
	if (ours)
		UnlinkLocked(entry, now, &garbage);
	LWLockRelease(lock);

	FreeGarbage(garbage);
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

/* The candidate to evict next, or nullptr. */
Candidate *
Worst(Candidate *from, Candidate *end)
{
	Candidate *worst = nullptr;

	for (Candidate *candidate = from; candidate < end; candidate++)
	{
		if (candidate->entry == nullptr)
			continue;
		if (worst == nullptr || candidate->priority < worst->priority)
			worst = candidate;
	}
	return worst;
}

/* An image goes with its answer; whether that one is good is asked there. */
void
Judge(Candidate *candidate, TimestampTz now)
{
	Entry *entry = candidate->entry;

	candidate->gone =
		!IsImage(entry) && (IsExpired(entry, now) || (entry_dead != nullptr && entry_dead(entry)));
	candidate->priority = PriorityOf(entry);
}

/* Evict the worst one of these that nobody began to read meanwhile. */
bool
EvictWorst(Candidate *from, Candidate *end, TimestampTz now, uint32 want, UnitRun *run)
{
	while (Candidate *worst = Worst(from, end))
	{
		bool image = IsImage(worst->entry);
		bool evicted = EvictCandidate(worst->entry, now, want, run);

		worst->entry = nullptr;
		if (evicted && !image)
		{
			pg_atomic_fetch_add_u64(&map.shared->evictions, 1);
			RaiseAging(worst->priority);
		}
		if (evicted)
			return true;
	}
	return false;
}

/*
 * Evict one entry, or all of a sample that can't be served any more, and take up to `want` units
 * of theirs into *run.  Eviction lock held.
 */
Outcome
EvictSome(uint32 want, bool for_image, UnitRun *run)
{
	Sample sample;
	Candidate *begin = sample.candidates;
	Candidate *images;
	Candidate *end;
	TimestampTz now = GetCurrentTimestamp();
	bool evicted = false;

	TakeSample(&sample);
	images = begin + sample.answers;
	end = begin + sample.all;
	for (Candidate *candidate = begin; candidate < end; candidate++)
		Judge(candidate, now);
	for (Candidate *candidate = begin; candidate < images; candidate++)
	{
		if (!candidate->gone)
			continue;
		evicted |= EvictCandidate(candidate->entry, now, want, run);
		candidate->entry = nullptr;
	}
	if (!evicted)
		evicted = EvictWorst(images, end, now, want, run);
	if (!evicted && !for_image)
		evicted = EvictWorst(begin, images, now, want, run);
	for (Candidate *candidate = begin; candidate < end; candidate++)
	{
		if (candidate->entry != nullptr)
			UnpinRaw(candidate->entry);
	}
	if (evicted)
		return Outcome::evicted;
	return (for_image ? images == end : begin == end) ? Outcome::none_left : Outcome::in_vain;
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
TakeUnits(uint32 want, bool for_image)
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

		Outcome outcome = EvictSome(want, for_image, &run);

		if (run.count > 0 || outcome == Outcome::none_left)
			break;
		if (outcome == Outcome::in_vain)
			vain++;
	}
	LWLockRelease(map.eviction_lock);
	return run;
}

bool
EvictForDirectory(bool for_image)
{
	UnitRun run = {kNoUnit, 0};
	Outcome outcome = Outcome::in_vain;

	LWLockAcquire(map.eviction_lock, LW_EXCLUSIVE);
	for (int vain = 0; vain < kMaxVain && outcome == Outcome::in_vain; vain++)
		outcome = EvictSome(0, for_image, &run);
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
