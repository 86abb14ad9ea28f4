/*
 * explain_statement.cpp
 *		cached_query_explain_statement(): what cached_query.auto would do with a statement.
 *
 * Part of sql.h.
 */
#include "pg.h"
#include "auto/inspect_statement.h"
#include "sql/row.h"
#include "sql/sql.h"

namespace cq
{
namespace
{

const char *
NameOf(ChosenBy by)
{
	switch (by)
	{
	case ChosenBy::setting:
		return "setting";
	case ChosenBy::hint:
		return "hint";
	case ChosenBy::rule:
		return "rule";
	}
	return nullptr;
}

/* candidate, reason, detail, consistency, relations: the columns that cached_query_explain() has, too */
void
PutVerdict(Row *row, const StatementInspection &inspection)
{
	const bool exact = inspection.candidate && inspection.statement->lookup.exact;
	const char *consistency = exact ? "exact" : "ttl";

	Put(row, BoolGetDatum(inspection.candidate));
	PutText(row, inspection.counted ? Describe(inspection.reason).code : nullptr);
	PutText(row, inspection.detail);
	PutText(row, inspection.candidate ? consistency : nullptr);
	Put(row, RelationArray(inspection.relations));
}

/* chosen_by, rule, ttl, stale_for, tag, slow, last_run, voided_by */
void
PutChoice(Row *row, const StatementInspection &inspection)
{
	const Statement *statement = inspection.statement;
	const bool candidate = inspection.candidate;
	const char *tag = candidate ? statement->call.options.tag : "";
	const int64 stale_ms =
		candidate && !statement->lookup.exact ? statement->call.options.stale_for_ms : 0;

	PutText(row, NameOf(inspection.choice.by));
	PutText(row, inspection.rule);
	Put(row, IntervalFromUs(candidate ? statement->call.ttl_us : 0), !candidate);
	Put(row, IntervalFromUs(stale_ms * 1000), !candidate);
	PutText(row, tag[0] != '\0' ? tag : nullptr);
	Put(row, BoolGetDatum(inspection.slow), !inspection.judged);
	Put(row, IntervalFromUs(inspection.last_us), inspection.last_us == 0);
	Put(row, ObjectIdGetDatum(inspection.voided_by), !OidIsValid(inspection.voided_by));
}

Datum
ReturnExplained(FunctionCallInfo fcinfo, const char *symbol)
{
	const Call call = MakeQuestion(fcinfo, symbol);
	const StatementInspection inspection = InspectStatement(call);
	Row row = {};

	PutVerdict(&row, inspection);
	PutFound(&row, inspection.has_key ? &inspection.statement->lookup.key : nullptr,
			 inspection.has_key, inspection.found);
	PutChoice(&row, inspection);
	return RowDatum(row, RowType(fcinfo));
}

} // namespace
} // namespace cq

extern "C" {

#define CQ_FUNCTION(name)                                                                          \
	PG_FUNCTION_INFO_V1(name);                                                                     \
	Datum name(PG_FUNCTION_ARGS)                                                                   \
	{                                                                                              \
		return cq::ReturnExplained(fcinfo, #name);                                                 \
	}

CQ_FUNCTION(cached_query_explain_statement)
CQ_FUNCTION(cached_query_explain_statement_args)
CQ_FUNCTION(cached_query_explain_statement_text)

} // extern "C"
