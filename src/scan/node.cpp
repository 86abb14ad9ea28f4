/*
 * node.cpp
 *		Execution: the Custom Scan hands out stored rows in place.
 *
 * The call is answered when the first row is asked for, with the arguments' values of that moment,
 * and again after a rescan with other parameters.  What the executor would check for a function
 * scan is checked here: EXECUTE on the function and its execute hook at start (the plan holds no
 * call any more), and that the row type is still what the plan was made for, since the tuples are
 * read by the plan's types.
 */
#include "pg.h"
#include "query/walk.h"
#include "validity/lookup.h"
#include "validity/entry_state.h"
#include "call/call.h"
#include "call/answer.h"
#include "call/signature.h"
#include "scan/node.h"
#include "scan/scan.h"
#include "scan/wire.h"

extern "C" {
#include "catalog/objectaccess.h"
#include "commands/explain.h"
#include "executor/nodeCustom.h"
#include "utils/inval.h"
#include "utils/ruleutils.h"
#include "utils/typcache.h"
}

namespace cq
{
namespace
{

struct CachedScan
{
	CustomScanState css; /* must be first */
	const Signature *signature;
	FuncExpr *call;
	List *args;          /* ExprStates of the call's arguments */
	Bitmapset *params;   /* executor parameters that they depend on */
	bool subplans;       /* they depend on more than can be told */
	MemoryContext calls; /* reset for each new call */
	Again again;
	bool answered;
	Answer answer;
	WireRun *wire;   /* of the run in progress if its rows may go out as messages */
	bool on_wire;    /* they do: the slot keeps the first row */
	uint64 left;     /* then: rows still to hand out, */
	bool wire_ended; /* and was the end told? */
	/* for EXPLAIN ANALYZE */
	uint64 count;
	uint64 hits;
};

CachedScan *
StateOf(CustomScanState *css)
{
	return reinterpret_cast<CachedScan *>(css);
}

/* --- start ---------------------------------------------------------------------------------- */

/* What ExecInitFunc does for a function that is called. */
void
CheckMayExecute(Oid function)
{
	AclResult result = compat::FunctionAclCheck(function);

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_FUNCTION, get_func_name(function));
	InvokeFunctionExecuteHook(function);
}

/* Is this what the plan's column stands for, number and all? */
bool
SameColumn(const TargetEntry *planned, Form_pg_attribute column)
{
	const Var *var = reinterpret_cast<const Var *>(planned->expr);

	return var->varattno == column->attnum && var->vartype == column->atttypid &&
		   var->vartypmod == column->atttypmod;
}

/* Live columns of the row type now, against the plan's.  The error is PostgreSQL's: drivers know it and prepare again. */
void
CheckRowType(const FuncExpr *call, List *plan)
{
	TupleDesc now;
	int live = 0;
	bool same = true;

	if (!type_is_rowtype(call->funcresulttype) || call->funcresulttype == RECORDOID)
		return;
	AcceptInvalidationMessages();
	now = lookup_rowtype_tupdesc(getBaseType(call->funcresulttype), -1);
	for (int i = 0; i < now->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(now, i);

		if (column->attisdropped)
			continue;
		same = same && live < list_length(plan) &&
			   SameColumn(list_nth_node(TargetEntry, plan, live), column);
		live++;
	}
	ReleaseTupleDesc(now);
	if (!same || live != list_length(plan))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("cached plan must not change result type"),
						errdetail("Row type %s has changed since the statement was planned.",
								  format_type_be(call->funcresulttype)),
						errhint("Prepare the statement again.")));
}

/* Which parameters, when they change, make it another call? */
bool
CollectParams(Node *node, void *arg)
{
	CachedScan *state = static_cast<CachedScan *>(arg);

	if (node == nullptr)
		return false;
	if (IsA(node, Param) && reinterpret_cast<Param *>(node)->paramkind == PARAM_EXEC)
		state->params = bms_add_member(state->params, reinterpret_cast<Param *>(node)->paramid);
	state->subplans = state->subplans || IsA(node, SubPlan) || IsA(node, AlternativeSubPlan);
	return compat::WalkExpression(node, CollectParams, arg);
}

/* A join tells a scan that it will be rescanned; a subquery that is run again may not tell. */
Again
ExpectAgain(const CustomScan *plan, int eflags)
{
	if ((eflags & (EXEC_FLAG_REWIND | EXEC_FLAG_BACKWARD)) == EXEC_FLAG_REWIND)
		return Again::likely;
	return eflags & EXEC_FLAG_BACKWARD || linitial_int(plan->custom_private) ? Again::maybe
																			 : Again::no;
}

void
BeginScan(CustomScanState *css, EState *estate, int eflags)
{
	CachedScan *state = StateOf(css);
	CustomScan *plan = reinterpret_cast<CustomScan *>(css->ss.ps.plan);

	compat::RemakeScanSlot(css, estate);
	state->call = linitial_node(FuncExpr, plan->custom_exprs);
	state->signature = StreamingSignature(state->call->funcid);
	CheckMayExecute(state->call->funcid);
	if (state->signature == nullptr)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("function %u has changed since the statement was planned",
							   state->call->funcid),
						errhint("Prepare the statement again.")));
	CheckRowType(state->call, plan->custom_scan_tlist);
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	state->args = ExecInitExprList(state->call->args, &css->ss.ps);
	CollectParams(reinterpret_cast<Node *>(state->call->args), state);
	state->again = ExpectAgain(plan, eflags);
	state->calls =
		AllocSetContextCreate(CurrentMemoryContext, "CachedQueryCall", ALLOCSET_DEFAULT_SIZES);
}

/* --- the call ------------------------------------------------------------------------------- */

RawArgs
Evaluate(CachedScan *state)
{
	ExprContext *econtext = state->css.ss.ps.ps_ExprContext;
	int count = list_length(state->args);
	RawArgs raw;
	ListCell *cell;

	raw.count = 0;
	raw.types = NewArray<Oid>(count);
	raw.values = NewArray<Datum>(count);
	raw.nulls = NewArray<bool>(count);
	raw.variadic = state->call->funcvariadic;
	foreach (cell, state->args)
	{
		int i = raw.count++;

		raw.types[i] = exprType(static_cast<Node *>(list_nth(state->call->args, i)));
		raw.values[i] =
			ExecEvalExpr(static_cast<ExprState *>(lfirst(cell)), econtext, &raw.nulls[i]);
	}
	return raw;
}

void
AnswerNow(CachedScan *state)
{
	MemoryContext caller = MemoryContextSwitchTo(state->calls);
	Call call = MakeCall(*state->signature, Evaluate(state), Shape::rows);

	call.expected = state->css.ss.ss_ScanTupleSlot->tts_tupleDescriptor;
	call.again = state->again;
	AnswerCall(call, state->calls, &state->answer);
	MemoryContextSwitchTo(caller);
	state->answered = true;
	state->count++;
	state->hits += Describe(state->answer.reason).kind == Kind::hit;
}

void
ForgetAnswer(CachedScan *state)
{
	if (!state->answered)
		return;
	EndAnswer(&state->answer);
	state->answered = false;
	state->on_wire = false;
	MemoryContextReset(state->calls);
}

TupleTableSlot *
PreviousSlot(CachedScan *state)
{
	TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;

	if (!state->answered)
		AnswerNow(state);
	if (state->on_wire)
		SkipTo(&state->answer, state->answer.rows - state->left, state->wire_ended);
	state->on_wire = false;
	return PreviousRow(&state->answer, slot) ? slot : ExecClearTuple(slot);
}

/* The next one, in the direction in which the executor moves. */
TupleTableSlot *
NextSlot(ScanState *ss)
{
	CachedScan *state = reinterpret_cast<CachedScan *>(ss);

	if (ScanDirectionIsBackward(ss->ps.state->es_direction))
		return PreviousSlot(state);
	if (!state->answered)
	{
		AnswerNow(state);
		if (state->wire != nullptr && BeginWire(state->wire, state->answer))
		{
			state->on_wire = true;
			state->wire_ended = false;
			state->left = state->answer.rows - 1;
		}
	}
	else if (NextInPlace(&state->answer, ss->ss_ScanTupleSlot))
		return ss->ss_ScanTupleSlot;
	if (NextRow(&state->answer, ss->ss_ScanTupleSlot))
		return ss->ss_ScanTupleSlot;
	return ExecClearTuple(ss->ss_ScanTupleSlot);
}

/* Nothing to recheck: there are no locks on the rows. */
bool
Recheck(ScanState *, TupleTableSlot *)
{
	return true;
}

/* Their number is all that counts. */
TupleTableSlot *
NextOnWire(CachedScan *state)
{
	if (state->left == 0)
	{
		state->wire_ended = true;
		return ExecClearTuple(state->css.ss.ss_ScanTupleSlot);
	}
	state->left--;
	return state->css.ss.ss_ScanTupleSlot;
}

/* Nothing to filter, nothing to project: the stored tuple is the row. */
bool
AsStored(const ScanState *ss)
{
	return ss->ps.qual == nullptr && ss->ps.ps_ProjInfo == nullptr &&
		   ss->ps.state->es_epq_active == nullptr;
}

TupleTableSlot *
ExecuteScan(CustomScanState *css)
{
	CachedScan *state = StateOf(css);

	if (AsStored(&css->ss))
	{
		CHECK_FOR_INTERRUPTS();
		if (unlikely(ScanDirectionIsBackward(css->ss.ps.state->es_direction)))
			return PreviousSlot(state);
		if (state->on_wire)
			return NextOnWire(state);
		if (likely(state->answered) && NextInPlace(&state->answer, css->ss.ss_ScanTupleSlot))
			return css->ss.ss_ScanTupleSlot;
		return NextSlot(&css->ss);
	}
	return ExecScan(&css->ss, NextSlot, Recheck);
}

/*
 * With the same arguments the scan returns the same rows from the start, even if the entry was evicted
 * meanwhile, and even if other parameters of the qual have changed.
 */
void
RescanScan(CustomScanState *css)
{
	CachedScan *state = StateOf(css);

	ExecScanReScan(&css->ss);
	if (bms_overlap(css->ss.ps.chgParam, state->params) ||
		(state->subplans && css->ss.ps.chgParam != nullptr))
		ForgetAnswer(state);
	else if (state->answered)
		RewindAnswer(&state->answer);
	state->on_wire = false;
}

void
EndScan(CustomScanState *css)
{
	CachedScan *state = StateOf(css);

	/* the slot may point into the entry */
	if (css->ss.ss_ScanTupleSlot)
		ExecClearTuple(css->ss.ss_ScanTupleSlot);
	if (css->ss.ps.ps_ResultTupleSlot)
		ExecClearTuple(css->ss.ps.ps_ResultTupleSlot);
	if (state->calls != nullptr)
		ForgetAnswer(state);
}

/* --- EXPLAIN -------------------------------------------------------------------------------- */

void
ExplainScan(CustomScanState *css, List *ancestors, ExplainState *es)
{
	CachedScan *state = StateOf(css);

	if (es->verbose)
	{
		List *context = set_deparse_context_plan(es->deparse_cxt, css->ss.ps.plan, ancestors);

		ExplainPropertyText(
			"Call", deparse_expression(reinterpret_cast<Node *>(state->call), context, true, false),
			es);
	}
	if (!es->analyze || state->count == 0)
		return;
	if (state->count > 1)
	{
		ExplainPropertyUInteger("Calls", nullptr, state->count, es);
		ExplainPropertyUInteger("Hits", nullptr, state->hits, es);
	}
	if (!state->answered)
		return;
	ExplainPropertyText("Cache", Describe(state->answer.reason).code, es);
	if (state->answer.detail != nullptr)
		ExplainPropertyText("Detail", state->answer.detail, es);
	if (Describe(state->answer.reason).kind == Kind::hit && es->timing)
	{
		ExplainPropertyFloat("Age", "s", static_cast<double>(state->answer.age_us) / 1e6, 3, es);
		ExplainPropertyFloat("TTL", "s", static_cast<double>(state->answer.ttl_us) / 1e6, 3, es);
	}
	ExplainPropertyUInteger("Rows", nullptr, state->answer.rows, es);
	if (state->answer.pin != nullptr)
		ExplainPropertyUInteger("Bytes", nullptr, Summarize(state->answer.pin).payload, es);
}

const CustomExecMethods exec_methods = {kScanName, BeginScan, ExecuteScan, EndScan, RescanScan,
										nullptr,   nullptr,   nullptr,     nullptr, nullptr,
										nullptr,   nullptr,   ExplainScan};

Node *
CreateScanState(CustomScan *)
{
	CachedScan *state =
		reinterpret_cast<CachedScan *>(newNode(sizeof(CachedScan), T_CustomScanState));

	state->css.methods = &exec_methods;
	compat::UseMinimalTuples(&state->css);
	return reinterpret_cast<Node *>(state);
}

} // namespace

const CustomScanMethods scan_methods = {kScanName, CreateScanState};

namespace
{

WireRun **
WirePlace(PlanState *top)
{
	CachedScan *state;

	if (!IsA(top, CustomScanState) ||
		reinterpret_cast<CustomScanState *>(top)->methods != &exec_methods)
		return nullptr;
	state = reinterpret_cast<CachedScan *>(top);
	return AsStored(&state->css.ss) && !state->answered ? &state->wire : nullptr;
}

} // namespace

void
InitScanNode()
{
	OfferWirePlace(WirePlace);
}

} // namespace cq
