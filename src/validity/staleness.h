/*
 * staleness.h
 *		May an entry be served although it is older than its ttl, and is a fresh one to be refreshed early?
 */
#pragma once

#include "pg.h"
#include "validity/lookup.h"

namespace cq
{

/* May this call be served an old entry while another session refreshes it? */
extern bool MayTakeStale(const Lookup *lookup);
/* May the rows be handed out although they are older than the ttl? */
extern bool MayBeStale(const Lookup *lookup, const EntryFacts &facts);
/* Is a fresh entry to be refreshed early? */
extern bool DrawEarlyRefresh(const Lookup *lookup, const EntryFacts &facts);
/* Is the entry under our key still the one that was looked at? */
extern bool StillThere(const Lookup *lookup);

} // namespace cq
