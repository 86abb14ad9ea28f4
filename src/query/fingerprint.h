/*
 * fingerprint.h
 *		The settings a result depends on, as bytes of its key.
 *
 * Output conversion is done when rows are sent, so most settings never reach the key.  They do
 * when the query itself converts: then the regional group goes in as a whole, since what a
 * conversion function reads can't be asked.  A function of the user's may read any setting made
 * for that purpose: then all customized ones (those with a dot in their name) go in.
 */
#pragma once

#include "pg.h"

namespace cq
{

/* Settings that change what a text means before anything is run; always part of the key. */
extern uint32 ParseFlags();
/* DateStyle, TimeZone and the others that built-in conversion functions read. */
extern void AppendRegional(StringInfo to);
/* What current_setting() shows of one, or that there is none. */
extern void AppendSetting(StringInfo to, const char *name);
/* All settings with a dot in their name that were set, but our own, and row_security. */
extern void AppendCustomized(StringInfo to);
/* All settings that are not at their defaults. */
extern void AppendAllSettings(StringInfo to);
/*
 * The OIDs of the schemas that the search path names, with 0 for the temporary one, and those of the
 * resolved path, without the temporary one.
 */
extern void AppendSearchPath(StringInfo to);
/* Has this session temporary objects now, whose names may hide others? */
extern bool HasTempObjects();
/* The session's schema of temporary objects, which may be empty, or invalid: current_schemas() shows it. */
extern Oid TempSchema();

} // namespace cq
