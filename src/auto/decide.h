/*
 * decide.h
 *		Deciding about a statement that is started.
 *
 * Part of statement.h.
 */
#pragma once

#include "pg.h"
#include "auto/statement.h"

namespace cq
{

/* Is this a run that we have to do with?  Others have no outcome. */
extern bool IsOurs(const Statement *statement, int eflags);
/*
 * A hit that may not stay pinned would be copied to a temporary file, for which there may be a limit: the
 * statement itself needs none.
 */
extern Reason AcceptForStatement(Attempt *attempt, const Served &served);
/* Have the node keep the rows, and others wait for them; or say why not. */
extern Reason FillForStatement(Attempt *attempt, Answer *answer, Reason miss, bool leads);
extern void RunStatement(Attempt *attempt, Answer *answer, Reason reason);
/* A plan of now, on top of which our node is. */
extern void ReplaceByNewPlan(Statement *statement);
extern bool HasPlan(const Statement *statement);
extern void Decide(Statement *statement);

} // namespace cq
