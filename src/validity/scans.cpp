/*
 * scans.cpp
 *		Which relations a plan has read, when it has run to its end.
 *
 * Part of watch.h.
 *
 * A plan names all partitions that it may have to read.  Which ones it does read is decided later: when it starts,
 * by parameters, and while it runs, by what it found elsewhere.  A partition that no node of the plan has read
 * has not decided what the rows are: with other rows in it, the same plan would have taken the same steps.
 * The values that pruned it come from the arguments, from settings that are in the key, and from relations that
 * were read; and which values a partition can hold is part of its definition, on which the result depends.
 */
#include "pg.h"
#include "query/seen.h"
#include "query/walk.h"
#include "validity/pins.h"
#include "validity/watch.h"

namespace cq
{

#ifdef CQ_DEBUG
namespace
{
bool debug_no_scans = false;
}

void
DefineWatchDebugSettings()
{
	DefineCustomBoolVariable("cached_query.debug_no_scans",
							 "Tests: no partition counts as one that the plan has read.",
							 "What tests exactness must fail with it.", &debug_no_scans, false,
							 PGC_SUSET, 0, nullptr, nullptr, nullptr);
}
#endif

namespace
{

/* Of a plan that is looked through; a subplan that several nodes name comes several times. */
constexpr int kMostNodes = 100000;

enum class NodeKind
{
	unknown, /* it may read anything */
	scan,    /* reads one relation, and only when it is asked for a row */
	other    /* reads no relation itself */
};

/* A call of ours, which tells the watch itself; and our node on top of a plan, unless it hands out stored rows. */
bool
ReadsBelowOnly(const PlanState *custom)
{
	const char *name = reinterpret_cast<const CustomScan *>(custom->plan)->methods->CustomName;

	return strcmp(name, kScanName) == 0 ||
		   (strcmp(name, kStatementName) == 0 && outerPlanState(custom) != nullptr);
}

/* A list of what is known, so that a node of a new version or of another module counts as one that reads anything. */
NodeKind
KindOf(const PlanState *node)
{
	switch (nodeTag(node->plan))
	{
	case T_SeqScan:
	case T_IndexScan:
	case T_IndexOnlyScan:
	case T_BitmapHeapScan:
	case T_TidScan:
	case T_TidRangeScan:
		return NodeKind::scan;
	case T_Result:
	case T_ProjectSet:
	case T_Append:
	case T_MergeAppend:
	case T_RecursiveUnion:
	case T_BitmapAnd:
	case T_BitmapOr:
	case T_BitmapIndexScan: /* its heap scan counts */
	case T_SubqueryScan:
	case T_FunctionScan: /* plans of functions are watched */
	case T_TableFuncScan:
	case T_ValuesScan:
	case T_CteScan:
	case T_WorkTableScan:
	case T_NestLoop:
	case T_MergeJoin:
	case T_HashJoin:
	case T_Material:
	case T_Memoize:
	case T_Sort:
	case T_IncrementalSort:
	case T_Group:
	case T_Agg:
	case T_WindowAgg:
	case T_Unique:
	case T_Gather: /* without workers, see RelationsRead() */
	case T_GatherMerge:
	case T_Hash:
	case T_SetOp:
	case T_Limit:
		return NodeKind::other;
	case T_CustomScan:
		return ReadsBelowOnly(node) ? NodeKind::other : NodeKind::unknown;
	default:
		return NodeKind::unknown;
	}
}

TupleTableSlot *
NeverCalled(PlanState *)
{
	return nullptr;
}

/*
 * What PostgreSQL lets a node be called through until it is called for the first time.  If anything else is
 * there, the node has run, is timed and has run, or another module called it its own way.
 */
ExecProcNodeMtd
BeforeFirstCall()
{
	PlanState probe = {};

	ExecSetExecProcNode(&probe, NeverCalled);
	return probe.ExecProcNode;
}

/*
 * Has the scan begun?  Asked beside the pointer, which a module that calls nodes its own way may put back.  A
 * bitmap is dropped by a rescan, so of bitmap scans that tells less.
 */
bool
HasBegun(PlanState *scan)
{
	switch (nodeTag(scan->plan))
	{
	case T_IndexScan:
		return reinterpret_cast<IndexScanState *>(scan)->iss_ScanDesc != nullptr;
	case T_IndexOnlyScan:
		return reinterpret_cast<IndexOnlyScanState *>(scan)->ioss_ScanDesc != nullptr;
	case T_BitmapHeapScan:
		return reinterpret_cast<BitmapHeapScanState *>(scan)->tbm != nullptr;
	default:
		return reinterpret_cast<ScanState *>(scan)->ss_currentScanDesc != nullptr;
	}
}

bool
AddNode(PlanState *node, void *nodes)
{
	List **list = static_cast<List **>(nodes);

	if (node != nullptr)
		*list = lappend(*list, node);
	return false;
}

Oid
RelationOf(const PlanState *scan)
{
	return exec_rt_fetch(reinterpret_cast<const Scan *>(scan->plan)->scanrelid, scan->state)->relid;
}

/* What looking through a plan that has run brings. */
struct Scanned
{
	Seen relations;       /* that were read */
	List *scans;          /* PlanState: those that have run */
	Bitmapset *constants; /* parameters that init plans have set once */
};

void
NoteScan(Scanned *scanned, PlanState *scan)
{
	FirstTime(&scanned->relations, Thing::relation, RelationOf(scan));
	scanned->scans = lappend(scanned->scans, scan);
}

/*
 * The relations that nodes have read; false if that can't be told.  A list and not a recursion: a plan may be
 * deep.
 */
bool
CollectScanned(PlanState *top, Scanned *scanned)
{
	const ExecProcNodeMtd before_first = BeforeFirstCall();
	EState *estate = top->state;
	List *nodes = list_make1(top);
	ListCell *cell;
	bool known = true;

	foreach (cell, estate->es_subplanstates)
		AddNode(static_cast<PlanState *>(lfirst(cell)), &nodes);
	for (int i = 0; known && i < list_length(nodes); i++)
	{
		PlanState *node = static_cast<PlanState *>(list_nth(nodes, i));
		const NodeKind kind = KindOf(node);
		bool ran = node->ExecProcNode != before_first || (kind == NodeKind::scan && HasBegun(node));

		CHECK_FOR_INTERRUPTS();
#ifdef CQ_DEBUG
		ran = ran && !debug_no_scans;
#endif
		known = kind != NodeKind::unknown && list_length(nodes) <= kMostNodes;
		if (kind == NodeKind::scan && ran)
			NoteScan(scanned, node);
		scanned->constants = AddConstants(scanned->constants, node);
		compat::WalkPlanStates(node, AddNode, &nodes);
	}
	list_free(nodes);
	return known;
}

/* Nodes of a parallel plan may have run in a worker only, which this process can't see. */
bool
RelationsRead(PlanState *top, Scanned *scanned, List **read)
{
	const PlannedStmt *plan = top->state->es_plannedstmt;
	const bool known = CollectScanned(top, scanned);
	ListCell *cell;

	*read = plan->relationOids;
	if (!known || plan->parallelModeNeeded)
	{
		scanned->scans = NIL;
		return known;
	}
	*read = NIL;
	foreach (cell, plan->relationOids)
	{
		const Oid relation = lfirst_oid(cell);

		if (HasMet(scanned->relations, Thing::relation, relation) ||
			!get_rel_relispartition(relation))
			*read = lappend_oid(*read, relation);
	}
	return true;
}

} // namespace

bool
ScansOf(PlanState *top, List **scans, Bitmapset **constants)
{
	Scanned scanned = {};
	const bool known =
		!top->state->es_plannedstmt->parallelModeNeeded && CollectScanned(top, &scanned);

	*scans = scanned.scans;
	*constants = scanned.constants;
	return known;
}

/* if its start was not seen, it counted as the plan of other code, which may read all that it names */
void
WatchOwnScans(Watch *watch, PlanState *top)
{
	MemoryContext caller = MemoryContextSwitchTo(watch->context);
	Scanned scanned = {};
	List *read;
	ListCell *cell;

	/* a module whose ExecutorStart comes after ours may have put another plan there */
	foreach (cell, top->state->es_plannedstmt->relationOids)
		JudgeRelation(&watch->findings, lfirst_oid(cell));
	watch->own_scans = !watch->own_hidden && RelationsRead(top, &scanned, &read);
	if (watch->own_scans)
	{
		NotePins(watch, scanned.scans, scanned.constants);
		foreach (cell, read)
			FirstTime(&watch->findings.seen, Thing::read, lfirst_oid(cell));
	}
	MemoryContextSwitchTo(caller);
}

/* What functions read is in plans of their own, which were seen when they started. */
bool
ReadRows(const Watch &watch, Oid relation)
{
	return !watch.own_scans || watch.findings.opaque ||
		   HasMet(watch.findings.seen, Thing::read, relation) || !get_rel_relispartition(relation);
}

} // namespace cq
