/*
 * room_test.cpp
 *		Fills against a cache that is full, or empty: what they hold and evict stays within bounds.
 *
 * sources: src/store/room.cpp
 *
 * The model has counts only: good, free, and what each fill holds.  Fills of known and of unknown
 * size come, grow, evict and end in any order.  What was evicted for fills that may come to nothing and has
 * not been replaced by an entry that was kept must never exceed the share, and what they hold no quarter.
 */
#include <cstdint>
#include <cstdio>
#include <vector>

#include "store/room.h"
#include "tap.h"

using namespace cq;
using tap::Done;
using tap::Ok;

namespace
{

struct Random
{
	uint64_t state;

	uint64_t
	Next(uint64_t below)
	{
		state ^= state >> 12;
		state ^= state << 25;
		state ^= state >> 27;
		return (state * UINT64_C(2685821657736338717) >> 11) % below;
	}
};

constexpr uint64_t kTotal = 16384;

struct Model
{
	Room room;
	uint64_t good;
	uint64_t free = 0;
	uint64_t evicted_for_unknown = 0;
	bool in_vain = false; // evicted, and might not take of it

	explicit Model(uint64_t good_units) : good(good_units), free(kTotal - good_units)
	{
		RoomInit(&room, kTotal);
	}

	/* As TakeUnits(): of what is free, else by evicting one entry; how many it got. */
	uint64_t
	Take(Claim *claim, uint64_t want, uint64_t victim)
	{
		for (int tries = 0; tries < 2; tries++)
		{
			if (!RoomForHolding(room, *claim, want))
				return 0;
			if (free > 0)
			{
				uint64_t count = want < free ? want : free;

				if (!RoomForTaking(room, *claim, free, want))
					return 0;
				RoomTaken(&room, claim, free, count);
				free -= count;
				return count;
			}

			uint64_t reserved;
			bool unknown = Charged(*claim, want);

			if (victim > good || !RoomReserve(&room, claim, want, victim, &reserved))
				return 0;
			RoomEvicted(&room, victim);
			RoomUnreserve(&room, claim, reserved);
			good -= victim;
			free += victim;
			evicted_for_unknown += unknown ? victim : 0;
			in_vain = in_vain || !RoomForTaking(room, *claim, free, want);
		}
		return 0;
	}

	void
	End(Claim *claim, bool kept)
	{
		(kept ? good : free) += claim->taken;
		RoomSettled(&room, claim, kept);
		*claim = {};
	}
};

void
TestTooLarge()
{
	Model m(kTotal);
	uint64_t held = 0;

	/* eight at a time, round after round, with nobody else about */
	for (int round = 0; round < 50; round++)
	{
		std::vector<Claim> claims(8);
		bool grew = true;

		while (grew)
		{
			grew = false;
			for (Claim &claim : claims)
				grew = m.Take(&claim, 64, 64) > 0 || grew;
		}
		held = 0;
		for (Claim &claim : claims)
			held += claim.taken;
		for (Claim &claim : claims)
			m.End(&claim, false);
	}
	/* each may have its free pass beside the share */
	Ok(held >= m.room.share && held <= m.room.share + 8 * kFreePass, "they share a sixteenth");
	Ok(m.evicted_for_unknown > 0 && m.evicted_for_unknown <= m.room.share,
	   "50 rounds evict no more than one");
	Ok(kTotal - m.good <= m.room.share + 8 * kFreePass, "the rest is there yet");
	Ok(m.room.charged == 0, "nothing is left charged");
}

/* All that this claim can get. */
uint64_t
TakeAll(Model *m, Claim *claim)
{
	uint64_t got = 0;

	while (uint64_t n = m->Take(claim, 64, 64))
		got += n;
	return got;
}

void
TestFreeMemory()
{
	Model m(0);
	Claim claim = {};
	Claim other = {};

	Ok(TakeAll(&m, &claim) == m.room.limit && claim.charged == 0,
	   "what is free, and was nobody's: a quarter of the memory");
	Ok(TakeAll(&m, &other) == kFreePass, "and who comes then has enough for a small entry");
	other.beside = kFreePass;
	m.End(&other, false);
	other.beside = kFreePass;
	Ok(m.Take(&other, 1, 1) == 0, "but no session has it twice");
	other = {};
	other.image = other.known = true;
	Ok(m.Take(&other, 1, 1) == 0, "nor an image");
	claim.known = true;
	Ok(TakeAll(&m, &claim) == kTotal - m.room.limit, "who is kept may have all");
	m.End(&claim, true);
	Ok(m.good == kTotal && m.room.filling == 0, "and keep it");
}

/* Any number of fills that grow as long as they can, whatever they know of their size. */
void
TestTogether(uint64_t good, uint64_t pass)
{
	Model m(good);

	for (int round = 0; round < 20; round++)
	{
		std::vector<Claim> claims(12);
		uint64_t held = 0;

		for (Claim &claim : claims)
		{
			claim.pass = pass;
			held += TakeAll(&m, &claim);
		}
		if (round == 0)
			Ok(held >= m.room.share && held <= m.room.limit + 12 * kFreePass,
			   "together they hold a quarter at most");
		for (Claim &claim : claims)
			m.End(&claim, false);
	}
	Ok(m.good >= good - (good == 0 ? 0 : m.room.expected + 12 * kFreePass),
	   "no more than an eighth of good entries is lost");
	Ok(m.room.filling == 0 && m.room.charged == 0, "nothing is left of them");
}

void
TestLargeVictim()
{
	Model m(kTotal);
	Claim unknown = {};
	Claim known = {};

	unknown.taken = kFreePass;
	known.known = true;
	Ok(m.Take(&unknown, 64, kTotal / 8) == 0, "an entry larger than the share is not evicted");
	Ok(m.Take(&known, 64, kTotal / 8) == 64, "but for one that will be kept");

	uint64_t got = 0;

	while (uint64_t n = m.Take(&unknown, 64, kTotal / 8))
		got += n;
	Ok(got <= m.room.share, "what was left of it is no gift to the other one");
}

void
TestPass()
{
	Model m(kTotal);
	Claim expected = {};
	Claim unknown = {};

	expected.pass = 4096;
	unknown.taken = kFreePass;
	Ok(TakeAll(&m, &expected) >= m.room.expected && m.room.charged <= m.room.expected,
	   "no larger than the last time: an eighth of good entries' room");
	Ok(m.Take(&unknown, 64, 64) == 0, "others have none of it then");
	m.End(&expected, true);
	expected.pass = 1024;
	Ok(TakeAll(&m, &expected) >= 1024 && m.room.charged <= m.room.share,
	   "larger than the last time: a sixteenth");
}

/* Everything at random; unknown fills are never kept, so that what they evict is in vain. */
void
TestRandom(uint64_t seed)
{
	Model m(kTotal);
	Random random = {seed};
	std::vector<Claim> fills(12);
	bool sound = true;

	for (int step = 0; step < 200000; step++)
	{
		Claim &claim = fills[random.Next(fills.size())];
		bool unknown = &claim - fills.data() < 8;
		uint64_t held = 0;

		claim.known = !unknown;
		if (random.Next(40) == 0)
			m.End(&claim, !unknown);
		else if (claim.taken < (unknown ? kTotal / 4 : 512))
			m.Take(&claim, 1 + random.Next(64), 1 + random.Next(2000));
		if (random.Next(500) == 0 && m.good > 100)
		{
			/* something expires */
			m.good -= 100;
			m.free += 100;
		}

		uint64_t charged = 0;
		uint64_t counted = 0;

		for (const Claim &c : fills)
		{
			charged += c.charged;
			counted += c.counted;
			held += c.taken;
		}
		sound = sound && charged == m.room.charged && charged <= m.room.share &&
				m.room.excess <= m.free && m.good + m.free + held == kTotal &&
				counted == m.room.filling && held - counted <= fills.size() * kFreePass;
	}
	Ok(sound, "random: charges add up and stay within the share");
	Ok(!m.in_vain, "random: who may evict may take");
}

} // namespace

int
main()
{
	TestTooLarge();
	TestFreeMemory();
	TestLargeVictim();
	TestPass();
	TestTogether(0, 0);
	TestTogether(0, kTotal);
	TestTogether(kTotal, 0);
	TestTogether(kTotal, kTotal);
	TestRandom(1);
	TestRandom(2);
	return Done();
}
