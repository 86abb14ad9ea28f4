/*
 * track.cpp
 *		cached_query_track() and its trigger.
 *
 * There is no table of what is tracked: the trigger says it.  So a dump has it, and whatever is done to it sends the
 * messages by which all sessions learn of it (exact/tracking.cpp).
 *
 * The trigger works without the library in shared_preload_libraries, too: a dump must be restored anywhere.
 *
 * Part of sql.h.
 */
#include "pg.h"
#include "exact/tracking.h"
#include "sql/sql.h"

extern "C" {
#include "access/table.h"
#include "catalog/pg_am.h"
#include "catalog/pg_trigger.h"
#include "utils/array.h"
#include "utils/rel.h"
}

namespace cq
{

char *
QuotedNames(List *names, const char *between)
{
	StringInfoData text;
	ListCell *cell;

	initStringInfo(&text);
	foreach (cell, names)
		appendStringInfo(&text, "%s%s", text.len > 0 ? between : "",
						 quote_identifier(static_cast<char *>(lfirst(cell))));
	return text.data;
}

namespace
{

const char *const kTriggerName = "cached_query_track";

/* --- cached_query_track() -------------------------------------------------------------------- */

/* Column names (char *), each of which the table has, and none twice.  NULL: none. */
List *
NamesOf(FunctionCallInfo fcinfo, int argument, const char *what, Relation table)
{
	List *names = NIL;
	Datum *values;
	bool *nulls;
	int n;

	if (PG_ARGISNULL(argument))
		return NIL;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(argument), TEXTOID, -1, false, TYPALIGN_INT, &values,
					  &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		char *name;
		ListCell *cell;

		CHECK_FOR_INTERRUPTS();
		if (nulls[i])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("%s must not contain null", what)));
		name = TextDatumGetCString(values[i]);
		if (get_attnum(RelationGetRelid(table), name) <= 0)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
							errmsg("column \"%s\" of relation \"%s\" does not exist", name,
								   RelationGetRelationName(table))));
		foreach (cell, names)
		{
			if (strcmp(static_cast<char *>(lfirst(cell)), name) == 0)
				ereport(ERROR, (errcode(ERRCODE_DUPLICATE_COLUMN),
								errmsg("column \"%s\" is given twice", name)));
		}
		names = lappend(names, name);
	}
	return names;
}

void
CheckKind(Relation table)
{
	const Form_pg_class form = table->rd_rel;
	const char *what = nullptr;

	if (form->relkind != RELKIND_RELATION && form->relkind != RELKIND_PARTITIONED_TABLE)
		what = "it is not a table";
	else if (form->relpersistence == RELPERSISTENCE_TEMP)
		what = "it is temporary";
	else if (RelationGetRelid(table) < FirstNormalObjectId)
		what = "it is a system catalog";
	else if (form->relkind == RELKIND_RELATION && form->relam != HEAP_TABLE_AM_OID)
		what = "its access method is not heap";
	if (what != nullptr)
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("cannot track \"%s\": %s", RelationGetRelationName(table), what)));
}

/* Of `what`. */
void
CheckColumns(Relation table, List *names, const char *what, int most,
			 const char *why_not(TupleDesc desc, AttrNumber column))
{
	ListCell *cell;

	if (list_length(names) > most)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s must name at most %d columns", what, most)));
	foreach (cell, names)
	{
		const char *name = static_cast<char *>(lfirst(cell));
		const char *why =
			why_not(RelationGetDescr(table), get_attnum(RelationGetRelid(table), name));

		if (why != nullptr)
			ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
							errmsg("cannot track \"%s\" by column \"%s\": %s",
								   RelationGetRelationName(table), name, why)));
	}
}

/* `keys` are those and ranges. */
void
CheckQuiet(List *quiet, List *keys)
{
	ListCell *cell;
	ListCell *other;

	if (list_length(quiet) > exact::kMostQuiet)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("quiet must name at most %d columns", exact::kMostQuiet)));
	foreach (cell, quiet)
	{
		foreach (other, keys)
		{
			if (strcmp(static_cast<char *>(lfirst(cell)), static_cast<char *>(lfirst(other))) == 0)
				ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
								errmsg("column \"%s\" cannot be quiet and a key or range",
									   static_cast<char *>(lfirst(cell)))));
		}
	}
}

/* As an argument of the trigger. */
char *
Joined(List *names)
{
	return quote_literal_cstr(QuotedNames(names, ", "));
}

void
Execute(const char *command)
{
	if (SPI_execute(command, false, 0) < 0)
		elog(ERROR, "could not execute \"%s\"", command);
}

char *
QualifiedName(Oid relation)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)),
									  get_rel_name(relation));
}

/* A trigger of this name that isn't ours is left alone, and so is a partitioned table's. */
void
CheckTriggers(Relation table)
{
	const TriggerDesc *triggers = CopyTriggerDesc(table->trigdesc);

	for (int i = 0; triggers != nullptr && i < triggers->numtriggers; i++)
	{
		const Trigger &trigger = triggers->triggers[i];

		if (trigger.tgisclone && exact::IsTracker(trigger.tgfoid))
			ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
							errmsg("cannot track \"%s\": it is tracked as a partition",
								   RelationGetRelationName(table)),
							errhint("Track or untrack the partitioned table.")));
		if (strcmp(trigger.tgname, kTriggerName) == 0 && !exact::IsTracker(trigger.tgfoid))
			ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT),
							errmsg("relation \"%s\" has another trigger of the name %s",
								   RelationGetRelationName(table), kTriggerName)));
	}
}

void
MakeTrigger(Oid relation, Oid function, List *keys, List *quiet, List *ranges)
{
	const char *table = QualifiedName(relation);
	const char *schema = quote_identifier(get_namespace_name(get_func_namespace(function)));

	SPI_connect();
	Execute(psprintf("CREATE OR REPLACE TRIGGER %s AFTER INSERT OR UPDATE OR DELETE ON %s "
					 "FOR EACH ROW EXECUTE FUNCTION %s.cached_query_tracker(%s, %s%s%s)",
					 kTriggerName, table, schema, Joined(keys), Joined(quiet),
					 ranges == NIL ? "" : ", ", ranges == NIL ? "" : Joined(ranges)));
	/* also for what replication applies */
	Execute(psprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", table, kTriggerName));
	Execute(
		psprintf("ALTER TRIGGER %s ON %s DEPENDS ON EXTENSION cached_query", kTriggerName, table));
	SPI_finish();
}

/* --- cached_query_untrack() ------------------------------------------------------------------ */

/* Names (char *) of our triggers of the relation. */
List *
OurTriggers(Relation table)
{
	const TriggerDesc *triggers = CopyTriggerDesc(table->trigdesc);
	List *names = NIL;

	for (int i = 0; triggers != nullptr && i < triggers->numtriggers; i++)
	{
		if (!triggers->triggers[i].tgisclone && exact::IsTracker(triggers->triggers[i].tgfoid))
			names = lappend(names, triggers->triggers[i].tgname);
	}
	return names;
}

void
CheckOwner(Oid relation)
{
	if (!compat::OwnsRelation(relation))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relation)),
					   get_rel_name(relation));
}

/* The lock keeps writers off, so it is for the owner only; who may have changed while we waited for it. */
Relation
OpenOwned(Oid relation)
{
	Relation table;

	CheckOwner(relation);
	table = relation_open(relation, ShareRowExclusiveLock);
	CheckOwner(relation);
	return table;
}

} // namespace
} // namespace cq

extern "C" {

PG_FUNCTION_INFO_V1(cached_query_tracker);
Datum
cached_query_tracker(PG_FUNCTION_ARGS)
{
	const TriggerData *change = reinterpret_cast<TriggerData *>(fcinfo->context);

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(change->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(change->tg_event))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("cached_query_tracker() must be called by an AFTER ROW trigger"),
						errhint("SELECT cached_query_track() makes the trigger.")));
	cq::exact::Tell(*change);
	return Datum{0};
}

PG_FUNCTION_INFO_V1(cached_query_track);
Datum
cached_query_track(PG_FUNCTION_ARGS)
{
	using namespace cq;
	Relation table;
	List *keys;
	List *quiet;
	List *ranges;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("relation must not be null")));
	table = OpenOwned(PG_GETARG_OID(0));
	CheckKind(table);
	keys = NamesOf(fcinfo, 1, "keys", table);
	quiet = NamesOf(fcinfo, 2, "quiet", table);
	ranges = NamesOf(fcinfo, 3, "ranges", table);
	if (keys == NIL && ranges == NIL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("keys or ranges must name a column")));
	CheckColumns(table, keys, "keys", exact::kMostKeys, exact::WhyNoKey);
	CheckColumns(table, ranges, "ranges", exact::kMostRanges, exact::WhyNoRange);
	CheckQuiet(quiet, list_concat_copy(keys, ranges));
	CheckTriggers(table);
	/* the lock stays, but ALTER TABLE wants nobody to have it open */
	relation_close(table, NoLock);
	MakeTrigger(PG_GETARG_OID(0), fcinfo->flinfo->fn_oid, keys, quiet, ranges);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(cached_query_untrack);
Datum
cached_query_untrack(PG_FUNCTION_ARGS)
{
	using namespace cq;
	Relation table = OpenOwned(PG_GETARG_OID(0));
	const char *name = QualifiedName(RelationGetRelid(table));
	List *triggers = OurTriggers(table);
	ListCell *cell;

	if (triggers == NIL)
		ereport(NOTICE, (errmsg("relation \"%s\" is not tracked", RelationGetRelationName(table))));
	relation_close(table, NoLock);
	SPI_connect();
	foreach (cell, triggers)
		Execute(psprintf("DROP TRIGGER %s ON %s",
						 quote_identifier(static_cast<char *>(lfirst(cell))), name));
	SPI_finish();
	PG_RETURN_VOID();
}

} // extern "C"
