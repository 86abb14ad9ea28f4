/*
 * dependencies.h
 *		What a new entry depends on: slots that hits check, and relations.
 */
#pragma once

#include "validity/lookup.h"

namespace cq
{

struct Dependencies
{
	List *slots;       // exact::SlotNo as int: every hit checks them
	List *write_slots; // an exact hit checks them, too
	List *relations;
	bool
		rows_untold; // on a standby, of some relation it isn't known who changes its rows: not exact
	List *grains;    // of each of them, as in validity/pins.h (int)
};

extern Dependencies CollectDependencies(Lookup *lookup, const Watch &watch);

} // namespace cq
