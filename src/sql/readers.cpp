/*
 * readers.cpp
 *		The reader functions: cached_query, _with, _as, _json, _refresh, _columns, _explain.
 *
 * In FROM a Custom Scan (scan/) usually takes the place of these functions and streams the rows.  Where
 * PostgreSQL calls the function itself (in the select list, WITH ORDINALITY, ...), it returns a tuplestore.
 *
 * Part of sql.h.
 */
#include "pg.h"
#include "call/answer.h"
#include "validity/lookup.h"
#include "remote/server.h"
#include "validity/entry_state.h"
#include "validity/meta.h"
#include "call/inspect.h"
#include "call/columns.h"
#include "call/call.h"
#include "call/signature.h"
#include "remote/lookup.h"
#include "scan/wire.h"
#include "sql/row.h"
#include "sql/sql.h"
#include "stats/stats.h"

extern "C" {
#include "utils/datum.h"
#include "utils/tuplestore.h"
}

namespace cq
{
namespace
{

void
SupplyMissingArgs(Call *call)
{
	int count = HighestParameter(call->query);
	Args args;

	if (call->args.count > 0 || count == 0)
		return;
	args.count = count;
	args.types = NewArray<Oid>(count);
	args.values = NewZeroedArray<Datum>(count);
	args.nulls = NewArray<bool>(count);
	for (int i = 0; i < count; i++)
	{
		args.types[i] = UNKNOWNOID;
		args.nulls[i] = true;
	}
	call->args = args;
}

} // namespace

Call
MakeQuestion(FunctionCallInfo fcinfo, const char *symbol)
{
	Call call;

	RequirePreload();
	call = MakeCall(*FindSignature(symbol), RawArgsOf(fcinfo), Shape::rows);
	SupplyMissingArgs(&call);
	return call;
}

namespace
{

/* --- rows as a tuplestore ------------------------------------------------------------------- */

/* The live columns of a row type, as the query must return them. */
TupleDesc
LiveColumns(TupleDesc desc)
{
	TupleDesc live;
	int count = 0;

	for (int i = 0; i < desc->natts; i++)
		count += !TupleDescAttr(desc, i)->attisdropped;
	if (count == desc->natts)
		return desc;
	live = CreateTemplateTupleDesc(count);
	count = 0;
	for (int i = 0; i < desc->natts; i++)
	{
		if (!TupleDescAttr(desc, i)->attisdropped)
			TupleDescCopyEntry(live, static_cast<AttrNumber>(++count), desc,
							   static_cast<AttrNumber>(i + 1));
	}
	return compat::FinishTupleDesc(live);
}

/* A row of live columns, with NULLs where the row type has dropped ones. */
void
ScatterRow(TupleDesc desc, TupleTableSlot *slot, Datum *values, bool *nulls)
{
	int live = 0;

	slot_getallattrs(slot);
	for (int i = 0; i < desc->natts; i++)
	{
		nulls[i] = true;
		if (TupleDescAttr(desc, i)->attisdropped)
			continue;
		values[i] = slot->tts_values[live];
		nulls[i] = slot->tts_isnull[live++];
	}
}

/* Put a row of live columns where the row type has them. */
void
PutWithDropped(Tuplestorestate *store, TupleDesc desc, TupleTableSlot *slot)
{
	Datum *values = NewZeroedArray<Datum>(desc->natts);
	bool *nulls = NewArray<bool>(desc->natts);

	ScatterRow(desc, slot, values, nulls);
	tuplestore_putvalues(store, desc, values, nulls);
	pfree(values);
	pfree(nulls);
}

/* The domain over a row type that the caller wants, or InvalidOid. */
struct RowDomain
{
	Oid type;
	TupleDesc desc; /* blessed, of the live columns */
	void *cache;
	MemoryContext context;
};

RowDomain
DomainOfRows(FunctionCallInfo fcinfo, TupleDesc desc, MemoryContext context)
{
	Oid type = get_fn_expr_rettype(fcinfo->flinfo);
	RowDomain domain = {InvalidOid, nullptr, nullptr, context};

	if (OidIsValid(type) && get_typtype(type) == TYPTYPE_DOMAIN &&
		get_typtype(getBaseType(type)) == TYPTYPE_COMPOSITE)
		domain.type = type;
	if (OidIsValid(domain.type))
		domain.desc = BlessTupleDesc(CreateTupleDescCopy(desc));
	return domain;
}

/* Checks the domain's constraints for one row; the error is that of a cast to the domain. */
void
CheckRowDomain(RowDomain *domain, TupleDesc desc, TupleTableSlot *slot)
{
	Datum *values = NewZeroedArray<Datum>(desc->natts);
	bool *nulls = NewArray<bool>(desc->natts);
	HeapTuple tuple;

	ScatterRow(desc, slot, values, nulls);
	tuple = heap_form_tuple(domain->desc, values, nulls);
	domain_check(HeapTupleGetDatum(tuple), false, domain->type, &domain->cache, domain->context);
	pfree(tuple);
	pfree(values);
	pfree(nulls);
}

void
CopyRows(Answer *answer, Tuplestorestate *store, TupleDesc desc, RowDomain *domain)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(answer->desc, &TTSOpsMinimalTuple);

	while (NextRow(answer, slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (OidIsValid(domain->type))
			CheckRowDomain(domain, desc, slot);
		if (desc->natts != answer->desc->natts)
			PutWithDropped(store, desc, slot);
		else
			tuplestore_puttupleslot(store, slot);
	}
	ExecDropSingleTupleTableSlot(slot);
}

/* The columns that the caller expects, by its list or row type; nullptr: any columns. */
TupleDesc
ExpectedRow(FunctionCallInfo fcinfo, const Signature &signature)
{
	ReturnSetInfo *info = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
	TupleDesc desc;
	Oid type;

	if (!signature.Has(kTakesRowType))
		return info->expectedDesc;
	switch (get_call_result_type(fcinfo, &type, &desc))
	{
	case TYPEFUNC_COMPOSITE:
	case TYPEFUNC_COMPOSITE_DOMAIN:
		return desc;
	case TYPEFUNC_SCALAR:
		desc = CreateTemplateTupleDesc(1);
		TupleDescInitEntry(desc, 1, "cached_query_as", type, -1, 0);
		return compat::FinishTupleDesc(desc);
	default:
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("row_type must have a known type"),
				 errhint("For example cached_query_as(NULL::my_table, ..), or use "
						 "cached_query(..) AS t(..).")));
	}
	return nullptr;
}

Datum
ReturnRows(FunctionCallInfo fcinfo, const char *symbol)
{
	const Signature &signature = *FindSignature(symbol);
	ReturnSetInfo *info = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
	MemoryContext context;
	MemoryContext caller;
	TupleDesc expected;
	Call call;
	Answer answer;
	RowDomain domain;

	RequirePreload();
	if (info == nullptr || !IsA(info, ReturnSetInfo) || !(info->allowedModes & SFRM_Materialize))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("set-valued function called in context that cannot accept a set")));

	context = info->econtext->ecxt_per_query_memory;
	expected = ExpectedRow(fcinfo, signature);
	call = MakeCall(signature, RawArgsOf(fcinfo), Shape::rows);
	call.expected = expected ? LiveColumns(expected) : nullptr;
	AnswerCall(call, context, &answer);

	caller = MemoryContextSwitchTo(context);
	info->returnMode = SFRM_Materialize;
	info->setDesc = BlessTupleDesc(CreateTupleDescCopy(expected ? expected : answer.desc));
	info->setResult =
		tuplestore_begin_heap((info->allowedModes & SFRM_Materialize_Random) != 0, false, work_mem);
	MemoryContextSwitchTo(caller);
	domain = DomainOfRows(fcinfo, info->setDesc, context);
	CopyRows(&answer, info->setResult, info->setDesc, &domain);
	EndAnswer(&answer);
	return static_cast<Datum>(0);
}

/* --- scalars -------------------------------------------------------------------------------- */

Datum
ReturnJson(FunctionCallInfo fcinfo, const char *symbol)
{
	Answer answer;
	TupleTableSlot *slot;
	Datum json;
	bool null;

	RequirePreload();
	AnswerCall(MakeCall(*FindSignature(symbol), RawArgsOf(fcinfo), Shape::json),
			   CurrentMemoryContext, &answer);
	if (SendDocument(fcinfo, &answer))
		return PointerGetDatum(cstring_to_text(""));
	slot = MakeSingleTupleTableSlot(answer.desc, &TTSOpsMinimalTuple);
	if (!NextRow(&answer, slot))
		elog(ERROR, "cached JSON document is missing");
	json = slot_getattr(slot, 1, &null);
	if (!ReaderOwns(answer.reader, DatumGetPointer(json)))
		json = datumCopy(json, false, -1);
	ExecDropSingleTupleTableSlot(slot);
	EndAnswer(&answer);
	return json;
}

Datum
ReturnRefreshed(FunctionCallInfo fcinfo, const char *symbol)
{
	Call call;
	Answer answer;
	int64 rows;

	RequirePreload();
	call = MakeCall(*FindSignature(symbol), RawArgsOf(fcinfo), Shape::rows);
	call.options.mode = Mode::refresh;
	AnswerCall(call, CurrentMemoryContext, &answer);
	DrainAnswer(&answer);
	rows = static_cast<int64>(answer.rows);
	EndAnswer(&answer);
	return Int64GetDatum(rows);
}

Datum
ReturnColumns(FunctionCallInfo fcinfo, const char *symbol)
{
	const Call call = MakeQuestion(fcinfo, symbol);
	HeldHandle handle = GetHandle(call.query, call.query_length, call.args);
	char *list;

	RequireListable(handle->desc);
	list = ColumnList(handle->desc);
	Release(&handle);
	return CStringGetTextDatum(list);
}

/* --- explain -------------------------------------------------------------------------------- */

/* cacheable, reason, detail, consistency, relations: what the query allows */
void
PutFindings(Row *row, const Inspection &inspection)
{
	const Findings &findings = inspection.handle->findings;
	const bool cacheable = inspection.ttl == Reason::none;
	const Reason reason = cacheable ? inspection.exact : inspection.ttl;
	const char *consistency = reason == Reason::none ? "exact" : "ttl";

	Put(row, BoolGetDatum(cacheable));
	PutText(row, reason != Reason::none ? Describe(reason).code : nullptr);
	PutText(row, cacheable ? findings.exact_detail : inspection.ttl_detail);
	PutText(row, cacheable ? consistency : nullptr);
	Put(row, RelationArray(findings.relations));
}

/* Memory has no entry: is there one in Redis, if this session looks there? */
Found
FindRemote(const Inspection &inspection)
{
	Remote remote;

	if (!inspection.has_key || !UsesRedis(SessionOptions()) || !PeekRedis(inspection.key, &remote))
		return {};
	return {State::fresh, "redis", remote.age_us, remote.left_us, remote.rows, remote.bytes};
}

Found
Find(const Inspection &inspection)
{
	EntrySummary entry;
	int64 age_us;

	if (inspection.pin == nullptr)
		return FindRemote(inspection);
	entry = Summarize(inspection.pin);
	age_us = GetCurrentTimestamp() - entry.facts.as_of;
	return {
		StateOf(PinnedEntry(inspection.pin), SessionOptions().consistency == Consistency::exact),
		"memory",
		age_us,
		Max(entry.facts.ttl_us - age_us, INT64CONST(0)),
		entry.facts.rows,
		entry.payload};
}

Datum
ReturnExplain(FunctionCallInfo fcinfo, const char *symbol)
{
	const Call call = MakeQuestion(fcinfo, symbol);
	Inspection inspection = Inspect(call.query, call.query_length, call.args, Shape::rows);
	Row row = {};

	PutFindings(&row, inspection);
	PutFound(&row, inspection.has_key ? &inspection.key : nullptr, true, Find(inspection));
	Put(&row, CStringGetTextDatum(ColumnList(inspection.handle->desc)),
		!IsListable(inspection.handle->desc));
	if (inspection.pin != nullptr)
		Put(&row, Granularity(ReadEntryMeta(PinnedEntry(inspection.pin))));
	else
		PutNull(&row);
	EndInspection(&inspection);
	return RowDatum(row, RowType(fcinfo));
}

} // namespace
} // namespace cq

extern "C" {

/* Each signature has a C symbol of its own, so the script of an older version still finds its functions. */
#define CQ_FUNCTION(name, body)                                                                    \
	PG_FUNCTION_INFO_V1(name);                                                                     \
	Datum name(PG_FUNCTION_ARGS)                                                                   \
	{                                                                                              \
		return cq::body(fcinfo, #name);                                                            \
	}

#define CQ_FUNCTIONS(name, body)                                                                   \
	CQ_FUNCTION(name, body)                                                                        \
	CQ_FUNCTION(name##_args, body)                                                                 \
	CQ_FUNCTION(name##_text, body)

CQ_FUNCTIONS(cached_query, ReturnRows)
CQ_FUNCTIONS(cached_query_with, ReturnRows)
CQ_FUNCTIONS(cached_query_as, ReturnRows)
CQ_FUNCTIONS(cached_query_json, ReturnJson)
CQ_FUNCTIONS(cached_query_refresh, ReturnRefreshed)
CQ_FUNCTIONS(cached_query_columns, ReturnColumns)
CQ_FUNCTIONS(cached_query_explain, ReturnExplain)

} // extern "C"
