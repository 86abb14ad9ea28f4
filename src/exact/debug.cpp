/*
 * debug.cpp
 *		Settings for tests.
 *
 * Part of exact.h.
 */
#include "pg.h"
#include "exact/exact.h"
#include "exact/slots.h"
#include "exact/tracking.h"

#include <climits>

namespace cq::exact
{

#ifdef CQ_DEBUG
void
DebugSleep(int us)
{
	if (us > 0)
		pg_usleep(us);
}

void
DefineDebugSettings()
{
	DefineCustomIntVariable("cached_query.debug_sleep_pre_commit",
							"Tests: wait after publishing, before the commit, in microseconds.",
							nullptr, &debug_sleep_pre_commit_us, 0, 0, INT_MAX, PGC_SUSET, 0,
							nullptr, nullptr, nullptr);
	DefineCustomIntVariable("cached_query.debug_sleep_commit",
							"Tests: wait when visible, before invalidation messages are sent.",
							nullptr, &debug_sleep_commit_us, 0, 0, INT_MAX, PGC_SUSET, 0, nullptr,
							nullptr, nullptr);
	DefineCustomIntVariable("cached_query.debug_room",
							"Tests: how many transactions a slot can list.",
							"With few, writers overflow their slots all the time.", &debug_room,
							kSlotRoom, 0, kSlotRoom, PGC_SUSET, 0, nullptr, nullptr, nullptr);
	DefineCustomBoolVariable("cached_query.debug_no_check",
							 "Tests: serve results without asking whether they still hold.",
							 "What tests exactness must fail with it.", &debug_no_check, false,
							 PGC_SUSET, 0, nullptr, nullptr, nullptr);
	DefineCustomIntVariable("cached_query.debug_replay_ignores",
							"Tests: kinds of records that a standby passes over, as bits.",
							"1 INSERT, 2 DELETE, 4 UPDATE, 8 COPY, 16 what subtransactions wrote.",
							&debug_replay_ignores, 0, 0, 31, PGC_SUSET, 0, nullptr, nullptr,
							nullptr);
	DefineCustomIntVariable("cached_query.debug_track_lie",
							"Tests: 1: keys of old rows are not noted; 2: counts are not compared; "
							"3: nor are own keys with those of a result; "
							"4: of ranges, one level of nodes is not noted.",
							"What tests exactness must fail with it.", &debug_track_lie, 0, 0, 4,
							PGC_SUSET, 0, nullptr, nullptr, nullptr);
}
#endif

} // namespace cq::exact
