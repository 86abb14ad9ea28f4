/*
 * pin_values.cpp
 *		The value that a qual compares a key with, if it is the same all over the run.
 *
 * It is a constant, a parameter, what an init plan has found, or an expression of functions of PostgreSQL's, as
 * current_setting() in a policy.
 *
 * Part of watch.h.
 */
#include "pg.h"
#include "query/inside.h"
#include "validity/pin_values.h"
#include "validity/scan_quals.h"
#include "validity/watch.h"

extern "C" {
#include "optimizer/optimizer.h"
#include "utils/datum.h"
}

namespace cq
{
namespace
{

/* Where values come from. */
struct Source
{
	Watch *watch;
	EState *estate;
	const Bitmapset *constants; /* numbers of parameters that init plans have set once */
};

bool
IsUsers(Oid function, void *)
{
	return function >= FirstUnpinnedObjectId;
}

/* Is there anything in it that is not known to be the same all over the run?  What isn't on the list is. */
bool
IsMoving(Node *node, void *arg)
{
	if (node == nullptr)
		return false;
	switch (nodeTag(node))
	{
	case T_Param:
		return reinterpret_cast<Param *>(node)->paramkind != PARAM_EXTERN;
	case T_Const:
	case T_FuncExpr:
	case T_OpExpr:
	case T_ScalarArrayOpExpr:
	case T_NullIfExpr:
	case T_BoolExpr:
	case T_NullTest:
	case T_RelabelType:
	case T_CoerceViaIO:
	case T_ArrayCoerceExpr:
	case T_ArrayExpr:
	case T_CaseExpr:
	case T_CaseWhen:
	case T_CaseTestExpr:
	case T_CoalesceExpr:
	case T_SQLValueFunction:
	case T_List:
		break;
	default:
		return true;
	}
	return check_functions_in_node(node, IsUsers, nullptr) ||
		   compat::WalkExpression(node, IsMoving, arg);
}

void
Run(const Source &source, Node *node, PinValue *value)
{
	MemoryContext caller = CurrentMemoryContext;
	EState *estate = CreateExecutorState();
	ExprState *state;
	int16 length;
	bool by_value;

	estate->es_param_list_info = source.estate->es_param_list_info;
	state = ExecPrepareExpr(static_cast<Expr *>(copyObjectImpl(node)), estate);
	value->datum = ExecEvalExprSwitchContext(state, GetPerTupleExprContext(estate), &value->null);
	MemoryContextSwitchTo(caller);
	get_typlenbyval(exprType(node), &length, &by_value);
	if (!value->null)
		value->datum = datumCopy(value->datum, by_value, length);
	FreeExecutorState(estate);
}

/* The query may not have come to it, and it may raise an error: then it pins nothing. */
bool
Compute(const Source &source, Node *node, PinValue *value)
{
	if (IsInParallelMode() || IsMoving(node, nullptr) || contain_volatile_functions(node))
		return false;
	return Tried(&source.watch->findings, [&] { Run(source, node, value); });
}

bool
OfParameter(const Source &source, const Param *param, PinValue *value)
{
	ParamListInfo params = source.estate->es_param_list_info;
	ParamExternData room;
	const ParamExternData *found;

	if (params == nullptr || param->paramid < 1 || param->paramid > params->numParams)
		return false;
	found = params->paramFetch != nullptr ? params->paramFetch(params, param->paramid, true, &room)
										  : &params->params[param->paramid - 1];
	if (!OidIsValid(found->ptype) || found->ptype != param->paramtype)
		return false;
	*value = {found->value, found->isnull};
	return true;
}

/* What an init plan has found, if it has run. */
bool
OfInitPlan(const Source &source, const Param *param, PinValue *value)
{
	const ParamExecData *found = &source.estate->es_param_exec_vals[param->paramid];

	if (!bms_is_member(param->paramid, source.constants) || found->execPlan != nullptr)
		return false;
	*value = {found->value, found->isnull};
	return true;
}

} // namespace

bool
IsConstantInRun(const Bitmapset *constants, Node *node)
{
	node = StripRelabel(node);
	if (node != nullptr && IsA(node, Param) &&
		reinterpret_cast<Param *>(node)->paramkind == PARAM_EXEC)
		return bms_is_member(reinterpret_cast<Param *>(node)->paramid, constants);
	return node != nullptr && !IsMoving(node, nullptr) && !contain_volatile_functions(node);
}

bool
ConstantValue(Watch *watch, EState *estate, const Bitmapset *constants, Node *node, PinValue *value)
{
	const Source source = {watch, estate, constants};

	node = StripRelabel(node);
	if (node == nullptr)
		return false;
	if (IsA(node, Const))
	{
		*value = {reinterpret_cast<Const *>(node)->constvalue,
				  reinterpret_cast<Const *>(node)->constisnull};
		return true;
	}
	if (IsA(node, Param))
	{
		const Param *param = reinterpret_cast<Param *>(node);

		return param->paramkind == PARAM_EXTERN
				   ? OfParameter(source, param, value)
				   : param->paramkind == PARAM_EXEC && OfInitPlan(source, param, value);
	}
	return Compute(source, node, value);
}

} // namespace cq
