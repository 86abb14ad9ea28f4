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
#include "base/symbol.h"
#include "exact/tracking.h"

extern "C" {
#include "catalog/pg_trigger.h"
#include "utils/hsearch.h"
#include "utils/varlena.h"
}

namespace cq::exact
{
namespace
{

HTAB *trackings = nullptr; // Tracking

constexpr int kTries = 10; // to read what messages come about meanwhile

/* AFTER each row's INSERT, UPDATE and DELETE, whatever the columns, at once. */
bool
TellsOfAll(const Trigger &trigger)
{
	return trigger.tgtype == (TRIGGER_TYPE_ROW | TRIGGER_TYPE_AFTER | TRIGGER_TYPE_INSERT |
							  TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE) &&
		   !trigger.tgdeferrable && trigger.tgnattr == 0 && trigger.tgqual == nullptr &&
		   trigger.tgoldtable == nullptr && trigger.tgnewtable == nullptr && trigger.tgnargs == 2;
}

/* Null: there is none, or the first one, which counts, does not tell of all. */
const Trigger *
CountingTrigger(const TriggerDesc *triggers)
{
	for (int i = 0; triggers != nullptr && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (IsTracker(trigger->tgfoid))
			return TellsOfAll(*trigger) ? trigger : nullptr;
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
		const char *name = static_cast<char *>(lfirst(cell));
		AttrNumber number = 0;

		for (int i = 0; i < desc->natts && number == 0; i++)
		{
			const Form_pg_attribute column = TupleDescAttr(desc, i);

			if (!column->attisdropped && strcmp(NameStr(column->attname), name) == 0)
				number = column->attnum;
		}
		if (number == 0 || *count == most)
			return false;
		columns[(*count)++] = number;
	}
	return true;
}

Oid
HashProcOf(const Form_pg_attribute column)
{
	return lookup_type_cache(getBaseType(column->atttypid), TYPECACHE_HASH_PROC)->hash_proc;
}

bool
SetKeys(Tracking *tracking, TupleDesc desc)
{
	tracking->hashes = NewArray<FmgrInfo>(static_cast<Size>(tracking->nkeys));
	for (int i = 0; i < tracking->nkeys; i++)
	{
		if (WhyNoKey(desc, tracking->keys[i]) != nullptr)
			return false;
		tracking->hash_procs[i] = HashProcOf(TupleDescAttr(desc, tracking->keys[i] - 1));
		fmgr_info_cxt(tracking->hash_procs[i], &tracking->hashes[i], tracking->context);
	}
	return tracking->nkeys > 0;
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
		if (KeyNumber(*tracking, columns[i]) >= 0)
			return false;
		tracking->quiet = bms_add_member(tracking->quiet, columns[i]);
	}
	return true;
}

/* In the tracking's context.  False: not tracked. */
bool
Describe(Relation relation, Tracking *tracking)
{
	/* copies: looking into catalogs takes messages in, and then the relation's own are made anew */
	const TriggerDesc *triggers = CopyTriggerDesc(relation->trigdesc);
	const TupleDesc desc = CreateTupleDescCopy(RelationGetDescr(relation));
	const Trigger *trigger = CountingTrigger(triggers);

	if (trigger == nullptr || relation->rd_rel->relkind != RELKIND_RELATION ||
		!FindColumns(desc, trigger->tgargs[0], tracking->keys, &tracking->nkeys, kMostKeys) ||
		!SetKeys(tracking, desc) || !SetQuiet(tracking, desc, trigger->tgargs[1]))
		return false;
	tracking->trigger = trigger->tgoid;
	return true;
}

void
Clear(Tracking *tracking)
{
	const Oid relation = tracking->relation;

	if (tracking->context != nullptr)
		MemoryContextDelete(tracking->context);
	memset(static_cast<void *>(tracking), 0, sizeof(*tracking));
	tracking->relation = relation;
}

void
Make(Relation relation, Tracking *tracking)
{
	MemoryContext caller;

	Clear(tracking);
	tracking->context =
		AllocSetContextCreate(TopMemoryContext, "CachedQueryTracking", ALLOCSET_SMALL_SIZES);
	caller = MemoryContextSwitchTo(tracking->context);
	if (!Describe(relation, tracking))
		tracking->trigger = InvalidOid;
	MemoryContextSwitchTo(caller);
	/* not before: after an error nothing is known */
	tracking->valid = !tracking->stale;
	if (tracking->valid && OidIsValid(tracking->trigger))
		NoteTracked(tracking->relation);
}

Tracking *
PlaceOf(Oid relation)
{
	Tracking *tracking;
	bool found;

	if (trackings == nullptr)
	{
		HASHCTL control = {};

		control.keysize = sizeof(Oid);
		control.entrysize = sizeof(Tracking);
		control.hcxt = TopMemoryContext;
		trackings = hash_create("cached_query tracking", 64, &control,
								HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	tracking = static_cast<Tracking *>(hash_search(trackings, &relation, HASH_ENTER, &found));
	if (!found)
	{
		memset(static_cast<void *>(tracking), 0, sizeof(*tracking));
		tracking->relation = relation;
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
	if (HashProcOf(column) >= FirstUnpinnedObjectId)
		return "the hash function of its type is not one of PostgreSQL's";
	if (OidIsValid(column->attcollation) && !get_collation_isdeterministic(column->attcollation))
		return "its collation is not deterministic";
	return nullptr;
}

namespace
{

const char *
WhyNotTracked(Relation relation, const Trigger &trigger, Tracking *scratch)
{
	const TupleDesc desc = RelationGetDescr(relation);

	if (!TellsOfAll(trigger))
		return "the trigger is not as cached_query_track() makes it";
	if (!FindColumns(desc, trigger.tgargs[0], scratch->keys, &scratch->nkeys, kMostKeys))
		return "a column is gone";
	for (int i = 0; i < scratch->nkeys; i++)
	{
		if (WhyNoKey(desc, scratch->keys[i]) != nullptr)
			return WhyNoKey(desc, scratch->keys[i]);
	}
	if (!SetQuiet(scratch, desc, trigger.tgargs[1]))
		return "a quiet column is gone";
	return nullptr;
}

} // namespace

const char *
WhyNotTracked(Relation relation, Oid oid)
{
	const TriggerDesc *triggers = CopyTriggerDesc(relation->trigdesc);
	Tracking scratch = {};

	for (int i = 0; triggers != nullptr && i < triggers->numtriggers; i++)
	{
		if (!IsTracker(triggers->triggers[i].tgfoid))
			continue;
		/* the first one counts */
		return triggers->triggers[i].tgoid == oid
				   ? WhyNotTracked(relation, triggers->triggers[i], &scratch)
				   : "another trigger of cached_query comes first";
	}
	return "there is no trigger";
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

void
ForgetTracking(Oid relation)
{
	HASH_SEQ_STATUS all;
	Tracking *tracking;

	if (trackings == nullptr)
		return;
	if (OidIsValid(relation))
	{
		tracking = static_cast<Tracking *>(hash_search(trackings, &relation, HASH_FIND, nullptr));
		if (tracking != nullptr)
		{
			tracking->valid = false;
			tracking->stale = true;
		}
		return;
	}
	hash_seq_init(&all, trackings);
	while ((tracking = static_cast<Tracking *>(hash_seq_search(&all))) != nullptr)
	{
		tracking->valid = false;
		tracking->stale = true;
	}
}

} // namespace cq::exact
