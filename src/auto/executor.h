/*
 * executor.h
 *		Where statements begin and end in the executor, and how deep they are nested.
 *
 * All of it is called by the module's hooks (src/hooks.cpp).  What "Begin" returned is given to "End" in
 * any case, also after an error.
 */
#pragma once

#include "pg.h"
#include "auto/nesting.h"

extern "C" {
#include "portability/instr_time.h"
}

namespace cq
{

struct Statement;

/* ExecutorStart.  False: the statement is none of ours, and there is nothing to end. */
struct AutoStart
{
	Statement *outer;
	Deeper outer_depth;
};
extern bool AutoBeginStart(QueryDesc *query, int eflags, AutoStart *start);
extern void AutoEndStart(const AutoStart &start);

/* ExecutorRun, likewise; AutoFinishRun() after AutoEndRun() if there was no error. */
struct AutoRun
{
	instr_time start;
	Deeper outer_depth;
};
extern bool AutoBeginRun(const QueryDesc *query, AutoRun *run);
extern void AutoEndRun(const AutoRun &run);
extern void AutoFinishRun(const QueryDesc *query, const AutoRun &run);

/* ExecutorEnd.  The statement, if it is one of ours, is to be given to EndStatement() then. */
extern Statement *AutoBeginEnd(const QueryDesc *query);

/* A utility command; EndDeeper() ends it. */
extern Deeper AutoBeginUtility(const Node *command);

} // namespace cq
