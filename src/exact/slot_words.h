/*
 * slot_words.h
 *		The words of a slot, and how they change.
 *
 * Part of exact.h.
 */
#pragma once

#include "pg.h"
#include "exact/slots.h"

namespace cq::exact
{

/* A slot's contents at one moment. */
struct Contents
{
	uint64 words[kRoom];
	uint64 overflow;
};

/* What a snapshot makes of them. */
struct Judgement
{
	uint64 gone[kRoom]; // to be retired
	int ngone;
	uint64 overflow; // to be cleared, if it is still that; 0 = not
	bool in_ddl;
	bool crowded;
};

/* --- slots.cpp */

/* Take the lock and make readers that look now come back. */
extern void BeginChange(Slot &slot);
/*
 * Everything of before is void.  `now` was taken before the lock, and after the change was seen
 * complete, or is 0 if it was noted before; it is stored first, so that who sees the new `last`
 * sees when it came.
 */
extern void RaiseLast(Slot &slot, uint64 pos, int64 now);
/* Tell readers what is left, `last` before `state`. */
extern void EndChange(Slot &slot);

/* --- slot_check.cpp */

/* The word's place, whatever bits were added to it; null if it isn't there. */
extern pg_atomic_uint64 *Find(Slot &slot, uint64 word);
/* Without the lock if nobody is at it. */
extern void ReadContents(Slot &slot, Contents *contents);
/* Which of the listed transactions object, and which are history? */
extern void Judge(SlotNo no, const Contents &contents, const Moment &m, Judgement *judgement);
/*
 * Take out what the snapshot at `pos` has seen complete.  The slot may have changed since we read
 * it: a word that got a bit more or was retired by another is left alone.  One that came meanwhile
 * was not complete when our snapshot was taken, so it isn't among ours.
 */
extern void Retire(Slot &slot, const Judgement &judgement, uint64 pos);

} // namespace cq::exact
