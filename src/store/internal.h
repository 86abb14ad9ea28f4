/*
 * internal.h
 *		What the files of this room share among themselves.
 *
 * Locks, in the order in which they may be taken:
 *		1. eviction		one LWLock: one backend at a time chooses victims; it is not held while
 *						they are evicted, and nobody waits for a partition under it
 *		2. partition	128 LWLocks: buckets whose number ends in these 7 bits, next_in_bucket and
 *						the unlinked flag of the entries there; several only in rising order
 *		3. directory	one LWLock: the array of linked entries and what is summed over it
 *		4. allocator	one LWLock: Units
 * and last, inside the owner's dead test, whatever that takes.  No lock is held while memory of
 * the backend is allocated; nothing under a lock raises, waits or reads a file.
 *
 * Part of store.h.
 */
#pragma once

#include "store/account.h"
#include "store/entry.h"
#include "store/policy.h"
#include "store/room.h"

namespace cq
{

constexpr uint32 kPartitions = 128;

struct StoreShared
{
	pg_atomic_uint64 next_id;
	pg_atomic_uint64 evictions;
	pg_atomic_uint64 expirations;
	pg_atomic_uint64 voided;
	char pad[PG_CACHE_LINE_SIZE - 4 * sizeof(pg_atomic_uint64)];

	pg_atomic_uint64 aging; // bits of a double; read by each hit, raised under the eviction lock
	char pad2[PG_CACHE_LINE_SIZE - sizeof(pg_atomic_uint64)];

	pg_atomic_uint64 pinned; // units, see pin.cpp; a hit on a small entry doesn't touch it
	char pad3[PG_CACHE_LINE_SIZE - sizeof(pg_atomic_uint64)];

	/* protected by the directory's lock */
	uint32 nentries; // linked, without images
	uint32 nimages;
	uint64 payload;     // of linked entries
	uint64 image_units; // of linked images
	Account accounts[kAccounts];

	Room room; // protected by the allocator's lock
	Pool pool; // protected by the eviction lock; PoolOffer() looks at it first without

	/* protected by the eviction lock: searches for what can't be served any more */
	TimestampTz vain_search; // when the last one found nothing, 0: it found something
	uint32 spared;           // evictions since that did without
};

static_assert(std::is_standard_layout_v<StoreShared>);

/* Where the store lies; the same in all processes, set by StoreInitShmem(). */
struct StoreMap
{
	StoreShared *shared;
	UnitRef *buckets;   // each protected by its partition's lock
	UnitRef *directory; // entries from the start, images from the end; protected by its lock
	Units *units;       // protected by the allocator's lock
	char *memory;       // unit 0
	uint32 bucket_mask;
	uint32 directory_size;
	uint64 total_units;

	LWLockPadded *partition_locks;
	LWLock *eviction_lock;
	LWLock *directory_lock;
	LWLock *allocator_lock;
};

extern StoreMap map;
extern EntryDeadFn entry_dead; // may be null

/* Backend-local: a hit's pin, or a fill. */
struct Pin
{
	Pin *prev; // among the pins that are held; next also in the free list
	Pin *next;
	Entry *entry;        // null in a record that holds nothing (yet)
	ResourceOwner owner; // may be null: then Unpin() or backend exit
	uint32 units;        // of the entry, as they were counted

	/* of a fill: where it writes */
	bool filling;
	Claim claim;    // on the store's memory
	Extent *extent; // written to
	char *at;       // next byte
	char *end;      // of the extent
	Extent *tail;   // last extent, after `extent` when space was taken in advance
	uint64 spare;   // room in the extents after `extent`
	uint64 bytes;   // length of the stream, Entry included
	uint64 rows;    // tuples reserved or appended
};

inline Extent *
ExtentAt(UnitRef unit)
{
	return reinterpret_cast<Extent *>(map.memory + static_cast<Size>(unit) * kUnitBytes);
}

inline UnitRef
UnitOf(const Extent *extent)
{
	return static_cast<UnitRef>((reinterpret_cast<const char *>(extent) - map.memory) /
								static_cast<ptrdiff_t>(kUnitBytes));
}

inline Entry *
EntryAt(UnitRef unit)
{
	return reinterpret_cast<Entry *>(ExtentAt(unit) + 1);
}

inline Extent *
FirstExtent(Entry *entry)
{
	return reinterpret_cast<Extent *>(entry) - 1;
}

inline UnitRef
UnitOf(const Entry *entry)
{
	return UnitOf(reinterpret_cast<const Extent *>(entry) - 1);
}

inline LWLock *
PartitionLock(uint64 hash)
{
	return &map.partition_locks[hash % kPartitions].lock;
}

inline UnitRef *
BucketOf(uint64 hash)
{
	return &map.buckets[hash & map.bucket_mask];
}

/* --- store.cpp: index ---------------------------------------------------------------------- */
/* Take a linked entry and its images out of bucket and directory.  Partition lock held exclusive.
 * Those that nobody has pinned are put on a list: FreeGarbage(), best after releasing the lock. */
extern void UnlinkLocked(Entry *entry, TimestampTz now, UnitRef *garbage);
extern void FreeGarbage(UnitRef garbage);
/* The same by somebody who has it pinned, and with the locking; false if it was done before. */
extern bool UnlinkPinned(Entry *entry, TimestampTz now);
/* This very entry if it is still linked, partition lock held. */
extern Entry *LinkedAt(uint64 hash, UnitRef unit, uint64 id);
/* Pin this very entry if it is still linked; nullptr if not. */
extern Pin *PinListed(uint64 hash, UnitRef unit, uint64 id);
/* Append to the directory and charge it.  Partition lock held exclusive.  An image is charged to the
 * account of its entry. */
enum class Added
{
	yes,
	full,
	over_quota
};
extern Added DirectoryAdd(Entry *entry, const Owner &owner);
/* Whom a linked entry is charged to.  Its partition lock is held, so that it stays so. */
extern Owner OwnerOf(const Entry *entry);

/* --- pin.cpp ------------------------------------------------------------------------------- */
extern Pin *NewPin();                        // may raise: before anything is held
extern void DiscardPin(Pin *pin);            // of one that holds nothing
extern void HoldPin(Pin *pin, Entry *entry); // on behalf of CurrentResourceOwner
extern void SealPin(Pin *pin);               // its entry is complete, and no longer ours alone
/* Pins without a record: nothing that could raise may happen before the unpin. */
extern void PinRaw(Entry *entry);
extern void UnpinRaw(Entry *entry);
/*
 * The end of a look-up, in two steps.  With the partition lock held: the entry that was found, pinned;
 * nullptr if none was found or it has as many pins as can be counted.
 */
inline Entry *
PinFound(Entry *entry)
{
	if (unlikely(entry == nullptr || PinsOf(entry) >= kMaxPins))
		return nullptr;
	PinRaw(entry);
	return entry;
}
/* Without the lock: the record that was made before holds this pin; nullptr if there is none. */
inline Pin *
HoldFound(Pin *pin, Entry *entry)
{
	if (entry == nullptr)
	{
		DiscardPin(pin);
		return nullptr;
	}
	HoldPin(pin, entry);
	return pin;
}

/* --- evict.cpp: memory --------------------------------------------------------------------- */
/* Up to `want` units, evicting when none is free, or no run that will do; count 0 when everything
 * left is pinned, or is a good entry and the claim may not evict it, or the claim may hold no more. */
extern UnitRun TakeUnits(uint32 want, Claim *claim);
extern Claim NewClaim(bool for_image); // of a fill that begins
/* The fill ended: its entry is kept, or its units were given back. */
extern void SettleClaim(Claim *claim, bool kept);
/* Make room in the directory; false when everything left is pinned, or a good entry. */
extern bool EvictForDirectory(bool for_image);
/* A linked entry that is pinned: is it the next to go? */
extern void PoolOffer(const Entry *entry);
/* Give a chain back. */
extern void FreeChain(UnitRef first);
/* Give back the units of an extent from `keep` on. */
extern void TrimExtent(Extent *extent, uint32 keep);

/* --- read.cpp ------------------------------------------------------------------------------ */
extern bool KeyIs(const Entry *entry, const void *key, uint32 key_len);
extern bool SameKey(const Entry *a, const Entry *b);

/* --- write.cpp ----------------------------------------------------------------------------- */
/* As BeginFill(); image_of as in Entry. */
extern Pin *BeginEntry(uint64 hash, const void *key, uint32 key_len, uint64 image_of);
/* The last bytes of the stream; false when there is no room for them. */
extern bool WriteMeta(Pin *fill, const void *meta, uint32 meta_len);

} // namespace cq
