/*
 * judge.cpp
 *		May the cache be used for this call, and is the entry that was found good for it?
 *
 * What forbids the cache for the query comes first, then what does for this transaction, then the
 * entry's validity: generation, age, position, and the slots that it depends on.
 */
#include "pg.h"
#include "validity/watch.h"
#include "validity/staleness.h"
#include "validity/judge.h"
#include "validity/lookup.h"
#include "validity/meta.h"
#include "query/catalog.h"
#include "query/fingerprint.h"
#include "stats/stats.h"

extern "C" {
#include "catalog/pg_am.h"
#include "catalog/pg_constraint.h"
#include "utils/portal.h"
}

namespace cq
{
namespace
{

Reason
ReasonOf(exact::Standing standing)
{
	switch (standing)
	{
	case exact::Standing::ok:
		return Reason::none;
	case exact::Standing::serializable:
		return Reason::serializable;
	case exact::Standing::foreign:
		return Reason::foreign_snapshot;
	case exact::Standing::parallel_worker:
		return Reason::parallel_worker;
	case exact::Standing::no_snapshot:
	case exact::Standing::committing:
	case exact::Standing::crowded:
		break;
	}
	return Reason::no_snapshot;
}

Reason
ReasonOf(exact::SlotCheck verdict)
{
	switch (verdict)
	{
	case exact::SlotCheck::valid:
		return Reason::none;
	case exact::SlotCheck::changed:
		return Reason::miss_invalidated;
	case exact::SlotCheck::too_old:
		return Reason::older_than_change;
	case exact::SlotCheck::in_ddl:
		return Reason::ddl_in_progress;
	case exact::SlotCheck::overflow:
		break;
	}
	return Reason::in_flight;
}

/* For tables of another server or access method it is unknown which rows this transaction wrote. */
bool
OwnOpaque(Oid relation)
{
	char kind = 0;
	char persistence;
	bool row_security;
	Oid access_method = InvalidOid;

	return exact::OwnWroteOpaque() &&
		   RelationFacts(relation, &kind, &persistence, &row_security, &access_method) &&
		   (kind == RELKIND_FOREIGN_TABLE ||
			(OidIsValid(access_method) && access_method != HEAP_TABLE_AM_OID));
}

/* Has this transaction changed what an entry depends on? */
bool
OwnChange(const Meta &meta, bool exact)
{
	for (uint32 i = 0; i < meta.head.relations; i++)
	{
		const Oid relation = meta.relations[i];

		if (exact ? exact::OwnTouched(relation, meta.write_slots, meta.head.write_slots)
				  : exact::OwnWrote(relation))
			return true;
		if (OwnOpaque(relation))
			return true;
	}
	return false;
}

} // namespace

/* By all but the dependencies of the entry: hit, or stale_hit if the call takes stale rows. */
Reason
JudgeFacts(const Lookup *lookup, const EntryFacts &facts)
{
	bool expired;

	if (facts.generation != exact::Generation())
		return Reason::miss_invalidated;
	if (lookup->exact && (!(facts.flags & kEntryExact)))
		return Reason::miss_not_exact;
	if (!exact::SameBoot(lookup->view, facts.nboot, lookup->exact))
		return lookup->exact ? Reason::miss_not_exact : Reason::miss_invalidated;
	expired = lookup->now - facts.as_of >= lookup->call->ttl_us;
	if (expired && !MayBeStale(lookup, facts))
		return Reason::miss_expired;
	if (IsolationUsesXactSnapshot() && !lookup->exact &&
		(facts.pos > lookup->view.pos || (facts.flags & kEntryElsewhere)))
		return expired ? Reason::miss_expired : Reason::newer_than_snapshot;
	return expired ? Reason::stale_hit : Reason::none;
}

Reason
JudgeOwn(const Meta &meta, bool exact)
{
	if ((exact::OwnAnything() || exact::OwnWroteOpaque()) && OwnChange(meta, exact))
		return Reason::own_write;
	return Reason::none;
}

Reason
JudgeMeta(const Lookup *lookup, const EntryFacts &facts, const Meta &meta)
{
	Reason reason = CheckSlots(meta.slots, meta.head.slots, lookup->view, facts.pos);

	if (reason == Reason::none && lookup->exact)
		reason = CheckSlots(meta.write_slots, meta.head.write_slots, lookup->view, facts.pos);
	return reason == Reason::none ? JudgeOwn(meta, lookup->exact) : reason;
}

void
TellWatch(const Lookup *lookup, const EntryFacts &facts, const Meta &meta)
{
	if (!Watching())
		return;
	WatchRelations(meta.relations, static_cast<int>(meta.head.relations));
	WatchSlots(meta.slots, static_cast<int>(meta.head.slots));
	WatchUsed(facts, (facts.flags & kEntryExact) && lookup->exact);
}

namespace
{

/* Has another server of our namespace invalidated it since? */
bool
VoidElsewhere(const EntryFacts &facts, const Meta &meta)
{
	return exact::LastVoided() != 0 &&
		   exact::VoidedSince(meta.slots, meta.head.slots, MomentOf(facts));
}

} // namespace

Reason
JudgeEntry(const Lookup *lookup, const Pin *pin, const EntryFacts &facts, Meta *meta, char *buffer,
		   Size size)
{
	Reason age = JudgeFacts(lookup, facts);
	Reason reason;

	if (age != Reason::none && age != Reason::stale_hit)
		return age;
	*meta = ReadDependencies(PinnedEntry(pin), buffer, size);
	reason = JudgeMeta(lookup, facts, *meta);
	if (reason == Reason::none && VoidElsewhere(facts, *meta))
		reason = Reason::miss_invalidated;
	if (age == Reason::stale_hit && reason != Reason::miss_invalidated)
		return reason == Reason::none ? Reason::stale_hit : Reason::miss_expired;
	return reason;
}

void
NoticeVolatile(const char *detail)
{
	static bool noticed = false;

	if (!noticed)
		ereport(NOTICE, (errmsg("query is run, not cached: it calls a volatile function"),
						 errdetail("The query calls %s.", detail),
						 errhint("This is said once a session; cached_query_reasons counts it. "
								 "See cached_query.nondeterministic.")));
	noticed = true;
}

namespace
{

/*
 * Does this session have a cursor with the name of one that a function would open?  Then the function
 * raises an error.
 */
const char *
CursorInTheWay(List *names)
{
	ListCell *cell;

	foreach (cell, names)
	{
		const char *name = static_cast<char *>(lfirst(cell));

		if (PortalIsValid(GetPortalByName(name)))
			return name;
	}
	return nullptr;
}

} // namespace

Reason
TtlReason(const Findings &findings, Shape shape, char **detail)
{
	if (findings.ttl != Reason::none)
	{
		*detail = findings.ttl_detail;
		return findings.ttl;
	}
	if ((findings.names || (shape == Shape::json && findings.name_values)) && HasTempObjects())
	{
		*detail = pstrdup("this session has temporary objects that names inside may mean");
		return Reason::temp_relation;
	}
	if (const char *cursor = CursorInTheWay(findings.cursors))
	{
		*detail = psprintf("this session has a cursor \"%s\", which a function would open", cursor);
		return Reason::session_function;
	}
	if (findings.volatile_detail != nullptr &&
		settings::nondeterministic != static_cast<int>(Nondeterministic::cache))
	{
		*detail = findings.volatile_detail;
		return Reason::volatile_function;
	}
	return Reason::none;
}

Reason
JudgeQuery(const Examined &query, Shape shape, bool exact, char **detail)
{
	const Findings &findings = query.findings;
	Reason reason;

	if (exact && findings.exact != Reason::none)
	{
		*detail = findings.exact_detail;
		return findings.exact;
	}
	if (exact && shape == Shape::json && findings.name_values)
	{
		*detail = pstrdup("the text of a name");
		return Reason::dep_catalog;
	}
	reason = TtlReason(findings, shape, detail);
	if (reason == Reason::volatile_function &&
		settings::nondeterministic == static_cast<int>(Nondeterministic::error))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("cannot cache a query that calls a volatile function"),
						errdetail("The query calls %s.", *detail),
						errhint("Set cached_query.nondeterministic to \"bypass\" or \"cache\".")));
	return reason;
}

bool
OwnChange(List *relations, bool exact)
{
	ListCell *cell;

	foreach (cell, relations)
	{
		if (exact ? exact::OwnTouched(lfirst_oid(cell), nullptr, 0)
				  : exact::OwnWrote(lfirst_oid(cell)))
			return true;
	}
	return false;
}

/*
 * Has this transaction changed what names in bodies mean, or a type, or the constraints of one?  We are
 * told of some of these changes only at commit, but each has written to a catalog.
 */
bool
OwnChangedInside(const Findings &findings)
{
	if ((findings.late || findings.functions != NIL) && exact::OwnWrote(RelationRelationId))
		return true;
	return (findings.late || findings.functions != NIL || findings.types != NIL) &&
		   (exact::OwnWrote(TypeRelationId) || exact::OwnWrote(ConstraintRelationId));
}

Reason
JudgeTransaction(Lookup *lookup)
{
	Reason reason = ReasonOf(lookup->standing);

	if (reason != Reason::none)
		return reason;
	if ((lookup->examined->findings.opaque && exact::OwnWroteOpaque()) ||
		(lookup->examined->findings.catalogs && exact::OwnWroteCatalogs()))
		return Reason::own_write;
	if (exact::OwnAnything() &&
		(exact::OwnChangedEverything() || OwnChangedInside(lookup->examined->findings) ||
		 OwnChange(lookup->examined->findings.relations, lookup->exact) ||
		 OwnChange(lookup->examined->findings.rowtypes, lookup->exact)))
		return Reason::own_write;
	return Reason::none;
}

Reason
CheckSlots(const exact::SlotNo *slots, uint32 count, const exact::View &view, uint64 position)
{
	for (uint32 i = 0; i < count && unlikely(exact::OwnAnything()); i++)
	{
		if (exact::OwnInvalidated(slots[i]))
			return Reason::own_invalidation;
	}
	return ReasonOf(exact::CheckAll(slots, count, view, position));
}

Reason
LookUp(Lookup *lookup, Served *served)
{
	Pin *pin = FindEntry(lookup->key.hash, lookup->key.bytes, lookup->key.length);
	char buffer[512];
	EntryFacts facts;
	Meta meta = {};
	Reason reason;

	if (pin == nullptr)
		return Reason::miss_cold;
	facts = FactsOf(PinnedEntry(pin));
	if (lookup->call->options.store == StoreKind::redis && !(facts.flags & kEntryTransit))
	{
		/* only Redis knows whether this entry is the latest */
		Unpin(pin);
		return Reason::miss_cold;
	}
	lookup->inherited_ttl = facts.ttl_us;
	lookup->as_of = facts.as_of;
	lookup->fill_us = facts.fill_us;
	reason = JudgeEntry(lookup, pin, facts, &meta, buffer, sizeof(buffer));
	if (Describe(reason).kind != Kind::hit)
	{
		if (reason == Reason::miss_invalidated)
		{
			DropEntry(pin);
			Count(Counter::invalidations);
			lookup->inherited_ttl = 0;
		}
		lookup->was_hit = Summarize(pin).hits > 0;
		Unpin(pin);
		return reason;
	}

	TellWatch(lookup, facts, meta);
	/* the entry may have come after the call's `now` */
	*served = {pin, facts.rows, Max(lookup->now - facts.as_of, 0), true};
	lookup->early = reason == Reason::hit && DrawEarlyRefresh(lookup, facts);
	if (reason == Reason::hit && !lookup->early)
		CountServed(lookup, pin);
	return reason;
}

void
CountServed(const Lookup *lookup, Pin *pin)
{
	CountHit(pin, lookup->now, LifeFor(*lookup->call));
	Count(Counter::saved_us, static_cast<uint64>(FactsOf(PinnedEntry(pin)).fill_us));
}

void
InheritTtl(Lookup *lookup)
{
	Pin *pin = FindEntry(lookup->key.hash, lookup->key.bytes, lookup->key.length);

	if (pin == nullptr)
		return;
	lookup->inherited_ttl = FactsOf(PinnedEntry(pin)).ttl_us;
	lookup->as_of = FactsOf(PinnedEntry(pin)).as_of;
	Unpin(pin);
}

/*
 * Was what the result depends on the same from the snapshot to this moment, and not changed by this
 * transaction itself?
 */
bool
StillValid(Lookup *lookup, const exact::FillMark &mark, const exact::SlotNo *slots, uint32 count)
{
	for (uint32 i = 0; i < count; i++)
	{
		if (exact::Check(slots[i], lookup->view, lookup->view.pos) != exact::SlotCheck::valid ||
			!exact::Unmoved(mark, slots[i]) || exact::OwnInvalidated(slots[i]))
			return false;
	}
	return true;
}

} // namespace cq
