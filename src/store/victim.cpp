/*
 * victim.cpp
 *		Which entry is evicted: what is gone, then images, then the least valuable.
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

/* Entries that are looked at for one that is expired or dead before anything else goes, and how many
 * of them are fetched at once. */
constexpr uint64 kSearched = 64;
constexpr uint64 kFetched = 16;

/*
 * A search that found nothing is not repeated for so many evictions.  A search takes tens of
 * microseconds, which would be most of the time of a backend that evicts all the time.
 */
constexpr uint32 kSpared = 7;
constexpr int64 kJustNowUs = 10 * 1000;

/* --- the choice ---------------------------------------------------------------------------- */

/* The aging value follows what is evicted.  Eviction lock held. */
void
RaiseAging(double evicted)
{
	double aging = std::bit_cast<double>(pg_atomic_read_u64(&map.shared->aging));
	double after = AgingAfter(static_cast<EvictionPolicy>(eviction_policy), aging, evicted);

	if (after != aging)
		pg_atomic_write_u64(&map.shared->aging, std::bit_cast<uint64>(after));
}

/*
 * Takes the entry of the lowest priority out of the pool, with its priority of now.  An entry that was
 * used since is put back at its new place.  Eviction and directory lock held.
 */
bool
TakeLowest(Victim *lowest)
{
	Pool *pool = &map.shared->pool;

	for (int looks = 0; looks < kMaxLooks && PoolTake(pool, lowest); looks++)
	{
		const Entry *entry = ListedAt(lowest->unit);

		if (entry == nullptr || entry->id != lowest->id || PinsOf(entry) > 0)
			continue;
		*lowest = VictimOf(entry);
		if (pool->count == 0 || lowest->priority <= pool->items[pool->count - 1].priority)
			return true;
		PoolAdd(pool, *lowest);
	}
	return false;
}

bool
Reserve(Choice *choice, const UnitRequest &request)
{
	uint64 units = 0;
	bool allowed;

	for (int i = 0; i < choice->count; i++)
		units += choice->victims[i].units;
	LWLockAcquire(map.allocator_lock, LW_EXCLUSIVE);
	allowed = RoomReserve(&map.shared->room, request.claim, request.want, units, &choice->reserved);
	LWLockRelease(map.allocator_lock);
	return allowed;
}

/* Good entries: the one of least value, or all of a page.  Eviction lock held. */
void
ChooseGood(Choice *choice, const UnitRequest &request, TimestampTz now)
{
	Victim lowest;

	LWLockAcquire(map.directory_lock, LW_SHARED);
	if (TakeLowest(&lowest))
	{
		choice->good = true;
		if (request.least > 1 && lowest.units < 2 * kRun)
		{
			PoolAdd(&map.shared->pool, lowest);
			ChoosePage(choice, now);
		}
		if (choice->count == 0)
			choice->victims[choice->count++] = lowest;
	}
	LWLockRelease(map.directory_lock);

	if (choice->count > 0 && (request.refused || !Reserve(choice, request)))
	{
		PoolAdd(&map.shared->pool, lowest);
		choice->count = 0;
		choice->refused = true;
	}
	if (choice->count > 0)
		RaiseAging(lowest.priority);
}

/* Takes all entries of the sample that can't be served any more.  The others go into the pool. */
void
ChooseOfSample(Choice *choice, const Sample &sample, TimestampTz now)
{
	Pool *pool = &map.shared->pool;
	EvictionPolicy policy = static_cast<EvictionPolicy>(eviction_policy);

	if (pool->policy != policy)
		PoolClear(pool, policy);
	for (int i = 0; i < sample.nentries; i++)
	{
		Victim candidate = VictimOf(sample.entries[i]);

		if (IsGone(sample.entries[i], now))
			choice->victims[choice->count++] = candidate;
		else
			PoolAdd(pool, candidate);
	}
}

/*
 * Did a search find nothing a short time ago?  If a search can look at all entries, it is always done.
 */
bool
SparedSearch(TimestampTz now)
{
	StoreShared *shared = map.shared;

	if (shared->nentries <= kSearched || shared->spared >= kSpared ||
		now - shared->vain_search >= kJustNowUs)
		return false;
	shared->spared++;
	return true;
}

/*
 * A few of many entries: those that can't be served any more.  No pins are needed: a listed entry
 * stays.  Eviction lock held.
 */
void
SearchGone(Choice *choice, TimestampTz now)
{
	const Entry *looked[kFetched];

	LWLockAcquire(map.directory_lock, LW_SHARED);

	uint64 left = Min(uint64{map.shared->nentries}, kSearched);
	Steps steps = StepsOver(Max(map.shared->nentries, 1));

	while (left > 0 && choice->count < kSampled)
	{
		uint64 n = Min(left, kFetched);

		for (uint64 i = 0; i < n; i++)
		{
			looked[i] = EntryAt(map.directory[NextStep(&steps)]);
			__builtin_prefetch(looked[i]);
			__builtin_prefetch(reinterpret_cast<const char *>(looked[i]) + PG_CACHE_LINE_SIZE);
		}
		for (uint64 i = 0; i < n; i++)
		{
			if (PinsOf(looked[i]) == 0 && IsGone(looked[i], now))
				choice->victims[choice->count++] = VictimOf(looked[i]);
		}
		left -= n;
	}
	LWLockRelease(map.directory_lock);
	map.shared->vain_search = choice->count == 0 ? now : 0;
	map.shared->spared = 0;
}

/* The image of the sample that was not used for longest. */
void
ChooseImage(Choice *choice, const Sample &sample)
{
	const Entry *image = nullptr;

	for (int i = sample.nentries; i < sample.all; i++)
	{
		if (image == nullptr || LastUse(sample.entries[i]) < LastUse(image))
			image = sample.entries[i];
	}
	if (image != nullptr)
		choice->victims[choice->count++] = VictimOf(image);
}

} // namespace

void
Choose(Choice *choice, const UnitRequest &request, TimestampTz now)
{
	Sample sample;

	choice->count = 0;
	choice->good = false;
	choice->reserved = 0;
	LWLockAcquire(map.eviction_lock, LW_EXCLUSIVE);
	TakeSample(&sample);
	ChooseOfSample(choice, sample, now);
	if (choice->count == 0 && !SparedSearch(now))
		SearchGone(choice, now);
	if (choice->count == 0)
		ChooseImage(choice, sample);
	for (int i = 0; i < sample.all; i++)
		UnpinRaw(sample.entries[i]);
	choice->any = sample.all > 0;
	choice->refused = false;
	if (choice->count == 0 && !request.claim->image)
		ChooseGood(choice, request, now);
	LWLockRelease(map.eviction_lock);
}

} // namespace cq
