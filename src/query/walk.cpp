/*
 * walk.cpp
 *		The walk over query trees.
 */
#include "pg.h"
#include "query/walk.h"
#include "query/catalog.h"
#include "query/functions.h"
#include "settings.h"

extern "C" {
#include "access/nbtree.h"
#include "optimizer/clauses.h"
#include "parser/parse_coerce.h"
#include "rewrite/rewriteHandler.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
}

#include <initializer_list>

namespace cq
{
namespace
{

/* A view that a function reads: what the view's query calls. */
void
WalkView(Findings *f, Oid view)
{
	Relation relation = try_relation_open(view, AccessShareLock);

	if (relation == nullptr)
		return;
	if (relation->rd_rel->relkind == RELKIND_VIEW && relation->rd_rel->relhasrules)
		Walk(reinterpret_cast<Node *>(get_view_query(relation)), f);
	relation_close(relation, NoLock);
}

/* A setting that only some roles may read is for them. */
void
JudgeSetting(Findings *f, char *name)
{
	f->settings = lappend(f->settings, name);
	if (GetConfigOptionFlags(name, true) & GUC_SUPERUSER_ONLY)
		f->role = true;
}

/*
 * current_setting('x') puts x into the key.  With a name that isn't constant it may read any setting.
 */
bool
JudgeCurrentSetting(Findings *f, FuncExpr *call)
{
	Node *name;

	if (call->funcid != F_CURRENT_SETTING_TEXT && call->funcid != F_CURRENT_SETTING_TEXT_BOOL)
		return false;
	name = static_cast<Node *>(linitial(call->args));
	if (!IsA(name, Const) || reinterpret_cast<Const *>(name)->constisnull)
		NotUnderstood(f, "current_setting() of a name that is not constant");
	else
		JudgeSetting(f, TextDatumGetCString(reinterpret_cast<Const *>(name)->constvalue));
	return true;
}

void
JudgeSqlValue(Findings *f, SQLValueFunction *value)
{
	switch (value->op)
	{
	case SVFOP_CURRENT_ROLE:
	case SVFOP_CURRENT_USER:
	case SVFOP_USER:
		f->role = true;
		break;
	case SVFOP_SESSION_USER:
		f->session_role = true;
		break;
	case SVFOP_CURRENT_CATALOG:
		break; /* the database is always in the key */
	case SVFOP_CURRENT_SCHEMA:
		f->search_path = f->temp_schema = true;
		f->names = f->late = true;
		break;
	default:
		f->regional = true; /* CURRENT_DATE, LOCALTIME.. go through TimeZone */
		NoteClock(f, "the current date or time");
	}
}

void
JudgeColumnLists(Findings *f, List *functions)
{
	ListCell *cell;

	foreach (cell, functions)
	{
		RangeTblFunction *function = lfirst_node(RangeTblFunction, cell);

		if (IsA(function->funcexpr, FuncExpr) &&
			ReadsText(reinterpret_cast<FuncExpr *>(function->funcexpr)->funcid))
			JudgeInputs(f, function->funccoltypes);
	}
}

void
JudgeRangeTable(Findings *f, Query *query)
{
	ListCell *cell;

	foreach (cell, query->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, cell);

		if (compat::NamesRelation(rte))
		{
			const Oid owner = compat::ReadAs(query, rte);

			if (OidIsValid(owner))
			{
				if (FirstTime(&f->seen, Thing::owner, owner))
					f->owners = lappend_oid(f->owners, owner);
			}
			JudgeRelation(f, rte->relid);
			if (rte->tablesample)
				RefuseExact(f, Reason::tablesample, nullptr);
		}
		else if (rte->rtekind == RTE_FUNCTION)
			JudgeColumnLists(f, rte->functions);
	}
}

/* RANGE with an offset: a day's length goes by the time zone. */
void
JudgeInRange(Findings *f, Oid function)
{
	if (OidIsValid(function))
		JudgeFunction(function, f);
}

void
JudgeConst(Findings *f, Oid type)
{
	if (ReadsThroughChecks(type))
	{
		/* the constraints ran when the literal was analysed, and may decide otherwise now */
		f->checked_literal = true;
		JudgeInput(f, type);
	}
	JudgeLiteral(f, type);
	JudgeType(f, type);
	f->last_literal = type;
}

/* Arguments that a call leaves to their defaults: the planner adds them. */
void
DeferDefaults(Findings *f, Oid function, List *args)
{
	uint64 given = 0;
	int position = 0;
	ListCell *cell;

	if (function < FirstUnpinnedObjectId && list_length(args) >= get_func_nargs(function))
		return;
	foreach (cell, args)
	{
		Node *argument = static_cast<Node *>(lfirst(cell));
		const int number = IsA(argument, NamedArgExpr)
							   ? reinterpret_cast<NamedArgExpr *>(argument)->argnumber
							   : position;

		if (number < 64)
			given |= UINT64CONST(1) << number;
		position++;
	}
	if (position < get_func_nargs(function) &&
		FirstTime(&f->seen, Thing::defaults, function, given))
		Defer(f, Thing::defaults, function, given, f->nested);
}

} // namespace

bool
Walk(Node *node, void *arg)
{
	Findings *f = static_cast<Findings *>(arg);

	if (node == nullptr)
		return false;

	switch (nodeTag(node))
	{
	case T_Query:
	{
		Query *query = reinterpret_cast<Query *>(node);

		JudgeRangeTable(f, query);
		return compat::WalkQuery(query, Walk, f, QTW_EXAMINE_SORTGROUP);
	}
	case T_SortGroupClause:
		JudgeOperator(f, reinterpret_cast<SortGroupClause *>(node)->eqop);
		JudgeOperator(f, reinterpret_cast<SortGroupClause *>(node)->sortop);
		break;
	case T_SetOperationStmt:
		Walk(reinterpret_cast<Node *>(reinterpret_cast<SetOperationStmt *>(node)->groupClauses), f);
		break;
	case T_WindowClause:
		JudgeInRange(f, reinterpret_cast<WindowClause *>(node)->startInRangeFunc);
		JudgeInRange(f, reinterpret_cast<WindowClause *>(node)->endInRangeFunc);
		break;
	case T_SQLValueFunction:
		JudgeSqlValue(f, reinterpret_cast<SQLValueFunction *>(node));
		break;
	case T_NextValueExpr:
		NoteVolatile(f, "nextval");
		break;
	case T_Var:
		JudgeType(f, exprType(node));
		if (reinterpret_cast<Var *>(node)->varattno < 0 &&
			reinterpret_cast<Var *>(node)->varattno != TableOidAttributeNumber)
			RefuseExact(f, Reason::system_column, nullptr);
		break;
	case T_Const:
		if (reinterpret_cast<Const *>(node)->consttype != f->last_literal)
			JudgeConst(f, reinterpret_cast<Const *>(node)->consttype);
		return false;
	case T_ArrayExpr:
		f->long_lists = f->long_lists || IsLongList(reinterpret_cast<ArrayExpr *>(node));
		JudgeType(f, exprType(node));
		break;
	case T_XmlExpr:
		f->regional = f->folded = f->makes_text = true;
		break;
	case T_CoerceToDomain:
		JudgeType(f, exprType(node));
		JudgeDomain(f, exprType(node));
		break;
	case T_TableFunc:
		JudgeInputs(f, reinterpret_cast<TableFunc *>(node)->coltypes);
		break;
	case T_FuncExpr:
		JudgeType(f, exprType(node));
		DeferDefaults(f, reinterpret_cast<FuncExpr *>(node)->funcid,
					  reinterpret_cast<FuncExpr *>(node)->args);
		if (ReadsText(reinterpret_cast<FuncExpr *>(node)->funcid))
			JudgeInput(f, exprType(node));
		if (JudgeCurrentSetting(f, reinterpret_cast<FuncExpr *>(node)))
			return compat::WalkExpression(node, Walk, f);
		break;
	case T_CoerceViaIO:
		JudgeOutput(f,
					exprType(reinterpret_cast<Node *>(reinterpret_cast<CoerceViaIO *>(node)->arg)));
		JudgeInput(f, exprType(node));
		return compat::WalkExpression(node, Walk, f);
	case T_Param:
	case T_OpExpr:
	case T_RelabelType:
	case T_ArrayCoerceExpr:
	case T_ConvertRowtypeExpr:
	case T_RowExpr:
	case T_Aggref:
	case T_MinMaxExpr:
		JudgeType(f, exprType(node));
		break;
	case T_WindowFunc:
		JudgeType(f, exprType(node));
		DeferDefaults(f, reinterpret_cast<WindowFunc *>(node)->winfnoid,
					  reinterpret_cast<WindowFunc *>(node)->args);
		break;
	default:
		if (compat::MakesJson(node))
			f->regional = f->folded = f->makes_text = true;
		if (compat::ReadsJson(node))
			JudgeInput(f, exprType(node));
		break;
	}
	f->call = node;
	check_functions_in_node(node, JudgeFunction, f);
	f->call = nullptr;
	return compat::WalkExpression(node, Walk, f);
}

void
JudgeRelation(Findings *f, Oid relation)
{
	char kind;
	char persistence;
	bool row_security;
	Oid access_method;

	if (!FirstTime(&f->seen, Thing::relation, relation))
		return;
	f->relations = lappend_oid(f->relations, relation);
	if (f->nested)
		f->inside = lappend_oid(f->inside, relation);
	if (!RelationFacts(relation, &kind, &persistence, &row_security, &access_method))
		return;
	if (persistence == RELPERSISTENCE_TEMP)
		RefuseBoth(f, Reason::temp_relation, psprintf("relation %s", get_rel_name(relation)));
	else if (kind == RELKIND_FOREIGN_TABLE)
		JudgeOpaque(f, Reason::dep_foreign_table, psprintf("relation %s", get_rel_name(relation)));
	else if (kind == RELKIND_SEQUENCE)
		RefuseExact(f, Reason::dep_sequence, psprintf("relation %s", get_rel_name(relation)));
	else if (relation < FirstNormalObjectId && kind != RELKIND_VIEW)
		RefuseExact(f, Reason::dep_catalog, psprintf("relation %s", get_rel_name(relation)));
	else if (OidIsValid(access_method) && access_method != HEAP_TABLE_AM_OID)
		JudgeOpaque(f, Reason::dep_access_method, psprintf("relation %s", get_rel_name(relation)));

	if (kind == RELKIND_PARTITIONED_TABLE)
		JudgePartitioning(f, relation);
	compat::WalkVirtualColumns(relation, Walk, f);
	/* those of the query and of understood bodies are in their trees */
	if (f->at_run && row_security)
		RefuseExact(
			f, Reason::untrusted_function,
			psprintf("policies of relation %s, read by a function", get_rel_name(relation)));
	if (f->at_run && kind == RELKIND_VIEW)
		WalkView(f, relation);
}

void
WalkTree(Findings *f, Node *tree)
{
	MemoryContext caller = MemoryContextSwitchTo(f->context);

	Walk(tree, f);
	MemoryContextSwitchTo(caller);
}

void
NoteSetting(Findings *f, const char *name)
{
	MemoryContext caller = MemoryContextSwitchTo(f->context);

	f->settings = lappend(f->settings, pstrdup(name));
	MemoryContextSwitchTo(caller);
}

void
NoteCursor(Findings *f, const char *name)
{
	MemoryContext caller = MemoryContextSwitchTo(f->context);

	AddNames(&f->cursors, list_make1(const_cast<char *>(name)));
	MemoryContextSwitchTo(caller);
}

} // namespace cq
