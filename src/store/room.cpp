/*
 * room.cpp
 *		How much room of good answers a fill may take before its size is known: see room.h.
 */
#include "store/room.h"

#include <algorithm>

namespace cq
{

namespace
{

/* Units that are free, and were not a good answer's. */
uint64_t
TrulyFree(const Room &room, uint64_t free)
{
	return free > room.excess ? free - room.excess : 0;
}

} // namespace

void
RoomInit(Room *room, uint64_t total)
{
	room->share = total / kShareOf;
	room->charged = 0;
	room->excess = 0;
}

bool
Charged(const Claim &claim, uint64_t want)
{
	return !claim.known && claim.taken + want > std::max(claim.pass, kFreePass);
}

bool
RoomForTaking(const Room &room, const Claim &claim, uint64_t free, uint64_t want)
{
	return !Charged(claim, want) || TrulyFree(room, free) >= want ||
		   room.charged + want <= room.share;
}

bool
RoomReserve(Room *room, Claim *claim, uint64_t want, uint64_t units, uint64_t *reserved)
{
	*reserved = 0;
	if (!Charged(*claim, want))
		return true;
	/* and it must be able to take what it needs then */
	if (room->charged + std::max(units, want) > room->share)
		return false;
	*reserved = units;
	room->charged += units;
	claim->charged += units;
	return true;
}

void
RoomUnreserve(Room *room, Claim *claim, uint64_t reserved)
{
	room->charged -= reserved;
	claim->charged -= reserved;
}

void
RoomTaken(Room *room, Claim *claim, uint64_t free, uint64_t count)
{
	uint64_t good;

	if (!Charged(*claim, count))
		good = std::min(room->excess, count); /* leave what is free for others */
	else
	{
		uint64_t truly = TrulyFree(*room, free);

		good = count > truly ? count - truly : 0;
		claim->charged += good;
		room->charged += good;
	}
	claim->taken += count;
	claim->good += good;
	room->excess = std::min(room->excess - std::min(room->excess, good), free - count);
}

void
RoomEvicted(Room *room, uint64_t count)
{
	room->excess += count;
}

void
RoomSettled(Room *room, Claim *claim, bool kept)
{
	room->charged -= std::min(room->charged, claim->charged);
	if (!kept)
		room->excess += claim->good;
	claim->charged = 0;
	claim->good = 0;
}

} // namespace cq
