/*
 * pins.h
 *		Which rows of a tracked table a plan has read: those with certain values of a key.
 *
 * Part of watch.h.
 */
#pragma once

#include "pg.h"
#include "exact/exact.h"

namespace cq
{

struct Watch;

constexpr int kMostPins = 64; /* of a relation; a run that reads more has read the table */

/* A value of a key, as writers tell it, or an interval of a column. */
struct PinnedKey
{
	AttrNumber column;
	bool range;
	uint32 hash; /* of an interval its first bucket */
	uint32 high; /* and its last one */
};

/* What the scans of a plan have read of a tracked table; in the watch's table of them. */
struct Grain
{
	Oid oid;    /* of the relation */
	bool whole; /* one of them may have read any row */
	int n;
	PinnedKey keys[kMostPins];
};

/* What is shown of an entry, for each of its relations. */
constexpr int16 kGrainTable = 0;    /* all rows count */
constexpr int16 kGrainUnread = -1;  /* none was read */
constexpr int16 kGrainKeys = -2;    /* of several keys; of one, it is the number of its column */
constexpr int16 kGrainNoKey = -3;   /* all rows count, though the table is tracked */
constexpr int16 kGrainRange = 4096; /* of an interval: the number of its column more than this */

/* Of these nodes (PlanState) of one plan, all of which have read a relation. */
extern void NotePins(Watch *watch, List *scans, const Bitmapset *constants);
/* Parameters that the plan's init plans have set once for the whole run, found at one node. */
extern Bitmapset *AddConstants(Bitmapset *constants, const PlanState *node);

/*
 * The slots that a result has to check for the rows of a relation, beside its WriteSlot(), appended to a list
 * (of int); and how it is shown.
 */
extern List *AddKeySlots(List *slots, const Watch &watch, Oid relation, int16 *grain);

} // namespace cq
