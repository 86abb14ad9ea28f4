/*
 * rerun.h
 *		What it takes to run a call again, as the last of an entry's meta bytes: for a warm start.
 */
#pragma once

#include "pg.h"
#include "validity/lookup.h"

namespace cq
{

/* Before the settings of the session. */
struct RerunHead
{
	int64 ttl_us;
	Oid session_user;
	Oid role;
	CallOptions options; /* without its tag */
};

/* What it takes to run this call again; none without warm_start. */
extern const char *RerunInfoOf(const Call &call, uint32 *length);

} // namespace cq
