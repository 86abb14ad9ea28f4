/*
 * options.cpp
 *		The options of cached_query_with(): settings for one call.
 *
 * Settings don't survive a transaction pooler, and a positional argument can't be added later.
 */
#include "pg.h"
#include "validity/lookup.h"
#include "call/call.h"
#include "call/options.h"

#include <cmath>

namespace cq
{
namespace
{

[[noreturn]] void
BadOption(const char *key, const char *wanted)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"%s\"", key), errhint("It takes %s.", wanted)));
	pg_unreachable();
}

char *
StringOption(const char *key, const JsonbValue *value, const char *wanted)
{
	if (value->type != jbvString)
		BadOption(key, wanted);
	return pnstrdup(value->val.string.val, value->val.string.len);
}

int
MillisecondsOption(const char *key, const JsonbValue *value, const char *wanted)
{
	double number;

	if (value->type != jbvNumeric)
		BadOption(key, wanted);
	number = rint(DatumGetFloat8(
		DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(value->val.numeric))));
	if (fabs(number) > PG_INT32_MAX)
		ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						errmsg("value for option \"%s\" is out of range", key),
						errhint("It takes %s, at most %d.", wanted, PG_INT32_MAX)));
	if (number < 0)
		BadOption(key, wanted);
	return static_cast<int>(number);
}

void
TakeOption(CallOptions *options, const char *key, const JsonbValue *value)
{
	if (strcmp(key, "mode") == 0)
	{
		const char *wanted = "\"on\", \"refresh\", \"read_only\", \"only_cached\" or \"off\"";

		if (!ParseMode(StringOption(key, value, wanted), &options->mode))
			BadOption(key, wanted);
	}
	else if (strcmp(key, "consistency") == 0)
	{
		const char *wanted = "\"ttl\" or \"exact\"";

		if (!ParseConsistency(StringOption(key, value, wanted), &options->consistency))
			BadOption(key, wanted);
	}
	else if (strcmp(key, "tag") == 0)
	{
		const char *wanted = "a string of at most 256 bytes";
		const char *tag = StringOption(key, value, wanted);

		if (strlen(tag) > kMaxTagLength)
			BadOption(key, wanted);
		options->tag = tag;
	}
	else if (strcmp(key, "store") == 0)
	{
		const char *wanted = "\"memory\", \"redis\" or \"tiered\"";

		if (!ParseStore(StringOption(key, value, wanted), &options->store))
			BadOption(key, wanted);
	}
	else if (strcmp(key, "min_fill_time") == 0)
		options->min_fill_time_ms =
			MillisecondsOption(key, value, "an integer number of milliseconds, 0 or more");
	else if (strcmp(key, "wait_timeout") == 0)
		options->wait_timeout_ms =
			MillisecondsOption(key, value, "an integer number of milliseconds, or 0 for never");
	else if (strcmp(key, "stale_for") == 0)
		options->stale_for_ms =
			MillisecondsOption(key, value, "an integer number of milliseconds, or 0 for never");
	else if (strcmp(key, "redis_lease") == 0)
	{
		options->redis_lease_ms = MillisecondsOption(
			key, value, "an integer number of milliseconds up to an hour, or 0 for none");
		if (options->redis_lease_ms > kMaxLeaseMs)
			BadOption(key, "an integer number of milliseconds up to an hour, or 0 for none");
	}
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown option \"%s\"", key),
				 errhint("Options are mode, consistency, store, tag, min_fill_time, wait_timeout, "
						 "stale_for and redis_lease.")));
}

} // namespace

CallOptions
ParseOptions(Jsonb *jsonb)
{
	CallOptions options = SessionOptions();
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue value;
	char *key = nullptr;

	if (!JB_ROOT_IS_OBJECT(jsonb))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("options must be a JSON object"),
				 errhint("For example: '{\"tag\": \"report\", \"mode\": \"refresh\"}'.")));
	iterator = JsonbIteratorInit(&jsonb->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			key = pnstrdup(value.val.string.val, value.val.string.len);
		else if (token == WJB_VALUE)
			TakeOption(&options, key, &value);
	}
	return options;
}

} // namespace cq
