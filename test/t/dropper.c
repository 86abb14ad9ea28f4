/*
 * dropper.c
 *		A module that sets hooks and does not call those that it found: what such neighbours do.
 *
 * dropper.what says which: request, startup, executor, utility; a list of them.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "tcop/utility.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;

void _PG_init(void);

static char *what = NULL;

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
utility(PlannedStmt *pstmt, const char *query, bool read_only, ProcessUtilityContext context,
		ParamListInfo params, QueryEnvironment *env, DestReceiver *dest, QueryCompletion *qc)
{
	standard_ProcessUtility(pstmt, query, read_only, context, params, env, dest, qc);
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
}
