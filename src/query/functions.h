/*
 * functions.h
 *		What is known of built-in functions beyond their declared volatility.
 */
#pragma once

#include "pg.h"

namespace cq
{

enum class BuiltinKind
{
	plain,   // depends on its arguments, table contents' conversion and regional settings
	time,    // on the time of the statement or transaction
	session, // on this session or this very moment: an answer is nobody else's
	role,    // on the current or session role
	names,   // on what names mean here: the search path
	catalog  // on catalogs, statistics or the server's state
};

/* Of a STABLE or VOLATILE function with an OID below FirstUnpinnedObjectId. */
extern BuiltinKind KindOfBuiltin(Oid function, char volatility);

/* Aggregates declare IMMUTABLE whatever they call: the worst volatility of the functions that
 * one is made of, and the functions themselves through `visit`. */
extern void VisitAggregateParts(Oid aggregate, bool (*visit)(Oid function, void *arg), void *arg);

} // namespace cq
