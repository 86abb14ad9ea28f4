/*
 * age.cpp
 *		How old is what a snapshot shows?
 *
 * A snapshot carries no time.  In READ COMMITTED it was taken after the client's statement came
 * in, unless it is a cursor's, whose FETCH is another statement.  In REPEATABLE READ, and for a
 * cursor, it was taken after the transaction began.  Both can be long ago; but if a snapshot
 * taken now would show the same, the answer is of now.
 */
#include "pg.h"
#include "fill/age.h"

extern "C" {
#include "access/xlogrecovery.h"
#include "tcop/pquery.h"
}

namespace cq
{
namespace
{

constexpr int64 kWorthAsking = 100 * 1000; /* microseconds */

/* The client's statement itself, not a cursor (ours, SPI's or the protocol's). */
bool
InUnnamedPortal()
{
	return ActivePortal != nullptr && ActivePortal->name[0] == '\0';
}

} // namespace

TimestampTz
TimeOf(const exact::View &view)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz then = !IsolationUsesXactSnapshot() && InUnnamedPortal()
						   ? GetCurrentStatementStartTimestamp()
						   : GetCurrentTransactionStartTimestamp();

	if (now - then > kWorthAsking && exact::FreshPosition() == view.pos)
		then = now;
	if (RecoveryInProgress())
	{
		TimestampTz replayed = GetLatestXTime();

		/* a standby shows what was replayed; how old that is, only the last commit tells */
		if (replayed != 0)
			then = Min(then, replayed);
	}
	return then;
}

} // namespace cq
