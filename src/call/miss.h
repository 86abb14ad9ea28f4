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
 * A miss: run the query, or wait for a session that already runs it.  The age of a result counts up to
 * the moment of the call and not to the end of its waiting, since our own run would have shown the
 * database at the moment of the call.
 *
 * If the query failed for the session that we waited for, or its entry was too old for us, others may
 * want the same.  Then one of us leads, but nobody waits for a third leader.  Otherwise a query that
 * fails for everybody, or a ttl shorter than the age of each session's snapshot, would make all of us
 * run one after the other.
 *
 * Nobody waits longer than waiting is worth (WaitLimit).  Callers whose wait was too long don't run the
 * query all at once.  One of them leads a second fill of the same key, and the others wait for that
 * one, up to twice as long.  So only a few of many callers run the query, even if the server is so busy
 * that every fill takes longer than expected.
 */
extern Reason FillOrShare(Lookup *lookup, Answer *answer, Reason miss);
/*
 * An entry is stale, or it is fresh but to be refreshed early.  One caller refreshes it, in its call or
 * by a worker; the other callers are served the entry.
 */
extern Reason RefreshOrServe(Lookup *lookup, Answer *answer, Reason found);
/* What a bypass says to a fill around this call. */
extern void TellOuterWatch(Reason reason);

} // namespace cq
