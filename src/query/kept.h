/*
 * kept.h
 *		Is what this session keeps of analysis and planning of now?
 *
 * A session keeps plans of the statements in functions, functions of PL/pgSQL in compiled form, cached
 * expressions and the planned constraints of domains.  PostgreSQL makes them anew when an object changes that they name.  It
 * doesn't when something new takes a name, when what they have inlined or folded changes, or
 * when literals would be converted in another way by the settings of now.  The session may go on with them, as
 * it does without us.  But a result that is published is for all, so before a fill they must be no older than the last
 * change of anything that they may hold: a definition (news.h), or a setting that analysis reads.
 *
 * A setting that was changed and set back counts, since plans may have been made in between.  So changes are
 * counted, by assign hooks: these see SET and set_config(), SET LOCAL and its end, SET clauses of
 * functions, rollback, and reload.
 *
 * Backend-local.
 */
#pragma once

#include "pg.h"
#include "query/findings.h"

namespace cq
{

/* Do news concern what functions and domains in it look up, since all was made anew? */
extern bool KeptOutdated(const Findings &findings, const NameHashes &names);
/* Must it be made anew before the rows of a run may be published? */
extern bool KeptUnlikeNow(const Findings &findings);
/*
 * All of it is made again where it is used next.  What runs just now goes on with what it has, as with DISCARD
 * PLANS.
 */
extern void ForgetKept();

/* So many changes of settings that analysis reads were there so far, if all of these are watched. */
extern uint64 SettingsCount();
extern bool AllSettingsWatched();

/* When all libraries have been loaded. */
extern void HookSettings();

} // namespace cq
