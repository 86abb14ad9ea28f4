/*
 * typed.cpp
 *		Planning: a lone argument of a type like citext keeps its type.
 *
 * PostgreSQL prefers the VARIADIC text[] form of our functions for arguments that it can make text
 * of: that is what untyped ones of drivers need, whose types the query infers.  But a value of citext,
 * char(n), name or a domain is no longer what it was then.  So before a statement is planned, which
 * folds constants, such a call becomes one of the "any" form, with the arguments as they were given;
 * those that are text stay untyped.  A varchar is taken for text: it has no operators of its own,
 * and JDBC and others send all strings as such.  What is stored, a view for example, isn't changed.
 *
 * Part of scan.h.
 */
#include "pg.h"
#include "base/oid_table.h"
#include "settings.h"
#include "call/signature.h"
#include "scan/scan.h"

extern "C" {
#include "utils/fmgroids.h"
}

namespace cq
{
namespace
{

struct TypedForm
{
	Oid oid;   /* of a function */
	Oid typed; /* the same with VARIADIC "any"; invalid: it is no text[] form of ours */
};

OidTable<TypedForm> forms = {"cached_query forms", nullptr, 0};

TypedForm
ReadTypedForm(Oid function)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	TypedForm read = {function, InvalidOid};

	if (!HeapTupleIsValid(tuple))
		return read;

	Form_pg_proc form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));
	const Signature *signature = form->pronargs > 0 ? SignatureBoundBy(tuple) : nullptr;

	if (signature != nullptr && signature->Has(kInfersTypes))
	{
		oidvector *types = buildoidvector(form->proargtypes.values, form->pronargs);

		types->values[form->pronargs - 1] = ANYOID;
		read.typed =
			GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, NameGetDatum(&form->proname),
							PointerGetDatum(types), ObjectIdGetDatum(form->pronamespace));
		pfree(types);
	}
	ReleaseSysCache(tuple);
	return read;
}

Oid
TypedFormOf(Oid function)
{
	return forms.FindOrRead(function, ReadTypedForm).typed;
}

bool
IsText(Oid type)
{
	return type == TEXTOID || type == VARCHAROID;
}

/* Of the call's arguments: did one have a type of its own before it was made text? */
bool
LosesType(const ArrayExpr *array)
{
	ListCell *cell;

	foreach (cell, array->elements)
	{
		if (!IsText(exprType(strip_implicit_coercions(static_cast<Node *>(lfirst(cell))))))
			return true;
	}
	return false;
}

/* What the query infers the type of. */
Node *
Untyped(Node *text)
{
	return reinterpret_cast<Node *>(makeFuncExpr(F_TEXTOUT, CSTRINGOID, list_make1(text),
												 InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL));
}

void
KeepTypes(FuncExpr *call)
{
	ArrayExpr *array;
	Oid typed;
	ListCell *cell;

	if (call->funcid < FirstNormalObjectId || call->args == NIL || !call->funcvariadic ||
		!IsA(llast(call->args), ArrayExpr))
		return;
	array = static_cast<ArrayExpr *>(llast(call->args));
	/* ARRAY[..] that was written out begins before its first element */
	if (array->location != exprLocation(reinterpret_cast<Node *>(array->elements)) ||
		!LosesType(array))
		return;
	typed = TypedFormOf(call->funcid);
	if (!OidIsValid(typed))
		return;
	call->funcid = typed;
	call->funcvariadic = false;
	call->args = list_truncate(list_copy(call->args), list_length(call->args) - 1);
	foreach (cell, array->elements)
	{
		Node *text = static_cast<Node *>(lfirst(cell));
		Node *given = strip_implicit_coercions(text);

		call->args = lappend(call->args, IsText(exprType(given)) ? Untyped(text) : given);
	}
}

bool
WalkCalls(Node *node, void *arg)
{
	if (node == nullptr)
		return false;
	if (IsA(node, Query))
		return compat::WalkQuery(reinterpret_cast<Query *>(node), WalkCalls, arg, 0);
	if (IsA(node, FuncExpr))
		KeepTypes(reinterpret_cast<FuncExpr *>(node));
	return compat::WalkExpression(node, WalkCalls, arg);
}

} // namespace

void
ForgetTypedForms()
{
	forms.ForgetAll();
}

/* The planner may change the tree that it gets, so we may. */
void
KeepArgumentTypes(Query *query)
{
	if (preloaded && query->commandType != CMD_UTILITY)
		WalkCalls(reinterpret_cast<Node *>(query), nullptr);
}

} // namespace cq
