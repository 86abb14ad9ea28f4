/*
 * functions.h
 *		What is known of built-in functions beyond their declared volatility.
 */
#pragma once

#include "pg.h"

namespace cq
{

/* The lists of builtins.def, which says what each means. */
enum class BuiltinList : uint8
{
	none, /* not known: it may read anything */
	pure,
	compares,
	regional,
	prints,
	reads,
	clock,
	role,
	names,
	catalog,
	setting,
	session,
	opaque
};

/* The list on which a function stands that has an OID below FirstUnpinnedObjectId. */
extern BuiltinList ListOf(Oid function);

/* Aggregates declare IMMUTABLE whatever they call: the worst volatility of the functions that
 * one is made of, and the functions themselves through `visit`. */
extern void VisitAggregateParts(Oid aggregate, bool (*visit)(Oid function, void *arg), void *arg);

} // namespace cq
