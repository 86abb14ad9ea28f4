/*
 * evict.cpp
 *		Memory of the store: taking units, giving them back, and evicting when there are none.
 *
 * Victims are chosen under the eviction lock and evicted without it.  A sample of unpinned entries
 * is taken at positions all over the directory (Steps).  Expired and dead ones of it go first, all of
 * them.  If it has none, many more entries are looked at for one, but a bounded number.  Then goes the
 * image that was not used for longest; else the answer that the policy values least of all that the
 * pool remembers (policy.h).  An image's own memory comes from the first two only: it takes no good
 * answer's place.  The sample is pinned, so that the owner's dead test can run without the locks of
 * the index.  A victim that somebody began to read meanwhile is spared.  So nobody waits for a
 * partition's lock while others wait for memory.
 *
 * Who wants a long run of units is not served with the crumbs of small entries: a large answer made
 * of them is slow to write and slow to read each time.  For him a page is cleared, the one around one
 * of the entries of least value whose entries are worth least together.  What is free in a page is
 * known from the allocator; whose the rest is, from the extents, each of which names its entry.  The
 * directory tells whether that is true: it lists linked entries only, so an entry that stands in the
 * slot that it names is one, and can't go while the directory's lock is held.
 *
 * How much of good answers' room a fill may take before its size is known: room.h.
 *
 * A victim's units are freed and taken under one hold of the allocator's lock: each eviction serves
 * the backend that paid for it, and nobody evicts in vain for others.
 */
#include "pg.h"

#include <bit>
#include <numeric>

#include "store/internal.h"

namespace cq
{

namespace
{

/* Slots of the directory that are looked at for one sample. */
constexpr uint64 kMaxProbes = 1024;

/* Entries that are looked at for one that is expired or dead before anything else goes, and how many
 * of them are fetched at once. */
constexpr uint64 kSearched = 64;
constexpr uint64 kFetched = 16;

/* Where a search found nothing just now, so many evictions do without.  A search takes tens of
 * microseconds, and who evicts all the time would spend most of its time on them. */
constexpr uint32 kSpared = 7;
constexpr int64 kJustNowUs = 10 * 1000;

/* Extents given back under one hold of the allocator's lock. */
constexpr int kFreeBatch = 128;

/* Choices in a row that came to nothing before we believe that everything is in use. */
constexpr int kMaxVain = 100;

/* Evictions for one request; others may take what they free. */
constexpr int kMaxSteps = 1000;

/* What is long enough for an extent of a large entry: 4 kB. */
constexpr uint32 kRun = 16;

/* Attempts to clear a page for a long run before short ones will do. */
constexpr int kMaxClearings = 4;

/* Pages that are compared before one is cleared. */
constexpr uint32 kPagesCompared = 2;

/* Entries of the pool that are looked at again under one hold of the directory's lock. */
constexpr int kMaxLooks = 32;

/* Answers of an owner that are compared before one goes. */
constexpr int kLooksAtOwn = 32;

/* Slots of the directory that are looked at for one of them under one hold of its lock, and how often. */
constexpr uint64 kPart = 128;
constexpr int kParts = 16;

/* What a backend asks for. */
struct Request
{
	uint32 want;
	uint32 least; // a run of fewer units is of no use
	Claim *claim;
	UnitRun run;  // what it got
	bool refused; // there are units, but not for this claim
};

/* What was pinned: answers, then images. */
struct Sample
{
	Entry *entries[2 * kSampled];
	int answers;
	int all;
};

/* What is to be evicted next. */
struct Choice
{
	Victim victims[kUnitsPerPage];
	int count;
	bool good;       // answers that could be served yet
	uint64 reserved; // of the claim, for them
	bool any;        // was there anything that is not in use?
	bool refused;    // by room.h
};

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

/*
 * All positions below n, each once, from a random one on.  Entries that were made one after the other
 * stand side by side and are often alike.  The golden section as stride spreads any number of
 * positions evenly, so that no such run of entries is all that a walk sees.
 */
struct Steps
{
	uint64 n;
	uint64 at;
	uint64 stride;
};

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

void
TakeSample(Sample *sample)
{
	LWLockAcquire(map.directory_lock, LW_SHARED);

	uint32 nimages = map.shared->nimages;

	sample->answers = PinSome(sample->entries, map.directory, map.shared->nentries);
	sample->all = sample->answers + PinSome(sample->entries + sample->answers,
											map.directory + map.directory_size - nimages, nimages);
	LWLockRelease(map.directory_lock);
}

TimestampTz
LastUse(const Entry *entry)
{
	uint64 last_hit = ReadAtomic(entry->last_hit);

	return last_hit != 0 ? static_cast<TimestampTz>(last_hit) : entry->published;
}

EvictionPolicy
PolicyFor(const Entry *entry)
{
	return IsImage(entry) ? EvictionPolicy::lru : static_cast<EvictionPolicy>(eviction_policy);
}

/* An entry that is pinned or listed, with what the policy makes of it. */
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

/* The linked entry that begins at this unit, if there is one.  Directory lock held. */
const Entry *
ListedAt(UnitRef unit)
{
	const StoreShared *shared = map.shared;

	if (unit == kNoUnit || unit > map.total_units)
		return nullptr;

	/* it may be anything that somebody is writing just now */
	const Entry *entry = EntryAt(unit);
	uint32 slot = *const_cast<volatile const uint32 *>(&entry->directory_slot);

	if (slot >= shared->nentries &&
		(slot >= map.directory_size || slot < map.directory_size - shared->nimages))
		return nullptr;
	return map.directory[slot] == unit ? entry : nullptr;
}

/* An image goes with its answer; whether that one is good is asked there. */
bool
IsGone(const Entry *entry, TimestampTz now)
{
	return IsExpired(entry, now) || (entry_dead != nullptr && entry_dead(entry));
}

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
 * Whose units are in a page, and what would it cost to clear it?  Extents are read that others may
 * write just now, so nothing is believed but what the directory confirms.  Directory lock held.
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

/* The page to clear, of those around the lowest entries of the pool.  Directory lock held. */
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
 * Take the entry of the lowest priority out of the pool, as it is now.  One that was used since goes
 * back to where it belongs.  Eviction and directory lock held.
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
Reserve(Choice *choice, const Request &request)
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

/* Good answers: the one of least value, or all of a page.  Eviction lock held. */
void
ChooseGood(Choice *choice, const Request &request, TimestampTz now)
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

/* What can't be served any more, all of the sample.  The rest of it goes into the pool. */
void
ChooseOfSample(Choice *choice, const Sample &sample, TimestampTz now)
{
	Pool *pool = &map.shared->pool;
	EvictionPolicy policy = static_cast<EvictionPolicy>(eviction_policy);

	if (pool->policy != policy)
		PoolClear(pool, policy);
	for (int i = 0; i < sample.answers; i++)
	{
		Victim candidate = VictimOf(sample.entries[i]);

		if (IsGone(sample.entries[i], now))
			choice->victims[choice->count++] = candidate;
		else
			PoolAdd(pool, candidate);
	}
}

/* Did a search find nothing just now?  Where it can look at all entries it always does. */
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
 * A few that can't be served any more, of many that are looked at.  No pins: a listed entry stays.
 * Eviction lock held.
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

	for (int i = sample.answers; i < sample.all; i++)
	{
		if (image == nullptr || LastUse(sample.entries[i]) < LastUse(image))
			image = sample.entries[i];
	}
	if (image != nullptr)
		choice->victims[choice->count++] = VictimOf(image);
}

void
Choose(Choice *choice, const Request &request, TimestampTz now)
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

/* --- evicting ------------------------------------------------------------------------------ */

/* Units that are free now.  Allocator lock held. */
void
TakeLocked(Request *request)
{
	Room *room = &map.shared->room;
	uint64 free = map.total_units - map.units->used;

	request->refused = free > 0 && !RoomForTaking(*room, *request->claim, free, request->want);
	if (request->refused)
		return;
	request->run = UnitsTake(map.units, request->want, request->least);
	if (request->run.count > 0)
		RoomTaken(room, request->claim, free, request->run.count);
}

void
TakeFree(Request *request)
{
	LWLockAcquire(map.allocator_lock, LW_EXCLUSIVE);
	TakeLocked(request);
	LWLockRelease(map.allocator_lock);
}

/* Give back a few extents of a chain; what is left of it.  Allocator lock held. */
UnitRef
GiveSome(UnitRef first, uint64 *freed)
{
	for (int i = 0; i < kFreeBatch && first != kNoUnit; i++)
	{
		/* read before the unit is anybody's */
		UnitRun extent = {first, ExtentAt(first)->units};
		UnitRef next = ExtentAt(first)->next;
		bool given = UnitsGive(map.units, extent);

		CqAssert(given);
		if (!given)
			return kNoUnit; /* it can't be ours: leave the rest alone */
		*freed += extent.count;
		first = next;
	}
	return first;
}

/* Free what was evicted; with the last of it take what is wanted, before anybody else can. */
void
FreeAndTake(UnitRef garbage, Choice *choice, bool last, Request *request)
{
	Room *room = &map.shared->room;

	while (garbage != kNoUnit)
	{
		UnitRef next = EntryAt(garbage)->next_in_bucket;

		for (UnitRef unit = garbage; unit != kNoUnit;)
		{
			uint64 freed = 0;

			LWLockAcquire(map.allocator_lock, LW_EXCLUSIVE);
			unit = GiveSome(unit, &freed);
			if (choice->good)
				RoomEvicted(room, freed);
			if (last && unit == kNoUnit && next == kNoUnit && request->want > 0)
			{
				RoomUnreserve(room, request->claim, choice->reserved);
				choice->reserved = 0;
				TakeLocked(request);
			}
			LWLockRelease(map.allocator_lock);
		}
		garbage = next;
	}
}

/* Unlink a victim unless it is gone or in use by now; what is nobody's then is garbage. */
bool
UnlinkVictim(const Victim &victim, TimestampTz now, UnitRef *garbage, bool *good)
{
	LWLock *lock = PartitionLock(victim.hash);
	Entry *entry;
	bool ours;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	entry = LinkedAt(victim.hash, victim.unit, victim.id);
	ours = entry != nullptr && PinsOf(entry) == 0;
	if (ours)
	{
		*good = !IsImage(entry) && !IsExpired(entry, now);
		UnlinkLocked(entry, now, garbage);
	}
	LWLockRelease(lock);
	return ours;
}

/* Many victims lie in as many places: ask for them at once, not one after the other. */
void
Prefetch(const Choice &choice)
{
	for (int i = 0; i < choice.count; i++)
		__builtin_prefetch(BucketOf(choice.victims[i].hash));
	/* whatever a bucket leads to just now: a wrong address does no harm here */
	for (int i = 0; i < choice.count; i++)
		__builtin_prefetch(
			EntryAt(*const_cast<volatile UnitRef *>(BucketOf(choice.victims[i].hash))));
}

/* Evict what was chosen and take what is wanted; false: all of it came into use meanwhile. */
bool
EvictChosen(Choice *choice, TimestampTz now, Request *request)
{
	int64 evictions = 0;
	int64 voided = 0;
	bool evicted = false;

	if (choice->count > 1)
		Prefetch(*choice);
	for (int i = 0; i < choice->count; i++)
	{
		UnitRef garbage = kNoUnit;
		bool good = false;

		evicted |= UnlinkVictim(choice->victims[i], now, &garbage, &good);
		evictions += choice->good && good;
		voided += !choice->good && good; /* neither an image nor expired, so dead */
		FreeAndTake(garbage, choice, i == choice->count - 1, request);
	}
	if (choice->reserved > 0)
	{
		LWLockAcquire(map.allocator_lock, LW_EXCLUSIVE);
		RoomUnreserve(&map.shared->room, request->claim, choice->reserved);
		LWLockRelease(map.allocator_lock);
	}
	if (evictions > 0)
		pg_atomic_fetch_add_u64(&map.shared->evictions, evictions);
	if (voided > 0)
		pg_atomic_fetch_add_u64(&map.shared->voided, voided);
	return evicted;
}

/* The worst of some entries that are not in use: one that can't be served any more, if there is one. */
struct Worst
{
	Victim victim;
	bool found;
	bool gone;
	TimestampTz now;
};

void
Look(Worst *worst, const Entry *entry)
{
	Victim victim = VictimOf(entry);

	if (worst->gone || PinsOf(entry) > 0)
		return;
	worst->gone = IsGone(entry, worst->now);
	if (!worst->found || worst->gone || victim.priority < worst->victim.priority)
		worst->victim = victim;
	worst->found = true;
}

/* Of the next few of an account's ring; which account that is. */
uint32
LookAlongRing(Worst *worst, const Owner &owner)
{
	uint32 number;

	LWLockAcquire(map.directory_lock, LW_EXCLUSIVE);
	number = AccountOf(map.shared->accounts, owner);

	Account *account = &map.shared->accounts[number];

	for (int i = 0; i < kLooksAtOwn && account->hand != kNoUnit && !worst->gone; i++)
	{
		Look(worst, EntryAt(account->hand));
		account->hand = EntryAt(account->hand)->ring_next;
	}
	LWLockRelease(map.directory_lock);
	return number;
}

/* Of a part of the directory: answers of an account that had no quota when they were linked. */
void
LookAround(Worst *worst, uint32 account)
{
	uint64 at = pg_prng_uint64(&pg_global_prng_state);
	int seen = 0;

	for (int part = 0; part < kParts && !worst->found; part++)
	{
		LWLockAcquire(map.directory_lock, LW_SHARED);
		for (uint64 i = 0; i < Min(uint64{map.shared->nentries}, kPart) && seen < kLooksAtOwn; i++)
		{
			const Entry *entry = EntryAt(map.directory[at++ % map.shared->nentries]);

			if (entry->account != account)
				continue;
			Look(worst, entry);
			seen++;
		}
		LWLockRelease(map.directory_lock);
	}
}

/* Evict something, and take up to `want` units of it; false: there is nothing that may go. */
bool
EvictSome(Request *request, int *vain)
{
	Choice choice;
	TimestampTz now = GetCurrentTimestamp();

	Choose(&choice, *request, now);
	if (choice.refused || (choice.count == 0 && !choice.any))
		return false;
	if (choice.count > 0 && EvictChosen(&choice, now, request))
		return true;
	return ++*vain < kMaxVain;
}

} // namespace

UnitRun
TakeUnits(uint32 want, Claim *claim)
{
	Request request = {want, want >= kRun ? kRun : 1, claim, {kNoUnit, 0}, false};
	int vain = 0;

	TakeFree(&request);
	for (int steps = 0; request.run.count == 0 && steps < kMaxSteps; steps++)
	{
		if (steps == kMaxClearings)
			request.least = 1;
		/* refused what is free: it may have what is void yet, but evict nothing that is good */
		if (!EvictSome(&request, &vain))
			break;
		/* others may have freed some, or taken what we freed */
		if (request.run.count == 0)
			TakeFree(&request);
	}
	if (request.run.count == 0 && request.least > 1)
	{
		request.least = 1;
		TakeFree(&request);
	}
	return request.run;
}

bool
EvictForDirectory(bool for_image)
{
	Claim claim = {};
	Request request = {0, 1, &claim, {kNoUnit, 0}, false};
	Choice choice;
	bool evicted = false;

	/* it is known how large it is */
	claim.image = for_image;
	claim.known = true;
	for (int vain = 0; vain < kMaxVain && !evicted; vain++)
	{
		TimestampTz now = GetCurrentTimestamp();

		Choose(&choice, request, now);
		if (choice.count == 0 && !choice.any)
			break;
		evicted = choice.count > 0 && EvictChosen(&choice, now, &request);
	}
	return evicted;
}

bool
EvictOwn(const Owner &owner)
{
	Worst worst = {};

	worst.now = GetCurrentTimestamp();

	uint32 account = LookAlongRing(&worst, owner);
	UnitRef garbage = kNoUnit;
	bool good = false;

	if (!worst.found && account != kSharedAccount)
		LookAround(&worst, account);
	if (!worst.found)
		return false;
	if (UnlinkVictim(worst.victim, worst.now, &garbage, &good) && good)
		pg_atomic_fetch_add_u64(worst.gone ? &map.shared->voided : &map.shared->evictions, 1);
	FreeGarbage(garbage);
	return true;
}

void
SettleClaim(Claim *claim, bool kept)
{
	if (claim->good == 0)
		return;
	LWLockAcquire(map.allocator_lock, LW_EXCLUSIVE);
	RoomSettled(&map.shared->room, claim, kept);
	LWLockRelease(map.allocator_lock);
}

void
PoolOffer(const Entry *entry)
{
	Pool *pool = &map.shared->pool;
	Victim candidate = VictimOf(entry);

	/* without the lock this may be misread while the pool changes: then the entry is sampled later */
	if (pool->count == 0 || !PoolWants(pool, candidate.priority) ||
		!LWLockConditionalAcquire(map.eviction_lock, LW_EXCLUSIVE))
		return;
	if (pool->policy == static_cast<EvictionPolicy>(eviction_policy))
		PoolAdd(pool, candidate);
	LWLockRelease(map.eviction_lock);
}

void
FreeChain(UnitRef first)
{
	uint64 freed = 0;

	while (first != kNoUnit)
	{
		LWLockAcquire(map.allocator_lock, LW_EXCLUSIVE);
		first = GiveSome(first, &freed);
		LWLockRelease(map.allocator_lock);
	}
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
