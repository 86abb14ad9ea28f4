/*
 * url.h
 *		cached_query.redis_url: what it says, in fixed space.
 *
 *	 redis://[user:password@]host[:port][/db]		rediss:// for TLS
 *	 redis://[user:password@]host[:port],host[:port],...	seeds of a Redis Cluster
 *	 unix://[user:password@]/path[?db=n]
 *	 sentinel://[user:password@]host[:port],.../master[/db]	sentinels:// for TLS
 *
 * User, password, path and master name are percent-decoded, an IPv6 address stands in brackets, and
 * ":password@" is a password without a user.
 *
 * Leaf code: no backend header, no allocation, no error but the return value.
 */
#pragma once

#include <cstddef>
#include <cstdint>

namespace cq::redis
{

constexpr int kMaxHosts = 16;
constexpr size_t kMaxHostName = 255;
constexpr uint16_t kRedisPort = 6379;
constexpr uint16_t kSentinelPort = 26379;

struct Host
{
	char name[kMaxHostName + 1];
	uint16_t port;
};

enum class UrlKind
{
	none, /* an empty URL: Redis is not used */
	single,
	cluster,
	sentinel,
	unix_socket
};

struct Url
{
	UrlKind kind;
	bool tls;
	bool with_password;
	int hosts;
	int db;
	Host host[kMaxHosts];
	char path[104]; /* as much as a socket's address holds everywhere */
	char user[256];
	char password[2048]; /* tokens of cloud providers are long */
	char master[256];
};

/* nullptr if it is well-formed, else what is wrong with it: a sentence, never a part of the URL. */
extern const char *ParseUrl(const char *text, Url *url);

} // namespace cq::redis
