/*
 * columns.cpp
 *		The caller's column list against the query's columns.
 *
 * Rows are handed out as they are stored, so the columns must agree.  PostgreSQL never checks a
 * listed typmod or collation of a function's columns: we do, or varchar(3) would hold five letters.
 */
#include "pg.h"
#include "fill/answer.h"
#include "query/catalog.h"

namespace cq
{
namespace
{

[[noreturn]] void
ColumnsDiffer(TupleDesc actual, char *detail)
{
	ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
					errmsg("column list does not match the columns of the cached query"),
					errdetail_internal("%s", detail),
					errhint("The query returns: AS t(%s)", ColumnList(actual))));
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

bool
Contains(List *names, const char *name)
{
	ListCell *cell;

	foreach (cell, names)
	{
		if (strcmp(static_cast<char *>(lfirst(cell)), name) == 0)
			return true;
	}
	return false;
}

} // namespace

void
CheckColumns(TupleDesc expected, TupleDesc actual)
{
	if (expected->natts != actual->natts)
		ColumnsDiffer(actual, psprintf("%d columns are expected, but the query returns %d.",
									   expected->natts, actual->natts));
	for (int i = 0; i < actual->natts; i++)
	{
		Form_pg_attribute want = TupleDescAttr(expected, i);
		Form_pg_attribute have = TupleDescAttr(actual, i);

		if (want->atttypid != have->atttypid ||
			(want->atttypmod != -1 && want->atttypmod != have->atttypmod))
			ColumnsDiffer(actual,
						  psprintf("Column %d is expected to be of type %s, but is of type %s.",
								   i + 1, TypeName(want), TypeName(have)));
		if (want->attcollation != have->attcollation)
			ColumnsDiffer(
				actual, psprintf("Column %d is expected to have collation \"%s\", but has \"%s\".",
								 i + 1, get_collation_name(want->attcollation),
								 get_collation_name(have->attcollation)));
	}
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
		while (Contains(names, name))
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
