/*
 * told.cpp
 *		What the trigger of tracked tables was told of in this transaction: how many changes, and of which keys.
 *
 * Counts belong to a level of subtransactions, as those of the statistics do: when a level is rolled back, its
 * counts go with it, and else they become those of the level around it.  An AFTER ROW trigger that is not
 * deferrable is called before the statement ends, so in the level in which the row was changed.  Keys that were
 * noted stay when their level is rolled back: that voids too much.
 *
 * Locking: everything here belongs to the process, and its memory ends with the transaction.
 *
 * Part of exact.h.
 */
#include "pg.h"
#include "base/oid_table.h"
#include "exact/slots.h"
#include "exact/tracking.h"

extern "C" {
#include "catalog/pg_collation.h"
}

namespace cq::exact
{

#ifdef CQ_DEBUG
int debug_track_lie = 0;
#endif

namespace
{

struct Table;

/* Changes of a table in a level. */
struct Count
{
	Table *table;
	Count *outer; // of the same table
	Count *next;  // of the same level
	int level;
	int64 inserted;
	int64 updated;
	int64 deleted;
};

/* A key whose slot is noted. */
struct Noted
{
	AttrNumber column; // 0: none yet
	uint32 hash;
};

struct Table
{
	Oid oid;                    // of the relation
	Count *counts;              // of the innermost level first
	bool overflow;              // more keys than are noted
	FileTold file;              // where standbys see them
	bool any[2];                // is AnyRowSlot() of this Change among the slots?
	Noted latest[2][kMostKeys]; // by Change: rows that follow each other often have the same keys
	Noted latest_buckets[2][kMostRanges];
	int n;
	SlotNo slots[kMostToldSlots];
};

/* Levels that have counts, the innermost first. */
struct Level
{
	int level;
	Count *first;
	Level *outer;
};

struct Told
{
	OidTable<Table> tables;
	Level *levels;
	Table *last; // the one asked for last
};

constexpr Told nothing = {{"cached_query told changes", nullptr, 0}, nullptr, nullptr};

Told told = nothing;

Table *
TableOf(Oid relation)
{
	Table *table;
	bool found;

	if (likely(told.last != nullptr && told.last->oid == relation))
		return told.last;
	table = told.tables.Enter(relation, &found, TopTransactionContext);
	if (!found)
	{
		table->counts = nullptr;
		table->overflow = false;
		table->file = {};
		table->any[0] = table->any[1] = false;
		memset(static_cast<void *>(table->latest), 0, sizeof(table->latest));
		memset(static_cast<void *>(table->latest_buckets), 0, sizeof(table->latest_buckets));
		table->n = 0;
	}
	told.last = table;
	return table;
}

Level *
InnermostLevel(int level)
{
	if (told.levels == nullptr || told.levels->level != level)
	{
		Level *made =
			static_cast<Level *>(MemoryContextAlloc(TopTransactionContext, sizeof(Level)));

		*made = {level, nullptr, told.levels};
		told.levels = made;
	}
	return told.levels;
}

Count *
CountOf(Table *table)
{
	const int level = GetCurrentTransactionNestLevel();
	Count *count = table->counts;
	Level *list;

	if (likely(count != nullptr && count->level == level))
		return count;
	list = InnermostLevel(level);
	count = static_cast<Count *>(MemoryContextAllocZero(TopTransactionContext, sizeof(Count)));
	count->table = table;
	count->outer = table->counts;
	count->next = list->first;
	count->level = level;
	table->counts = list->first = count;
	return count;
}

/* --- the end of a level ---------------------------------------------------------------------- */

void
Drop(Count *count)
{
	count->table->counts = count->outer;
	pfree(count);
}

/* Into a level that has counts, too. */
void
MoveCounts(Level *from, Level *to)
{
	Count *next;

	for (Count *count = from->first; count != nullptr; count = next)
	{
		Count *outer = count->outer;

		next = count->next;
		if (outer != nullptr && outer->level == to->level)
		{
			outer->inserted += count->inserted;
			outer->updated += count->updated;
			outer->deleted += count->deleted;
			Drop(count);
			continue;
		}
		count->level = to->level;
		count->next = to->first;
		to->first = count;
	}
}

void
DropCounts(Level *level)
{
	Count *next;

	for (Count *count = level->first; count != nullptr; count = next)
	{
		next = count->next;
		Drop(count);
	}
}

/* Allocates nothing and raises nothing. */
void
EndLevel(bool committed)
{
	Level *level = told.levels;
	Level *outer = level->outer;

	if (committed && (outer == nullptr || outer->level != level->level - 1))
	{
		/* the level around it has none: it takes over the list */
		level->level--;
		for (Count *count = level->first; count != nullptr; count = count->next)
			count->level--;
		return;
	}
	if (committed)
		MoveCounts(level, outer);
	else
		DropCounts(level);
	told.levels = outer;
	pfree(level);
}

void
OnSubXact(SubXactEvent event, SubTransactionId, SubTransactionId, void *)
{
	if (told.levels == nullptr || told.levels->level < GetCurrentTransactionNestLevel())
		return;
	if (event == SUBXACT_EVENT_COMMIT_SUB || event == SUBXACT_EVENT_ABORT_SUB)
		EndLevel(event == SUBXACT_EVENT_COMMIT_SUB);
}

/* --- keys ------------------------------------------------------------------------------------ */

void
AddSlot(Table *table, SlotNo slot)
{
	/* neighbours in a bulk load have the same key */
	for (int i = table->n - 1; i >= 0; i--)
	{
		if (table->slots[i] == slot)
			return;
	}
	if (table->n == kMostToldSlots)
		table->overflow = true;
	else
		table->slots[table->n++] = slot;
}

void
AddAny(Table *table, Change change)
{
	bool &done = table->any[static_cast<int>(change)];

	if (!done)
		AddSlot(table, AnyRowSlot(table->oid, change));
	done = true;
}

void
AddKeys(Table *table, const Tracking &tracking, TupleDesc desc, HeapTuple row, Change change)
{
	for (int i = 0; i < tracking.nkeys && !table->overflow; i++)
	{
		bool null;
		const Datum value = heap_getattr(row, tracking.keys[i], desc, &null);
		const uint32 hash =
			null ? kHashOfNull
				 : DatumGetUInt32(FunctionCall1Coll(&tracking.hashes[i], C_COLLATION_OID, value));

		Noted &latest = table->latest[static_cast<int>(change)][i];

		if (latest.column == tracking.keys[i] && latest.hash == hash)
			continue;
		AddSlot(table, KeySlot(table->oid, tracking.keys[i], hash, change));
		latest = {tracking.keys[i], hash};
	}
}

void
AddRanges(Table *table, const Tracking &tracking, TupleDesc desc, HeapTuple row, Change change)
{
	for (int i = 0; i < tracking.nranges && !table->overflow; i++)
	{
		const Oid type = tracking.range_types[i];
		uint32 nodes[kMostHolding];
		bool null;
		const Datum value = heap_getattr(row, tracking.ranges[i], desc, &null);
		const uint32 bucket = null ? kNullBucket : BucketOf(type, Ordinal(type, value));
		Noted &latest = table->latest_buckets[static_cast<int>(change)][i];

		if (latest.column == tracking.ranges[i] && latest.hash == bucket)
			continue;
		for (int n = NodesThatHold(bucket, nodes); n > 0; n--)
		{
#ifdef CQ_DEBUG
			if (debug_track_lie == 4 && n == 2)
				continue;
#endif
			AddSlot(table, RangeSlot(table->oid, tracking.ranges[i], nodes[n - 1], change));
		}
		latest = {tracking.ranges[i], bucket};
	}
}

void
NoteRow(Table *table, const Tracking &tracking, TupleDesc desc, HeapTuple row)
{
	AddAny(table, Change::rows);
	AddKeys(table, tracking, desc, row, Change::rows);
	AddRanges(table, tracking, desc, row, Change::rows);
}

void
NoteUpdate(Table *table, const Tracking &tracking, TupleDesc desc, HeapTuple before,
		   HeapTuple after)
{
	const Differences found = Compare(tracking, desc, before, after);

	if (found.rows)
	{
#ifdef CQ_DEBUG
		if (debug_track_lie != 1)
#endif
			NoteRow(table, tracking, desc, before);
		NoteRow(table, tracking, desc, after);
	}
	/* a key is never quiet, so the new row has the old one's unless more has changed */
	if (found.quiet)
	{
		AddAny(table, Change::quiet);
		AddKeys(table, tracking, desc, before, Change::quiet);
		AddRanges(table, tracking, desc, before, Change::quiet);
	}
}

} // namespace

/* Any failure to tell leaves the counts unequal: then the whole table is announced. */
void
Tell(const TriggerData &change)
{
	const Tracking *tracking;
	HeapTuple row = change.tg_trigtuple; /* the old one, if there is an old one */

	if (!RowsWanted() || !TrackingOf(change.tg_relation, &tracking) || tracking == nullptr ||
		tracking->trigger != change.tg_trigger->tgoid)
		return;
	/* another module writes after we have announced the transaction: it isn't committed yet */
	if (unlikely(Published()))
	{
		ListLate(WriteSlot(MyDatabaseId, tracking->oid));
		return;
	}

	Table *table = TableOf(tracking->oid);
	const TupleDesc desc = RelationGetDescr(change.tg_relation);

	if (table->overflow)
		return;
	if (tell_standbys)
		NoteFile(&table->file, change.tg_relation);

	Count *count = CountOf(table);

	if (TRIGGER_FIRED_BY_UPDATE(change.tg_event))
	{
		count->updated++;
		NoteUpdate(table, *tracking, desc, row, change.tg_newtuple);
		return;
	}
	if (TRIGGER_FIRED_BY_INSERT(change.tg_event))
		count->inserted++;
	else
		count->deleted++;
	NoteRow(table, *tracking, desc, row);
}

bool
AllTold(const PgStat_TableXactStatus &counted)
{
	const Table *table = told.tables.Find(compat::StatsRelation(counted.parent));
	const Count *count = table == nullptr ? nullptr : table->counts;

	if (count == nullptr || count->level != 1 || counted.nest_level != 1 || table->overflow ||
		counted.truncdropped)
		return false;
#ifdef CQ_DEBUG
	if (debug_track_lie == 2)
		return true;
#endif
	return count->inserted == counted.tuples_inserted && count->updated == counted.tuples_updated &&
		   count->deleted == counted.tuples_deleted;
}

File
ToldIn(Oid relation)
{
	const Table *table = told.tables.Find(relation);

	return table == nullptr || table->file.several ? File{0, 0} : table->file.file;
}

bool
ToldSoFar(Oid relation, Changes *changes)
{
	const Table *table = told.tables.Find(relation);
	int levels = 0;

	*changes = {};
	for (const Count *count = table == nullptr ? nullptr : table->counts; count != nullptr;
		 count = count->outer)
	{
		if (++levels > kMostOpenLevels)
			return false;
		changes->inserted += count->inserted;
		changes->updated += count->updated;
		changes->deleted += count->deleted;
	}
	return levels > 0 && !table->overflow;
}

int
ToldSlots(Oid relation, const SlotNo **slots)
{
	const Table *table = told.tables.Find(relation);

	*slots = table == nullptr ? nullptr : table->slots;
	return table == nullptr ? 0 : table->n;
}

void
ForgetTold()
{
	told = nothing;
}

void
InitTold()
{
	RegisterSubXactCallback(OnSubXact, nullptr);
}

} // namespace cq::exact
