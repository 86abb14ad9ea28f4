/*
 * callgrind.c
 *		SQL functions that switch callgrind's counting on and off in the backend that calls them.
 *
 * For test/bench/profile only, which loads it into a server that runs under valgrind.  Counts of what
 * comes between the two go to callgrind's output file, under the name that count_end() is given.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include <valgrind/callgrind.h>

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(count_begin);
PG_FUNCTION_INFO_V1(count_end);

Datum
count_begin(PG_FUNCTION_ARGS)
{
	CALLGRIND_START_INSTRUMENTATION;
	CALLGRIND_ZERO_STATS;
	PG_RETURN_VOID();
}

Datum
count_end(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));

	CALLGRIND_DUMP_STATS_AT(name);
	CALLGRIND_STOP_INSTRUMENTATION;
	PG_RETURN_VOID();
}
