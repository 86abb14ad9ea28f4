/*
 * slot.cpp
 *		The hash slot of a key.
 */
#include "redis/slot.h"

#include <array>
#include <cstring>

namespace cq::redis
{
namespace
{

constexpr std::array<uint16_t, 256>
MakeTable()
{
	std::array<uint16_t, 256> table{};

	for (unsigned i = 0; i < 256; i++)
	{
		unsigned crc = i << 8;

		for (int bit = 0; bit < 8; bit++)
			crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
		table[i] = static_cast<uint16_t>(crc);
	}
	return table;
}

constexpr std::array<uint16_t, 256> table = MakeTable();

} // namespace

uint16_t
Crc16(const char *bytes, size_t length)
{
	unsigned crc = 0;

	for (size_t i = 0; i < length; i++)
		crc = (crc << 8) ^ table[((crc >> 8) ^ static_cast<unsigned char>(bytes[i])) & 0xff];
	return static_cast<uint16_t>(crc);
}

int
SlotOf(const char *key, size_t length)
{
	const char *open = static_cast<const char *>(memchr(key, '{', length));

	if (open != nullptr)
	{
		size_t rest = length - static_cast<size_t>(open + 1 - key);
		const char *close = static_cast<const char *>(memchr(open + 1, '}', rest));

		if (close != nullptr && close != open + 1)
		{
			key = open + 1;
			length = static_cast<size_t>(close - key);
		}
	}
	return Crc16(key, length) % kSlots;
}

} // namespace cq::redis
