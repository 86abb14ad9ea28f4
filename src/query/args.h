/*
 * args.h
 *		The arguments $1..$n given with a call, however the client sent them.
 */
#pragma once

#include "pg.h"

namespace cq
{

/*
 * A type of UNKNOWNOID means that the value is a C string whose type the query infers: an untyped
 * literal, or an element of the text[] overloads.
 */
struct Args
{
	int count = 0;
	Oid *types = nullptr;
	Datum *values = nullptr;
	bool *nulls = nullptr;
};

/* The elements of an array given as VARIADIC, each as one argument. */
extern Args ArgsFromArray(Datum array, bool untyped);
/* The values with the types that the query has for them, as executor parameters. */
extern ParamListInfo ParamsFromArgs(const Args &args, const Oid *types);

} // namespace cq
