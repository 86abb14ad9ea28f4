/*
 * news.h
 *		Definitions that changed: which of what this session knows is to be found out again?
 *
 * Callbacks of the system caches and the relation cache write down what they are told, in order;
 * whoever keeps something remembers how far he has listened.  Nothing new costs one comparison.
 * Messages come for other sessions' changes and for one's own, also when these are rolled back.
 *
 * Backend-local.
 */
#pragma once

#include "pg.h"
#include "query/findings.h"

namespace cq
{

/* So much was told so far. */
extern uint64 news_count;

/*
 * May something that was told after the first `heard` have changed what a text means, in which these
 * names were met and these findings made?  True also when it is too long ago to tell.
 */
extern bool SomeConcerns(uint64 heard, const NameHashes &names, const Findings &findings);

inline bool
NewsConcern(uint64 heard, const NameHashes &names, const Findings &findings)
{
	return unlikely(heard != news_count) && SomeConcerns(heard, names, findings);
}

/* ... or one of these relations?  What has a plan is told by PostgreSQL; who has a tree alone asks. */
extern bool NewsOfRelations(uint64 heard, List *relations);

/* The planned constraints of domains are made again where they are used next.  No news for us. */
extern void ForgetConstraints();

/*
 * Statements that call a function, given by the hash value of its pg_proc row, are analysed again where they
 * are used next.  No news for us.  It raises nothing.
 */
extern void ForgetPlansThatCall(uint32 function);

/* row_types.cpp: a planned statement calls this function for rows of this relation's type; this relation changed. */
extern void RememberRowType(Oid function, Oid relation);
extern void RowTypeChanged(Oid relation);

extern void InitNews();

} // namespace cq
