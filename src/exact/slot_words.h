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
	uint32 of[kRoom]; // 0 where the slot has no things
	uint32 retired;
};

/* What a snapshot makes of them. */
struct Judgement
{
	uint64 gone[kRoom];    // to be retired
	uint32 gone_of[kRoom]; // what each has changed
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
/* Regions of mixed slots, by the bits that a thing's number has of them; of numbers that there are not, some slot. */
constexpr int kHashBits = 25;
constexpr int kStripeBits = 3;
constexpr uint32 kMixedFirst[8] = {kFirstMixed,
								   kFirstMixed + 32768,
								   kFirstMixed + 65536,
								   kFirstMixed + 81920,
								   kFirstMixed + 98304,
								   0,
								   0,
								   0};
constexpr uint32 kMixedMask[8] = {4095, 4095, 2047, 2047, 2047, 0, 0, 0}; /* of one stripe */

/* For any number: it may come from a damaged entry. */
inline uint32
SlotIndex(SlotNo no)
{
	if (likely((no & kThing) == 0))
		return no < kSlots ? no : kSlotAllDdl;

	const uint32 region = no >> (kHashBits + kStripeBits) & 7;

	return kMixedFirst[region] + (no >> kHashBits & 7) * (kMixedMask[region] + 1) +
		   (no & kMixedMask[region]);
}
/* The slot of whatever it is. */
inline Slot &
SlotFor(SlotNo no)
{
	return shared->slots[SlotIndex(no)];
}
/* What its words are about; null: of all alike. */
inline Things *
ThingsFor(SlotNo no)
{
	const uint32 slot = SlotIndex(no);

	return slot < kFirstMixed ? nullptr : &shared->things[slot - kFirstMixed];
}
/* What is noted beside the word: 0 for all of the slot. */
inline uint32
ThingIn(SlotNo no)
{
	return (no & kThing) != 0 ? no : 0;
}

/* --- sent.cpp */

/* Under the lock: the messages about this are out; 0: about all of the slot. */
extern void NoteSent(Slot &slot, Things *things, uint32 thing);

/* --- slot_check.cpp */

/* The place of this transaction's word, whatever bits were added to it; -1 if it isn't there. */
extern int Find(SlotNo no, uint64 word);
/* Without the lock if nobody is at it. */
extern void ReadContents(SlotNo no, Contents *contents);
/* Which of the listed transactions object, and which are history? */
extern void Judge(SlotNo no, const Contents &contents, const Moment &m, Judgement *judgement);
/*
 * Take out what the snapshot at `pos` has seen complete.  The slot may have changed since we read
 * it: a word that got a bit more or was retired by another is left alone.  One that came meanwhile
 * was not complete when our snapshot was taken, so it isn't among ours.
 */
extern void Retire(SlotNo no, const Judgement &judgement, uint64 pos);

} // namespace cq::exact
