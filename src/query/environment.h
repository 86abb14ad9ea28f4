/*
 * environment.h
 *		Under which settings and as whom a body runs: SET clauses and SECURITY DEFINER around it.
 */
#pragma once

#include "pg.h"
#include "query/findings.h"

namespace cq
{

/* Its settings and role, apart from those of the session. */
struct Environment
{
	uint64 id;
	Oid role;       /* of the function's owner; invalid: the caller's */
	List *settings; /* name, value, name, value.. (char *), by name */
};

/* The settings and the role within a function: its caller's, and what it changes itself. */
extern const Environment *EnvironmentWithin(Findings *f, HeapTuple function, bool *known);
/* Undone by the end of the subtransaction. */
extern void Enter(const Environment *environment);

/*
 * What tells one judgement of a body from another: its environment, and for those that take any
 * type what they are called with, which is returned, too.
 */
extern uint64 BodyVariant(Findings *findings, Oid function, FuncExpr **call);

} // namespace cq
