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

/* views.cpp: a text that may be of a database with another encoding; may its role's texts be shown? */
extern char *Shown(const char *text, uint32 length, int encoding);
extern bool MaySee(Oid role);

/* Entries invalidated by this transaction give back their memory when it commits. */
extern void InitInvalidation();

} // namespace cq
