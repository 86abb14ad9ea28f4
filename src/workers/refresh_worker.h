/*
 * refresh_worker.h
 *		The process that refreshes cached results in the background.
 */
#pragma once

#include "pg.h"

extern "C" {
PGDLLEXPORT void cached_query_refresh_worker(Datum arg);
}
