/*
 * procedural.cpp
 *		What a PL/pgSQL function tells about the results it takes part in.
 *
 * The compiled function belongs to PL/pgSQL.  We work on copies of what analysis writes to: the
 * head of the function, its variables, each expression.
 */
#include "pg.h"
#include "query/procedural_walk.h"
#include "query/inside.h"
#include "query/walk.h"
#include "query/compiled.h"
#include "query/procedural.h"

namespace cq
{
namespace
{

/* Statements in statements: more deeply nested ones aren't understood. */
constexpr int kMaxDepth = 200;

/* As PL/pgSQL begins a call, with variables of our own. */
void
Begin(Body *body, Findings *f, const PLpgSQL_function *compiled)
{
	const int count = compiled->ndatums;

	memset(body, 0, sizeof(*body));
	body->f = f;
	body->function = *compiled;
	body->function.fn_cxt = CurrentMemoryContext;
	body->function.datums = NewArray<PLpgSQL_datum *>(count);
	body->cursors = NewZeroedArray<Cursor>(count);
	for (int i = 0; i < count; i++)
	{
		body->function.datums[i] = CopyDatum(compiled->datums[i]);
		NoteTypeOf(f, compiled->datums[i]);
		NoteShared(body, compiled->datums[i]);
	}
	for (int i = 0; i < compiled->fn_nargs; i++)
		body->cursors[compiled->fn_argvarnos[i]].shared = true;
	body->function.cur_estate = &body->state;
	body->state.func = &body->function;
	body->state.ndatums = count;
	body->state.datums = body->function.datums;
	body->state.datum_context = CurrentMemoryContext;
	body->several = NewZeroedArray<bool>(count);
}

/* --- statements ------------------------------------------------------------------------------- */

void WalkStatements(Body *body, List *statements);

void
WalkDynamic(Body *body, PLpgSQL_expr *query, List *params, PLpgSQL_variable *target)
{
	NotUnderstoodInside(body, "dynamic SQL");
	Examine(body, query);
	ExamineList(body, params);
	AssignUnknown(body, target);
}

void
WalkBlock(Body *body, PLpgSQL_stmt_block *block)
{
	ListCell *cell;

	for (int i = 0; i < block->n_initvars; i++)
	{
		PLpgSQL_datum *datum = VariableOf(body, block->initvarnos[i]);
		PLpgSQL_variable *variable = reinterpret_cast<PLpgSQL_variable *>(datum);
		Oid type;
		int32 typmod;

		if (datum->dtype == PLPGSQL_DTYPE_RECFIELD || datum->dtype == PLPGSQL_DTYPE_ROW)
			continue;
		if (variable->default_val != nullptr)
			AssignOutcome(body, Examine(body, variable->default_val), datum);
		else if (TypeOf(body, datum, &type, &typmod) && get_typtype(type) == TYPTYPE_DOMAIN)
			Convert(body, getBaseType(type), -1, type, -1);
	}
	WalkStatements(body, block->body);
	if (block->exceptions == nullptr)
		return;
	/* what it catches has a message in the session's language */
	NoteSetting(body->f, "lc_messages");
	foreach (cell, block->exceptions->exc_list)
		WalkStatements(body, static_cast<PLpgSQL_exception *>(lfirst(cell))->action);
}

void
WalkIf(Body *body, PLpgSQL_stmt_if *statement)
{
	ListCell *cell;

	ConvertTo(body, Examine(body, statement->cond), BOOLOID);
	WalkStatements(body, statement->then_body);
	foreach (cell, statement->elsif_list)
	{
		PLpgSQL_if_elsif *branch = static_cast<PLpgSQL_if_elsif *>(lfirst(cell));

		ConvertTo(body, Examine(body, branch->cond), BOOLOID);
		WalkStatements(body, branch->stmts);
	}
	WalkStatements(body, statement->else_body);
}

/* The variable that holds what is compared gets its type when the statement runs. */
void
WalkCase(Body *body, PLpgSQL_stmt_case *statement)
{
	ListCell *cell;

	if (statement->t_expr != nullptr)
	{
		Outcome outcome = Examine(body, statement->t_expr);
		PLpgSQL_var *variable =
			reinterpret_cast<PLpgSQL_var *>(VariableOf(body, statement->t_varno));
		PLpgSQL_type *type = New<PLpgSQL_type>();

		*type = *variable->datatype;
		if (outcome.known)
		{
			type->typoid = outcome.type;
			type->atttypmod = outcome.typmod;
			type->collation = exprCollation(outcome.value);
		}
		variable->datatype = type;
	}
	foreach (cell, statement->case_when_list)
	{
		PLpgSQL_case_when *branch = static_cast<PLpgSQL_case_when *>(lfirst(cell));

		ConvertTo(body, Examine(body, branch->expr), BOOLOID);
		WalkStatements(body, branch->stmts);
	}
	WalkStatements(body, statement->else_stmts);
}

void
WalkFor(Body *body, PLpgSQL_stmt_fori *statement)
{
	const Oid type = statement->var->datatype->typoid;

	ConvertTo(body, Examine(body, statement->lower), type);
	ConvertTo(body, Examine(body, statement->upper), type);
	ConvertTo(body, Examine(body, statement->step), type);
	WalkStatements(body, statement->body);
}

void
WalkForeach(Body *body, PLpgSQL_stmt_foreach_a *statement)
{
	Outcome outcome = Examine(body, statement->expr);

	body->cursors[statement->varno].shared = true;
	if (outcome.known)
	{
		outcome.value = nullptr;
		if (statement->slice == 0)
			outcome.type = get_element_type(getBaseType(outcome.type));
		AssignOutcome(body, outcome, VariableOf(body, statement->varno));
	}
	WalkStatements(body, statement->body);
}

void
WalkOpen(Body *body, PLpgSQL_stmt_open *statement)
{
	if (statement->dynquery != nullptr)
	{
		WalkDynamic(body, statement->dynquery, statement->params, nullptr);
		NoteOpened(body, statement->curvar, nullptr);
	}
	else
		OpenCursor(body, statement->curvar, statement->argquery, statement->query);
}

/* FOR opens it and closes it. */
void
WalkForCursor(Body *body, PLpgSQL_stmt_forc *loop)
{
	List *open = body->open;

	OpenCursor(body, loop->curvar, loop->argquery, nullptr);
	FetchInto(body, loop->curvar, loop->var);
	WalkStatements(body, loop->body);
	body->cursors[loop->curvar].closed = true;
	body->open = open;
}

void
WalkReturn(Body *body, PLpgSQL_expr *expr, int variable)
{
	const Oid wanted = body->function.fn_rettype;
	Outcome outcome = Examine(body, expr);

	if (variable >= 0)
		body->cursors[variable].shared = true;
	if (expr == nullptr && variable >= 0)
		outcome.known = TypeOf(body, VariableOf(body, variable), &outcome.type, &outcome.typmod);
	/* a row is converted by position, and only to equal types */
	if (outcome.known && OidIsValid(outcome.type) && wanted != VOIDOID &&
		!(type_is_rowtype(wanted) && type_is_rowtype(outcome.type)))
		Convert(body, outcome.type, outcome.typmod, wanted, -1);
}

void
WalkReturnQuery(Body *body, PLpgSQL_stmt_return_query *statement)
{
	if (statement->dynquery != nullptr)
		WalkDynamic(body, statement->dynquery, statement->params, nullptr);
	else
		Examine(body, statement->query);
}

void
WalkRaise(Body *body, PLpgSQL_stmt_raise *statement)
{
	ListCell *cell;

	ExamineList(body, statement->params);
	foreach (cell, statement->options)
		Examine(body, static_cast<PLpgSQL_raise_option *>(lfirst(cell))->expr);
}

void
WalkDiagnostics(Body *body, PLpgSQL_stmt_getdiag *statement)
{
	ListCell *cell;

	foreach (cell, statement->diag_items)
	{
		PLpgSQL_diag_item *item = static_cast<PLpgSQL_diag_item *>(lfirst(cell));

		if (item->kind == PLPGSQL_GETDIAG_CONTEXT || item->kind == PLPGSQL_GETDIAG_ERROR_CONTEXT)
			RefuseBoth(body->f, Reason::session_function,
					   psprintf("PG_CONTEXT in function %s", body->function.fn_signature));
		body->cursors[item->target].shared = true;
		AssignValue(body, item->kind == PLPGSQL_GETDIAG_ROW_COUNT ? INT8OID : TEXTOID, -1, nullptr,
					VariableOf(body, item->target));
	}
}

void
WalkLoop(Body *body, PLpgSQL_stmt *statement)
{
	switch (statement->cmd_type)
	{
	case PLPGSQL_STMT_LOOP:
		WalkStatements(body, reinterpret_cast<PLpgSQL_stmt_loop *>(statement)->body);
		break;
	case PLPGSQL_STMT_WHILE:
		ConvertTo(body, Examine(body, reinterpret_cast<PLpgSQL_stmt_while *>(statement)->cond),
				  BOOLOID);
		WalkStatements(body, reinterpret_cast<PLpgSQL_stmt_while *>(statement)->body);
		break;
	case PLPGSQL_STMT_FORI:
		WalkFor(body, reinterpret_cast<PLpgSQL_stmt_fori *>(statement));
		break;
	case PLPGSQL_STMT_FORS:
	{
		PLpgSQL_stmt_fors *loop = reinterpret_cast<PLpgSQL_stmt_fors *>(statement);

		AssignRows(body, Examine(body, loop->query), loop->var);
		WalkStatements(body, loop->body);
		break;
	}
	case PLPGSQL_STMT_FORC:
		WalkForCursor(body, reinterpret_cast<PLpgSQL_stmt_forc *>(statement));
		break;
	case PLPGSQL_STMT_DYNFORS:
	{
		PLpgSQL_stmt_dynfors *loop = reinterpret_cast<PLpgSQL_stmt_dynfors *>(statement);

		WalkDynamic(body, loop->query, loop->params, loop->var);
		WalkStatements(body, loop->body);
		break;
	}
	default:
		WalkForeach(body, reinterpret_cast<PLpgSQL_stmt_foreach_a *>(statement));
		break;
	}
}

void
WalkQueryStatement(Body *body, PLpgSQL_stmt *statement)
{
	switch (statement->cmd_type)
	{
	case PLPGSQL_STMT_EXECSQL:
	{
		PLpgSQL_stmt_execsql *sql = reinterpret_cast<PLpgSQL_stmt_execsql *>(statement);
		Outcome outcome = Examine(body, sql->sqlstmt);

		if (sql->into)
			AssignRows(body, outcome, sql->target);
		break;
	}
	case PLPGSQL_STMT_DYNEXECUTE:
	{
		PLpgSQL_stmt_dynexecute *sql = reinterpret_cast<PLpgSQL_stmt_dynexecute *>(statement);

		WalkDynamic(body, sql->query, sql->params, sql->target);
		break;
	}
	case PLPGSQL_STMT_OPEN:
		WalkOpen(body, reinterpret_cast<PLpgSQL_stmt_open *>(statement));
		break;
	case PLPGSQL_STMT_FETCH:
	{
		PLpgSQL_stmt_fetch *fetch = reinterpret_cast<PLpgSQL_stmt_fetch *>(statement);

		ConvertTo(body, Examine(body, fetch->expr), INT4OID);
		FetchInto(body, fetch->curvar, fetch->target);
		break;
	}
	default: /* PERFORM */
		Examine(body, reinterpret_cast<PLpgSQL_stmt_perform *>(statement)->expr);
		break;
	}
}

void
WalkStatement(Body *body, PLpgSQL_stmt *statement)
{
	switch (statement->cmd_type)
	{
	case PLPGSQL_STMT_BLOCK:
		WalkBlock(body, reinterpret_cast<PLpgSQL_stmt_block *>(statement));
		break;
	case PLPGSQL_STMT_ASSIGN:
	{
		PLpgSQL_stmt_assign *assign = reinterpret_cast<PLpgSQL_stmt_assign *>(statement);

		body->cursors[assign->varno].shared = true;
		AssignOutcome(body, Examine(body, assign->expr), VariableOf(body, assign->varno));
		break;
	}
	case PLPGSQL_STMT_IF:
		WalkIf(body, reinterpret_cast<PLpgSQL_stmt_if *>(statement));
		break;
	case PLPGSQL_STMT_CASE:
		WalkCase(body, reinterpret_cast<PLpgSQL_stmt_case *>(statement));
		break;
	case PLPGSQL_STMT_LOOP:
	case PLPGSQL_STMT_WHILE:
	case PLPGSQL_STMT_FORI:
	case PLPGSQL_STMT_FORS:
	case PLPGSQL_STMT_FORC:
	case PLPGSQL_STMT_DYNFORS:
	case PLPGSQL_STMT_FOREACH_A:
		WalkLoop(body, statement);
		break;
	case PLPGSQL_STMT_EXIT:
		ConvertTo(body, Examine(body, reinterpret_cast<PLpgSQL_stmt_exit *>(statement)->cond),
				  BOOLOID);
		break;
	case PLPGSQL_STMT_RETURN:
		WalkReturn(body, reinterpret_cast<PLpgSQL_stmt_return *>(statement)->expr,
				   reinterpret_cast<PLpgSQL_stmt_return *>(statement)->retvarno);
		break;
	case PLPGSQL_STMT_RETURN_NEXT:
		WalkReturn(body, reinterpret_cast<PLpgSQL_stmt_return_next *>(statement)->expr,
				   reinterpret_cast<PLpgSQL_stmt_return_next *>(statement)->retvarno);
		break;
	case PLPGSQL_STMT_RETURN_QUERY:
		WalkReturnQuery(body, reinterpret_cast<PLpgSQL_stmt_return_query *>(statement));
		break;
	case PLPGSQL_STMT_RAISE:
		WalkRaise(body, reinterpret_cast<PLpgSQL_stmt_raise *>(statement));
		break;
	case PLPGSQL_STMT_ASSERT:
		ConvertTo(body, Examine(body, reinterpret_cast<PLpgSQL_stmt_assert *>(statement)->cond),
				  BOOLOID);
		Examine(body, reinterpret_cast<PLpgSQL_stmt_assert *>(statement)->message);
		break;
	case PLPGSQL_STMT_GETDIAG:
		WalkDiagnostics(body, reinterpret_cast<PLpgSQL_stmt_getdiag *>(statement));
		break;
	case PLPGSQL_STMT_EXECSQL:
	case PLPGSQL_STMT_DYNEXECUTE:
	case PLPGSQL_STMT_OPEN:
	case PLPGSQL_STMT_FETCH:
	case PLPGSQL_STMT_PERFORM:
		WalkQueryStatement(body, statement);
		break;
	case PLPGSQL_STMT_CLOSE:
		CloseCursor(body, reinterpret_cast<PLpgSQL_stmt_close *>(statement)->curvar);
		break;
	default: /* CALL, COMMIT and statements of later versions: they write, or it is unknown what they do */
		NotUnderstoodInside(body, "a statement");
		break;
	}
}

void
WalkStatements(Body *body, List *statements)
{
	List *open = body->open;
	ListCell *cell;

	if (body->depth == kMaxDepth)
	{
		NotUnderstoodInside(body, "statements nested too deeply");
		return;
	}
	body->depth++;
	foreach (cell, statements)
	{
		CHECK_FOR_INTERRUPTS();
		WalkStatement(body, static_cast<PLpgSQL_stmt *>(lfirst(cell)));
	}
	/* an exception, EXIT or a branch may have skipped an OPEN there */
	body->open = open;
	body->depth--;
}

} // namespace

bool
JudgePlpgsql(Findings *f, Oid function, const char *source, FuncExpr *call)
{
	Body *body = New<Body>();
	PLpgSQL_function *compiled = nullptr;

	if (!Tried(f, [&] {
			compiled = Compile(f, function, call);
			NoteDeclarations(f, compiled, source);
		}))
		return false;
	Begin(body, f, compiled);
	if (compiled->fn_rettype == REFCURSOROID)
		RefuseBoth(f, Reason::session_function,
				   psprintf("a cursor of function %s", compiled->fn_signature));
	WalkStatements(body, list_make1(compiled->action));
	JudgeCursors(body);
	return true;
}

} // namespace cq
