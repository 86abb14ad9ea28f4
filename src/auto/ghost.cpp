/*
 * ghost.cpp
 *		Would the result of the last run still be valid?
 */
#include "pg.h"
#include "validity/lookup.h"
#include "auto/ghost.h"
#include "base/hint_table.h"

namespace cq
{
namespace
{

constexpr int kGhostSlots =
	22; /* slots, two in a word; if there are more, the last ones are ignored */

struct Place
{
	/* all atomic; if a reader sees parts of two ghosts, one prediction is wrong */
	pg_atomic_uint64 key; /* its hash; 0: none.  Written last */
	pg_atomic_uint64 position;
	pg_atomic_uint64 as_of;
	pg_atomic_uint64 run_us;
	pg_atomic_uint64 generation_and_count; /* generation * 64 + slots */
	pg_atomic_uint64 slots[kGhostSlots / 2];
};
static_assert(sizeof(Place) == 128);
static_assert(kGhostSlots < 64);

Places<Place, 8192> places;

/* What is too old for one is good for the other: they don't share a ghost. */
uint64
HashOf(const Lookup &lookup)
{
	return lookup.exact ? lookup.key.hash : ~lookup.key.hash;
}

uint64
KeyOf(const Lookup &lookup)
{
	return HashOf(lookup) | 1;
}

Place &
PlaceOf(const Lookup &lookup)
{
	return places.Of(HashOf(lookup) >> 1);
}

struct Slots
{
	exact::SlotNo numbers[kGhostSlots];
	uint32 count;
};

void
Add(Slots *slots, exact::SlotNo slot)
{
	if (slots->count < kGhostSlots)
		slots->numbers[slots->count++] = slot;
}

Slots
SlotsOf(const Lookup &lookup, List *relations, List *row_slots)
{
	Slots slots = {};
	ListCell *cell;

	Add(&slots, exact::kSlotClear);
	Add(&slots, exact::DatabaseSlot(MyDatabaseId));
	if (lookup.exact)
	{
		Add(&slots, exact::AllRowsSlot(MyDatabaseId));
		foreach (cell, row_slots)
			Add(&slots, static_cast<exact::SlotNo>(lfirst_int(cell)));
	}
	foreach (cell, relations)
		Add(&slots, exact::DdlSlot(MyDatabaseId, lfirst_oid(cell)));
	return slots;
}

} // namespace

GhostReport
ReadGhost(const Lookup &lookup)
{
	Place &place = PlaceOf(lookup);
	const uint64 head = pg_atomic_read_u64(&place.generation_and_count);
	const uint64 position = pg_atomic_read_u64(&place.position);
	const uint32 count = Min(static_cast<uint32>(head % 64), static_cast<uint32>(kGhostSlots));
	const int64 run_us = static_cast<int64>(pg_atomic_read_u64(&place.run_us));

	if (pg_atomic_read_u64(&place.key) != KeyOf(lookup) || head / 64 != exact::Generation() ||
		lookup.now - static_cast<int64>(pg_atomic_read_u64(&place.as_of)) >= LifeFor(*lookup.call))
		return {};
	for (uint32 i = 0; i < count; i++)
	{
		const uint64 pair = pg_atomic_read_u64(&place.slots[i / 2]);
		const exact::SlotNo slot = static_cast<exact::SlotNo>(i % 2 == 0 ? pair : pair >> 32);

		if (!exact::IsSlot(slot))
			return {};
		if (exact::Check(slot, lookup.view, position) != exact::SlotCheck::valid)
			return {0, true, slot, run_us};
	}
	return {run_us, false, 0, run_us};
}

void
LeaveGhost(const Lookup &lookup, List *relations, List *row_slots, int64 run_us)
{
	Place &place = PlaceOf(lookup);
	const Slots slots = SlotsOf(lookup, relations, row_slots);

	/* retires the writers that our snapshot sees: otherwise they would seem to have written after this run */
	if (exact::CheckAll(slots.numbers, slots.count, lookup.view, lookup.view.pos) !=
		exact::SlotCheck::valid)
		return;
	pg_atomic_write_u64(&place.key, 0);
	pg_write_barrier();
	pg_atomic_write_u64(&place.position, lookup.view.pos);
	pg_atomic_write_u64(&place.as_of, static_cast<uint64>(lookup.now));
	pg_atomic_write_u64(&place.run_us, static_cast<uint64>(Max(run_us, INT64CONST(1))));
	pg_atomic_write_u64(&place.generation_and_count, exact::Generation() * 64 + slots.count);
	for (uint32 i = 0; i < slots.count; i += 2)
	{
		const uint64 second = i + 1 < slots.count ? slots.numbers[i + 1] : 0;

		pg_atomic_write_u64(&place.slots[i / 2], slots.numbers[i] | (second << 32));
	}
	pg_write_barrier();
	pg_atomic_write_u64(&place.key, KeyOf(lookup));
}

void
GhostRequestShmem()
{
	places.RequestShmem();
}

void
GhostInitShmem()
{
	places.InitShmem("cached_query ghosts");
}

} // namespace cq
