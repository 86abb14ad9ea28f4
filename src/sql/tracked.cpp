/*
 * tracked.cpp
 *		The view of tracked tables.
 *
 * Part of sql.h.
 */
#include "pg.h"
#include "exact/tracking.h"
#include "sql/row.h"
#include "sql/sql.h"

extern "C" {
#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
}

namespace cq
{
namespace
{

const char *
Firing(char enabled)
{
	switch (enabled)
	{
	case TRIGGER_FIRES_ALWAYS:
		return "always";
	case TRIGGER_FIRES_ON_ORIGIN:
		return "origin";
	case TRIGGER_FIRES_ON_REPLICA:
		return "replica";
	default:
		return "off";
	}
}

/* The columns that an argument of the trigger names.  NULL: it can't be read.  Ranges may be left out. */
void
PutNames(Row *row, const Trigger *trigger, int argument)
{
	const char *text = nullptr;
	List *names;
	Datum *values;
	int n = 0;
	ListCell *cell;

	if (trigger != nullptr && argument < trigger->tgnargs)
		text = trigger->tgargs[argument];
	else if (trigger != nullptr && argument == 2)
		text = "";
	if (text == nullptr || !exact::ColumnNames(text, &names))
	{
		PutNull(row);
		return;
	}
	values = NewArray<Datum>(list_length(names));
	foreach (cell, names)
		values[n++] = CStringGetTextDatum(static_cast<char *>(lfirst(cell)));
	Put(row, PointerGetDatum(construct_array(values, n, TEXTOID, -1, false, TYPALIGN_INT)));
}

/* Of a partitioned table, those of its partitions. */
exact::TrackCounts
CountsOf(Oid relation)
{
	exact::TrackCounts sum = {0, 0};
	ListCell *cell;

	foreach (cell, find_all_inheritors(relation, NoLock, nullptr))
	{
		const exact::TrackCounts counts = exact::TrackCountsOf(lfirst_oid(cell));

		CHECK_FOR_INTERRUPTS();
		sum.by_key += counts.by_key;
		sum.by_table += counts.by_table;
	}
	return sum;
}

/* Null: it is none of ours, or not there any more. */
const Trigger *
FindTrigger(Relation table, Oid oid)
{
	const TriggerDesc *triggers = CopyTriggerDesc(table->trigdesc);

	for (int i = 0; triggers != nullptr && i < triggers->numtriggers; i++)
	{
		if (triggers->triggers[i].tgoid == oid)
			return &triggers->triggers[i];
	}
	return nullptr;
}

/* Nobody waits to look at a view: what another session is changing can't be told. */
void
AddTracked(FunctionCallInfo fcinfo, const FormData_pg_trigger &form)
{
	const Oid relation = form.tgrelid;
	const bool locked = !ConditionalLockRelationOid(relation, AccessShareLock);
	Relation table = locked ? nullptr : try_relation_open(relation, NoLock);
	const Trigger *trigger = table == nullptr ? nullptr : FindTrigger(table, form.oid);

	if (locked || trigger != nullptr)
	{
		const exact::TrackCounts counts = CountsOf(relation);
		const char *why =
			locked ? "locked by another session" : exact::WhyNotTracked(table, form.oid);
		Row row = {};

		Put(&row, ObjectIdGetDatum(relation));
		for (int i = 0; i < 3; i++)
			PutNames(&row, trigger, i);
		PutText(&row, NameStr(form.tgname));
		PutText(&row, Firing(form.tgenabled));
		PutText(&row, why == nullptr ? "ok" : why);
		PutNumber(&row, counts.by_key);
		PutNumber(&row, counts.by_table);
		AddRow(fcinfo, row);
	}
	if (table != nullptr)
		relation_close(table, NoLock);
	if (!locked)
		UnlockRelationOid(relation, AccessShareLock);
}

} // namespace
} // namespace cq

extern "C" {

PG_FUNCTION_INFO_V1(cached_query_get_tracked);
Datum
cached_query_get_tracked(PG_FUNCTION_ARGS)
{
	using namespace cq;
	Relation catalog;
	SysScanDesc scan;
	HeapTuple tuple;

	RequirePreload();
	InitMaterializedSRF(fcinfo, 0);
	catalog = table_open(TriggerRelationId, AccessShareLock);
	scan = systable_beginscan(catalog, InvalidOid, false, nullptr, 0, nullptr);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		const Form_pg_trigger form = reinterpret_cast<Form_pg_trigger>(GETSTRUCT(tuple));

		CHECK_FOR_INTERRUPTS();
		if (!OidIsValid(form->tgparentid) && exact::IsTracker(form->tgfoid))
			AddTracked(fcinfo, *form);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return static_cast<Datum>(0);
}

} // extern "C"
