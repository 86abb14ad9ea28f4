/*
 * symbol.h
 *		Which functions in the catalogs are this library's.
 *
 * By what they are bound to, whatever their names and schemas: only superusers can make functions in C.
 */
#pragma once

#include "pg.h"

namespace cq
{

/* The C symbol that a row of pg_proc is bound to; nullptr: it is not of this library. */
extern char *OurSymbol(HeapTuple function);
extern bool IsBoundTo(Oid function, const char *symbol);

} // namespace cq
