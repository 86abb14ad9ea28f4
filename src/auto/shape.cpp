/*
 * shape.cpp
 *		The shape of a statement: its parse tree, with any value for any constant.
 */
#include "pg.h"
#include "auto/shape.h"

extern "C" {
#include "parser/parser.h"
}

namespace cq
{
namespace
{

static_assert(sizeof(ParamRef) <= sizeof(A_Const));

/* Constants and parameters become the same: drivers send the one or the other. */
bool
BlurConstants(Node *node, void *arg)
{
	if (node == nullptr || IsA(node, TypeName))
		return false;
	if (IsA(node, A_Const) || IsA(node, ParamRef))
	{
		ParamRef *place = reinterpret_cast<ParamRef *>(node);

		memset(static_cast<void *>(place), 0, sizeof(*place));
		place->type = T_ParamRef;
		place->location = -1;
		return false;
	}
	return compat::WalkRaw(node, BlurConstants, arg);
}

/* What makes a SELECT one that is always run, at any level; *arg is a text for people. */
bool
FindWrites(Node *node, void *arg)
{
	const char **found = static_cast<const char **>(arg);

	if (node == nullptr)
		return false;
	switch (nodeTag(node))
	{
	case T_IntoClause:
		*found = "it is a SELECT INTO, which makes a table";
		return true;
	case T_LockingClause:
		*found = "it locks rows, by FOR UPDATE or FOR SHARE";
		return true;
	case T_InsertStmt:
	case T_UpdateStmt:
	case T_DeleteStmt:
	case T_MergeStmt:
		*found = "it modifies data in WITH";
		return true;
	default:
		return compat::WalkRaw(node, FindWrites, arg);
	}
}

/* The statement that a command is about. */
Node *
Inner(Node *statement)
{
	if (IsA(statement, ExplainStmt))
		return Inner(reinterpret_cast<ExplainStmt *>(statement)->query);
	if (IsA(statement, PrepareStmt))
		return reinterpret_cast<PrepareStmt *>(statement)->query;
	return statement;
}

} // namespace

Node *
ShapeOf(const char *text)
{
	List *list = raw_parser(text, RAW_PARSE_DEFAULT);
	Node *statement;

	if (list_length(list) != 1)
		return nullptr;
	statement = Inner(linitial_node(RawStmt, list)->stmt);
	if (!IsA(statement, SelectStmt))
		return nullptr;
	BlurConstants(statement, nullptr);
	return statement;
}

const char *
WhyNeverCached(const Node *shape)
{
	const SelectStmt *select = reinterpret_cast<const SelectStmt *>(shape);
	const char *found = nullptr;

	(void) FindWrites(const_cast<Node *>(shape), &found);
	if (found == nullptr && select->op == SETOP_NONE && select->fromClause == NIL &&
		select->valuesLists == NIL)
		found = "it reads no table, view or function in FROM";
	return found;
}

} // namespace cq
