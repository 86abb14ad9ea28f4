/*
 * stream.h
 *		A query in execution: run to its end, or its rows taken one at a time.
 *
 * It is to the executor node above it what a subquery is: started under the resource owner and the
 * snapshot that are current when its first row is asked for, and ended by EndStream() or, after an
 * error, with them.  Its memory is `context`.  The plan is kept by a reference that the resource owner
 * knows, so the handle may be dropped meanwhile.
 */
#pragma once

#include "pg.h"
#include "query/handle.h"

extern "C" {
#include "tcop/dest.h"
}

namespace cq
{

struct Stream;
struct Watch;

/* Start the handle's query under the active snapshot; `watch` is that of the fill that runs it, or NULL. */
extern Stream *BeginStream(const HeldHandle &handle, ParamListInfo params, MemoryContext context,
						   Watch *watch);
/* May workers take part if it is run to its end at once?  If it is run row by row they may not. */
extern bool UsesWorkers(const Stream *stream);
/* Can the executor tell that all of the rows will be few? */
extern bool ExpectsFewRows(const Stream *stream);
/* All rows, until the receiver wants no more; what follows is left to NextOfStream(). */
extern void RunStream(Stream *stream, DestReceiver *to);
/* The next row, copied into a slot for minimal tuples; false at the end. */
extern bool NextOfStream(Stream *stream, TupleTableSlot *slot);
/* It has no more rows: the watch learns what was read. */
extern void TellScans(const Stream *stream, Watch *watch);
/* Again from the first row, under the same snapshot. */
extern void RewindStream(Stream *stream);
extern void EndStream(Stream *stream);

} // namespace cq
