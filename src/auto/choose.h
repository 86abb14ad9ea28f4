/*
 * choose.h
 *		Which slow statements have to do with the cache, by hints, by rules and by what is known of them.
 *
 * Part of known.h.
 */
#pragma once

#include "pg.h"
#include "auto/known.h"

namespace cq
{

/* What is known of a slow statement; nullptr: it is planned without us. */
extern Known *KnownFor(const Query *query, const char *text);

} // namespace cq
