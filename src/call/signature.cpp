/*
 * signature.cpp
 *		The reader functions' signatures: from SQL arguments to a Call.
 */
#include "pg.h"
#include "validity/lookup.h"
#include "call/call.h"
#include "settings.h"
#include "base/symbol.h"
#include "call/signature.h"
#include "call/options.h"

extern "C" {
#include "utils/jsonb.h"
}

namespace cq
{
namespace
{

const Signature signatures[] = {
	{"cached_query", kReturnsRows | kTakesTtl},
	{"cached_query_args", kReturnsRows | kTakesTtl | kTakesArgs},
	{"cached_query_text", kReturnsRows | kTakesTtl | kTakesArgs | kInfersTypes},
	{"cached_query_with", kReturnsRows | kTakesOptions | kTakesTtl},
	{"cached_query_with_args", kReturnsRows | kTakesOptions | kTakesTtl | kTakesArgs},
	{"cached_query_with_text",
	 kReturnsRows | kTakesOptions | kTakesTtl | kTakesArgs | kInfersTypes},
	{"cached_query_as", kReturnsRows | kTakesRowType | kTakesTtl},
	{"cached_query_as_args", kReturnsRows | kTakesRowType | kTakesTtl | kTakesArgs},
	{"cached_query_as_text", kReturnsRows | kTakesRowType | kTakesTtl | kTakesArgs | kInfersTypes},
	{"cached_query_json", kTakesTtl},
	{"cached_query_json_args", kTakesTtl | kTakesArgs},
	{"cached_query_json_text", kTakesTtl | kTakesArgs | kInfersTypes},
	{"cached_query_refresh", kTakesTtl},
	{"cached_query_refresh_args", kTakesTtl | kTakesArgs},
	{"cached_query_refresh_text", kTakesTtl | kTakesArgs | kInfersTypes},
	{"cached_query_columns", 0},
	{"cached_query_columns_args", kTakesArgs},
	{"cached_query_columns_text", kTakesArgs | kInfersTypes},
	{"cached_query_explain", 0},
	{"cached_query_explain_args", kTakesArgs},
	{"cached_query_explain_text", kTakesArgs | kInfersTypes},
	{"cached_query_explain_statement", 0},
	{"cached_query_explain_statement_args", kTakesArgs},
	{"cached_query_explain_statement_text", kTakesArgs | kInfersTypes},
	{"cached_query_invalidate", 0},
	{"cached_query_invalidate_args", kTakesArgs},
	{"cached_query_invalidate_text", kTakesArgs | kInfersTypes},
};

/* The arguments $1..$n behind the fixed ones. */
Args
ArgsFrom(const Signature &signature, const RawArgs &raw, int first)
{
	Args args;

	if (!signature.Has(kTakesArgs) || first >= raw.count)
		return args;
	if (raw.variadic || signature.Has(kInfersTypes))
	{
		if (raw.nulls[first])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("the array of arguments must not be null"),
							errhint("Pass an array with a NULL element for a NULL argument.")));
		if (!OidIsValid(get_element_type(raw.types[first])))
			ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
							errmsg("VARIADIC argument must be an array"),
							errhint("Leave out VARIADIC to pass single values.")));
		return ArgsFromArray(raw.values[first], signature.Has(kInfersTypes));
	}
	args.count = raw.count - first;
	args.types = raw.types + first;
	/* a C string is one whose type the query infers */
	for (int i = 0; i < args.count; i++)
		args.types[i] = args.types[i] == CSTRINGOID ? UNKNOWNOID : args.types[i];
	args.values = raw.values + first;
	args.nulls = raw.nulls + first;
	return args;
}

} // namespace

const Signature *
FindSignature(const char *symbol)
{
	for (const Signature &signature : signatures)
	{
		if (strcmp(signature.symbol, symbol) == 0)
			return &signature;
	}
	return nullptr;
}

const Signature *
SignatureBoundBy(HeapTuple function)
{
	const char *symbol = OurSymbol(function);

	return symbol == nullptr ? nullptr : FindSignature(symbol);
}

int64
DefaultTtl()
{
	return static_cast<int64>(settings::default_ttl_s) * USECS_PER_SEC;
}

int64
TtlFromInterval(const Interval *ttl)
{
	double us;

	/* a month is 30 days, as in interval comparison; overflow means for ever */
	us = (static_cast<double>(ttl->month) * DAYS_PER_MONTH + ttl->day) * USECS_PER_DAY +
		 static_cast<double>(ttl->time);
	if (us < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("ttl must not be negative"),
				 errhint("A ttl of 0 runs the query and keeps the result for others.")));
	return us >= static_cast<double>(PG_INT64_MAX) ? PG_INT64_MAX : static_cast<int64>(us);
}

RawArgs
RawArgsOf(FunctionCallInfo fcinfo)
{
	RawArgs raw;

	raw.count = PG_NARGS();
	raw.types = NewArray<Oid>(raw.count);
	raw.values = NewArray<Datum>(raw.count);
	raw.nulls = NewArray<bool>(raw.count);
	for (int i = 0; i < raw.count; i++)
	{
		raw.types[i] = get_fn_expr_argtype(fcinfo->flinfo, i);
		raw.values[i] = fcinfo->args[i].value;
		raw.nulls[i] = fcinfo->args[i].isnull;
	}
	raw.variadic = get_fn_expr_variadic(fcinfo->flinfo);
	return raw;
}

Call
MakeCall(const Signature &signature, const RawArgs &raw, Shape shape)
{
	int at = 0;
	int64 ttl = DefaultTtl();
	Call call = {};
	text *query;

	call.options = SessionOptions();
	if (signature.Has(kTakesOptions))
	{
		if (raw.nulls[at])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("options must not be null"), errhint("Pass '{}' for none.")));
		call.options = ParseOptions(DatumGetJsonbP(raw.values[at]));
		at++;
	}
	call.of_row_type = signature.Has(kTakesRowType);
	if (call.of_row_type)
		at++;
	if (raw.nulls[at])
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("query must not be null"),
						errhint("Give the text of one SELECT, VALUES, TABLE or WITH statement.")));
	query = DatumGetTextPP(raw.values[at]);
	call.query_length = static_cast<int>(VARSIZE_ANY_EXHDR(query));
	call.query = text_to_cstring(query);
	at++;
	if (signature.Has(kTakesTtl))
	{
		if (at < raw.count && !raw.nulls[at])
			ttl = TtlFromInterval(DatumGetIntervalP(raw.values[at]));
		at++;
	}
	call.ttl_us = ttl;
	call.args = ArgsFrom(signature, raw, at);
	call.shape = shape;
	return call;
}

} // namespace cq
