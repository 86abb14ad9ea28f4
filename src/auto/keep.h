/*
 * keep.h
 *		Rows go to the client and into an entry at the same time.
 *
 * The client gets each row when the plan returns it, and a copy goes into the entry that is being filled.
 * If the entry gets no more memory, it is dropped; the client has its rows anyway.  The entry is published
 * when the plan has returned its last row.  A run that ends earlier is not cached.
 */
#pragma once

#include "pg.h"
#include "call/rows.h"
#include "validity/watch.h"
#include "auto/statement.h"

extern "C" {
#include "portability/instr_time.h"
}

namespace cq
{

struct Keeping
{
	Statement *statement;
	bool active;
	Rows rows;
	Watch watch;
	double run_s; /* of the plan, without what its caller did between two rows */
	instr_time start;
	bool timed;
	uint64 run; /* the ExecutorRun that the last row was of; 0: none yet */
};

/* Before the plan is initialised; ends with the watch resumed: SuspendWatch() follows.  False: no memory. */
extern bool BeginKeeping(Keeping *keeping, Statement *statement, TupleDesc desc,
						 MemoryContext context);
/*
 * Before each step of the plan.  False: the fill has ended, as what the rows depend on may not be what it was for the rows
 * that were fetched before.
 */
extern bool MayGoOn(Keeping *keeping);
/* Around each step of the plan. */
extern void BeforeRow(Keeping *keeping);
extern void AfterRow(Keeping *keeping);
/* A row to be kept; and there are no more. */
extern void KeepRow(Keeping *keeping, TupleTableSlot *slot);
extern void FinishKeeping(Keeping *keeping, PlanState *plan);
/* The fill ends, and nothing is published. */
extern void StopKeeping(Keeping *keeping);

} // namespace cq
