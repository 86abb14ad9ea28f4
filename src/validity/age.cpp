/*
 * age.cpp
 *		How old is what a snapshot shows?
 *
 * A snapshot carries no time.  In READ COMMITTED it was taken after the client's statement (a query, or
 * the Bind of one) came in, unless it is a cursor's, whose FETCH is another statement.  In REPEATABLE READ, and for a
 * cursor, it was taken after the transaction began.  Both can be long ago; but if a snapshot
 * taken now would show the same, the result is of now.
 *
 * A standby shows what was replayed.  How old that is tells the last commit, by the primary's clock, or
 * what the primary says once a second (invalidations.h): it may be idle.
 */
#include "pg.h"
#include "validity/lag.h"
#include "validity/age.h"

extern "C" {
#include "access/xlogrecovery.h"
#include "tcop/pquery.h"
}

namespace cq
{
namespace
{

constexpr int64 kWorthAsking = 100 * 1000; /* microseconds */

/*
 * When was the client's statement begun, if it is that which runs and not a cursor (ours, SPI's or the
 * protocol's)?  Its snapshot is the portal's: Bind may have come long before Execute.
 */
bool
BegunInPortal(TimestampTz *begun)
{
	if (ActivePortal == nullptr || ActivePortal->name[0] != '\0')
		return false;
	*begun = Min(ActivePortal->creation_time, GetCurrentStatementStartTimestamp());
	return true;
}

/*
 * What the clocks say, or where the primary told more (lag.h), on which moment of the primary a snapshot of
 * that time shows.  Others are told what can be proved without comparing clocks.
 */
TimestampTz
ShownOnStandby(TimestampTz taken, int32 *lag_ms)
{
	const TimestampTz replayed = GetLatestXTime(); /* of the last commit; 0: none yet */
	TimestampTz proved;
	TimestampTz as_of;

	*lag_ms = kLagUnknown;
	if (!ProvedAt(taken, &proved))
		return replayed == 0 ? taken : Min(taken, replayed);
	as_of = Min(taken, Max(replayed, proved));
	*lag_ms = static_cast<int32>(Min((as_of - proved) / 1000 + 1, INT64CONST(1000000000)));
	return as_of;
}

} // namespace

TimestampTz
TimeOf(const exact::View &view, int32 *lag_ms)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz then;

	if (IsolationUsesXactSnapshot() || !BegunInPortal(&then))
		then = GetCurrentTransactionStartTimestamp();

	if (now - then > kWorthAsking && exact::FreshPosition() == view.pos)
		then = now;
	*lag_ms = 0;
	return RecoveryInProgress() ? ShownOnStandby(then, lag_ms) : then;
}

} // namespace cq
