/*
 * key.h
 *		The key of an entry: everything its rows depend on besides what tables hold.
 *
 * Layout (native byte order; compared as bytes, in full, after the hash matched):
 *
 *	fixed part, made once for a handle:
 *		format version, shape (rows or json), whether a call or a statement of the client's own
 *		database		the same OIDs mean other objects elsewhere
 *		server			its version: another may print or run the same trees in another way
 *		parse flags		standard_conforming_strings and the like, for what is parsed when it is run
 *		parts			which of the variable parts there are, so that none is taken for another
 *		digest			of the query's trees (tree.h)
 *		parameter types
 *	variable part, only what the query can see:
 *		role			where the result depends on it (row security, current_user, code of
 *						users, restricted functions).  Otherwise roles share the entry, which
 *						a pool of connections with many roles needs.
 *		session role, search_path, regional settings, named settings, customized settings
 *		parameter values
 *
 * Neither the text nor the columns are there: the digest stands for both.
 */
#pragma once

#include "pg.h"
#include "query/args.h"
#include "query/examined.h"
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
 * Longer ones are compared under a lock, and take the room of many entries.  The length of an
 * argument is known without reading it from its TOAST table.
 */
constexpr uint32 kMaxKeyBytes = 64 * 1024;

extern void BuildKeyPrefix(Examined *query, uint32 parse_flags);
/*
 * Reason::none, or why this call can have no key.  The key is valid until the next call, or while
 * the handle is held if that ends first.
 */
extern Reason BuildKey(const Examined &query, Shape shape, ParamListInfo params, Key *key);

/* What can be read back from a key: what it takes to make the call again, but for the text. */
struct KeyView
{
	Shape shape;
	bool automatic;
	int param_count;
	Oid *params;
	const char *values;
	const char *end;
};
extern KeyView ReadKeyBytes(const char *bytes, uint32 length);
/* The arguments as typed values, from all of ReadKeyBytes(). */
extern Args ReadKeyArgs(KeyView *view);

} // namespace cq
