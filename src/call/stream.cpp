/*
 * stream.cpp
 *		A query in execution: run to its end, or its rows taken one at a time.
 *
 * What functions.c does for a set-returning SQL function that is read lazily: an executor of its own
 * below the one that runs, with a row taken by ExecutorRun(count = 1).  So nothing is computed that
 * nobody asks for, nothing is stored, and other modules' hooks see what they see of a cursor.
 *
 * A portal would do the same, but it lives by itself: a cursor WITH HOLD over us is read to its end
 * at COMMIT, when another portal may be gone already, and CLOSE ALL would close it.
 */
#include "pg.h"
#include "query/statement.h"
#include "call/stream.h"
#include "stats/stats.h"
#include "validity/watch.h"

extern "C" {
#include "tcop/pquery.h"
}

namespace cq
{

struct Stream
{
	DestReceiver receiver; /* of one row; must be first */
	QueryDesc *query;
	CachedPlan *plan;
	ResourceOwner owner; /* of the reference to the plan */
	uint64 rows;         /* taken so far */
	bool ended;          /* it has no more rows */

	/* the row being taken */
	TupleTableSlot *target;
	bool taken;
};

namespace
{

/* --- the plan ------------------------------------------------------------------------------- */

/*
 * A kept plan has the value that a literal like 'today' had when the plan was made: analyse it again.
 */
CachedPlan *
PlanOfToday(const HeldHandle &handle, ParamListInfo params)
{
	SPIPlanPtr plan;
	CachedPlan *volatile cached = nullptr;

	SPI_connect();
	plan = SPI_prepare_cursor(handle->query, handle->param_count, handle->params,
							  handle->source->cursor_options);
	if (plan == nullptr)
		elog(ERROR, "SPI_prepare_cursor failed: %s", SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	PG_TRY();
	{
		cached = GetCachedPlan(
			static_cast<CachedPlanSource *>(linitial(SPI_plan_get_plan_sources(plan))), params,
			CurrentResourceOwner, nullptr);
	}
	PG_FINALLY();
	{
		/* what runs has a reference of its own */
		SPI_freeplan(plan);
	}
	PG_END_TRY();
	SPI_finish();
	return cached;
}

CachedPlan *
PlanToRun(const HeldHandle &handle, ParamListInfo params)
{
	if (handle->findings.time_literal)
		return PlanOfToday(handle, params);
	return GetCachedPlan(handle->source, params, CurrentResourceOwner, nullptr);
}

/* --- running -------------------------------------------------------------------------------- */

/* A cursor's caller may have another snapshot active. */
bool
PushSnapshot(const Stream *stream)
{
	if (ActiveSnapshotSet() && GetActiveSnapshot() == stream->query->snapshot)
		return false;
	PushActiveSnapshot(stream->query->snapshot);
	return true;
}

/* Errors get the query as context, and are counted. */
void
Run(Stream *stream, DestReceiver *to, uint64 count)
{
	QueryDesc *query = stream->query;
	QueryErrorContext context;
	bool pushed = PushSnapshot(stream);

	query->dest = to;
	PushQueryErrorContext(&context, query->sourceText);
	PG_TRY();
	{
		compat::RunExecutor(query, ForwardScanDirection, count, count == 0);
	}
	PG_CATCH();
	{
		Count(Counter::errors);
		PG_RE_THROW();
	}
	PG_END_TRY();
	PopQueryErrorContext(&context);
	if (pushed)
		PopActiveSnapshot();
	stream->rows += query->estate->es_processed;
}

/* --- the receiver of one row ------------------------------------------------------------------ */

bool
TakeRow(TupleTableSlot *slot, DestReceiver *self)
{
	Stream *stream = reinterpret_cast<Stream *>(self);

	ExecCopySlot(stream->target, slot);
	stream->taken = true;
	return true;
}

void
Startup(DestReceiver *, int, TupleDesc)
{
}

void
Nothing(DestReceiver *)
{
}

} // namespace

Stream *
BeginStream(const HeldHandle &handle, ParamListInfo params, MemoryContext context, Watch *watch)
{
	MemoryContext caller = MemoryContextSwitchTo(context);
	Stream *stream = NewZeroed<Stream>();
	QueryErrorContext error_context;

	stream->receiver.receiveSlot = TakeRow;
	stream->receiver.rStartup = Startup;
	stream->receiver.rShutdown = Nothing;
	stream->receiver.rDestroy = Nothing;
	stream->receiver.mydest = DestNone;
	PushQueryErrorContext(&error_context, handle->query);
	PG_TRY();
	{
		stream->owner = CurrentResourceOwner;
		stream->plan = PlanToRun(handle, params);
		stream->query = CreateQueryDesc(linitial_node(PlannedStmt, stream->plan->stmt_list),
										pstrdup(handle->query), GetActiveSnapshot(),
										InvalidSnapshot, &stream->receiver, params, nullptr, 0);
		if (watch != nullptr)
			ExpectOwnPlan(watch, stream->query);
		/*
		 * a SELECT queues no triggers, and a level of the trigger queue can't stay open between two
		 * rows
		 */
		ExecutorStart(stream->query, EXEC_FLAG_SKIP_TRIGGERS);
	}
	PG_CATCH();
	{
		Count(Counter::errors);
		Distrust(handle);
		PG_RE_THROW();
	}
	PG_END_TRY();
	PopQueryErrorContext(&error_context);
	MemoryContextSwitchTo(caller);
	return stream;
}

bool
UsesWorkers(const Stream *stream)
{
	return stream->query->plannedstmt->parallelModeNeeded;
}

bool
ExpectsFewRows(const Stream *stream)
{
	const Plan *top = stream->query->plannedstmt->planTree;
	double bytes = top->plan_rows * (top->plan_width + static_cast<double>(SizeofHeapTupleHeader));

	return bytes <= work_mem * 1024.0;
}

void
RunStream(Stream *stream, DestReceiver *to)
{
	Run(stream, to, 0);
}

bool
NextOfStream(Stream *stream, TupleTableSlot *slot)
{
	if (stream->ended)
		return false;
	stream->target = slot;
	stream->taken = false;
	Run(stream, &stream->receiver, 1);
	stream->ended = !stream->taken;
	return stream->taken;
}

void
TellScans(const Stream *stream, Watch *watch)
{
	WatchOwnScans(watch, stream->query->planstate);
}

void
RewindStream(Stream *stream)
{
	bool pushed = PushSnapshot(stream);

	ExecutorRewind(stream->query);
	if (pushed)
		PopActiveSnapshot();
	stream->ended = false;
}

void
EndStream(Stream *stream)
{
	/* what pg_stat_statements takes for the number of rows */
	stream->query->estate->es_processed = stream->rows;
	ExecutorFinish(stream->query);
	ExecutorEnd(stream->query);
	FreeQueryDesc(stream->query);
	ReleaseCachedPlan(stream->plan, stream->owner);
}

} // namespace cq
