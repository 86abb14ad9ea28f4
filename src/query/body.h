/*
 * body.h
 *		What the body of a SQL or PL/pgSQL function tells about the answers it takes part in.
 */
#pragma once

#include "pg.h"
#include "query/verdict.h"

namespace cq
{

/*
 * Judge the functions that a function's body calls, by name and through further bodies.  A STABLE
 * function may call now() or pg_backend_pid(): within a ttl the first is fine, for exact answers
 * it is not, and the second is for nobody else.
 */
extern void JudgeBody(Findings *findings, Oid function);

} // namespace cq
