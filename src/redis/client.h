/*
 * client.h
 *		A Redis client for backends and background workers: bytes in, bytes out.
 *
 * One call, Run(), sends a pipeline of commands and hands out the replies.  It waits in
 * PostgreSQL's own way, so that cancel, statement_timeout, termination and the postmaster's death
 * act at once, and never longer than cached_query.redis_timeout in all.  Connections are kept by
 * each process, opened at first use, and closed whenever a request on them did not come to its end:
 * none is ever out of step.
 *
 * What is wrong with Redis is never an error here: the result is `unavailable`, and the breaker
 * (breaker.h) sees to it that a dead server costs all processes together about one timeout.
 *
 * It works in any process that has a PGPROC and a latch, with or without a transaction.
 */
#pragma once

#include "pg.h"
#include "redis/types.h"

namespace cq::redis
{

/* Is there a URL? */
extern bool Configured();
/* A number that stands for it, the same in all processes. */
extern uint64 ServerHash();
/* And does the breaker let us?  Cheap: a few reads of shared memory. */
extern bool Usable();
extern Result Run(const Pipeline &pipeline);
/*
 * From an exit callback: gives up the request that FATAL has interrupted, and limits the time of later
 * ones.
 */
extern void BeginLastRequests(int64 ms);

/* ---- For the view ---- */

extern void GetStatus(Status *status);

extern void RequestShmem();
extern void InitShmem();

} // namespace cq::redis
