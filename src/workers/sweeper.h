/*
 * sweeper.h
 *		The process that frees the memory of invalid entries.
 */
#pragma once

#include "pg.h"

extern "C" PGDLLEXPORT void cached_query_sweeper_main(Datum arg);

namespace cq
{

extern void InitSweeper(); // from _PG_init

} // namespace cq
