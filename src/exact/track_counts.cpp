/*
 * track_counts.cpp
 *		How often writes to tracked tables were announced by key, and how often for the whole table.
 *
 * A table that is often announced as a whole has a trigger that does not tell of all: the administrator sees it
 * here.  Tables get a place when a session first reads how they are tracked, and keep it.  If all places
 * are taken, those of others are not counted.
 *
 * Locking: atomic.
 *
 * Part of exact.h.
 */
#include "pg.h"
#include "base/shared.h"
#include "exact/slots.h"
#include "exact/tracking.h"

namespace cq::exact
{
namespace
{

constexpr uint32 kPlaces = 1024;
constexpr uint32 kProbes = 32;

struct Place
{
	pg_atomic_uint64 key; // database and relation; 0: free
	pg_atomic_uint64 by_key;
	pg_atomic_uint64 by_table;
};

struct Places
{
	pg_atomic_uint32 any; // is one taken?  Then it stays 1
	Place places[kPlaces];
};

Places *counts = nullptr;

/* Null: there is none.  A free one is taken if it may be. */
Place *
PlaceOf(Oid relation, bool take)
{
	const uint64 wanted = static_cast<uint64>(MyDatabaseId) << 32 | relation;
	const uint32 first =
		hash_bytes(reinterpret_cast<const unsigned char *>(&wanted), sizeof(wanted));

	for (uint32 i = 0; i < kProbes; i++)
	{
		Place *place = &counts->places[(first + i) % kPlaces];
		uint64 there = pg_atomic_read_u64(&place->key);

		if (there == 0 && take && pg_atomic_compare_exchange_u64(&place->key, &there, wanted))
			return place;
		if (there == wanted)
			return place;
		if (there == 0)
			return nullptr;
	}
	return nullptr;
}

} // namespace

void
NoteTracked(Oid relation)
{
	(void) PlaceOf(relation, true);
	pg_atomic_write_u32(&counts->any, 1);
}

void
CountTracked(Oid relation, bool by_key)
{
	Place *place;

	if (likely(pg_atomic_read_u32(&counts->any) == 0))
		return;
	place = PlaceOf(relation, false);
	if (place != nullptr)
		pg_atomic_fetch_add_u64(by_key ? &place->by_key : &place->by_table, 1);
}

TrackCounts
TrackCountsOf(Oid relation)
{
	Place *place = PlaceOf(relation, false);

	if (place == nullptr)
		return {0, 0};
	return {pg_atomic_read_u64(&place->by_key), pg_atomic_read_u64(&place->by_table)};
}

void
ResetTrackCounts()
{
	for (Place &place : counts->places)
	{
		pg_atomic_write_u64(&place.by_key, 0);
		pg_atomic_write_u64(&place.by_table, 0);
	}
}

void
RequestTrackCounts()
{
	RequestShared(sizeof(Places));
}

void
InitTrackCounts()
{
	counts = MakeOrFindShared<Places>("cached_query tracked tables", [](Places *made) {
		pg_atomic_init_u32(&made->any, 0);
		for (Place &place : made->places)
		{
			pg_atomic_init_u64(&place.key, 0);
			pg_atomic_init_u64(&place.by_key, 0);
			pg_atomic_init_u64(&place.by_table, 0);
		}
	});
}

} // namespace cq::exact
