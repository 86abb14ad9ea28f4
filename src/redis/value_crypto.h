/*
 * value_crypto.h
 *		What authenticates and compresses values: HMAC-SHA256 and tags of chunks.
 *
 * Part of value.h.
 */
#pragma once

#include "redis/value.h"

namespace cq::redis
{

extern bool MakeTag(const Secret &secret, const FillId &fill, uint32_t n, const void *bytes,
					uint32_t length, uint8_t tag[kTagBytes]);
/* Bytes in scratch, or 0 if not an eighth smaller. */
extern uint32_t Compress(Compression compression, const void *plain, uint32_t length,
						 void *scratch);

} // namespace cq::redis
