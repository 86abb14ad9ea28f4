/*
 * known_code.h
 *		Only code that a result depends on may run while its query is analysed and planned.
 *
 * PostgreSQL runs functions while it plans: IMMUTABLE ones with constant arguments, those of indexes, constraints and
 * domains, and those of operators, to estimate.  A worker that computes a result again does so as the role that asked for
 * it, at a time that others can choose.  What a name, a table or a view has become since is not what that role asked for,
 * but that is known only when the query is planned.  So until then the worker runs functions of C, which only superusers can
 * make, and those whose definition the result depends on and which are as they were.  All others raise an error.
 *
 * Backend-local.
 */
#pragma once

#include "pg.h"
#include "exact/exact.h"

namespace cq
{

/* From now on, until EndKnownCode(): functions whose slots are in this list, which is in order. */
extern void BeginKnownCode(const exact::SlotNo *slots, uint32 count);
/* Was anything refused?  After an error, too. */
extern bool EndKnownCode();
/* For needs_fmgr_hook: is this function one that must not run now? */
extern bool MustNotRun(Oid function);

} // namespace cq
