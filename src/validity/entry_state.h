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

extern State StateOf(const Entry *entry);
/*
 * Is the entry void whatever its age?  For eviction: takes no lock and no snapshot, and raises
 * nothing.  It may notice a change late.
 */
extern bool EntryInvalid(const Entry *entry);

} // namespace cq
