/*
 * staleness.h
 *		May an entry be served although it is older than its ttl, and is a fresh one to be refreshed early?
 */
#pragma once

#include "pg.h"
#include "validity/lookup.h"

namespace cq
{

/* May this call hand out what another makes new? */
extern bool MayTakeStale(const Attempt *attempt);
/* May the rows be handed out although they are older than the ttl? */
extern bool MayBeStale(const Attempt *attempt, const EntryFacts &facts);
/* Is a fresh entry to be refreshed early? */
extern bool DrawEarlyRefresh(const Attempt *attempt, const EntryFacts &facts);
/* Is the entry under our key still the one that was looked at? */
extern bool StillThere(const Attempt *attempt);

} // namespace cq
