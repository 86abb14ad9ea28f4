/*
 * server.h
 *		This server and its calls, as far as Redis is concerned.
 */
#pragma once

#include "pg.h"
#include "redis/value.h"
#include "validity/lookup.h"

namespace cq
{

/* Does a call with these options look into Redis, and is there one? */
extern bool UsesRedis(const CallOptions &options);
/* Will its published entry be passed on and then dropped here? */
extern bool IsTransit(const CallOptions &options);
/* What a server must have in common with us to use our values; and the history we are on. */
extern redis::ServerIdentity ServerIdentityHere();
extern uint32 TimelineHere();

} // namespace cq
