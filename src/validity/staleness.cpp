/*
 * staleness.cpp
 *		Stale entries, and such as are about to expire: who makes them new, and who takes them as they
 *		are.
 *
 * Within stale_for after its ttl an entry is handed out like a fresh one, and everything that a
 * hit must pass is asked of it but its age.  One caller refreshes it: who takes the lead of its
 * fill, so that there is nothing to keep and nothing that could be left behind.  If that fails
 * the next caller tries; the entry's age counts from its own moment and nothing else, so a failure
 * makes no entry live longer.
 *
 * With cached_query.refresh = background a worker is asked instead (refresh_queue.cpp), and nobody
 * waits.  Where no worker can be had it is the caller's task again.
 *
 * Locking: none of its own.
 */
#include "pg.h"
#include "validity/watch.h"
#include "validity/staleness.h"
#include "validity/lookup.h"

#include <cmath>

namespace cq
{

/*
 * A fill around this call would pass stale rows on to callers that did not ask for them.  And a process
 * that leads a fill can't lead another.
 */
bool
MayTakeStale(const Lookup *lookup)
{
	return !lookup->exact && !Watching();
}

bool
MayBeStale(const Lookup *lookup, const EntryFacts &facts)
{
	return lookup->may_take_stale && lookup->now - facts.as_of < LifeFor(*lookup->call);
}

/*
 * Probabilistic early expiration (XFetch): A. Vattani, F. Chierichetti, K. Lowenstein, "Optimal
 * Probabilistic Cache Stampede Prevention", PVLDB 8(8), 2015.  Each hit draws how much earlier
 * than the ttl it takes the entry for expired, exponentially distributed around the time that a
 * fill takes: an entry that is hit often is refreshed once, shortly before it expires, and one that
 * is hit rarely is not.
 */
bool
DrawEarlyRefresh(const Lookup *lookup, const EntryFacts &facts)
{
	constexpr double kFarthest = 40; /* -ln() of the smallest number that is drawn */
	const double delta = static_cast<double>(facts.fill_us);
	double left =
		static_cast<double>(lookup->call->ttl_us) - static_cast<double>(lookup->now - facts.as_of);

	if (!settings::refresh_ahead || !lookup->may_take_stale ||
		lookup->call->options.mode != Mode::on || left > delta * kFarthest)
		return false;
	return -delta * std::log(1.0 - pg_prng_double(&pg_global_prng_state)) >= left;
}

bool
StillThere(const Lookup *lookup)
{
	Pin *pin = FindEntry(lookup->key.hash, lookup->key.bytes, lookup->key.length);
	bool same = pin != nullptr && FactsOf(PinnedEntry(pin)).as_of == lookup->as_of;

	if (pin != nullptr)
		Unpin(pin);
	return same;
}

} // namespace cq
