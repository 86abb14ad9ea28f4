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

/* What is known about a run, beside its rows. */
struct FillResult
{
	const Watch *watch;
	const exact::FillMark *mark;
	int64 fill_us;
	TimestampTz as_of;
	int32 lag_ms; /* EntryFacts */
};
/* Publish the fill if nothing forbids it.  Returns `miss`, or why it is not published. */
extern Reason Publish(Lookup *lookup, Rows *rows, const FillResult &yield, Reason miss,
					  bool *published);

} // namespace cq
