/*
 * sizes.cpp
 *		How large a result was the last time its query ran: see sizes.h.
 */
#include "pg.h"
#include "call/sizes.h"
#include "base/hint_table.h"

namespace cq
{
namespace
{

/* Smaller results need no note: any fill may take so much. */
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

Places<pg_atomic_uint64, 8192> places;

/* Of bits that do not choose its place. */
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
	uint64 note = pg_atomic_read_u64(&places.Of(hash));
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
	pg_atomic_uint64 *place = &places.Of(hash);
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
	places.RequestShmem();
}

void
SizesInitShmem()
{
	places.InitShmem("cached_query sizes");
}

} // namespace cq
