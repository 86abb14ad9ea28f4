/*
 * peers.h
 *		Names and shared state of what servers of a namespace tell each other.
 *
 * Part of invalidations.h.
 */
#pragma once

#include "pg.h"
#include "redis/client.h"
#include "redis/identity.h"

namespace cq
{

constexpr int kTickMs = 1000;
constexpr int64 kSilentMs = 3 * kTickMs; /* then who needs it asks himself */
constexpr int kIdRoom = 48;

struct PeersState
{
	slock_t lock;
	uint64 peers_hash;          /* lock: of which Redis and namespace the rest is; 0: none */
	char cursor[kIdRoom];       /* lock: the last record that was taken in */
	pg_atomic_uint64 heard_at;  /* MonotonicMs(), 0: never */
	pg_atomic_uint64 asking_at; /* the same, by whoever asks because nobody does */
	pg_atomic_uint64 sent;
	pg_atomic_uint64 received;
};

extern PeersState *peers_state;

struct Names
{
	char changes[redis::kNameRoom];
	char clock[redis::kNameRoom];
	char numbering[64]; /* what must be the same for slots to mean the same */
	char me[24];
};

/* --- invalidations.cpp */

/* Says once that Redis has refused a command, which its ACL may. */
extern bool Refused(const redis::Reply &reply);

/* --- standby_lag.cpp */

/* The moment comes first: it covers what was written by then. */
extern void Tell(const redis::Identity &identity, const Names &names);
extern void Follow(const redis::Identity &identity, const Names &names);

/* --- invalidations.cpp */

/* Take in what the others have told since we asked last; false: that could not be told. */
extern bool Listen(const redis::Identity &identity);

/* --- peers.cpp */

extern void MakeNames(const redis::Identity &identity, Names *names);
/* Not 0. */
extern uint64 PeersHash(const redis::Identity &identity);
extern bool IsPeersState(const redis::Identity &identity);

} // namespace cq
