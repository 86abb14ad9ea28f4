/*
 * walk.cpp
 *		Going over all linked entries: for the views, and to drop many at once.
 *
 * The directory is in no order, and removal puts the last entry in the place of the one that went.
 * VisitEntries() therefore copies it first and finds each entry again when its turn comes, so
 * that none is shown twice.  SweepEntries() must not allocate: it goes from the end to the start
 * in small batches.  What it has not seen yet is below its position and stays below, as entries
 * move down only; one that moves down after it was seen is merely tested twice.
 */
#include "pg.h"

#include "store/internal.h"

namespace cq
{

namespace
{

constexpr uint32 kSweepBatch = 32;

/* Enough to find an entry again. */
struct Listed
{
	uint64 hash;
	uint64 id;
	UnitRef unit;
};

uint32
CountEntries()
{
	uint32 n;

	LWLockAcquire(map.directory_lock, LW_SHARED);
	n = map.shared->nentries;
	LWLockRelease(map.directory_lock);
	return n;
}

/* Copy the directory if it has at most `room` entries; returns how many it has. */
uint32
CopyDirectory(Listed *to, uint32 room)
{
	uint32 n;

	LWLockAcquire(map.directory_lock, LW_SHARED);
	n = map.shared->nentries;
	for (uint32 i = 0; n <= room && i < n; i++)
	{
		const Entry *entry = EntryAt(map.directory[i]);

		to[i] = {entry->hash, entry->id, map.directory[i]};
	}
	LWLockRelease(map.directory_lock);
	return n;
}

/* Pin the entries in the slots below `*below`, kSweepBatch at most, and lower it by as many. */
uint32
PinBatch(Entry **batch, uint32 *below)
{
	uint32 n = 0;

	LWLockAcquire(map.directory_lock, LW_SHARED);
	*below = Min(*below, map.shared->nentries);
	while (*below > 0 && n < kSweepBatch)
	{
		batch[n] = EntryAt(map.directory[--*below]);
		PinRaw(batch[n++]);
	}
	LWLockRelease(map.directory_lock);
	return n;
}

} // namespace

void
VisitEntries(EntryVisitFn fn, void *arg)
{
	Listed *list = nullptr;
	uint32 room = CountEntries();
	uint32 n;
	bool more = true;

	/* it may grow while we allocate */
	for (;;)
	{
		room += room / 8 + 16;
		list = static_cast<Listed *>(
			MemoryContextAllocHuge(CurrentMemoryContext, room * sizeof(Listed)));
		n = CopyDirectory(list, room);
		if (n <= room)
			break;
		pfree(list);
		room = n;
	}
	for (uint32 i = 0; i < n && more; i++)
	{
		Pin *pin = PinListed(list[i].hash, list[i].unit, list[i].id);

		if (pin == nullptr)
			continue;
		more = fn(pin, arg);
		Unpin(pin);
	}
	pfree(list);
}

uint64
SweepEntries(bool (*dead)(const Entry *entry, void *arg), void *arg)
{
	Entry *batch[kSweepBatch];
	uint32 below = PG_UINT32_MAX;
	uint64 swept = 0;
	TimestampTz now = GetCurrentTimestamp();

	/* the pins have no owner, so nothing may take us away from here */
	HOLD_INTERRUPTS();
	while (uint32 n = PinBatch(batch, &below))
	{
		for (uint32 i = 0; i < n; i++)
		{
			if (dead(batch[i], arg) && UnlinkPinned(batch[i], now))
				swept++;
			UnpinRaw(batch[i]);
		}
	}
	RESUME_INTERRUPTS();
	return swept;
}

void
VisitEntriesAlone(void (*fn)(const Entry *entry, uint64 hits, void *arg), void *arg)
{
	for (uint32 i = 0; i < map.shared->nentries; i++)
	{
		const Entry *entry = EntryAt(map.directory[i]);

		fn(entry, ReadAtomic(entry->state) >> kHitShift, arg);
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
