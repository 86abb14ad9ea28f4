/*
 * redis_writer.h
 *		The process that writes to Redis.
 */
#pragma once

#include "pg.h"

extern "C" {
PGDLLEXPORT void cached_query_redis_writer_main(Datum);
}
