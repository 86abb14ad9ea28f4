/*
 * signature.cpp
 *		The reader functions' signatures: from SQL arguments to a Call.
 */
#include "pg.h"
#include "validity/lookup.h"
#include "call/call.h"
#include "settings.h"
#include "call/signature.h"
#include "call/options.h"

extern "C" {
#include "utils/jsonb.h"
}

namespace cq
{
namespace
{

/*                                     options row   args  untyped ttl   streams */
const Signature signatures[] = {
	{"cached_query", false, false, false, false, true, true},
	{"cached_query_args", false, false, true, false, true, true},
	{"cached_query_text", false, false, true, true, true, true},
	{"cached_query_with", true, false, false, false, true, true},
	{"cached_query_with_args", true, false, true, false, true, true},
	{"cached_query_with_text", true, false, true, true, true, true},
	{"cached_query_as", false, true, false, false, true, true},
	{"cached_query_as_args", false, true, true, false, true, true},
	{"cached_query_as_text", false, true, true, true, true, true},
	{"cached_query_json", false, false, false, false, true, false},
	{"cached_query_json_args", false, false, true, false, true, false},
	{"cached_query_json_text", false, false, true, true, true, false},
	{"cached_query_refresh", false, false, false, false, true, false},
	{"cached_query_refresh_args", false, false, true, false, true, false},
	{"cached_query_refresh_text", false, false, true, true, true, false},
	{"cached_query_columns", false, false, false, false, false, false},
	{"cached_query_columns_args", false, false, true, false, false, false},
	{"cached_query_columns_text", false, false, true, true, false, false},
	{"cached_query_explain", false, false, false, false, false, false},
	{"cached_query_explain_args", false, false, true, false, false, false},
	{"cached_query_explain_text", false, false, true, true, false, false},
	{"cached_query_invalidate", false, false, false, false, false, false},
	{"cached_query_invalidate_args", false, false, true, false, false, false},
	{"cached_query_invalidate_text", false, false, true, true, false, false},
};

/* The arguments $1..$n behind the fixed ones. */
Args
ArgsFrom(const Signature &signature, const RawArgs &raw, int first)
{
	Args args;

	if (!signature.args || first >= raw.count)
		return args;
	if (raw.variadic || signature.untyped)
	{
		if (raw.nulls[first])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("the array of arguments must not be null"),
							errhint("Pass an array with a NULL element for a NULL argument.")));
		if (!OidIsValid(get_element_type(raw.types[first])))
			ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
							errmsg("VARIADIC argument must be an array"),
							errhint("Leave out VARIADIC to pass single values.")));
		return ArgsFromArray(raw.values[first], signature.untyped);
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
				 errhint("A ttl of 0 runs the query and keeps the answer for others.")));
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
	if (signature.options)
	{
		if (raw.nulls[at])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("options must not be null"), errhint("Pass '{}' for none.")));
		call.options = ParseOptions(DatumGetJsonbP(raw.values[at]));
		at++;
	}
	if (signature.row_type)
		at++;
	if (raw.nulls[at])
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("query must not be null"),
						errhint("Give the text of one SELECT, VALUES, TABLE or WITH statement.")));
	query = DatumGetTextPP(raw.values[at]);
	call.query_length = static_cast<int>(VARSIZE_ANY_EXHDR(query));
	call.query = text_to_cstring(query);
	at++;
	if (signature.ttl)
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
