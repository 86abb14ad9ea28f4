/*
 * secret.h
 *		The secret that Redis values are signed with: from the setting, or from a file.
 *
 * Without cached_query.redis_secret it is 32 random bytes in the file cached_query.secret of the data
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
};

/* setting is the value of cached_query.redis_secret, maybe empty. */
extern bool GetSecret(const char *setting, Secret *secret, Problem *problem);
/* One message to the server log. */
extern void LogProblem(const Problem &problem);

} // namespace cq::redis
