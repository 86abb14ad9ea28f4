/*
 * server.cpp
 *		This server and its calls, as far as Redis is concerned.
 */
#include "pg.h"
#include "base/release.h"
#include "validity/lookup.h"
#include "remote/server.h"
#include "redis/client.h"

extern "C" {
#include "access/xlogrecovery.h"
#include "catalog/catversion.h"
#include "common/hashfn.h"
}

namespace cq
{
namespace
{

/* Of EntryFacts, Meta and the numbers of slots in it.  Raise it with each change of them, also between releases. */
constexpr uint32 kMetaVersion = 6;

/* What the bytes of a value depend on, but for PostgreSQL's version. */
uint32
Layout()
{
	const uint64 of[] = {MAXIMUM_ALIGNOF, sizeof(Datum), kMetaVersion, ReleaseHash()};

	return hash_bytes(reinterpret_cast<const unsigned char *>(of), sizeof(of));
}

} // namespace

redis::ServerIdentity
ServerIdentityHere()
{
	static const uint32 layout = Layout();

	return {GetSystemIdentifier(), PG_VERSION_NUM / 10000, CATALOG_VERSION_NO, layout, 0};
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
