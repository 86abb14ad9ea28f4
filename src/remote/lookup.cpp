/*
 * lookup.cpp
 *		Redis as a second store: looking for an entry there, and passing new ones on.
 *
 * A value is fetched head first.  Nothing of it is used before it is authenticated, and its rows are
 * not fetched before it is known that they may be served: that they are young enough, and that
 * nothing they depend on has changed.  For a value that this server has written since its start
 * the position and the slots tell, as for an entry in memory, and what other servers have invalidated.  Any other has an age only: its life less
 * what Redis says is left of it, so that no clocks are compared; what it depends on must not have changed here since (exact/elsewhere.cpp).  Exact results never come from elsewhere.
 *
 * Rows go into an entry of the store, chunk by chunk.  In `tiered` mode it is published and serves
 * others from then on; in `redis` mode it is read by its maker and freed.
 */
#include "pg.h"
#include "validity/meta.h"
#include "validity/lookup.h"
#include "remote/server.h"
#include "validity/lag.h"
#include "validity/judge.h"
#include "remote/fetch.h"
#include "remote/writer.h"
#include "remote/queue.h"
#include "remote/lease.h"
#include "remote/invalidations.h"
#include "remote/lookup.h"
#include "redis/client.h"
#include "redis/identity.h"
#include "stats/stats.h"

extern "C" {
#include "access/xlogrecovery.h"
#include "catalog/catversion.h"
}

namespace cq
{
namespace
{

/* --- may it be served? ---------------------------------------------------------------------- */

/* The value in this server's terms. */
struct Candidate
{
	EntryFacts facts;
	Meta meta;
	bool own;      /* written by this server since its start */
	int64 then_ms; /* the moment of its rows, on our monotonic clock */
};

/*
 * How old its rows were when we asked; false: it can't be told.  In a namespace of our own it was our clock that
 * the moment of the rows was read from, and nobody can put back an old value with a new life.
 */
bool
AgeOf(const Found &found, int64 *age_us)
{
	const redis::Header &header = found.head.header;

	const int64 kept_us = (header.px_ms - found.left_ms) * 1000;

	const int64 by_clock = found.asked - header.written_us;

	*age_us = header.age_us + kept_us;
	if (redis::GetIdentity().own)
	{
		*age_us = Max(*age_us, by_clock);
		return true;
	}
	return by_clock - kept_us <= kMaxClockSkew;
}

bool
Interpret(const Lookup *lookup, const Found &found, Candidate *candidate)
{
	const redis::Header &header = found.head.header;
	EntryFacts &facts = candidate->facts;
	char *meta = NewArray<char>(header.meta_length);
	int64 age_us;

	memcpy(meta, found.head.meta, header.meta_length); /* for its alignment */
	if (header.facts_length != sizeof(EntryFacts) ||
		!DecodeMeta(meta, header.meta_length, &candidate->meta))
		return false;
	memcpy(&facts, header.facts, sizeof(EntryFacts));
	facts.flags &= ~kEntryTransit;
	candidate->own = header.incarnation == exact::Incarnation() && !(facts.flags & kEntryElsewhere);
	if (candidate->own)
	{
		candidate->then_ms = found.asked_ms - (found.asked - facts.as_of) / 1000;
		return true;
	}
	if (header.timeline != TimelineHere() || !AgeOf(found, &age_us))
		return false;
	facts.as_of = found.asked - age_us;
	facts.flags = kEntryElsewhere;
	facts.lag_ms = 0; /* its age has it */
	facts.generation = exact::Generation();
	facts.nboot = lookup->view.nboot;
	facts.pos = lookup->view.pos;
	candidate->then_ms = found.asked_ms - age_us / 1000;
	return true;
}

/* This transaction itself has not changed or invalidated anything that it depends on. */
bool
UntouchedByUs(const Meta &meta)
{
	for (uint32 i = 0; i < meta.head.slots; i++)
	{
		if (exact::OwnInvalidated(meta.slots[i]))
			return false;
	}
	return JudgeOwn(meta, false) == Reason::none;
}

bool
MayServe(const Lookup *lookup, const Candidate &candidate)
{
	const Meta &meta = candidate.meta;

	if (JudgeFacts(lookup, candidate.facts) != Reason::none)
		return false;
	if (exact::VoidedSince(meta.slots, meta.head.slots, candidate.then_ms))
		return false;
	if (candidate.own)
		return JudgeMeta(lookup, candidate.facts, meta) == Reason::none;
	return exact::CheckElsewhere(meta.slots, meta.head.slots, lookup->view, candidate.then_ms,
								 redis::GetIdentity().own) == exact::SlotCheck::valid &&
		   UntouchedByUs(meta);
}

/* Is everything that was checked before still true, now that the rows are here? */
bool
StillServable(Lookup *lookup, const exact::FillMark &mark, const Candidate &candidate)
{
	const Meta &meta = candidate.meta;

	return exact::Generation() == mark.generation && lookup->examiner->holds(lookup) &&
		   StillValid(lookup, mark, meta.slots, meta.head.slots) && MayServe(lookup, candidate);
}

/* The fill becomes the entry that is served, and in `tiered` mode everybody's. */
void
Serve(Lookup *lookup, const Found &found, const Candidate &candidate, Pin *fill, Served *served)
{
	EntryFacts facts = candidate.facts;
	bool published;

	facts.ttl_us = Max(facts.ttl_us, LifeFor(*lookup->call));
	facts.stale_us = LifeFor(*lookup->call) - lookup->call->ttl_us;
	published = lookup->call->options.store == StoreKind::tiered &&
				PublishFill(fill, &facts, OwnerHere(*lookup->call), found.head.meta,
							found.head.header.meta_length) == Published::yes;
	if (!published)
		SealFill(fill, found.head.header.rows);
	*served = {fill, facts.rows, Max(GetCurrentTimestamp() - facts.as_of, 0), published};
	lookup->fill_us = facts.fill_us;
	TellWatch(lookup, facts, candidate.meta);
	Count(Counter::redis_hits);
	Count(Counter::saved_us, static_cast<uint64>(facts.fill_us));
}

bool
FromRedis(Lookup *lookup, Served *served)
{
	Found found;
	Candidate candidate;
	exact::FillMark mark;
	Pin *fill;

	exact::MarkFill(&mark);
	if (!FetchHead(lookup->key, &found))
		return false;
	if (!Interpret(lookup, found, &candidate) || !MayServe(lookup, candidate))
	{
		Count(Counter::redis_rejected);
		return false;
	}
	fill = BeginFill(lookup->key.hash, lookup->key.bytes, lookup->key.length);
	if (fill == nullptr)
		return false;
	if (!MakeRoom(lookup, found, fill) || !LoadRows(found, fill) ||
		!StillServable(lookup, mark, candidate))
	{
		Unpin(fill);
		return false;
	}
	Serve(lookup, found, candidate, fill, served);
	return true;
}

/* Will a result that another server has computed do?  For a worker, if the one it is to refresh has expired. */
bool
WillDo(const Lookup *lookup, Reason miss)
{
	if (miss == Reason::miss_refresh)
		return lookup->call->by_worker && lookup->as_of != 0 &&
			   lookup->now - lookup->as_of >= lookup->call->ttl_us;
	return Describe(miss).kind == Kind::miss && miss != Reason::miss_ahead && miss != Reason::cheap;
}

} // namespace

bool
LookUpRedis(Lookup *lookup, Reason miss, Served *served)
{
	MemoryContext scratch;
	MemoryContext caller;
	bool found;

	if (!UsesRedis(lookup->call->options) || !WillDo(lookup, miss))
		return false;
	EnsureRedisWriter();
	if (!redis::Usable() || !InvalidationsTakenIn())
	{
		NoReply();
		return false;
	}
	scratch =
		AllocSetContextCreate(CurrentMemoryContext, "CachedQueryRedis", ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(scratch);
	found = FromRedis(lookup, served);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(scratch);
	return found;
}

void
PassOn(const Lookup *lookup, const Pin *pin)
{
	if (!UsesRedis(lookup->call->options))
		return;
	EnsureRedisWriter();
	if ((FactsOf(PinnedEntry(pin)).lag_ms == kLagUnknown && NamespaceShared()) ||
		!QueueEntry(pin, lookup->leads ? HandOverLease() : Lease{}))
		Count(Counter::redis_dropped);
}

bool
PeekRedis(const Key &key, Remote *remote)
{
	Found found;

	if (!redis::Configured() || !redis::Usable() || !FetchHead(key, &found) ||
		!AgeOf(found, &remote->age_us))
		return false;
	remote->rows = found.head.header.rows;
	remote->bytes = found.head.header.plain_size;
	remote->left_us = found.left_ms * 1000;
	return true;
}

} // namespace cq
