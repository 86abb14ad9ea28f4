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

/*
 * Does a built-in function read configurations or dictionaries of text search?  By its name and the
 * types in its signature; those that only handle tsvectors count, too.
 */
extern bool UsesTextSearch(Oid function);

/*
 * Visits the functions that an aggregate is made of; with what it is called with, if that is known,
 * for those that take any type.
 */
extern void VisitAggregateParts(Oid aggregate, Aggref *call,
								void (*visit)(Oid function, Node *call, void *arg), void *arg);

/* Visits the texts that an aggregate's states begin with, and the types that they are read as. */
extern void VisitInitialValues(Oid aggregate, Node *call,
							   void (*visit)(Oid type, const char *text, void *arg), void *arg);

} // namespace cq
