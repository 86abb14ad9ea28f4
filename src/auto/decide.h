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
/* The call that it makes, as it were. */
extern void PrepareCall(Statement *statement);
/* What it itself and the session forbid. */
extern Reason JudgeSession(Statement *statement);
/* ... and the transaction; if nothing, it has a key then. */
extern Reason JudgeStatement(Statement *statement);
/*
 * Will the rows of a miss be asked for again?  A ghost that is still good says so.  After an entry that was hit and has
 * become too old there is none, as its ghost has become too old as well.
 */
extern bool IsPromisingMiss(const Statement *statement, int64 ghost_us);
/*
 * A hit that may not stay pinned would be copied to a temporary file, for which there may be a limit: the
 * statement itself needs none.
 */
extern Reason AcceptForStatement(Lookup *lookup, const Served &served);
/* Have the node keep the rows, and others wait for them; or say why not. */
extern Reason FillForStatement(Lookup *lookup, Answer *answer, Reason miss);
extern void RunStatement(Lookup *lookup, Answer *answer, Reason reason);
/* A plan of now, on top of which our node is. */
extern void ReplaceByNewPlan(Statement *statement);
extern bool HasPlan(const Statement *statement);
extern void Decide(Statement *statement);

} // namespace cq
