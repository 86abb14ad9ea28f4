/*
 * peers.cpp
 *		What servers of a namespace have in common to talk to each other: names, shared state, and a
 *		turn once a second.
 *
 * Part of invalidations.h.
 */
#include "pg.h"
#include "base/shared.h"
#include "remote/server.h"
#include "validity/lag.h"
#include "remote/peers.h"
#include "remote/invalidations.h"
#include "redis/command.h"
#include "redis/identity.h"

extern "C" {
#include "access/xlogrecovery.h"
}

namespace cq
{

PeersState *peers_state = nullptr;

namespace
{

/* The Redis writer's. */
int64 ticked_at = 0;
bool said = false; /* that Redis refuses */

/* --- names ---------------------------------------------------------------------------------- */

} // namespace

void
MakeNames(const redis::Identity &identity, Names *names)
{
	const redis::ServerIdentity origin = ServerIdentityHere();

	snprintf(names->changes, sizeof(names->changes), "%s%s:changes", redis::kNamePrefix,
			 identity.name_space);
	snprintf(names->clock, sizeof(names->clock), "%s%s:clock", redis::kNamePrefix,
			 identity.name_space);
	snprintf(names->numbering, sizeof(names->numbering), "%016llx-%x-%x",
			 static_cast<unsigned long long>(origin.system_identifier), origin.catalog_version,
			 origin.layout);
	snprintf(names->me, sizeof(names->me), "%016llx",
			 static_cast<unsigned long long>(exact::Incarnation()));
}

uint64
PeersHash(const redis::Identity &identity)
{
	const unsigned char *name = reinterpret_cast<const unsigned char *>(identity.name_space);

	return hash_bytes_extended(name, static_cast<int>(strlen(identity.name_space)),
							   redis::ServerHash()) |
		   1;
}

bool
Refused(const redis::Reply &reply)
{
	if (reply.type != redis::Reply::Type::error)
		return false;
	if (!said)
		ereport(LOG,
				(errmsg("Redis refuses what servers that share a namespace tell each other: %.*s",
						static_cast<int>(Min(reply.length, 200)), reply.bytes),
				 errhint("The user of cached_query.redis_url needs the commands TIME, XADD, XLEN, "
						 "XRANGE, SET and GET for keys that begin with \"%s\".",
						 redis::kNamePrefix)));
	said = true;
	return true;
}

bool
IsPeersState(const redis::Identity &identity)
{
	uint64 peers_hash;

	SpinLockAcquire(&peers_state->lock);
	peers_hash = peers_state->peers_hash;
	SpinLockRelease(&peers_state->lock);
	return peers_hash == PeersHash(identity);
}

bool
NamespaceShared()
{
	const redis::Identity &identity = redis::GetIdentity();

	return redis::Configured() && identity.usable && !identity.own;
}

int
PeersTick()
{
	const redis::Identity identity = redis::GetIdentity();
	const int64 now = exact::MonotonicMs();
	Names names;

	if (now - ticked_at < kTickMs)
		return static_cast<int>(kTickMs - (now - ticked_at));
	ticked_at = now;
	if (!redis::Usable())
		return kTickMs;
	if (Listen(identity))
		said = false;
	MakeNames(identity, &names);
	if (RecoveryInProgress())
		Follow(identity, names);
	else
		Tell(identity, names);
	return kTickMs;
}

void
GetPeersStatus(PeersStatus *status)
{
	const uint64 heard_at = pg_atomic_read_u64(&peers_state->heard_at);
	const TimestampTz now = GetCurrentTimestamp();
	TimestampTz shown;

	status->sent = pg_atomic_read_u64(&peers_state->sent);
	status->received = pg_atomic_read_u64(&peers_state->received);
	status->heard_ms =
		heard_at == 0 ? -1 : Max(exact::MonotonicMs() - static_cast<int64>(heard_at), 0);
	if (!RecoveryInProgress())
		status->lag_ms = 0;
	else if (ProvedAt(now, &shown))
		status->lag_ms = (now - shown) / 1000;
	else
		status->lag_ms = -1;
}

void
PeersRequestShmem()
{
	RequestShared(sizeof(PeersState));
}

void
PeersInitShmem()
{
	peers_state = MakeOrFindShared<PeersState>("cached_query invalidations", [](PeersState *made) {
		SpinLockInit(&made->lock);
		pg_atomic_init_u64(&made->heard_at, 0);
		pg_atomic_init_u64(&made->asking_at, 0);
		pg_atomic_init_u64(&made->sent, 0);
		pg_atomic_init_u64(&made->received, 0);
	});
}

} // namespace cq
