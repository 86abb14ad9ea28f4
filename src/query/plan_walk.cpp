/*
 * plan_walk.cpp
 *		The walk over plans: scans of other modules, and expressions where no tree was walked.
 *
 * Part of walk.h.
 */
#include "pg.h"
#include "query/trusted.h"
#include "query/walk.h"
#include "settings.h"

extern "C" {
#include "access/nbtree.h"
}

#include <initializer_list>

namespace cq
{
namespace
{

/* Of another module: it may do anything. */
void
JudgeCustomScan(Findings *f, const CustomScan *scan)
{
	const char *name = scan->methods->CustomName;

	if (strcmp(name, kScanName) != 0 && strcmp(name, kStatementName) != 0 && !TrustedScan(name))
		JudgeOpaque(f, Reason::untrusted_scan, psprintf("plan node %s", name));
}

/* The nodes below a plan node, but its subplans, which the statement lists. */
List *
ChildrenOf(Plan *node)
{
	List *children = list_make2(node->lefttree, node->righttree);

	switch (nodeTag(node))
	{
	case T_Append:
		return list_concat(children, reinterpret_cast<Append *>(node)->appendplans);
	case T_MergeAppend:
		return list_concat(children, reinterpret_cast<MergeAppend *>(node)->mergeplans);
	case T_BitmapAnd:
		return list_concat(children, reinterpret_cast<BitmapAnd *>(node)->bitmapplans);
	case T_BitmapOr:
		return list_concat(children, reinterpret_cast<BitmapOr *>(node)->bitmapplans);
	case T_SubqueryScan:
		return lappend(children, reinterpret_cast<SubqueryScan *>(node)->subplan);
	case T_CustomScan:
		return list_concat(children, reinterpret_cast<CustomScan *>(node)->custom_plans);
	default:
		return children;
	}
}

/* The expressions of a plan node that may call something; those of an index are also in its quals. */
void
JudgeNode(Findings *f, Plan *node)
{
	List *expressions = list_make2(node->targetlist, node->qual);
	ListCell *cell;

	switch (nodeTag(node))
	{
	case T_FunctionScan:
		expressions = lappend(expressions, reinterpret_cast<FunctionScan *>(node)->functions);
		break;
	case T_ValuesScan:
		expressions = lappend(expressions, reinterpret_cast<ValuesScan *>(node)->values_lists);
		break;
	case T_TableFuncScan:
		expressions = lappend(expressions, reinterpret_cast<TableFuncScan *>(node)->tablefunc);
		break;
	case T_Result:
		expressions = lappend(expressions, reinterpret_cast<Result *>(node)->resconstantqual);
		break;
	case T_Limit:
		expressions = lappend(expressions, reinterpret_cast<Limit *>(node)->limitOffset);
		expressions = lappend(expressions, reinterpret_cast<Limit *>(node)->limitCount);
		break;
	case T_IndexScan:
		expressions = lappend(expressions, reinterpret_cast<IndexScan *>(node)->indexqualorig);
		break;
	case T_IndexOnlyScan:
		expressions = lappend(expressions, reinterpret_cast<IndexOnlyScan *>(node)->indexqual);
		break;
	case T_BitmapHeapScan:
		expressions =
			lappend(expressions, reinterpret_cast<BitmapHeapScan *>(node)->bitmapqualorig);
		break;
	case T_TidScan:
		expressions = lappend(expressions, reinterpret_cast<TidScan *>(node)->tidquals);
		break;
	case T_HashJoin:
		expressions = lappend(expressions, reinterpret_cast<HashJoin *>(node)->hashclauses);
		[[fallthrough]];
	case T_NestLoop:
	case T_MergeJoin:
		expressions = lappend(expressions, reinterpret_cast<Join *>(node)->joinqual);
		break;
	default:
		break;
	}
	foreach (cell, expressions)
		WalkTree(f, static_cast<Node *>(lfirst(cell)));
	list_free(expressions);
}

/* The index that the node reads; invalid: none. */
Oid
IndexOf(Plan *node)
{
	switch (nodeTag(node))
	{
	case T_IndexScan:
		return reinterpret_cast<IndexScan *>(node)->indexid;
	case T_IndexOnlyScan:
		return reinterpret_cast<IndexOnlyScan *>(node)->indexid;
	case T_BitmapIndexScan:
		return reinterpret_cast<BitmapIndexScan *>(node)->indexid;
	default:
		return InvalidOid;
	}
}

} // namespace

/* A list and not a recursion: a plan may be deep. */
void
JudgePlan(Findings *f, PlannedStmt *plan, bool expressions)
{
	List *nodes = list_copy(plan->subplans);

	nodes = lappend(nodes, plan->planTree);
	for (int i = 0; i < list_length(nodes); i++)
	{
		Plan *node = static_cast<Plan *>(list_nth(nodes, i));

		CHECK_FOR_INTERRUPTS();
		if (node == nullptr)
			continue;
		if (IsA(node, ForeignScan))
			JudgeOpaque(f, Reason::dep_foreign_table, "a scan of another server");
		else if (IsA(node, CustomScan))
			JudgeCustomScan(f, reinterpret_cast<CustomScan *>(node));
		else if (OidIsValid(IndexOf(node)))
			JudgeIndex(f, IndexOf(node));
		if (expressions)
			JudgeNode(f, node);
		nodes = list_concat(nodes, ChildrenOf(node));
	}
}

} // namespace cq
