/*
 * miss.h
 *		Who runs a query that is not in the cache: this call, or another that it waits for.
 */
#pragma once

#include "pg.h"
#include "call/answer.h"
#include "call/singleflight.h"

namespace cq
{

/* An entry in memory, or in Redis, as the answer. */
extern Reason LookUpFor(Lookup *lookup, Answer *answer);
extern bool LookUpRedisFor(Lookup *lookup, Answer *answer, Reason miss);
/* Of a call: run the query and keep its rows, for the lookup's key; or keep nothing. */
extern Reason FillForCall(Lookup *lookup, Answer *answer, Reason miss);
extern void RunOnly(Lookup *lookup, Answer *answer, Reason reason);
/*
 * If the lookup leads the fill of its key, it leads no more: those who wait go on at once, and the lease in
 * Redis ends, too.  Else this does nothing, so it may be called again.  Raises nothing.
 */
extern void EndLead(Lookup *lookup, JoinResult outcome);
/*
 * A miss: run the query, or wait for somebody who runs it already.  The age of a result counts
 * up to the moment we asked, not to the end of our waiting: our own run would have shown the same
 * moment.
 *
 * Others than the one we waited for may want the same again: when the query failed, or the entry
 * was too old for us.  One of us leads then, but nobody waits for a third: a query that fails for
 * each, or a ttl that is shorter than the age of each one's snapshot, would make a queue of us.
 *
 * Nobody waits longer than waiting is worth (WaitLimit).  Callers whose wait was too long don't run the
 * query all at once.  One of them leads a second fill of the same key, and the others wait for that one, up
 * to twice as long.  So only a few of many callers run the query, even if the server is so busy that every
 * fill takes longer than expected.
 */
extern Reason FillOrShare(Lookup *lookup, Answer *answer, Reason miss);
/*
 * Rows that are stale, or fresh but to be refreshed early: one caller refreshes them, in its call or by
 * a worker, and the others take them as they are.
 */
extern Reason RefreshOrServe(Lookup *lookup, Answer *answer, Reason found);
/* What a bypass says to a fill around this call. */
extern void TellOuterWatch(Reason reason);

} // namespace cq
