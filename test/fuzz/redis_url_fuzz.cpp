/*
 * redis_url_fuzz.cpp
 *		libFuzzer target: no text makes the parser of cached_query.redis_url read or write out of
 *		bounds, and what it takes is within its limits.
 *
 * sources: src/redis/url.cpp src/redis/slot.cpp
 *
 * The first byte chooses the text's beginning, since schemes are hard to guess; the rest follows.
 */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string>

#include "redis/slot.h"
#include "redis/url.h"

using namespace cq::redis;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

namespace
{

const char *const beginnings[] = {
	"",         "redis://",        "rediss://a:b@",      "redis://[", "redis://h:1,h:2,",
	"unix:///", "sentinel://h:1/", "sentinels://u:p@h,",
};

void
Require(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "fuzz failure: %s\n", what);
	abort();
}

template <size_t N>
bool
Ends(const char (&text)[N])
{
	return strnlen(text, N) < N;
}

void
CheckUrl(const Url &url)
{
	Require(url.hosts >= 0 && url.hosts <= kMaxHosts, "hosts");
	Require(url.db >= 0 && url.db <= 1000000, "db");
	Require(Ends(url.path) && Ends(url.user) && Ends(url.password) && Ends(url.master),
			"a text has no end");
	Require((url.kind == UrlKind::unix_socket) == (url.path[0] != '\0'), "path");
	Require((url.kind == UrlKind::sentinel) == (url.master[0] != '\0'), "master");
	for (int i = 0; i < url.hosts; i++)
	{
		Require(Ends(url.host[i].name) && url.host[i].name[0] != '\0', "host");
		Require(url.host[i].port != 0, "port");
	}
}

} // namespace

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static Url url;

	if (size == 0)
		return 0;

	std::string text(beginnings[data[0] % std::size(beginnings)]);

	text.append(reinterpret_cast<const char *>(data + 1), size - 1);
	if (ParseUrl(text.c_str(), &url) == nullptr)
		CheckUrl(url);

	int slot = SlotOf(text.data(), text.size());

	Require(slot >= 0 && slot < kSlots, "slot");
	return 0;
}
