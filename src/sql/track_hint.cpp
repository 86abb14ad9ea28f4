/*
 * track_hint.cpp
 *		The call of cached_query_track() that would help a statement.
 *
 * Which columns these are was noted when the statement ran; what they are called, and what is tracked, is asked now.
 *
 * Part of sql.h.
 */
#include "pg.h"
#include "sql/sql.h"
#include "sql/track_hint.h"

extern "C" {
#include "catalog/partition.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/rel.h"
}

namespace cq
{
namespace
{

/* What the table is tracked by now; empty: it isn't. */
struct Tracked
{
	List *keys; /* names (char *) */
	List *quiet;
	List *ranges;
};

Tracked
TrackedBy(Relation table)
{
	const TriggerDesc *triggers = CopyTriggerDesc(table->trigdesc);
	Tracked tracked = {NIL, NIL, NIL};

	for (int i = 0; triggers != nullptr && i < triggers->numtriggers; i++)
	{
		const Trigger &trigger = triggers->triggers[i];

		if (!exact::IsTracker(trigger.tgfoid))
			continue;
		if (exact::WhyNotTracked(table, trigger.tgoid) == nullptr)
		{
			(void) exact::ColumnNames(trigger.tgargs[0], &tracked.keys);
			(void) exact::ColumnNames(trigger.tgargs[1], &tracked.quiet);
			if (trigger.tgnargs > 2)
				(void) exact::ColumnNames(trigger.tgargs[2], &tracked.ranges);
		}
		return tracked;
	}
	return tracked;
}

bool
HasName(List *names, const char *name)
{
	ListCell *cell;

	foreach (cell, names)
	{
		if (strcmp(static_cast<char *>(lfirst(cell)), name) == 0)
			return true;
	}
	return false;
}

/* The columns, as names (char *), that are no keys yet.  NIL: none, or not all of them can be. */
List *
NewKeys(Relation table, const AdvisedKeys &advised, const Tracked &tracked)
{
	const TupleDesc desc = RelationGetDescr(table);
	List *names = NIL;

	for (int i = 0; i < advised.n; i++)
	{
		const AttrNumber number = advised.columns[i];
		char *name;

		if (number > desc->natts || TupleDescAttr(desc, number - 1)->attisdropped ||
			exact::WhyNoKey(desc, number) != nullptr)
			return NIL;
		name = NameStr(TupleDescAttr(desc, number - 1)->attname);
		if (!HasName(tracked.keys, name))
			names = lappend(names, pstrdup(name));
	}
	return list_length(tracked.keys) + list_length(names) <= exact::kMostKeys ? names : NIL;
}

/* As a literal of text[]. */
char *
ArrayLiteral(List *names)
{
	Datum *values = NewArray<Datum>(list_length(names));
	int n = 0;
	ListCell *cell;
	Oid output;
	bool varlena;

	foreach (cell, names)
		values[n++] = CStringGetTextDatum(static_cast<char *>(lfirst(cell)));
	getTypeOutputInfo(TEXTARRAYOID, &output, &varlena);
	return quote_literal_cstr(OidOutputFunctionCall(
		output, PointerGetDatum(construct_array(values, n, TEXTOID, -1, false, TYPALIGN_INT))));
}

/* As regclass shows it. */
const char *
ShownName(Oid relation)
{
	return RelationIsVisible(relation)
			   ? quote_identifier(get_rel_name(relation))
			   : quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)),
											get_rel_name(relation));
}

/* Of the call; empty if it isn't needed. */
const char *
Argument(const char *argument, List *names)
{
	return names == NIL ? "" : psprintf(", %s => %s::text[]", argument, ArrayLiteral(names));
}

/* With the schema and with types, so that no other function of the name fits better. */
char *
HintFor(Relation table, const AdvisedKeys &advised, Oid function)
{
	const Tracked tracked = TrackedBy(table);
	List *names = NewKeys(table, advised, tracked);
	List *ancestors =
		table->rd_rel->relispartition ? get_partition_ancestors(RelationGetRelid(table)) : NIL;
	const char *name = ShownName(ancestors == NIL ? RelationGetRelid(table) : llast_oid(ancestors));
	const char *schema = quote_identifier(get_namespace_name(get_func_namespace(function)));

	if (names == NIL)
		return nullptr;
	return psprintf("voided by writes to %s; the statement pins %s: SELECT "
					"%s.cached_query_track(%s::regclass%s%s%s)",
					name, QuotedNames(names, " and "), schema, quote_literal_cstr(name),
					Argument("keys", list_concat_copy(tracked.keys, names)),
					Argument("quiet", tracked.quiet), Argument("ranges", tracked.ranges));
}

} // namespace

char *
TrackHint(Oid relation, const AdvisedKeys &keys, Oid function)
{
	Relation table;
	char *hint = nullptr;

	/* a view that others look at must not wait */
	if (keys.n == 0 || !ConditionalLockRelationOid(relation, AccessShareLock))
		return nullptr;
	table = try_relation_open(relation, NoLock);
	if (table != nullptr)
	{
		hint = HintFor(table, keys, function);
		relation_close(table, NoLock);
	}
	UnlockRelationOid(relation, AccessShareLock);
	return hint;
}

} // namespace cq
