/*
 * node.cpp
 *		The Custom Scan on top of a statement's plan: stored rows, or those of the plan, which may be kept.
 */
#include "pg.h"
#include "query/walk.h"
#include "call/answer.h"
#include "call/miss.h"
#include "validity/watch.h"
#include "auto/keep.h"
#include "auto/node.h"
#include "auto/statement.h"
#include "stats/stats.h"

extern "C" {
#include "commands/explain.h"
#include "executor/nodeCustom.h"
}

namespace cq
{
namespace
{

struct StatementNode
{
	CustomScanState css; /* must be first */
	Statement *statement;
	JunkFilter *junk; /* removes columns that only the plan needs */
	WireRun *wire;    /* of the run in progress if its rows may go out as messages */
	bool one_row;     /* the plan brings one, and no more */
	bool begun;
	bool on_wire;
	uint64 left; /* then: rows still to hand out */
	Keeping keeping;
	QueryDesc *
		apart; /* a shell that began without our hook: a plan made for it, in an executor of its own */
};

StatementNode *
NodeOf(CustomScanState *css)
{
	return reinterpret_cast<StatementNode *>(css);
}

/* --- start ---------------------------------------------------------------------------------- */

JunkFilter *
FilterFor(const Plan *child, EState *estate)
{
	ListCell *cell;

	foreach (cell, child->targetlist)
	{
		if (lfirst_node(TargetEntry, cell)->resjunk)
			return ExecInitJunkFilter(child->targetlist,
									  ExecInitExtraTupleSlot(estate, nullptr, &TTSOpsVirtual));
	}
	return nullptr;
}

void
BeginHit(StatementNode *node)
{
	Answer *answer = &node->statement->answer;

	answer->reason = node->statement->reason;
	answer->desc = node->css.ss.ss_ScanTupleSlot->tts_tupleDescriptor;
	answer->context = CurrentMemoryContext;
	answer->ttl_us = node->statement->call.ttl_us;
	answer->repeatable = true;
	BeginReading(answer, Again::no);
}

/*
 * A caller that fetches only one row, such as SELECT INTO of PL/pgSQL, never learns that it was the last one.
 * An aggregate without GROUP BY returns exactly one row, so there it is known.
 */
bool
IsOneRow(const Plan *plan)
{
	const Agg *agg = reinterpret_cast<const Agg *>(plan);

	return IsA(plan, Agg) && agg->aggstrategy == AGG_PLAIN && agg->groupingSets == NIL &&
		   agg->chain == NIL && agg->plan.qual == NIL;
}

/* The functions that a plan calls are looked up when it is initialised: the watch sees that. */
void
BeginChild(StatementNode *node, EState *estate, int eflags, bool keep)
{
	Plan *child = outerPlan(node->css.ss.ps.plan);

	if (keep &&
		!BeginKeeping(&node->keeping, node->statement,
					  node->css.ss.ss_ScanTupleSlot->tts_tupleDescriptor, CurrentMemoryContext))
	{
		EndLead(&node->statement->lookup, JoinResult::unstorable);
		keep = false;
	}
	outerPlanState(&node->css) = ExecInitNode(child, estate, eflags);
	if (keep)
		SuspendWatch(&node->keeping.watch);
	node->junk = FilterFor(child, estate);
	node->one_row = IsOneRow(child);
}

/*
 * A shell that was not started through our ExecutorStart hook: another module runs the plan in its own way.  The
 * statement is planned now, and nothing is looked up or kept.
 */
void
BeginApart(StatementNode *node, EState *estate, int eflags)
{
	const PlanNote *note = NoteOf(reinterpret_cast<CustomScan *>(node->css.ss.ps.plan));
	PlannedStmt *plan;

	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	plan = PlanPlainly(*note->known, estate->es_plannedstmt, estate->es_sourceText, note->options,
					   estate->es_param_list_info);
	node->apart = CreateQueryDesc(plan, estate->es_sourceText, estate->es_snapshot, InvalidSnapshot,
								  None_Receiver, estate->es_param_list_info, nullptr, 0);
	ExecutorStart(node->apart, EXEC_FLAG_SKIP_TRIGGERS | (eflags & EXEC_FLAG_REWIND));
}

void
BeginNode(CustomScanState *css, EState *estate, int eflags)
{
	StatementNode *node = NodeOf(css);
	Conduct conduct = Conduct::pass;

	compat::RemakeScanSlot(css, estate);
	node->statement = StartingStatement();
	if (node->statement != nullptr && node->statement->query->plannedstmt == estate->es_plannedstmt)
		conduct = node->statement->conduct;
	else
		node->statement = nullptr;
	if (conduct == Conduct::hit)
		BeginHit(node);
	else if (outerPlan(css->ss.ps.plan) == nullptr)
		BeginApart(node, estate, eflags);
	else
		BeginChild(node, estate, eflags, conduct == Conduct::keep);
}

/* --- rows ----------------------------------------------------------------------------------- */

TupleTableSlot *
OfPlan(StatementNode *node)
{
	TupleTableSlot *slot = ExecProcNode(outerPlanState(&node->css));

	return node->junk != nullptr && !TupIsNull(slot) ? ExecFilterJunk(node->junk, slot) : slot;
}

TupleTableSlot *
KeptOfPlan(StatementNode *node)
{
	Keeping *keeping = &node->keeping;
	TupleTableSlot *slot;

	BeforeRow(keeping);
	slot = ExecProcNode(outerPlanState(&node->css));
	AfterRow(keeping);
	if (TupIsNull(slot))
	{
		FinishKeeping(keeping, outerPlanState(&node->css));
		return slot;
	}
	if (node->junk != nullptr)
		slot = ExecFilterJunk(node->junk, slot);
	KeepRow(keeping, slot);
	if (node->one_row && keeping->active)
		FinishKeeping(keeping, outerPlanState(&node->css));
	return slot;
}

TupleTableSlot *
OfPlanApart(const QueryDesc *query)
{
	EState *estate = query->estate;
	MemoryContext caller = MemoryContextSwitchTo(estate->es_query_cxt);
	TupleTableSlot *slot;

	ResetPerTupleExprContext(estate);
	slot = ExecProcNode(query->planstate);
	if (estate->es_junkFilter != nullptr && !TupIsNull(slot))
		slot = ExecFilterJunk(estate->es_junkFilter, slot);
	MemoryContextSwitchTo(caller);
	return slot;
}

/*
 * The settings or the role are not those with which the rows were found.  The statement runs, with the role that its rights were
 * checked for.
 */
void
RunInstead(StatementNode *node)
{
	Statement *statement = node->statement;
	EState *estate = node->css.ss.ps.state;
	MemoryContext caller = MemoryContextSwitchTo(estate->es_query_cxt);
	Oid role;
	int security;

	EndAnswer(&statement->answer);
	statement->conduct = Conduct::pass;
	statement->reason = Reason::changed_during_fill;
	GetUserIdAndSecContext(&role, &security);
	/* after an error the end of the transaction sets it back */
	SetUserIdAndSecContext(statement->known->role, security | SECURITY_LOCAL_USERID_CHANGE);
	BeginApart(node, estate, estate->es_top_eflags);
	SetUserIdAndSecContext(role, security);
	MemoryContextSwitchTo(caller);
}

/* The rows are sent as stored messages: only their number matters. */
TupleTableSlot *
OnWire(StatementNode *node)
{
	TupleTableSlot *slot = node->css.ss.ss_ScanTupleSlot;

	if (node->left == 0)
		return ExecClearTuple(slot);
	node->left--;
	return slot;
}

TupleTableSlot *
Stored(StatementNode *node)
{
	TupleTableSlot *slot = node->css.ss.ss_ScanTupleSlot;
	Answer *answer = &node->statement->answer;

	if (node->on_wire)
		return OnWire(node);
	if (NextInPlace(answer, slot))
		return slot;
	return NextRow(answer, slot) ? slot : ExecClearTuple(slot);
}

/* A portal that was started may be executed after other commands. */
TupleTableSlot *
FirstStored(StatementNode *node)
{
	TupleTableSlot *slot = node->css.ss.ss_ScanTupleSlot;
	Answer *answer = &node->statement->answer;

	node->begun = true;
	if (!HasSameKey(node->statement))
	{
		RunInstead(node);
		return OfPlanApart(node->apart);
	}
	if (node->wire != nullptr && BeginWire(node->wire, *answer))
	{
		node->on_wire = true;
		node->left = answer->rows - 1;
	}
	return NextRow(answer, slot) ? slot : ExecClearTuple(slot);
}

TupleTableSlot *
ExecuteNode(CustomScanState *css)
{
	StatementNode *node = NodeOf(css);

	if (node->keeping.active && MayGoOn(&node->keeping))
		return KeptOfPlan(node);
	if (outerPlanState(css) != nullptr)
		return OfPlan(node);
	if (unlikely(node->apart != nullptr))
		return OfPlanApart(node->apart);
	return likely(node->begun) ? Stored(node) : FirstStored(node);
}

/* Never called: statements that need a rescan or go backward run without our node. */
void
RescanNode(CustomScanState *css)
{
	StatementNode *node = NodeOf(css);

	StopKeeping(&node->keeping);
	if (outerPlanState(css) != nullptr)
	{
		ExecReScan(outerPlanState(css));
		return;
	}
	if (node->apart != nullptr)
	{
		ExecReScan(node->apart->planstate);
		return;
	}
	node->on_wire = false;
	RewindAnswer(&node->statement->answer);
}

void
EndApart(QueryDesc *query)
{
	ExecutorFinish(query);
	ExecutorEnd(query);
	FreeQueryDesc(query);
}

void
EndNode(CustomScanState *css)
{
	StatementNode *node = NodeOf(css);

	/* the slot may point into the entry */
	if (css->ss.ss_ScanTupleSlot != nullptr)
		ExecClearTuple(css->ss.ss_ScanTupleSlot);
	if (css->ss.ps.ps_ResultTupleSlot != nullptr)
		ExecClearTuple(css->ss.ps.ps_ResultTupleSlot);
	StopKeeping(&node->keeping);
	if (outerPlanState(css) != nullptr)
		ExecEndNode(outerPlanState(css));
	else if (node->apart != nullptr)
		EndApart(node->apart);
	else if (node->statement != nullptr)
		EndAnswer(&node->statement->answer);
}

/* --- EXPLAIN -------------------------------------------------------------------------------- */

void
ExplainNode(CustomScanState *css, List *, ExplainState *es)
{
	const Statement *statement = NodeOf(css)->statement;

	if (!es->analyze || statement == nullptr || !statement->counts)
		return;
	ExplainPropertyText("Cache", Describe(statement->reason).code, es);
	if (statement->detail != nullptr)
		ExplainPropertyText("Detail", statement->detail, es);
	if (statement->conduct == Conduct::keep)
		ExplainPropertyText("Kept", statement->kept ? "yes" : "no", es);
	if (statement->conduct != Conduct::hit)
		return;
	if (es->timing)
		ExplainPropertyFloat("Age", "s", static_cast<double>(statement->answer.age_us) / 1e6, 3,
							 es);
	ExplainPropertyUInteger("Rows", nullptr, statement->answer.rows, es);
}

const CustomExecMethods exec_methods = {kStatementName, BeginNode, ExecuteNode, EndNode, RescanNode,
										nullptr,        nullptr,   nullptr,     nullptr, nullptr,
										nullptr,        nullptr,   ExplainNode};

Node *
CreateNode(CustomScan *)
{
	StatementNode *node =
		reinterpret_cast<StatementNode *>(newNode(sizeof(StatementNode), T_CustomScanState));

	node->css.methods = &exec_methods;
	compat::UseMinimalTuples(&node->css);
	return reinterpret_cast<Node *>(node);
}

/* Where the node finds the run that may send messages. */
WireRun **
StatementWirePlace(PlanState *top)
{
	StatementNode *node;

	if (!IsA(top, CustomScanState) ||
		reinterpret_cast<CustomScanState *>(top)->methods != &exec_methods)
		return nullptr;
	node = reinterpret_cast<StatementNode *>(top);
	return outerPlanState(&node->css) == nullptr && !node->begun ? &node->wire : nullptr;
}

} // namespace

const CustomScanMethods statement_methods = {kStatementName, CreateNode};

void
InitNode()
{
	RegisterCustomScanMethods(&statement_methods);
	OfferWirePlace(StatementWirePlace);
}

} // namespace cq
