/*
 * executor.cpp
 *		Where statements begin and end in the executor, and how deep they are nested.
 */
#include "pg.h"
#include "call/miss.h"
#include "query/handle.h"
#include "auto/executor.h"
#include "auto/nesting.h"
#include "auto/rules.h"
#include "auto/settings.h"
#include "auto/statement.h"
#include "auto/worth.h"

namespace cq
{
namespace
{

/* --- slow statements ------------------------------------------------------------------------ */

/* Could the statement have our node, as far as its plan tells? */
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

/* With cached_query.auto = hinted a hint or a rule must say so. */
bool
MayBeChosen(uint64 hash)
{
	return !IsHintedOnly() || (hash & kHinted) != 0 || MayHaveRules();
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
	if (!IsWorth(hash))
		return;
	(void) RulesVersion();
	if (!MayBeChosen(hash) || IsSettled(hash))
		return;
	/* as long as the rules can't be read it is not known what it is to be */
	if (RulesLoaded())
		MarkSettled(hash);
	PlanAgainNextTime(query->plannedstmt);
}

/* Was it slow?  Costs one look at the clock. */
void
NoteTime(const QueryDesc *query)
{
	if (MayBeWorth(query) && settings::auto_min_time > 0 &&
		static_cast<double>(GetCurrentTimestamp() - GetCurrentStatementStartTimestamp()) >=
			settings::auto_min_time * 1000)
		MarkWorth(HashOf(query));
}

/* EXECUTE and PREPARE are on the same level as their statement. */
bool
IsPartOf(const Node *command)
{
	return IsA(command, ExecuteStmt) || IsA(command, PrepareStmt);
}

} // namespace

/* --- from the module's hooks ---------------------------------------------------------------- */

bool
AutoBeginStart(QueryDesc *query, int eflags, AutoStart *start)
{
	Statement *statement;

	if (!IsAutomatic() && StatementScan(query->plannedstmt) == nullptr)
		return false;
	start->outer = StartingStatement();
	statement = BeginStatement(query, eflags);
	if (statement == nullptr)
		NoteKeptPlan(query);
	/* partitions may be pruned by calling functions */
	BeginDeeper(&start->outer_depth);
	SetStarting(statement);
	return true;
}

void
AutoEndStart(const AutoStart &start)
{
	SetStarting(start.outer);
	EndDeeper(start.outer_depth);
}

bool
AutoBeginRun(const QueryDesc *query, AutoRun *run)
{
	Statement *statement = StatementOf(query);

	if (!IsAutomatic() && statement == nullptr)
		return false;
	if (statement != nullptr)
	{
		statement->run++;
		INSTR_TIME_SET_CURRENT(run->start);
	}
	else
		INSTR_TIME_SET_ZERO(run->start);
	BeginDeeper(&run->outer_depth);
	return true;
}

void
AutoEndRun(const AutoRun &run)
{
	EndDeeper(run.outer_depth);
}

/* A cursor may fetch the other rows much later, so other sessions stop waiting for it. */
void
AutoFinishRun(const QueryDesc *query, const AutoRun &run)
{
	Statement *statement = StatementOf(query);
	instr_time now;

	if (statement == nullptr)
		return;
	EndLead(&statement->lookup, JoinResult::stopped);
	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, run.start);
	statement->run_us += static_cast<int64>(INSTR_TIME_GET_MICROSEC(now));
}

Statement *
AutoBeginEnd(const QueryDesc *query)
{
	Statement *statement = StatementOf(query);

	if (statement == nullptr)
		NoteTime(query);
	else
		FinishStatement(statement);
	return statement;
}

Deeper
AutoBeginUtility(const Node *command)
{
	Deeper outer = depth;

	if (IsA(command, ExplainStmt))
		BeginExplaining(&outer);
	else if (!IsPartOf(command))
		BeginDeeper(&outer);
	return outer;
}

} // namespace cq
