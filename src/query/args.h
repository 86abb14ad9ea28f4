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

/* Which of these arguments' values mean the same outside of this call. */
struct ParamTraits
{
	/*
	 * The bytes of the values mean the same in every session.  Not those of anonymous records, whose
	 * columns only this session knows, and of pseudo-types in general.  `refused` is the number of the
	 * first such argument, or 0.
	 */
	int refused;
	/* ... and at any later time.  Not so for composite types, since ALTER TYPE changes columns. */
	bool lasting;
};
extern ParamTraits TraitsOf(const Oid *types, int count);

/*
 * "$1 = .., $2 = ..", to be shown in views.  A long text is cut.  A value that only code of a user
 * could print is shown as the name of its type.
 */
extern char *TextOfParams(ParamListInfo params);

} // namespace cq
