/*
 * rerun.cpp
 *		What it takes to run a call again, as the last of an entry's meta bytes: for a warm start.
 */
#include "pg.h"
#include "validity/lookup.h"
#include "call/rerun.h"
#include "call/session_settings.h"
#include "settings.h"

namespace cq
{

const char *
RerunInfoOf(const Call &call, uint32 *length)
{
	StringInfoData bytes;
	RerunHead head = {call.ttl_us, GetSessionUserId(), GetUserId(), call.options};

	*length = 0;
	head.options.tag = nullptr;
	if (!settings::warm_start)
		return nullptr;
	/* a worker cannot become the owner of a SECURITY DEFINER function */
	if (head.role != head.session_user && !compat::MaySetRole(head.session_user, head.role))
		return nullptr;
	initStringInfo(&bytes);
	appendBinaryStringInfo(&bytes, reinterpret_cast<char *>(&head), sizeof(head));
	AppendSessionSettings(&bytes);
	*length = static_cast<uint32>(bytes.len);
	return bytes.data;
}

} // namespace cq
