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

/* Were there changes, since all was made anew, that concern what functions and domains look up? */
extern bool KeptOutdated(const Findings &findings, const NameHashes &names);
/* Must it be made anew before the rows of a run may be published? */
extern bool KeptUnlikeNow(const Findings &findings);
/*
 * Everything is made again at its next use.  What is running now goes on with the old one, as with
 * DISCARD PLANS.
 */
extern void ForgetKept();

/*
 * The number of changes so far of settings that analysis reads, if all of these settings are watched.
 */
extern uint64 SettingsCount();
extern bool AllSettingsWatched();

/* When all libraries have been loaded. */
extern void HookSettings();

} // namespace cq
