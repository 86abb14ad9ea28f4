/*
 * call.h
 *		One call of a reader function, from its arguments to its rows: the decisions of the cache.
 */
#pragma once

#include "pg.h"
#include "validity/lookup.h"
#include "call/answer.h"

namespace cq
{

/* What the session's settings say. */
extern CallOptions SessionOptions();

/*
 * Find the handle, decide whether the query's result may be taken from the store, and take it from
 * there or run the query.  If the cache fails, the query runs as if it were not cached.
 */
extern void AnswerCall(const Call &call, MemoryContext context, Answer *answer);

} // namespace cq
