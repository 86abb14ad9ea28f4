/*
 * settings.h
 *		The settings cached_query.redis_* of the client.
 */
#pragma once

#include "pg.h"
#include "redis/url.h"

namespace cq::redis
{

extern int connect_timeout_ms;
extern int timeout_ms;
extern int retry_interval_ms;
extern char *tls_ca_file;
extern char *password_file;

/* The URL in force, and a number that changes whenever it or the CA file does. */
extern Url url;
extern uint32 url_version;
extern uint64 url_hash; /* of its text */

/* Called in the postmaster after that, if it is set. */
extern void (*url_changed)();

/* Do the servers get a password, by the URL or by a file? */
extern bool WithPassword();

extern void DefineSettings();

} // namespace cq::redis
