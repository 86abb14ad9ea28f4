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

extern "C" {
#include "commands/dbcommands.h"
}

namespace cq
{
namespace
{

/* Does this reason forbid only exact results, so that a call could cache the result for a ttl? */
bool
IsForCalls(Reason reason)
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
		return true;
	default:
		return false;
	}
}

/* "exact" if a quarter of its runs or more are hits, or would be. */
const char *
Advice(const Candidate &candidate)
{
	if ((candidate.hits + candidate.would_hit) * 4 >= candidate.calls)
		return "exact";
	return IsForCalls(candidate.reason) || candidate.voids > 0 ? "call" : "no";
}

Row
CandidateRow(const Candidate &c)
{
	const bool visible = MaySee(c.role);
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
	Put(&row, ObjectIdGetDatum(c.voided_by),
		!OidIsValid(c.voided_by) || !visible || c.database != MyDatabaseId);
	PutText(&row, c.calls > c.hits ? Describe(c.reason).code : nullptr);
	PutText(&row, Advice(c));
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
		if (candidate.key != 0)
			AddRow(fcinfo, CandidateRow(candidate));
	}
	return static_cast<Datum>(0);
}

} // extern "C"
