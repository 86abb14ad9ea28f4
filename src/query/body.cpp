/*
 * body.cpp
 *		What the body of a SQL or PL/pgSQL function tells about the answers it takes part in.
 */
#include "pg.h"
#include "query/environment.h"
#include "query/body.h"
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

bool
TakesAnyType(HeapTuple function)
{
	Form_pg_proc form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(function));

	if (IsPolymorphicType(form->prorettype))
		return true;
	for (int i = 0; i < form->proargtypes.dim1; i++)
	{
		if (IsPolymorphicType(form->proargtypes.values[i]))
			return true;
	}
	return false;
}

List *
ArgumentsOf(Node *call)
{
	switch (nodeTag(call))
	{
	case T_FuncExpr:
		return reinterpret_cast<FuncExpr *>(call)->args;
	case T_OpExpr:
	case T_DistinctExpr:
	case T_NullIfExpr:
		return reinterpret_cast<OpExpr *>(call)->args;
	case T_ScalarArrayOpExpr:
		return reinterpret_cast<ScalarArrayOpExpr *>(call)->args;
	case T_WindowFunc:
		return reinterpret_cast<WindowFunc *>(call)->args;
	default:
		return NIL;
	}
}

/* A call with the same types and nothing else of it. */
FuncExpr *
Outline(Node *call, Oid function)
{
	FuncExpr *outline = makeNode(FuncExpr);
	List *args = ArgumentsOf(call);
	ListCell *cell;

	outline->funcid = function;
	outline->funcresulttype = exprType(call);
	outline->funcretset = expression_returns_set(call);
	outline->funccollid = exprCollation(call);
	outline->inputcollid = exprInputCollation(call);
	outline->funcformat = COERCE_EXPLICIT_CALL;
	outline->location = -1;
	foreach (cell, args)
	{
		Node *arg = static_cast<Node *>(lfirst(cell));
		CaseTestExpr *stand_in = makeNode(CaseTestExpr);

		stand_in->typeId = exprType(arg);
		if (IsA(call, ScalarArrayOpExpr) && cell != list_head(args))
			stand_in->typeId = get_base_element_type(stand_in->typeId);
		stand_in->typeMod = exprTypmod(arg);
		outline->args = lappend(outline->args, stand_in);
	}
	return outline;
}

uint64
HashTypes(const FuncExpr *call, uint64 seed)
{
	ListCell *cell;

	seed = hash_bytes_uint32_extended(call->funcresulttype, seed);
	foreach (cell, call->args)
		seed = hash_bytes_uint32_extended(lfirst_node(CaseTestExpr, cell)->typeId, seed);
	return seed;
}

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
	/* the planner may put the body into the query, with what they were converted to */
	f->folded = f->folded || literals;
}

void
Judge(Findings *f, HeapTuple function, const Pending *item)
{
	Form_pg_proc form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(function));
	MemoryContext scratch =
		AllocSetContextCreate(f->context, "CachedQueryBody", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(scratch);
	bool understood;

	if (form->prolang == SQLlanguageId)
		understood = Tried(f, [=] { JudgeSql(f, function, item->call); });
	else
		understood = JudgePlpgsql(f, item->oid, SourceOf(function), item->call);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(scratch);
	if (understood)
		return;
	NotUnderstood(f, psprintf("function %s", format_procedure(item->oid)));
	f->fleeting = true; /* what is analysed during a fill, the watch sees */
}

} // namespace

void
BeginTrial(Findings *f, Trial *trial)
{
	trial->context = CurrentMemoryContext;
	trial->owner = CurrentResourceOwner;
	trial->client_messages = client_min_messages;
	trial->log_messages = compat::LogMessages();
	BeginInternalSubTransaction(nullptr);
	MemoryContextSwitchTo(trial->context);
	/* notices come when the function runs */
	client_min_messages = Max(client_min_messages, ERROR);
	compat::LogMessages() = Max(compat::LogMessages(), ERROR);
	Enter(f->environment);
}

void
EndTrial(const Trial &trial, ErrorData *error)
{
	const bool shown = pgstat_track_activities;

	/* the rollback would end what pg_stat_progress_copy and the like show of a command around us */
	pgstat_track_activities = false;
	RollbackAndReleaseCurrentSubTransaction();
	pgstat_track_activities = shown;
	MemoryContextSwitchTo(trial.context);
	CurrentResourceOwner = trial.owner;
	client_min_messages = trial.client_messages;
	compat::LogMessages() = trial.log_messages;
	if (error != nullptr && ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION)
		ReThrowError(error);
}

Query *
AnalyzeInside(Findings *f, RawStmt *raw, const char *source, ParserSetupHook setup, void *setup_arg)
{
	ParseState *pstate = make_parsestate(nullptr);
	const bool time_words = HasTimeWord(raw->stmt);
	Query *query;

	CHECK_FOR_INTERRUPTS();
	MemoryContext caller = MemoryContextSwitchTo(f->context);

	if (f->names_inside != nullptr)
		CollectNames(raw->stmt, f->names_inside);
	CollectLateNames(f, raw->stmt);
	MemoryContextSwitchTo(caller);
	pstate->p_sourcetext = source;
	setup(pstate, setup_arg);
	query = transformTopLevelStmt(pstate, raw);
	free_parsestate(pstate);
	if (time_words)
		f->words_inside = true;
	return query;
}

bool
WalkInside(Findings *f, Query *query)
{
	List *queries;
	ListCell *cell;

	if (query->commandType == CMD_UTILITY)
		return false; /* a run of it is a write */
	/* a body that is kept as a tree has no locks yet */
	AcquireRewriteLocks(query, true, false);
	queries = QueryRewrite(query);

	const bool literals = f->literals;
	const bool checked = f->checked_literal;
	const bool daily = f->daily;

	f->literals = f->checked_literal = f->daily = false;
	f->last_literal = InvalidOid;
	/* what is believed gives the same whatever names in it mean, until one of them changes */
	if (!f->believed && !DigestTrees(queries, {f->words_inside, nullptr}, false, &f->inside_digest))
		f->unidentified = true;
	foreach (cell, queries)
		WalkTree(f, static_cast<Node *>(lfirst(cell)));

	const bool of_moment = f->literals && (f->words_inside || f->daily);

	if (of_moment)
		NoteClock(f, "a literal such as 'today' or 'now' in a function");
	f->fleeting = f->fleeting || f->checked_literal || of_moment;

	const bool found = f->literals || f->checked_literal;

	f->literals = literals;
	f->checked_literal = checked;
	f->daily = daily;
	f->last_literal = InvalidOid;
	return found;
}

uint64
BodyVariant(Findings *f, Oid function, FuncExpr **call)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	uint64 variant = f->environment ? f->environment->id : 0;
	bool any;

	*call = nullptr;
	if (!HeapTupleIsValid(tuple))
		return variant;
	any = TakesAnyType(tuple);
	ReleaseSysCache(tuple);
	if (f->call == nullptr || ArgumentsOf(f->call) == NIL)
		return variant;

	MemoryContext caller = MemoryContextSwitchTo(f->context);

	*call = Outline(f->call, function);
	MemoryContextSwitchTo(caller);
	/* PL/pgSQL compiles it for each collation */
	if (OidIsValid((*call)->inputcollid) && (*call)->inputcollid != DEFAULT_COLLATION_OID)
		variant = hash_bytes_uint32_extended((*call)->inputcollid, variant);
	return any ? HashTypes(*call, variant) : variant;
}

namespace
{

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
