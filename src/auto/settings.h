/*
 * settings.h
 *		The settings cached_query.auto*.
 */
#pragma once

#include "pg.h"

namespace cq
{

/* Which statements without a call are answered from the cache. */
enum class Auto : int
{
	off,
	observe, /* nothing is kept: what would be gained? */
	hinted,  /* those with a hint */
	exact,   /* those whose results can be exact, and took auto_min_time */
	ttl      /* those that took auto_min_time, with results not older than default_ttl */
};

namespace settings
{
extern int automatic;        // Auto; cached_query.auto
extern double auto_min_time; // milliseconds
extern bool auto_nested;     // cached_query.auto_nested

/* For tests; only a build with CQ_DEBUG can set them. */
extern bool
	debug_auto_fill_first; // a miss is filled to its end, and then looked up: all rows are an entry's
extern bool debug_auto_hide; // EXPLAIN shows what it shows without us
extern bool
	debug_auto_no_locks; // without the rule for REPEATABLE READ: tests of exactness must fail
extern bool debug_auto_no_role; // without the role in the key: the same
} // namespace settings

inline bool
IsAutomatic()
{
	return settings::automatic != static_cast<int>(Auto::off);
}

/* Are statements left alone that have neither a hint nor a rule? */
inline bool
IsHintedOnly()
{
	return settings::automatic == static_cast<int>(Auto::hinted);
}

extern void DefineAutoSettings();

} // namespace cq
