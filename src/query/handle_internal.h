/*
 * handle_internal.h
 *		What finding a handle and revalidating it share.
 *
 * Part of handle.h.
 */
#pragma once

#include "pg.h"
#include "query/handle.h"

namespace cq
{

constexpr int kChains = 1024;

extern Handle *chains[kChains];
extern dlist_head recently_used; /* head: last used */
extern Size total_memory;
extern ProcessUtility_hook_type previous_process_utility;

/* Count what it takes now, with its plan if it has one: from its making on, so that each can be trimmed. */
extern void CountMemory(Handle *handle, const CachedPlan *plan);
/* The key would be too long: the query is only run, so what only a key needs isn't found out. */
extern bool TooLong(const Handle *handle);
/*
 * Bring it up to date and check rights on relations.  False: it is to be made anew, because a name
 * may mean something else now, or because its plan can't be believed.
 *
 * A plan is not believed if messages came in while it was made.  Planning reads which children a
 * table has, then locks them, and that may wait for a transaction that detaches one.  Its message finds
 * no plan to invalidate yet: PostgreSQL would keep the child in the plan for good, and we would
 * hand its result to everybody.
 *
 * When that never ends, the last one is used once all the same: ExaminationHolds() is false then.
 */
extern bool Revalidate(Handle *handle, bool last);

} // namespace cq
