/*
 * body.h
 *		What the body of a SQL or PL/pgSQL function tells about the results it takes part in.
 *
 * Bodies are read by PostgreSQL's own parser, analysed as they would be to be run, rewritten, and
 * walked as the query itself is.  So names mean what they mean here, views and policies are
 * expanded, and what no text shows, such as conversions and defaults, is in the tree.  What can't
 * be analysed isn't understood.
 *
 * Analysis leaves no trace: it is done in a subtransaction that is rolled back, with the settings
 * and as the role that the function would run with.
 */
#pragma once

#include "pg.h"
#include "query/findings.h"

namespace cq
{

/* Judge a function's body. */
extern void JudgeBody(Findings *findings, const Pending *item);

} // namespace cq
