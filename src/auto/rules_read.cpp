/*
 * rules_read.cpp
 *		Reading the table cached_query_rules.
 *
 * Part of rules.h.
 */
#include "pg.h"
#include "base/symbol.h"
#include "auto/rules.h"
#include "auto/shape.h"
#include "query/inside.h"

extern "C" {
#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_trigger.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/varlena.h"
}

namespace cq
{
namespace
{

/* The columns, as the extension's script makes them. */
enum Column
{
	kRole,
	kRelation,
	kQueryid,
	kQuery,
	kAction,
	kTtl,
	kTag,
	kColumns
};
constexpr RuleColumn columns[kColumns] = {
	{"role", TEXTOID},   {"relation", TEXTOID}, {"queryid", INT8OID}, {"query", TEXTOID},
	{"action", TEXTOID}, {"ttl", INTERVALOID},  {"tag", TEXTOID}};

/* -1: there is none of this name and type. */
int
PlaceOf(TupleDesc desc, const RuleColumn &column)
{
	for (int n = 0; n < desc->natts; n++)
	{
		const Form_pg_attribute attribute = TupleDescAttr(desc, n);

		if (!attribute->attisdropped && attribute->atttypid == column.type &&
			strcmp(NameStr(attribute->attname), column.name) == 0)
			return n;
	}
	return -1;
}

char *
TextAt(const Datum *values, const bool *nulls, int place)
{
	return nulls[place] ? nullptr : TextDatumGetCString(values[place]);
}

int64
Microseconds(const Interval *interval)
{
	return interval->time +
		   (static_cast<int64>(interval->month) * DAYS_PER_MONTH + interval->day) * USECS_PER_DAY;
}

/* Schema and name; a rule with another text in the place is for no statement. */
void
SplitName(Rule *rule, char *text)
{
	List *names = NIL;

	rule->schema = rule->relation = pstrdup("");
	if (!SplitIdentifierString(text, '.', &names) || list_length(names) != 2)
		return;
	rule->schema = static_cast<char *>(linitial(names));
	rule->relation = static_cast<char *>(lsecond(names));
}

void
ParseQuery(Rule *rule, const char *text)
{
	Findings findings = Findings();

	rule->has_query = true;
	/* settings of the session decide what some texts are: one that is none here is for no statement */
	if (!Tried(&findings, [rule, text]() { rule->shape = ShapeOf(text); }))
		rule->shape = nullptr;
}

/* False: triggers that keep such rows out were disabled. */
bool
DecodeRule(Rule *rule, const Datum *values, const bool *nulls, const int *places)
{
	const char *action = TextAt(values, nulls, places[kAction]);
	char *relation = TextAt(values, nulls, places[kRelation]);
	const char *query = TextAt(values, nulls, places[kQuery]);

	memset(static_cast<void *>(rule), 0, sizeof(*rule));
	rule->role = TextAt(values, nulls, places[kRole]);
	rule->tag = TextAt(values, nulls, places[kTag]);
	if (relation != nullptr)
		SplitName(rule, relation);
	if (!nulls[places[kQueryid]])
		rule->queryid = static_cast<uint64>(DatumGetInt64(values[places[kQueryid]]));
	if (query != nullptr)
		ParseQuery(rule, query);
	rule->off = action != nullptr && strcmp(action, "off") == 0;
	if (!nulls[places[kTtl]])
		rule->ttl_us = Microseconds(DatumGetIntervalP(values[places[kTtl]]));
	return action != nullptr && (rule->off || strcmp(action, "exact") == 0 || rule->ttl_us > 0) &&
		   (rule->tag == nullptr || strlen(rule->tag) <= kMaxHintTag);
}

/* The more specific one; then the stricter one; then some order that is the same in all sessions. */
int
CompareRules(const void *a, const void *b)
{
	const Rule &left = *static_cast<const Rule *>(a);
	const Rule &right = *static_cast<const Rule *>(b);
	const auto weight = [](const Rule &rule) {
		return (rule.queryid != 0 || rule.has_query) * 4 + (rule.relation != nullptr) * 2 +
			   (rule.role != nullptr);
	};

	if (weight(left) != weight(right))
		return weight(right) - weight(left);
	if (left.off != right.off)
		return left.off ? -1 : 1;
	if (left.ttl_us != right.ttl_us)
		return left.ttl_us < right.ttl_us ? -1 : 1;
	return strcmp(left.tag != nullptr ? left.tag : "", right.tag != nullptr ? right.tag : "");
}

void
ScanRules(Relation table, RuleSet *set)
{
	TupleDesc desc = RelationGetDescr(table);
	int places[kColumns];
	Datum *values = NewArray<Datum>(desc->natts);
	bool *nulls = NewArray<bool>(desc->natts);
	Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = systable_beginscan(table, InvalidOid, false, snapshot, 0, nullptr);
	Size bytes = 0;

	for (int i = 0; i < kColumns; i++)
		places[i] = PlaceOf(desc, columns[i]);
	set->rules = NewArray<Rule>(kMaxRules);
	for (HeapTuple tuple = systable_getnext(scan);
		 HeapTupleIsValid(tuple) && set->count < kMaxRules; tuple = systable_getnext(scan))
	{
		CHECK_FOR_INTERRUPTS();
		heap_deform_tuple(tuple, desc, values, nulls);
		bytes += nulls[places[kQuery]] ? 0 : toast_raw_datum_size(values[places[kQuery]]);
		if (bytes > kMaxRuleText)
			break;
		set->count += DecodeRule(&set->rules[set->count], values, nulls, places);
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	qsort(set->rules, static_cast<size_t>(set->count), sizeof(Rule), CompareRules);
}

} // namespace

const RuleColumn *
LackingColumn(TupleDesc desc)
{
	for (const RuleColumn &column : columns)
	{
		if (PlaceOf(desc, column) < 0)
			return &column;
	}
	return nullptr;
}

/* The extension's own, whatever its name is now: it has one table.  Anybody may make others of that name. */
Oid
FindRulesTable()
{
	const Oid extension = get_extension_oid("cached_query", true);
	Oid found = InvalidOid;
	ScanKeyData keys[2];
	Relation depend;
	SysScanDesc scan;

	if (!OidIsValid(extension))
		return InvalidOid;
	depend = table_open(DependRelationId, AccessShareLock);
	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(ExtensionRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(extension));
	scan = systable_beginscan(depend, DependReferenceIndexId, true, nullptr, 2, keys);
	for (HeapTuple tuple = systable_getnext(scan); HeapTupleIsValid(tuple) && !OidIsValid(found);
		 tuple = systable_getnext(scan))
	{
		const Form_pg_depend member = reinterpret_cast<Form_pg_depend>(GETSTRUCT(tuple));

		if (member->classid == RelationRelationId && member->deptype == DEPENDENCY_EXTENSION &&
			get_rel_relkind(member->objid) == RELKIND_RELATION)
			found = member->objid;
	}
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
	return found;
}

namespace
{

/* Will sessions be told of each change, by our trigger? */
bool
TellsOfChanges(const TriggerDesc *triggers)
{
	const int16 wanted =
		TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE | TRIGGER_TYPE_TRUNCATE;
	int16 told = 0;

	for (int i = 0; triggers != nullptr && i < triggers->numtriggers; i++)
	{
		const Trigger &trigger = triggers->triggers[i];

		if ((trigger.tgenabled == TRIGGER_FIRES_ALWAYS ||
			 trigger.tgenabled == TRIGGER_FIRES_ON_ORIGIN) &&
			trigger.tgqual == nullptr && trigger.tgnattr == 0 &&
			IsBoundTo(trigger.tgfoid, "cached_query_rule_trigger"))
			told |= trigger.tgtype;
	}
	return (told & wanted) == wanted;
}

const char *
WhatIsWrong(Relation table)
{
	const RuleColumn *lacking = LackingColumn(RelationGetDescr(table));

	if (lacking != nullptr)
		return psprintf("column \"%s\" of type %s is missing", lacking->name,
						format_type_be(lacking->type));
	if (!TellsOfChanges(table->trigdesc))
		return pstrdup("a trigger is missing or disabled");
	return nullptr;
}

} // namespace

bool
ReadRules(Oid id, RuleSet *set, const char **wrong)
{
	Relation table;

	*set = {nullptr, 0};
	*wrong = nullptr;
	if (!ConditionalLockRelationOid(id, AccessShareLock))
		return false;
	table = try_relation_open(id, NoLock);
	if (table != nullptr)
	{
		*wrong = WhatIsWrong(table);
		if (*wrong == nullptr)
			ScanRules(table, set);
		relation_close(table, NoLock);
	}
	UnlockRelationOid(id, AccessShareLock);
	return true;
}

} // namespace cq
