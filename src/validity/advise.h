/*
 * advise.h
 *		By which columns cached_query_track() would help a plan that has run.
 *
 * Part of watch.h.
 */
#pragma once

#include "pg.h"
#include "exact/tracking.h"

namespace cq
{

struct Watch;

struct AdvisedKeys
{
	int n; /* 0: none would help */
	AttrNumber columns[exact::kMostKeys];
};

/*
 * Each scan of the relation in this plan compares one of these with a value, and so would read rows of a key only.
 * None, if the table is tracked already by what each scan compares.  To be asked after WatchOwnScans() of the same.
 */
extern AdvisedKeys AdviseKeys(const Watch &watch, PlanState *top, Oid relation);

} // namespace cq
