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
 * What distinguishes two examinations of one body: its environment and, for polymorphic functions, the
 * types that it is called with, which are returned, too.
 */
extern uint64 BodyVariant(Findings *findings, Oid function, FuncExpr **call);

} // namespace cq
