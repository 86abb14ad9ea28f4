/*
 * route.h
 *		Which server gets a pipeline, and getting it there: a single server, a cluster, a master
 *		that sentinels know.
 *
 * Connections, the map of slots and the master's address belong to the process.  All of them are
 * forgotten when the URL changes.
 */
#pragma once

#include "pg.h"
#include "redis/connection.h"

namespace cq::redis
{

/*
 * Runs the pipeline, with as many redirections and second attempts as the timeout allows.  On
 * failed, timeout and lost `trouble` says what was wrong.  If it raises, call CloseBusy().
 */
extern ExchangeResult Serve(const Pipeline &pipeline, Timeout *timeout);

/* Closes the connection that a request was going on on. */
extern void CloseBusy();
extern void CloseAll();

/* Bytes since the last call. */
extern void TakeTraffic(uint64 *in, uint64 *out);

} // namespace cq::redis
