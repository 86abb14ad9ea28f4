/*
 * options.h
 *		The options of cached_query_with(): settings for one call.
 */
#pragma once

#include "pg.h"

extern "C" {
#include "utils/jsonb.h"
}

namespace cq
{

/* The session's settings with what the object says instead; an unknown key is an error. */
extern CallOptions ParseOptions(Jsonb *options);

} // namespace cq
