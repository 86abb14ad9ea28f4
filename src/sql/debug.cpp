/*
 * debug.cpp
 *		For tests (CQ_DEBUG): the Redis client by itself.  The tests create the SQL functions.
 *
 * Part of sql.h.
 */
#include "pg.h"
#include "redis/resolve.h"

#ifdef CQ_DEBUG

#include "exact/slots.h"
#include "redis/client.h"
#include "sql/sql.h"

extern "C" {
#include "lib/stringinfo.h"
#include "postmaster/bgworker.h"
#include "utils/array.h"
}

namespace cq
{
namespace
{

/* One command, sent `times` times; the last reply as text, or the sum of the lengths of all. */
struct Probe
{
	Datum *argv;
	int argc;
	bool raises; /* the callback raises at the second reply */
	StringInfoData last;
	uint64 bytes;
	int replies;
};

int
ProbeCommand(void *arg, int, redis::Slice *argv, int)
{
	Probe *probe = static_cast<Probe *>(arg);

	for (int i = 0; i < probe->argc; i++)
	{
		text *value = DatumGetTextPP(probe->argv[i]);

		argv[i] = {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
	}
	return probe->argc;
}

void
Append(StringInfo to, const redis::Reply &reply)
{
	switch (reply.type)
	{
	case redis::Reply::Type::nil:
		appendStringInfoString(to, "(nil)");
		break;
	case redis::Reply::Type::integer:
		appendStringInfo(to, "%lld", static_cast<long long>(reply.integer));
		break;
	case redis::Reply::Type::array:
		appendStringInfoChar(to, '[');
		for (int i = 0; i < reply.count; i++)
		{
			if (i > 0)
				appendStringInfoChar(to, ',');
			Append(to, reply.children[i]);
		}
		appendStringInfoChar(to, ']');
		break;
	case redis::Reply::Type::error:
		appendStringInfoString(to, "error: ");
		[[fallthrough]];
	default:
		appendBinaryStringInfo(to, reply.bytes, static_cast<int>(reply.length));
	}
}

bool
ProbeReply(void *arg, int, const redis::Reply &reply)
{
	Probe *probe = static_cast<Probe *>(arg);

	probe->replies++;
	if (probe->raises && probe->replies == 2)
		ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("the callback raises")));
	probe->bytes += reply.length;
	if (reply.length <= 100000)
	{
		resetStringInfo(&probe->last);
		Append(&probe->last, reply);
	}
	return true;
}

redis::Result
RunProbe(Probe *probe, ArrayType *array, int times, int window)
{
	bool *nulls;

	memset(static_cast<void *>(probe), 0, sizeof(*probe));
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &probe->argv, &nulls, &probe->argc);
	if (probe->argc < 1 || probe->argc > redis::kMaxArguments)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("bad command")));
	for (int i = 0; i < probe->argc; i++)
		probe->argv[i] = PointerGetDatum(PG_DETOAST_DATUM(probe->argv[i]));
	initStringInfo(&probe->last);
	probe->raises = times < 0;

	text *route = DatumGetTextPP(probe->argv[probe->argc > 1 ? 1 : 0]);
	redis::Pipeline pipeline = {{VARDATA_ANY(route), VARSIZE_ANY_EXHDR(route)},
								abs(times),
								window,
								ProbeCommand,
								ProbeReply,
								probe};

	return redis::Run(pipeline);
}

int
PingCommand(void *, int, redis::Slice *argv, int)
{
	argv[0] = "PING"_s;
	return 1;
}

bool
PingReply(void *, int, const redis::Reply &reply)
{
	elog(LOG, "the worker got %.*s", static_cast<int>(reply.length), reply.bytes);
	return true;
}

} // namespace
} // namespace cq

extern "C" {

PGDLLEXPORT void cached_query_redis_worker_main(Datum);

/* The main function of a process without a database and without a transaction. */
void
cached_query_redis_worker_main(Datum)
{
	const cq::redis::Pipeline pipeline = {{"x", 1}, 1, 1, cq::PingCommand, cq::PingReply, nullptr};

	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	for (int i = 0; i < 2; i++)
	{
		cq::redis::Result result = cq::redis::Run(pipeline);

		elog(LOG, "the worker's result is %d", static_cast<int>(result));
	}
}

PG_FUNCTION_INFO_V1(cached_query_redis_worker);
/* Starts such a process; its pid. */
Datum
cached_query_redis_worker(PG_FUNCTION_ARGS)
{
	BackgroundWorker worker = {};
	BackgroundWorkerHandle *handle;
	pid_t pid = 0;

	(void) fcinfo;
	strlcpy(worker.bgw_name, "cached_query test", sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, "cached_query test", sizeof(worker.bgw_type));
	strlcpy(worker.bgw_library_name, "cached_query", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "cached_query_redis_worker_main",
			sizeof(worker.bgw_function_name));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_notify_pid = MyProcPid;
	if (RegisterDynamicBackgroundWorker(&worker, &handle))
		(void) WaitForBackgroundWorkerStartup(handle, &pid);
	PG_RETURN_INT32(static_cast<int32>(pid));
}

PG_FUNCTION_INFO_V1(cached_query_redis_command);
/* (text[]) returns text: the reply, or NULL when Redis is not available */
Datum
cached_query_redis_command(PG_FUNCTION_ARGS)
{
	cq::Probe probe;

	cq::RequirePreload();
	if (cq::RunProbe(&probe, PG_GETARG_ARRAYTYPE_P(0), 1, 1) != cq::redis::Result::done)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(probe.last.data, probe.last.len));
}

PG_FUNCTION_INFO_V1(cached_query_redis_many);
/*
 * (text[], times int, window int) returns bigint: bytes of all replies, or NULL.  With negative
 * times the callback raises at the second reply.
 */
Datum
cached_query_redis_many(PG_FUNCTION_ARGS)
{
	cq::Probe probe;

	cq::RequirePreload();
	if (cq::RunProbe(&probe, PG_GETARG_ARRAYTYPE_P(0), PG_GETARG_INT32(1), PG_GETARG_INT32(2)) !=
		cq::redis::Result::done)
		PG_RETURN_NULL();
	PG_RETURN_INT64(static_cast<int64>(probe.bytes));
}

PG_FUNCTION_INFO_V1(cached_query_redis_status);
Datum
cached_query_redis_status(PG_FUNCTION_ARGS)
{
	cq::redis::Status status;

	(void) fcinfo;
	cq::RequirePreload();
	cq::redis::GetStatus(&status);
	PG_RETURN_TEXT_P(cstring_to_text(psprintf(
		"state %s failures %llu requests %llu in %llu out %llu timeouts %llu errors %llu "
		"latency %u last %s",
		status.state, static_cast<unsigned long long>(status.failures),
		static_cast<unsigned long long>(status.requests),
		static_cast<unsigned long long>(status.bytes_in),
		static_cast<unsigned long long>(status.bytes_out),
		static_cast<unsigned long long>(status.timeouts),
		static_cast<unsigned long long>(status.errors), status.latency_us, status.last_error)));
}

PG_FUNCTION_INFO_V1(cached_query_redis_resolve);
/* Resolves the host names that are wanted, as the Redis writer does.  Was there one? */
Datum
cached_query_redis_resolve(PG_FUNCTION_ARGS)
{
	bool wanted;

	(void) fcinfo;
	cq::RequirePreload();
	wanted = cq::redis::ResolveWanted();
	while (cq::redis::ResolveNames() > 0)
	{
		pg_usleep(1000);
		CHECK_FOR_INTERRUPTS();
	}
	PG_RETURN_BOOL(wanted);
}

PG_FUNCTION_INFO_V1(cached_query_list_word);
/* (bigint) returns void: lists this transaction in the slot as one that changes a definition. */
Datum
cached_query_list_word(PG_FUNCTION_ARGS)
{
	cq::RequirePreload();
	cq::exact::List(cq::exact::kSlotAllDdl,
					cq::exact::kDdl | static_cast<uint64>(PG_GETARG_INT64(0)));
	PG_RETURN_VOID();
}

} // extern "C"

#endif
