/*
 * settings.cpp
 *		Definitions and hooks of the client's settings.
 */
#include "pg.h"
#include "redis/settings.h"

#include <climits>

namespace cq::redis
{

int connect_timeout_ms = 200;
int timeout_ms = 1000;
int retry_interval_ms = 5000;
char *tls_ca_file = nullptr;
char *password_file = nullptr;
Url url;
uint32 url_version = 0;
uint64 url_hash = 0;
void (*url_changed)() = nullptr;

namespace
{

char *url_text = nullptr;

bool
CheckUrl(char **newval, void **, GucSource)
{
	Url parsed;
	const char *wrong = ParseUrl(*newval, &parsed);

	if (wrong == nullptr)
		return true;
	GUC_check_errdetail("%s", wrong);
	return false;
}

/* Connections to the old one are closed at the next request. */
void
AssignUrl(const char *newval, void *)
{
	if (url_text != nullptr && strcmp(url_text, newval) == 0)
		return;
	(void) ParseUrl(newval, &url);
	url_hash = hash_bytes_extended(reinterpret_cast<const unsigned char *>(newval),
								   static_cast<int>(strlen(newval)), 0);
	url_version++;
	if (!IsUnderPostmaster && url_changed != nullptr)
		url_changed();
}

void
AssignPasswordFile(const char *newval, void *)
{
	if (password_file == nullptr || strcmp(password_file, newval) != 0)
		url_version++;
}

void
AssignCaFile(const char *newval, void *)
{
	if (tls_ca_file == nullptr || strcmp(tls_ca_file, newval) != 0)
		url_version++;
}

} // namespace

bool
WithPassword()
{
	return url.with_password || password_file[0] != '\0';
}

void
DefineSettings()
{
	DefineCustomStringVariable(
		"cached_query.redis_url", "The Redis server, cluster or sentinels to use.",
		"redis://[user:password@]host[:port][/db], rediss:// for TLS, several hosts for a cluster, "
		"unix:///path[?db=n], sentinel://host[:port],.../master[/db].",
		&url_text, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY, CheckUrl, AssignUrl, nullptr);
	DefineCustomStringVariable(
		"cached_query.redis_password_file", "File that has the password of Redis.",
		"A path from the data directory, for a URL without one. The file has the password, or the "
		"user and the password on a line each, and nobody but the server may be able to read it.",
		&password_file, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY, nullptr, AssignPasswordFile, nullptr);
	DefineCustomStringVariable("cached_query.redis_tls_ca_file",
							   "The certificate authorities that Redis's certificate is verified "
							   "with.",
							   "When empty, those of the system.", &tls_ca_file, "", PGC_SIGHUP,
							   GUC_SUPERUSER_ONLY, nullptr, AssignCaFile, nullptr);
	DefineCustomIntVariable("cached_query.redis_connect_timeout",
							"The longest time to wait for a connection to Redis.",
							"TLS and authentication included.", &connect_timeout_ms, 200, 1,
							INT_MAX / 1000, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr, nullptr);
	DefineCustomIntVariable(
		"cached_query.redis_timeout", "The longest time to wait for Redis in one request.", nullptr,
		&timeout_ms, 1000, 1, INT_MAX / 1000, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr, nullptr);
	DefineCustomIntVariable("cached_query.redis_retry_interval",
							"How long Redis is left alone after it failed.", nullptr,
							&retry_interval_ms, 5000, 10, INT_MAX / 1000, PGC_SIGHUP, GUC_UNIT_MS,
							nullptr, nullptr, nullptr);
}

} // namespace cq::redis
