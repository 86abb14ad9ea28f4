/*
 * secret.h
 *		The secret that Redis values are signed with: from the setting, or from a file.
 *
 * It is a text: the setting cached_query.redis_secret, which PostgreSQL shows in its log and in
 * pg_file_settings, or what the file has that cached_query.redis_secret_file names.  With neither
 * it is 32 random bytes in the file cached_query.secret of the data
 * directory.  The file is made once, by whoever needs it first, with mode 0600, and appears whole and
 * durable or not at all; of two who make it at the same time one wins and both use that one's.  It is
 * part of a base backup, so replicas made later have the same.
 *
 * Nothing here raises an error: a cache without its secret is a cache without Redis.
 */
#pragma once

#include "pg.h"
#include "redis/value.h"

namespace cq::redis
{

/* Why there is no secret; what is nullptr if there is one. */
struct Problem
{
	const char *what; // a format that takes the file's name
	int error;        // errno, or 0
	bool of_setting;  // about the file that a setting names
};

constexpr size_t kMinSecretText = 16;

/* The values of cached_query.redis_secret and redis_secret_file; the file comes first. */
extern bool GetSecret(const char *setting, const char *file, Secret *secret, Problem *problem);

/*
 * A file that the administrator keeps something secret in, by a path from the data directory, as a
 * string without the line end that it ends with.  Others may not be able to read it: it belongs to the
 * server's user and nobody else can read it, or to root and the server's group can, too.
 */
extern bool ReadPrivateFile(const char *path, char *text, size_t size, Problem *problem);
/* One message to the server log. */
extern void LogProblem(const Problem &problem);

} // namespace cq::redis
