/*
 * procedural.cpp
 *		What a PL/pgSQL function tells about the answers it takes part in.
 *
 * The compiled function belongs to PL/pgSQL.  We work on copies of what analysis writes to: the
 * head of the function, its variables, each expression.
 */
#include "pg.h"
#include "query/body.h"
#include "query/compiled.h"
#include "query/procedural.h"

extern "C" {
#include "parser/parser.h"
}

namespace cq
{
namespace
{

/* Statements in statements: more deeply nested ones aren't understood. */
constexpr int kMaxDepth = 200;

/* The function while it is walked. */
struct Body
{
	Findings *f;
	PLpgSQL_function function;
	PLpgSQL_execstate state; /* what names are resolved with */
	bool *several;           /* by number of the variable: a record that takes several shapes */
	TupleDesc *cursors;      /* by number of the variable: what is fetched from it */
	int depth;
};

/* What an expression or query gives. */
struct Outcome
{
	bool known;
	TupleDesc columns; /* of a query */
	Node *value;       /* of an expression */
	Oid type;
	int32 typmod;
};

template <typename T>
PLpgSQL_datum *
CopyOf(const PLpgSQL_datum *datum)
{
	T *copy = static_cast<T *>(palloc(sizeof(T)));

	*copy = *reinterpret_cast<const T *>(datum);
	return reinterpret_cast<PLpgSQL_datum *>(copy);
}

PLpgSQL_datum *
CopyDatum(PLpgSQL_datum *datum)
{
	PLpgSQL_datum *copy;

	switch (datum->dtype)
	{
	case PLPGSQL_DTYPE_VAR:
	case PLPGSQL_DTYPE_PROMISE:
		return CopyOf<PLpgSQL_var>(datum);
	case PLPGSQL_DTYPE_REC:
		copy = CopyOf<PLpgSQL_rec>(datum);
		reinterpret_cast<PLpgSQL_rec *>(copy)->erh = nullptr;
		return copy;
	case PLPGSQL_DTYPE_RECFIELD:
		copy = CopyOf<PLpgSQL_recfield>(datum);
		reinterpret_cast<PLpgSQL_recfield *>(copy)->rectupledescid = INVALID_TUPLEDESC_IDENTIFIER;
		return copy;
	default:
		return datum;
	}
}

/* Values of it are made and checked, even if no expression has it. */
void
NoteTypeOf(Findings *f, const PLpgSQL_datum *datum)
{
	if (datum->dtype == PLPGSQL_DTYPE_VAR)
		NoteType(f, reinterpret_cast<const PLpgSQL_var *>(datum)->datatype->typoid);
	else if (datum->dtype == PLPGSQL_DTYPE_REC &&
			 reinterpret_cast<const PLpgSQL_rec *>(datum)->rectypeid != RECORDOID)
		NoteType(f, reinterpret_cast<const PLpgSQL_rec *>(datum)->rectypeid);
}

/* As PL/pgSQL begins a call, with variables of our own. */
void
Begin(Body *body, Findings *f, const PLpgSQL_function *compiled)
{
	const int count = compiled->ndatums;

	memset(body, 0, sizeof(*body));
	body->f = f;
	body->function = *compiled;
	body->function.fn_cxt = CurrentMemoryContext;
	body->function.datums =
		static_cast<PLpgSQL_datum **>(palloc(sizeof(PLpgSQL_datum *) * Max(count, 1)));
	for (int i = 0; i < count; i++)
	{
		body->function.datums[i] = CopyDatum(compiled->datums[i]);
		NoteTypeOf(f, compiled->datums[i]);
	}
	body->function.cur_estate = &body->state;
	body->state.func = &body->function;
	body->state.ndatums = count;
	body->state.datums = body->function.datums;
	body->state.datum_context = CurrentMemoryContext;
	body->several = static_cast<bool *>(palloc0(sizeof(bool) * Max(count, 1)));
	body->cursors = static_cast<TupleDesc *>(palloc0(sizeof(TupleDesc) * Max(count, 1)));
}

void
NotUnderstoodInside(Body *body, const char *what)
{
	NotUnderstood(body->f, psprintf("%s in function %s", what, body->function.fn_signature));
}

/* --- expressions ------------------------------------------------------------------------------ */

/* What the query returns, as the columns or as one value. */
void
Describe(const Query *query, Outcome *outcome)
{
	List *list = query->commandType == CMD_SELECT ? query->targetList : query->returningList;
	TargetEntry *entry = list == NIL ? nullptr : linitial_node(TargetEntry, list);

	outcome->columns = ExecCleanTypeFromTL(list);
	if (entry != nullptr)
	{
		outcome->value = reinterpret_cast<Node *>(entry->expr);
		outcome->type = exprType(outcome->value);
		outcome->typmod = exprTypmod(outcome->value);
	}
}

/* Resolve, analyse and walk one expression or query of the function. */
void
Analyze(Body *body, const PLpgSQL_expr *original, Outcome *outcome)
{
	PLpgSQL_expr expr = *original;
	List *raw;
	Query *query;

	expr.func = &body->function;
	expr.paramnos = nullptr;
	raw = raw_parser(expr.query, expr.parseMode);
	if (list_length(raw) != 1)
		ereport(ERROR, (errcode(ERRCODE_SYNTAX_ERROR), errmsg("one statement expected")));
	body->f->words_inside = false;
	query = AnalyzeInside(body->f, linitial_node(RawStmt, raw), expr.query,
						  reinterpret_cast<ParserSetupHook>(LoadPlpgsql().parser_setup), &expr);
	Describe(query, outcome);
	WalkInside(body->f, query);
}

Outcome
Examine(Body *body, const PLpgSQL_expr *expr)
{
	Outcome outcome = {};

	if (expr == nullptr)
		return outcome;
	outcome.known = Tried(body->f, [&] { Analyze(body, expr, &outcome); });
	if (!outcome.known)
	{
		NotUnderstoodInside(body, psprintf("\"%s\"", expr->query));
		body->f->fleeting = true; /* what is analysed during a fill, the watch sees */
	}
	return outcome;
}

void
ExamineList(Body *body, List *exprs)
{
	ListCell *cell;

	foreach (cell, exprs)
		Examine(body, static_cast<PLpgSQL_expr *>(lfirst(cell)));
}

/* --- assignments ------------------------------------------------------------------------------ */

void
Convert(Body *body, Oid source, int32 source_typmod, Oid target, int32 target_typmod)
{
	if (source == target && (source_typmod == target_typmod || target_typmod == -1))
		return; /* nothing is done */
	if (!Tried(body->f,
			   [=] { JudgeAssignment(body->f, source, source_typmod, target, target_typmod); }))
		NotUnderstoodInside(body, "a conversion");
}

/* The outcome of an expression as a value of this type, as for a condition or a bound. */
void
ConvertTo(Body *body, const Outcome &outcome, Oid type)
{
	if (outcome.known && OidIsValid(outcome.type))
		Convert(body, outcome.type, outcome.typmod, type, -1);
}

PLpgSQL_datum *
VariableOf(Body *body, int number)
{
	return body->function.datums[number];
}

bool
SameShape(TupleDesc a, TupleDesc b)
{
	if (a->natts != b->natts)
		return false;
	for (int i = 0; i < a->natts; i++)
	{
		Form_pg_attribute one = TupleDescAttr(a, i);
		Form_pg_attribute other = TupleDescAttr(b, i);

		if (one->atttypid != other->atttypid || one->attisdropped != other->attisdropped ||
			strcmp(NameStr(one->attname), NameStr(other->attname)) != 0)
			return false;
	}
	return true;
}

/* A RECORD variable takes the columns of what is assigned to it. */
void
TakeShape(Body *body, PLpgSQL_rec *record, TupleDesc columns)
{
	if (record->erh == nullptr && columns != nullptr)
		record->erh = make_expanded_record_from_tupdesc(CreateTupleDescCopy(columns),
														body->state.datum_context);
	else if (columns == nullptr || !SameShape(expanded_record_get_tupdesc(record->erh), columns))
		body->several[record->dno] = true;
	if (body->several[record->dno])
		NotUnderstoodInside(body, psprintf("record \"%s\" of several types", record->refname));
}

/* The type that a variable, record or field has; false: it has none, or not yet. */
bool
TypeOf(Body *body, PLpgSQL_datum *datum, Oid *type, int32 *typmod)
{
	*typmod = -1;
	switch (datum->dtype)
	{
	case PLPGSQL_DTYPE_VAR:
	case PLPGSQL_DTYPE_PROMISE:
		*type = reinterpret_cast<PLpgSQL_var *>(datum)->datatype->typoid;
		*typmod = reinterpret_cast<PLpgSQL_var *>(datum)->datatype->atttypmod;
		return true;
	case PLPGSQL_DTYPE_REC:
		*type = reinterpret_cast<PLpgSQL_rec *>(datum)->rectypeid;
		return true;
	case PLPGSQL_DTYPE_RECFIELD:
	{
		PLpgSQL_recfield *field = reinterpret_cast<PLpgSQL_recfield *>(datum);
		PLpgSQL_rec *record = reinterpret_cast<PLpgSQL_rec *>(VariableOf(body, field->recparentno));
		ExpandedRecordFieldInfo info;

		if (record->erh == nullptr && record->rectypeid != RECORDOID)
			record->erh =
				make_expanded_record_from_typeid(record->rectypeid, -1, body->state.datum_context);
		if (record->erh == nullptr ||
			!expanded_record_lookup_field(record->erh, field->fieldname, &info))
			return false;
		*type = info.ftypeid;
		*typmod = info.ftypmod;
		return true;
	}
	default:
		return false;
	}
}

void AssignValue(Body *body, Oid type, int32 typmod, Node *value, PLpgSQL_datum *target);

/* One column after the other; dropped ones are left out. */
void
AssignColumns(Body *body, TupleDesc columns, PLpgSQL_datum *target)
{
	TupleDesc desc = nullptr;
	int next = 0;
	int wanted;

	if (target->dtype == PLPGSQL_DTYPE_REC)
	{
		PLpgSQL_rec *record = reinterpret_cast<PLpgSQL_rec *>(target);

		if (record->rectypeid == RECORDOID)
		{
			TakeShape(body, record, columns);
			return;
		}
		Convert(body, UNKNOWNOID, -1, record->rectypeid, -1);
		desc = lookup_rowtype_tupdesc_domain(record->rectypeid, -1, false);
	}
	wanted = desc ? desc->natts : reinterpret_cast<PLpgSQL_row *>(target)->nfields;
	for (int i = 0; i < wanted; i++)
	{
		int number = desc ? 0 : reinterpret_cast<PLpgSQL_row *>(target)->varnos[i];
		Form_pg_attribute column;

		if (number < 0 || (desc && TupleDescAttr(desc, i)->attisdropped))
			continue;
		while (next < columns->natts && TupleDescAttr(columns, next)->attisdropped)
			next++;
		if (next >= columns->natts)
			break;
		column = TupleDescAttr(columns, next++);
		if (desc)
			Convert(body, column->atttypid, column->atttypmod, TupleDescAttr(desc, i)->atttypid,
					TupleDescAttr(desc, i)->atttypmod);
		else
			AssignValue(body, column->atttypid, column->atttypmod, nullptr,
						VariableOf(body, number));
	}
	if (desc)
		ReleaseTupleDesc(desc);
}

/* The columns of a composite value; NULL: nobody knows before it is there. */
TupleDesc
ColumnsOf(Oid type, Node *value)
{
	TupleDesc desc = nullptr;

	if (type != RECORDOID)
		return type_is_rowtype(type) ? lookup_rowtype_tupdesc_domain(type, -1, true) : nullptr;
	if (value == nullptr || !(IsA(value, RowExpr) || IsA(value, FuncExpr)))
		return nullptr;
	(void) get_expr_result_type(value, nullptr, &desc);
	return desc;
}

void
AssignRow(Body *body, Oid type, Node *value, PLpgSQL_datum *target)
{
	TupleDesc columns = nullptr;

	if (!Tried(body->f, [&] {
			TupleDesc found = ColumnsOf(type, value);

			columns = found ? CreateTupleDescCopy(found) : nullptr;
			if (found && found->tdrefcount >= 0)
				ReleaseTupleDesc(found);
		}))
		columns = nullptr;
	if (columns != nullptr)
		AssignColumns(body, columns, target);
	else if (target->dtype == PLPGSQL_DTYPE_REC &&
			 reinterpret_cast<PLpgSQL_rec *>(target)->rectypeid == RECORDOID)
		TakeShape(body, reinterpret_cast<PLpgSQL_rec *>(target), nullptr);
	else if (type == RECORDOID)
		NotUnderstoodInside(body, "a row of unknown columns");
}

void
AssignValue(Body *body, Oid type, int32 typmod, Node *value, PLpgSQL_datum *target)
{
	Oid wanted;
	int32 wanted_typmod;

	if (target->dtype == PLPGSQL_DTYPE_ROW || target->dtype == PLPGSQL_DTYPE_REC)
	{
		if (target->dtype != PLPGSQL_DTYPE_REC ||
			reinterpret_cast<PLpgSQL_rec *>(target)->rectypeid != type || type == RECORDOID)
			AssignRow(body, type, value, target);
	}
	else if (TypeOf(body, target, &wanted, &wanted_typmod))
		Convert(body, type, typmod, wanted, wanted_typmod);
	else
		NotUnderstoodInside(body, "a field of a record");
}

void
AssignOutcome(Body *body, const Outcome &outcome, PLpgSQL_datum *target)
{
	if (outcome.known && OidIsValid(outcome.type))
		AssignValue(body, outcome.type, outcome.typmod, outcome.value, target);
}

void
AssignRows(Body *body, const Outcome &outcome, PLpgSQL_variable *target)
{
	if (target != nullptr && outcome.known)
		AssignColumns(body, outcome.columns, VariableOf(body, target->dno));
}

/* Rows of a query that is put together at run time. */
void
AssignUnknown(Body *body, PLpgSQL_variable *target)
{
	if (target != nullptr && target->dtype == PLPGSQL_DTYPE_REC)
		body->several[target->dno] = true;
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
		PLpgSQL_type *type = static_cast<PLpgSQL_type *>(palloc(sizeof(PLpgSQL_type)));

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

	if (outcome.known)
	{
		outcome.value = nullptr;
		if (statement->slice == 0)
			outcome.type = get_element_type(getBaseType(outcome.type));
		AssignOutcome(body, outcome, VariableOf(body, statement->varno));
	}
	WalkStatements(body, statement->body);
}

/* What is fetched from a cursor, from its declaration or the OPEN. */
void
OpenCursor(Body *body, int number, PLpgSQL_expr *arguments, PLpgSQL_expr *query)
{
	PLpgSQL_var *cursor = reinterpret_cast<PLpgSQL_var *>(VariableOf(body, number));
	Outcome outcome;

	if (arguments != nullptr && cursor->cursor_explicit_argrow >= 0)
	{
		outcome = Examine(body, arguments);
		if (outcome.known)
			AssignColumns(body, outcome.columns, VariableOf(body, cursor->cursor_explicit_argrow));
	}
	outcome = Examine(body, query ? query : cursor->cursor_explicit_expr);
	body->cursors[number] = outcome.known ? outcome.columns : CreateTemplateTupleDesc(0);
}

/* A cursor that this function doesn't open is one of the session's. */
void
FetchInto(Body *body, int number, PLpgSQL_variable *target)
{
	if (body->cursors[number] != nullptr && target != nullptr)
		AssignColumns(body, body->cursors[number], VariableOf(body, target->dno));
	else if (body->cursors[number] == nullptr)
	{
		RefuseBoth(body->f, Reason::session_function,
				   psprintf("a cursor in function %s", body->function.fn_signature));
		AssignUnknown(body, target);
	}
}

void
WalkOpen(Body *body, PLpgSQL_stmt_open *statement)
{
	if (statement->dynquery != nullptr)
	{
		WalkDynamic(body, statement->dynquery, statement->params, nullptr);
		body->cursors[statement->curvar] = CreateTemplateTupleDesc(0);
		return;
	}
	OpenCursor(body, statement->curvar, statement->argquery, statement->query);
}

void
WalkReturn(Body *body, PLpgSQL_expr *expr, int variable)
{
	const Oid wanted = body->function.fn_rettype;
	Outcome outcome = Examine(body, expr);

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
	{
		PLpgSQL_stmt_forc *loop = reinterpret_cast<PLpgSQL_stmt_forc *>(statement);

		OpenCursor(body, loop->curvar, loop->argquery, nullptr);
		FetchInto(body, loop->curvar, loop->var);
		WalkStatements(body, loop->body);
		break;
	}
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
		break;
	default: /* CALL, COMMIT and what is new: a run of them is a write, or not known */
		NotUnderstoodInside(body, "a statement");
		break;
	}
}

void
WalkStatements(Body *body, List *statements)
{
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
	body->depth--;
}

} // namespace

bool
JudgePlpgsql(Findings *f, Oid function, const char *source, FuncExpr *call)
{
	Body *body = static_cast<Body *>(palloc(sizeof(Body)));
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
	return true;
}

} // namespace cq
