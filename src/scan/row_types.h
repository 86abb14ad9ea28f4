/*
 * row_types.h
 *		Calls in FROM that return a row type by name, whose columns may have changed since the statement was analysed.
 */
#pragma once

#include "pg.h"

namespace cq
{

/* Not a record with a column list, not a scalar. */
extern bool ReturnsRowType(const FuncExpr *call);

/* Statements that call this function are analysed again when the columns of its row type change. */
extern void RememberRowTypeOf(const FuncExpr *call);

/* One entry for each live column that the row type has now, in order. */
extern List *RowTypeColumns(const FuncExpr *call, Index rti);

/* Is there a dropped column among these, which are offset by FirstLowInvalidHeapAttributeNumber? */
extern bool NeedsDropped(const FuncExpr *call, const Bitmapset *columns);

} // namespace cq
