/*
 * sizes.h
 *		How large a result was the last time its query ran.
 *
 * A fill may take no more than a small share of good entries' room before its size is known (store/room.h),
 * but as much as its result took the last time; and nobody need wait for, or make room for, a result
 * that was too large to be kept: its rows are handed out while the query runs.  That is believed for
 * some seconds only, as nobody counts the rows then.
 *
 * It stands in a small table in shared memory: hint_table.h.
 */
#pragma once

#include "pg.h"

namespace cq
{

struct SizeNote
{
	uint64 bytes;   /* 0: nothing is known */
	bool too_large; /* it was not kept because of it */
};

/* Of the result under a key with this hash. */
extern SizeNote RecallSize(uint64 hash);
extern void NoteSize(uint64 hash, uint64 bytes, bool too_large);

extern void SizesRequestShmem();
extern void SizesInitShmem();

} // namespace cq
