/*
 * buckets.h
 *		The values of a column in order, as the leaves of a tree: which nodes hold a value, and which nodes make up an
 *		interval.
 *
 * Each value has a bucket.  The larger of two values never has the smaller bucket; that is all that exactness
 * needs.  How fine buckets are, and where the first and the last one take all the rest, only decides how many results
 * a write invalidates.
 *
 * Four nodes of a level are one of the next level.  There is no node above the last level: it would hold
 * everything.  Part of exact.h; no backend header, see test/unit/buckets_test.cpp.
 */
#pragma once

#include <cstdint>

namespace cq::exact
{

constexpr int kLevels = 10;
constexpr int kFanOutBits = 2;
constexpr uint32_t kFanOut = UINT32_C(1) << kFanOutBits;
constexpr uint32_t kBuckets = UINT32_C(1) << (kLevels * kFanOutBits);
constexpr uint32_t kNullBucket = kBuckets; // of rows without a value: in no interval

/* Level and number. */
constexpr int kNodeBits = kLevels * kFanOutBits + 1;
constexpr uint32_t
NodeOf(uint32_t bucket, int level)
{
	return static_cast<uint32_t>(level) << kNodeBits | bucket >> (level * kFanOutBits);
}
static_assert(kNodeBits < 28 && kLevels < 16, "a node is a number of 32 bits");

/* --- buckets --------------------------------------------------------------------------------- */

/*
 * One by one up to 32,767, and then with 15 significant bits, as of a floating-point number: a bucket is never
 * wider than a 16,384th of its values.  Those below zero share the first one.
 */
constexpr uint32_t
BucketOfInteger(int64_t value)
{
	constexpr int bits = 14;
	uint32_t shift = 0;

	if (value < 0)
		return 0;
	while (value >> shift >> (bits + 1) != 0)
		shift++;
	return (shift << bits) + static_cast<uint32_t>(value >> shift);
}
static_assert(BucketOfInteger(INT64_MAX) < kBuckets);

/* `width` each, from `first` on; what is before or behind has the first or the last one. */
constexpr uint32_t
BucketOfTime(int64_t value, int64_t first, int64_t width)
{
	uint64_t number;

	if (value < first)
		return 0;
	number = (static_cast<uint64_t>(value) - static_cast<uint64_t>(first)) /
			 static_cast<uint64_t>(width);
	return number < kBuckets ? static_cast<uint32_t>(number) : kBuckets - 1;
}

/* --- nodes ----------------------------------------------------------------------------------- */

/* The nodes that hold it, one of each level.  The bucket of NULL has no node in common with others. */
constexpr int kMostHolding = kLevels;
constexpr int
NodesThatHold(uint32_t bucket, uint32_t *nodes)
{
	if (bucket == kNullBucket)
	{
		nodes[0] = kNullBucket;
		return 1;
	}
	for (int level = 0; level < kLevels; level++)
		nodes[level] = NodeOf(bucket, level);
	return kLevels;
}

/*
 * Nodes of which each bucket from `low` to `high` is in exactly one, and no other bucket.  Three at most are left over
 * at each end of a level.
 */
constexpr int kMostCovering = 2 * (static_cast<int>(kFanOut) - 1) * kLevels;
constexpr int
NodesThatCover(uint32_t low, uint32_t high, uint32_t *nodes)
{
	uint32_t end = high + 1;
	int n = 0;

	if (low == kNullBucket)
	{
		nodes[0] = kNullBucket;
		return 1;
	}
	for (int level = 0; low < end; level++)
	{
		const bool last = level == kLevels - 1;
		const uint32_t at = static_cast<uint32_t>(level) << kNodeBits;

		while (low < end && (last || low % kFanOut != 0))
			nodes[n++] = at | low++;
		while (low < end && end % kFanOut != 0)
			nodes[n++] = at | --end;
		low /= kFanOut;
		end /= kFanOut;
	}
	return n;
}

} // namespace cq::exact
