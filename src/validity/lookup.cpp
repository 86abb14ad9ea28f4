/*
 * lookup.cpp
 *		A call, and what is known of it while its entry is looked up.
 */
#include "pg.h"
#include "validity/lookup.h"

namespace cq
{

int64
LifeFor(const Call &call)
{
	return LifeWith(call.ttl_us, call.options.consistency == Consistency::exact,
					call.options.stale_for_ms);
}

int64
LifeWith(int64 ttl_us, bool exact, int stale_for_ms)
{
	const int64 stale_us = static_cast<int64>(stale_for_ms) * 1000;

	if (exact)
		return ttl_us;
	return ttl_us > PG_INT64_MAX - stale_us ? PG_INT64_MAX : ttl_us + stale_us;
}

bool
CanRunElsewhere(const Lookup &lookup)
{
	return lookup.examined->params_lasting && !lookup.call->bound_here;
}

/*
 * Who pays for what is kept: the role whose session it is, as its settings apply to all that the session
 * does, under whatever role.  A worker refreshes for whoever paid before.
 */
Owner
OwnerHere(const Call &call)
{
	Owner owner = MakeOwner(MyDatabaseId, GetSessionUserId(), settings::quota_kb);

	owner.inherit = call.by_worker;
	return owner;
}

} // namespace cq
