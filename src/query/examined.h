/*
 * examined.h
 *		What an examination found out about a query: enough to judge a call of it and to make its key.
 *
 * A plan is no part of it.  Who has a plan, too, has a Handle (handle.h); who got the query in
 * another way than as a text, and plans it or not, needs no more than this.
 */
#pragma once

#include "pg.h"
#include "query/args.h"
#include "query/tree.h"
#include "query/findings.h"

namespace cq
{

/* What is kept under the key, and handed out. */
enum class Shape : uint8
{
	rows,
	json
};

struct Examined
{
	int param_count;
	Oid *params;         /* $1.. */
	ParamForm *forms;    /* of their values */
	int params_refused;  /* ParamTraits */
	bool params_lasting; /* ParamTraits */
	TupleDesc desc;      /* of the rows */
	Findings findings;
	uint64 queryid;

	/* of the key: see key.cpp */
	bool automatic;  /* a statement of the client's own: keys of calls are others */
	bool identified; /* not so if the trees hold what only another module can read or write */
	Digest digest;
	StringInfoData key_prefix;
	uint64 prefix_hash;
	bool key_is_of_query; /* nothing of the session is in the key, but arguments may be */
	bool key_is_constant; /* the prefix is the whole key */
};

} // namespace cq
