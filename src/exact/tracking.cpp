/*
 * tracking.cpp
 *		Which columns of a table are its keys: what its trigger says, read from the relation cache.
 *
 * Writers and readers ask here, so that they mean the same slots.  The trigger itself is the definition: when it
 * is made, dropped or renamed, results of the table are void, and no writer has the table then.
 *
 * Whatever is not as cached_query_track() makes it counts as not tracked.
 *
 * Locking: everything here belongs to the process.
 *
 * Part of exact.h.
 */
#include "pg.h"
#include "base/oid_table.h"
#include "base/symbol.h"
#include "exact/tracking.h"

extern "C" {
#include "catalog/pg_am.h"
#include "catalog/pg_trigger.h"
#include "commands/defrem.h"
#include "utils/varlena.h"
}

namespace cq::exact
{
namespace
{

OidTable<Tracking> trackings = {"cached_query tracking", nullptr, 0};

constexpr int kTries = 10; // to read what messages come about meanwhile

/* AFTER each row's INSERT, UPDATE and DELETE, whatever the columns, at once. */
bool
TellsOfAll(const Trigger &trigger)
{
	return trigger.tgtype == (TRIGGER_TYPE_ROW | TRIGGER_TYPE_AFTER | TRIGGER_TYPE_INSERT |
							  TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE) &&
		   !trigger.tgdeferrable && trigger.tgnattr == 0 && trigger.tgqual == nullptr &&
		   trigger.tgoldtable == nullptr && trigger.tgnewtable == nullptr &&
		   (trigger.tgnargs == 2 || trigger.tgnargs == 3);
}

/* The one that counts, of what is a copy; null: there is none. */
const Trigger *
FirstOfOurs(const TriggerDesc *triggers)
{
	for (int i = 0; triggers != nullptr && i < triggers->numtriggers; i++)
	{
		if (IsTracker(triggers->triggers[i].tgfoid))
			return &triggers->triggers[i];
	}
	return nullptr;
}

/* False: one of them is not there, or there are more. */
bool
FindColumns(TupleDesc desc, const char *argument, AttrNumber *columns, int *count, int most)
{
	::List *names;
	ListCell *cell;

	*count = 0;
	if (!ColumnNames(argument, &names))
		return false;
	foreach (cell, names)
	{
		const int number = SPI_fnumber(desc, static_cast<char *>(lfirst(cell)));

		if (number <= 0 || *count == most)
			return false;
		columns[(*count)++] = static_cast<AttrNumber>(number);
	}
	return true;
}

/* Null, or why one of them can be none. */
const char *
SetKeys(Tracking *tracking, TupleDesc desc)
{
	tracking->hashes = NewArray<FmgrInfo>(static_cast<Size>(tracking->nkeys));
	for (int i = 0; i < tracking->nkeys; i++)
	{
		const char *why = WhyNoKey(desc, tracking->keys[i]);

		if (why != nullptr)
			return why;
		tracking->hash_procs[i] = HashProcOf(TupleDescAttr(desc, tracking->keys[i] - 1));
		fmgr_info(tracking->hash_procs[i], &tracking->hashes[i]);
	}
	return nullptr;
}

/* Null, or why one of them can be none. */
const char *
SetRanges(Tracking *tracking, TupleDesc desc, const Trigger &trigger)
{
	if (trigger.tgnargs > 2 &&
		!FindColumns(desc, trigger.tgargs[2], tracking->ranges, &tracking->nranges, kMostRanges))
		return "a column is gone";
	for (int i = 0; i < tracking->nranges; i++)
	{
		const char *why = WhyNoRange(desc, tracking->ranges[i]);

		if (why != nullptr)
			return why;
		tracking->range_types[i] =
			getBaseType(TupleDescAttr(desc, tracking->ranges[i] - 1)->atttypid);
	}
	return nullptr;
}

bool
SetQuiet(Tracking *tracking, TupleDesc desc, const char *argument)
{
	AttrNumber columns[kMostQuiet];
	int count;

	if (!FindColumns(desc, argument, columns, &count, kMostQuiet))
		return false;
	for (int i = 0; i < count; i++)
	{
		if (KeyNumber(*tracking, columns[i]) >= 0 || RangeNumber(*tracking, columns[i]) >= 0)
			return false;
		tracking->quiet = bms_add_member(tracking->quiet, columns[i]);
	}
	return true;
}

/* In the current context.  Null: the table is tracked; else why not. */
const char *
SetTracking(Tracking *tracking, TupleDesc desc, const Trigger &trigger)
{
	const char *why;

	if (!TellsOfAll(trigger))
		return "the trigger is not as cached_query_track() makes it";
	if (!FindColumns(desc, trigger.tgargs[0], tracking->keys, &tracking->nkeys, kMostKeys))
		return "a column is gone";
	why = SetRanges(tracking, desc, trigger);
	if (why == nullptr && tracking->nkeys + tracking->nranges == 0)
		return "the trigger names no key";
	if (why == nullptr)
		why = SetKeys(tracking, desc);
	if (why == nullptr && !SetQuiet(tracking, desc, trigger.tgargs[1]))
		why = "a quiet column is gone";
	if (why == nullptr)
		tracking->trigger = trigger.tgoid;
	return why;
}

/* Looks at copies: looking into catalogs takes messages in, and then the relation's own are made anew. */
bool
Describe(Relation relation, Tracking *tracking)
{
	const TriggerDesc *triggers = CopyTriggerDesc(relation->trigdesc);
	const TupleDesc desc = CreateTupleDescCopy(RelationGetDescr(relation));
	const Trigger *trigger = FirstOfOurs(triggers);

	return trigger != nullptr && relation->rd_rel->relkind == RELKIND_RELATION &&
		   SetTracking(tracking, desc, *trigger) == nullptr;
}

void
Clear(Tracking *tracking)
{
	const Oid relation = tracking->oid;

	if (tracking->context != nullptr)
		MemoryContextDelete(tracking->context);
	*tracking = {};
	tracking->oid = relation;
}

void
Make(Relation relation, Tracking *tracking)
{
	MemoryContext caller;
	bool tracked;

	Clear(tracking);
	tracking->context =
		AllocSetContextCreate(TopMemoryContext, "CachedQueryTracking", ALLOCSET_SMALL_SIZES);
	caller = MemoryContextSwitchTo(tracking->context);
	tracked = Describe(relation, tracking);
	MemoryContextSwitchTo(caller);
	if (!tracked)
	{
		MemoryContextDelete(tracking->context);
		tracking->context = nullptr;
		tracking->trigger = InvalidOid;
	}
	/* not before: after an error nothing is known */
	tracking->valid = !tracking->stale;
	if (tracking->valid && tracked)
		NoteTracked(tracking->oid);
}

Tracking *
PlaceOf(Oid relation)
{
	bool found;
	Tracking *tracking = trackings.Enter(relation, &found);

	if (!found)
	{
		*tracking = {};
		tracking->oid = relation;
	}
	return tracking;
}

} // namespace

bool
IsTracker(Oid function)
{
	static Oid known = InvalidOid;

	if (function == known)
		return true;
	if (function < FirstNormalObjectId || !IsBoundTo(function, "cached_query_tracker"))
		return false;
	known = function;
	return true;
}

bool
ColumnNames(const char *argument, ::List **names)
{
	*names = NIL;
	return SplitIdentifierString(pstrdup(argument), ',', names);
}

Oid
HashProcOf(Form_pg_attribute column)
{
	return lookup_type_cache(getBaseType(column->atttypid), TYPECACHE_HASH_PROC)->hash_proc;
}

/*
 * Equal values must have equal hashes, whoever computes them.  So only hash functions of PostgreSQL are used,
 * and only where equality is that of the type: what rows, ranges and arrays are made of is not looked into.
 */
const char *
WhyNoKey(TupleDesc desc, AttrNumber number)
{
	const Form_pg_attribute column = TupleDescAttr(desc, number - 1);
	const Oid base = getBaseType(column->atttypid);
	const char kind = get_typtype(base);

	if (compat::IsVirtualColumn(column))
		return "it is computed when it is read";
	if ((kind != TYPTYPE_BASE && kind != TYPTYPE_ENUM) || OidIsValid(get_element_type(base)))
		return "its type is an array, a range or a row";
	if (!OidIsValid(HashProcOf(column)))
		return "its type has no hash function";
	if (HashProcOf(column) >= FirstUnpinnedObjectId ||
		GetDefaultOpClass(base, HASH_AM_OID) >= FirstUnpinnedObjectId)
		return "the hash function of its type is not one of PostgreSQL's";
	if (OidIsValid(column->attcollation) && !get_collation_isdeterministic(column->attcollation))
		return "its collation is not deterministic";
	return nullptr;
}

const char *
WhyNotTracked(Relation relation, Oid oid)
{
	const TriggerDesc *triggers = CopyTriggerDesc(relation->trigdesc);
	const TupleDesc desc = CreateTupleDescCopy(RelationGetDescr(relation));
	const Trigger *first = FirstOfOurs(triggers);
	Tracking scratch = {};

	if (first == nullptr)
		return "there is no trigger";
	return first->tgoid == oid ? SetTracking(&scratch, desc, *first)
							   : "another trigger of cached_query comes first";
}

bool
MayBecomeTracked(Relation relation)
{
	for (int i = 0; relation->trigdesc != nullptr && i < relation->trigdesc->numtriggers; i++)
	{
		if (TellsOfAll(relation->trigdesc->triggers[i]))
			return true;
	}
	return false;
}

int
KeyNumber(const Tracking &tracking, AttrNumber column)
{
	for (int i = 0; i < tracking.nkeys; i++)
	{
		if (tracking.keys[i] == column)
			return i;
	}
	return -1;
}

bool
TrackingOf(Relation relation, const Tracking **known)
{
	Tracking *tracking;

	*known = nullptr;
	if (likely(relation->trigdesc == nullptr))
		return true;
	tracking = PlaceOf(RelationGetRelid(relation));
	for (int tries = 0; unlikely(!tracking->valid) && tries < kTries; tries++)
	{
		/* a message may have taken all its triggers away */
		if (relation->trigdesc == nullptr)
			return true;
		Make(relation, tracking);
	}
	if (tracking->valid && OidIsValid(tracking->trigger))
		*known = tracking;
	return tracking->valid;
}

namespace
{

void
Outdate(Tracking *tracking)
{
	tracking->valid = false;
	tracking->stale = true;
}

} // namespace

void
ForgetTracking(Oid relation)
{
	HASH_SEQ_STATUS all;
	Tracking *tracking;

	if (trackings.entries == nullptr)
		return;
	if (OidIsValid(relation))
	{
		tracking = trackings.Find(relation);
		if (tracking != nullptr)
			Outdate(tracking);
		return;
	}
	hash_seq_init(&all, trackings.entries);
	while ((tracking = static_cast<Tracking *>(hash_seq_search(&all))) != nullptr)
		Outdate(tracking);
}

} // namespace cq::exact
