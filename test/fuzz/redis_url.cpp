/*
 * redis_url.cpp
 *		libFuzzer: no text makes the parser of cached_query.redis_url read or write out of bounds,
 *		and what it takes is within its limits.
 *
 *		clang++ -std=gnu++20 -g -O1 -fsanitize=fuzzer,address,undefined -Isrc \
 *			test/fuzz/redis_url.cpp src/redis/url.cpp src/redis/slot.cpp -o redis_url
 */
#include <cstdlib>
#include <cstring>
#include <string>

#include "redis/slot.h"
#include "redis/url.h"

extern "C" int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	using namespace cq::redis;
	std::string text(reinterpret_cast<const char *>(data), size);
	Url url;

	if (ParseUrl(text.c_str(), &url) == nullptr)
	{
		if (url.hosts < 0 || url.hosts > kMaxHosts || url.db < 0 || url.db > 1000000 ||
			strnlen(url.path, sizeof(url.path)) == sizeof(url.path) ||
			strnlen(url.user, sizeof(url.user)) == sizeof(url.user) ||
			strnlen(url.password, sizeof(url.password)) == sizeof(url.password) ||
			strnlen(url.master, sizeof(url.master)) == sizeof(url.master))
			abort();
		for (int i = 0; i < url.hosts; i++)
		{
			if (url.host[i].port == 0 || url.host[i].name[0] == '\0')
				abort();
		}
	}
	if (int slot = SlotOf(text.data(), text.size()); slot < 0 || slot >= kSlots)
		abort();
	return 0;
}
