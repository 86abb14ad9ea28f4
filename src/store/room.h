/*
 * room.h
 *		How much room of good answers a fill may take before its size is known.
 *
 * What a query returns is known when it has ended; most of what it evicted until then would be lost
 * for nothing if the result turned out too large to be kept.  So fills of unknown size together hold
 * no more of what was good answers' room than a small share of the memory:
 *
 *		charged		units that they took of it
 *		excess		units that are free because a good answer was evicted; the next to take
 *					them takes a good answer's room, too
 *
 * A fill of unknown size may take units that are free for another reason, as many as there are; of
 * the others, and of what it would have to evict, no more than the share leaves, and an eviction is
 * not begun unless the whole victim fits that.  What any fill took of good answers' room counts as
 * excess when the fill ends without being kept: so one such fill after the other takes the same room,
 * and doesn't evict anew.  By this, at any moment, what is lost of good answers to fills of unknown
 * size is no more than the share.
 *
 * A fill pays nothing for its first few units, without which no answer could be kept, and nothing as
 * long as it is no larger than its answer was the last time; nor does one whose size is known.
 *
 * Leaf code: no lock (the caller has the allocator's), no backend header.
 */
#pragma once

#include <cstdint>

namespace cq
{

/* In shared memory, protected by the allocator's lock. */
struct Room
{
	uint64_t share; // constant
	uint64_t charged;
	uint64_t excess;
};

/* Units that any fill may take. */
constexpr uint64_t kFreePass = 64;

/* The part of the memory that fills of unknown size share. */
constexpr uint64_t kShareOf = 16;

/* Of one fill. */
struct Claim
{
	bool image;       // it must not take good answers' room at all
	bool known;       // its size is known, and it will be kept
	uint64_t pass;    // units it may take as if its size were known
	uint64_t taken;   // units it has
	uint64_t good;    // part of them that was good answers' room
	uint64_t charged; // part of Room.charged
};

extern void RoomInit(Room *room, uint64_t total);
/* Is it charged for the next `want` units if they are a good answer's room? */
extern bool Charged(const Claim &claim, uint64_t want);
/* May it take `want` of `free` units? */
extern bool RoomForTaking(const Room &room, const Claim &claim, uint64_t free, uint64_t want);
/* May it evict good answers of this many units for the `want` units it needs?  Then they are charged
 * until RoomUnreserve(), whatever others do meanwhile. */
extern bool RoomReserve(Room *room, Claim *claim, uint64_t want, uint64_t units,
						uint64_t *reserved);
extern void RoomUnreserve(Room *room, Claim *claim, uint64_t reserved);
/* It took `count` units when `free` were. */
extern void RoomTaken(Room *room, Claim *claim, uint64_t free, uint64_t count);
/* Units of good answers that were evicted became free. */
extern void RoomEvicted(Room *room, uint64_t count);
/* The fill ended: its answer is kept, or its units are free now. */
extern void RoomSettled(Room *room, Claim *claim, bool kept);

} // namespace cq
