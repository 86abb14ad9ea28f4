/*
 * hint_table.h
 *		A small table in shared memory of what was learned about queries or keys, by their hash.
 *
 * All hashes share its places: who comes last has one, and what is read is a hint that may be
 * somebody else's unless the place tells whose it is.  Nothing is locked: a place is one or a few
 * atomics, and who reads them while they change believes something wrong once.  All zero is an empty
 * place.
 */
#pragma once

#include "pg.h"
#include "base/shared.h"

namespace cq
{

template <typename Place, uint32 kPlaces> struct Places
{
	static_assert(sizeof(Place) % sizeof(pg_atomic_uint64) == 0);

	Place *places; /* of shared memory: kPlaces */

	Place &
	Of(uint64 hash) const
	{
		return places[hash % kPlaces];
	}

	static void
	RequestShmem()
	{
		RequestShared(sizeof(Place) * kPlaces);
	}

	void
	InitShmem(const char *name)
	{
		places = MakeOrFindShared<Place>(name, sizeof(Place) * kPlaces, [](Place *made) {
			pg_atomic_uint64 *atomics = reinterpret_cast<pg_atomic_uint64 *>(made);

			for (Size i = 0; i < sizeof(Place) / sizeof(*atomics) * kPlaces; i++)
				pg_atomic_init_u64(&atomics[i], 0);
		});
	}
};

} // namespace cq
