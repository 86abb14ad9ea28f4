/*
 * columns_read.h
 *		Which columns of its tables a query names.
 *
 * A query's result depends on a column only if a Var of its rewritten trees names it.  Plans tell less, since they
 * hand on columns that nobody needs.
 */
#pragma once

#include "pg.h"

extern "C" {
#include "utils/rel.h"
}

namespace cq
{

struct Columns
{
	bool all = false; /* could not be told */
	List *of = NIL;   /* of each table that the trees name */
};

/* Adds those that the rewritten query names. */
extern void AddColumns(Columns *columns, Query *query);
/* May one of these columns (attribute numbers) of the table, or partition of one, decide what the query returns? */
extern bool ReadsColumns(const Columns &columns, Relation relation, const Bitmapset *numbers);

} // namespace cq
