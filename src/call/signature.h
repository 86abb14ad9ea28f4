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

/* What a function takes, in this order around the query, and what it returns. */
constexpr uint32 kTakesOptions = 1; /* options jsonb first */
constexpr uint32 kTakesRowType = 2; /* row_type anyelement first */
constexpr uint32 kTakesTtl = 4;     /* a ttl argument after the query */
constexpr uint32 kTakesArgs = 8;    /* VARIADIC args after the ttl */
constexpr uint32 kInfersTypes = 16; /* these are text[]: the query tells their types */
constexpr uint32 kReturnsRows = 32; /* SETOF rows of the query: a Custom Scan can serve it */

/* Told by the C symbol that a function is bound to. */
struct Signature
{
	const char *symbol;
	uint32 flags;

	bool
	Has(uint32 flag) const
	{
		return (flags & flag) != 0;
	}
};

extern const Signature *FindSignature(const char *symbol);
/* The signature of the C symbol of ours that this row of pg_proc binds; nullptr: it binds none. */
extern const Signature *SignatureBoundBy(HeapTuple function);

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
