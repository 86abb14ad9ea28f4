/*
 * hooks.cpp
 *		PostgreSQL's hooks around statements: the module has one of each, and here is who has his say when.
 *
 * They are set when all libraries of shared_preload_libraries have been loaded.  So they are the
 * outermost, and a module that does not call the hook that it found keeps nothing from us.
 *
 * The order, from the outside in:
 *
 *	auto/		first, as it may put another plan in the place of the statement's, or find that there is
 *				nothing to run; it also counts how deep statements are nested
 *	validity/	the watch of a fill around the statement sees the plan that will be run
 *	exact/		what this transaction does; it must be told of all that others may still refuse
 *	scan/		messages to the client, in ExecutorRun only: nobody of ours is between it and the receiver
 *	the next	whoever was there before us, at the end PostgreSQL
 *
 * Who began must end, however the statement ends: so there is one PG_TRY in each hook, around all that
 * can raise, and none for statements that don't concern us.
 *
 * Locking: everything here belongs to the process.
 */
#include "pg.h"
#include "auto/executor.h"
#include "auto/known.h"
#include "auto/settings.h"
#include "auto/statement.h"
#include "exact/exact.h"
#include "hooks.h"
#include "query/handle.h"
#include "scan/wire.h"
#include "validity/watch.h"
#include "workers/dismiss.h"

namespace cq
{
namespace
{

ExecutorStart_hook_type next_start = nullptr;
ExecutorRun_hook_type next_run = nullptr;
ExecutorFinish_hook_type next_finish = nullptr;
ExecutorEnd_hook_type next_end = nullptr;
ProcessUtility_hook_type next_utility = nullptr;

/* The plan is the one that will run. */
void
StartPlan(QueryDesc *query, int eflags)
{
	WatchStart(query);
	exact::NoteStart(query);
	next_start(query, eflags);
}

void
StartExecutor(QueryDesc *query, int eflags)
{
	AutoStart start;

	if (!AutoBeginStart(query, eflags, &start))
	{
		StartPlan(query, eflags);
		return;
	}
	PG_TRY();
	{
		StartPlan(query, eflags);
	}
	PG_FINALLY();
	{
		AutoEndStart(start);
	}
	PG_END_TRY();
}

void
RunExecutor(QueryDesc *query, ScanDirection direction, uint64 count CQ_EXECUTE_ONCE_PARAMETER)
{
	AutoRun run;
	WireRun wire;
	const bool to_wire = BeginWireRun(&wire, query, direction, count);
	const bool is_auto = AutoBeginRun(query, &run);

	if (!to_wire && !is_auto)
	{
		next_run(query, direction, count CQ_EXECUTE_ONCE);
		return;
	}
	PG_TRY();
	{
		next_run(query, direction, count CQ_EXECUTE_ONCE);
	}
	PG_FINALLY();
	{
		if (to_wire)
			EndWireRun(&wire);
		if (is_auto)
			AutoEndRun(run);
	}
	PG_END_TRY();
	if (to_wire)
		FinishWireRun(&wire);
	if (is_auto)
		AutoFinishRun(query, run);
}

/* Triggers run here. */
void
FinishExecutor(QueryDesc *query)
{
	Deeper outer_depth;

	if (!IsAutomatic())
	{
		next_finish(query);
		return;
	}
	BeginDeeper(&outer_depth);
	PG_TRY();
	{
		next_finish(query);
	}
	PG_FINALLY();
	{
		EndDeeper(outer_depth);
	}
	PG_END_TRY();
}

void
EndExecutor(QueryDesc *query)
{
	Statement *statement = AutoBeginEnd(query);

	next_end(query);
	if (statement != nullptr)
		EndStatement(statement);
}

void
RunUtility(PlannedStmt *statement, const char *text, bool read_only, ProcessUtilityContext context,
		   ParamListInfo params, QueryEnvironment *environment, DestReceiver *dest,
		   QueryCompletion *completion)
{
	Node *command = statement->utilityStmt;
	/* the statement may be gone when it has run */
	const bool discard = DiscardsPlans(command);
	const exact::UtilityState outer = exact::CurrentUtility();
	const Deeper outer_depth = AutoBeginUtility(command);

	PG_TRY();
	{
		WatchUtility();
		exact::BeginUtility(command);
		DismissWorkersFor(command);
		next_utility(statement, text, read_only, context, params, environment, dest, completion);
	}
	PG_FINALLY();
	{
		exact::EndUtility(outer);
		EndDeeper(outer_depth);
	}
	PG_END_TRY();
	if (discard)
	{
		ForgetHandles();
		ForgetAllKnown();
	}
}

} // namespace

void
HookStatements()
{
	next_start = NextOf(ExecutorStart_hook, standard_ExecutorStart);
	ExecutorStart_hook = StartExecutor;
	next_run = NextOf(ExecutorRun_hook, standard_ExecutorRun);
	ExecutorRun_hook = RunExecutor;
	next_finish = NextOf(ExecutorFinish_hook, standard_ExecutorFinish);
	ExecutorFinish_hook = FinishExecutor;
	next_end = NextOf(ExecutorEnd_hook, standard_ExecutorEnd);
	ExecutorEnd_hook = EndExecutor;
	next_utility = NextOf(ProcessUtility_hook, standard_ProcessUtility);
	ProcessUtility_hook = RunUtility;
}

} // namespace cq
