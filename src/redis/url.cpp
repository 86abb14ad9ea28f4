/*
 * url.cpp
 *		Taking cached_query.redis_url apart.
 */
#include "redis/url.h"

#include <cstring>

namespace cq::redis
{
namespace
{

/* A part of the URL, not terminated. */
struct Part
{
	const char *at;
	const char *end;

	bool
	Empty() const
	{
		return at == end;
	}

	const char *
	Find(char c) const
	{
		return static_cast<const char *>(memchr(at, c, static_cast<size_t>(end - at)));
	}

	const char *
	FindLast(char c) const
	{
		for (const char *p = end; p > at; p--)
		{
			if (p[-1] == c)
				return p - 1;
		}
		return nullptr;
	}
};

int
HexDigit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

const char *
Decode(Part part, char *to, size_t room)
{
	size_t n = 0;

	while (part.at < part.end)
	{
		char c = *part.at++;

		if (c == '%')
		{
			int high = part.end - part.at >= 2 ? HexDigit(part.at[0]) : -1;
			int low = high >= 0 ? HexDigit(part.at[1]) : -1;

			if (low < 0)
				return "A \"%\" must be followed by two hexadecimal digits.";
			c = static_cast<char>(high * 16 + low);
			if (c == '\0')
				return "\"%00\" is not allowed.";
			part.at += 2;
		}
		if (n + 1 >= room)
			return "A part of it is too long.";
		to[n++] = c;
	}
	to[n] = '\0';
	return nullptr;
}

bool
ParseNumber(Part part, int most, int *value)
{
	int n = 0;

	if (part.Empty())
		return false;
	for (; part.at < part.end; part.at++)
	{
		if (*part.at < '0' || *part.at > '9')
			return false;
		n = n * 10 + (*part.at - '0');
		if (n > most)
			return false;
	}
	*value = n;
	return true;
}

const char *
ParseDb(Part part, Url *url)
{
	if (!ParseNumber(part, 1000000, &url->db))
		return "The database must be a number.";
	return nullptr;
}

const char *
ParseUser(Part part, Url *url)
{
	const char *colon = part.Find(':');
	const char *wrong;

	if (colon == nullptr)
		return "Before \"@\" there must be \"user:password\" or \":password\".";
	wrong = Decode({part.at, colon}, url->user, sizeof(url->user));
	if (wrong == nullptr)
		wrong = Decode({colon + 1, part.end}, url->password, sizeof(url->password));
	if (wrong == nullptr && url->password[0] == '\0')
		return "The password is empty.";
	url->with_password = true;
	return wrong;
}

bool
IsHostName(Part part)
{
	for (; part.at < part.end; part.at++)
	{
		char c = *part.at;

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			  c == '.' || c == '-' || c == '_'))
			return false;
	}
	return true;
}

bool
IsIpv6(Part part)
{
	for (const char *p = part.at; p < part.end; p++)
	{
		if (HexDigit(*p) < 0 && *p != ':' && *p != '.')
			return false;
	}
	return part.Find(':') != nullptr;
}

const char *
ParseHost(Part part, uint16_t default_port, Url *url)
{
	Part name = part;
	Part port = {part.end, part.end};
	int number = default_port;

	if (url->hosts == kMaxHosts)
		return "There are more than 16 hosts.";
	if (!part.Empty() && *part.at == '[')
	{
		const char *bracket = part.Find(']');

		if (bracket == nullptr)
			return "A \"]\" is missing after an IPv6 address.";
		name = {part.at + 1, bracket};
		port.at = bracket + 1;
		if (!IsIpv6(name))
			return "Only an IPv6 address can be in brackets.";
	}
	else
	{
		const char *colon = part.Find(':');

		if (colon != nullptr)
			name.end = port.at = colon;
		if (!IsHostName(name))
			return "A host name has a character that is not allowed there; special characters in a "
				   "password must be percent-encoded.";
	}
	if (name.Empty())
		return "A host name is empty.";
	if (static_cast<size_t>(name.end - name.at) > kMaxHostName)
		return "A host name is too long.";
	if (!port.Empty() &&
		(*port.at != ':' || !ParseNumber({port.at + 1, port.end}, 65535, &number) || number == 0))
		return "A port must be a number from 1 to 65535.";

	Host *host = &url->host[url->hosts++];

	memcpy(host->name, name.at, static_cast<size_t>(name.end - name.at));
	host->name[name.end - name.at] = '\0';
	host->port = static_cast<uint16_t>(number);
	return nullptr;
}

const char *
ParseHosts(Part part, uint16_t default_port, Url *url)
{
	for (;;)
	{
		const char *comma = part.Find(',');
		const char *wrong = ParseHost({part.at, comma ? comma : part.end}, default_port, url);

		if (wrong != nullptr || comma == nullptr)
			return wrong;
		part.at = comma + 1;
	}
}

/* What comes after the path of unix://. */
const char *
ParseParameters(Part part, Url *url)
{
	if (part.end - part.at < 3 || memcmp(part.at, "db=", 3) != 0)
		return "The only parameter is \"db\".";
	return ParseDb({part.at + 3, part.end}, url);
}

const char *
ParseUnix(Part rest, Url *url)
{
	const char *question = rest.Find('?');
	const char *at = rest.at;
	const char *wrong = nullptr;

	url->kind = UrlKind::unix_socket;
	if (rest.Empty() || *rest.at != '/')
	{
		at = rest.Find('@');
		if (at == nullptr || at + 1 == rest.end || at[1] != '/')
			return "A socket's path must be absolute: unix:///path.";
		wrong = ParseUser({rest.at, at}, url);
		at++;
		question = Part{at, rest.end}.Find('?');
	}
	if (wrong == nullptr)
		wrong = Decode({at, question ? question : rest.end}, url->path, sizeof(url->path));
	if (wrong == nullptr && question != nullptr)
		wrong = ParseParameters({question + 1, rest.end}, url);
	return wrong;
}

const char *
ParseSentinelPath(Part path, Url *url)
{
	const char *slash = path.Find('/');
	const char *wrong =
		Decode({path.at, slash ? slash : path.end}, url->master, sizeof(url->master));

	if (wrong != nullptr)
		return wrong;
	if (url->master[0] == '\0')
		return "The name of the master is missing: sentinel://host/name.";
	if (slash != nullptr && slash + 1 != path.end)
		return ParseDb({slash + 1, path.end}, url);
	return nullptr;
}

const char *
ParseServers(Part rest, bool sentinel, Url *url)
{
	const char *slash;
	const char *at;
	const char *wrong = nullptr;
	Part hosts;
	Part path;

	if (rest.Find('?') != nullptr || rest.Find('#') != nullptr)
		return "Parameters are allowed after unix:// only; special characters in a password must "
			   "be "
			   "percent-encoded.";
	slash = rest.Find('/');
	hosts = {rest.at, slash ? slash : rest.end};
	path = {slash ? slash + 1 : rest.end, rest.end};
	at = hosts.FindLast('@');
	if (at != nullptr)
	{
		wrong = ParseUser({hosts.at, at}, url);
		hosts.at = at + 1;
	}
	if (wrong == nullptr)
		wrong = ParseHosts(hosts, sentinel ? kSentinelPort : kRedisPort, url);
	if (wrong != nullptr)
		return wrong;
	url->kind = sentinel ? UrlKind::sentinel : url->hosts > 1 ? UrlKind::cluster : UrlKind::single;
	if (sentinel)
		return ParseSentinelPath(path, url);
	if (!path.Empty())
		wrong = ParseDb(path, url);
	if (wrong == nullptr && url->kind == UrlKind::cluster && url->db != 0)
		return "Several hosts are a Redis Cluster, which has database 0 only.";
	return wrong;
}

} // namespace

const char *
ParseUrl(const char *text, Url *url)
{
	static const struct
	{
		const char *prefix;
		bool tls;
		bool sentinel;
	} schemes[] = {{"redis://", false, false},
				   {"rediss://", true, false},
				   {"sentinel://", false, true},
				   {"sentinels://", true, true}};
	const char *end = text + strlen(text);

	memset(url, 0, sizeof(*url));
	if (text == end)
		return nullptr;
	if (strncmp(text, "unix://", 7) == 0)
		return ParseUnix({text + 7, end}, url);
	for (const auto &scheme : schemes)
	{
		size_t length = strlen(scheme.prefix);

		if (strncmp(text, scheme.prefix, length) == 0)
		{
			url->tls = scheme.tls;
			return ParseServers({text + length, end}, scheme.sentinel, url);
		}
	}
	return "It must begin with redis://, rediss://, unix://, sentinel:// or sentinels://.";
}

} // namespace cq::redis
