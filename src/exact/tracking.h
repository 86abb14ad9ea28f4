/*
 * tracking.h
 *		Which rows of a table a transaction has changed, by the values of some of its columns, its keys.
 *
 * A table is tracked if it has the row trigger that cached_query_track() makes.  The trigger counts every change
 * that it is told of, and notes the keys of the old row and of the new one.  Before the transaction commits,
 * its counts are compared with those that heapam keeps in the transaction's statistics.  If they are equal, the trigger has been told
 * of all changes, and the transaction is listed in the slots of these keys.  If they are not, it is listed in
 * the table's WriteSlot(), as for a table without the trigger.  So the trigger is not trusted: what it is not told of voids too much, and never too little.
 *
 * A result that reads only rows with a certain key lists the slot of this key, and the WriteSlot().
 *
 * Part of exact.h.
 */
#pragma once

#include "exact/buckets.h"
#include "exact/exact.h"
#include "exact/message.h"

extern "C" {
#include "commands/trigger.h"
#include "utils/rel.h"
}

namespace cq::exact
{

/* --- what is tracked (tracking.cpp) ---------------------------------------------------------- */

constexpr int kMostKeys = 8; // columns
constexpr int kMostQuiet = 64;
constexpr int kMostRanges = 4; // columns; each changed row takes kMostHolding slots of each

/* The trigger that counts: if there are several, the others' word is not taken. */
struct Tracking
{
	Oid oid; // of the relation
	bool valid;
	bool stale;  // a message came while it was read
	Oid trigger; // 0: none, not tracked
	MemoryContext context;
	int nkeys;
	AttrNumber keys[kMostKeys];
	Oid hash_procs[kMostKeys]; // of the columns' types
	FmgrInfo *hashes;
	Bitmapset *quiet; // attribute numbers
	int nranges;
	AttrNumber ranges[kMostRanges];
	Oid range_types[kMostRanges]; // without domains
};

/*
 * *tracking is null if it is not tracked, and valid until the next call.  False: that can't be told now, since its
 * definition is being read anew again and again.
 */
extern bool TrackingOf(Relation relation, const Tracking **tracking);
/*
 * Of one that isn't tracked: could it be, without any change of its own?  A superuser may make the function of its trigger ours.
 */
extern bool MayBecomeTracked(Relation relation);
extern void ForgetTracking(Oid relation); // InvalidOid: of all

/* Its place in `keys`; -1: the column is none. */
extern int KeyNumber(const Tracking &tracking, AttrNumber column);

/* The hash function by which writers tell values of the column. */
extern Oid HashProcOf(Form_pg_attribute column);
/* Why tracking by this column is not possible; null: it is. */
extern const char *WhyNoKey(TupleDesc desc, AttrNumber column);
/* --- columns by the order of their values (ranges.cpp) */
/* As KeyNumber() and WhyNoKey(). */
extern int RangeNumber(const Tracking &tracking, AttrNumber column);
extern const char *WhyNoRange(TupleDesc desc, AttrNumber column);
/* Of a value of a type that HasOrder(), which is no domain. */
extern bool HasOrder(Oid type);
extern int64 Ordinal(Oid type, Datum value);
extern uint32 BucketOf(Oid type, int64 ordinal);

/* The list of an argument of the trigger, as names (char *); false: it is none. */
extern bool ColumnNames(const char *argument, ::List **names);
/* Is this the function of our trigger?  By what it is, whatever its name and the search path. */
extern bool IsTracker(Oid function);
/* What keeps the trigger from telling of all changes by these keys; null: nothing. */
extern const char *WhyNotTracked(Relation relation, Oid trigger);

/* What a row without a value in the column has instead of a hash. */
constexpr uint32 kHashOfNull = 0x9e3779b9;

/* --- what an update changed (compare_rows.cpp) ----------------------------------------------- */

struct Differences
{
	bool rows; // a column that isn't quiet
	bool quiet;
};
extern Differences Compare(const Tracking &tracking, TupleDesc desc, HeapTuple before,
						   HeapTuple after);

/* --- what was told in this transaction (told.cpp) -------------------------------------------- */

/* From the trigger. */
extern void Tell(const TriggerData &change);
/* Was the trigger told of exactly so many changes of level 1, and are their keys known? */
extern bool AllTold(const PgStat_TableXactStatus &counted);
/*
 * What it was told of in the levels of subtransactions that are open.  False: nothing, or the keys are not known, or there are
 * too many levels to look through.
 */
constexpr int kMostOpenLevels = 64;
struct Changes
{
	int64 inserted;
	int64 updated;
	int64 deleted;
};
extern bool ToldSoFar(Oid relation, Changes *changes);
/* The slots that the transaction is to be listed in for it, kMostToldSlots at most. */
constexpr int kMostNotedKeys = 128; // of a table; a transaction that changes more voids the table
constexpr int kMostToldSlots = kMostNotedKeys + 2;
extern int ToldSlots(Oid relation, const SlotNo **slots);
/* The file of all these changes, as standbys know it; its number is 0: they can't be told by a file. */
extern File ToldIn(Oid relation);
extern void ForgetTold();
extern void InitTold();

/* --- what standbys are told (tell_standbys.cpp) ---------------------------------------------- */

extern bool tell_standbys; // the setting
extern void DefineTellSetting();

/* Are changes of rows to be noted?  Those who tell standbys note them from the first one on. */
extern bool RowsWanted();

/* In which file the changes of a relation were. */
struct FileTold
{
	File file; // number 0: nothing was noted
	bool several;
};
extern void NoteFile(FileTold *told, Relation relation);

/* Messages of servers of this kind mean here what they mean there. */
extern MessageKind KindOfMessages();
/* Before commit or prepare: the message is made of the relations of which all changes were told. */
extern void BeginTelling();
extern void TellOf(Oid relation);
extern void TellStandbys();
/* Of the record of a message of ours; false: it is another one. */
extern bool IsOurMessage(XLogReaderState *record, const char **message, Size *size);

/* --- how often that worked (track_counts.cpp) ------------------------------------------------ */

struct TrackCounts
{
	uint64 by_key;
	uint64 by_table;
};
extern void NoteTracked(Oid relation);
extern void CountTracked(Oid relation, bool by_key); // if it is noted
extern TrackCounts TrackCountsOf(Oid relation);
extern void ResetTrackCounts();
extern void RequestTrackCounts();
extern void InitTrackCounts();

#ifdef CQ_DEBUG
/* 1: keys of old rows are not noted; 2: counts are not compared; 3: nor are own keys with a result's; 4: nodes of one
 * level are not noted */
extern int debug_track_lie;
#endif

} // namespace cq::exact
