/*
 * entry.h
 *		How an entry lies in shared memory.
 *
 * An entry is a chain of extents, each a run of units (units.h) that begins with an Extent:
 *
 *		+--------+-------+-----+--------+--------+    +--------+--------+--------+------+
 *		| Extent | Entry | key | tuple, tuple, tu| -> | Extent | ple, tuple, ..  | meta |
 *		+--------+-------+-----+--------+--------+    +--------+--------+--------+------+
 *
 * What follows the Entry is one dense stream: key, tuples and meta each begin at a multiple of 8
 * bytes, and so does each tuple.  A piece that does not fit an extent goes on in the next one;
 * as extents are multiples of 8 too, the first 8 bytes of a tuple are never torn apart.
 *
 * From publication on, everything is constant but for the atomics, next_in_bucket and
 * directory_position.  A pin keeps the chain from being freed, nothing else does.
 *
 * A wire image (image.cpp) is an Entry, too: other bytes for the rows of an entry.  image_of is the id
 * of that entry.  The image has its hash, a key of another form and no meta.  It stands in the bucket
 * behind its entry, with nothing but images of the same entry between them, and is unlinked together
 * with it.  So images are found by way of their linked entry only.
 *
 * Part of store.h.
 */
#pragma once

#include <type_traits>

#include "store/store.h"
#include "store/units.h"

namespace cq
{

struct Extent
{
	UnitRef next;  // kNoUnit: the last one
	uint32 units;  // length of the run
	uint32 used;   // bytes written, this header included
	UnitRef owner; // first unit of the entry it belongs to
};

/* A place in the stream; offset from the start of the extent, may be its very end. */
struct Position
{
	UnitRef unit;
	uint32 offset;
};

struct Entry
{
	/*
	 * First cache line, with the extent's header: all that a look-up and a hit touch.
	 *
	 *		 63                          25  24  23                 0
	 *		+-------------------------------+---+--------------------+
	 *		|             hits              | U |        pins        |	state
	 *		+-------------------------------+---+--------------------+
	 *
	 * U: unlinked, that is, in no bucket; who unpins an unlinked entry last frees it.  It is
	 * changed under the partition's lock exclusive; pins and hits need no lock, but the first
	 * pin of somebody who found the entry in a bucket (or in the directory) is taken under that
	 * lock, so that it comes before the unlinking or not at all.
	 */
	pg_atomic_uint64 state;
	uint64 hash;
	pg_atomic_uint64 last_hit; // TimestampTz, 0 = never
	pg_atomic_uint64 ttl_us;   // int64, only raised
	pg_atomic_uint64 aging;    // bits of a double: the policy's L at the last use
	UnitRef next_in_bucket;    // protected by the partition's lock
	uint32 key_len;

	uint64 id; // never used twice until the next restart
	TimestampTz published;
	uint64 payload;            // bytes of tuples, alignment included
	uint32 units;              // in all extents
	uint32 directory_position; // protected by the directory's lock
	Position tuples;           // first tuple
	Position meta;             // first byte of meta
	uint32 meta_len;
	bool sealed;                // complete: its pins are counted by size, see pin.cpp
	uint32 account;             // whom its memory is charged to: account.h, as the ring
	UnitRef ring_prev;          // of the account's entries; kNoUnit: it is not in it;
	UnitRef ring_next;          // both protected by the directory's lock
	uint64 image_of;            // 0: no image; else the id of the entry this is an image of
	pg_atomic_uint64 image_due; // hits before which no image is made of this entry
	EntryFacts facts;           // but for ttl_us, see above
};

constexpr uint64 kPinOne = 1;
constexpr uint64 kPinMask = (UINT64CONST(1) << 24) - 1;
constexpr uint64 kUnlinked = UINT64CONST(1) << 24;
constexpr uint64 kHitOne = UINT64CONST(1) << 25;
constexpr int kHitShift = 25;
/*
 * Far below the mask.  A backend that finds more takes its pin back, and until then even the pins of
 * all backends fit.
 */
constexpr uint64 kMaxPins = UINT64CONST(1) << 23;

static_assert((kPinMask & kUnlinked) == 0 && kPinMask + 1 == kUnlinked);
static_assert(kHitOne == kUnlinked << 1 && kHitOne == UINT64CONST(1) << kHitShift);
static_assert(kMaxPins + 0x3FFFF < kPinMask, "every backend may be one pin too far");

constexpr uint32 kStreamStart = sizeof(Extent) + sizeof(Entry); // in the first extent

static_assert(sizeof(Extent) == 16);
static_assert(std::is_standard_layout_v<Extent> && std::is_standard_layout_v<Entry>);
static_assert(sizeof(Entry) % MAXIMUM_ALIGNOF == 0 && kUnitBytes % MAXIMUM_ALIGNOF == 0);
static_assert(MAXIMUM_ALIGNOF == 8, "tuples may be split at multiples of 8");
static_assert(kStreamStart <= kUnitBytes, "an extent of one unit can begin an entry");
static_assert(sizeof(Extent) + offsetof(Entry, id) == 64, "a hit touches one cache line");

/* pg_atomic_read_u64() wants a pointer to non-const. */
inline uint64
ReadAtomic(const pg_atomic_uint64 &value)
{
	return pg_atomic_read_u64(const_cast<pg_atomic_uint64 *>(&value));
}

inline uint32
PinsOf(const Entry *entry)
{
	return static_cast<uint32>(ReadAtomic(entry->state) & kPinMask);
}

inline bool
IsUnlinked(const Entry *entry)
{
	return (ReadAtomic(entry->state) & kUnlinked) != 0;
}

inline bool
IsImage(const Entry *entry)
{
	return entry->image_of != 0;
}

/* Older than anybody asked for?  (The sum as_of + ttl could overflow.) */
inline bool
IsExpired(const Entry *entry, TimestampTz now)
{
	return now - entry->facts.as_of >= static_cast<int64>(ReadAtomic(entry->ttl_us));
}

} // namespace cq
