/*
 * sample.cpp
 *		What eviction looks at: entries from the directory, and whole pages.
 *
 * Part of store.h.
 */
#include "pg.h"
#include "store/evict.h"

#include <bit>
#include <numeric>

#include "store/internal.h"

namespace cq
{
namespace
{

/* Pages that are compared before one is cleared. */
constexpr uint32 kPagesCompared = 2;

/* The entries of a page. */
struct PageView
{
	Victim entries[kUnitsPerPage];
	int count;
	uint64 units; // of all of them, here and elsewhere
	double worth; // per unit that evicting them would make free
	uint32 run;   // that would be free then
};

/* --- what is there ------------------------------------------------------------------------- */

} // namespace

Steps
StepsOver(uint64 n)
{
	Steps steps = {n, pg_prng_uint64(&pg_global_prng_state) % n, n * 5 / 8 + 1};

	while (std::gcd(steps.stride, n) != 1)
		steps.stride++;
	return steps;
}

uint64
NextStep(Steps *steps)
{
	uint64 at = steps->at;

	steps->at = (at + steps->stride) % steps->n;
	return at;
}

namespace
{

/* Pins up to kSampled unpinned entries of a part of the directory, whose lock is held. */
int
PinSome(Entry **sample, const UnitRef *part, uint64 n)
{
	int found = 0;

	if (n == 0)
		return 0;

	Steps steps = StepsOver(n);

	for (uint64 i = 0; i < Min(n, kMaxProbes) && found < kSampled; i++)
	{
		Entry *entry = EntryAt(part[NextStep(&steps)]);

		if (PinsOf(entry) > 0)
			continue;
		PinRaw(entry);
		sample[found++] = entry;
	}
	return found;
}

} // namespace

void
TakeSample(Sample *sample)
{
	LWLockAcquire(map.directory_lock, LW_SHARED);

	uint32 nimages = map.shared->nimages;

	sample->nentries = PinSome(sample->entries, map.directory, map.shared->nentries);
	sample->all = sample->nentries + PinSome(sample->entries + sample->nentries,
											 map.directory + map.directory_size - nimages, nimages);
	LWLockRelease(map.directory_lock);
}

TimestampTz
LastUse(const Entry *entry)
{
	uint64 last_hit = ReadAtomic(entry->last_hit);

	return last_hit != 0 ? static_cast<TimestampTz>(last_hit) : entry->published;
}

namespace
{

EvictionPolicy
PolicyFor(const Entry *entry)
{
	return IsImage(entry) ? EvictionPolicy::lru : static_cast<EvictionPolicy>(eviction_policy);
}

} // namespace

Victim
VictimOf(const Entry *entry)
{
	Usage usage;

	usage.last_use = LastUse(entry);
	usage.aging = std::bit_cast<double>(ReadAtomic(entry->aging));
	usage.hits = ReadAtomic(entry->state) >> kHitShift;
	usage.fill_us = entry->facts.fill_us;
	usage.size = entry->units * kUnitBytes;
	return {Priority(PolicyFor(entry), usage), entry->id, entry->hash, UnitOf(entry), entry->units};
}

const Entry *
ListedAt(UnitRef unit)
{
	const StoreShared *shared = map.shared;

	if (unit == kNoUnit || unit > map.total_units)
		return nullptr;

	/* it may be anything that somebody is writing just now */
	const Entry *entry = EntryAt(unit);
	uint32 slot = *const_cast<volatile const uint32 *>(&entry->directory_position);

	if (slot >= shared->nentries &&
		(slot >= map.directory_size || slot < map.directory_size - shared->nimages))
		return nullptr;
	return map.directory[slot] == unit ? entry : nullptr;
}

bool
IsGone(const Entry *entry, TimestampTz now)
{
	return IsExpired(entry, now) || (entry_dead != nullptr && entry_dead(entry));
}

namespace
{

/* --- pages --------------------------------------------------------------------------------- */

/* Note an entry of the page, once. */
void
Note(PageView *view, const Entry *entry, TimestampTz now)
{
	for (int i = 0; i < view->count; i++)
	{
		if (view->entries[i].unit == UnitOf(entry))
			return;
	}

	Victim &candidate = view->entries[view->count++];

	candidate = VictimOf(entry);
	view->units += entry->units;
	if (!IsImage(entry) && !IsGone(entry, now))
		view->worth += candidate.priority * entry->units;
}

/*
 * Which entries have units in a page, and what would it cost to free it?  Extents are read while other
 * backends may write them, so only what the directory confirms is believed.  Directory lock held.
 */
void
ViewPage(uint32 page, PageView *view, TimestampTz now)
{
	uint64 free;
	UnitRef base = page * kUnitsPerPage;

	LWLockAcquire(map.allocator_lock, LW_SHARED);
	free = UnitsFreeIn(map.units, page);
	LWLockRelease(map.allocator_lock);

	view->count = 0;
	view->units = 0;
	view->worth = 0;
	for (uint32 i = page == 0; i < kUnitsPerPage;)
	{
		if ((free >> i & 1) != 0)
		{
			view->units++;
			i++;
			continue;
		}

		const Extent *extent = ExtentAt(base + i);
		uint32 length = *const_cast<volatile const uint32 *>(&extent->units);
		UnitRef owner = *const_cast<volatile const UnitRef *>(&extent->owner);
		const Entry *entry = ListedAt(owner);

		if (length == 0 || length > kUnitsPerPage - i)
			break;
		if (entry != nullptr && PinsOf(entry) == 0)
		{
			Note(view, entry, now);
			free |= (~UINT64CONST(0) >> (kUnitsPerPage - length)) << i;
		}
		i += length;
	}
	view->run = LongestRun(free);
	if (view->units > 0)
		view->worth /= static_cast<double>(view->units);
}

} // namespace

bool
ChoosePage(Choice *choice, TimestampTz now)
{
	Pool *pool = &map.shared->pool;
	PageView view;
	double lowest = 0;

	for (uint32 i = 0; i < Min(pool->count, kPagesCompared); i++)
	{
		const Victim &around = pool->items[pool->count - 1 - i];

		ViewPage(around.unit / kUnitsPerPage, &view, now);
		if (view.run < kRun || view.count == 0 || (choice->count > 0 && view.worth >= lowest))
			continue;
		lowest = view.worth;
		choice->count = view.count;
		memcpy(choice->victims, view.entries, sizeof(Victim) * static_cast<Size>(view.count));
	}
	return choice->count > 0;
}

} // namespace cq
