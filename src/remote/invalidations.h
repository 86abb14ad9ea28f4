/*
 * invalidations.h
 *		What servers that share a namespace tell each other through Redis: which entries were
 *		invalidated, and how far the primary's history has come.
 *
 * Invalidations reach the others within about a second.  Until a server has taken in what the others
 * have told it does not believe values of theirs.
 */
#pragma once

#include "pg.h"
#include "exact/exact.h"

namespace cq
{

/* --- in any process ------------------------------------------------------------------------- */

/*
 * May values of other servers be used?  True if this server knows what they have invalidated.  Asks
 * Redis if nobody has for a while.  Raises only what redis::Run() does.
 */
extern bool InvalidationsTakenIn();

/* --- in the Redis writer ------------------------------------------------------------------------- */

/* Is there anybody to talk to? */
extern bool NamespaceShared();
/* Once a second: hear what others say and say how far we are.  Returns when to come again, in ms. */
extern int PeersTick();
/* Tell the others; false: not yet. */
extern bool SendInvalidation(exact::SlotNo slot);

/* --- for the view --------------------------------------------------------------------------- */

struct PeersStatus
{
	uint64 sent;     /* invalidations */
	uint64 received; /* of others */
	int64 heard_ms;  /* ago; -1: never */
	int64 lag_ms;    /* of a standby; -1: unknown */
};
extern void GetPeersStatus(PeersStatus *status);

extern void PeersRequestShmem();
extern void PeersInitShmem();

} // namespace cq
