/*
 * cacheability.cpp
 *		May this query's answer be kept, what does it depend on, and for whom is it good?
 *
 * The walker sees rewritten Query trees.  A first finding wins: reasons are not ranked, but a
 * reason against ttl is one against exact, too.
 */
#include "pg.h"
#include "query/walk.h"
#include "query/body.h"
#include "query/functions.h"
#include "query/cacheability.h"
#include "settings.h"

extern "C" {
#include "access/nbtree.h"
#include "catalog/pg_inherits.h"
#include "utils/catcache.h"
}

#include <initializer_list>

namespace cq
{

char *
Keep(const Findings *f, const char *text)
{
	if (text == nullptr)
		return nullptr;
	return MemoryContextStrdup(f->context ? f->context : CurrentMemoryContext, text);
}

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
HasName(List *names, const char *name)
{
	ListCell *cell;

	foreach (cell, names)
	{
		if (strcmp(static_cast<char *>(lfirst(cell)), name) == 0)
			return true;
	}
	return false;
}

bool
HasAllNames(List *known, List *names)
{
	ListCell *cell;

	foreach (cell, names)
	{
		if (!HasName(known, static_cast<char *>(lfirst(cell))))
			return false;
	}
	return true;
}

} // namespace

bool
Lacks(const Findings &known, const Findings &seen)
{
	return (seen.everything && !known.everything) || (seen.role && !known.role) ||
		   (seen.session_role && !known.session_role) || (seen.regional && !known.regional) ||
		   (seen.customized && !known.customized && !known.everything) ||
		   (seen.search_path && !known.search_path) || (seen.names && !known.names) ||
		   (seen.temp_schema && !known.temp_schema) ||
		   (!known.everything && !HasAllNames(known.settings, seen.settings)) ||
		   !HasAllNames(known.cursors, seen.cursors);
}

void
AddNames(List **known, const List *names)
{
	ListCell *cell;

	foreach (cell, names)
	{
		if (!HasName(*known, static_cast<char *>(lfirst(cell))))
			*known = lappend(*known, pstrdup(static_cast<char *>(lfirst(cell))));
	}
}

void
Widen(Findings *known, const Findings &seen)
{
	known->everything = known->everything || seen.everything;
	known->role = known->role || seen.role;
	known->session_role = known->session_role || seen.session_role;
	known->regional = known->regional || seen.regional;
	known->customized = known->customized || seen.customized;
	known->search_path = known->search_path || seen.search_path;
	known->names = known->names || seen.names;
	known->temp_schema = known->temp_schema || seen.temp_schema;
	AddNames(&known->settings, seen.settings);
	AddNames(&known->cursors, seen.cursors);
	if (seen.ttl != Reason::hit)
		RefuseBoth(known, seen.ttl, seen.ttl_detail);
	if (seen.exact != Reason::hit)
		RefuseExact(known, seen.exact, seen.exact_detail);
}

} // namespace cq
