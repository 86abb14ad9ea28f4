/*
 * sizes.cpp
 *		How large an answer was the last time its query ran: see sizes.h.
 */
#include "pg.h"
#include "fill/sizes.h"

namespace cq
{
namespace
{

constexpr uint32 kPlaces = 8192;

/* Smaller answers need no note: any fill may take so much. */
constexpr uint64 kLeastNoted = 16 * 1024;

/* Too large is believed for so long; the seconds in a note wrap around after nine hours. */
constexpr uint32 kBelievedForS = 10;

/*
 *		 63              48  47  46          32 31               0
 *		+------------------+---+---------------+------------------+
 *		| part of the hash | L |    seconds    |       kB         |	L: too large; all zero: none
 *		+------------------+---+---------------+------------------+
 */
constexpr int kTagShift = 48;
constexpr uint64 kTooLarge = UINT64CONST(1) << 47;
constexpr int kSecondsShift = 32;
constexpr uint32 kSecondsMask = 0x7FFF;

pg_atomic_uint64 *places = nullptr; /* of shared memory: kPlaces */

pg_atomic_uint64 *
PlaceOf(uint64 hash)
{
	return &places[hash % kPlaces];
}

/* Of bits that PlaceOf() doesn't use. */
uint64
TagOf(uint64 hash)
{
	return hash >> kTagShift;
}

uint32
NowS()
{
	return static_cast<uint32>(GetCurrentTimestamp() / USECS_PER_SEC) & kSecondsMask;
}

} // namespace

SizeNote
RecallSize(uint64 hash)
{
	uint64 note = pg_atomic_read_u64(PlaceOf(hash));
	SizeNote known = {(note & PG_UINT32_MAX) * 1024, (note & kTooLarge) != 0};
	uint32 since = static_cast<uint32>(note >> kSecondsShift) & kSecondsMask;

	if (note == 0 || note >> kTagShift != TagOf(hash))
		return {0, false};
	if (known.too_large && ((NowS() - since) & kSecondsMask) >= kBelievedForS)
		return {0, false};
	return known;
}

void
NoteSize(uint64 hash, uint64 bytes, bool too_large)
{
	pg_atomic_uint64 *place = PlaceOf(hash);
	uint64 before = pg_atomic_read_u64(place);
	uint64 note = TagOf(hash) << kTagShift | Min((bytes + 1023) / 1024, uint64{PG_UINT32_MAX});

	if (too_large)
		note |= kTooLarge | static_cast<uint64>(NowS()) << kSecondsShift;
	else if (bytes < kLeastNoted && (before == 0 || before >> kTagShift != TagOf(hash)))
		return;
	if (note != before)
		pg_atomic_write_u64(place, note);
}

void
SizesRequestShmem()
{
	RequestAddinShmemSpace(sizeof(pg_atomic_uint64) * kPlaces);
}

void
SizesInitShmem()
{
	bool found;

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	places = static_cast<pg_atomic_uint64 *>(
		ShmemInitStruct("cached_query sizes", sizeof(pg_atomic_uint64) * kPlaces, &found));
	for (uint32 i = 0; i < kPlaces && !found; i++)
		pg_atomic_init_u64(&places[i], 0);
	LWLockRelease(AddinShmemInitLock);
}

} // namespace cq
