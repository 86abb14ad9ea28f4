/*
 * nesting.h
 *		Is a statement the client's own, or one inside a function?
 *
 * Counted by hooks around planning, the executor and utility commands.  It is a question of what is worth it
 * (cached_query.auto_nested); nothing that makes answers right depends on it.
 */
#pragma once

#include "pg.h"

namespace cq
{

/* What it was before, to be put back. */
struct Deeper
{
	int level;
	int explaining;
};
extern Deeper CurrentDepth();
extern void BeginDeeper(Deeper *deeper);
extern void EndDeeper(const Deeper &deeper);
/* In an EXPLAIN, whose statement is the client's own. */
extern void BeginExplaining(Deeper *deeper);

/* Is what comes now on a level that cached_query.auto is for? */
extern bool IsOwnLevel();
/* Is it run to be explained? */
extern bool IsExplaining();

/* How long exact answers of statements are good at the most: something that they read changes first. */
extern int64 AutoTtl();

} // namespace cq
