/*
 * own_rows.cpp
 *		Has this transaction itself changed the rows that a result depends on?
 *
 * Rows of a tracked table are told apart by key, as others' changes are.  The statistics and the trigger's counts are
 * compared at this moment, for all levels of subtransactions that are open: if they are equal, the
 * trigger was told of all changes so far.  They differ while a statement runs that has changed rows, since its triggers are
 * called at its end.  README.md has the proof.
 *
 * Locking: everything here belongs to the process.
 *
 * Part of exact.h.
 */
#include "pg.h"
#include "exact/definitions.h"
#include "exact/tracking.h"

namespace cq::exact
{
namespace
{

/* What heapam has counted so far; false: rows were removed without counting them, or there are too many levels. */
bool
Counted(const PgStat_TableStatus &table, Changes *changes)
{
	int levels = 0;

	*changes = {};
	for (const PgStat_TableXactStatus *level = table.trans; level != nullptr; level = level->upper)
	{
		if (level->truncdropped || ++levels > kMostOpenLevels)
			return false;
		changes->inserted += level->tuples_inserted;
		changes->updated += level->tuples_updated;
		changes->deleted += level->tuples_deleted;
	}
	return true;
}

/* In each level no more is told than is counted, so if the sums are equal, those of all levels are. */
bool
AllToldSoFar(const PgStat_TableStatus &table)
{
	Changes told;
	Changes counted;

	if (!ToldSoFar(compat::StatsRelation(&table), &told) || !Counted(table, &counted))
		return false;
#ifdef CQ_DEBUG
	if (debug_track_lie == 2)
		return true;
#endif
	return told.inserted == counted.inserted && told.updated == counted.updated &&
		   told.deleted == counted.deleted;
}

bool
IsAmong(SlotNo slot, const SlotNo *slots, uint32 count)
{
	uint32 first = 0;

	while (count > 0)
	{
		const uint32 half = count / 2;

		if (slots[first + half] == slot)
			return true;
		if (slots[first + half] < slot)
		{
			first += half + 1;
			count -= half + 1;
		}
		else
			count = half;
	}
	return false;
}

} // namespace

bool
OwnTouched(Oid relation, const SlotNo *slots, uint32 count)
{
	const PgStat_TableStatus *table;
	const SlotNo *told;
	int n;

	if (!OwnAnything())
		return false;
	if (OwnRedefined(relation))
		return true;
	table = Wrote(relation);
	if (table == nullptr)
		return false;
	if (!AllToldSoFar(*table))
		return true;
#ifdef CQ_DEBUG
	if (debug_track_lie == 3)
		return false;
#endif
	n = ToldSlots(relation, &told);
	for (int i = 0; i < n; i++)
	{
		if (IsAmong(told[i], slots, count))
			return true;
	}
	return false;
}

} // namespace cq::exact
