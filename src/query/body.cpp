/*
 * body.cpp
 *		What the body of a SQL or PL/pgSQL function tells about the results it takes part in.
 */
#include "pg.h"
#include "query/environment.h"
#include "query/body.h"
#include "query/inside.h"
#include "query/walk.h"
#include "query/judged.h"
#include "query/procedural.h"

extern "C" {
#include "catalog/pg_collation.h"
#include "catalog/pg_language.h"
#include "executor/functions.h"
#include "parser/analyze.h"
#include "parser/parser.h"
#include "rewrite/rewriteHandler.h"
#include "utils/regproc.h"
}

namespace cq
{
namespace
{

/* --- calls ---------------------------------------------------------------------------------- */

/* --- SQL ------------------------------------------------------------------------------------ */

char *
SourceOf(HeapTuple function)
{
	bool null;

	return TextDatumGetCString(SysCacheGetAttr(PROCOID, function, Anum_pg_proc_prosrc, &null));
}

/* The statements of a body, analysed and rewritten, in a list of lists as PostgreSQL has it. */
List *
StatementsInSql(Findings *f, HeapTuple function, FuncExpr *call)
{
	bool null;
	Datum body = SysCacheGetAttr(PROCOID, function, Anum_pg_proc_prosqlbody, &null);
	List *statements = NIL;
	ListCell *cell;

	if (!null)
	{
		Node *tree = static_cast<Node *>(stringToNode(TextDatumGetCString(body)));

		/* a single RETURN, or BEGIN ATOMIC with any number */
		statements = IsA(tree, List) ? linitial_node(List, reinterpret_cast<List *>(tree))
									 : list_make1(tree);
		foreach (cell, statements)
			lfirst(cell) = list_make1(lfirst(cell));
		return statements;
	}

	char *source = SourceOf(function);
	SQLFunctionParseInfoPtr info = prepare_sql_fn_parse_info(
		function, reinterpret_cast<Node *>(call), call ? call->inputcollid : InvalidOid);
	List *raw = raw_parser(source, RAW_PARSE_DEFAULT);

	foreach (cell, raw)
		statements =
			lappend(statements, list_make1(AnalyzeInside(
									f, lfirst_node(RawStmt, cell), source,
									reinterpret_cast<ParserSetupHook>(sql_fn_parser_setup), info)));
	return statements;
}

void
JudgeSql(Findings *f, HeapTuple function, FuncExpr *call)
{
	Form_pg_proc form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(function));
	List *statements;
	TupleDesc desc = nullptr;
	bool literals = false;
	ListCell *cell;

	f->words_inside = false;
	statements = StatementsInSql(f, function, call);
	if (call != nullptr)
		get_expr_result_type(reinterpret_cast<Node *>(call), nullptr, &desc);
	else
		get_func_result_type(form->oid, nullptr, &desc);
	/* puts in the conversion to the type that the function returns */
	compat::CheckSqlReturn(statements, call ? call->funcresulttype : form->prorettype, desc,
						   form->prokind);
	foreach (cell, statements)
	{
		List *queries = static_cast<List *>(lfirst(cell));
		ListCell *query;

		foreach (query, queries)
			literals = WalkInside(f, lfirst_node(Query, query)) || literals;
	}
	/* the planner may inline the body, with the values to which its literals were converted */
	f->folded = f->folded || literals;
}

void
Judge(Findings *f, HeapTuple function, const Pending *item)
{
	Form_pg_proc form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(function));
	MemoryContext scratch =
		AllocSetContextCreate(f->context, "CachedQueryBody", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(scratch);
	const Oid result = item->call ? item->call->funcresulttype : form->prorettype;
	bool understood;

	if (form->prolang == SQLlanguageId)
		understood = Tried(f, [=] { JudgeSql(f, function, item->call); });
	else
		understood = JudgePlpgsql(f, item->oid, SourceOf(function), item->call);
	/* a returned row is checked by its domain, whatever type it has in the body */
	if (understood && get_typtype(result) == TYPTYPE_DOMAIN && type_is_rowtype(result))
		understood = Tried(f, [=] { JudgeAssignment(f, UNKNOWNOID, -1, result, -1); });
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(scratch);
	if (understood)
		return;
	NotUnderstood(f, psprintf("function %s", format_procedure(item->oid)));
	f->fleeting = true; /* what is analysed during a fill, the watch sees */
}

void
JudgeHere(Findings *f, const Pending *item)
{
	const Environment *outer = f->environment;
	HeapTuple tuple = SearchSysCacheCopy1(PROCOID, ObjectIdGetDatum(item->oid));
	bool known;

	if (!HeapTupleIsValid(tuple))
		return; /* dropped meanwhile: running the query will tell */
	f->environment = EnvironmentWithin(f, tuple, &known);
	/* no subtransaction then */
	if (!known || IsInParallelMode())
		NotUnderstood(f, psprintf("function %s", format_procedure(item->oid)));
	else
		Judge(f, tuple, item);
	f->environment = outer;
	heap_freetuple(tuple);
}

} // namespace

void
JudgeBody(Findings *f, const Pending *item)
{
	if (f->at_run)
		JudgeHere(f, item);
	else
		JudgeOnce(f, item, JudgeHere);
}

} // namespace cq
