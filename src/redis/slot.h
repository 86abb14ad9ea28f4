/*
 * slot.h
 *		Which of the 16384 hash slots of a Redis Cluster a key is in.
 *
 * Leaf code: no backend header.
 */
#pragma once

#include <cstddef>
#include <cstdint>

namespace cq::redis
{

constexpr int kSlots = 16384;

/* CRC16 as Redis Cluster computes it: XMODEM, polynomial 0x1021, nothing reflected. */
extern uint16_t Crc16(const char *bytes, size_t length);

/* Of the part in the first pair of braces, if there is one and it isn't empty; else of all. */
extern int SlotOf(const char *key, size_t length);

} // namespace cq::redis
