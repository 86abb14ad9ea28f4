/*
 * executor.cpp
 *		The executor's hooks: where statements begin and end, and how deep they are nested.
 */
#include "pg.h"
#include "call/singleflight.h"
#include "query/handle.h"
#include "auto/executor.h"
#include "auto/nesting.h"
#include "auto/settings.h"
#include "auto/statement.h"
#include "auto/worth.h"

extern "C" {
#include "portability/instr_time.h"
#include "tcop/utility.h"
}

namespace cq
{
namespace
{

ExecutorStart_hook_type previous_start = nullptr;
ExecutorRun_hook_type previous_run = nullptr;
ExecutorFinish_hook_type previous_finish = nullptr;
ExecutorEnd_hook_type previous_end = nullptr;
ProcessUtility_hook_type previous_utility = nullptr;

/* --- slow statements ------------------------------------------------------------------------ */

/* Could it have our node?  By what the plan shows. */
bool
MayBeWorth(const QueryDesc *query)
{
	const PlannedStmt *plan = query->plannedstmt;

	return IsAutomatic() && query->operation == CMD_SELECT && query->sourceText != nullptr &&
		   plan->rowMarks == NIL && !plan->hasModifyingCTE && plan->rtable != NIL && IsOwnLevel() &&
		   !IsParallelWorker() && preloaded;
}

uint64
HashOf(const QueryDesc *query)
{
	return ReadStatement(query->sourceText, query->plannedstmt->stmt_location,
						 query->plannedstmt->stmt_len)
		.hash;
}

/* The hash of a kept plan's text, as long as it is the same plan of the same text. */
struct KeptHash
{
	const PlannedStmt *plan;
	const char *text;
	uint64 hash;
};

KeptHash kept_hashes[64];

/* Another plan at the same address with another text at the same address only gets a wrong hint. */
uint64
HashOfKept(const QueryDesc *query)
{
	const PlannedStmt *plan = query->plannedstmt;
	KeptHash *kept = &kept_hashes[reinterpret_cast<uintptr_t>(plan) / 64 % lengthof(kept_hashes)];

	if (kept->plan != plan || kept->text != query->sourceText)
		*kept = {plan, query->sourceText, HashOf(query)};
	return kept->hash;
}

/*
 * A plan that was kept before its statement was known to be slow is made again the next time.  Once, as there
 * may be a reason why it has no node.
 */
void
NoteKeptPlan(const QueryDesc *query)
{
	uint64 hash;

	if (!MayBeWorth(query) || !ComesFromPlanCache(query->plannedstmt))
		return;
	hash = HashOfKept(query);
	if (!IsWorth(hash) || IsSettled(hash))
		return;
	MarkSettled(hash);
	PlanAgainNextTime(query->plannedstmt);
}

/* Was it slow?  One look at the clock. */
void
NoteTime(const QueryDesc *query)
{
	if (MayBeWorth(query) && settings::auto_min_time > 0 &&
		static_cast<double>(GetCurrentTimestamp() - GetCurrentStatementStartTimestamp()) >=
			settings::auto_min_time * 1000)
		MarkWorth(HashOf(query));
}

/* --- the hooks ------------------------------------------------------------------------------ */

void
StartExecutor(QueryDesc *query, int eflags)
{
	Statement *outer = StartingStatement();
	Statement *statement;
	Deeper deeper;

	if (!IsAutomatic() && StatementScan(query->plannedstmt) == nullptr)
	{
		previous_start(query, eflags);
		return;
	}
	statement = BeginStatement(query, eflags);
	if (statement == nullptr)
		NoteKeptPlan(query);
	/* partitions may be pruned by calling functions */
	BeginDeeper(&deeper);
	SetStarting(statement);
	PG_TRY();
	{
		previous_start(query, eflags);
	}
	PG_FINALLY();
	{
		SetStarting(outer);
		EndDeeper(deeper);
	}
	PG_END_TRY();
}

/* Who fetches some rows now and others later holds nobody up. */
void
AfterRun(QueryDesc *query, const instr_time &start)
{
	Statement *statement = StatementOf(query);
	instr_time now;

	if (statement == nullptr)
		return;
	FinishLead(statement, JoinResult::stopped);
	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, start);
	statement->run_us += static_cast<int64>(INSTR_TIME_GET_MICROSEC(now));
}

void
RunExecutor(QueryDesc *query, ScanDirection direction, uint64 count CQ_EXECUTE_ONCE_PARAMETER)
{
	const Statement *statement = StatementOf(query);
	instr_time start;
	Deeper deeper;

	if (!IsAutomatic() && statement == nullptr)
	{
		previous_run(query, direction, count CQ_EXECUTE_ONCE);
		return;
	}
	if (statement != nullptr)
		INSTR_TIME_SET_CURRENT(start);
	else
		INSTR_TIME_SET_ZERO(start);
	BeginDeeper(&deeper);
	PG_TRY();
	{
		previous_run(query, direction, count CQ_EXECUTE_ONCE);
	}
	PG_FINALLY();
	{
		EndDeeper(deeper);
	}
	PG_END_TRY();
	AfterRun(query, start);
}

/* Triggers run here. */
void
FinishExecutor(QueryDesc *query)
{
	Deeper deeper;

	if (!IsAutomatic())
	{
		previous_finish(query);
		return;
	}
	BeginDeeper(&deeper);
	PG_TRY();
	{
		previous_finish(query);
	}
	PG_FINALLY();
	{
		EndDeeper(deeper);
	}
	PG_END_TRY();
}

void
EndExecutor(QueryDesc *query)
{
	Statement *statement = StatementOf(query);

	if (statement == nullptr)
		NoteTime(query);
	else
		FinishStatement(statement);
	previous_end(query);
	if (statement != nullptr)
		EndStatement(statement);
}

/* Their own statement is on the level of the command. */
bool
IsPartOf(const Node *command)
{
	return IsA(command, ExecuteStmt) || IsA(command, PrepareStmt);
}

void
RunUtility(PlannedStmt *pstmt, const char *text, bool read_only, ProcessUtilityContext context,
		   ParamListInfo params, QueryEnvironment *env, DestReceiver *dest, QueryCompletion *qc)
{
	const Node *command = pstmt->utilityStmt;
	const bool discard = DiscardsPlans(command);
	Deeper deeper = CurrentDepth();

	if (IsA(command, ExplainStmt))
		BeginExplaining(&deeper);
	else if (!IsPartOf(command))
		BeginDeeper(&deeper);
	PG_TRY();
	{
		previous_utility(pstmt, text, read_only, context, params, env, dest, qc);
	}
	PG_FINALLY();
	{
		EndDeeper(deeper);
	}
	PG_END_TRY();
	if (discard)
		ForgetAllKnown();
}

} // namespace

void
HookExecutor()
{
	previous_start = NextOf(ExecutorStart_hook, standard_ExecutorStart);
	ExecutorStart_hook = StartExecutor;
	previous_run = NextOf(ExecutorRun_hook, standard_ExecutorRun);
	ExecutorRun_hook = RunExecutor;
	previous_finish = NextOf(ExecutorFinish_hook, standard_ExecutorFinish);
	ExecutorFinish_hook = FinishExecutor;
	previous_end = NextOf(ExecutorEnd_hook, standard_ExecutorEnd);
	ExecutorEnd_hook = EndExecutor;
	previous_utility = NextOf(ProcessUtility_hook, standard_ProcessUtility);
	ProcessUtility_hook = RunUtility;
}

} // namespace cq
