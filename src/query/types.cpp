/*
 * types.cpp
 *		The types of values: what their input, output, comparison and constraints depend on.
 *
 * Part of walk.h.
 */
#include "pg.h"
#include "query/walk.h"
#include "query/catalog.h"
#include "query/functions.h"
#include "settings.h"

extern "C" {
#include "catalog/pg_am.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_language.h"
#include "optimizer/clauses.h"
#include "parser/parse_coerce.h"
#include "utils/catcache.h"
#include "utils/formatting.h"
#include "utils/rel.h"
}

#include <initializer_list>

namespace cq
{

namespace
{

void
JudgeBuiltinType(Findings *f, Oid type)
{
	const Oid element = get_element_type(type);

	JudgeText(f, type);
	if (MayGetComparison(OidIsValid(element) ? element : type))
		JudgeComparison(f, OidIsValid(element) ? element : type);
}

} // namespace

void
JudgeType(Findings *f, Oid type)
{
	if (type < FirstUnpinnedObjectId && FirstTime(&f->seen, Thing::names, type, f->nested))
		JudgeBuiltinType(f, type);
	if (f->nested && f->name_values)
		f->late = true; /* 'x'::regclass in a body means what it means then */
	if (type < FirstUnpinnedObjectId || !FirstTime(&f->seen, Thing::type, type))
		return;
	f->types = lappend_oid(f->types, type);
	if (f->nested)
		NoteLateName(f, exact::NameKind::type, NameOfType(type));
	Defer(f, Thing::type, type);
}

namespace
{

/* visit() for the type of each column. */
void
VisitColumns(Findings *f, Oid type, void (*visit)(Findings *f, Oid type))
{
	TupleDesc desc = lookup_rowtype_tupdesc_copy(type, -1);

	for (int i = 0; i < desc->natts; i++)
	{
		if (!TupleDescAttr(desc, i)->attisdropped)
			visit(f, TupleDescAttr(desc, i)->atttypid);
	}
	FreeTupleDesc(desc);
}

/* The columns of a composite type, which ALTER TYPE .. ALTER ATTRIBUTE can change. */
void
JudgeRowType(Findings *f, Oid type)
{
	Oid relation = get_typ_typrelid(type);

	if (!FirstTime(&f->seen, Thing::rowtype, relation))
		return;
	f->rowtypes = lappend_oid(f->rowtypes, relation);
	VisitColumns(f, type, JudgeType);
}

} // namespace

namespace
{

/*
 * Comparisons that no node names.  Arrays and records, GREATEST and DISTINCT use the default operators
 * of their elements' types.  to_json() and the like call a user's cast to json.
 */
void
JudgeImplied(Findings *f, Oid type)
{
	Oid cast;

	JudgeComparison(f, type);
	if (find_coercion_pathway(JSONOID, type, COERCION_EXPLICIT, &cast) == COERCION_PATH_FUNC)
		JudgeFunction(cast, f);
}

} // namespace

void
JudgeParts(Findings *f, Oid type)
{
	Oid part;

	if (isAnyTempNamespace(TypeNamespace(type)))
		RefuseBoth(f, Reason::temp_relation, psprintf("type %s", format_type_be(type)));

	/* not the base type at once: each domain between has constraints of its own */
	part = TypeBelow(type);
	if (OidIsValid(part))
		JudgeType(f, part);
	part = get_element_type(type);
	if (OidIsValid(part))
		JudgeType(f, part);
	if (type_is_range(type))
		JudgeType(f, get_range_subtype(type));
	if (type_is_multirange(type))
		JudgeType(f, get_multirange_range(type));
	if (type_is_rowtype(type) && get_typtype(type) == TYPTYPE_COMPOSITE)
		JudgeRowType(f, type);
	JudgeImplied(f, type);
}

void
JudgeDomain(Findings *f, Oid type)
{
	if (!FirstTime(&f->seen, Thing::domain, type) || !compat::HasDomainConstraints(type))
		return;
	f->role = f->session_role = f->regional = f->customized = f->search_path = f->names =
		f->user_function = true;
	Defer(f, Thing::domain, type);
}

void
JudgeChecks(Findings *f, Oid type)
{
	for (List *checks = ChecksOf(type); checks != NIL; checks = list_delete_first(checks))
		Walk(static_cast<Node *>(stringToNode(static_cast<char *>(linitial(checks)))), f);
}

void
JudgeDefaults(Findings *f, const Pending *item)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(item->oid));
	Datum trees;
	bool null;
	List *defaults;
	ListCell *cell;
	int argument;

	if (!HeapTupleIsValid(tuple))
		return;
	trees = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proargdefaults, &null);
	argument = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple))->pronargs;
	defaults = null ? NIL : static_cast<List *>(stringToNode(TextDatumGetCString(trees)));
	ReleaseSysCache(tuple);
	argument -= list_length(defaults);
	foreach (cell, defaults)
	{
		/* beyond 64, an argument counts as not given */
		if (argument >= 64 || !(item->variant & (UINT64CONST(1) << argument)))
			Walk(static_cast<Node *>(lfirst(cell)), f);
		argument++;
	}
}

void
JudgeInput(Findings *f, Oid type)
{
	JudgeType(f, type);
	if (FirstTime(&f->seen, Thing::input, type))
		Defer(f, Thing::input, type);
}

void
JudgeReading(Findings *f, Oid type)
{
	Oid base = getBaseType(type);
	Oid element = get_element_type(base);
	Oid input;
	Oid parameter;

	if (base != type)
		JudgeDomain(f, type);
	if (OidIsValid(element))
		JudgeInput(f, element);
	else if (type_is_range(base))
		JudgeInput(f, get_range_subtype(base));
	else if (type_is_multirange(base))
		JudgeInput(f, get_multirange_range(base));
	else if (!type_is_rowtype(base))
	{
		getTypeInputInfo(base, &input, &parameter);
		JudgeFunction(input, f);
	}
	else if (base != RECORDOID) /* whose columns are in a list of their own */
		VisitColumns(f, base, JudgeInput);
}

void
JudgeInitial(Findings *f, Oid type, const char *text)
{
	if (strcmp(text, "{}") == 0 && (IsPolymorphicType(type) || OidIsValid(get_element_type(type))))
		return; /* whatever the elements are */
	if (IsPolymorphicType(type))
		NotUnderstood(f, "an aggregate's initial value");
	else
		JudgeInput(f, type);
}

void
JudgeInputs(Findings *f, List *types)
{
	ListCell *cell;

	foreach (cell, types)
	{
		if (OidIsValid(lfirst_oid(cell))) /* FOR ORDINALITY has none in 15 */
			JudgeInput(f, lfirst_oid(cell));
	}
}

void
JudgeOutput(Findings *f, Oid type)
{
	f->makes_text = true;
	JudgeType(f, type);
	if (FirstTime(&f->seen, Thing::output, type))
		Defer(f, Thing::output, type);
}

void
JudgeWriting(Findings *f, Oid type)
{
	Oid base = getBaseType(type);
	Oid element = get_element_type(base);

	if (OidIsValid(element))
		JudgeOutput(f, element);
	else if (type_is_range(base))
		JudgeOutput(f, get_range_subtype(base));
	else if (type_is_multirange(base))
		JudgeOutput(f, get_multirange_range(base));
	else if (base == RECORDOID || base == RECORDARRAYOID)
		f->regional = f->folded = true; /* the types of its columns are elsewhere in the query */
	else if (type_is_rowtype(base))
		VisitColumns(f, base, JudgeOutput);
	else
		JudgeFunction(OutputFunction(base, false), f);
}

List *
PartsOf(Oid type, List *parts)
{
	TupleDesc desc;

	if (OidIsValid(get_element_type(type)))
		return list_append_unique_oid(parts, get_element_type(type));
	if (type_is_range(type))
		return list_append_unique_oid(parts, get_range_subtype(type));
	if (type_is_multirange(type))
		return list_append_unique_oid(parts, get_multirange_range(type));
	if (get_typtype(type) == TYPTYPE_DOMAIN)
		return list_append_unique_oid(parts, TypeBelow(type));
	if (get_typtype(type) != TYPTYPE_COMPOSITE)
		return parts;
	desc = lookup_rowtype_tupdesc_copy(type, -1);
	for (int i = 0; i < desc->natts; i++)
	{
		if (TupleDescAttr(desc, i)->atttypid >= FirstUnpinnedObjectId &&
			!TupleDescAttr(desc, i)->attisdropped)
			parts = list_append_unique_oid(parts, TupleDescAttr(desc, i)->atttypid);
	}
	FreeTupleDesc(desc);
	return parts;
}

void
JudgeColumns(Findings *f, TupleDesc desc)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		JudgeType(f, column->atttypid);
		if (column->atttypid == RECORDOID || column->atttypid == RECORDARRAYOID)
			RefuseBoth(f, Reason::record_column, psprintf("column %d", i + 1));
	}
}

void
JudgeAssignment(Findings *f, Oid source, int32 source_typmod, Oid target, int32 target_typmod)
{
	CaseTestExpr *value;
	Node *cast = nullptr;

	if (source == target && (source_typmod == target_typmod || target_typmod == -1))
		return;
	value = makeNode(CaseTestExpr);
	value->typeId = source;
	value->typeMod = source_typmod;
	value->collation = get_typcollation(source);
	if (source != UNKNOWNOID && source != RECORDOID)
		cast = coerce_to_target_type(nullptr, reinterpret_cast<Node *>(value), source, target,
									 target_typmod, COERCION_PLPGSQL, COERCE_IMPLICIT_CAST, -1);
	if (cast == nullptr)
	{
		CoerceViaIO *convert = makeNode(CoerceViaIO);

		convert->arg = reinterpret_cast<Expr *>(value);
		convert->resulttype = target;
		convert->coerceformat = COERCE_IMPLICIT_CAST;
		convert->location = -1;
		cast = reinterpret_cast<Node *>(convert);
	}
	WalkTree(f, cast);
}

void
NoteType(Findings *f, Oid type)
{
	MemoryContext caller = MemoryContextSwitchTo(f->context);

	JudgeType(f, type);
	MemoryContextSwitchTo(caller);
}

void
NoteDescribed(Findings *f, Oid relation)
{
	MemoryContext caller = MemoryContextSwitchTo(f->context);

	if (get_rel_persistence(relation) == RELPERSISTENCE_TEMP)
		RefuseBoth(f, Reason::temp_relation, psprintf("relation %s", get_rel_name(relation)));
	if (FirstTime(&f->seen, Thing::rowtype, relation))
		f->rowtypes = lappend_oid(f->rowtypes, relation);
	MemoryContextSwitchTo(caller);
}

} // namespace cq
