/*
 * keep.h
 *		Rows that are handed on while they are kept.
 *
 * The client gets each row when the plan brings it; a copy goes into the entry that is being filled.  What
 * finds no room there is dropped, as the client has it.  The entry is published when the plan has
 * said that there are no more rows; a run that ends earlier is not kept.
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
};

/* Before the plan is initialised; ends with the watch resumed: SuspendWatch() follows.  False: no memory. */
extern bool BeginKeeping(Keeping *keeping, Statement *statement, TupleDesc desc,
						 MemoryContext context);
/* Around each step of the plan. */
extern void BeforeRow(Keeping *keeping);
extern void AfterRow(Keeping *keeping);
/* A row to be kept; and there are no more. */
extern void KeepRow(Keeping *keeping, TupleTableSlot *slot);
extern void FinishKeeping(Keeping *keeping);
/* It ends without being kept. */
extern void StopKeeping(Keeping *keeping);

} // namespace cq
