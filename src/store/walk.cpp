/*
 * walk.cpp
 *		Going over all linked entries in small steps: for the view, and to drop what is void.
 *
 * No step holds a lock over more than a few entries, and between two steps nothing is held at all:
 * so whoever walks can be interrupted, and can take as long as it likes.
 *
 * NextEntry() goes from bucket to bucket.  An entry never leaves its bucket while it is linked, so
 * each one that is linked all the time is met exactly once, however many others come and go.
 *
 * SweepSome() goes over the directory, which is dense: a cache with few entries is swept at once
 * however large it is.  The directory is in no order, and removal puts the last entry in the place
 * of the one that went.  So it goes from the end to the start: what it has not seen yet is below
 * its position and stays below, as entries move down only; one that moves down after it was seen
 * is merely tested twice.  What is linked after the start is not seen.
 *
 * Part of store.h.
 */
#include "pg.h"
#include "store/internal.h"

namespace cq
{

namespace
{

/* What one step of a sweep looks at under the directory's lock: entries, and bytes of their meta. */
constexpr uint32 kSweepEntries = 32;
constexpr uint32 kSweepBytes = 16 * 1024;

/* How many entries a cursor reads ahead, and how many empty buckets it passes in one step. */
constexpr uint32 kCursorEntries = 32;
constexpr uint32 kCursorBuckets = 4096;

/* The dead ones among the entries in the slots below `*below`, which is lowered. */
uint32
FindDead(EntryTicket *found, uint32 *below, EntryTestFn dead, void *arg)
{
	uint32 n = 0;
	uint32 bytes = 0;

	LWLockAcquire(map.directory_lock, LW_SHARED);
	*below = Min(*below, map.shared->nentries);
	for (uint32 i = 0; i < kSweepEntries && bytes<kSweepBytes && * below> 0; i++)
	{
		UnitRef unit = map.directory[--*below];
		const Entry *entry = EntryAt(unit);

		/* it can't be freed: before that it leaves the directory, and that needs the lock */
		bytes += entry->meta_len;
		if (dead(entry, arg))
			found[n++] = {entry->hash, entry->id, unit};
	}
	LWLockRelease(map.directory_lock);
	return n;
}

/*
 * Unlinks this very entry, which was seen in the directory a moment ago; false if it is no longer
 * linked.
 */
bool
UnlinkListed(const EntryTicket &listed, TimestampTz now)
{
	LWLock *lock = PartitionLock(listed.hash);
	UnitRef garbage = kNoUnit;
	Entry *entry;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	entry = LinkedAt(listed.hash, listed.unit, listed.id);
	if (entry != nullptr)
		UnlinkLocked(entry, now, &garbage);
	LWLockRelease(lock);
	FreeGarbage(garbage);
	return entry != nullptr;
}

/* All entries of a bucket into the batch; false if there is no room for them. */
bool
CollectBucket(EntryCursor *cursor, uint32 bucket)
{
	LWLock *lock = PartitionLock(bucket);
	uint32 n = cursor->count;

	LWLockAcquire(lock, LW_SHARED);
	for (UnitRef at = map.buckets[bucket]; at != kNoUnit; at = EntryAt(at)->next_in_bucket)
	{
		const Entry *entry = EntryAt(at);

		if (IsImage(entry))
			continue;
		if (n < cursor->room)
			cursor->batch[n] = {entry->hash, entry->id, at};
		n++;
	}
	LWLockRelease(lock);
	if (n > cursor->room)
		return false;
	cursor->count = n;
	return true;
}

/* The next batch; false at the end. */
bool
CollectBatch(EntryCursor *cursor)
{
	cursor->at = cursor->count = 0;
	while (cursor->bucket <= map.bucket_mask && cursor->count < kCursorEntries)
	{
		if (cursor->bucket % kCursorBuckets == 0)
			CHECK_FOR_INTERRUPTS();
		/* without the lock: what is linked at this moment may be missed */
		if (*static_cast<volatile UnitRef *>(&map.buckets[cursor->bucket]) != kNoUnit &&
			!CollectBucket(cursor, cursor->bucket))
		{
			cursor->room *= 2;
			cursor->batch = static_cast<EntryTicket *>(
				repalloc_huge(cursor->batch, cursor->room * sizeof(EntryTicket)));
			continue;
		}
		cursor->bucket++;
	}
	return cursor->count > 0;
}

} // namespace

EntryCursor *
BeginEntries(MemoryContext context)
{
	EntryCursor *cursor =
		static_cast<EntryCursor *>(MemoryContextAllocZero(context, sizeof(EntryCursor)));

	cursor->room = 2 * kCursorEntries;
	cursor->batch =
		static_cast<EntryTicket *>(MemoryContextAlloc(context, cursor->room * sizeof(EntryTicket)));
	return cursor;
}

Pin *
NextEntry(EntryCursor *cursor)
{
	do
	{
		while (cursor->at < cursor->count)
		{
			Pin *pin = PinTicket(cursor->batch[cursor->at++]);

			if (pin != nullptr)
				return pin;
		}
	}
	while (CollectBatch(cursor));
	return nullptr;
}

bool
SweepSome(uint32 *below, EntryTestFn dead, void *arg, uint64 *swept)
{
	EntryTicket found[kSweepEntries];
	uint32 n = FindDead(found, below, dead, arg);
	TimestampTz now = n > 0 ? GetCurrentTimestamp() : 0;

	for (uint32 i = 0; i < n; i++)
		*swept += UnlinkListed(found[i], now);
	return *below > 0;
}

uint32
LinkedEntries()
{
	return *static_cast<volatile uint32 *>(&map.shared->nentries);
}

void
VisitEntriesAlone(bool (*fn)(const Entry *entry, uint64 hits, void *arg), void *arg)
{
	for (uint32 i = 0; i < map.shared->nentries; i++)
	{
		const Entry *entry = EntryAt(map.directory[i]);

		if (!fn(entry, ReadAtomic(entry->state) >> kHitShift, arg))
			return;
	}
}

EntrySummary
Summarize(const Pin *pin)
{
	const Entry *entry = pin->entry;
	uint64 state = ReadAtomic(entry->state);
	EntrySummary summary;

	summary.id = entry->id;
	summary.hash = entry->hash;
	summary.facts = FactsOf(entry);
	summary.hits = state >> kHitShift;
	summary.last_hit = static_cast<TimestampTz>(ReadAtomic(entry->last_hit));
	summary.payload = entry->payload;
	summary.memory = entry->units * kUnitBytes;
	summary.pins = static_cast<uint32>(state & kPinMask);
	summary.key_len = entry->key_len;
	summary.meta_len = entry->meta_len;
	return summary;
}

} // namespace cq
