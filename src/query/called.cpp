/*
 * called.cpp
 *		The functions that a query calls: what they may read, and whether they can be cached.
 *
 * Part of walk.h.
 */
#include "pg.h"
#include "query/trusted.h"
#include "query/walk.h"
#include "query/environment.h"
#include "query/catalog.h"
#include "query/functions.h"
#include "settings.h"

extern "C" {
#include "access/nbtree.h"
#include "catalog/pg_am.h"
#include "catalog/pg_language.h"
#include "commands/proclang.h"
#include "parser/parse_coerce.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/regproc.h"
}

#include <initializer_list>

namespace cq
{

void
NoteVolatile(Findings *f, const char *detail)
{
	if (f->volatile_detail == nullptr && !f->nested)
		f->volatile_detail =
			Keep(f, detail); /* inside, a function that calls itself STABLE is believed */
	RefuseExact(f, Reason::volatile_function, detail);
}

void
Defer(Findings *f, Thing thing, Oid oid, uint64 variant, bool nested, FuncExpr *call, bool believed)
{
	MemoryContext caller = MemoryContextSwitchTo(f->context);
	Pending *item = New<Pending>();

	*item = {thing, oid, variant, nested, believed || f->believed, call, f->environment};
	f->pending = lappend(f->pending, item);
	MemoryContextSwitchTo(caller);
}

namespace
{

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
		/* what is trusted in C may read by SQL, as crosstab() does */
		f->unread = f->unread || language != ClanguageId || volatility != PROVOLATILE_IMMUTABLE;
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

/* A user's function is assumed to do everything that its declared volatility permits. */
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

/* Also in a session that no longer has temporary objects: its schema for them remains. */
bool
TellsTempSchema(Oid function)
{
	return function == F_CURRENT_SCHEMA || function == F_CURRENT_SCHEMAS ||
		   function == F_PG_MY_TEMP_SCHEMA || function == F_PG_IS_OTHER_TEMP_SCHEMA;
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
	{
		/*
		 * what a STABLE function promises about time is believed; what it may read of the session is
		 * not
		 */
		if (f->nested && list == BuiltinList::none)
			RefuseBoth(f, Reason::session_function, FunctionDetail(function));
		NoteVolatile(f, FunctionDetail(function));
	}
	JudgeList(f, function, list);
	f->temp_schema = f->temp_schema || TellsTempSchema(function);

	/* the planner may evaluate it, under the settings of that time */
	if (volatility == PROVOLATILE_IMMUTABLE && list != BuiltinList::pure &&
		list != BuiltinList::compares)
		f->folded = true;
}

void JudgeAggregate(Findings *f, Oid function);

} // namespace

bool
JudgeFunction(Oid function, void *arg)
{
	Findings *f = static_cast<Findings *>(arg);
	char volatility;
	char kind;
	bool has_acl;

	if (function < FirstUnpinnedObjectId && HasMet(f->seen, Thing::builtin, function, f->nested))
		return false;
	if (!FunctionFacts(function, &volatility, &kind, &has_acl))
		return false; /* dropped meanwhile: running the query will tell */

	/*
	 * A hit skips the executor's check of the EXECUTE right.  So if not everybody may call a function,
	 * the role is part of the key.
	 */
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

namespace
{

void
JudgeAggregateParts(Findings *f, Oid function, Node *call)
{
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
	if (function >= FirstUnpinnedObjectId)
		VisitInitialValues(
			function, call,
			[](Oid type, const char *text, void *arg) {
				JudgeInitial(static_cast<Findings *>(arg), type, text);
			},
			f);
}

/*
 * As in PostgreSQL, the volatility of an aggregate is the declared one; but what its parts do counts,
 * too.  The parts of a trusted aggregate are trusted.
 */
void
JudgeAggregate(Findings *f, Oid function)
{
	const bool nested = f->nested;
	Node *call = f->call;

	f->nested = true;
	if (function >= FirstUnpinnedObjectId && TrustedFunction(function))
	{
		Believing(f, [=] { JudgeAggregateParts(f, function, call); });
		f->unread = f->late = true;
	}
	else
		JudgeAggregateParts(f, function, call);
	f->nested = nested;
	f->call = call;
}

} // namespace

void
JudgeCalled(Findings *f, Oid function)
{
	if (func_volatile(function) == PROVOLATILE_IMMUTABLE)
		Believing(f, [=] { JudgeFunction(function, f); });
	else
		JudgeFunction(function, f);
}

} // namespace cq
