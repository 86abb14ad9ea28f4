/*
 * signature.h
 *		The reader functions' signatures: from SQL arguments to a Call.
 *
 * Both ways into the cache use it: the functions themselves, and the Custom Scan that replaces a
 * function scan, which has the same argument list as expressions.
 */
#pragma once

#include "pg.h"
#include "validity/lookup.h"

namespace cq
{

/* What an argument list starts with, told by the C symbol that a function is bound to. */
struct Signature
{
	const char *symbol;
	bool options;  /* options jsonb first */
	bool row_type; /* row_type anyelement first */
	bool args;     /* VARIADIC args after the ttl */
	bool untyped;  /* VARIADIC text[]: types are inferred */
	bool ttl;      /* has a ttl argument */
	bool streams;  /* SETOF rows of the query: a Custom Scan can serve it */
};

extern const Signature *FindSignature(const char *symbol);

/* Arguments as evaluated: types, values and nulls side by side. */
struct RawArgs
{
	int count;
	Oid *types;
	Datum *values;
	bool *nulls;
	bool variadic; /* the last is an array given with VARIADIC */
};

/* Raises the errors of bad input.  The Call points into the arguments' memory. */
extern Call MakeCall(const Signature &signature, const RawArgs &raw, Shape shape);
/* ttl argument to microseconds; NULL is cached_query.default_ttl. */
extern int64 TtlFromInterval(const Interval *ttl);
extern int64 DefaultTtl();
extern RawArgs RawArgsOf(FunctionCallInfo fcinfo);

} // namespace cq
