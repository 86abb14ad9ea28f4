/*
 * fetch.h
 *		Fetching a value from Redis: its head, then its rows.
 */
#pragma once

#include "pg.h"
#include "redis/identity.h"

namespace cq
{

/*
 * Ages come from Redis; other servers' clocks tell only when somebody has prolonged the life of old values.
 */
constexpr int64 kMaxClockSkew = 5 * 60 * USECS_PER_SEC;

/* A value that was found; its head is authentic and is under our key. */
struct Found
{
	redis::EntryHash hash;
	redis::Head head;
	int64 left_ms;
	TimestampTz asked; /* before we asked for it */
	int64 asked_ms;    /* MonotonicMs() */
};

/* No reply from Redis; a name that it couldn't look up is looked up by the Redis writer. */
extern void NoReply();
/* False: there is none that can be used. */
extern bool FetchHead(const Key &key, Found *found);
/* All rows into the fill; false: they were not all there, not to be believed, or too many. */
extern bool LoadRows(const Found &found, Pin *fill);
/* What is going to be kept may evict good entries for its rows, whose size is known; what only passes
 * through may not (store/room.h).  False: they don't fit. */
extern bool MakeRoom(const Lookup *lookup, const Found &found, Pin *fill);

} // namespace cq
