/*
 * row_types.cpp
 *		Which row types are used by which functions of ours, in statements that this session has planned.
 *
 * PostgreSQL analyses SELECT * FROM t again when t has changed: a PL/pgSQL function goes on with the new
 * columns, and a prepared statement raises "cached plan must not change result type".  For a function that
 * returns t, as cached_query_as(NULL::t, ..) does, it doesn't, since it notes what a statement calls and reads, but not the
 * types of rows.  So the session remembers them, and when such a type changes, it has the
 * statements that call these functions analysed again.
 *
 * The tree of a view isn't analysed again.  As with other functions, it has the columns that there were when the
 * view was made.
 *
 * Part of news.h.
 */
#include "pg.h"
#include "base/oid_table.h"
#include "query/news.h"

extern "C" {
#include "utils/inval.h"
}

namespace cq
{
namespace
{

struct RowType
{
	Oid oid;         /* of the relation */
	List *functions; /* hash values of those that return it */
};

OidTable<RowType> row_types = {"cached_query row types", nullptr, 0};

} // namespace

void
RememberRowType(Oid function, Oid relation)
{
	const int hash = static_cast<int>(GetSysCacheHashValue1(PROCOID, function));
	MemoryContext caller;
	RowType *known;
	bool found;

	known = row_types.Enter(relation, &found);
	if (!found)
		known->functions = NIL;
	caller = MemoryContextSwitchTo(TopMemoryContext);
	known->functions = list_append_unique_int(known->functions, hash);
	MemoryContextSwitchTo(caller);
}

void
RowTypeChanged(Oid relation)
{
	const RowType *known = row_types.Find(relation);
	ListCell *cell;

	if (known == nullptr)
		return;
	foreach (cell, known->functions)
		ForgetPlansThatCall(static_cast<uint32>(lfirst_int(cell)));
}

} // namespace cq
