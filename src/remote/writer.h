/*
 * writer.h
 *		The background worker that carries entries and removals to Redis.
 *
 * No caller waits for a write to Redis: it puts a job into the queue (queue.h), which takes a few
 * instructions, and the Redis writer does the rest.  It is started when it is needed for the first time,
 * or with the server where a namespace is shared, and ends when Redis is no longer configured; who
 * doesn't use Redis never has one.
 */
#pragma once

#include "pg.h"

namespace cq
{

/* From _PG_init. */
extern void InitRedisWriter();
/* Start the Redis writer unless it runs.  Not in a commit callback. */
extern void EnsureRedisWriter();
} // namespace cq
