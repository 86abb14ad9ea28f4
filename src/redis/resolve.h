/*
 * resolve.h
 *		Host names to addresses without waiting: a small table in shared memory.
 *
 * getaddrinfo() knows no cancel and may take minutes, so no backend calls it.  Numeric addresses and localhost
 * need no look-up; any other name is looked up here, and what is missing is noted for the process that
 * calls ResolveNames() (client.h).  Even that must answer to others meanwhile (base/process.h): the call
 * is made in a thread of its own, with all signals blocked, that touches nothing of the server.
 *
 * Locking: one LWLock (tranche CachedQueryRedis) protects the table; it is held for a copy.  A flag
 * says without it whether there is something to do.
 */
#pragma once

#include "pg.h"
#include "redis/channel.h"

namespace cq::redis
{

constexpr int kMaxAddresses = 4;

enum class Resolved
{
	found,
	unknown, /* not looked up yet */
	failed   /* there is no such name, at least now */
};

extern Resolved Resolve(const char *name, uint16 port, Address *addresses, int *count);
/* It did not lead to a server: look it up again. */
extern void ResolveAgain(const char *name);

/* ---- Name resolution, for the worker process ---- */

/* Is there a name that somebody waits for, or one that should be looked up again? */
extern bool ResolveWanted();
/*
 * Looks up such names, one after the other, without waiting: call it again after the time that it returns, in
 * ms; 0 when there is nothing more to look up.
 */
extern int ResolveNames();

extern int debug_sleep_resolve_ms; /* tests: a name server that takes so long */

#ifdef CQ_DEBUG
extern void DefineDebugSettings();
#endif
extern Size ResolveSize();
extern void ResolveRequestShmem();
extern void ResolveInitShmem();

} // namespace cq::redis
