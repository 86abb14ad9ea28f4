/*
 * compat.h
 *		Every difference between the PostgreSQL major versions we support (15 to 19).
 *
 * All tests of PG_VERSION_NUM live here.  A wrapper takes the newest server's signature and drops
 * for older ones what they don't know, so that callers are written once.  16 is by review
 * (src/README.md, Version differences); the others run all tests.
 */
#pragma once

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 200000
#error "cached_query supports PostgreSQL 15 to 19"
#endif

extern "C" {
#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xlogreader.h"
#include "catalog/pg_database.h"
#include "catalog/pg_proc.h"
#include "executor/executor.h"
#include "executor/functions.h"
#include "nodes/extensible.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/planner.h"
#include "parser/analyze.h"
#include "parser/parse_relation.h"
#include "parser/parser.h"
#include "pgstat.h"
#include "postmaster/autovacuum.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/guc_tables.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"
#include "utils/wait_event.h"
#include "utils/rel.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "rewrite/rewriteHandler.h"
#endif

/*
 * From utils/pg_locale.h, which includes ICU's headers: PostgreSQL's development packages don't
 * bring those.
 */
extern PGDLLIMPORT char *locale_messages;
extern PGDLLIMPORT char *locale_monetary;
extern PGDLLIMPORT char *locale_numeric;
extern PGDLLIMPORT char *locale_time;
}

namespace cq::compat
{

using TreeWalker = bool (*)(Node *node, void *context);

/* A syscache's number (19 made it an enum). */
#if PG_VERSION_NUM >= 190000
using CacheId = SysCacheIdentifier;
#else
using CacheId = int;
#endif

/* Always on from 19 on. */
inline bool
StandardConformingStrings()
{
#if PG_VERSION_NUM >= 190000
	return true;
#else
	return standard_conforming_strings;
#endif
}

/* 19 also tells whether one of them is volatile. */
inline bool
HasDomainConstraints(Oid type)
{
#if PG_VERSION_NUM >= 190000
	return DomainHasConstraints(type, nullptr);
#else
	return DomainHasConstraints(type);
#endif
}

/* A small number that no other live backend has (17 renamed MyBackendId). */
inline uint32
BackendNumber()
{
#if PG_VERSION_NUM >= 170000
	return static_cast<uint32>(MyProcNumber);
#else
	return static_cast<uint32>(MyBackendId);
#endif
}

/* Read without a lock, in one piece (17 renamed ShmemVariableCache). */
inline uint64
LatestCompletedXid()
{
#if PG_VERSION_NUM >= 170000
	return *static_cast<volatile uint64 *>(&TransamVariables->latestCompletedXid.value);
#else
	return *static_cast<volatile uint64 *>(&ShmemVariableCache->latestCompletedXid.value);
#endif
}

/* The id that nobody has had yet; the same. */
inline uint64
NextXid()
{
#if PG_VERSION_NUM >= 170000
	return *static_cast<volatile uint64 *>(&TransamVariables->nextXid.value);
#else
	return *static_cast<volatile uint64 *>(&ShmemVariableCache->nextXid.value);
#endif
}

/* Which file a relation has (16 renamed RelFileNode). */
struct File
{
	Oid tablespace;
	Oid database;
	Oid number;
};

#if PG_VERSION_NUM >= 160000
inline File
FileOf(const RelFileLocator &locator)
{
	return {locator.spcOid, locator.dbOid, locator.relNumber};
}

inline File
FileOf(Relation relation)
{
	return FileOf(relation->rd_locator);
}
#else
inline File
FileOf(const RelFileNode &node)
{
	return {node.spcNode, node.dbNode, node.relNode};
}

inline File
FileOf(Relation relation)
{
	return FileOf(relation->rd_node);
}
#endif

/* The file that the record's first block belongs to; false: it names none. */
inline bool
ChangedFile(XLogReaderState *record, File *file)
{
	if (!XLogRecHasBlockRef(record, 0))
		return false;
#if PG_VERSION_NUM >= 160000
	*file = FileOf(XLogRecGetBlock(record, 0)->rlocator);
#else
	*file = FileOf(XLogRecGetBlock(record, 0)->rnode);
#endif
	return true;
}

/* SIG_IGN, as a handler of the type that pqsignal() takes (19 gave it a second argument). */
inline pqsigfunc
IgnoreSignal()
{
#if PG_VERSION_NUM >= 190000
	return PG_SIG_IGN;
#else
	return SIG_IGN;
#endif
}

/* Does it change a relation?  (A set from 19 on.) */
inline bool
ChangesRelations(const PlannedStmt *plan)
{
#if PG_VERSION_NUM >= 190000
	return plan->resultRelationRelids != nullptr;
#else
	return plan->resultRelations != NIL;
#endif
}

/* 18 can put bytes before it. */
inline MinimalTuple
FormMinimalTuple(TupleDesc desc, const Datum *values, const bool *nulls)
{
#if PG_VERSION_NUM >= 180000
	return heap_form_minimal_tuple(desc, values, nulls, 0);
#else
	return heap_form_minimal_tuple(desc, const_cast<Datum *>(values), const_cast<bool *>(nulls));
#endif
}

/* log_min_messages of this process (one for each sort of process from 19 on). */
inline int &
LogMessages()
{
#if PG_VERSION_NUM >= 190000
	return log_min_messages[MyBackendType];
#else
	return log_min_messages;
#endif
}

/* CLUSTER, a form of REPACK from 19 on.  CONCURRENTLY is not known to keep what old snapshots see. */
inline bool
IsCluster(const Node *statement)
{
#if PG_VERSION_NUM >= 190000
	ListCell *cell;

	if (!IsA(statement, RepackStmt))
		return false;
	foreach (cell, reinterpret_cast<const RepackStmt *>(statement)->params)
	{
		if (strcmp(lfirst_node(DefElem, cell)->defname, "concurrently") == 0)
			return false;
	}
	return true;
#else
	return IsA(statement, ClusterStmt);
#endif
}

/* What post_parse_analyze_hook gets (const from 19 on). */
#if PG_VERSION_NUM >= 190000
using Jumble = const JumbleState;
#else
using Jumble = JumbleState;
#endif

/* The query identifier, if it is to be computed, as it is for a client's statement. */
inline void
IdentifyQuery(Query *query, const char *text)
{
	if (!IsQueryIdEnabled())
		return;
#if PG_VERSION_NUM >= 160000
	(void) text;
	(void) JumbleQuery(query);
#else
	(void) JumbleQuery(query, text);
#endif
}

/* A descriptor that was put together by hand is complete now (19 computes places of columns). */
inline TupleDesc
FinishTupleDesc(TupleDesc desc)
{
#if PG_VERSION_NUM >= 190000
	TupleDescFinalize(desc);
#endif
	return desc;
}

/* The relation that statistics count for (16 renamed the members). */
inline Oid
StatsRelation(const PgStat_TableStatus *table)
{
#if PG_VERSION_NUM >= 160000
	return table->id;
#else
	return table->t_id;
#endif
}

/* A macro of the process's type from 17 on. */
inline bool
IsAutoVacuumWorker()
{
#if PG_VERSION_NUM >= 170000
	return AmAutoVacuumWorkerProcess();
#else
	return IsAutoVacuumWorkerProcess();
#endif
}

/* expandRTE learned of OLD and NEW in RETURNING in 18. */
inline void
ExpandRangeTableEntry(RangeTblEntry *rte, int rtindex, List **names, List **vars)
{
#if PG_VERSION_NUM >= 180000
	expandRTE(rte, rtindex, 0, VAR_RETURNING_DEFAULT, -1, false, names, vars);
#else
	expandRTE(rte, rtindex, 0, -1, false, names, vars);
#endif
}

/* What pg_stat_activity shows of a wait of ours (named from 17 on). */
inline uint32
NamedWaitEvent(uint32 *event, const char *name)
{
#if PG_VERSION_NUM >= 170000
	if (*event == 0)
		*event = WaitEventExtensionNew(name);
	return *event;
#else
	(void) event;
	(void) name;
	return PG_WAIT_EXTENSION;
#endif
}

inline uint32
SingleflightWaitEvent()
{
	static uint32 event = 0;

	return NamedWaitEvent(&event, "CachedQuerySingleflight");
}

inline uint32
LeaseWaitEvent()
{
	static uint32 event = 0;

	return NamedWaitEvent(&event, "CachedQueryLease");
}

inline uint32
RefreshWaitEvent()
{
	static uint32 event = 0;

	return NamedWaitEvent(&event, "CachedQueryRefresh");
}

inline uint32
SweepWaitEvent()
{
	static uint32 event = 0;

	return NamedWaitEvent(&event, "CachedQuerySweep");
}

inline uint32
RedisWaitEvent()
{
	static uint32 event = 0;

	return NamedWaitEvent(&event, "CachedQueryRedis");
}

/* pg_get_loaded_modules() shows name and version from 18 on. */
#if PG_VERSION_NUM >= 180000
#define CQ_MODULE_MAGIC(text) PG_MODULE_MAGIC_EXT(.name = "cached_query", .version = text)
#else
#define CQ_MODULE_MAGIC(text) PG_MODULE_MAGIC
#endif

/* ExecutorRun lost its last parameter in 18. */
#if PG_VERSION_NUM >= 180000
#define CQ_EXECUTE_ONCE_PARAMETER
#define CQ_EXECUTE_ONCE
#else
#define CQ_EXECUTE_ONCE_PARAMETER , bool execute_once
#define CQ_EXECUTE_ONCE , execute_once
#endif

/* planner_hook got one more in 19. */
#if PG_VERSION_NUM >= 190000
#define CQ_PLANNER_PARAMETER , ExplainState *explain
#define CQ_PLANNER_ARGUMENT , explain
#else
#define CQ_PLANNER_PARAMETER
#define CQ_PLANNER_ARGUMENT
#endif

/* `once`: to its end, so that parallel workers may take part. */
inline void
RunExecutor(QueryDesc *query, ScanDirection direction, uint64 count, bool once)
{
#if PG_VERSION_NUM >= 180000
	(void) once;
	ExecutorRun(query, direction, count);
#else
	ExecutorRun(query, direction, count, once);
#endif
}

/* By whoever plans; 19 tells whether it is for EXPLAIN. */
inline PlannedStmt *
PlanQuery(Query *query, const char *text, int options, ParamListInfo params)
{
#if PG_VERSION_NUM >= 190000
	return pg_plan_query(query, text, options, params, nullptr);
#else
	return pg_plan_query(query, text, options, params);
#endif
}

/* By PostgreSQL alone, without the planner hooks of modules. */
inline PlannedStmt *
PlanQueryAlone(Query *query, const char *text, int options, ParamListInfo params)
{
#if PG_VERSION_NUM >= 190000
	return standard_planner(query, text, options, params, nullptr);
#else
	return standard_planner(query, text, options, params);
#endif
}

/* A wait event set that lives until it is freed (17 has a resource owner for it). */
inline WaitEventSet *
MakeWaitEventSet(int events)
{
#if PG_VERSION_NUM >= 170000
	return CreateWaitEventSet(nullptr, events);
#else
	return CreateWaitEventSet(TopMemoryContext, events);
#endif
}

/* This process's place in shared memory; unlike BackendNumber() a worker without database has it. */
inline uint32
ProcessNumber()
{
#if PG_VERSION_NUM >= 170000
	return static_cast<uint32>(MyProcNumber);
#else
	return static_cast<uint32>(MyProc->pgprocno);
#endif
}

/* Tree walkers took an untyped callback up to 15. */
#if PG_VERSION_NUM >= 160000
#define CQ_WALKER(walker) (walker)
#else
/* by way of void (*)(), the one function type that -Wcast-function-type lets pass */
#define CQ_WALKER(walker) (reinterpret_cast<bool (*)()>(reinterpret_cast<void (*)()>(walker)))
#endif

/* What is in another module's node, that one knows alone; expression_tree_walker() would raise. */
inline bool
WalkExpression(Node *node, TreeWalker walker, void *context)
{
	if (IsA(node, ExtensibleNode))
		return false;
	return expression_tree_walker(node, CQ_WALKER(walker), context);
}

/* Views may make a tree of any size: the walk over each query in it can be interrupted. */
inline bool
WalkQuery(Query *query, TreeWalker walker, void *context, int flags)
{
	CHECK_FOR_INTERRUPTS();
	return query_tree_walker(query, CQ_WALKER(walker), context, flags);
}

inline bool
WalkRaw(Node *node, TreeWalker walker, void *context)
{
	return raw_expression_tree_walker(node, CQ_WALKER(walker), context);
}

/* The nodes right below a node that was initialised, subplans included. */
inline bool
WalkPlanStates(PlanState *node, bool (*walker)(PlanState *, void *), void *context)
{
	return planstate_tree_walker(node, CQ_WALKER(walker), context);
}

/* The operator family that sorts by this operator, and its input type (18 has other strategies). */
inline bool
OrderingFamily(Oid op, Oid *family, Oid *input)
{
#if PG_VERSION_NUM >= 180000
	CompareType strategy;
#else
	int16 strategy;
#endif

	return get_ordering_op_properties(op, family, input, &strategy);
}

/*
 * Does the last statement return what the SQL function should?  Puts the conversion to it into the
 * tree, or raises.
 */
inline void
CheckSqlReturn(List *statements, Oid type, TupleDesc desc, char kind)
{
#if PG_VERSION_NUM >= 180000
	(void) check_sql_fn_retval(statements, type, desc, kind, false);
#elif PG_VERSION_NUM >= 170000
	(void) check_sql_fn_retval(statements, type, desc, kind, false, nullptr);
#else
	(void) kind;
	(void) check_sql_fn_retval(statements, type, desc, false, nullptr);
#endif
}

/* Expressions that reading a table evaluates and no query shows: virtual columns, from 18 on. */
inline void
WalkVirtualColumns(Oid table, TreeWalker walker, void *context)
{
#if PG_VERSION_NUM >= 180000
	Relation relation = try_relation_open(table, AccessShareLock);

	if (relation == nullptr)
		return;
	for (int i = 0; i < RelationGetNumberOfAttributes(relation); i++)
	{
		if (TupleDescAttr(RelationGetDescr(relation), i)->attgenerated ==
			ATTRIBUTE_GENERATED_VIRTUAL)
			walker(build_generation_expression(relation, i + 1), context);
	}
	/* a query holds its own on what it reads; what it only names must not be locked for it */
	relation_close(relation, AccessShareLock);
#else
	(void) table;
	(void) walker;
	(void) context;
#endif
}

/* Is it computed when it is read? */
inline bool
IsVirtualColumn(const FormData_pg_attribute *column)
{
#if PG_VERSION_NUM >= 180000
	return column->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL;
#else
	(void) column;
	return false;
#endif
}

/*
 * SQL/JSON names no functions: constructors (16) convert as to_json() does, queries (17) compare
 * times in the session's time zone and read what they return from text.
 */
inline bool
MakesJson(Node *node)
{
#if PG_VERSION_NUM >= 170000
	return IsA(node, JsonConstructorExpr) || IsA(node, JsonExpr);
#elif PG_VERSION_NUM >= 160000
	return IsA(node, JsonConstructorExpr);
#else
	(void) node;
	return false;
#endif
}

inline bool
ReadsJson(Node *node)
{
#if PG_VERSION_NUM >= 170000
	return IsA(node, JsonExpr);
#else
	(void) node;
	return false;
#endif
}

/* All settings; the array is ours from 16 on. */
inline struct config_generic **
GucVariables(int *count)
{
#if PG_VERSION_NUM >= 160000
	return get_guc_variables(count);
#else
	*count = GetNumConfigOptions();
	return get_guc_variables();
#endif
}

/* A setting's record by its type: bool, int, string.. (one record has them all in 19). */
#if PG_VERSION_NUM >= 190000
#define CQ_SETTING(type, setting) ((setting)->_##type)
#else
#define CQ_SETTING(type, setting) (*reinterpret_cast<struct config_##type *>(setting))
#endif

/* Does it show something else than its stored value? */
inline bool
HasShowHook(struct config_generic *setting)
{
	switch (setting->vartype)
	{
	case PGC_BOOL:
		return CQ_SETTING(bool, setting).show_hook != nullptr;
	case PGC_INT:
		return CQ_SETTING(int, setting).show_hook != nullptr;
	case PGC_REAL:
		return CQ_SETTING(real, setting).show_hook != nullptr;
	case PGC_STRING:
		return CQ_SETTING(string, setting).show_hook != nullptr;
	case PGC_ENUM:
		return CQ_SETTING(enum, setting).show_hook != nullptr;
	}
	return true;
}

/* The search path as it is, without making a schema (17 renamed it). */
#if PG_VERSION_NUM >= 170000
using SearchPath = SearchPathMatcher;

inline SearchPath *
GetSearchPath(MemoryContext context)
{
	return GetSearchPathMatcher(context);
}
#else
using SearchPath = OverrideSearchPath;

inline SearchPath *
GetSearchPath(MemoryContext context)
{
	return GetOverrideSearchPath(context);
}
#endif

/* Permission infos left the range table in 16. */
inline void
CheckRightsAndHooks(PlannedStmt *statement)
{
#if PG_VERSION_NUM >= 160000
	ExecCheckPermissions(statement->rtable, statement->permInfos, true);
#else
	ExecCheckRTPerms(statement->rtable, true);
#endif
}

/*
 * The rights that ExecutorStart would check, without what other modules make of it: their hook
 * expects a statement that the executor has begun.
 */
inline void
CheckRelationRights(PlannedStmt *statement)
{
	ExecutorCheckPerms_hook_type hook = ExecutorCheckPerms_hook;

	if (hook == nullptr)
	{
		CheckRightsAndHooks(statement);
		return;
	}
	ExecutorCheckPerms_hook = nullptr;
	PG_TRY();
	{
		CheckRightsAndHooks(statement);
	}
	PG_FINALLY();
	{
		ExecutorCheckPerms_hook = hook;
	}
	PG_END_TRY();
}

/* One after another: the rights of the statement, by the executor, and nothing to run. */
inline void
BeginAndEnd(const PlannedStmt *statement, const char *text)
{
	PlannedStmt *shell = makeNode(PlannedStmt);
	QueryDesc *query;

	*shell = *statement;
	shell->queryId = 0; /* pg_stat_statements counts what runs */
	shell->parallelModeNeeded = false;
	shell->jitFlags = 0;
	shell->planTree = reinterpret_cast<Plan *>(makeNode(Result));
	shell->subplans = NIL;
	shell->rewindPlanIDs = nullptr;
#if PG_VERSION_NUM >= 180000
	shell->partPruneInfos = NIL;
#endif
	query = CreateQueryDesc(shell, text, GetActiveSnapshot(), InvalidSnapshot, None_Receiver,
							nullptr, nullptr, 0);
	ExecutorStart(query, 0);
	ExecutorFinish(query);
	ExecutorEnd(query);
	FreeQueryDesc(query);
	pfree(shell);
}

/* Of a compiled function of PL/pgSQL: whose row it was made of, and how many run it (18 moved them). */
template <typename Function>
inline TransactionId *
CompiledBy(Function *function)
{
#if PG_VERSION_NUM >= 180000
	return &function->cfunc.fn_xmin;
#else
	return &function->fn_xmin;
#endif
}

template <typename Function>
inline bool
IsRunning(const Function *function)
{
#if PG_VERSION_NUM >= 180000
	return function->cfunc.use_count != 0;
#else
	return function->use_count != 0;
#endif
}

/* Does it name a relation?  From 16 on a view is the subquery that it was replaced by. */
inline bool
NamesRelation(const RangeTblEntry *rte)
{
#if PG_VERSION_NUM >= 160000
	if (rte->rtekind == RTE_SUBQUERY)
		return OidIsValid(rte->relid);
#endif
	return rte->rtekind == RTE_RELATION;
}

/*
 * The relations of one level of a query into the flat range table of a plan, as setrefs.c does it: for locks
 * and rights.  16 took the rights out of the range table.
 */
inline void
AddRelations(Query *query, PlannedStmt *plan)
{
	ListCell *cell;

	foreach (cell, query->rtable)
	{
		const RangeTblEntry *rte = lfirst_node(RangeTblEntry, cell);
		RangeTblEntry *copy;

		if (!NamesRelation(rte))
			continue;
		copy = makeNode(RangeTblEntry);
		*copy = *rte;
		copy->subquery = nullptr;
		copy->tablesample = nullptr;
		copy->securityQuals = NIL;
		copy->alias = nullptr;
		copy->eref = makeAlias("cached", NIL); /* the plan cache copies it */
		plan->rtable = lappend(plan->rtable, copy);
#if PG_VERSION_NUM >= 160000
		copy->perminfoindex = 0;
		if (rte->perminfoindex > 0)
		{
			RTEPermissionInfo *rights =
				getRTEPermissionInfo(query->rteperminfos, const_cast<RangeTblEntry *>(rte));
			RTEPermissionInfo *added = addRTEPermissionInfo(&plan->permInfos, copy);
			const NodeTag type = added->type;

			*added = *rights;
			added->type = type;
		}
#endif
	}
}

/* Nothing below the top node is run: neither init plans, pruning, workers nor compilation are set up. */
inline void
StripForHit(PlannedStmt *head)
{
	head->subplans = NIL;
	head->rewindPlanIDs = nullptr;
	head->parallelModeNeeded = false;
	head->jitFlags = 0;
#if PG_VERSION_NUM >= 180000
	head->partPruneInfos = NIL;
#endif
}

/* With whose rights a relation is read, if not the caller's; 0 otherwise. */
inline Oid
ReadAs(Query *query, RangeTblEntry *rte)
{
#if PG_VERSION_NUM >= 160000
	return rte->perminfoindex == 0 ? InvalidOid
								   : getRTEPermissionInfo(query->rteperminfos, rte)->checkAsUser;
#else
	(void) query;
	return rte->checkAsUser;
#endif
}

/*
 * The caches of pg_extension.  Minor releases of 15 to 17 got the first one, behind all others, so the
 * header that we are built with may not have it.
 */
inline bool
IsExtensionCache(int cacheid)
{
#if PG_VERSION_NUM >= 180000
	return cacheid == EXTENSIONOID || cacheid == EXTENSIONNAME;
#else
	return cacheid == USERMAPPINGUSERSERVER + 1;
#endif
}

/* Could a session of this user SET ROLE to that role (an option of the grant from 16 on)? */
inline bool
MaySetRole(Oid member, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return member_can_set_role(member, role);
#else
	return is_member_of_role(member, role);
#endif
}

/* Is it the current user's, or of a role whose rights he has (the same change in 16)? */
inline bool
OwnsDatabase(Oid database)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(DatabaseRelationId, database, GetUserId());
#else
	return pg_database_ownercheck(database, GetUserId());
#endif
}

inline bool
OwnsRelation(Oid relation)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(RelationRelationId, relation, GetUserId());
#else
	return pg_class_ownercheck(relation, GetUserId());
#endif
}

/* EXECUTE right of the current user (object_aclcheck replaced the per-kind functions in 16). */
inline AclResult
FunctionAclCheck(Oid function)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(ProcedureRelationId, function, GetUserId(), ACL_EXECUTE);
#else
	return pg_proc_aclcheck(function, GetUserId(), ACL_EXECUTE);
#endif
}

/*
 * A custom scan that hands out minimal tuples: 16 has CustomScanState.slotOps; on 15 the slot,
 * projection and qual that were made for a virtual slot are made again.
 */
inline void
UseMinimalTuples(CustomScanState *state)
{
#if PG_VERSION_NUM >= 160000
	state->slotOps = &TTSOpsMinimalTuple;
#else
	(void) state;
#endif
}

inline void
RemakeScanSlot(CustomScanState *state, EState *estate)
{
#if PG_VERSION_NUM >= 160000
	(void) state;
	(void) estate;
#else
	TupleDesc desc = state->ss.ss_ScanTupleSlot->tts_tupleDescriptor;

	ExecInitScanTupleSlot(estate, &state->ss, desc, &TTSOpsMinimalTuple);
	ExecAssignScanProjectionInfoWithVarno(&state->ss, INDEX_VAR);
	state->ss.ps.qual = ExecInitQual(state->ss.ps.plan->qual, reinterpret_cast<PlanState *>(state));
#endif
}

} // namespace cq::compat
