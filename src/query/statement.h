/*
 * statement.h
 *		From a text to one SELECT, or to an error that says what is wrong with it.
 */
#pragma once

#include "pg.h"

namespace cq
{

struct Statement
{
	const char *query;
	RawStmt *raw;
	int highest_param; /* n of the highest $n in the text */
};

/* n of the highest $n in it; 0: there is none. */
extern int HighestParam(const RawStmt *raw);
/* Exactly one SELECT, VALUES, TABLE or WITH; anything else is an error. */
extern Statement ParseStatement(const char *query);
/* Fill in the types given as UNKNOWNOID; complain of missing and superfluous parameters. */
extern void InferParameters(const Statement &statement, Oid *types, int count);
/* Error if the analysed query locks rows or writes. */
extern void RefuseLocksAndWrites(List *queries);
/* Does it call functions that aren't built in? */
extern bool CallsUserCode(List *queries);

/* Error context: positions become positions in the inner text, as SPI does it. */
struct QueryErrorContext
{
	ErrorContextCallback callback;
	const char *query;
};
extern void PushQueryErrorContext(QueryErrorContext *context, const char *query);
extern void PopQueryErrorContext(QueryErrorContext *context);

} // namespace cq
