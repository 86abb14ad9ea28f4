/*
 * dropper.c
 *		A module that sets hooks and does not call those that it found, or not as it was called: what such neighbours do.
 *
 * dropper.what says which: request, startup, executor, utility are not passed on; planner runs a statement first,
 * and options leaves out the planner's options; twin runs a plan once more, beside the executor's hooks, and says how many
 * rows it had.  It is a list of them.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "optimizer/planner.h"
#include "storage/ipc.h"
#include "tcop/utility.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;

void _PG_init(void);

#if PG_VERSION_NUM >= 190000
#define PLANNER_PARAMETERS                                                                         \
	Query *tree, const char *text, int options, ParamListInfo params, ExplainState *es
#define PLANNER_ARGUMENTS tree, text, options, params, es
#else
#define PLANNER_PARAMETERS Query *tree, const char *text, int options, ParamListInfo params
#define PLANNER_ARGUMENTS tree, text, options, params
#endif
#if PG_VERSION_NUM >= 180000
#define RUN(query) standard_ExecutorRun(query, ForwardScanDirection, 0)
#else
#define RUN(query) standard_ExecutorRun(query, ForwardScanDirection, 0, true)
#endif

static char *what = NULL;
static planner_hook_type previous_planner = NULL;
static ExecutorStart_hook_type previous_start = NULL;

static void
request(void)
{
}

static void
startup(void)
{
}

static void
start(QueryDesc *query, int eflags)
{
	standard_ExecutorStart(query, eflags);
}

static void
run_twin(QueryDesc *query)
{
	QueryDesc *twin = CreateQueryDesc(query->plannedstmt, query->sourceText, query->snapshot, InvalidSnapshot,
									  None_Receiver, query->params, query->queryEnv, 0);

	standard_ExecutorStart(twin, 0);
	RUN(twin);
	standard_ExecutorFinish(twin);
	ereport(NOTICE, errmsg("twin: %d rows", (int) twin->estate->es_processed));
	standard_ExecutorEnd(twin);
	FreeQueryDesc(twin);
}

static void
start_twin(QueryDesc *query, int eflags)
{
	if (query->operation == CMD_SELECT && !(eflags & EXEC_FLAG_EXPLAIN_ONLY))
		run_twin(query);
	if (previous_start)
		previous_start(query, eflags);
	else
		standard_ExecutorStart(query, eflags);
}

static void
utility(PlannedStmt *pstmt, const char *query, bool read_only, ProcessUtilityContext context,
		ParamListInfo params, QueryEnvironment *env, DestReceiver *dest, QueryCompletion *qc)
{
	standard_ProcessUtility(pstmt, query, read_only, context, params, env, dest, qc);
}

static PlannedStmt *
plan(PLANNER_PARAMETERS)
{
	static bool inside = false;

	if (strstr(what, "planner") && !inside)
	{
		inside = true;
		SPI_connect();
		SPI_execute("SELECT count(*) FROM pg_am", true, 0);
		SPI_finish();
		inside = false;
	}
	if (strstr(what, "options"))
		options = 0;
	return previous_planner ? previous_planner(PLANNER_ARGUMENTS) : standard_planner(PLANNER_ARGUMENTS);
}

void
_PG_init(void)
{
	DefineCustomStringVariable("dropper.what", "Hooks that are not passed on.", NULL, &what, "",
							   PGC_SUSET, 0, NULL, NULL, NULL);
	if (strstr(what, "request"))
		shmem_request_hook = request;
	if (strstr(what, "startup"))
		shmem_startup_hook = startup;
	if (strstr(what, "executor"))
		ExecutorStart_hook = start;
	if (strstr(what, "utility"))
		ProcessUtility_hook = utility;
	if (strstr(what, "twin"))
	{
		previous_start = ExecutorStart_hook;
		ExecutorStart_hook = start_twin;
	}
	if (strstr(what, "planner") || strstr(what, "options"))
	{
		previous_planner = planner_hook;
		planner_hook = plan;
	}
}
