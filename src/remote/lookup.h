/*
 * lookup.h
 *		Redis as a second store: looking for an entry there, and passing new ones on.
 */
#pragma once

#include "pg.h"
#include "validity/lookup.h"

namespace cq
{

/*
 * An entry from Redis, after memory had none, for this kind of miss.  False: it has none, or is not to
 * be asked, or there is anything wrong with it or the value.
 */
extern bool LookUpRedis(Lookup *lookup, Reason miss, Served *served);
/* Have an entry that was just published written to Redis, if the options say so, and end our lease. */
extern void PassOn(const Lookup *lookup, const Pin *pin);

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
