/*
 * revalidate.cpp
 *		Is what a handle knows of its query still true?  Planning and examining it anew.
 *
 * Part of handle.h.
 */
#include "pg.h"
#include "query/cacheability.h"
#include "query/walk.h"
#include "query/handle_internal.h"
#include "query/fingerprint.h"
#include "query/handle.h"
#include "query/kept.h"
#include "query/key.h"
#include "query/news.h"
#include "query/tree.h"
#include "settings.h"

extern "C" {
#include "common/hashfn.h"
#include "tcop/utility.h"
}

namespace cq
{
namespace
{

/* --- revalidating --------------------------------------------------------------------------- */

void
JudgeParameters(Handle *handle)
{
	ParamTraits traits = TraitsOf(handle->params, handle->param_count);

	handle->forms = NewArray<ParamForm>(handle->param_count);
	for (int i = 0; i < handle->param_count; i++)
		get_typlenbyval(handle->params[i], &handle->forms[i].length, &handle->forms[i].by_value);

	handle->params_refused = traits.refused;
	handle->params_lasting = traits.lasting;
	if (traits.refused > 0)
		RefuseBoth(&handle->findings, Reason::record_parameter, psprintf("$%d", traits.refused));
}

/* What distinguishes the query from others, besides settings and arguments; false: nothing can. */
bool
Identify(Handle *handle)
{
	const Findings &findings = handle->findings;
	Moment moment;

	if (findings.time_literal)
		moment = {true, handle->query};
	handle->digest = findings.inside_digest;
	return !findings.unidentified &&
		   (findings.inlined == NIL || DigestOids(findings.inlined, &handle->digest)) &&
		   DigestTrees(handle->source->query_list, moment, findings.long_lists, &handle->digest);
}

} // namespace

bool
TooLong(const Handle *handle)
{
	return handle->query_length > static_cast<int>(kMaxKeyBytes);
}

namespace
{

void
ExamineTooLong(Handle *handle, PlannedStmt *plan)
{
	Findings *findings = &handle->findings;

	findings->relations = list_copy(plan->relationOids);
	list_sort(findings->relations, list_oid_cmp);
	handle->identified = false;
	initStringInfo(&handle->regional);
	initStringInfo(&handle->key_prefix);
	RefuseBoth(findings, Reason::key_too_large, "the query's text");
}

void
ExamineAll(Handle *handle, PlannedStmt *plan)
{
	Findings *findings = &handle->findings;

	findings->names_inside = &handle->names;
	Examine(findings, handle->source->query_list, plan, handle->desc, handle->source->dependsOnRLS,
			handle->time_words);
	JudgeParameters(handle);
	Widen(findings, handle->learned);
	CollectNames(handle->source->raw_parse_tree->stmt, &handle->names);
	initStringInfo(&handle->regional);
	if (findings->folded)
		AppendRegional(&handle->regional);
	handle->identified = Identify(handle);
	if (!handle->identified)
		RefuseBoth(findings, Reason::no_identity, nullptr);
	BuildKeyPrefix(handle, handle->parse_flags);
}

} // namespace

void
CountMemory(Handle *handle, const CachedPlan *plan)
{
	total_memory -= handle->memory;
	handle->memory = MemoryContextMemAllocated(handle->context, true) +
					 MemoryContextMemAllocated(handle->source->context, true) +
					 (plan != nullptr ? MemoryContextMemAllocated(plan->context, true) : 0);
	total_memory += handle->memory;
}

namespace
{

/* The plan is new: find out again what the result depends on. */
void
Reexamine(Handle *handle, CachedPlan *plan)
{
	PlannedStmt *statement = linitial_node(PlannedStmt, plan->stmt_list);
	exact::View view;
	MemoryContext caller;

	handle->generation = -1;
	handle->seen_whole = false;
	handle->plan_cost = statement->planTree->total_cost;
	handle->plan_position = exact::Look(&view) == exact::Standing::ok ? view.pos : 0;
	MemoryContextReset(handle->findings_context);
	handle->findings = Findings();
	handle->names = NameHashes();
	caller = MemoryContextSwitchTo(handle->findings_context);
	handle->desc = CreateTupleDescCopy(handle->source->resultDesc);
	handle->queryid =
		static_cast<uint64>(linitial_node(Query, handle->source->query_list)->queryId);
	handle->news = false;
	if (TooLong(handle))
		ExamineTooLong(handle, statement);
	else
		ExamineAll(handle, statement);
	MemoryContextSwitchTo(caller);

	CountMemory(handle, plan);
	handle->generation = plan->generation;
}

/* Were literals converted, or expressions folded, under other settings than there are now? */
bool
LiteralsMoved(Handle *handle)
{
	StringInfoData now;
	bool moved;

	if (handle->generation < 0 || !handle->findings.folded)
		return false;
	initStringInfo(&now);
	AppendRegional(&now);
	moved =
		now.len != handle->regional.len || memcmp(now.data, handle->regional.data, now.len) != 0;
	pfree(now.data);
	return moved;
}

/*
 * May the text mean something else than when it was analysed?  After a new plan was examined, earlier
 * messages are checked again, with the names that were met by that examination.
 */
bool
Outdated(const Handle *handle)
{
	return handle->names_changed || NewsConcern(handle->heard, handle->names, handle->findings);
}

/* A run has made another plan meanwhile, which nobody has examined. */
bool
PlannedUnseen(const Handle *handle)
{
	const CachedPlan *plan = handle->source->gplan;

	return plan != nullptr && plan->generation != handle->generation;
}

/*
 * Constraints of domains ran when its literals were analysed: what they would say now, and whether they
 * raise an error, only an analysis of now shows.
 */
bool
LiteralsChecked(const Handle *handle)
{
	return handle->generation >= 0 && handle->findings.checked_literal;
}

} // namespace

bool
Revalidate(Handle *handle, bool last)
{
	const uint64 messages = SharedInvalidMessageCounter;
	const uint64 heard = news_count;
	CachedPlan *plan;
	bool same;

	if (!last && (Outdated(handle) || LiteralsMoved(handle) || LiteralsChecked(handle) ||
				  PlannedUnseen(handle)))
		return false;
	handle->names_changed =
		!last; /* what fails is not tried again here: the next call begins from the text */
	plan = GetCachedPlan(handle->source, nullptr, CurrentResourceOwner, nullptr);
	handle->names_changed = false;
	same = plan->generation == handle->generation;
	if (Outdated(handle) ||
		(!same && (SharedInvalidMessageCounter != messages || handle->holds > 1)))
		handle->names_changed = true;
	if (last || !handle->names_changed)
	{
		/* another use of the handle relies on its findings and its key */
		if (!same || (handle->news && handle->holds == 1))
			Reexamine(handle, plan);
		compat::CheckRelationRights(linitial_node(PlannedStmt, plan->stmt_list));
	}
	ReleaseCachedPlan(plan, CurrentResourceOwner);
	if (last)
		return true;
	if (Outdated(handle) || handle->forgotten)
		return false;
	/* names in functions, or what was inlined, may mean something else than when the session planned it */
	if (KeptOutdated(handle->findings, handle->names))
	{
		ForgetKept();
		return false;
	}
	handle->heard = heard;
	return true;
}

/*
 * Which partitions a table has depends on the planner's snapshot while one is being detached
 * concurrently, and the message of that may be taken in before a snapshot that doesn't see it yet
 * makes the plan.  PostgreSQL would use the plan under later snapshots, too.
 */
bool
PlanOutdated(const HeldHandle &handle, const exact::View &view)
{
	ListCell *cell;

	if (handle->plan_position >= view.pos)
		return false; /* made again under this snapshot it would be no newer */
	foreach (cell, handle->findings.relations)
	{
		if (exact::Check(exact::DdlSlot(MyDatabaseId, lfirst_oid(cell)), view,
						 handle->plan_position) == exact::SlotCheck::changed)
		{
			handle->names_changed = true;
			return true;
		}
	}
	return false;
}

bool
ExaminationHolds(const HeldHandle &handle)
{
	const CachedPlanSource *source = handle->source;

	return !Outdated(&*handle) && !handle->forgotten && source->is_valid &&
		   source->gplan != nullptr && source->gplan->is_valid &&
		   source->gplan->generation == handle->generation;
}

void
Distrust(const HeldHandle &handle)
{
	const int category = ERRCODE_TO_CATEGORY(geterrcode());

	if (category == ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION ||
		category == ERRCODE_INTERNAL_ERROR)
		handle->names_changed = true;
}

void
Learn(const HeldHandle &handle, const Findings &seen)
{
	MemoryContext caller = MemoryContextSwitchTo(handle->context);

	Widen(&handle->learned, seen);
	MemoryContextSwitchTo(caller);
	handle->news = true;
}

} // namespace cq
