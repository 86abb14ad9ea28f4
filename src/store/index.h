/*
 * index.h
 *		What the index and the set-up share.
 *
 * Part of store.h.
 */
#pragma once

#include "pg.h"
#include "store/internal.h"

namespace cq
{

extern EntryLinkFn link_count; // may be null

/* Of his entries that the owner of one gives for it while it is published; more than that: QuotaHasRoom(). */
constexpr int kMaxOwn = 64;

} // namespace cq
