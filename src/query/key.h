/*
 * key.h
 *		The key of an entry: everything its rows depend on besides what tables hold.
 *
 * Layout (native byte order; compared as bytes, in full, after the hash matched):
 *
 *	fixed part, made once for a handle:
 *		format version, shape (rows or json)
 *		database		the same text means other tables elsewhere
 *		role			0 unless the answer depends on it (row security, current_user, code of
 *						the user's, restricted functions): sharing is what makes a cache useful
 *						behind a pooler, leaking what kills it
 *		parse flags		standard_conforming_strings and the like change what the text says
 *		parameter types, result columns (type, typmod, collation): an entry's bytes are read by them
 *		objects			OIDs of the relations, functions and types that the text resolved to: the
 *						same text under another search_path, or after DROP and CREATE
 *		query text
 *	variable part, only what the query can see:
 *		session role, search_path, regional settings, named settings, customized settings
 *		parameter values
 */
#pragma once

#include "pg.h"
#include "query/handle.h"
#include "stats/reason.h"

extern "C" {
#include "nodes/params.h"
}

namespace cq
{

struct Key
{
	const char *bytes;
	uint32 length;
	uint64 hash;
};

/*
 * Longer ones are compared under a lock, and take the room of many answers.  The length of an
 * argument is known without reading it from its TOAST table.
 */
constexpr uint32 kMaxKeyBytes = 64 * 1024;

extern void BuildKeyPrefix(Handle *handle);
/*
 * Reason::hit, or why this call can have no key.  The key is valid until the next call, or while
 * the handle is held if that ends first.
 */
extern Reason BuildKey(Handle *handle, Shape shape, ParamListInfo params, Key *key);

/* For the views: what can be read back from a key. */
struct KeyView
{
	Oid database;
	Oid role; /* 0: shared between roles */
	Shape shape;
	char *query;
	int param_count;
	Oid *params;
	const char *values;
	const char *end;
};
extern KeyView ReadKeyBytes(const char *bytes, uint32 length);
/* The arguments as typed values, from all of ReadKeyBytes(). */
extern Args ReadKeyArgs(KeyView *view);

} // namespace cq
