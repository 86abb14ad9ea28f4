/*
 * environment.cpp
 *		Under which settings and as whom a body runs: SET clauses and SECURITY DEFINER around it.
 */
#include "pg.h"
#include "query/environment.h"

extern "C" {
#include "catalog/pg_collation.h"
}
#include "query/seen.h"

extern "C" {
#include "executor/functions.h"
}

namespace cq
{
namespace
{

constexpr int kMaxEnvironments = 100;

uint64
HashText(const char *text, uint64 seed)
{
	return hash_bytes_extended(reinterpret_cast<const unsigned char *>(text),
							   static_cast<int>(strlen(text)), seed);
}

/* In order of the names; a later value takes an earlier one's place. */
List *
Setting(List *settings, char *name, char *value)
{
	int i = 0;

	while (i < list_length(settings) &&
		   pg_strcasecmp(static_cast<char *>(list_nth(settings, i)), name) < 0)
		i += 2;
	if (i < list_length(settings) &&
		pg_strcasecmp(static_cast<char *>(list_nth(settings, i)), name) == 0)
	{
		lfirst(list_nth_cell(settings, i + 1)) = value;
		return settings;
	}
	settings = list_insert_nth(settings, i, name);
	return list_insert_nth(settings, i + 1, value);
}

bool
SameEnvironment(const Environment &a, const Environment &b)
{
	if (a.id != b.id || a.role != b.role || list_length(a.settings) != list_length(b.settings))
		return false;
	for (int i = 0; i < list_length(a.settings); i++)
	{
		if (strcmp(static_cast<char *>(list_nth(a.settings, i)),
				   static_cast<char *>(list_nth(b.settings, i))) != 0)
			return false;
	}
	return true;
}

/* The one like this; NULL: there are too many. */
const Environment *
Intern(Findings *f, Environment *environment)
{
	ListCell *cell;
	int count = list_length(f->environments);

	environment->id = environment->role;
	foreach (cell, environment->settings)
		environment->id = HashText(static_cast<char *>(lfirst(cell)), environment->id);
	foreach (cell, f->environments)
	{
		const Environment *known = static_cast<Environment *>(lfirst(cell));

		if (SameEnvironment(*known, *environment))
			return known;
	}
	if (count == kMaxEnvironments)
		return nullptr;
	f->environments = lappend(f->environments, environment);
	return environment;
}

} // namespace

const Environment *
EnvironmentWithin(Findings *f, HeapTuple function, bool *known)
{
	Form_pg_proc form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(function));
	bool null;
	Datum config = SysCacheGetAttr(PROCOID, function, Anum_pg_proc_proconfig, &null);
	Environment *inner;
	Datum *elements = nullptr;
	int count = 0;

	*known = true;
	if (null && !form->prosecdef)
		return f->environment;
	inner = NewZeroed<Environment>();
	if (f->environment)
	{
		inner->role = f->environment->role;
		inner->settings = list_copy(f->environment->settings);
	}
	if (form->prosecdef)
		inner->role = form->proowner;
	if (!null)
		deconstruct_array(DatumGetArrayTypeP(config), TEXTOID, -1, false, TYPALIGN_INT, &elements,
						  nullptr, &count);
	for (int i = 0; i < count; i++)
	{
		char *name;
		char *value;

		ParseLongOption(TextDatumGetCString(elements[i]), &name, &value);
		if (value != nullptr)
			inner->settings = Setting(inner->settings, name, value);
	}
	inner = const_cast<Environment *>(Intern(f, inner));
	*known = inner != nullptr;
	return inner;
}

void
Enter(const Environment *environment)
{
	Oid role;
	int security;

	if (environment == nullptr)
		return;
	GetUserIdAndSecContext(&role, &security);
	if (OidIsValid(environment->role))
		SetUserIdAndSecContext(environment->role, security | SECURITY_LOCAL_USERID_CHANGE);
	for (int i = 0; i < list_length(environment->settings); i += 2)
		(void) set_config_option(static_cast<char *>(list_nth(environment->settings, i)),
								 static_cast<char *>(list_nth(environment->settings, i + 1)),
								 superuser() ? PGC_SUSET : PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
}

namespace
{

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

} // namespace

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

} // namespace cq
