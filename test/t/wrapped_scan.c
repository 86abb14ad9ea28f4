/*
 * wrapped_scan.c
 *		A module whose plan node hands on the rows of the plan below it: for 080_scans.pl.
 *
 * While wrapped_scan.wrap is on, each SELECT that reads a table gets one on top of its plan.  wrapped_scan.also is a
 * table that such plans read, too, as those of timescaledb do with tables that the statement doesn't name.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/planner.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;

void _PG_init(void);

static bool on = false;
static char *also = NULL;
static planner_hook_type next_planner = NULL;

static void
begin(CustomScanState *state, EState *estate, int eflags)
{
	Plan *child = linitial(((CustomScan *) state->ss.ps.plan)->custom_plans);

	state->custom_ps = list_make1(ExecInitNode(child, estate, eflags));
}

static TupleTableSlot *
next(CustomScanState *state)
{
	return ExecProcNode(linitial(state->custom_ps));
}

static void
end(CustomScanState *state)
{
	ExecEndNode(linitial(state->custom_ps));
}

static void
rescan(CustomScanState *state)
{
	ExecReScan(linitial(state->custom_ps));
}

static const CustomExecMethods exec_methods = {.CustomName = "Wrapped Scan",
	.BeginCustomScan = begin, .ExecCustomScan = next, .EndCustomScan = end, .ReScanCustomScan = rescan};

static Node *
create_state(CustomScan *scan)
{
	CustomScanState *state = (CustomScanState *) newNode(sizeof(CustomScanState), T_CustomScanState);

	state->methods = &exec_methods;
	return (Node *) state;
}

static const CustomScanMethods scan_methods = {"Wrapped Scan", create_state};

static Plan *
wrap(Plan *child)
{
	CustomScan *scan = makeNode(CustomScan);
	ListCell *cell;

	scan->custom_plans = list_make1(child);
	scan->custom_scan_tlist = copyObject(child->targetlist);
	foreach (cell, child->targetlist)
	{
		TargetEntry *entry = lfirst(cell);
		Var *var = makeVar(INDEX_VAR, entry->resno, exprType((Node *) entry->expr), exprTypmod((Node *) entry->expr),
						   exprCollation((Node *) entry->expr), 0);

		scan->scan.plan.targetlist = lappend(scan->scan.plan.targetlist,
			makeTargetEntry((Expr *) var, entry->resno, entry->resname, entry->resjunk));
	}
	scan->scan.plan.startup_cost = child->startup_cost;
	scan->scan.plan.total_cost = child->total_cost;
	scan->scan.plan.plan_rows = child->plan_rows;
	scan->scan.plan.plan_width = child->plan_width;
	scan->scan.plan.plan_node_id = -1;
	scan->methods = &scan_methods;
	return &scan->scan.plan;
}

static PlannedStmt *
plan(Query *parse, const char *text, int options, ParamListInfo params)
{
	PlannedStmt *result = next_planner ? next_planner(parse, text, options, params) : standard_planner(parse, text, options, params);

	if (on && result->commandType == CMD_SELECT && result->relationOids != NIL)
		result->planTree = wrap(result->planTree);
	if (also[0] != '\0' && result->commandType == CMD_SELECT && result->relationOids != NIL)
		result->relationOids = lappend_oid(result->relationOids, RelnameGetRelid(also));
	return result;
}

void
_PG_init(void)
{
	DefineCustomBoolVariable("wrapped_scan.wrap", "Puts a node on top of plans.", NULL, &on, false, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("wrapped_scan.also", "A table that plans read.", NULL, &also, "", PGC_USERSET, 0, NULL, NULL, NULL);
	RegisterCustomScanMethods(&scan_methods);
	next_planner = planner_hook;
	planner_hook = plan;
}
