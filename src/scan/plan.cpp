/*
 * plan.cpp
 *		Planning: a function scan of ours becomes a Custom Scan.
 *
 * A function scan copies every row into a tuplestore first, which for a large result costs more
 * than all the rest.  The Custom Scan takes over where it can do the same: one function alone, no
 * ORDINALITY, no whole-row reference (which would need the function's composite type), no domain over a
 * row type (whose constraints are checked for each row as a whole).  Whatever it
 * can't serve stays a function scan.
 *
 * The node has no relation (scanrelid 0).  Its custom_scan_tlist has a Var for each live column of
 * the function's row, so that its tuples are the stored tuples as they are; the call itself stands
 * in custom_exprs, so that setrefs.c records the plan's dependency on the function and adjusts
 * lateral references in the arguments.
 *
 * Part of scan.h.
 */
#include "pg.h"
#include "base/oid_table.h"
#include "query/walk.h"
#include "settings.h"
#include "scan/node.h"
#include "scan/row_types.h"
#include "scan/scan.h"

extern "C" {
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
}

namespace cq
{
namespace
{

set_rel_pathlist_hook_type previous_set_rel_pathlist = nullptr;

/* --- which functions are ours? -------------------------------------------------------------- */

struct KnownFunction
{
	Oid oid;
	const Signature *signature;
};

OidTable<KnownFunction> known_functions = {"cached_query functions", nullptr, 0};

/* pg_proc changed: ask again. */
void
FunctionsChanged(Datum, compat::CacheId, uint32)
{
	known_functions.ForgetAll();
	ForgetTypedForms();
}

/*
 * Nothing but its symbol decides what the function does: no settings of its own, no rights of its owner.
 * nullptr: it is none of ours, or returns no rows.
 */
KnownFunction
ReadFunction(Oid function)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	const Signature *signature = nullptr;

	if (!HeapTupleIsValid(tuple))
		return {function, nullptr};

	Form_pg_proc form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));

	if (form->proretset && !form->prosecdef &&
		heap_attisnull(tuple, Anum_pg_proc_proconfig, nullptr))
		signature = SignatureBoundBy(tuple);
	ReleaseSysCache(tuple);
	return {function, signature && signature->Has(kReturnsRows) ? signature : nullptr};
}

/* --- paths ---------------------------------------------------------------------------------- */

/* The columns that are asked for anywhere, offset by FirstLowInvalidHeapAttributeNumber. */
Bitmapset *
NeededColumns(RelOptInfo *rel, Index rti)
{
	Bitmapset *columns = nullptr;
	ListCell *cell;

	for (int column = rel->min_attr; column <= rel->max_attr; column++)
	{
		if (rel->attr_needed[column - rel->min_attr] != nullptr)
			columns = bms_add_member(columns, column - FirstLowInvalidHeapAttributeNumber);
	}
	foreach (cell, rel->baserestrictinfo)
		pull_varattnos(reinterpret_cast<Node *>(lfirst_node(RestrictInfo, cell)->clause), rti,
					   &columns);
	foreach (cell, rel->reltarget->exprs)
		pull_varattnos(static_cast<Node *>(lfirst(cell)), rti, &columns);
	return columns;
}

/* What a scan can't serve: the row as a whole, a column that was dropped, a domain over a row type. */
bool
NeedsFunctionScan(const FuncExpr *call, const Bitmapset *columns)
{
	return bms_is_member(InvalidAttrNumber - FirstLowInvalidHeapAttributeNumber, columns) ||
		   get_typtype(call->funcresulttype) == TYPTYPE_DOMAIN ||
		   (ReturnsRowType(call) && NeedsDropped(call, columns));
}

FuncExpr *
OnlyCall(RangeTblEntry *rte)
{
	RangeTblFunction *function;

	if (rte->rtekind != RTE_FUNCTION || rte->funcordinality || list_length(rte->functions) != 1)
		return nullptr;
	function = linitial_node(RangeTblFunction, rte->functions);
	return IsA(function->funcexpr, FuncExpr) ? reinterpret_cast<FuncExpr *>(function->funcexpr)
											 : nullptr;
}

Plan *PlanScan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses,
			   List *custom_plans);

const CustomPathMethods path_methods = {kScanName, PlanScan, nullptr};

Path *
MakePath(PlannerInfo *root, RelOptInfo *rel)
{
	CustomPath *path = makeNode(CustomPath);

	path->path.pathtype = T_CustomScan;
	path->path.parent = rel;
	path->path.pathtarget = rel->reltarget;
	path->path.param_info = get_baserel_parampathinfo(root, rel, rel->lateral_relids);
	path->path.parallel_safe = false;
	path->path.rows = rel->rows;

	/* as a function scan, without the tuplestore */
	path->path.startup_cost = rel->baserestrictcost.startup + rel->reltarget->cost.startup;
	path->path.total_cost = path->path.startup_cost +
							(0.5 * cpu_tuple_cost + rel->baserestrictcost.per_tuple) * rel->tuples +
							rel->reltarget->cost.per_tuple * rel->rows;
	path->flags = CUSTOMPATH_SUPPORT_PROJECTION | CUSTOMPATH_SUPPORT_BACKWARD_SCAN;
	path->methods = &path_methods;
	return reinterpret_cast<Path *>(path);
}

void
OfferScan(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	FuncExpr *call;

	if (previous_set_rel_pathlist)
		previous_set_rel_pathlist(root, rel, rti, rte);
	/* without shared memory the function says what is missing */
	call = preloaded ? OnlyCall(rte) : nullptr;
	if (call == nullptr || call->funcid < FirstNormalObjectId || IS_DUMMY_REL(rel) ||
		StreamingSignature(call->funcid) == nullptr)
		return;
	if (ReturnsRowType(call))
		RememberRowTypeOf(call);
	if (NeedsFunctionScan(call, NeededColumns(rel, rti)))
		return;
	rel->pathlist = NIL;
	rel->partial_pathlist = NIL;
	add_path(rel, MakePath(root, rel));
}

/* --- plans ---------------------------------------------------------------------------------- */

/* One entry for each live column of the function's row, in order. */
List *
ScanColumns(RangeTblEntry *rte, Index rti)
{
	List *names;
	List *columns;
	List *tlist = NIL;
	ListCell *name;
	ListCell *column;

	compat::ExpandRangeTableEntry(rte, static_cast<int>(rti), &names, &columns);
	forboth(name, names, column, columns) tlist =
		lappend(tlist, makeTargetEntry(static_cast<Expr *>(lfirst(column)),
									   static_cast<AttrNumber>(list_length(tlist) + 1),
									   pstrdup(strVal(lfirst(name))), false));
	return tlist;
}

Plan *
PlanScan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses, List *)
{
	CustomScan *scan = makeNode(CustomScan);
	RangeTblEntry *rte = planner_rt_fetch(rel->relid, root);
	FuncExpr *call = OnlyCall(rte);

	scan->scan.plan.targetlist = tlist;
	scan->scan.plan.qual = extract_actual_clauses(clauses, false);
	scan->scan.scanrelid = 0;
	scan->flags = path->flags;
	scan->custom_exprs = list_make1(copyObject(call));
	/* below the top, ExecInitSubPlan may run the scan again without telling it */
	scan->custom_private = list_make1_int(root->query_level > 1);
	scan->custom_scan_tlist =
		ReturnsRowType(call) ? RowTypeColumns(call, rel->relid) : ScanColumns(rte, rel->relid);
	scan->methods = &scan_methods;
	return reinterpret_cast<Plan *>(scan);
}

} // namespace

const Signature *
StreamingSignature(Oid function)
{
	return known_functions.FindOrRead(function, ReadFunction).signature;
}

void
InitScan()
{
	InitScanNode();
	RegisterCustomScanMethods(&scan_methods);
	CacheRegisterSyscacheCallback(PROCOID, FunctionsChanged, static_cast<Datum>(0));
	previous_set_rel_pathlist = set_rel_pathlist_hook;
	set_rel_pathlist_hook = OfferScan;
}

} // namespace cq
