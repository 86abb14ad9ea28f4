/*
 * url_test.cpp
 *		cached_query.redis_url: what is taken, what is refused and why.
 *
 * sources: src/redis/url.cpp
 */
#include <cstdio>
#include <cstring>
#include <string>

#include "redis/url.h"
#include "tap.h"

using namespace cq::redis;
using tap::Done;
using tap::Ok;

namespace
{

/* All that a URL says, as one line. */
std::string
Describe(const char *text)
{
	static const char *const kinds[] = {"none", "single", "cluster", "sentinel", "unix"};
	Url url;
	const char *wrong = ParseUrl(text, &url);
	std::string line;

	if (wrong != nullptr)
		return std::string("error: ") + wrong;
	line = kinds[static_cast<int>(url.kind)];
	if (url.tls)
		line += " tls";
	for (int i = 0; i < url.hosts; i++)
		line += std::string(" ") + url.host[i].name + "|" + std::to_string(url.host[i].port);
	if (url.path[0] != '\0')
		line += std::string(" path ") + url.path;
	if (url.with_password)
		line += std::string(" user ") + url.user + " password " + url.password;
	if (url.master[0] != '\0')
		line += std::string(" master ") + url.master;
	if (url.db != 0)
		line += " db " + std::to_string(url.db);
	return line;
}

void
Is(const char *text, const char *expected)
{
	std::string got = Describe(text);

	if (!Ok(got == expected, text))
		printf("# got \"%s\", expected \"%s\"\n", got.c_str(), expected);
}

void
Refused(const char *text, const char *why)
{
	std::string got = Describe(text);
	bool good = got.rfind("error: ", 0) == 0 && got.find(why) != std::string::npos;

	if (!Ok(good, std::string("refused: ") + text))
		printf("# got \"%s\"\n", got.c_str());
}

void
TestGood()
{
	Is("", "none");
	Is("redis://h", "single h|6379");
	Is("redis://h/", "single h|6379");
	Is("redis://h:1234/5", "single h|1234 db 5");
	Is("rediss://cache.example.com", "single tls cache.example.com|6379");
	Is("redis://10.0.0.1:65535", "single 10.0.0.1|65535");
	Is("redis://[::1]", "single ::1|6379");
	Is("redis://[fe80::1]:7000/1", "single fe80::1|7000 db 1");
	Is("redis://u:p@h", "single h|6379 user u password p");
	Is("redis://:p@h", "single h|6379 user  password p");
	Is("redis://u%40x:a%3ab%2F%25%40@h", "single h|6379 user u@x password a:b/%@");
	Is("redis://u:p:q@h", "single h|6379 user u password p:q");
	Is("redis://u:p@q@h", "single h|6379 user u password p@q");
	Is("redis://a,b:1,[::2]:3", "cluster a|6379 b|1 ::2|3");
	Is("redis://:p@a,b/0", "cluster a|6379 b|6379 user  password p");
	Is("unix:///run/redis.sock", "unix path /run/redis.sock");
	Is("unix:///a%20b?db=7", "unix path /a b db 7");
	Is("unix://u:p@/s", "unix path /s user u password p");
	Is("unix://:p%40@/s@t?db=1", "unix path /s@t user  password p@ db 1");
	Is("sentinel://a,b:1/m", "sentinel a|26379 b|1 master m");
	Is("sentinel://a/my%2Fmaster/3", "sentinel a|26379 master my/master db 3");
	Is("sentinels://u:p@a/m/", "sentinel tls a|26379 user u password p master m");
}

void
TestBad()
{
	Refused("h", "must begin with");
	Refused("http://h", "must begin with");
	Refused("REDIS://h", "must begin with");
	Refused("redis:/h", "must begin with");
	Refused("redis://", "host name is empty");
	Refused("redis:///1", "host name is empty");
	Refused("redis://a,,b", "host name is empty");
	Refused("redis://a,", "host name is empty");
	Refused("redis://:1", "host name is empty");
	Refused("redis://h:", "from 1 to 65535");
	Refused("redis://h:0", "from 1 to 65535");
	Refused("redis://h:65536", "from 1 to 65535");
	Refused("redis://h:99999999999999999999", "from 1 to 65535");
	Refused("redis://h:1x", "from 1 to 65535");
	Refused("redis://[::1", "\"]\" is missing");
	Refused("redis://[::1]1", "from 1 to 65535");
	Refused("redis://[h]", "Only an IPv6 address");
	Refused("redis://::1", "host name is empty");
	Refused("redis://a b", "not allowed");
	Refused("redis://h/x", "must be a number");
	Refused("redis://h/-1", "must be a number");
	Refused("redis://h/1/2", "must be a number");
	Refused("redis://h/99999999999", "must be a number");
	Refused("redis://h?db=1", "after unix:// only");
	Refused("redis://a,b/1", "database 0 only");
	Refused("redis://u@h", "user:password");
	Refused("redis://u:@h", "password is empty");
	Refused("redis://u:p%@h", "hexadecimal");
	Refused("redis://u:p%4@h", "hexadecimal");
	Refused("redis://u:p%zz@h", "hexadecimal");
	Refused("redis://u:p%00@h", "%00");
	Refused("unix://", "absolute");
	Refused("unix://s", "absolute");
	Refused("unix://u:p@s", "absolute");
	Refused("unix:///s?db=x", "must be a number");
	Refused("unix:///s?timeout=1", "only parameter");
	Refused("sentinel://a", "name of the master");
	Refused("sentinel://a/", "name of the master");
	Refused("sentinel://a//1", "name of the master");
	Refused("sentinel://a/m/x", "must be a number");
	Refused(("unix:///" + std::string(104, 'x')).c_str(), "too long");
	Refused(("redis://" + std::string(256, 'x')).c_str(), "too long");
	Refused(("redis://:" + std::string(2048, 'x') + "@h").c_str(), "too long");
	Refused("redis://1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "more than 16");
}

/* What is said about a wrong URL must not have a part of the password in it. */
void
TestNoSecret()
{
	Ok(Describe("redis://u:hunter2/@h").find("hunter") == std::string::npos,
	   "an error does not tell the password");
}

} // namespace

int
main()
{
	TestGood();
	TestBad();
	TestNoSecret();
	return Done();
}
