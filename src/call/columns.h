/*
 * columns.h
 *		The caller's column list against the query's columns.
 */
#pragma once

#include "pg.h"

namespace cq
{

struct Call;

/* Error unless the query's rows are rows of the expected columns as they are. */
extern void CheckColumns(const Call &call, TupleDesc actual);
/* Can a column list name these columns?  Pseudo-types can't stand there. */
extern bool IsListable(TupleDesc desc);
/* Error if not. */
extern void RequireListable(TupleDesc desc);
/* The list to paste after AS t(...). */
extern char *ColumnList(TupleDesc desc);

} // namespace cq
