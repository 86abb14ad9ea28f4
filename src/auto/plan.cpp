/*
 * plan.cpp
 *		Plans of statements that may be answered from the cache.
 *
 * The module's only planner hook is here.  First scan/typed.cpp gives arguments of our functions their types
 * back, for every statement; then a statement that is a candidate and known to be slow gets its node.
 *
 * Nothing here raises an error that planning would not raise without us.
 *
 * Part of known.h.
 */
#include "pg.h"
#include "auto/plan_note.h"
#include "validity/meta.h"
#include "validity/entry_state.h"
#include "auto/choose.h"
#include "auto/nesting.h"
#include "auto/plan.h"
#include "auto/settings.h"
#include "auto/worth.h"
#include "query/handle.h"
#include "query/news.h"
#include "scan/scan.h"
#include "stats/stats.h"

extern "C" {
#include "portability/instr_time.h"
#include "tcop/pquery.h"
#include "utils/portal.h"
}

namespace cq
{
namespace
{

planner_hook_type previous_planner = nullptr;

/* --- nodes ---------------------------------------------------------------------------------- */

/* A column of the node itself, or of what it reads: of the plan below, or of nothing that could be shown. */
Expr *
ColumnFrom(const TargetEntry *entry, int source)
{
	const Node *expr = reinterpret_cast<const Node *>(entry->expr);
	const Oid type = exprType(expr);
	const int32 typmod = exprTypmod(expr);
	const Oid collation = exprCollation(expr);

	if (source == 0)
		return reinterpret_cast<Expr *>(makeNullConst(type, typmod, collation));
	return reinterpret_cast<Expr *>(makeVar(source, entry->resno, type, typmod, collation, 0));
}

/* Of the columns that go out. */
List *
Columns(List *from, int source)
{
	List *columns = NIL;
	ListCell *cell;

	foreach (cell, from)
	{
		const TargetEntry *entry = lfirst_node(TargetEntry, cell);
		TargetEntry *column;

		if (entry->resjunk)
			continue;
		column =
			makeTargetEntry(ColumnFrom(entry, source), entry->resno,
							entry->resname != nullptr ? pstrdup(entry->resname) : nullptr, false);
		column->resorigtbl = entry->resorigtbl;
		column->resorigcol = entry->resorigcol;
		column->ressortgroupref = entry->ressortgroupref;
		columns = lappend(columns, column);
	}
	return columns;
}

CustomScan *
MakeScan(List *targets, int source)
{
	CustomScan *scan = makeNode(CustomScan);

	scan->scan.plan.targetlist = Columns(targets, INDEX_VAR);
	scan->custom_scan_tlist = Columns(targets, source);
	scan->scan.plan.plan_node_id = -1;
	scan->methods = &statement_methods;
	return scan;
}

void
CopyCosts(Plan *to, const Plan *from)
{
	to->startup_cost = from->startup_cost;
	to->total_cost = from->total_cost;
	to->plan_rows = from->plan_rows;
	to->plan_width = from->plan_width;
}

bool
WalkRelations(Node *node, void *arg)
{
	if (node == nullptr)
		return false;
	if (IsA(node, Query))
	{
		compat::AddRelations(reinterpret_cast<Query *>(node), static_cast<PlannedStmt *>(arg));
		return compat::WalkQuery(reinterpret_cast<Query *>(node), WalkRelations, arg, 0);
	}
	return compat::WalkExpression(node, WalkRelations, arg);
}

/* The plan may belong to another module or to the plan cache, so its head is copied. */
PlannedStmt *
Wrap(const PlannedStmt *plan, PlanNote *note)
{
	const Plan *child = plan->planTree;
	CustomScan *scan = MakeScan(child->targetlist, OUTER_VAR);
	PlannedStmt *head = makeNode(PlannedStmt);

	*head = *plan;
	scan->scan.plan.lefttree = const_cast<Plan *>(child);
	CopyCosts(&scan->scan.plan, child);
	scan->scan.plan.parallel_aware = false;
	scan->scan.plan.parallel_safe = false;
	scan->scan.plan.extParam = bms_copy(child->extParam);
	scan->scan.plan.allParam = bms_copy(child->allParam);
	scan->custom_private = list_make1(note);
	head->planTree = reinterpret_cast<Plan *>(scan);
	/* the findings hold for this role only */
	head->dependsOnRole = true;
	return head;
}

/* --- planning ------------------------------------------------------------------------------- */

PlannedStmt *
PlanBelow(Query *query, const char *text, int options, ParamListInfo params CQ_PLANNER_PARAMETER)
{
	PlannedStmt *volatile plan = nullptr;
	Deeper deeper;

	/* expressions that are evaluated now may run statements */
	BeginDeeper(&deeper);
	PG_TRY();
	{
		plan = previous_planner(query, text, options, params CQ_PLANNER_ARGUMENT);
	}
	PG_FINALLY();
	{
		EndDeeper(deeper);
	}
	PG_END_TRY();
	return plan;
}

/* May a plan of it have our node on top? */
bool
IsPlain(const PlannedStmt *plan)
{
	return plan->commandType == CMD_SELECT && plan->planTree != nullptr && plan->rowMarks == NIL &&
		   !plan->hasModifyingCTE;
}

PlannedStmt *
PlanAndWrap(Known *known, Query *query, const char *text, int options,
			ParamListInfo params CQ_PLANNER_PARAMETER)
{
	PlanNote *note = MakeNote(known, options);
	exact::View view;
	instr_time start;
	instr_time end;
	PlannedStmt *plan;

	note->heard = news_count;
	note->position = exact::Look(&view) == exact::Standing::ok ? view.pos : 0;
	note->regional = known->findings.folded ? RegionalHash() : 0;
	INSTR_TIME_SET_CURRENT(start);
	plan = PlanBelow(query, text, options, params CQ_PLANNER_ARGUMENT);
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	note->plan_us = static_cast<int64>(INSTR_TIME_GET_MICROSEC(end));
	if (!IsPlain(plan))
		return plan;
	CopyCosts(known->shell->planTree, plan->planTree);
	known->planned = true;
	return Wrap(plan, note);
}

/* An entry that is not void, as far as can be told without a snapshot? */
bool
SeemsGood(const Known &known, Pin *pin)
{
	const Terms terms = TermsOf(known);
	const Entry *entry = PinnedEntry(pin);
	const EntryFacts facts = FactsOf(entry);
	char buffer[512];
	Meta meta;

	if (EntryInvalid(entry) || terms.ttl_us == 0 ||
		GetCurrentStatementStartTimestamp() - facts.as_of >=
			LifeWith(terms.ttl_us, terms.exact, settings::stale_for_ms))
		return false;
	if (!terms.exact)
		return true;
	meta = ReadDependencies(entry, buffer, sizeof(buffer));
	for (uint32 i = 0; i < meta.head.write_slots; i++)
	{
		if (exact::MovedSince(meta.write_slots[i], facts.pos))
			return false;
	}
	return true;
}

/* Is it likely that the execution will be a hit?  Then nothing need be planned for it. */
bool
IsPromising(const Known *known, ParamListInfo params)
{
	ParamListInfo used;
	Key key;
	Pin *pin;
	bool good;

	if (settings::automatic == static_cast<int>(Auto::observe))
		return false;
	/* PostgreSQL compares costs of plans with and without values: before there are any, plan */
	if ((params != nullptr && !known->planned) || !UsedParams(known, params, true, &used) ||
		BuildKey(*known, Shape::rows, used, &key) != Reason::none)
		return false;
	pin = FindEntry(key.hash, key.bytes, key.length);
	if (pin == nullptr)
		return false;
	good = SeemsGood(*known, pin);
	Unpin(pin);
	return good;
}

/* Its parts but the note are the Known's own. */
PlannedStmt *
ShellFor(Known *known, const Query *query, int options)
{
	PlannedStmt *head = makeNode(PlannedStmt);
	CustomScan *scan = makeNode(CustomScan);

	*head = *known->shell;
	*scan = *reinterpret_cast<CustomScan *>(known->shell->planTree);
	scan->custom_private = list_make1(MakeNote(known, options));
	head->planTree = reinterpret_cast<Plan *>(scan);
	head->queryId = query->queryId;
	head->stmt_location = query->stmt_location;
	head->stmt_len = query->stmt_len;
	head->canSetTag = query->canSetTag;
	return head;
}

/* By its syntax alone, since every statement that is planned comes here. */
bool
IsCandidate(const Query *query, const char *text, int options)
{
	return query->commandType == CMD_SELECT && query->utilityStmt == nullptr &&
		   query->rtable != NIL && query->targetList != NIL && query->rowMarks == NIL &&
		   !query->hasModifyingCTE && !query->hasForUpdate && text != nullptr &&
		   !(options & (CURSOR_OPT_SCROLL | CURSOR_OPT_HOLD | CURSOR_OPT_FAST_PLAN | kPlainPlan)) &&
		   IsOwnLevel() && !IsParallelWorker();
}

/* A kept plan without our node is made again for another role, whose rules may be others. */
PlannedStmt *
OfRole(PlannedStmt *plan, bool of_role)
{
	PlannedStmt *head;

	if (!of_role || plan->dependsOnRole)
		return plan;
	/* the plan may belong to another module */
	head = makeNode(PlannedStmt);
	*head = *plan;
	head->dependsOnRole = true;
	return head;
}

PlannedStmt *
PlanStatement(Query *query, const char *text, int options,
			  ParamListInfo params CQ_PLANNER_PARAMETER)
{
	Known *known = nullptr;
	bool of_role = false;

	KeepArgumentTypes(query);
	if (!IsAutomatic())
		return previous_planner(query, text, options, params CQ_PLANNER_ARGUMENT);
	if (preloaded && !(IsExplaining() && settings::debug_auto_hide) &&
		IsCandidate(query, text, options))
		known = KnownFor(query, text, &of_role);
	if (known == nullptr)
		return OfRole(PlanBelow(query, text, options, params CQ_PLANNER_ARGUMENT), of_role);
	if (!IsExplaining() && IsPromising(known, params))
		return ShellFor(known, query, options);
	return PlanAndWrap(known, query, text, options, params CQ_PLANNER_ARGUMENT);
}

} // namespace

PlannedStmt *
MakeShell(const Known &known, List *items)
{
	PlannedStmt *shell = makeNode(PlannedStmt);

	shell->commandType = CMD_SELECT;
	shell->planTree = reinterpret_cast<Plan *>(MakeScan(known.tree->targetList, 0));
	shell->relationOids = known.relations;
	shell->invalItems = items;
	shell->dependsOnRole = true;
	WalkRelations(reinterpret_cast<Node *>(known.tree), shell);
	return shell;
}

CustomScan *
StatementScan(const PlannedStmt *plan)
{
	CustomScan *scan = reinterpret_cast<CustomScan *>(plan->planTree);

	return scan != nullptr && IsA(scan, CustomScan) && scan->methods == &statement_methods
			   ? scan
			   : nullptr;
}

/*
 * A plan is old if an invalidation message has come since planning began that may concern it.  While a
 * partition is being detached concurrently, the list of partitions also depends on the planner's snapshot;
 * PlanOutdated() in query/handle.h tells more.
 */
bool
IsPlanOld(const PlannedStmt *plan, const PlanNote &note, const exact::View &view)
{
	const Known *known = note.known;
	ListCell *cell;

	if (NewsConcern(note.heard, known->names, known->findings) ||
		NewsOfRelations(note.heard, plan->relationOids) ||
		(known->findings.folded && note.regional != RegionalHash()))
		return true;
	if (note.position >= view.pos)
		return false;
	foreach (cell, plan->relationOids)
	{
		if (exact::Check(exact::DdlSlot(MyDatabaseId, lfirst_oid(cell)), view, note.position) ==
			exact::SlotCheck::changed)
			return true;
	}
	return false;
}

namespace
{

/* A statement's tree, with what this execution says of it; planning changes it. */
Query *
TreeFor(const Known &known, const PlannedStmt *before)
{
	Query *tree = static_cast<Query *>(copyObjectImpl(known.tree));

	tree->queryId = before->queryId;
	tree->stmt_location = before->stmt_location;
	tree->stmt_len = before->stmt_len;
	tree->canSetTag = before->canSetTag;
	return tree;
}

} // namespace

/* Another module's planner hook may leave out options, and the plan gets a node. */
PlannedStmt *
PlanPlainly(const Known &known, const PlannedStmt *before, const char *text, int options,
			ParamListInfo params)
{
	PlannedStmt *plan =
		compat::PlanQuery(TreeFor(known, before), text, options | kPlainPlan, params);

	if (StatementScan(plan) == nullptr)
		return plan;
	return compat::PlanQueryAlone(TreeFor(known, before), text, options, params);
}

PlannedStmt *
PlanNow(QueryDesc *query, Known *known, int options)
{
	PlanNote *note = MakeNote(known, options);
	exact::View view;
	PlannedStmt *plan;

	note->heard = news_count;
	note->position = exact::Look(&view) == exact::Standing::ok ? view.pos : 0;
	note->regional = known->findings.folded ? RegionalHash() : 0;
	plan = PlanPlainly(*known, query->plannedstmt, query->sourceText, options, query->params);
	CopyCosts(known->shell->planTree, plan->planTree);
	known->planned = true;
	return Wrap(plan, note);
}

bool
ComesFromPlanCache(const PlannedStmt *plan)
{
	return ActivePortal != nullptr && ActivePortal->cplan != nullptr &&
		   list_member_ptr(ActivePortal->cplan->stmt_list, plan);
}

void
PlanAgainNextTime(const PlannedStmt *plan)
{
	if (ComesFromPlanCache(plan))
		ActivePortal->cplan->is_valid = false;
}

void
HookPlanner()
{
	previous_planner = NextOf(planner_hook, standard_planner);
	planner_hook = PlanStatement;
}

void
InitPlans()
{
	RegisterExtensibleNodeMethods(&note_methods);
}

} // namespace cq
