/*
 * cacheability.cpp
 *		May this query's result be kept, what does it depend on, and for whom is it good?
 *
 * The walker sees rewritten Query trees.  A first finding wins: reasons are not ranked, but a
 * reason against ttl is one against exact, too.
 */
#include "pg.h"
#include "query/catalog.h"
#include "query/walk.h"
#include "query/body.h"
#include "query/inside.h"
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
namespace
{

/* More than any real query needs; a walk over them takes some 10 ms. */
constexpr int kMaxPending = 20000;
constexpr int kMaxBodies = 1000;

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
		f->last_literal = InvalidOid;
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

void
JudgeOutputs(Findings *f)
{
	for (int i = 0; i < list_length(f->types); i++)
	{
		JudgeIfUsers(f, OutputFunction(list_nth_oid(f->types, i), false));
		FollowUp(f);
	}
}

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
	{
		Walk(static_cast<Node *>(lfirst(cell)), f);
		AddColumns(&f->columns, static_cast<Query *>(lfirst(cell)));
	}
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

} // namespace cq
