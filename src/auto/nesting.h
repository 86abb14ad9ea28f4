/*
 * nesting.h
 *		Is a statement the client's own, or one inside a function?
 *
 * Counted by hooks around planning, the executor and utility commands.  It is a question of what is worth it
 * (cached_query.auto_nested); nothing that makes results right depends on it.
 */
#pragma once

#include "pg.h"

namespace cq
{

struct Deeper
{
	int level;      /* 0: the client's own statement */
	int explaining; /* above 0: in an EXPLAIN, whose statement is the client's own */
};
/* Where we are now.  Inline, as every statement passes here several times. */
extern Deeper depth;

/* What it was before goes to *outer, for EndDeeper(). */
inline void
BeginDeeper(Deeper *outer)
{
	*outer = depth;
	depth = {outer->level + 1, 0};
}

inline void
BeginExplaining(Deeper *outer)
{
	*outer = depth;
	depth.explaining++;
}

inline void
EndDeeper(const Deeper &outer)
{
	depth = outer;
}

/* Is what comes now the client's own statement? */
extern bool IsTopLevel();
/* ... or on a level that cached_query.auto is for? */
extern bool IsOwnLevel();
/* Is it run to be explained? */
extern bool IsExplaining();

/* How long exact results of statements are good at the most: something that they read changes first. */
extern int64 AutoTtl();

} // namespace cq
