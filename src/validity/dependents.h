/*
 * dependents.h
 *		How many entries in memory would an explicit invalidation of a relation or a tag void?
 */
#pragma once

#include "pg.h"
#include "exact/exact.h"
#include "store/store.h"

namespace cq
{

/* From StoreSetLinkCount().  No error, no lock; two atomic operations and one for each relation. */
extern void CountDependents(const Entry *entry, int by);
/* Of the DdlSlot() of a relation, or the NamedSlot() of a tag.  The count is never too low. */
extern uint32 DependentsOf(exact::SlotNo slot);

extern void DependentsRequestShmem();
extern void DependentsInitShmem();

} // namespace cq
