/*
 * statement.cpp
 *		From a text to one SELECT, or to an error that says what is wrong with it.
 */
#include "pg.h"
#include "query/args.h"
#include "query/statement.h"

extern "C" {
#include "parser/analyze.h"
#include "parser/parse_param.h"
#include "parser/parser.h"
#include "tcop/utility.h"
}

namespace cq
{
namespace
{

/* As SPI does it: a position in the inner text is no position in the client's text. */
void
QueryErrorCallback(void *arg)
{
	const char *query = static_cast<QueryErrorContext *>(arg)->query;
	int position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery(query);
	}
	else
		errcontext("SQL statement \"%s\"", query);
}

} // namespace

void
PushQueryErrorContext(QueryErrorContext *context, const char *query)
{
	context->query = query;
	context->callback.callback = QueryErrorCallback;
	context->callback.arg = context;
	context->callback.previous = error_context_stack;
	error_context_stack = &context->callback;
}

void
PopQueryErrorContext(QueryErrorContext *context)
{
	error_context_stack = context->callback.previous;
}

namespace
{

[[noreturn]] void
NotASelect(Node *statement)
{
	const char *name =
		IsA(statement, SelectStmt) ? "SELECT INTO" : GetCommandTagName(CreateCommandTag(statement));

	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("only a query that returns rows can be cached"),
			 errdetail("The query text is %s %s statement.", strchr("AEIOU", name[0]) ? "an" : "a",
					   name),
			 errhint("Give one SELECT, VALUES, TABLE or WITH statement; run others directly.")));
	pg_unreachable();
}

[[noreturn]] void
WrongCount(int parameters, int arguments)
{
	ereport(
		ERROR,
		(errcode(ERRCODE_UNDEFINED_PARAMETER),
		 errmsg(
			 "number of arguments (%d) does not match number of parameters in the query text (%d)",
			 arguments, parameters),
		 parameters == 0
			 ? errdetail(
				   "The query text that the server received contains no $1 outside of quotes.")
			 : errdetail("The highest parameter in the query text is $%d.", parameters),
		 parameters == 0
			 ? errhint(
				   "Some client libraries replace $1 or ? also in quoted text, before they send "
				   "the "
				   "statement. Otherwise write $1, $2, ... in the query text for the arguments.")
			 : errhint("Pass one argument for each of $1, $2, ..., in this order, after the other "
					   "arguments of the call.")));
	pg_unreachable();
}

/* INTO stands in the leftmost SELECT of a set operation. */
bool
HasInto(Node *statement)
{
	const SelectStmt *select = reinterpret_cast<SelectStmt *>(statement);

	while (select->op != SETOP_NONE)
		select = select->larg;
	return select->intoClause != nullptr;
}

bool
WalkParams(Node *node, void *arg)
{
	int *highest = static_cast<int *>(arg);

	if (node == nullptr)
		return false;
	if (IsA(node, ParamRef))
		*highest = Max(*highest, reinterpret_cast<ParamRef *>(node)->number);
	return compat::WalkRaw(node, WalkParams, arg);
}

bool
IsUserFunction(Oid function, void *)
{
	return function >= FirstUnpinnedObjectId;
}

bool
WalkUserCode(Node *node, void *arg)
{
	if (node == nullptr)
		return false;
	if (IsA(node, Query))
		return compat::WalkQuery(reinterpret_cast<Query *>(node), WalkUserCode, arg, 0);
	if (IsA(node, CoerceToDomain) || check_functions_in_node(node, IsUserFunction, arg))
		return true;
	return compat::WalkExpression(node, WalkUserCode, arg);
}

/* At any level: subqueries and views can lock rows, too. */
bool
RefuseLocksIn(Node *node, void *arg)
{
	if (node == nullptr)
		return false;
	if (!IsA(node, Query))
		return compat::WalkExpression(node, RefuseLocksIn, arg);

	Query *query = reinterpret_cast<Query *>(node);

	if (query->hasModifyingCTE)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("cannot cache a query that modifies data in WITH"),
						errhint("Run it directly.")));
	if (query->rowMarks != NIL)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("cannot cache a query that locks rows"),
						errhint("Leave out FOR UPDATE or FOR SHARE, or run it directly.")));
	return compat::WalkQuery(query, RefuseLocksIn, arg, 0);
}

/*
 * parse_analyze_varparams() without its last check, which refuses a parameter whose type is told in one
 * place and of no matter in another: pg_typeof($1), $1::text.  What was told is its type, since the query is
 * analysed again with that.  That is also when other modules' hooks see it.
 */
void
AnalyzeForTypes(const Statement &statement, Oid **types, int *count)
{
	ParseState *state = make_parsestate(nullptr);

	state->p_sourcetext = statement.query;
	setup_parse_variable_parameters(state, types, count);
	transformTopLevelStmt(state, static_cast<RawStmt *>(copyObject(statement.raw)));
	free_parsestate(state);
}

} // namespace

int
HighestParam(const RawStmt *raw)
{
	int highest = 0;

	WalkParams(raw->stmt, &highest);
	return highest;
}

Statement
ParseStatement(const char *query)
{
	Statement statement = {query, nullptr, 0};
	QueryErrorContext context;
	List *list;

	PushQueryErrorContext(&context, query);
	list = raw_parser(query, RAW_PARSE_DEFAULT);
	PopQueryErrorContext(&context);

	if (list == NIL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("query is empty"),
						errhint("Give the text of one SELECT, VALUES, TABLE or WITH statement.")));
	if (list_length(list) > 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("cannot cache more than one statement"),
						errdetail("The query text has %d statements.", list_length(list)),
						errhint("Give each statement a call of its own.")));
	statement.raw = linitial_node(RawStmt, list);
	if (!IsA(statement.raw->stmt, SelectStmt) || HasInto(statement.raw->stmt))
		NotASelect(statement.raw->stmt);
	statement.highest_param = HighestParam(statement.raw);
	if (statement.highest_param > kMaxParameters)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_PARAMETER),
						errmsg("there is no parameter $%d", statement.highest_param),
						errdetail("A query has at most %d parameters.", kMaxParameters),
						errhint("Pass many values as one array: = ANY($1).")));
	return statement;
}

void
InferParameters(const Statement &statement, Oid *types, int count)
{
	bool unknown = false;
	QueryErrorContext context;

	if (statement.highest_param != count)
		WrongCount(statement.highest_param, count);
	for (int i = 0; i < count; i++)
		unknown = unknown || types[i] == UNKNOWNOID;
	if (!unknown)
		return;

	/* As a client's Parse message without types: analysis of a copy tells them. */
	Oid *inferred = NewArray<Oid>(count);
	int inferred_count = count;

	memcpy(inferred, types, sizeof(Oid) * count);
	PushQueryErrorContext(&context, statement.query);
	AnalyzeForTypes(statement, &inferred, &inferred_count);
	PopQueryErrorContext(&context);
	/* where nothing tells, a literal would be text */
	for (int i = 0; i < count; i++)
		types[i] = inferred[i] == InvalidOid || inferred[i] == UNKNOWNOID ? TEXTOID : inferred[i];
}

void
RefuseLocksAndWrites(List *queries)
{
	ListCell *cell;

	foreach (cell, queries)
		RefuseLocksIn(static_cast<Node *>(lfirst(cell)), nullptr);
}

bool
CallsUserCode(List *queries)
{
	ListCell *cell;

	foreach (cell, queries)
	{
		if (WalkUserCode(static_cast<Node *>(lfirst(cell)), nullptr))
			return true;
	}
	return false;
}

} // namespace cq
