/*
 * sql.h
 *		Helpers of several SQL-callable functions.
 */
#pragma once

#include "pg.h"
#include "settings.h"

namespace cq
{

/* Raises an error, with the line for postgresql.conf, unless the library was preloaded. */
extern void RequirePreload();
/* CREATE EXTENSION without preload is no error, since dumps are restored so.  But nothing will be cached. */
extern void WarnAtCreation();
extern Datum IntervalFromUs(int64 us);
/* OIDs as regclass[]. */
extern Datum RelationArray(List *relations);
/* What a function that tells of a query, or invalidates it, is asked of.  Arguments that are missing become NULLs of
 * inferred types. */
struct Call;
extern Call MakeQuestion(FunctionCallInfo fcinfo, const char *symbol);
/* key, state, tier, age, expires_in, rows, bytes.  nullptr: there can be no key.  A state that isn't looked up is NULL. */
struct Row;
struct Key;
struct Found;
extern void PutFound(Row *row, const Key *key, bool looked_up, const Found &found);
/* track.cpp: names (char *) as SQL writes them. */
extern char *QuotedNames(List *names, const char *between);
/* The largest n of all $n in a query text. */
extern int HighestParameter(const char *query);

/* views.cpp: a text as the current database can show it; whether the user may see texts of this role. */
extern char *Shown(const char *text, uint32 length, int encoding);
extern bool MaySee(Oid role);
/* ... of all roles. */
extern bool MaySeeAll();
/* ... which rows of its relations an entry depends on, as text[]; of this database. */
struct Meta;
extern Datum Granularity(const Meta &meta);

/* From _PG_init: what invalidations do at the end of a transaction. */
extern void InitInvalidation();

} // namespace cq
