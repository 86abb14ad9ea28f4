/*
 * columns.cpp
 *		The caller's column list against the query's columns.
 *
 * Rows are handed out as they are stored, so a value must be one of the listed type as it is: that is a
 * question of types, not of values.  What the direct query's cast would only relabel is accepted: a type
 * that a binary-coercible cast leads to, a domain's base type, a wider type modifier, any collation, which
 * counts for the caller only.  What would look at values, and might change or refuse them, is an error:
 * PostgreSQL never checks the columns of a function, so varchar(3) would hold five letters, and a domain
 * what its constraints forbid.
 */
#include "pg.h"
#include "call/columns.h"
#include "query/catalog.h"
#include "query/findings.h"
#include "validity/lookup.h"

extern "C" {
#include "catalog/pg_cast.h"
#include "utils/numeric.h"
}

namespace cq
{
namespace
{

/* The first column whose type can't stand in a column list, or nullptr. */
Form_pg_attribute
Unlistable(TupleDesc desc)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (get_typtype(column->atttypid) == TYPTYPE_PSEUDO && column->atttypid != RECORDOID &&
			column->atttypid != RECORDARRAYOID)
			return column;
	}
	return nullptr;
}

/* Some drivers show no hint: the list stands in both. */
[[noreturn]] void
ColumnsDiffer(const Call &call, TupleDesc actual, char *detail)
{
	char *list = ColumnList(actual);

	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 call.of_row_type
				 ? errmsg("row type does not match the columns of the cached query")
				 : errmsg("column list does not match the columns of the cached query"),
			 errdetail_internal("%s The query returns: (%s).", detail, list),
			 call.of_row_type
				 ? errhint("The query must return the columns of the row type, in their order.")
			 : Unlistable(actual) == nullptr
				 ? errhint("Write AS t(%s), or cast columns in the query.", list)
				 : errhint("Cast column \"%s\" to text in the query: no column list can name "
						   "its type.",
						   NameStr(Unlistable(actual)->attname))));
	pg_unreachable();
}

char *
TypeName(Form_pg_attribute column)
{
	return format_type_with_typemod(column->atttypid, column->atttypmod);
}

/* A name that no earlier column of the list has: SQL refuses duplicates there. */
char *
UniqueName(TupleDesc desc, int index)
{
	const char *name = NameStr(TupleDescAttr(desc, index)->attname);
	int earlier = 0;

	for (int i = 0; i < index; i++)
		earlier += strcmp(NameStr(TupleDescAttr(desc, i)->attname), name) == 0;
	return earlier == 0 ? pstrdup(name) : psprintf("%s_%d", name, earlier + 1);
}

/* --- what a value is without being converted ------------------------------------------------ */

/* CREATE CAST .. WITHOUT FUNCTION, which only superusers may say, and which is not for explicit casts only. */
bool
RelabelsTo(Oid from, Oid to)
{
	HeapTuple tuple =
		SearchSysCache2(CASTSOURCETARGET, ObjectIdGetDatum(from), ObjectIdGetDatum(to));
	bool relabels = false;

	if (!HeapTupleIsValid(tuple))
		return false;

	Form_pg_cast cast = reinterpret_cast<Form_pg_cast>(GETSTRUCT(tuple));

	relabels =
		cast->castmethod == COERCION_METHOD_BINARY && cast->castcontext != COERCION_CODE_EXPLICIT;
	ReleaseSysCache(tuple);
	return relabels;
}

/* The type under a domain, and the modifier that it gives; the type itself if it is no domain. */
Oid
TypeBelow(Oid type, int32 *typmod)
{
	HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	Oid below = type;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", type);

	Form_pg_type form = reinterpret_cast<Form_pg_type>(GETSTRUCT(tuple));

	if (form->typtype == TYPTYPE_DOMAIN)
	{
		below = form->typbasetype;
		*typmod = form->typtypmod;
	}
	ReleaseSysCache(tuple);
	return below;
}

/*
 * Does a value of a type with this modifier fit the other one as it is?  Types whose modifiers aren't
 * known here must have the same.
 */
bool
FitsTypmod(Oid type, int32 have, int32 want)
{
	constexpr int32 kFullPrecision = 6;

	if (want < 0 || want == have)
		return true;
	switch (type)
	{
	case VARCHAROID:
	case VARBITOID:
		return have >= 0 && have <= want;
	case NUMERICOID:
		/* the scale must be the same, then the larger precision is */
		return have >= 0 && ((have - VARHDRSZ) & 0xffff) == ((want - VARHDRSZ) & 0xffff) &&
			   have <= want;
	case TIMEOID:
	case TIMETZOID:
	case TIMESTAMPOID:
	case TIMESTAMPTZOID:
		return (have < 0 ? kFullPrecision : have) <= want;
	default:
		return false;
	}
}

/* Modifiers of arrays are their elements'. */
Oid
ModifiedType(Oid type)
{
	Oid element = get_element_type(type);

	return OidIsValid(element) ? element : type;
}

/* Is each value of the query's column one of the listed type, as it is? */
bool
IsGivenAs(Form_pg_attribute have, Form_pg_attribute want)
{
	Oid type = have->atttypid;
	int32 typmod = have->atttypmod;

	/* what a domain promises of its base, too, down to the type that was listed */
	while (type != want->atttypid)
	{
		Oid below = TypeBelow(type, &typmod);

		if (below == type)
			break;
		type = below;
	}
	if (type != want->atttypid && !RelabelsTo(type, want->atttypid))
		return false;
	/* a modifier says something about values of its own type only */
	return want->atttypmod < 0 ||
		   (type == want->atttypid && FitsTypmod(ModifiedType(type), typmod, want->atttypmod));
}

} // namespace

void
CheckColumns(const Call &call, TupleDesc actual)
{
	const TupleDesc expected = call.expected;

	if (expected->natts != actual->natts)
		ColumnsDiffer(
			call, actual,
			psprintf(
				"Number of %s columns (%d) does not match number of columns of the query (%d).",
				call.of_row_type ? "expected" : "listed", expected->natts, actual->natts));
	for (int i = 0; i < actual->natts; i++)
	{
		Form_pg_attribute want = TupleDescAttr(expected, i);
		Form_pg_attribute have = TupleDescAttr(actual, i);

		if ((want->atttypid == have->atttypid && want->atttypmod == -1) || IsGivenAs(have, want))
			continue;
		ColumnsDiffer(call, actual,
					  psprintf("Column %d is expected to be of type %s, but is of type %s.", i + 1,
							   TypeName(want), TypeName(have)));
	}
}

bool
IsListable(TupleDesc desc)
{
	return Unlistable(desc) == nullptr;
}

void
RequireListable(TupleDesc desc)
{
	Form_pg_attribute column = Unlistable(desc);

	if (column != nullptr)
		ereport(ERROR, (errcode(ERRCODE_INVALID_TABLE_DEFINITION),
						errmsg("column \"%s\" of the query has pseudo-type %s",
							   NameStr(column->attname), format_type_be(column->atttypid)),
						errdetail("No column list can name that type."),
						errhint("Cast it to text in the query.")));
}

char *
ColumnList(TupleDesc desc)
{
	StringInfoData list;
	List *names = NIL;

	initStringInfo(&list);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);
		char *name = UniqueName(desc, i);

		/* "a_2" may be a column of its own */
		while (HasName(names, name))
			name = psprintf("%s_", name);
		names = lappend(names, name);
		appendStringInfo(&list, "%s%s %s", i > 0 ? ", " : "", quote_identifier(name),
						 TypeName(column));
		if (OidIsValid(column->attcollation) &&
			column->attcollation != get_typcollation(column->atttypid))
			appendStringInfo(
				&list, " COLLATE %s.%s",
				quote_identifier(get_namespace_name(CollationNamespace(column->attcollation))),
				quote_identifier(get_collation_name(column->attcollation)));
	}
	return list.data;
}

} // namespace cq
