/*
 * publish.cpp
 *		From rows that were filled to an entry that others see.
 *
 * Nothing is published unless what the result depends on was the same from its snapshot to this
 * moment.  A change that comes later finds the entry's position below its own.
 */
#include "pg.h"
#include "call/rows.h"
#include "validity/watch.h"
#include "remote/server.h"
#include "call/rerun.h"
#include "validity/judge.h"
#include "call/publish.h"
#include "validity/lookup.h"
#include "call/dependencies.h"
#include "validity/meta.h"
#include "call/sizes.h"
#include "query/catalog.h"
#include "remote/lookup.h"
#include "stats/stats.h"

extern "C" {
#include "catalog/pg_inherits.h"
#include "mb/pg_wchar.h"
}

namespace cq
{
namespace
{

/* Each once, in order. */
exact::SlotNo *
ArrayOf(List *slots, uint32 *count)
{
	exact::SlotNo *array = NewArray<exact::SlotNo>(list_length(slots));
	ListCell *cell;

	list_sort(slots, list_int_cmp);
	*count = 0;
	foreach (cell, slots)
	{
		const exact::SlotNo slot = static_cast<exact::SlotNo>(lfirst_int(cell));

		if (*count == 0 || array[*count - 1] != slot)
			array[(*count)++] = slot;
	}
	return array;
}

Oid *
ArrayOfOids(List *oids, uint32 *count)
{
	Oid *array = NewArray<Oid>(list_length(oids));
	ListCell *cell;

	*count = 0;
	foreach (cell, oids)
		array[(*count)++] = lfirst_oid(cell);
	return array;
}

int16 *
ArrayOfGrains(List *grains)
{
	int16 *array = NewArray<int16>(list_length(grains));

	for (int i = 0; i < list_length(grains); i++)
		array[i] = static_cast<int16>(list_nth_int(grains, i));
	return array;
}

/*
 * Did the run read a relation that none of the bodies named when they were examined?  Then a function
 * has a kept plan that is older than what its names mean now, unless it runs code that can't be
 * examined.
 */
bool
ReadUnexpected(const Findings &known, const Watch &watch)
{
	List *relations = watch.findings.relations;

	if ((known.everything && !known.opaque) || known.unread)
		return false;
	/* partitions, children and what built-in code reads are named by none */
	for (int i = watch.expected; i < list_length(relations); i++)
	{
		const Oid relation = list_nth_oid(relations, i);

		if (relation >= FirstNormalObjectId && !has_superclass(relation))
			return true;
	}
	return false;
}

/* What functions read is not seen then, so nothing can be kept.  Said once in a session. */
void
ComplainOfHooks()
{
	static bool said = false;

	if (!said)
		ereport(LOG, (errmsg("another module keeps ExecutorStart from cached_query"),
					  errdetail("No result of this session is stored.")));
	said = true;
}

/* Did the run itself show something that forbids keeping its rows? */
bool
Reconsider(const Watch &watch, Lookup *lookup, Reason *reason)
{
	if (!watch.started)
		ComplainOfHooks();
	if (!lookup->examiner->holds(lookup) || lookup->kept_old || watch.findings.kept_old)
		*reason = Reason::changed_during_fill;
	else if (watch.wrote)
		*reason = Reason::nested_write;
	else if (!watch.started || watch.uncacheable || watch.disturbed)
		*reason = Reason::nested_uncacheable;
	else if (watch.findings.ttl != Reason::none ||
			 Lacks(lookup->examined->findings, watch.findings))
	{
		*reason = Reason::nested_uncacheable;
		lookup->examiner->learn(lookup, watch.findings);
	}
	else if (ReadUnexpected(lookup->examined->findings, watch))
		*reason = Reason::changed_during_fill;
	else if (exact::OwnAnything() &&
			 (exact::OwnChangedEverything() || OwnChange(watch.findings.relations, lookup->exact)))
		*reason = Reason::own_write;
	else if (watch.findings.opaque && exact::OwnWroteOpaque())
		*reason = Reason::own_write;
	else
		return true;
	return false;
}

/*
 * At most so many entries of the owner are evicted for a new one.  More may be needed after the quota
 * was lowered.
 */
constexpr int kMostOwn = 20000;

/*
 * May the owner have an entry of so many bytes?  The least valuable entries of the owner are evicted
 * for it.
 */
bool
WithinQuota(const Owner &owner, uint64 bytes)
{
	if (!FitsQuota(owner, bytes))
		return false;
	/* which owner pays is known only when it is linked */
	if (owner.inherit)
		return true;
	for (int evicted = 0; !QuotaHasRoom(owner, bytes); evicted++)
	{
		CHECK_FOR_INTERRUPTS();
		if (evicted == kMostOwn || !EvictOwn(owner))
			return false;
	}
	return true;
}

/* Too cheap to be worth keeping? */
bool
Cheap(const Lookup *lookup, int64 fill_us)
{
	return fill_us < static_cast<int64>(lookup->call->options.min_fill_time_ms) * 1000;
}

/*
 * Did the snapshot see all these tables?  A table that was made later was empty for the snapshot.  The
 * slot of its definition doesn't tell that, since no earlier entry can depend on it.
 */
bool
SawRelations(const exact::View &view, List *relations)
{
	ListCell *cell;

	foreach (cell, relations)
	{
		if (MadeSince(lfirst_oid(cell), view.snapshot))
			return false;
	}
	return true;
}

/* Why the rows are not kept, whatever they depend on; Reason::none: nothing speaks against it yet. */
Reason
WhyNotWorth(Lookup *lookup, const Rows *rows, const FillResult &yield, Reason *miss)
{
	if (rows->too_large)
	{
		if (rows->fill != nullptr)
			NoteSize(lookup->key.hash, rows->bytes, true);
		return Reason::too_large;
	}
	if (rows->no_memory || rows->fill == nullptr)
		return Reason::no_memory;
	if (!Reconsider(*yield.watch, lookup, miss))
		return *miss;
	return Cheap(lookup, yield.fill_us) ? Reason::cheap : Reason::none;
}

/* The slots that every hit checks are there already. */
void
CompleteMeta(Meta *meta, const Lookup *lookup, const Dependencies &d)
{
	const Call &call = *lookup->call;

	meta->write_slots = ArrayOf(d.write_slots, &meta->head.write_slots);
	meta->relations = ArrayOfOids(d.relations, &meta->head.relations);
	meta->grains = ArrayOfGrains(d.grains);
	meta->tag = call.options.tag;
	meta->head.tag_length = static_cast<uint32>(strlen(meta->tag));
	meta->query = call.query;
	meta->head.query_length = static_cast<uint32>(call.query_length);
	meta->args = lookup->args_text;
	meta->head.args_length = static_cast<uint32>(strlen(meta->args));
	meta->head.encoding = GetDatabaseEncoding();
	if (CanRunElsewhere(*lookup))
		meta->origin = RerunInfoOf(call, &meta->rerun_length);
}

/* Has nothing that the rows were computed from changed since the fill began? */
bool
DefinitionsHold(Lookup *lookup, const exact::FillMark &mark, const Meta &meta)
{
	return exact::Generation() == mark.generation &&
		   StillValid(lookup, mark, meta.slots, meta.head.slots);
}

/* The same of rows in tables: may exact calls have it? */
bool
RowsHold(Lookup *lookup, const exact::FillMark &mark, const Meta &meta)
{
	return StillValid(lookup, mark, meta.write_slots, meta.head.write_slots);
}

/* Why an exact call may not have it; Reason::none: *exact_result tells whether it is exact for others. */
Reason
JudgeExact(Lookup *lookup, const FillResult &yield, const Meta &meta, bool rows_untold,
		   bool *exact_result)
{
	const Watch &watch = *yield.watch;

	*exact_result = lookup->exact && !rows_untold && !watch.inexact &&
					watch.findings.exact == Reason::none && RowsHold(lookup, *yield.mark, meta);
	if (!lookup->exact || *exact_result)
		return Reason::none;
	if (watch.findings.exact != Reason::none)
		return watch.findings.exact;
	return rows_untold ? Reason::exact_in_recovery : Reason::changed_during_fill;
}

EntryFacts
FactsOfFill(const Lookup *lookup, const Rows *rows, const FillResult &yield, bool exact_result)
{
	const Watch &watch = *yield.watch;
	EntryFacts facts = {};

	facts.as_of = Min(yield.as_of, watch.oldest);
	/* now() may be older than the snapshot, and the rows may show it */
	if (lookup->examined->findings.clock || watch.findings.clock)
		facts.as_of = Min(facts.as_of, GetCurrentTransactionStartTimestamp());
	facts.ttl_us = Max(LifeFor(*lookup->call), lookup->inherited_ttl);
	facts.stale_us = LifeFor(*lookup->call) - lookup->call->ttl_us;
	facts.fill_us = yield.fill_us;
	facts.rows = rows->kept;
	facts.pos = Min(lookup->view.pos, watch.lowest_position);
	facts.generation = yield.mark->generation;
	facts.nboot = lookup->view.nboot;
	facts.lag_ms = Max(yield.lag_ms, watch.lag_ms);
	facts.database = MyDatabaseId;
	facts.role = GetUserId();
	facts.queryid = lookup->examined->queryid;
	facts.flags = (exact_result ? kEntryExact : 0) |
				  (IsTransit(lookup->call->options) ? kEntryTransit : 0) |
				  (lookup->examined->automatic ? kEntryAuto : 0);
	return facts;
}

/*
 * All checks allow keeping the result.  Only now may the fill evict good entries for what is missing, which
 * takes time: so the checks are repeated.
 */
Reason
CompleteSpilled(Lookup *lookup, Rows *rows, const exact::FillMark &mark, const Meta &meta,
				bool *exact_result)
{
	if (!rows->spilled)
		return Reason::none;
	if (!CompleteFill(rows))
		return Reason::no_memory;
	if (!DefinitionsHold(lookup, mark, meta))
		return Reason::changed_during_fill;
	*exact_result = *exact_result && RowsHold(lookup, mark, meta);
	return lookup->exact && !*exact_result ? Reason::changed_during_fill : Reason::none;
}

/* Links the entry; false: the owner's quota has no room any more. */
bool
Link(Lookup *lookup, Rows *rows, const FillResult &yield, const Meta &meta, bool exact_result,
	 bool *published)
{
	EntryFacts facts = FactsOfFill(lookup, rows, yield, exact_result);
	uint32 length;
	char *bytes = EncodeMeta(meta, &length);
	const Published kept = PublishFill(rows->fill, &facts, OwnerHere(*lookup->call), bytes, length);

	*published = kept == Published::yes;
	if (*published)
	{
		Count(Counter::stores);
		NoteSize(lookup->key.hash, rows->bytes, false);
		PassOn(lookup, rows->fill);
	}
	return kept != Published::over_quota;
}

} // namespace

Reason
Publish(Lookup *lookup, Rows *rows, const FillResult &yield, Reason miss, bool *published)
{
	const exact::FillMark &mark = *yield.mark;
	const Dependencies d = CollectDependencies(lookup, *yield.watch);
	Meta meta = {};
	bool exact_result;
	Reason reason;

	/* An enclosing fill inherits these dependencies, even if this result is not stored. */
	meta.slots = ArrayOf(d.slots, &meta.head.slots);
	WatchSlots(meta.slots, static_cast<int>(meta.head.slots));

	reason = WhyNotWorth(lookup, rows, yield, &miss);
	if (reason != Reason::none)
		return reason;
	if (list_length(d.relations) > static_cast<int>(kMaxDependencies) ||
		meta.head.slots > 2 * kMaxDependencies)
		return Reason::too_many_dependencies;
	CompleteMeta(&meta, lookup, d);
	if (!DefinitionsHold(lookup, mark, meta) || !SawRelations(lookup->view, d.relations))
		return Reason::changed_during_fill;
	reason = JudgeOwn(meta, lookup->exact);
	if (reason == Reason::none)
		reason = JudgeExact(lookup, yield, meta, d.rows_untold, &exact_result);
	if (reason == Reason::none && !WithinQuota(OwnerHere(*lookup->call), rows->bytes))
		reason = Reason::over_quota;
	if (reason == Reason::none)
		reason = CompleteSpilled(lookup, rows, mark, meta, &exact_result);
	if (reason != Reason::none)
		return reason;
	return Link(lookup, rows, yield, meta, exact_result, published) ? miss : Reason::over_quota;
}

} // namespace cq
