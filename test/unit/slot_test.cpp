/*
 * slot_test.cpp
 *		CRC16 and the hash slots of Redis Cluster, against values from its specification and server.
 *
 * sources: src/redis/slot.cpp
 */
#include <cstdio>
#include <cstring>

#include "redis/slot.h"
#include "tap.h"

using namespace cq::redis;
using tap::Done;
using tap::Ok;

namespace
{

void
Is(int got, int expected, const char *name)
{
	if (!Ok(got == expected, name))
		printf("# got %d, expected %d\n", got, expected);
}

void
IsSlot(const char *key, int expected)
{
	Is(SlotOf(key, strlen(key)), expected, key[0] != '\0' ? key : "the empty key");
}

} // namespace

int
main()
{
	Is(Crc16("123456789", 9), 0x31c3, "the specification's check value");
	Is(Crc16("", 0), 0, "CRC16 of nothing");
	IsSlot("", 0);
	IsSlot("foo", 12182);
	IsSlot("bar", 5061);
	IsSlot("hello", 866);
	IsSlot("foo{hash_tag}", 2515);
	IsSlot("bar{hash_tag}", 2515);
	IsSlot("hash_tag", 2515);
	IsSlot("{user1000}.following", 3443);
	IsSlot("foo{}{bar}", 8363);
	IsSlot("foo{{bar}}zap", 4015);
	IsSlot("foo{bar}{zap}", 5061);
	IsSlot("foo{bar", 15278);
	IsSlot("foo}bar{", 11073);
	IsSlot("{}", 15257);
	IsSlot("{a}", 15495);
	IsSlot("a", 15495);
	Is(SlotOf("a\0b", 3) != SlotOf("a", 1), 1, "a key may have a zero byte");
	Is(SlotOf("{tag}x}", 7), SlotOf("tag", 3), "the first closing brace ends the tag");
	return Done();
}
