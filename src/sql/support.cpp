/*
 * support.cpp
 *		Planner support: estimates of how many rows a call returns.
 *
 * If the arguments are constants and an entry exists, the entry tells the number of rows.  For an estimate
 * an expired entry is good enough.
 *
 * Part of sql.h.
 */
#include "pg.h"
#include "validity/lookup.h"
#include "call/inspect.h"
#include "call/signature.h"
#include "scan/scan.h"
#include "sql/sql.h"

extern "C" {
#include "nodes/supportnodes.h"
}

namespace cq
{
namespace
{

/* The call's arguments if all are constants. */
bool
ConstantArgs(FuncExpr *call, RawArgs *raw)
{
	ListCell *cell;

	raw->count = 0;
	raw->types = NewArray<Oid>(list_length(call->args));
	raw->values = NewArray<Datum>(list_length(call->args));
	raw->nulls = NewArray<bool>(list_length(call->args));
	raw->variadic = call->funcvariadic;
	foreach (cell, call->args)
	{
		Const *constant = static_cast<Const *>(lfirst(cell));
		int i = raw->count++;

		if (!IsA(constant, Const))
			return false;
		raw->types[i] = constant->consttype;
		raw->values[i] = constant->constvalue;
		raw->nulls[i] = constant->constisnull;
	}
	return true;
}

/* False: there is no entry, or the arguments are not constant. */
bool
RowsOfEntry(FuncExpr *call, double *rows)
{
	const Signature *signature = StreamingSignature(call->funcid);
	RawArgs raw;
	Call parsed;

	if (signature == nullptr || !ConstantArgs(call, &raw))
		return false;
	parsed = MakeCall(*signature, raw, Shape::rows);
	return EstimateRows(parsed.query, parsed.query_length, parsed.args, rows);
}

} // namespace
} // namespace cq

extern "C" {

PG_FUNCTION_INFO_V1(cached_query_support);
Datum
cached_query_support(PG_FUNCTION_ARGS)
{
	Node *request = reinterpret_cast<Node *>(PG_GETARG_POINTER(0));
	SupportRequestRows *rows = reinterpret_cast<SupportRequestRows *>(request);

	if (cq::preloaded && IsA(request, SupportRequestRows) && rows->node != nullptr &&
		IsA(rows->node, FuncExpr) && ActiveSnapshotSet() &&
		cq::RowsOfEntry(reinterpret_cast<FuncExpr *>(rows->node), &rows->rows))
		PG_RETURN_POINTER(rows);
	PG_RETURN_POINTER(static_cast<void *>(nullptr));
}

} // extern "C"
