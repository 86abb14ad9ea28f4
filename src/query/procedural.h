/*
 * procedural.h
 *		What a PL/pgSQL function tells about the results it takes part in.
 *
 * PL/pgSQL compiles it, as it would to run it, and each expression and statement in it is analysed
 * with PL/pgSQL's own way to resolve variables; values are converted to the types of what they are
 * assigned to as they would be.  A record variable has the columns that the query or expression
 * assigned to it has; if there are several such, it isn't understood.
 */
#pragma once

#include "pg.h"
#include "query/findings.h"

namespace cq
{

/* False: it can't be compiled. */
extern bool JudgePlpgsql(Findings *findings, Oid function, const char *source, FuncExpr *call);

} // namespace cq
