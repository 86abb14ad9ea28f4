/*
 * plan.h
 *		Plans of statements that may be answered from the cache: a Custom Scan on top of the plan, or, if the
 *		entry seems to be there, without one below it.
 *
 * Part of known.h.
 */
#pragma once

#include "pg.h"
#include "auto/known.h"

extern "C" {
#include "nodes/extensible.h"
}

namespace cq
{

/*
 * What a plan of ours carries.  Where PostgreSQL copies the plan, into the plan cache, the copy holds the
 * Known, too, as long as its memory lives.
 */
struct PlanNote
{
	ExtensibleNode node; /* must be first */
	Known *known;
	uint64 heard;    /* news of before the planning are in the plan */
	uint64 position; /* of the snapshot it was made under; 0: unknown */
	uint64 regional; /* settings under which the planner folded expressions */
	int64 plan_us;   /* what it took; 0 without a plan below */
	int options;     /* of the cursor: how to plan it again */
};

/* The plan of a hit, without a plan: what the executor, the plan cache and clients read of one. */
extern PlannedStmt *MakeShell(const Known &known, List *items);
/* Of ours?  Else nullptr. */
extern CustomScan *StatementScan(const PlannedStmt *plan);
extern const PlanNote *NoteOf(const CustomScan *scan);
/* May a plan be older than what its statement means now, or reads under this view? */
extern bool IsPlanOld(const PlannedStmt *plan, const PlanNote &note, const exact::View &view);
/* Plan the statement, whoever planned it before, and put our node on top. */
extern PlannedStmt *PlanNow(QueryDesc *query, Known *known, int options);
/* Plan the statement of this plan without our node. */
extern PlannedStmt *PlanPlainly(const Known &known, const PlannedStmt *before, const char *text,
								int options, ParamListInfo params);
/* Has the portal that runs taken it from the plan cache? */
extern bool ComesFromPlanCache(const PlannedStmt *plan);
/* The plan cache shall not use this plan again. */
extern void PlanAgainNextTime(const PlannedStmt *plan);

extern void HookPlanner();
extern void InitPlans();

/* node.cpp */
extern const CustomScanMethods statement_methods;

} // namespace cq
