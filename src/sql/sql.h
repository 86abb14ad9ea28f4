/*
 * sql.h
 *		Small things that several SQL-callable functions need.
 */
#pragma once

#include "pg.h"
#include "settings.h"

namespace cq
{

/* Error with the line for postgresql.conf unless the library was preloaded. */
extern void RequirePreload();
extern Datum IntervalFromUs(int64 us);
/* n of the highest $n in a query text. */
extern int HighestParameter(const char *query);

/* Entries invalidated by this transaction give back their memory when it commits. */
extern void InitInvalidation();

} // namespace cq
