/*
 * buckets_test.cpp
 *		An interval's nodes and a value's nodes have exactly one in common if the value is in the interval, and else
 *		none; and buckets never decrease.
 */
#include <cstdint>
#include <cstdio>

#include "exact/buckets.h"
#include "tap.h"

using namespace cq::exact;
using tap::Done;
using tap::Ok;

namespace
{

uint64_t seed = 1;

uint64_t
Random()
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return seed >> 20 ^ seed << 23;
}

/* Of all sizes alike. */
int64_t
RandomValue()
{
	const int64_t value = static_cast<int64_t>(Random() >> (Random() % 64));

	return Random() % 2 == 0 ? value : -1 - value;
}

uint32_t
RandomBucket()
{
	return static_cast<uint32_t>(Random() >> 8) % kBuckets >> (Random() % 21);
}

int
InCommon(uint32_t bucket, uint32_t low, uint32_t high)
{
	uint32_t holding[kMostHolding];
	uint32_t covering[kMostCovering];
	const int nholding = NodesThatHold(bucket, holding);
	const int ncovering = NodesThatCover(low, high, covering);
	int n = 0;

	for (int i = 0; i < nholding; i++)
	{
		for (int k = 0; k < ncovering; k++)
			n += holding[i] == covering[k] ? 1 : 0;
	}
	return ncovering > kMostCovering ? -1 : n;
}

bool
IntervalHolds(uint32_t low, uint32_t high, uint32_t bucket)
{
	return InCommon(bucket, low, high) == (bucket >= low && bucket <= high ? 1 : 0);
}

bool
TryInterval(uint32_t low, uint32_t high)
{
	bool right = IntervalHolds(low, high, 0) && IntervalHolds(low, high, kBuckets - 1) &&
				 IntervalHolds(low, high, low) && IntervalHolds(low, high, high) &&
				 InCommon(kNullBucket, low, high) == 0;

	if (low > 0)
		right = right && IntervalHolds(low, high, low - 1);
	if (high < kBuckets - 1)
		right = right && IntervalHolds(low, high, high + 1);
	for (int i = 0; i < 20; i++)
		right = right && IntervalHolds(low, high, RandomBucket());
	return right;
}

bool
TryIntervals()
{
	for (int i = 0; i < 20000; i++)
	{
		const uint32_t a = RandomBucket();
		const uint32_t b = RandomBucket();

		if (!TryInterval(a < b ? a : b, a < b ? b : a))
		{
			printf("# wrong: %u and %u\n", a, b);
			return false;
		}
	}
	return TryInterval(0, kBuckets - 1) && TryInterval(1, kBuckets - 2);
}

bool
IntegersInOrder()
{
	for (int i = 0; i < 1000000; i++)
	{
		const int64_t a = RandomValue();
		const int64_t b = i % 2 == 0 || a == INT64_MAX ? RandomValue() : a + 1;
		const uint32_t low = BucketOfInteger(a < b ? a : b);
		const uint32_t high = BucketOfInteger(a < b ? b : a);

		if (low > high || high >= kBuckets)
			return false;
	}
	return true;
}

bool
TimesInOrder(int64_t first, int64_t width)
{
	for (int i = 0; i < 1000000; i++)
	{
		const int64_t a = RandomValue();
		const int64_t b = i % 2 == 0 || a == INT64_MAX ? RandomValue() : a + 1;
		const uint32_t low = BucketOfTime(a < b ? a : b, first, width);
		const uint32_t high = BucketOfTime(a < b ? b : a, first, width);

		if (low > high || high >= kBuckets)
			return false;
	}
	return BucketOfTime(INT64_MIN, first, width) == 0 &&
		   BucketOfTime(INT64_MAX, first, width) == kBuckets - 1;
}

} // namespace

int
main()
{
	uint32_t nodes[kMostCovering];

	Ok(TryIntervals(), "a bucket has one node in common with an interval that it is in, else none");
	Ok(NodesThatCover(1, 0, nodes) == 0, "nothing has no node");
	Ok(InCommon(kNullBucket, kNullBucket, kNullBucket) == 1, "NULL has a node");
	Ok(IntegersInOrder(), "integers are in order");
	Ok(BucketOfInteger(32767) == 32767 && BucketOfInteger(32766) == 32766,
	   "... small ones one by one");
	Ok(BucketOfInteger(-1) == 0 && BucketOfInteger(INT64_MIN) == 0,
	   "... negative ones in one bucket");
	Ok(TimesInOrder(-10957, 1), "days are in order");
	Ok(TimesInOrder(INT64_C(-946684800000000), INT64_C(3600000000)), "hours are in order");
	Ok(BucketOfTime(INT64_C(-946684800000000), INT64_C(-946684800000000), INT64_C(3600000000)) ==
			   0 &&
		   BucketOfTime(INT64_C(-946684800000000) + INT64_C(3600000000), INT64_C(-946684800000000),
						INT64_C(3600000000)) == 1,
	   "... and begin where hours do");
	return Done();
}
