/*
 * sql.cpp
 *		Helpers of several SQL-callable functions.
 */
#include "pg.h"
#include "query/statement.h"
#include "sql/sql.h"

extern "C" {
#include "commands/extension.h"
#include "utils/array.h"
}

namespace cq
{

namespace
{

constexpr char kNotPreloaded[] = "cached_query must be loaded at server start";
constexpr char kHowToPreload[] = "Put shared_preload_libraries = 'cached_query' into "
								 "postgresql.conf (first in the list if the line "
								 "is there already) and restart the server.";

} // namespace

void
RequirePreload()
{
	if (!preloaded && load_tried)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("cached_query could not set up shared memory"),
						errdetail("Another library of shared_preload_libraries has replaced its "
								  "shmem_startup_hook."),
						errhint("Put cached_query after that library and restart the server.")));
	if (!preloaded)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg(kNotPreloaded),
						errhint(kHowToPreload)));
}

void
WarnAtCreation()
{
	if (creating_extension)
		ereport(WARNING, (errmsg(kNotPreloaded), errhint(kHowToPreload)));
}

Datum
IntervalFromUs(int64 us)
{
	Interval *interval = NewZeroed<Interval>();

	interval->day = static_cast<int32>(Min(us / USECS_PER_DAY, static_cast<int64>(PG_INT32_MAX)));
	interval->time = us - interval->day * USECS_PER_DAY;
	return IntervalPGetDatum(interval);
}

Datum
RelationArray(List *relations)
{
	Datum *oids = NewArray<Datum>(list_length(relations));
	int count = 0;
	ListCell *cell;

	foreach (cell, relations)
		oids[count++] = ObjectIdGetDatum(lfirst_oid(cell));
	return PointerGetDatum(
		construct_array(oids, count, REGCLASSOID, sizeof(Oid), true, TYPALIGN_INT));
}

int
HighestParameter(const char *query)
{
	return ParseStatement(query).highest_param;
}

} // namespace cq
