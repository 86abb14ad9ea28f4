/*
 * write_entry.h
 *		Writing one entry to Redis: chunks first, the head last.
 */
#pragma once

#include "pg.h"
#include "store/store.h"

namespace cq
{

/* False: it can't be written. */
extern bool WriteEntry(const Pin *pin);

} // namespace cq
