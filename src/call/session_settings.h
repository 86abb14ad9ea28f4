/*
 * session_settings.h
 *		The settings of one session, to be restored in another of the same role and database.
 */
#pragma once

#include "pg.h"

namespace cq
{

/*
 * What the session has set since it began, by its client, SET or a function's SET clause, as pairs
 * of strings.  What comes from files, ALTER DATABASE and ALTER ROLE the other session has, too.
 */
extern void AppendSessionSettings(StringInfo to);
/* Back to the session's defaults, then these.  In a transaction; raises what SET would. */
extern void RestoreSessionSettings(const char *bytes, uint32 length);

} // namespace cq
