/*
 * shape.h
 *		The shape of a statement: what PostgreSQL's parser makes of its text, with any value for any constant.
 *
 * It is no identity of what a statement means: names are as written. It tells which statements a rule is for.
 */
#pragma once

#include "pg.h"

namespace cq
{

/* The parse tree, in the current context; compare by equal().  nullptr: not one SELECT.  Raises syntax errors. */
extern Node *ShapeOf(const char *text);
/* Why a statement of this shape is never answered from the cache, for people; nullptr: it may be. */
extern const char *WhyNeverCached(const Node *shape);

} // namespace cq
