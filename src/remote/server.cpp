/*
 * server.cpp
 *		This server and its calls, as far as Redis is concerned.
 */
#include "pg.h"
#include "validity/lookup.h"
#include "remote/server.h"
#include "redis/client.h"

extern "C" {
#include "access/xlogrecovery.h"
#include "catalog/catversion.h"
}

namespace cq
{
namespace
{

constexpr uint32 kMetaVersion = 5; /* of EntryFacts, Meta and the numbers of slots in it */

} // namespace

redis::ServerIdentity
ServerIdentityHere()
{
	return {GetSystemIdentifier(), PG_VERSION_NUM / 10000, CATALOG_VERSION_NO,
			MAXIMUM_ALIGNOF | sizeof(Datum) << 8 | kMetaVersion << 16, 0};
}

/* A promoted standby may lack what its old primary did last, so it begins a history of its own. */
uint32
TimelineHere()
{
	TimeLineID timeline;

	if (!RecoveryInProgress())
		return GetWALInsertionTimeLine();
	GetXLogReplayRecPtr(&timeline);
	return timeline;
}

bool
UsesRedis(const CallOptions &options)
{
	return options.store != StoreKind::memory && redis::Configured();
}

bool
IsTransit(const CallOptions &options)
{
	return options.store == StoreKind::redis && redis::Configured();
}

} // namespace cq
