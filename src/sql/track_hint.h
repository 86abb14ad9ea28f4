/*
 * track_hint.h
 *		The call of cached_query_track() that would help a statement.
 *
 * Part of sql.h.
 */
#pragma once

#include "pg.h"
#include "validity/advise.h"

namespace cq
{

/*
 * What is written to, what is compared, and the call; for people.  Null: the table is not there, is tracked by these
 * columns by now, or is locked.  `function`: any of the extension's, which tells its schema.
 */
extern char *TrackHint(Oid relation, const AdvisedKeys &keys, Oid function);

} // namespace cq
