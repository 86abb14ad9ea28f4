/*
 * reply_objects.h
 *		The objects that hiredis has us make of a reply.
 *
 * Part of protocol.h.
 */
#pragma once

#include "pg.h"
#include "redis/protocol.h"

namespace cq::redis
{

/* Of all that is kept for Redis in this process. */
extern MemoryContext Context();
extern redisReplyObjectFunctions *ObjectFunctions();

} // namespace cq::redis
