/*
 * watch.cpp
 *		What happens inside a query while its rows are being kept.
 */
#include "pg.h"
#include "query/cacheability.h"
#include "query/findings.h"
#include "query/walk.h"
#include "validity/known_code.h"
#include "validity/watch.h"

extern "C" {
#include "parser/analyze.h"
#include "tcop/utility.h"
}

namespace cq
{
namespace
{

Watch *innermost = nullptr;
post_parse_analyze_hook_type previous_post_parse_analyze = nullptr;
needs_fmgr_hook_type previous_needs_fmgr = nullptr;

/* Which rows the fill's own plan has read is known only when it ends. */
void
WatchRelation(Oid relation, bool by_own_plan = false)
{
	MemoryContext caller = MemoryContextSwitchTo(innermost->context);

	JudgeRelation(&innermost->findings, relation);
	if (!by_own_plan)
	{
		FirstTime(&innermost->findings.seen, Thing::read, relation);
		FirstTime(&innermost->findings.seen, Thing::whole, relation);
	}
	MemoryContextSwitchTo(caller);
}

void
WatchSlot(int slot)
{
	MemoryContext caller = MemoryContextSwitchTo(innermost->context);

	/* 0 is a slot, but no member of a set */
	if (FirstTime(&innermost->findings.seen, Thing::slot, static_cast<Oid>(slot) + 1))
		innermost->slots = lappend_int(innermost->slots, slot);
	MemoryContextSwitchTo(caller);
}

void
NotePlan(PlannedStmt *plan, bool own)
{
	MemoryContext caller;
	ListCell *cell;

	if (plan->commandType != CMD_SELECT || plan->hasModifyingCTE || plan->rowMarks != NIL)
		innermost->wrote = true;
	foreach (cell, plan->relationOids)
		WatchRelation(lfirst_oid(cell), own);
	caller = MemoryContextSwitchTo(innermost->context);
	/* a kept plan of code that isn't understood is only seen here */
	JudgePlan(&innermost->findings, plan, innermost->strange_code);
	MemoryContextSwitchTo(caller);
	/* functions and types of users, also those of functions that were inlined */
	foreach (cell, plan->invalItems)
	{
		const PlanInvalItem *item = lfirst_node(PlanInvalItem, cell);

		WatchSlot(
			static_cast<int>(exact::CatalogSlot(item->cacheId, item->hashValue, MyDatabaseId)));
	}
}

/*
 * What functions do in a parallel worker can't be seen from here, so a function's queries run
 * without.  The plan may be a kept one: a copy of its head says so.
 */
void
KeepFromWorkers(QueryDesc *query)
{
	PlannedStmt *plan = static_cast<PlannedStmt *>(
		MemoryContextAlloc(GetMemoryChunkContext(query), sizeof(PlannedStmt)));

	*plan = *query->plannedstmt;
	plan->parallelModeNeeded = false;
	query->plannedstmt = plan;
}

/* Dynamic SQL, and what a session analyses for the first time. */
void
WatchAnalysis(ParseState *pstate, Query *query, compat::Jumble *jumble)
{
	if (previous_post_parse_analyze)
		previous_post_parse_analyze(pstate, query, jumble);
	if (innermost != nullptr && query->commandType != CMD_UTILITY)
	{
		MemoryContext caller = MemoryContextSwitchTo(innermost->context);

		WalkTree(&innermost->findings, reinterpret_cast<Node *>(query));
		MemoryContextSwitchTo(caller);
	}
}

void
NoteCalled(Oid function)
{
	MemoryContext caller = MemoryContextSwitchTo(innermost->context);

	if (FirstTime(&innermost->findings.seen, Thing::called, function))
		innermost->called = lappend_oid(innermost->called, function);
	MemoryContextSwitchTo(caller);
}

/* Asked of each function that isn't built in, before it can be called. */
bool
WatchFunction(Oid function)
{
	if (innermost != nullptr)
		NoteCalled(function);
	return MustNotRun(function) ||
		   (previous_needs_fmgr != nullptr && previous_needs_fmgr(function));
}

/* Those that only the server itself calls are none to be judged. */
bool
IsToBeJudged(Oid function)
{
	Oid *types;
	int count;
	const Oid result = get_func_rettype(function);

	(void) get_func_signature(function, &types, &count);
	for (int i = 0; i < count; i++)
	{
		if (types[i] == INTERNALOID)
			return false;
	}
	return result != INTERNALOID && result != INDEX_AM_HANDLEROID &&
		   result != TABLE_AM_HANDLEROID && result != FDW_HANDLEROID && result != TSM_HANDLEROID;
}

void
JudgeCalledOnes(Watch *watch)
{
	MemoryContext caller = MemoryContextSwitchTo(watch->context);
	ListCell *cell;

	foreach (cell, watch->called)
	{
		if (SearchSysCacheExists1(PROCOID, ObjectIdGetDatum(lfirst_oid(cell))) &&
			IsToBeJudged(lfirst_oid(cell)))
			JudgeCalled(&watch->findings, lfirst_oid(cell));
	}
	FollowUp(&watch->findings);
	MemoryContextSwitchTo(caller);
}

/*
 * Classes of errors that what is read, the functions and the rights decide.  PostgreSQL uses no class that
 * begins with a digit from 5 on, or a letter from I on, but those below: others are a function's own.
 * An error that is on no list may tell of this session or moment.
 */
bool
TellsOfData(int code)
{
	static const int classes[] = {
		MAKE_SQLSTATE('0', '0', '0', '0', '0'), /* not yet an error */
		MAKE_SQLSTATE('0', '1', '0', '0', '0'), MAKE_SQLSTATE('0', '2', '0', '0', '0'),
		MAKE_SQLSTATE('0', 'A', '0', '0', '0'), MAKE_SQLSTATE('2', '0', '0', '0', '0'),
		MAKE_SQLSTATE('2', '1', '0', '0', '0'), MAKE_SQLSTATE('2', '2', '0', '0', '0'),
		MAKE_SQLSTATE('2', '3', '0', '0', '0'), MAKE_SQLSTATE('2', 'F', '0', '0', '0'),
		MAKE_SQLSTATE('3', '8', '0', '0', '0'), MAKE_SQLSTATE('3', '9', '0', '0', '0'),
		MAKE_SQLSTATE('3', 'F', '0', '0', '0'), MAKE_SQLSTATE('4', '4', '0', '0', '0'),
		MAKE_SQLSTATE('P', '0', '0', '0', '0')};
	/*
	 * Of class 42 those that analysis raises.  Others tell of cursors and prepared statements, and
	 * DATATYPE_MISMATCH of a plan that the session made for other types.
	 */
	static const int analysis[] = {ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION,
								   ERRCODE_SYNTAX_ERROR,
								   ERRCODE_INSUFFICIENT_PRIVILEGE,
								   ERRCODE_CANNOT_COERCE,
								   ERRCODE_GROUPING_ERROR,
								   ERRCODE_WINDOWING_ERROR,
								   ERRCODE_INVALID_RECURSION,
								   ERRCODE_INVALID_NAME,
								   ERRCODE_NAME_TOO_LONG,
								   ERRCODE_RESERVED_NAME,
								   ERRCODE_INDETERMINATE_DATATYPE,
								   ERRCODE_COLLATION_MISMATCH,
								   ERRCODE_INDETERMINATE_COLLATION,
								   ERRCODE_WRONG_OBJECT_TYPE,
								   ERRCODE_UNDEFINED_COLUMN,
								   ERRCODE_UNDEFINED_FUNCTION,
								   ERRCODE_UNDEFINED_TABLE,
								   ERRCODE_UNDEFINED_PARAMETER,
								   ERRCODE_UNDEFINED_OBJECT,
								   ERRCODE_DUPLICATE_COLUMN,
								   ERRCODE_DUPLICATE_ALIAS,
								   ERRCODE_AMBIGUOUS_COLUMN,
								   ERRCODE_AMBIGUOUS_FUNCTION,
								   ERRCODE_AMBIGUOUS_PARAMETER,
								   ERRCODE_AMBIGUOUS_ALIAS,
								   ERRCODE_INVALID_COLUMN_REFERENCE};
	static const int moment[] = {
		MAKE_SQLSTATE('5', '3', '0', '0', '0'), MAKE_SQLSTATE('5', '4', '0', '0', '0'),
		MAKE_SQLSTATE('5', '5', '0', '0', '0'), MAKE_SQLSTATE('5', '7', '0', '0', '0'),
		MAKE_SQLSTATE('5', '8', '0', '0', '0'), MAKE_SQLSTATE('7', '2', '0', '0', '0'),
		MAKE_SQLSTATE('X', 'X', '0', '0', '0')};
	const int category = ERRCODE_TO_CATEGORY(code);
	const char first = PGUNSIXBIT(code);

	for (int known : classes)
	{
		if (category == known)
			return true;
	}
	for (int known : analysis)
	{
		if (code == known)
			return true;
	}
	for (int known : moment)
	{
		if (category == known)
			return false;
	}
	return (first >= '5' && first <= '9') || (first >= 'I' && first <= 'Z');
}

/* Called for each error where it is raised, whoever catches it; also for notices. */
void
OnError(void *arg)
{
	if (!TellsOfData(geterrcode()))
		static_cast<Watch *>(arg)->disturbed = true;
}

/* An error that nobody of ours catches ends the transaction, and every watch with it. */
void
ForgetWatches(XactEvent event, void *)
{
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT)
		innermost = nullptr;
}

/* So does one that is caught end those that were entered inside the subtransaction. */
void
ForgetInnerWatches(SubXactEvent event, SubTransactionId, SubTransactionId, void *)
{
	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	while (innermost != nullptr && innermost->level >= GetCurrentTransactionNestLevel())
		innermost = innermost->outer;
}

} // namespace

bool
Watching()
{
	return innermost != nullptr;
}

void
WatchStart(QueryDesc *query)
{
	if (innermost == nullptr)
		return;
	innermost->started = true;
	NotePlan(query->plannedstmt, innermost->own == query);
	if (innermost->own == query)
		innermost->own = nullptr;
	if (innermost->user_code && query->plannedstmt->parallelModeNeeded)
		KeepFromWorkers(query);
}

void
WatchUtility()
{
	if (innermost != nullptr)
		innermost->wrote = true;
}

void
BeginWatch(Watch *watch, MemoryContext context, const Findings &query)
{
	MemoryContext caller = MemoryContextSwitchTo(context);
	ListCell *cell;

	*watch = Watch();
	watch->query = &query;
	watch->grains.name = "cached_query keys read";
	watch->outer = innermost;
	watch->level = GetCurrentTransactionNestLevel();
	watch->context = context;
	watch->user_code = query.user_function;
	watch->strange_code = query.everything || query.unread;
	watch->own_hidden = watch->strange_code || query.opaque;
	watch->findings.nested = true;
	watch->findings.at_run = true;
	watch->findings.context = context;
	foreach (cell, query.functions)
		FirstTime(&watch->findings.seen, Thing::called, lfirst_oid(cell));
	watch->findings.relations = list_copy(query.relations);
	foreach (cell, query.relations)
		FirstTime(&watch->findings.seen, Thing::relation, lfirst_oid(cell));
	watch->expected = list_length(query.relations);
	foreach (cell, query.inside)
	{
		FirstTime(&watch->findings.seen, Thing::read, lfirst_oid(cell));
		FirstTime(&watch->findings.seen, Thing::whole, lfirst_oid(cell));
	}
	MemoryContextSwitchTo(caller);
	watch->oldest = DT_NOEND;
	watch->lowest_position = PG_UINT64_MAX;
	watch->errors.callback = OnError;
	watch->errors.arg = watch;
	watch->errors.previous = error_context_stack;
	error_context_stack = &watch->errors;
	innermost = watch;
}

void
DropWatch(Watch *watch)
{
	error_context_stack = watch->errors.previous;
	innermost = watch->outer;
}

void
SuspendWatch(Watch *watch)
{
	error_context_stack = watch->errors.previous;
	innermost = watch->outer;
}

void
ResumeWatch(Watch *watch)
{
	watch->outer = innermost;
	watch->level = GetCurrentTransactionNestLevel();
	watch->errors.previous = error_context_stack;
	error_context_stack = &watch->errors;
	innermost = watch;
}

void
WatchOwnPlan(Watch *watch, PlannedStmt *plan)
{
	CqAssert(innermost == watch);
	watch->started = true;
	watch->own_hidden = watch->own_hidden || watch->user_code;
	NotePlan(plan, true);
	/* the plan is of now, whatever its tree didn't name */
	watch->expected = list_length(watch->findings.relations);
}

void
ExpectOwnPlan(Watch *watch, const QueryDesc *query)
{
	CqAssert(innermost == watch);
	watch->own = query;
}

void
EndWatch(Watch *watch)
{
	Watch *outer = watch->outer;
	ListCell *cell;

	error_context_stack = watch->errors.previous;
	innermost = outer;
	JudgeCalledOnes(watch);
	if (outer == nullptr)
		return;
	foreach (cell, watch->called)
		NoteCalled(lfirst_oid(cell));
	foreach (cell, watch->findings.relations)
		WatchRelation(lfirst_oid(cell));
	foreach (cell, watch->slots)
		WatchSlot(lfirst_int(cell));
	outer->wrote = outer->wrote || watch->wrote;
	outer->uncacheable = outer->uncacheable || watch->uncacheable;
	outer->inexact = outer->inexact || watch->inexact || watch->findings.exact != Reason::none;
	outer->findings.opaque = outer->findings.opaque || watch->findings.opaque;
	outer->findings.clock = outer->findings.clock || watch->findings.clock;
	outer->oldest = Min(outer->oldest, watch->oldest);
	outer->lag_ms = Max(outer->lag_ms, watch->lag_ms);
	outer->lowest_position = Min(outer->lowest_position, watch->lowest_position);
}

void
WatchRelations(const Oid *relations, int count)
{
	for (int i = 0; innermost != nullptr && i < count; i++)
		WatchRelation(relations[i]);
}

void
WatchSlots(const exact::SlotNo *slots, int count)
{
	for (int i = 0; innermost != nullptr && i < count; i++)
		WatchSlot(static_cast<int>(slots[i]));
}

void
WatchUsed(const EntryFacts &facts, bool exact)
{
	if (innermost == nullptr)
		return;
	innermost->oldest = Min(innermost->oldest, facts.as_of);
	innermost->lag_ms = Max(innermost->lag_ms, facts.lag_ms);
	innermost->lowest_position = Min(innermost->lowest_position, facts.pos);
	innermost->inexact = innermost->inexact || !exact;
}

void
WatchUncacheable()
{
	if (innermost != nullptr)
		innermost->uncacheable = true;
}

void
InitWatch()
{
	RegisterXactCallback(ForgetWatches, nullptr);
	RegisterSubXactCallback(ForgetInnerWatches, nullptr);
}

void
HookAnalysis()
{
	previous_post_parse_analyze = post_parse_analyze_hook;
	post_parse_analyze_hook = WatchAnalysis;
	previous_needs_fmgr = needs_fmgr_hook;
	needs_fmgr_hook = WatchFunction;
}

} // namespace cq
