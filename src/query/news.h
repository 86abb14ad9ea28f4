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
 * May a message after the first `heard` ones have changed the meaning of a text, in which these names
 * were met and for which these findings were made?  True also if so many have come since that they are
 * no longer known.
 */
extern bool SomeConcerns(uint64 heard, const NameHashes &names, const Findings &findings);

inline bool
NewsConcern(uint64 heard, const NameHashes &names, const Findings &findings)
{
	return unlikely(heard != news_count) && SomeConcerns(heard, names, findings);
}

/*
 * ... or one of these relations?  For a plan PostgreSQL's plan cache watches them; this is for a tree
 * without a plan.
 */
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
