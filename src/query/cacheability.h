/*
 * cacheability.h
 *		May this query's result be kept, what does it depend on, and for whom is it good?
 *
 * One function decides, from the rewritten query trees (so views and policies are expanded) and the
 * plan (so partitions are known).  What is unknown counts as the worst case.
 */
#pragma once

#include "pg.h"
#include "query/findings.h"

namespace cq
{

/* Results are allocated in the current context. */
extern void Examine(Findings *findings, List *queries, PlannedStmt *plan, TupleDesc desc,
					bool depends_on_rls, bool time_words);

/* Judge what was put off: after JudgeRelation() outside of Examine(). */
extern void FollowUp(Findings *findings);
} // namespace cq
