/*
 * seen.h
 *		What a walk has met, so that it goes nowhere twice and can be bounded.
 *
 * A set of (kind, OID, variant) with open addressing.  It lives in the memory context that was
 * current when the first member came; nothing is ever taken out.
 */
#pragma once

#include "pg.h"

namespace cq
{

enum class Thing : uint32
{
	relation,
	read,  // a relation whose rows were read, while a fill runs
	whole, // ... by other plans than the fill's own, so any of them
	rowtype,
	type,
	object,
	domain,   // its CHECK constraints
	builtin,  // a function; variant: met in a body
	names,    // whether a type's text has names in it; the same
	plain,    // a type whose text always means the same
	moving,   // ... means what settings, names or the clock say
	daily,    // ... and the day, without a word for it
	input,    // a type's values are read from text
	output,   // ... or written as text
	defaults, // of a function's arguments; variant: which ones are given
	called,   // a function, while a fill runs
	owner,    // a role with whose rights a relation is read
	name,     // the slot of a name in a body, plus 1
	slot,     // of a cached result, plus 1
	body      // of a function; variant: what it is called with, and under which settings
};

struct SeenKey
{
	Thing thing;
	Oid oid;
	uint64 variant;
};

struct Seen
{
	uint32 count = 0;
	uint32 size = 0; /* a power of two */
	SeenKey *keys = nullptr;
};

extern bool HasMet(const Seen &seen, Thing thing, Oid oid, uint64 variant = 0);
/* Adds it.  False: it was in the set before. */
extern bool FirstTime(Seen *seen, Thing thing, Oid oid, uint64 variant = 0);

} // namespace cq
