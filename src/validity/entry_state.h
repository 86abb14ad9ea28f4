/*
 * entry_state.h
 *		The state of an entry, apart from any call.
 */
#pragma once

#include "pg.h"
#include "store/store.h"

namespace cq
{

enum class State
{
	cold,
	fresh,
	stale,
	expired,
	invalidated
};
extern const char *NameOf(State state);

/* What there is under a key. */
struct Found
{
	State state;
	const char *tier; /* nullptr: nothing */
	int64 age_us;
	int64 left_us; /* until it is too old */
	uint64 rows;
	uint64 bytes;
};

/* For calls in either consistency: an exact one asks for the rows of its relations, too. */
extern State StateOf(const Entry *entry, bool exact = false);
/*
 * Is the entry void whatever its age?  For eviction: takes no lock and no snapshot, and raises
 * nothing.  It may notice a change late.
 */
extern bool EntryInvalid(const Entry *entry);

} // namespace cq
