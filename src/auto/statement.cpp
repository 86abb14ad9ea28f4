/*
 * statement.cpp
 *		One execution of a statement that may be answered from the cache.
 *
 * A statement that is not known to be harmless runs its plan without our node.
 */
#include "pg.h"
#include "auto/candidates.h"
#include "auto/decide.h"
#include "call/miss.h"
#include "query/findings.h"
#include "validity/meta.h"
#include "call/answer.h"
#include "validity/lookup.h"
#include "call/singleflight.h"
#include "validity/pins.h"
#include "validity/watch.h"
#include "validity/judge.h"
#include "auto/ghost.h"
#include "auto/settings.h"
#include "auto/statement.h"
#include "auto/worth.h"
#include "query/kept.h"
#include "query/news.h"
#include "settings.h"
#include "stats/stats.h"

extern "C" {
#include "tcop/pquery.h"
#include "utils/portal.h"
}

namespace cq
{
namespace
{

Statement *running = nullptr;
Statement *starting = nullptr;

/* --- its life ------------------------------------------------------------------------------- */

/* In a callback of its memory context, after an error, too: raises nothing. */
void
ForgetStatement(void *arg)
{
	Statement *statement = static_cast<Statement *>(arg);

	EndLead(&statement->lookup, JoinResult::stopped);
	for (Statement **link = &running; *link != nullptr; link = &(*link)->outer)
	{
		if (*link == statement)
		{
			*link = statement->outer;
			break;
		}
	}
	if (starting == statement)
		starting = nullptr;
}

/*
 * After an error that was caught, the memory of a statement may stay in the cache of a SQL function, but its
 * fill must end.  Raises nothing.
 */
void
FinishAllLeads()
{
	for (Statement *statement = running; statement != nullptr; statement = statement->outer)
		EndLead(&statement->lookup, JoinResult::stopped);
}

void
FinishAtXactEnd(XactEvent event, void *)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		FinishAllLeads();
}

void
FinishAfterError(SubXactEvent event, SubTransactionId, SubTransactionId, void *)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		FinishAllLeads();
}

Statement *
MakeStatement(QueryDesc *query, const PlanNote *note)
{
	MemoryContext context = AllocSetContextCreate(GetMemoryChunkContext(query),
												  "CachedQueryStatement", ALLOCSET_SMALL_SIZES);
	Statement *statement =
		static_cast<Statement *>(MemoryContextAllocZero(context, sizeof(Statement)));
	MemoryContextCallback *callback = static_cast<MemoryContextCallback *>(
		MemoryContextAlloc(context, sizeof(MemoryContextCallback)));

	statement->query = query;
	statement->planned = query->plannedstmt;
	statement->context = context;
	statement->known = note->known;
	statement->note = note;
	statement->conduct = Conduct::pass;
	callback->func = ForgetStatement;
	callback->arg = statement;
	MemoryContextRegisterResetCallback(context, callback);
	HoldKnown(note->known, context);
	statement->outer = running;
	running = statement;
	return statement;
}

/* --- the plan that is started --------------------------------------------------------------- */

/* A shallow copy: the plan cache's own is never changed. */
PlannedStmt *
CopyHead(Statement *statement)
{
	PlannedStmt *head =
		static_cast<PlannedStmt *>(MemoryContextAlloc(statement->context, sizeof(PlannedStmt)));

	*head = *statement->query->plannedstmt;
	statement->query->plannedstmt = head;
	return head;
}

void
ChoosePlan(Statement *statement, int eflags)
{
	QueryDesc *query = statement->query;

	if (statement->conduct == Conduct::hit)
	{
		compat::StripForHit(CopyHead(statement));
		return;
	}
	if (!HasPlan(statement))
	{
		PlanAgainNextTime(statement->planned);
		ReplaceByNewPlan(statement);
	}
	/* EXPLAIN shows the node, and the reason why it does nothing */
	if (statement->conduct == Conduct::pass && query->instrument_options == 0 &&
		!(eflags & EXEC_FLAG_EXPLAIN_ONLY))
	{
		PlannedStmt *head = CopyHead(statement);

		head->planTree = outerPlan(head->planTree);
	}
}

/* --- what the run showed -------------------------------------------------------------------- */

bool
StatementHolds(const Lookup *lookup)
{
	const Statement *statement = static_cast<const Statement *>(lookup->statement);

	return StillKnown(statement->known) &&
		   !NewsOfRelations(statement->note->heard, statement->query->plannedstmt->relationOids);
}

void
LearnOfStatement(Lookup *lookup, const Findings &seen)
{
	LearnOfKnown(static_cast<Known *>(lookup->examined), seen);
}

} // namespace

const Examiner statement_examiner = {StatementHolds, LearnOfStatement, AcceptForStatement,
									 FillForStatement, RunStatement};

Statement *
BeginStatement(QueryDesc *query, int eflags)
{
	const CustomScan *scan = StatementScan(query->plannedstmt);
	Statement *statement;

	if (scan == nullptr)
		return nullptr;
	statement = MakeStatement(query, NoteOf(scan));
	/* if the statement is planned for each execution, a hit also saves the planning */
	if (ActivePortal != nullptr && ActivePortal->cplan == nullptr)
		statement->plan_us = statement->note->plan_us;
	if (IsOurs(statement, eflags))
	{
		if (StillKnown(statement->known))
			Decide(statement);
		else
			PlanAgainNextTime(statement->planned);
	}
#ifdef CQ_DEBUG
	if (statement->conduct == Conduct::keep && settings::debug_auto_fill_first)
		FillFirst(statement);
#endif
	ChoosePlan(statement, eflags);
	return statement;
}

void
LookUpAgain(Statement *statement)
{
	const Reason reason = LookUpFor(&statement->lookup, &statement->answer);

	if (Describe(reason).kind != Kind::hit)
		return;
	statement->reason = reason;
	statement->conduct = Conduct::hit;
}

Statement *
StartingStatement()
{
	return starting;
}

void
SetStarting(Statement *statement)
{
	starting = statement;
}

Statement *
StatementOf(const QueryDesc *query)
{
	for (Statement *statement = running; statement != nullptr; statement = statement->outer)
	{
		if (statement->query == query)
			return statement;
	}
	return nullptr;
}

namespace
{

/* The relation has the slot that the result of the last run was void by: is it known how to avoid that? */
void
NoteVoidedBy(Statement *statement, const Watch &watch, Oid relation)
{
	statement->voided_by = relation;
	statement->keys = AdviseKeys(watch, statement->query->planstate, relation);
}

/* Of what the run has read. */
void
LeaveGhostOf(Statement *statement, const Watch &watch)
{
	const int64 run_us = statement->run_us + statement->plan_us;
	List *read = NIL;
	List *slots = NIL;
	int16 grain;
	ListCell *cell;

	foreach (cell, statement->query->plannedstmt->relationOids)
	{
		const Oid relation = lfirst_oid(cell);
		List *of_rows = list_make1_int(static_cast<int>(exact::WriteSlot(MyDatabaseId, relation)));

		CHECK_FOR_INTERRUPTS();
		if (!ReadRows(watch, relation))
			continue;
		of_rows = AddKeySlots(of_rows, watch, relation, &grain);
		if (statement->voided && list_member_int(of_rows, static_cast<int>(statement->voided_slot)))
			NoteVoidedBy(statement, watch, relation);
		read = lappend_oid(read, relation);
		slots = list_concat(slots, of_rows);
	}
	LeaveGhost(statement->lookup, read, slots, run_us);
}

/* The watch was not there while it ran, and no functions that it calls were watched: a ghost is a guess. */
void
LeaveGhostAtEnd(Statement *statement)
{
	MemoryContext caller = MemoryContextSwitchTo(statement->context);
	Watch watch;

	BeginWatch(&watch, statement->context, statement->known->findings);
	WatchOwnPlan(&watch, statement->query->plannedstmt);
	WatchOwnScans(&watch, statement->query->planstate);
	LeaveGhostOf(statement, watch);
	DropWatch(&watch);
	MemoryContextSwitchTo(caller);
}

} // namespace

void
FinishStatement(Statement *statement)
{
	if (statement->leaves_ghost && statement->query->planstate != nullptr)
		LeaveGhostAtEnd(statement);
}

namespace
{

void
NoteStatement(const Statement *statement)
{
	Outcome outcome = OutcomeOf(*statement->known, statement->reason);

	outcome.ran = statement->conduct != Conduct::hit;
	outcome.run_us = statement->run_us + statement->plan_us;
	outcome.saved_us =
		statement->conduct == Conduct::hit ? statement->lookup.fill_us : statement->saved_us;
	outcome.voided = statement->voided;
	outcome.voided_by = statement->voided_by;
	outcome.keys = statement->keys;
	NoteCandidate(SubjectOf(*statement->known), outcome);
}

} // namespace

void
EndStatement(Statement *statement)
{
	if (statement->counts)
	{
		CountStatement(statement->reason);
		NoteStatement(statement);
	}
	statement->query->plannedstmt = statement->planned;
	MemoryContextDelete(statement->context);
}

void
InitStatementEnd()
{
	RegisterXactCallback(FinishAtXactEnd, nullptr);
	RegisterSubXactCallback(FinishAfterError, nullptr);
}

} // namespace cq
