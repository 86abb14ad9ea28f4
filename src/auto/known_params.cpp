/*
 * known_params.cpp
 *		The parameters that a statement uses, and their values.
 *
 * Part of known.h.
 */
#include "pg.h"
#include "auto/known.h"
#include "query/findings.h"
#include "query/statement.h"

extern "C" {
#include "parser/parser.h"
}

namespace cq
{
namespace
{

struct ParamWalk
{
	Bitmapset *numbers;
	List *types; /* by number - 1, InvalidOid: not met */
};

bool
WalkParams(Node *node, void *arg)
{
	ParamWalk *walk = static_cast<ParamWalk *>(arg);

	if (node == nullptr)
		return false;
	if (IsA(node, Query))
		return compat::WalkQuery(reinterpret_cast<Query *>(node), WalkParams, arg, 0);
	if (IsA(node, Param) && reinterpret_cast<Param *>(node)->paramkind == PARAM_EXTERN)
	{
		const Param *param = reinterpret_cast<Param *>(node);

		while (list_length(walk->types) < param->paramid)
			walk->types = lappend_oid(walk->types, InvalidOid);
		lfirst_oid(list_nth_cell(walk->types, param->paramid - 1)) = param->paramtype;
		walk->numbers = bms_add_member(walk->numbers, param->paramid);
		return false;
	}
	return compat::WalkExpression(node, WalkParams, arg);
}

/* Is the text a statement on its own, not that of a PREPARE or a function's? */
bool
IsOneSelect(const char *text, int params)
{
	MemoryContext scratch =
		AllocSetContextCreate(CurrentMemoryContext, "CachedQueryParse", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(scratch);
	const List *list = raw_parser(text, RAW_PARSE_DEFAULT);
	const bool is_select = list_length(list) == 1 &&
						   IsA(linitial_node(RawStmt, list)->stmt, SelectStmt) &&
						   HighestParam(linitial_node(RawStmt, list)) == params;

	MemoryContextSwitchTo(caller);
	MemoryContextDelete(scratch);
	return is_select;
}

} // namespace

void
FindParameters(Known *known)
{
	ParamWalk walk = {};
	ParamTraits traits;
	int i = 0;

	WalkParams(reinterpret_cast<Node *>(known->tree), &walk);
	known->used = walk.numbers;
	known->param_count = bms_num_members(walk.numbers);
	known->params = NewArray<Oid>(known->param_count);
	known->forms = NewArray<ParamForm>(known->param_count);
	for (int number = -1; (number = bms_next_member(walk.numbers, number)) >= 0; i++)
	{
		known->params[i] = list_nth_oid(walk.types, number - 1);
		get_typlenbyval(known->params[i], &known->forms[i].length, &known->forms[i].by_value);
	}
	traits = TraitsOf(known->params, known->param_count);
	known->params_refused = traits.refused;
	/* a text is run again with $1 to $n, all of them */
	known->params_lasting = traits.lasting && list_length(walk.types) == known->param_count &&
							IsOneSelect(known->text, known->param_count);
	if (traits.refused > 0)
		RefuseBoth(&known->findings, Reason::record_parameter, psprintf("$%d", traits.refused));
}

bool
UsedParams(const Known *known, ParamListInfo all, bool speculative, ParamListInfo *used)
{
	int i = 0;

	*used = nullptr;
	if (known->param_count == 0)
		return true;
	if (all == nullptr)
		return false;
	*used = makeParamList(known->param_count);
	for (int number = -1; (number = bms_next_member(known->used, number)) >= 0; i++)
	{
		ParamExternData workspace;
		const ParamExternData *param;

		if (number > all->numParams)
			return false;
		param = all->paramFetch != nullptr ? all->paramFetch(all, number, speculative, &workspace)
										   : &all->params[number - 1];
		if (param->ptype != known->params[i])
			return false;
		(*used)->params[i] = *param;
	}
	return true;
}

} // namespace cq
