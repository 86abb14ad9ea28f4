/*
 * room.h
 *		How much memory fills may take before it is known that their entries are kept.
 *
 * What a query returns is known when it has ended, and a query may take as long as its caller likes.  So what
 * fills hold until then is bounded, for all of them together:
 *
 *		filling		units that fills hold whose entries are not kept yet: no more than a quarter of the
 *					memory, however much is free.  The rest is for entries, which others read.
 *
 * Most of what a fill evicted would be lost for nothing if its result turned out too large to be kept, or
 * its query were cancelled.  So fills take no more of what was good entries' room than a smaller share:
 *
 *		charged		units that they took of it
 *		excess		units that are free because a good entry was evicted; the next to take
 *					them takes a good entry's room, too
 *
 * A fill may take units that are free for another reason, up to the first bound; of the others, and of what it
 * would have to evict, no more than the share leaves, and an eviction is not begun unless the whole victim fits
 * that.  As long as it is no larger than its entry was the last time the share is an eighth of the memory, else a
 * sixteenth.  What any fill took of good entries' room counts as excess when the fill ends without being
 * kept: so one such fill after the other takes the same room, and doesn't evict anew.  By this, at any
 * moment, what is lost of good entries to fills that may come to nothing is no more than the share.
 *
 * Neither bound is asked for the first few units of a session's fills, without which no entry could be
 * kept, and who needs no more isn't counted; nor when the query has ended and all speaks for keeping its
 * entry.  An image takes no good entry's room at all, but it is held for as long as its client reads, so it is
 * under the first bound.
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
	uint64_t share;    // constant
	uint64_t expected; // constant: the same for what is no larger than the last time
	uint64_t limit;    // constant: of `filling`
	uint64_t filling;
	uint64_t charged;
	uint64_t excess;
};

/* Units that the fills of any session may take. */
constexpr uint64_t kFreePass = 64;

/* Parts of the memory: Room.share, .expected and .limit. */
constexpr uint64_t kShareOf = 16;
constexpr uint64_t kExpectedOf = 8;
constexpr uint64_t kFillingOf = 4;

/* Of one fill. */
struct Claim
{
	bool image;       // it must not take good entries' room at all
	bool known;       // its size is known, and it will be kept
	uint64_t pass;    // units that its entry took the last time, and some more
	uint64_t beside;  // units that other fills of this session held when it began
	uint64_t taken;   // units it has
	uint64_t counted; // part of Room.filling: all of them, or none if they are few
	uint64_t good;    // part of them that was good entries' room
	uint64_t charged; // part of Room.charged
};

extern void RoomInit(Room *room, uint64_t total);
/* Is it charged for the next `want` units if they are a good entry's room? */
extern bool Charged(const Claim &claim, uint64_t want);
/* May it hold `want` units more, wherever they come from? */
extern bool RoomForHolding(const Room &room, const Claim &claim, uint64_t want);
/* May it take `want` of `free` units? */
extern bool RoomForTaking(const Room &room, const Claim &claim, uint64_t free, uint64_t want);
/*
 * May it evict good entries of so many units for the `want` units it needs?  Then they are charged
 * until RoomUnreserve(), whatever other fills do meanwhile.
 */
extern bool RoomReserve(Room *room, Claim *claim, uint64_t want, uint64_t units,
						uint64_t *reserved);
extern void RoomUnreserve(Room *room, Claim *claim, uint64_t reserved);
/* It took `count` units when `free` were. */
extern void RoomTaken(Room *room, Claim *claim, uint64_t free, uint64_t count);
/* Units of good entries that were evicted became free. */
extern void RoomEvicted(Room *room, uint64_t count);
/* The fill ended: its entry is kept, or its units are free now. */
extern void RoomSettled(Room *room, Claim *claim, bool kept);

} // namespace cq
