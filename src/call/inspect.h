/*
 * inspect.h
 *		What a call would meet, without making it: for explain, the views and estimates.
 */
#pragma once

#include "pg.h"
#include "query/handle.h"
#include "query/key.h"
#include "store/store.h"

namespace cq
{

struct Inspection
{
	HeldHandle handle;
	Reason ttl; /* Reason::none: cacheable */
	char *ttl_detail;
	Reason exact;
	bool has_key; /* false if no call can have a key for this */
	Key key;
	Pin *pin; /* the entry under that key, or nullptr */
};
extern Inspection Inspect(const char *query, int length, const Args &args, Shape shape);
extern void EndInspection(Inspection *inspection);
/*
 * Rows of the entry that the call would meet; false when there is none.  For the planner: cheap,
 * and nothing is checked that the call itself will check.
 */
extern bool EstimateRows(const char *query, int length, const Args &args, double *rows);

} // namespace cq
