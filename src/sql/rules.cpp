/*
 * rules.cpp
 *		The triggers of the table cached_query_rules: bad rules are refused, and sessions are told of changes.
 *
 * They work without the library in shared_preload_libraries, too: a dump must be restored anywhere.
 *
 * Part of sql.h.
 */
#include "pg.h"
#include "auto/rules.h"
#include "auto/shape.h"
#include "query/statement.h"
#include "sql/sql.h"

extern "C" {
#include "access/genam.h"
#include "access/table.h"
#include "commands/trigger.h"
#include "utils/rel.h"
#include "utils/varlena.h"
}

namespace cq
{
namespace
{

struct NewRow
{
	HeapTuple tuple;
	TupleDesc desc;
};

/*
 * Anybody who may execute the function can make it the trigger of a table of his own, and the owner of ours can
 * change it.  So what the code below takes for granted is checked.
 */
void
CheckTable(Relation table)
{
	if (RelationGetRelid(table) != FindRulesTable())
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("cached_query_rule_trigger() is a trigger of cached_query_rules only"),
				 errhint("Drop this trigger of \"%s\".", RelationGetRelationName(table))));
}

void
CheckColumns(TupleDesc desc)
{
	const RuleColumn *lacking = LackingColumn(desc);

	if (lacking != nullptr)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("column \"%s\" of cached_query_rules must exist and have type %s",
							   lacking->name, format_type_be(lacking->type)),
						errhint("Undo what ALTER TABLE changed.")));
}

/* nullptr: NULL. */
char *
TextOf(const NewRow &row, const char *column)
{
	bool null;
	const Datum value = SPI_getbinval(row.tuple, row.desc, SPI_fnumber(row.desc, column), &null);

	return null ? nullptr : TextDatumGetCString(value);
}

/* A dump is restored so: what its names mean may come later, or not at all on this server. */
bool
IsRestoring()
{
	return !check_function_bodies;
}

void
CheckRole(const NewRow &row)
{
	const char *role = TextOf(row, "role");

	if (role != nullptr && !IsRestoring())
		(void) get_role_oid(role, false);
}

/* A name as the rule is to have it, with its schema; nullptr: as it is. */
char *
CheckRelation(const NewRow &row)
{
	const char *name = TextOf(row, "relation");
	Oid relation;
	char kind;

	if (name == nullptr || IsRestoring())
		return nullptr;
	relation = RangeVarGetRelid(
		makeRangeVarFromNameList(textToQualifiedNameList(cstring_to_text(name))), NoLock, false);
	kind = get_rel_relkind(relation);
	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE && kind != RELKIND_VIEW &&
		kind != RELKIND_MATVIEW && kind != RELKIND_FOREIGN_TABLE)
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("\"%s\" is not a table or view", name)));
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)),
									  get_rel_name(relation));
}

void
CheckQuery(const NewRow &row)
{
	const char *query = TextOf(row, "query");
	QueryErrorContext context;
	const Node *shape;
	const char *why;

	/* an older version, or one of PostgreSQL, may have taken it; one that doesn't fit is for no statement */
	if (query == nullptr || IsRestoring())
		return;
	PushQueryErrorContext(&context, query);
	shape = ShapeOf(query);
	PopQueryErrorContext(&context);
	if (shape == nullptr)
		ereport(ERROR, (errcode(ERRCODE_CHECK_VIOLATION),
						errmsg("query of a rule must be one SELECT statement")));
	why = WhyNeverCached(shape);
	if (why != nullptr)
		ereport(ERROR, (errcode(ERRCODE_CHECK_VIOLATION),
						errmsg("a rule for this query would have no effect"),
						errdetail("The query is always run: %s.", why)));
}

HeapTuple
Checked(const TriggerData *trigger)
{
	const NewRow row = {TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple
																   : trigger->tg_trigtuple,
						RelationGetDescr(trigger->tg_relation)};
	char *relation;
	int column;
	Datum value;
	bool null = false;

	CheckColumns(row.desc);
	CheckRole(row);
	CheckQuery(row);
	relation = CheckRelation(row);
	if (relation == nullptr)
		return row.tuple;
	column = SPI_fnumber(row.desc, "relation");
	value = CStringGetTextDatum(relation);
	return heap_modify_tuple_by_cols(row.tuple, row.desc, 1, &column, &value, &null);
}

/* Each session keeps them in its memory.  This command's own are counted, too. */
void
CheckLimits(Relation table)
{
	SysScanDesc scan = systable_beginscan(table, InvalidOid, false, SnapshotSelf, 0, nullptr);
	const int column = SPI_fnumber(RelationGetDescr(table), "query");
	int count = 0;
	Size bytes = 0;

	for (HeapTuple tuple = systable_getnext(scan); HeapTupleIsValid(tuple);
		 tuple = systable_getnext(scan))
	{
		bool null;
		const Datum query = SPI_getbinval(tuple, RelationGetDescr(table), column, &null);

		CHECK_FOR_INTERRUPTS();
		count++;
		bytes += null ? 0 : toast_raw_datum_size(query);
	}
	systable_endscan(scan);
	if (count > kMaxRules || bytes > kMaxRuleText)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("too many rules"),
						errdetail("At most %d rules with %d bytes of queries are possible.",
								  kMaxRules, kMaxRuleText)));
}

} // namespace
} // namespace cq

extern "C" {

PG_FUNCTION_INFO_V1(cached_query_rule_trigger);
Datum
cached_query_rule_trigger(PG_FUNCTION_ARGS)
{
	const TriggerData *trigger = reinterpret_cast<TriggerData *>(fcinfo->context);

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("cached_query_rule_trigger() was not called by a trigger")));
	cq::CheckTable(trigger->tg_relation);
	CacheInvalidateRelcache(trigger->tg_relation);
	if (!TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
	{
		if (!TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
		{
			cq::CheckColumns(RelationGetDescr(trigger->tg_relation));
			cq::CheckLimits(trigger->tg_relation);
		}
		return static_cast<Datum>(0);
	}
	if (!TRIGGER_FIRED_BEFORE(trigger->tg_event) || TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		return PointerGetDatum(trigger->tg_trigtuple);
	return PointerGetDatum(cq::Checked(trigger));
}

} // extern "C"
