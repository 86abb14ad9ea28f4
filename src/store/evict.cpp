/*
 * evict.cpp
 *		Memory of the store: taking units, giving them back, and evicting when there are none.
 *
 * Victims are chosen under the eviction lock and evicted without it.  A sample of unpinned entries
 * is taken at positions all over the directory (Steps).  Expired and dead ones of it go first, all of
 * them.  If it has none, many more entries are looked at for one, but a bounded number.  Then goes the
 * image that was not used for longest; else the entry that the policy values least of all that the
 * pool remembers (policy.h).  An image's own memory comes from the first two only: it takes no good
 * entry's place.  The sample is pinned, so that the owner's dead test can run without the locks of
 * the index.  A victim that somebody began to read meanwhile is spared.  So nobody waits for a
 * partition's lock while others wait for memory.
 *
 * Who wants a long run of units is not served with the crumbs of small entries: a large entry made
 * of them is slow to write and slow to read each time.  For him a page is cleared, the one around one
 * of the entries of least value whose entries are worth least together.  What is free in a page is
 * known from the allocator; whose the rest is, from the extents, each of which names its entry.  The
 * directory tells whether that is true: it lists linked entries only, so an entry that stands in the
 * slot that it names is one, and can't go while the directory's lock is held.
 *
 * How much a fill may take before it is known to be kept: room.h.
 *
 * A victim's units are freed and taken under one hold of the allocator's lock: each eviction serves
 * the backend that paid for it, and nobody evicts in vain for others.
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

/* Extents given back under one hold of the allocator's lock. */
constexpr int kFreeBatch = 128;

/* Attempts to free a page for a long run, before short runs are accepted. */
constexpr int kMaxClearings = 4;

/* Entries of an owner that are compared before one goes. */
constexpr int kLooksAtOwn = 32;

/* Slots of the directory that are looked at for one of them under one hold of its lock, and how often. */
constexpr uint64 kPart = 128;
constexpr int kParts = 16;

uint64 own_filling = 0; // units of this backend's fills that are not settled

/* --- evicting ------------------------------------------------------------------------------ */

/* Units that are free now.  Allocator lock held. */
void
TakeLocked(UnitRequest *request)
{
	Room *room = &map.shared->room;
	uint64 free = map.total_units - map.units->used;

	request->barred = !RoomForHolding(*room, *request->claim, request->want);
	request->refused = free > 0 && !RoomForTaking(*room, *request->claim, free, request->want);
	if (request->barred || request->refused)
		return;
	request->run = UnitsTake(map.units, request->want, request->least);
	if (request->run.count > 0)
	{
		RoomTaken(room, request->claim, free, request->run.count);
		own_filling += request->run.count;
	}
}

void
TakeFree(UnitRequest *request)
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
FreeAndTake(UnitRef garbage, Choice *choice, bool last, UnitRequest *request)
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

/*
 * Unlink a victim, unless it is already gone or was pinned since.  If nobody has it pinned, it goes on
 * the list of garbage.
 */
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

/* The victims lie at unrelated addresses: prefetch all of them at once. */
void
Prefetch(const Choice &choice)
{
	for (int i = 0; i < choice.count; i++)
		__builtin_prefetch(BucketOf(choice.victims[i].hash));
	/* what is read here may be out of date: to prefetch a wrong address does no harm */
	for (int i = 0; i < choice.count; i++)
		__builtin_prefetch(
			EntryAt(*const_cast<volatile UnitRef *>(BucketOf(choice.victims[i].hash))));
}

/* Evict what was chosen and take what is wanted; false: all of it came into use meanwhile. */
bool
EvictChosen(Choice *choice, TimestampTz now, UnitRequest *request)
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

/* The worst of some entries that nobody uses: one that can't be served any more, if there is one. */
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

/* Of a part of the directory: entries of an account that had no quota when they were linked. */
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
EvictSome(UnitRequest *request, int *vain)
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
	UnitRequest request = {want, want >= kRun ? kRun : 1, claim, {kNoUnit, 0}, false, false};
	int vain = 0;

	TakeFree(&request);
	for (int steps = 0; request.run.count == 0 && !request.barred && steps < kMaxSteps; steps++)
	{
		if (steps == kMaxClearings)
			request.least = 1;
		/* no free units are allowed: void entries may be evicted for it, but no good one */
		if (!EvictSome(&request, &vain))
			break;
		/* others may have freed some, or taken what we freed */
		if (request.run.count == 0)
			TakeFree(&request);
	}
	if (request.run.count == 0 && !request.barred && request.least > 1)
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
	UnitRequest request = {0, 1, &claim, {kNoUnit, 0}, false, false};
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

Claim
NewClaim(bool for_image)
{
	Claim claim = {};

	/* an image is never charged for good entries, so it needs no smaller limit here */
	claim.image = claim.known = for_image;
	claim.beside = own_filling;
	return claim;
}

void
SettleClaim(Claim *claim, bool kept)
{
	if (claim->taken == 0)
		return;
	own_filling -= Min(own_filling, claim->taken);
	if (claim->counted == 0 && claim->good == 0)
	{
		claim->taken = 0; /* a small one, of which nobody else knows */
		return;
	}
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
