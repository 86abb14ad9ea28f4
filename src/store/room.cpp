/*
 * room.cpp
 *		How much memory fills may take before it is known that their entries are kept: see room.h.
 */
#include "store/room.h"

#include <algorithm>

namespace cq
{

namespace
{

/* Units that are free, and were not a good entry's. */
uint64_t
TrulyFree(const Room &room, uint64_t free)
{
	return free > room.excess ? free - room.excess : 0;
}

/* Of what was good entries' room, all charged claims together. */
uint64_t
ShareFor(const Room &room, const Claim &claim, uint64_t want)
{
	return claim.taken + want <= claim.pass ? room.expected : room.share;
}

} // namespace

void
RoomInit(Room *room, uint64_t total)
{
	room->share = total / kShareOf;
	room->expected = total / kExpectedOf;
	room->limit = total / kFillingOf;
	room->filling = 0;
	room->charged = 0;
	room->excess = 0;
}

bool
Charged(const Claim &claim, uint64_t want)
{
	return !claim.known && claim.taken + want > kFreePass;
}

bool
RoomForHolding(const Room &room, const Claim &claim, uint64_t want)
{
	if (!claim.image && (claim.known || claim.beside + claim.taken + want <= kFreePass))
		return true;
	return room.filling + claim.taken - claim.counted + want <= room.limit;
}

bool
RoomForTaking(const Room &room, const Claim &claim, uint64_t free, uint64_t want)
{
	return !Charged(claim, want) || TrulyFree(room, free) >= want ||
		   room.charged + want <= ShareFor(room, claim, want);
}

bool
RoomReserve(Room *room, Claim *claim, uint64_t want, uint64_t units, uint64_t *reserved)
{
	*reserved = 0;
	if (!Charged(*claim, want))
		return true;
	/* and it must be able to take what it needs then */
	if (room->charged + std::max(units, want) > ShareFor(*room, *claim, want))
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
	if (claim->image || claim->beside + claim->taken > kFreePass)
	{
		room->filling += claim->taken - claim->counted;
		claim->counted = claim->taken;
	}
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
	room->filling -= std::min(room->filling, claim->counted);
	if (!kept)
		room->excess += claim->good;
	claim->taken = 0;
	claim->counted = 0;
	claim->charged = 0;
	claim->good = 0;
}

} // namespace cq
