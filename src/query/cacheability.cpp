/*
 * cacheability.cpp
 *		May this query's answer be kept, what does it depend on, and for whom is it good?
 *
 * The walker sees rewritten Query trees.  A first finding wins: reasons are not ranked, but a
 * reason against ttl is one against exact, too.
 */
#include "pg.h"
#include "query/body.h"
#include "query/catalog.h"
#include "query/fingerprint.h"
#include "query/functions.h"
#include "query/cacheability.h"
#include "settings.h"

extern "C" {
#include "access/nbtree.h"
#include "catalog/pg_am.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_language.h"
#include "commands/proclang.h"
#include "optimizer/clauses.h"
#include "parser/parse_coerce.h"
#include "rewrite/rewriteHandler.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/formatting.h"
#include "utils/regproc.h"
#include "utils/rel.h"
}

#include <initializer_list>

namespace cq
{

namespace
{

/* The findings outlive what is current while a body is judged. */
char *
Keep(const Findings *f, const char *text)
{
	if (text == nullptr)
		return nullptr;
	return MemoryContextStrdup(f->context ? f->context : CurrentMemoryContext, text);
}

} // namespace

void
RefuseBoth(Findings *f, Reason reason, const char *detail)
{
	if (f->ttl == Reason::hit)
	{
		f->ttl = reason;
		f->ttl_detail = Keep(f, detail);
	}
	RefuseExact(f, reason, detail);
}

void
NoteClock(Findings *f, const char *detail)
{
	f->clock = true;
	RefuseExact(f, Reason::time_function, detail);
}

void
RefuseExact(Findings *f, Reason reason, const char *detail)
{
	if (f->exact == Reason::hit)
	{
		f->exact = reason;
		f->exact_detail = Keep(f, detail);
	}
}

/*
 * Rows from code of another module: the other server may know the role by a name of its own, read
 * settings, and show what the transaction saw first.  What it reads here is watched.
 */
void
JudgeOpaque(Findings *f, Reason reason, const char *detail)
{
	f->opaque = f->foreign = true;
	f->everything = f->role = f->session_role = f->regional = f->customized = f->search_path = true;
	f->clock = true;
	RefuseExact(f, reason, detail);
}

/* Who can say what it reads? */
void
NotUnderstood(Findings *f, const char *detail)
{
	f->everything = true;
	f->role = f->session_role = f->regional = f->customized = f->search_path = f->names = f->late =
		true;
	RefuseExact(f, Reason::untrusted_function, detail);
}

namespace
{

/* More than any real query needs; a walk over them takes some 10 ms. */
constexpr int kMaxPending = 20000;
constexpr int kMaxBodies = 1000;

/* Not refused for ttl: cached_query.nondeterministic decides. */
void
NoteVolatile(Findings *f, const char *detail)
{
	if (f->volatile_detail == nullptr && !f->nested)
		f->volatile_detail =
			Keep(f, detail); /* inside, a function that calls itself STABLE is believed */
	RefuseExact(f, Reason::volatile_function, detail);
}

/* To be judged by FollowUp(): a walk doesn't go into bodies and types, or it could go too deep. */
void
Defer(Findings *f, Thing thing, Oid oid, uint64 variant = 0, bool nested = true,
	  FuncExpr *call = nullptr, bool believed = false)
{
	MemoryContext caller = MemoryContextSwitchTo(f->context);
	Pending *item = static_cast<Pending *>(palloc(sizeof(Pending)));

	*item = {thing, oid, variant, nested, believed || f->believed, call, f->environment};
	f->pending = lappend(f->pending, item);
	MemoryContextSwitchTo(caller);
}

char *
FunctionDetail(Oid function)
{
	return psprintf("function %s", format_procedure(function));
}

/*
 * May a body that isn't read look names up while it runs?  C code that is declared IMMUTABLE is believed
 * not to; what a parsed body calls is told by the plans that run.
 */
bool
MayLookUp(Oid function, Oid language, char volatility)
{
	if (volatility == PROVOLATILE_IMMUTABLE &&
		(language == ClanguageId || language == INTERNALlanguageId))
		return false;
	return !BodyIsTree(function);
}

/*
 * Do what walks into code that is believed to read nothing and to return the same for ever: IMMUTABLE or
 * trusted.  That holds as long as what it is made of stays the same: what it calls, the types it has, what
 * names in it mean.  So this is noted, and nothing else of what is met.
 */
template <typename Work>
void
Believing(Findings *f, Work work)
{
	const Findings before = *f;
	Findings after;

	f->believed = true;
	f->seen = before.seen_believed;
	f->types = before.types_believed;
	work();
	after = *f;
	*f = before;
	f->seen_believed = after.seen;
	f->types_believed = after.types;
	f->functions = after.functions;
	f->rowtypes = after.rowtypes;
	f->names_late = after.names_late;
	f->late = after.late;
	f->text_search = after.text_search;
	f->fleeting = after.fleeting;
	f->kept_old = after.kept_old;
	f->environments = after.environments;
	f->pending = after.pending;
}

/* Its body, if that can be read. */
void
JudgeCode(Findings *f, Oid function, char volatility)
{
	const Oid language = FunctionLanguage(function);
	const bool readable =
		language == SQLlanguageId || language == get_language_oid("plpgsql", true);
	const bool believed =
		f->believed || volatility == PROVOLATILE_IMMUTABLE || TrustedFunction(function);
	Seen *seen = believed && !f->believed ? &f->seen_believed : &f->seen;
	FuncExpr *call;
	uint64 variant;

	if (believed)
	{
		f->unread = f->unread || language != ClanguageId;
		f->late = f->late || (!readable && MayLookUp(function, language, volatility));
	}
	else if (!readable)
		NotUnderstood(f, FunctionDetail(function));
	if (!readable)
		return;
	variant = BodyVariant(f, function, &call);
	if (FirstTime(seen, Thing::body, function, variant))
		Defer(f, Thing::body, function, variant, true, call, believed);
}

/* Code in another language may make text of rows and of values of any type that it gets. */
bool
MayMakeText(Oid function)
{
	const Oid language = FunctionLanguage(function);
	Oid *types;
	int count;

	if (language == SQLlanguageId || language == get_language_oid("plpgsql", true))
		return false;
	(void) get_func_signature(function, &types, &count);
	for (int i = 0; i < count; i++)
	{
		if (IsPolymorphicType(types[i]) || types[i] == RECORDOID || types[i] == ANYOID)
			return true;
	}
	return false;
}

/* Everything that a user's function could do is assumed of it, within its declared volatility. */
void
JudgeUserFunction(Findings *f, Oid function, char volatility)
{
	f->user_function = true;
	f->role = true;
	f->session_role = true;
	f->regional = true;
	f->customized = true;
	f->search_path = true;
	f->names = true;
	f->folded = f->folded || volatility == PROVOLATILE_IMMUTABLE;
	if (FirstTime(&f->seen, Thing::object, function))
		f->functions = lappend_oid(f->functions, function);

	if (volatility == PROVOLATILE_VOLATILE && !f->nested && !TrustedFunction(function))
		NoteVolatile(f, FunctionDetail(function));
	f->makes_text = f->makes_text || MayMakeText(function);
	JudgeCode(f, function, volatility);
}

/* By its list; what is on none reads everything. */
void
JudgeList(Findings *f, Oid function, BuiltinList list)
{
	switch (list)
	{
	case BuiltinList::pure:
	case BuiltinList::compares:
	case BuiltinList::session: /* refused already */
		return;
	case BuiltinList::prints:
		f->makes_text = true;
		f->regional = true;
		return;
	case BuiltinList::regional:
	case BuiltinList::reads: /* what it reads into is judged with the call */
		f->regional = true;
		return;
	case BuiltinList::clock:
		f->regional = true;
		NoteClock(f, FunctionDetail(function));
		return;
	case BuiltinList::names:
		f->search_path = true;
		f->names = f->late = true;
		f->regional = true;
		[[fallthrough]];
	case BuiltinList::role:
		f->role = true;
		f->session_role = true;
		f->catalogs = true;
		RefuseExact(f, Reason::dep_catalog, FunctionDetail(function));
		return;
	case BuiltinList::catalog:
		f->role = true;
		f->regional = true;
		f->catalogs = true;
		RefuseExact(f, Reason::dep_catalog, FunctionDetail(function));
		return;
	case BuiltinList::setting: /* by an operator, say: of whatever name */
	case BuiltinList::opaque:
	case BuiltinList::none:
		f->user_function = true;
		f->catalogs = true;
		NotUnderstood(f, FunctionDetail(function));
		return;
	}
}

void
JudgeBuiltin(Findings *f, Oid function, char volatility)
{
	BuiltinList list;

	if (!FirstTime(&f->seen, Thing::builtin, function, f->nested))
		return;
	list = ListOf(function);
	if (list == BuiltinList::session)
		RefuseBoth(f, Reason::session_function, FunctionDetail(function));
	else if (volatility == PROVOLATILE_VOLATILE)
		NoteVolatile(f, FunctionDetail(function));
	JudgeList(f, function, list);
	if (function == F_CURRENT_SCHEMA || function == F_CURRENT_SCHEMAS)
		f->temp_schema = true;

	/* the planner may evaluate it, under the settings of that time */
	if (volatility == PROVOLATILE_IMMUTABLE && list != BuiltinList::pure &&
		list != BuiltinList::compares)
		f->folded = true;
}

void JudgeAggregate(Findings *f, Oid function);

/* check_functions_in_node callback; never ends the walk. */
bool
JudgeFunction(Oid function, void *arg)
{
	Findings *f = static_cast<Findings *>(arg);
	char volatility;
	char kind;
	bool has_acl;

	if (!FunctionFacts(function, &volatility, &kind, &has_acl))
		return false; /* dropped meanwhile: running the query will tell */

	/* A hit skips the executor's EXECUTE check, so a restricted function is for its callers. */
	if (has_acl)
		f->role = f->restricted = true;
	f->text_search = f->text_search || UsesTextSearch(function);
	if (function >= FirstUnpinnedObjectId)
		JudgeUserFunction(f, function, volatility);
	else if (kind != PROKIND_AGGREGATE)
		JudgeBuiltin(f, function, volatility);
	if (kind == PROKIND_AGGREGATE)
		JudgeAggregate(f, function);
	return false;
}

/* As PostgreSQL does it, an aggregate is as volatile as it says; what its parts do counts, too. */
void
JudgeAggregate(Findings *f, Oid function)
{
	const bool nested = f->nested;
	Node *call = f->call;

	f->nested = true;
	VisitAggregateParts(
		function,
		call && IsA(call, Aggref) && function >= FirstUnpinnedObjectId
			? reinterpret_cast<Aggref *>(call)
			: nullptr,
		[](Oid part, Node *part_call, void *arg) {
			Findings *inner = static_cast<Findings *>(arg);

			inner->call = part_call;
			JudgeFunction(part, inner);
		},
		f);
	f->nested = nested;
	f->call = call;
}

bool Walk(Node *node, void *arg);

/* A view that a function reads: what the view's query calls. */
void
WalkView(Findings *f, Oid view)
{
	Relation relation = try_relation_open(view, AccessShareLock);

	if (relation == nullptr)
		return;
	if (relation->rd_rel->relkind == RELKIND_VIEW && relation->rd_rel->relhasrules)
		Walk(reinterpret_cast<Node *>(get_view_query(relation)), f);
	relation_close(relation, NoLock);
}

/* Types whose values are OIDs and whose text is names, with a schema if the path requires one. */
bool
TextIsNames(Oid type)
{
	return type < FirstUnpinnedObjectId && get_typtype(type) == TYPTYPE_BASE &&
		   ListOf(OutputFunction(type, false)) == BuiltinList::names;
}

/* Types whose input functions read settings, the clock or names. */
bool
InputDependsOnSettings(Oid type)
{
	Oid element;
	Oid input;
	Oid parameter;

	type = getBaseType(type);
	element = get_element_type(type);
	if (OidIsValid(element))
		return InputDependsOnSettings(element);
	if (type_is_range(type))
		return InputDependsOnSettings(get_range_subtype(type));
	if (type_is_multirange(type))
		return InputDependsOnSettings(get_multirange_range(type));
	if (type_is_rowtype(type) || type >= FirstUnpinnedObjectId)
		return !type_is_enum(type);
	if (get_typtype(type) == TYPTYPE_PSEUDO)
		return false;
	getTypeInputInfo(type, &input, &parameter);
	return ListOf(input) != BuiltinList::pure;
}

/* A time of day with no date has the offset that its zone has today: a word like 'today' isn't needed. */
bool
InputDependsOnDay(Oid type)
{
	TupleDesc desc;
	bool found = false;

	check_stack_depth();
	type = getBaseType(type);
	if (OidIsValid(get_element_type(type)))
		return InputDependsOnDay(get_element_type(type));
	if (type_is_range(type))
		return InputDependsOnDay(get_range_subtype(type));
	if (type_is_multirange(type))
		return InputDependsOnDay(get_multirange_range(type));
	if (!type_is_rowtype(type) || type == RECORDOID)
		return type == TIMETZOID;
	desc = lookup_rowtype_tupdesc_copy(type, -1);
	for (int i = 0; i < desc->natts && !found; i++)
		found = !TupleDescAttr(desc, i)->attisdropped &&
				InputDependsOnDay(TupleDescAttr(desc, i)->atttypid);
	FreeTupleDesc(desc);
	return found;
}

/* What kind of literal one of this type is. */
Thing
KindOfLiteral(Findings *f, Oid type)
{
	Thing kind = Thing::plain;

	for (Thing known : {Thing::plain, Thing::moving, Thing::daily})
	{
		if (HasMet(f->seen, known, type))
			return known;
	}
	if (InputDependsOnSettings(type))
		kind = InputDependsOnDay(type) ? Thing::daily : Thing::moving;
	(void) FirstTime(&f->seen, kind, type);
	return kind;
}

void
JudgeLiteral(Findings *f, Oid type)
{
	const Thing kind = KindOfLiteral(f, type);

	f->literals = f->literals || kind != Thing::plain;
	f->daily = f->daily || kind == Thing::daily;
}

/* A built-in type: are there names in its text?  A catalog's row nearly always has such a column. */
void
JudgeText(Findings *f, Oid type)
{
	if (TextIsNames(type) || TextIsNames(get_element_type(type)) ||
		get_typtype(type) == TYPTYPE_COMPOSITE)
		f->name_values = true;
}

/* A type that isn't built in is named by the text, may be temporary, and may be altered. */
void
JudgeType(Findings *f, Oid type)
{
	if (type < FirstUnpinnedObjectId && FirstTime(&f->seen, Thing::names, type, f->nested))
		JudgeText(f, type);
	if (f->nested && f->name_values)
		f->late = true; /* 'x'::regclass in a body means what it means then */
	if (type < FirstUnpinnedObjectId || !FirstTime(&f->seen, Thing::type, type))
		return;
	f->types = lappend_oid(f->types, type);
	if (f->nested)
		NoteLateName(f, exact::NameKind::type, NameOfType(type));
	Defer(f, Thing::type, type);
}

/* visit() for the type of each column. */
void
VisitColumns(Findings *f, Oid type, void (*visit)(Findings *f, Oid type))
{
	TupleDesc desc = lookup_rowtype_tupdesc_copy(type, -1);

	for (int i = 0; i < desc->natts; i++)
	{
		if (!TupleDescAttr(desc, i)->attisdropped)
			visit(f, TupleDescAttr(desc, i)->atttypid);
	}
	FreeTupleDesc(desc);
}

/* The columns of a composite type, which ALTER TYPE .. ALTER ATTRIBUTE can change. */
void
JudgeRowType(Findings *f, Oid type)
{
	Oid relation = get_typ_typrelid(type);

	if (!FirstTime(&f->seen, Thing::rowtype, relation))
		return;
	f->rowtypes = lappend_oid(f->rowtypes, relation);
	VisitColumns(f, type, JudgeType);
}

void
JudgeIfUsers(Findings *f, Oid function)
{
	if (function >= FirstUnpinnedObjectId)
		JudgeFunction(function, f);
}

/* What sorts, groups or compares by this operator calls. */
void
JudgeOperator(Findings *f, Oid op)
{
	Oid family;
	Oid input;
	Oid hashes[2] = {};

	if (!OidIsValid(op))
		return;
	JudgeIfUsers(f, get_opcode(op));
	if (compat::OrderingFamily(op, &family, &input))
		JudgeIfUsers(f, get_opfamily_proc(family, input, input, BTORDER_PROC));
	if (get_op_hash_functions(op, &hashes[0], &hashes[1]))
	{
		JudgeIfUsers(f, hashes[0]);
		JudgeIfUsers(f, hashes[1]);
	}
}

/*
 * What no node names: arrays and records are compared by the default operators of what is in them,
 * and so are GREATEST and DISTINCT; a user's cast to json is what to_json() and its kin call.
 */
void
JudgeImplied(Findings *f, Oid type)
{
	TypeCacheEntry *entry = lookup_type_cache(
		type, TYPECACHE_EQ_OPR | TYPECACHE_LT_OPR | TYPECACHE_GT_OPR | TYPECACHE_CMP_PROC |
				  TYPECACHE_HASH_PROC | TYPECACHE_HASH_EXTENDED_PROC);
	const Oid functions[] = {get_opcode(entry->eq_opr), get_opcode(entry->lt_opr),
							 get_opcode(entry->gt_opr), entry->cmp_proc,
							 entry->hash_proc,          entry->hash_extended_proc};
	Oid cast;

	for (Oid function : functions)
		JudgeIfUsers(f, function);
	if (find_coercion_pathway(JSONOID, type, COERCION_EXPLICIT, &cast) == COERCION_PATH_FUNC)
		JudgeFunction(cast, f);
}

/* What a type is made of. */
void
JudgeParts(Findings *f, Oid type)
{
	Oid part;

	if (isAnyTempNamespace(TypeNamespace(type)))
		RefuseBoth(f, Reason::temp_relation, psprintf("type %s", format_type_be(type)));

	part = getBaseType(type);
	if (part != type)
		JudgeType(f, part);
	part = get_element_type(type);
	if (OidIsValid(part))
		JudgeType(f, part);
	if (type_is_range(type))
		JudgeType(f, get_range_subtype(type));
	if (type_is_multirange(type))
		JudgeType(f, get_multirange_range(type));
	if (type_is_rowtype(type) && get_typtype(type) == TYPTYPE_COMPOSITE)
		JudgeRowType(f, type);
	JudgeImplied(f, type);
}

/* The CHECK constraints of a domain may call anything. */
void
JudgeDomain(Findings *f, Oid type)
{
	if (!FirstTime(&f->seen, Thing::domain, type) || !compat::HasDomainConstraints(type))
		return;
	f->role = f->session_role = f->regional = f->customized = f->search_path = f->names =
		f->user_function = true;
	Defer(f, Thing::domain, type);
}

/*
 * Those of the domains it is made of, too; as they were written, for what the session keeps of them
 * has functions inlined that may be others by now.
 */
void
JudgeChecks(Findings *f, Oid type)
{
	for (List *checks = ChecksOf(type); checks != NIL; checks = list_delete_first(checks))
		Walk(static_cast<Node *>(stringToNode(static_cast<char *>(linitial(checks)))), f);
}

/* Defaults of the arguments that a call doesn't give. */
void
JudgeDefaults(Findings *f, const Pending *item)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(item->oid));
	Datum trees;
	bool null;
	List *defaults;
	ListCell *cell;
	int argument;

	if (!HeapTupleIsValid(tuple))
		return;
	trees = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proargdefaults, &null);
	argument = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple))->pronargs;
	defaults = null ? NIL : static_cast<List *>(stringToNode(TextDatumGetCString(trees)));
	ReleaseSysCache(tuple);
	argument -= list_length(defaults);
	foreach (cell, defaults)
	{
		/* beyond 64 it is taken for one that isn't given */
		if (argument >= 64 || !(item->variant & (UINT64CONST(1) << argument)))
			Walk(static_cast<Node *>(lfirst(cell)), f);
		argument++;
	}
}

/*
 * A value that is read from text while the query runs, by an input function that no node names:
 * the text may say 'today', and mean one day or another with the settings.
 */
void
JudgeInput(Findings *f, Oid type)
{
	JudgeType(f, type);
	if (FirstTime(&f->seen, Thing::input, type))
		Defer(f, Thing::input, type);
}

/* What reading it calls. */
void
JudgeReading(Findings *f, Oid type)
{
	Oid base = getBaseType(type);
	Oid element = get_element_type(base);
	Oid input;
	Oid parameter;

	if (base != type)
		JudgeDomain(f, type);
	if (OidIsValid(element))
		JudgeInput(f, element);
	else if (type_is_range(base))
		JudgeInput(f, get_range_subtype(base));
	else if (type_is_multirange(base))
		JudgeInput(f, get_multirange_range(base));
	else if (!type_is_rowtype(base))
	{
		getTypeInputInfo(base, &input, &parameter);
		JudgeFunction(input, f);
	}
	else if (base != RECORDOID) /* whose columns are in a list of their own */
		VisitColumns(f, base, JudgeInput);
}

void
JudgeInputs(Findings *f, List *types)
{
	ListCell *cell;

	foreach (cell, types)
	{
		if (OidIsValid(lfirst_oid(cell))) /* FOR ORDINALITY has none in 15 */
			JudgeInput(f, lfirst_oid(cell));
	}
}

/* A value that is written as text while the query runs, by an output function no node names. */
void
JudgeOutput(Findings *f, Oid type)
{
	f->makes_text = true;
	JudgeType(f, type);
	if (FirstTime(&f->seen, Thing::output, type))
		Defer(f, Thing::output, type);
}

/* What writing it calls. */
void
JudgeWriting(Findings *f, Oid type)
{
	Oid base = getBaseType(type);
	Oid element = get_element_type(base);

	if (OidIsValid(element))
		JudgeOutput(f, element);
	else if (type_is_range(base))
		JudgeOutput(f, get_range_subtype(base));
	else if (type_is_multirange(base))
		JudgeOutput(f, get_multirange_range(base));
	else if (base == RECORDOID || base == RECORDARRAYOID)
		f->regional = f->folded = true; /* the types of its columns are elsewhere in the query */
	else if (type_is_rowtype(base))
		VisitColumns(f, base, JudgeOutput);
	else
		JudgeFunction(OutputFunction(base, false), f);
}

/* What it is made of, each once. */
List *
PartsOf(Oid type, List *parts)
{
	TupleDesc desc;

	if (OidIsValid(get_element_type(type)))
		return list_append_unique_oid(parts, get_element_type(type));
	if (type_is_range(type))
		return list_append_unique_oid(parts, get_range_subtype(type));
	if (type_is_multirange(type))
		return list_append_unique_oid(parts, get_multirange_range(type));
	if (get_typtype(type) == TYPTYPE_DOMAIN)
		return list_append_unique_oid(parts, getBaseType(type));
	if (get_typtype(type) != TYPTYPE_COMPOSITE)
		return parts;
	desc = lookup_rowtype_tupdesc_copy(type, -1);
	for (int i = 0; i < desc->natts; i++)
	{
		if (TupleDescAttr(desc, i)->atttypid >= FirstUnpinnedObjectId &&
			!TupleDescAttr(desc, i)->attisdropped)
			parts = list_append_unique_oid(parts, TupleDescAttr(desc, i)->atttypid);
	}
	FreeTupleDesc(desc);
	return parts;
}

/* Is a value of it checked by the constraints of a domain in it when it is read from text? */
bool
ReadsThroughChecks(Oid type)
{
	constexpr int kMaxParts = 1000;
	List *parts;

	if (type < FirstUnpinnedObjectId)
		return false;
	parts = list_make1_oid(type);
	for (int i = 0; i < list_length(parts); i++)
	{
		const Oid part = list_nth_oid(parts, i);

		CHECK_FOR_INTERRUPTS();
		if (i == kMaxParts ||
			(get_typtype(part) == TYPTYPE_DOMAIN && compat::HasDomainConstraints(part)))
			return true;
		parts = PartsOf(part, parts);
	}
	list_free(parts);
	return false;
}

/* Built-in functions that fill a row, or what a column list says, from the text in a document. */
bool
ReadsText(Oid function)
{
	return function < FirstUnpinnedObjectId && ListOf(function) == BuiltinList::reads;
}

/* A setting that only some roles may read is for them. */
void
JudgeSetting(Findings *f, char *name)
{
	f->settings = lappend(f->settings, name);
	if (GetConfigOptionFlags(name, true) & GUC_SUPERUSER_ONLY)
		f->role = true;
}

/*
 * current_setting('x') puts x into the key; with a name that isn't constant it could be anything.
 */
bool
JudgeCurrentSetting(Findings *f, FuncExpr *call)
{
	Node *name;

	if (call->funcid != F_CURRENT_SETTING_TEXT && call->funcid != F_CURRENT_SETTING_TEXT_BOOL)
		return false;
	name = static_cast<Node *>(linitial(call->args));
	if (!IsA(name, Const) || reinterpret_cast<Const *>(name)->constisnull)
		NotUnderstood(f, "current_setting() of a name that is not constant");
	else
		JudgeSetting(f, TextDatumGetCString(reinterpret_cast<Const *>(name)->constvalue));
	return true;
}

void
JudgeSqlValue(Findings *f, SQLValueFunction *value)
{
	switch (value->op)
	{
	case SVFOP_CURRENT_ROLE:
	case SVFOP_CURRENT_USER:
	case SVFOP_USER:
		f->role = true;
		break;
	case SVFOP_SESSION_USER:
		f->session_role = true;
		break;
	case SVFOP_CURRENT_CATALOG:
		break; /* the database is always in the key */
	case SVFOP_CURRENT_SCHEMA:
		f->search_path = f->temp_schema = true;
		f->names = f->late = true;
		break;
	default:
		f->regional = true; /* CURRENT_DATE, LOCALTIME.. go through TimeZone */
		NoteClock(f, "the current date or time");
	}
}

void
JudgeColumnLists(Findings *f, List *functions)
{
	ListCell *cell;

	foreach (cell, functions)
	{
		RangeTblFunction *function = lfirst_node(RangeTblFunction, cell);

		if (IsA(function->funcexpr, FuncExpr) &&
			ReadsText(reinterpret_cast<FuncExpr *>(function->funcexpr)->funcid))
			JudgeInputs(f, function->funccoltypes);
	}
}

void
JudgeRangeTable(Findings *f, Query *query)
{
	ListCell *cell;

	foreach (cell, query->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, cell);

		if (rte->rtekind == RTE_RELATION)
		{
			const Oid owner = compat::ReadAs(query, rte);

			if (OidIsValid(owner))
			{
				if (FirstTime(&f->seen, Thing::owner, owner))
					f->owners = lappend_oid(f->owners, owner);
			}
			JudgeRelation(f, rte->relid);
			if (rte->tablesample)
				RefuseExact(f, Reason::tablesample, nullptr);
		}
		else if (rte->rtekind == RTE_FUNCTION)
			JudgeColumnLists(f, rte->functions);
	}
}

/* RANGE with an offset: a day's length goes by the time zone. */
void
JudgeInRange(Findings *f, Oid function)
{
	if (OidIsValid(function))
		JudgeFunction(function, f);
}

/* Those that a call leaves to their defaults, the planner puts in. */
void
DeferDefaults(Findings *f, Oid function, List *args)
{
	uint64 given = 0;
	int position = 0;
	ListCell *cell;

	if (function < FirstUnpinnedObjectId && list_length(args) >= get_func_nargs(function))
		return;
	foreach (cell, args)
	{
		Node *argument = static_cast<Node *>(lfirst(cell));
		const int number = IsA(argument, NamedArgExpr)
							   ? reinterpret_cast<NamedArgExpr *>(argument)->argnumber
							   : position;

		if (number < 64)
			given |= UINT64CONST(1) << number;
		position++;
	}
	if (position < get_func_nargs(function) &&
		FirstTime(&f->seen, Thing::defaults, function, given))
		Defer(f, Thing::defaults, function, given, f->nested);
}

bool
Walk(Node *node, void *arg)
{
	Findings *f = static_cast<Findings *>(arg);

	if (node == nullptr)
		return false;

	switch (nodeTag(node))
	{
	case T_Query:
	{
		Query *query = reinterpret_cast<Query *>(node);

		JudgeRangeTable(f, query);
		return compat::WalkQuery(query, Walk, f, QTW_EXAMINE_SORTGROUP);
	}
	case T_SortGroupClause:
		JudgeOperator(f, reinterpret_cast<SortGroupClause *>(node)->eqop);
		JudgeOperator(f, reinterpret_cast<SortGroupClause *>(node)->sortop);
		break;
	case T_SetOperationStmt:
		Walk(reinterpret_cast<Node *>(reinterpret_cast<SetOperationStmt *>(node)->groupClauses), f);
		break;
	case T_WindowClause:
		JudgeInRange(f, reinterpret_cast<WindowClause *>(node)->startInRangeFunc);
		JudgeInRange(f, reinterpret_cast<WindowClause *>(node)->endInRangeFunc);
		break;
	case T_SQLValueFunction:
		JudgeSqlValue(f, reinterpret_cast<SQLValueFunction *>(node));
		break;
	case T_NextValueExpr:
		NoteVolatile(f, "nextval");
		break;
	case T_Var:
		JudgeType(f, exprType(node));
		if (reinterpret_cast<Var *>(node)->varattno < 0 &&
			reinterpret_cast<Var *>(node)->varattno != TableOidAttributeNumber)
			RefuseExact(f, Reason::system_column, nullptr);
		break;
	case T_Const:
		if (ReadsThroughChecks(exprType(node)))
		{
			/* they ran when the literal was analysed, and may say something else by now */
			f->checked_literal = true;
			JudgeInput(f, exprType(node));
		}
		JudgeLiteral(f, exprType(node));
		JudgeType(f, exprType(node));
		break;
	case T_XmlExpr:
		f->regional = f->folded = f->makes_text = true;
		break;
	case T_CoerceToDomain:
		JudgeType(f, exprType(node));
		JudgeDomain(f, exprType(node));
		break;
	case T_TableFunc:
		JudgeInputs(f, reinterpret_cast<TableFunc *>(node)->coltypes);
		break;
	case T_FuncExpr:
		JudgeType(f, exprType(node));
		DeferDefaults(f, reinterpret_cast<FuncExpr *>(node)->funcid,
					  reinterpret_cast<FuncExpr *>(node)->args);
		if (ReadsText(reinterpret_cast<FuncExpr *>(node)->funcid))
			JudgeInput(f, exprType(node));
		if (JudgeCurrentSetting(f, reinterpret_cast<FuncExpr *>(node)))
			return compat::WalkExpression(node, Walk, f);
		break;
	case T_CoerceViaIO:
		JudgeOutput(f,
					exprType(reinterpret_cast<Node *>(reinterpret_cast<CoerceViaIO *>(node)->arg)));
		JudgeInput(f, exprType(node));
		return compat::WalkExpression(node, Walk, f);
	case T_Param:
	case T_OpExpr:
	case T_RelabelType:
	case T_ArrayCoerceExpr:
	case T_ConvertRowtypeExpr:
	case T_RowExpr:
	case T_ArrayExpr:
	case T_Aggref:
	case T_MinMaxExpr:
		JudgeType(f, exprType(node));
		break;
	case T_WindowFunc:
		JudgeType(f, exprType(node));
		DeferDefaults(f, reinterpret_cast<WindowFunc *>(node)->winfnoid,
					  reinterpret_cast<WindowFunc *>(node)->args);
		break;
	default:
		if (compat::MakesJson(node))
			f->regional = f->folded = f->makes_text = true;
		if (compat::ReadsJson(node))
			JudgeInput(f, exprType(node));
		break;
	}
	f->call = node;
	check_functions_in_node(node, JudgeFunction, f);
	f->call = nullptr;
	return compat::WalkExpression(node, Walk, f);
}

/* Anonymous records mean nothing outside the session that made them. */
void
JudgeColumns(Findings *f, TupleDesc desc)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		JudgeType(f, column->atttypid);
		if (column->atttypid == RECORDOID || column->atttypid == RECORDARRAYOID)
			RefuseBoth(f, Reason::record_column, psprintf("column %d", i + 1));
	}
}

/* Of another module: it may do anything. */
void
JudgeCustomScan(Findings *f, const CustomScan *scan)
{
	const char *name = scan->methods->CustomName;

	if (strcmp(name, kScanName) != 0 && !TrustedScan(name))
		JudgeOpaque(f, Reason::untrusted_scan, psprintf("plan node %s", name));
}

/* The nodes below a plan node, but its subplans, which the statement lists. */
List *
ChildrenOf(Plan *node)
{
	List *children = list_make2(node->lefttree, node->righttree);

	switch (nodeTag(node))
	{
	case T_Append:
		return list_concat(children, reinterpret_cast<Append *>(node)->appendplans);
	case T_MergeAppend:
		return list_concat(children, reinterpret_cast<MergeAppend *>(node)->mergeplans);
	case T_SubqueryScan:
		return lappend(children, reinterpret_cast<SubqueryScan *>(node)->subplan);
	case T_CustomScan:
		return list_concat(children, reinterpret_cast<CustomScan *>(node)->custom_plans);
	default:
		return children;
	}
}

void
Run(Findings *f, const Pending *item)
{
	switch (item->thing)
	{
	case Thing::body:
		JudgeBody(f, item);
		break;
	case Thing::domain:
		if (!Tried(f, [=] { JudgeChecks(f, item->oid); }))
			NotUnderstood(f, psprintf("checks of domain %s", format_type_be(item->oid)));
		break;
	case Thing::defaults:
		JudgeDefaults(f, item);
		break;
	case Thing::type:
		JudgeParts(f, item->oid);
		break;
	case Thing::input:
		JudgeReading(f, item->oid);
		break;
	case Thing::output:
		JudgeWriting(f, item->oid);
		break;
	default:
		break;
	}
}

} // namespace

namespace
{

/* The expressions of a plan node that may call something; those of an index are in its quals. */
void
JudgeNode(Findings *f, Plan *node)
{
	List *expressions = list_make2(node->targetlist, node->qual);
	ListCell *cell;

	switch (nodeTag(node))
	{
	case T_FunctionScan:
		expressions = lappend(expressions, reinterpret_cast<FunctionScan *>(node)->functions);
		break;
	case T_ValuesScan:
		expressions = lappend(expressions, reinterpret_cast<ValuesScan *>(node)->values_lists);
		break;
	case T_TableFuncScan:
		expressions = lappend(expressions, reinterpret_cast<TableFuncScan *>(node)->tablefunc);
		break;
	case T_Result:
		expressions = lappend(expressions, reinterpret_cast<Result *>(node)->resconstantqual);
		break;
	case T_Limit:
		expressions = lappend(expressions, reinterpret_cast<Limit *>(node)->limitOffset);
		expressions = lappend(expressions, reinterpret_cast<Limit *>(node)->limitCount);
		break;
	case T_IndexScan:
		expressions = lappend(expressions, reinterpret_cast<IndexScan *>(node)->indexqualorig);
		break;
	case T_IndexOnlyScan:
		expressions = lappend(expressions, reinterpret_cast<IndexOnlyScan *>(node)->indexqual);
		break;
	case T_BitmapHeapScan:
		expressions =
			lappend(expressions, reinterpret_cast<BitmapHeapScan *>(node)->bitmapqualorig);
		break;
	case T_TidScan:
		expressions = lappend(expressions, reinterpret_cast<TidScan *>(node)->tidquals);
		break;
	case T_HashJoin:
		expressions = lappend(expressions, reinterpret_cast<HashJoin *>(node)->hashclauses);
		[[fallthrough]];
	case T_NestLoop:
	case T_MergeJoin:
		expressions = lappend(expressions, reinterpret_cast<Join *>(node)->joinqual);
		break;
	default:
		break;
	}
	foreach (cell, expressions)
		WalkTree(f, static_cast<Node *>(lfirst(cell)));
	list_free(expressions);
}

} // namespace

/* A list and not a recursion: a plan may be deep. */
void
JudgePlan(Findings *f, PlannedStmt *plan, bool expressions)
{
	List *nodes = list_copy(plan->subplans);

	nodes = lappend(nodes, plan->planTree);
	for (int i = 0; i < list_length(nodes); i++)
	{
		Plan *node = static_cast<Plan *>(list_nth(nodes, i));

		CHECK_FOR_INTERRUPTS();
		if (node == nullptr)
			continue;
		if (IsA(node, ForeignScan))
			JudgeOpaque(f, Reason::dep_foreign_table, "a scan of another server");
		else if (IsA(node, CustomScan))
			JudgeCustomScan(f, reinterpret_cast<CustomScan *>(node));
		if (expressions)
			JudgeNode(f, node);
		nodes = list_concat(nodes, ChildrenOf(node));
	}
}

void
JudgeRelation(Findings *f, Oid relation)
{
	char kind;
	char persistence;
	bool row_security;
	Oid access_method;

	if (!FirstTime(&f->seen, Thing::relation, relation))
		return;
	f->relations = lappend_oid(f->relations, relation);
	if (f->nested)
		f->inside = lappend_oid(f->inside, relation);
	if (!RelationFacts(relation, &kind, &persistence, &row_security, &access_method))
		return;
	if (persistence == RELPERSISTENCE_TEMP)
		RefuseBoth(f, Reason::temp_relation, psprintf("relation %s", get_rel_name(relation)));
	else if (kind == RELKIND_FOREIGN_TABLE)
		JudgeOpaque(f, Reason::dep_foreign_table, psprintf("relation %s", get_rel_name(relation)));
	else if (kind == RELKIND_SEQUENCE)
		RefuseExact(f, Reason::dep_sequence, psprintf("relation %s", get_rel_name(relation)));
	else if (relation < FirstNormalObjectId && kind != RELKIND_VIEW)
		RefuseExact(f, Reason::dep_catalog, psprintf("relation %s", get_rel_name(relation)));
	else if (OidIsValid(access_method) && access_method != HEAP_TABLE_AM_OID)
		JudgeOpaque(f, Reason::dep_access_method, psprintf("relation %s", get_rel_name(relation)));

	compat::WalkVirtualColumns(relation, Walk, f);
	/* those of the query and of understood bodies are in their trees */
	if (f->at_run && row_security)
		RefuseExact(
			f, Reason::untrusted_function,
			psprintf("policies of relation %s, read by a function", get_rel_name(relation)));
	if (f->at_run && kind == RELKIND_VIEW)
		WalkView(f, relation);
}

void
JudgeCalled(Findings *f, Oid function)
{
	if (func_volatile(function) == PROVOLATILE_IMMUTABLE)
		Believing(f, [=] { JudgeFunction(function, f); });
	else
		JudgeFunction(function, f);
}

void
WalkTree(Findings *f, Node *tree)
{
	MemoryContext caller = MemoryContextSwitchTo(f->context);

	Walk(tree, f);
	MemoryContextSwitchTo(caller);
}

void
NoteSetting(Findings *f, const char *name)
{
	MemoryContext caller = MemoryContextSwitchTo(f->context);

	f->settings = lappend(f->settings, pstrdup(name));
	MemoryContextSwitchTo(caller);
}

void
JudgeAssignment(Findings *f, Oid source, int32 source_typmod, Oid target, int32 target_typmod)
{
	CaseTestExpr *value;
	Node *cast = nullptr;

	if (source == target && (source_typmod == target_typmod || target_typmod == -1))
		return;
	value = makeNode(CaseTestExpr);
	value->typeId = source;
	value->typeMod = source_typmod;
	value->collation = get_typcollation(source);
	if (source != UNKNOWNOID && source != RECORDOID)
		cast = coerce_to_target_type(nullptr, reinterpret_cast<Node *>(value), source, target,
									 target_typmod, COERCION_PLPGSQL, COERCE_IMPLICIT_CAST, -1);
	if (cast == nullptr)
	{
		CoerceViaIO *convert = makeNode(CoerceViaIO);

		convert->arg = reinterpret_cast<Expr *>(value);
		convert->resulttype = target;
		convert->coerceformat = COERCE_IMPLICIT_CAST;
		convert->location = -1;
		cast = reinterpret_cast<Node *>(convert);
	}
	WalkTree(f, cast);
}

/* Everything that was put off.  It may put off more; beyond a bound the rest is not understood. */
void
FollowUp(Findings *f)
{
	const bool nested = f->nested;

	for (; f->followed < list_length(f->pending); f->followed++)
	{
		const Pending *item = static_cast<Pending *>(list_nth(f->pending, f->followed));

		CHECK_FOR_INTERRUPTS();
		if (f->followed >= kMaxPending || (item->thing == Thing::body && ++f->bodies > kMaxBodies))
		{
			NotUnderstood(f, "more functions and types than are followed");
			return;
		}
		f->nested = item->nested;
		f->environment = item->environment;
		if (item->believed)
			Believing(f, [=] { Run(f, item); });
		else
			Run(f, item);
		f->nested = nested;
		f->environment = nullptr;
	}
}

namespace
{

/* Something in the query makes text of values: the output functions of the types it has met. */
void
JudgeOutputs(Findings *f)
{
	for (int i = 0; i < list_length(f->types); i++)
	{
		JudgeIfUsers(f, OutputFunction(list_nth_oid(f->types, i), false));
		FollowUp(f);
	}
}

} // namespace

namespace
{

/* A relation that the plan reads: of the trees, a child of one of these, or of a function that was inlined. */
void
JudgePlanned(Findings *f, Oid relation)
{
	const int known = list_length(f->relations);

	JudgeRelation(f, relation);
	if (list_length(f->relations) > known && !has_superclass(relation))
		f->inlined = lappend_oid(f->inlined, relation);
}

} // namespace

void
Examine(Findings *f, List *queries, PlannedStmt *plan, TupleDesc desc, bool depends_on_rls,
		bool time_words)
{
	ListCell *cell;

	f->context = CurrentMemoryContext;
	foreach (cell, queries)
		Walk(static_cast<Node *>(lfirst(cell)), f);
	JudgeColumns(f, desc);
	foreach (cell, plan->relationOids)
		JudgePlanned(f, lfirst_oid(cell));
	JudgePlan(f, plan, false); /* its expressions are in the trees */
	FollowUp(f);
	if (f->makes_text)
		JudgeOutputs(f);

	if (depends_on_rls)
		f->role = true;
	else if (f->functions == NIL)
		f->owners = NIL; /* their rights are checked at each hit */
	if (f->makes_text && f->name_values)
	{
		f->search_path = f->names = f->late = true;
		RefuseExact(f, Reason::dep_catalog, "the text of a name");
	}
	/* the trees have what literals were converted to: it is in the key, and for the session to watch */
	if (f->literals)
		f->folded = true;
	if (f->literals && (time_words || f->daily))
	{
		f->time_literal = f->regional = f->search_path = true;
		NoteClock(f, "a literal such as 'today' or 'now'");
	}
	list_sort(f->relations, list_oid_cmp);
	list_sort(f->inlined, list_oid_cmp);
	/* one may have been met in code that is believed, too */
	f->types = list_concat(f->types, f->types_believed);
	f->types_believed = NIL;
	for (List *list : {f->rowtypes, f->types, f->functions})
	{
		list_sort(list, list_oid_cmp);
		list_deduplicate_oid(list);
	}
}

namespace
{

bool
HasSetting(List *settings, const char *name)
{
	ListCell *cell;

	foreach (cell, settings)
	{
		if (strcmp(static_cast<char *>(lfirst(cell)), name) == 0)
			return true;
	}
	return false;
}

} // namespace

bool
Lacks(const Findings &known, const Findings &seen)
{
	ListCell *cell;

	if ((seen.everything && !known.everything) || (seen.role && !known.role) ||
		(seen.session_role && !known.session_role) || (seen.regional && !known.regional) ||
		(seen.customized && !known.customized && !known.everything) ||
		(seen.search_path && !known.search_path) || (seen.names && !known.names) ||
		(seen.temp_schema && !known.temp_schema))
		return true;
	foreach (cell, seen.settings)
	{
		if (!known.everything && !HasSetting(known.settings, static_cast<char *>(lfirst(cell))))
			return true;
	}
	return false;
}

void
Widen(Findings *known, const Findings &seen)
{
	ListCell *cell;

	known->everything = known->everything || seen.everything;
	known->role = known->role || seen.role;
	known->session_role = known->session_role || seen.session_role;
	known->regional = known->regional || seen.regional;
	known->customized = known->customized || seen.customized;
	known->search_path = known->search_path || seen.search_path;
	known->names = known->names || seen.names;
	known->temp_schema = known->temp_schema || seen.temp_schema;
	foreach (cell, seen.settings)
	{
		if (!HasSetting(known->settings, static_cast<char *>(lfirst(cell))))
			known->settings = lappend(known->settings, pstrdup(static_cast<char *>(lfirst(cell))));
	}
	if (seen.ttl != Reason::hit)
		RefuseBoth(known, seen.ttl, seen.ttl_detail);
	if (seen.exact != Reason::hit)
		RefuseExact(known, seen.exact, seen.exact_detail);
}

/* --- the raw parse tree --------------------------------------------------------------------- */

bool
IsTimeWord(const char *text)
{
	static const char *const words[] = {"now", "today", "tomorrow", "yesterday"};
	char *lower = asc_tolower(text, strlen(text));
	bool found = false;

	for (const char *word : words)
		found = found || strstr(lower, word) != nullptr;
	pfree(lower);
	return found;
}

namespace
{

bool
WalkTimeWords(Node *node, void *arg)
{
	if (node == nullptr)
		return false;
	if (IsA(node, A_Const))
	{
		A_Const *constant = reinterpret_cast<A_Const *>(node);

		return !constant->isnull && IsA(&constant->val, String) &&
			   IsTimeWord(strVal(&constant->val));
	}
	return compat::WalkRaw(node, WalkTimeWords, arg);
}

void
AddHash(NameHashes *names, int cache, uint32 hash)
{
	if (names->count == names->allocated)
	{
		names->allocated = names->allocated ? names->allocated * 2 : 16;
		names->hashes = static_cast<uint32 *>(
			names->hashes ? repalloc(names->hashes, sizeof(uint32) * names->allocated)
						  : palloc(sizeof(uint32) * names->allocated));
		names->caches = static_cast<int *>(
			names->caches ? repalloc(names->caches, sizeof(int) * names->allocated)
						  : palloc(sizeof(int) * names->allocated));
	}
	names->caches[names->count] = cache;
	names->hashes[names->count++] = hash;
}

void
AddNameIn(NameHashes *names, compat::CacheId cache, const char *name, Oid schema)
{
	AddHash(names, cache,
			GetSysCacheHashValue2(cache, CStringGetDatum(name), ObjectIdGetDatum(schema)));
}

/*
 * A name could come to mean something in each schema of the path, the temporary one included.  If there is
 * none of these yet, it isn't made for that: PostgreSQL's plan cache notices when the path gets one.
 */
void
AddName(NameHashes *names, compat::CacheId cache, const char *name)
{
	Oid some[64];
	Oid *path = some;
	const Oid temporary = TempSchema();
	const int count = fetch_search_path_array(path, lengthof(some));

	if (count > static_cast<int>(lengthof(some)))
	{
		path = static_cast<Oid *>(palloc(sizeof(Oid) * count));
		fetch_search_path_array(path, count);
	}
	for (int i = 0; i < count; i++)
		AddNameIn(names, cache, name, path[i]);
	if (OidIsValid(temporary))
		AddNameIn(names, cache, name, temporary);
	if (path != some)
		pfree(path);
}

bool
WalkNames(Node *node, void *arg)
{
	NameHashes *names = static_cast<NameHashes *>(arg);

	if (node == nullptr)
		return false;
	if (IsA(node, RangeVar) && reinterpret_cast<RangeVar *>(node)->schemaname == nullptr)
		AddName(names, RELNAMENSP, reinterpret_cast<RangeVar *>(node)->relname);
	else if (IsA(node, TypeName) && list_length(reinterpret_cast<TypeName *>(node)->names) == 1)
		AddName(names, TYPENAMENSP, strVal(linitial(reinterpret_cast<TypeName *>(node)->names)));
	else if (IsA(node, FuncCall) && list_length(reinterpret_cast<FuncCall *>(node)->funcname) == 1)
		AddName(names, TYPENAMENSP, strVal(linitial(reinterpret_cast<FuncCall *>(node)->funcname)));
	return compat::WalkRaw(node, WalkNames, arg);
}

/* The last of a qualified name's parts; null: it isn't a name. */
const char *
LastName(List *names)
{
	Node *last = names == NIL ? nullptr : static_cast<Node *>(llast(names));

	return last != nullptr && IsA(last, String) ? strVal(last) : nullptr;
}

void
NoteLateType(Findings *f, const TypeName *type)
{
	const char *name = LastName(type->names);

	if (name == nullptr)
		return;
	if (strncmp(name, "reg", 3) == 0)
		f->late = true; /* the text of a constant may be a name */
	NoteLateName(f, exact::NameKind::type, name);
	for (int i = 0; type->pct_type && i < list_length(type->names) - 1; i++)
		NoteLateName(f, exact::NameKind::relation, strVal(list_nth(type->names, i)));
}

/* A column may be a function in disguise, if there is one of this name. */
void
NoteLateColumn(Findings *f, const char *name)
{
	CatCList *list;

	if (name == nullptr)
		return;
	list = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));
	if (list->n_members > 0)
		NoteLateName(f, exact::NameKind::function, name);
	ReleaseSysCacheList(list);
}

/* Operators and collations are not told apart: see AddLooked() in dependencies.cpp. */
bool
WalkLateNames(Node *node, void *arg)
{
	Findings *f = static_cast<Findings *>(arg);
	const char *name;

	if (node == nullptr)
		return false;
	switch (nodeTag(node))
	{
	case T_RangeVar:
		NoteLateName(f, exact::NameKind::relation, reinterpret_cast<RangeVar *>(node)->relname);
		break;
	case T_TypeName:
		NoteLateType(f, reinterpret_cast<TypeName *>(node));
		break;
	case T_FuncCall:
		name = LastName(reinterpret_cast<FuncCall *>(node)->funcname);
		NoteLateName(f, exact::NameKind::function, name);
		NoteLateName(f, exact::NameKind::type, name);
		break;
	case T_RangeTableSample:
		NoteLateName(f, exact::NameKind::function,
					 LastName(reinterpret_cast<RangeTableSample *>(node)->method));
		break;
	case T_ColumnRef:
		if (list_length(reinterpret_cast<ColumnRef *>(node)->fields) > 1)
			NoteLateColumn(f, LastName(reinterpret_cast<ColumnRef *>(node)->fields));
		break;
	case T_A_Indirection:
		NoteLateColumn(f, LastName(reinterpret_cast<A_Indirection *>(node)->indirection));
		break;
	default:
		break;
	}
	return compat::WalkRaw(node, WalkLateNames, arg);
}

} // namespace

bool
HasTimeWord(Node *raw)
{
	return WalkTimeWords(raw, nullptr);
}

void
NoteType(Findings *f, Oid type)
{
	MemoryContext caller = MemoryContextSwitchTo(f->context);

	JudgeType(f, type);
	MemoryContextSwitchTo(caller);
}

void
NoteDescribed(Findings *f, Oid relation)
{
	MemoryContext caller = MemoryContextSwitchTo(f->context);

	if (get_rel_persistence(relation) == RELPERSISTENCE_TEMP)
		RefuseBoth(f, Reason::temp_relation, psprintf("relation %s", get_rel_name(relation)));
	if (FirstTime(&f->seen, Thing::rowtype, relation))
		f->rowtypes = lappend_oid(f->rowtypes, relation);
	MemoryContextSwitchTo(caller);
}

void
NoteNameInside(Findings *f, compat::CacheId cache, const char *name)
{
	MemoryContext caller = MemoryContextSwitchTo(f->context);

	if (f->names_inside != nullptr)
		AddName(f->names_inside, cache, name);
	MemoryContextSwitchTo(caller);
}

void
NoteLateName(Findings *f, exact::NameKind kind, const char *name)
{
	constexpr int kMaxLateNames = 200;
	const exact::SlotNo slot = exact::NameSlot(kind, MyDatabaseId, name);

	if (f->late || !FirstTime(&f->seen, Thing::name, slot + 1))
		return;
	if (list_length(f->names_late) < kMaxLateNames)
		f->names_late = lappend_int(f->names_late, static_cast<int>(slot));
	else
		f->late = true;
}

void
CollectLateNames(Findings *f, Node *raw)
{
	WalkLateNames(raw, f);
}

void
CollectNames(Node *raw, NameHashes *names)
{
	WalkNames(raw, names);
}

} // namespace cq
