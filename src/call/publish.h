/*
 * publish.h
 *		From rows that were filled to an entry that others see.
 */
#pragma once

#include "pg.h"
#include "call/rows.h"
#include "validity/lookup.h"
#include "validity/watch.h"

namespace cq
{

/* What a run brought, beside its rows. */
struct FillResult
{
	const Watch *watch;
	const exact::FillMark *mark;
	int64 fill_us;
	TimestampTz as_of;
	int32 lag_ms; /* EntryFacts */
};
/* Publish what was filled if everything speaks for it: `miss`, or why not. */
extern Reason Publish(Lookup *lookup, Rows *rows, const FillResult &yield, Reason miss,
					  bool *published);

} // namespace cq
