/*
 * row_types.cpp
 *		Planning: the columns of cached_query_as(NULL::t, ..) in FROM.
 *
 * The statement knows the columns that t had when it was analysed; the scan has those that t has now.
 */
#include "pg.h"
#include "query/news.h"
#include "scan/row_types.h"

extern "C" {
#include "utils/inval.h"
}

namespace cq
{

bool
ReturnsRowType(const FuncExpr *call)
{
	return call->funcresulttype != RECORDOID && type_is_rowtype(call->funcresulttype);
}

/* No lock is taken that would bring news of the type: a session in a transaction may have read none for long. */
void
RememberRowTypeOf(const FuncExpr *call)
{
	AcceptInvalidationMessages();
	RememberRowType(call->funcid, get_typ_typrelid(getBaseType(call->funcresulttype)));
}

List *
RowTypeColumns(const FuncExpr *call, Index rti)
{
	TupleDesc desc = lookup_rowtype_tupdesc(getBaseType(call->funcresulttype), -1);
	List *tlist = NIL;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);
		Var *var;

		if (column->attisdropped)
			continue;
		var = makeVar(static_cast<int>(rti), column->attnum, column->atttypid, column->atttypmod,
					  column->attcollation, 0);
		tlist = lappend(tlist, makeTargetEntry(reinterpret_cast<Expr *>(var),
											   static_cast<AttrNumber>(list_length(tlist) + 1),
											   pstrdup(NameStr(column->attname)), false));
	}
	ReleaseTupleDesc(desc);
	return tlist;
}

bool
NeedsDropped(const FuncExpr *call, const Bitmapset *columns)
{
	TupleDesc desc = lookup_rowtype_tupdesc(getBaseType(call->funcresulttype), -1);
	bool needs = false;

	for (int i = 0; i < desc->natts; i++)
		needs = needs || (TupleDescAttr(desc, i)->attisdropped &&
						  bms_is_member(i + 1 - FirstLowInvalidHeapAttributeNumber, columns));
	ReleaseTupleDesc(desc);
	return needs;
}

} // namespace cq
