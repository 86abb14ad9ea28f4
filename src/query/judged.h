/*
 * judged.h
 *		What this session found out about the bodies of functions, so that each is read once and not for each
 *		text that calls it.
 *
 * A body is judged by itself, and what was found is added to the findings of who calls it.  It is kept as long
 * as nothing happened that could change it: no definition of any kind, no setting that analysis reads, no
 * other role or search path, no function of PL/pgSQL compiled anew.  Then all is forgotten.  What another
 * analysis could find to be different all the same is never kept: see MayKeep().
 *
 * Backend-local.
 */
#pragma once

#include "pg.h"
#include "query/findings.h"

namespace cq
{

/* Judges a body by itself. */
using JudgeFn = void (*)(Findings *findings, const Pending *body);

/* Adds what the body tells to the findings, from what is kept or by `judge`. */
extern void JudgeOnce(Findings *findings, const Pending *body, JudgeFn judge);

/* DISCARD. */
extern void ForgetJudged();

} // namespace cq
