/*
 * args.h
 *		The arguments $1..$n given with a call, however the client sent them.
 */
#pragma once

#include "pg.h"

namespace cq
{

/* As many as a client's Bind message can have. */
constexpr int kMaxParameters = 65535;

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

/* How values of a type are stored. */
struct ParamForm
{
	int16 length;
	bool by_value;
};

/* What values of these types are good for beyond this moment in this session. */
struct ParamTraits
{
	/*
	 * Their bytes mean the same in every session.  Not so for anonymous records, whose columns
	 * only this session knows, and pseudo-types in general: this is `refused`, the number of the first,
	 * or 0.
	 */
	int refused;
	/* ... and at any later time.  Not so for composite types, since ALTER TYPE changes columns. */
	bool lasting;
};
extern ParamTraits TraitsOf(const Oid *types, int count);

/*
 * "$1 = .., $2 = ..", for people: cut when it is long.  A value that code of a user's would have to
 * print is shown as the name of its type.
 */
extern char *TextOfParams(ParamListInfo params);

} // namespace cq
