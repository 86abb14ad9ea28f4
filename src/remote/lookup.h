/*
 * lookup.h
 *		Redis as a second store: looking for an answer there, and passing new ones on.
 */
#pragma once

#include "pg.h"
#include "validity/lookup.h"
#include "redis/value.h"

namespace cq
{

/* Does a call with these options look into Redis, and is there one? */
extern bool UsesRedis(const CallOptions &options);
/* Will its published entry be passed on and then dropped here? */
extern bool IsTransit(const CallOptions &options);
/*
 * The answer from Redis, after memory had none: redis_hit, or `miss` as it was.  Whatever is wrong
 * with Redis or the value, it is `miss`.  *published: others find the answer in memory now.
 */
extern Reason LookUpRedis(Attempt *attempt, Answer *answer, Reason miss, bool *published);
/* Have an entry that was just published written there, if the options say so, and end our lease. */
extern void PassOn(const Attempt *attempt, const Pin *pin);

/* What a server must have in common with us to use our values; and the history we are on. */
extern redis::Origin OriginHere();
extern uint32 TimelineHere();

/* What Redis has under a key, for explain. */
struct Remote
{
	uint64 rows;
	uint64 bytes;
	int64 age_us;
	int64 left_us;
};
extern bool PeekRedis(const Key &key, Remote *remote);

} // namespace cq
