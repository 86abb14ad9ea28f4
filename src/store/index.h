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

/*
 * At most so many entries of the owner are evicted while one is published; for more there is
 * QuotaHasRoom().
 */
constexpr int kMaxOwn = 64;

} // namespace cq
