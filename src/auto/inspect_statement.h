/*
 * inspect_statement.h
 *		What cached_query.auto would do with a statement of the client's own, without running it.
 *
 * It asks what a run asks, in the same order, and leaves nothing behind: no ghost, no counter, no entry in the
 * session's table of known statements.
 */
#pragma once

#include "pg.h"
#include "auto/choose.h"
#include "auto/statement.h"
#include "validity/entry_state.h"

namespace cq
{

struct StatementInspection
{
	Choice choice;
	char *
		rule; /* which one applies, for people; nullptr: none, or the user may not read the rules */
	bool candidate;
	Reason reason; /* what a run would be counted as; not so if nothing says so */
	bool counted;
	const char *detail;
	List *relations; /* OIDs */
	bool judged;     /* hints, rules and the setting leave it to us: the rest is filled */
	bool slow;
	Statement *statement;
	bool has_key;
	Found found;   /* with a key; too old by this session's settings */
	Oid voided_by; /* the relation whose change made it, or the last run's result, void; if known */
	int64 last_us; /* what the last run took; 0: not known */
};
/* Raises what the statement would raise before it runs, and the errors of texts that are no SELECT. */
extern StatementInspection InspectStatement(const Call &call);

} // namespace cq
