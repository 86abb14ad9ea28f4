/*
 * candidates.cpp
 *		What the view cached_query_candidates shows.
 *
 * Part of sql.h.
 */
#include "pg.h"
#include "auto/candidates.h"
#include "sql/row.h"
#include "sql/sql.h"
#include "sql/track_hint.h"

extern "C" {
#include "commands/dbcommands.h"
}

namespace cq
{
namespace
{

/* Does this reason forbid only exact results? */
bool
ForbidsOnlyExact(Reason reason)
{
	switch (reason)
	{
	case Reason::time_function:
	case Reason::dep_foreign_table:
	case Reason::dep_catalog:
	case Reason::dep_sequence:
	case Reason::dep_access_method:
	case Reason::untrusted_scan:
	case Reason::untrusted_function:
	case Reason::system_column:
	case Reason::tablesample:
	case Reason::exact_in_recovery:
		return true;
	default:
		return false;
	}
}

/*
 * What to ask for.  Exact results, if a quarter or more of those that wanted such had them, or would have had.  Else
 * cached_query_track(), if the writes that void them can be told apart from those that don't matter.  Else, if the statement came again and nothing in it forbids that, results within a ttl: it can't be exact, or what it reads
 * changes too often.
 */
const char *
Advice(const Candidate &c, bool may_track)
{
	if (c.exact_gain > 0 && c.exact_gain * 4 >= c.exact_calls)
		return "exact";
	if (may_track)
		return "track";
	if (c.ttl_possible && (ForbidsOnlyExact(c.reason) || c.voids > 0 || c.hits > c.exact_gain))
		return "ttl";
	return "no";
}

Row
CandidateRow(const Candidate &c, Oid function)
{
	const bool visible = MaySee(c.role);
	const bool here = visible && c.database == MyDatabaseId;
	const char *hint =
		here && OidIsValid(c.voided_by) ? TrackHint(c.voided_by, c.keys, function) : nullptr;
	const double run_ms = static_cast<double>(c.run_us) / 1000.0;
	Row row = {};

	PutText(&row, get_database_name(c.database));
	PutText(&row, GetUserNameFromId(c.role, true));
	PutNumber(&row, c.queryid, c.queryid == 0 || !visible);
	PutText(&row, visible ? Shown(c.text, c.length, c.encoding) : "<insufficient privilege>");
	PutNumber(&row, c.calls);
	PutNumber(&row, c.hits);
	PutNumber(&row, c.would_hit);
	Put(&row, Float8GetDatum(run_ms / static_cast<double>(Max(c.runs, UINT64CONST(1)))),
		c.runs == 0);
	PutMs(&row, c.saved_us);
	PutNumber(&row, c.voids);
	Put(&row, ObjectIdGetDatum(c.voided_by), !OidIsValid(c.voided_by) || !here);
	PutText(&row, c.calls > c.hits ? Describe(c.reason).code : nullptr);
	PutText(&row, Advice(c, hint != nullptr));
	PutText(&row, hint);
	return row;
}

} // namespace
} // namespace cq

extern "C" {

PG_FUNCTION_INFO_V1(cached_query_get_candidates);
Datum
cached_query_get_candidates(PG_FUNCTION_ARGS)
{
	using namespace cq;
	Candidate candidate;

	RequirePreload();
	InitMaterializedSRF(fcinfo, 0);
	for (int n = 0; GetCandidate(n, &candidate); n++)
	{
		CHECK_FOR_INTERRUPTS();
		if (candidate.key != 0)
			AddRow(fcinfo, CandidateRow(candidate, fcinfo->flinfo->fn_oid));
	}
	return static_cast<Datum>(0);
}

} // extern "C"
