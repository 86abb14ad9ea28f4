/*
 * identity.h
 *		Who we are in Redis: the secret, the namespace, and the names of keys.
 *
 *		head	cached_query:<namespace>:{<hash, 32 hex digits>}
 *		chunk	cached_query:<namespace>:{<hash>}:<fill id, 32 hex digits>:<n>
 *		lease	cached_query:<namespace>:{<hash>}:lease
 *
 * What is in braces is what Redis Cluster hashes: an entry's values lie on one node, entries spread.
 *
 * The namespace is cached_query.redis_namespace.  If that is empty, it is a hash of the data
 * directory and its place: system identifier, secret, path, device, inode, host name, machine-id.  A
 * copied or restored directory has the first two in common with its origin, so they can't tell; a
 * server that comes up with another place starts with an empty cache.  Replicas share by being given
 * the same namespace.
 *
 * Kept in each process, made anew when a setting changes; without one it is tried again every ten
 * seconds.  That a server has none is logged once, by a word in shared memory.
 */
#pragma once

#include "pg.h"
#include "redis/value.h"

namespace cq::redis
{

constexpr int kMaxNamespace = 64;
constexpr char kNamePrefix[] = "cached_query:";
/* Room for any name, with its end. */
constexpr size_t kNameRoom = sizeof(kNamePrefix) - 1 + kMaxNamespace + 35 + 33 + 11 + 1;

struct Identity
{
	bool usable;    // else there is no secret, and Redis may not be used
	bool own;       // nobody gave a namespace: it is of this data directory
	uint32 version; // another number: secret or namespace may have changed
	uint64 system_identifier;
	Secret secret;
	char name_space[kMaxNamespace + 1];
};

/* 128 bits that name an entry. */
struct EntryHash
{
	uint8 bytes[16];
};

extern void DefineIdentitySettings();
extern void IdentityRequestShmem();
extern void IdentityInitShmem();

/* Is there a cached_query.redis_namespace, so that servers may share it? */
extern bool NamespaceIsGiven();
/* Raises no error.  The reference is good until the next call. */
extern const Identity &GetIdentity();

/* Who fills a key; drawn anew for each fill, too. */
using LeaseId = FillId;

/* Of an entry's key, under the secret: nobody without it can tell or make the name of a query. */
extern bool HashKey(const Identity &identity, const void *key, size_t length, EntryHash *hash);
/* Appends hex digits and the end of the text, whose place it returns. */
extern char *AppendHex(char *out, const uint8 *bytes, size_t length);
/* They return the length; name has kNameRoom bytes. */
extern int HeadName(const Identity &identity, const EntryHash &hash, char *name);
extern int ChunkName(const Identity &identity, const EntryHash &hash, const FillId &fill, uint32 n,
					 char *name);
extern int LeaseName(const Identity &identity, const EntryHash &hash, char *name);

} // namespace cq::redis
