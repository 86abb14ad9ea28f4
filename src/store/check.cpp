/*
 * check.cpp
 *		Recounts the whole store, in builds with CQ_DEBUG.
 *
 * All locks are held meanwhile: eviction, partitions in rising order, directory, allocator (132
 * together; a backend may hold 200).  So the first contradiction is written into a static buffer
 * and only handed out after the locks are released.  The map of units in which extents are
 * marked is allocated before.
 *
 * Part of store.h.
 */
#include "pg.h"

#ifdef CQ_DEBUG

#include "store/internal.h"

namespace cq
{

namespace
{

struct Recount
{
	uint64 *marked; // a bit for each unit
	uint64 units;
	uint64 pins;
	uint64 payload;
	uint64 image_units;
	uint64 in_buckets;
	uint64 *by_account; // units
};

char problem[256];

#define WRONG(...) (snprintf(problem, sizeof(problem), __VA_ARGS__), false)

void
LockAll()
{
	LWLockAcquire(map.eviction_lock, LW_EXCLUSIVE);
	for (uint32 i = 0; i < kPartitions; i++)
		LWLockAcquire(&map.partition_locks[i].lock, LW_EXCLUSIVE);
	LWLockAcquire(map.directory_lock, LW_EXCLUSIVE);
	LWLockAcquire(map.allocator_lock, LW_EXCLUSIVE);
}

void
UnlockAll()
{
	LWLockRelease(map.allocator_lock);
	LWLockRelease(map.directory_lock);
	for (uint32 i = kPartitions; i-- > 0;)
		LWLockRelease(&map.partition_locks[i].lock);
	LWLockRelease(map.eviction_lock);
}

/* Mark the units of an extent as seen. */
bool
MarkExtent(Recount *count, UnitRef unit)
{
	const Extent *extent = ExtentAt(unit);

	if (!UnitsInUse(map.units, {unit, extent->units}))
		return WRONG("extent at %u of %u units is not in use", unit, extent->units);
	if (extent->used < sizeof(Extent) || extent->used > extent->units * kUnitBytes)
		return WRONG("extent at %u has %u bytes in %u units", unit, extent->used, extent->units);
	for (uint32 i = unit; i < unit + extent->units; i++)
	{
		uint64 bit = UINT64CONST(1) << (i % kUnitsPerPage);

		if ((count->marked[i / kUnitsPerPage] & bit) != 0)
			return WRONG("unit %u belongs to two extents", i);
		count->marked[i / kUnitsPerPage] |= bit;
	}
	return true;
}

/* The chain of one entry, against what its header says. */
bool
CheckChain(Recount *count, UnitRef first)
{
	const Entry *entry = EntryAt(first);
	uint64 units = 0;
	uint64 bytes = 0;
	uint64 expected = sizeof(Entry) + MAXALIGN(uint64{entry->key_len}) + entry->payload +
					  MAXALIGN(uint64{entry->meta_len});

	for (UnitRef unit = first; unit != kNoUnit; unit = ExtentAt(unit)->next)
	{
		if (!MarkExtent(count, unit))
			return false;
		if (ExtentAt(unit)->owner != first)
			return WRONG("extent at %u of the entry at %u says it is of %u", unit, first,
						 ExtentAt(unit)->owner);
		units += ExtentAt(unit)->units;
		bytes += ExtentAt(unit)->used - sizeof(Extent);
	}
	if (units != entry->units)
		return WRONG("entry at %u has " UINT64_FORMAT " units, says %u", first, units,
					 entry->units);
	if (bytes != expected)
		return WRONG("entry at %u has " UINT64_FORMAT " bytes, says " UINT64_FORMAT, first, bytes,
					 expected);
	count->units += units;
	if (IsImage(entry))
		count->image_units += units;
	else
		count->payload += entry->payload;
	count->pins += PinsOf(entry);
	if (entry->account >= kAccounts)
		return WRONG("entry at %u is charged to account %u", first, entry->account);
	count->by_account[entry->account] += units;
	return true;
}

/* Is it where the directory has entries of its kind? */
bool
InDirectory(const Entry *entry, UnitRef unit)
{
	uint32 slot = entry->directory_position;

	if (slot >= map.directory_size || map.directory[slot] != unit)
		return false;
	return IsImage(entry) ? slot >= map.directory_size - map.shared->nimages
						  : slot < map.shared->nentries;
}

bool
CheckBucket(Recount *count, uint32 bucket)
{
	uint64 entry_id = 0;

	for (UnitRef unit = map.buckets[bucket]; unit != kNoUnit;)
	{
		const Entry *entry = EntryAt(unit);

		if (++count->in_buckets > map.shared->nentries + uint64{map.shared->nimages})
			return WRONG("more entries in buckets than in the directory, at bucket %u", bucket);
		if ((entry->hash & map.bucket_mask) != bucket)
			return WRONG("entry at %u is in the wrong bucket %u", unit, bucket);
		if (IsUnlinked(entry))
			return WRONG("entry at %u is in bucket %u but unlinked", unit, bucket);
		if (IsImage(entry) && entry->image_of != entry_id)
			return WRONG("image at %u is not behind its entry", unit);
		entry_id = IsImage(entry) ? entry_id : entry->id;
		if (!InDirectory(entry, unit))
			return WRONG("entry at %u is not in its directory slot %u", unit,
						 entry->directory_position);
		if (!CheckChain(count, unit))
			return false;
		unit = entry->next_in_bucket;
	}
	return true;
}

bool
CheckAll(Recount *count)
{
	char why[160];

	if (!UnitsCheck(map.units, why, sizeof(why)))
		return WRONG("allocator: %s", why);
	for (uint32 bucket = 0; bucket <= map.bucket_mask; bucket++)
	{
		if (!CheckBucket(count, bucket))
			return false;
	}

	/*
	 * Each entry in a bucket has a slot of its own that leads back to it, so with equal numbers
	 * each slot's entry is in a bucket.
	 */
	if (count->in_buckets != map.shared->nentries + uint64{map.shared->nimages})
		return WRONG(UINT64_FORMAT " entries in buckets, %u + %u in the directory",
					 count->in_buckets, map.shared->nentries, map.shared->nimages);
	if (count->image_units != map.shared->image_units)
		return WRONG("images have " UINT64_FORMAT " units, counted " UINT64_FORMAT,
					 map.shared->image_units, count->image_units);
	if (count->payload != map.shared->payload)
		return WRONG("payload is " UINT64_FORMAT ", counted " UINT64_FORMAT, count->payload,
					 map.shared->payload);
	for (uint32 i = 0; i < kAccounts; i++)
	{
		if (count->by_account[i] != map.shared->accounts[i].units)
			return WRONG("account %u has " UINT64_FORMAT " units, counted " UINT64_FORMAT, i,
						 map.shared->accounts[i].units, count->by_account[i]);
	}
	if (map.shared->room.charged > map.shared->room.expected)
		return WRONG("fills have " UINT64_FORMAT " units of good entries",
					 map.shared->room.charged);
	if (count->units > map.units->used)
		return WRONG("entries have " UINT64_FORMAT " units, but " UINT64_FORMAT " are in use",
					 count->units, map.units->used);
	return true;
}

} // namespace

char *
CheckStore(uint64 *entries, uint64 *units, uint64 *pins, uint64 *unlinked_units, uint64 *filling)
{
	Recount count = {};
	bool sound;
	Size size = mul_size(map.units->npages, sizeof(uint64)); /* constant */

	count.marked = static_cast<uint64 *>(
		MemoryContextAllocExtended(CurrentMemoryContext, size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
	count.by_account = NewZeroedArray<uint64>(kAccounts);
	LockAll();
	sound = CheckAll(&count);
	*entries = map.shared->nentries;
	*units = map.units->used;
	*pins = count.pins;
	*unlinked_units = map.units->used - count.units;
	*filling = map.shared->room.filling;
	UnlockAll();
	pfree(count.marked);
	pfree(count.by_account);
	return sound ? nullptr : pstrdup(problem);
}

} // namespace cq

#endif // CQ_DEBUG
