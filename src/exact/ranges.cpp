/*
 * ranges.cpp
 *		Slots of intervals of a column: which rows of a tracked table were changed, by the order of their values.
 *
 * A writer is listed in the slots of all nodes that hold the value of a changed row, a reader looks at the nodes that make up
 * its interval (buckets.h).
 *
 * Part of exact.h.
 */
#include "pg.h"
#include "exact/tracking.h"

extern "C" {
#include "utils/date.h"
#include "utils/timestamp.h"
}

namespace cq::exact
{
namespace
{

constexpr int64 kDays1970 = UNIX_EPOCH_JDATE - POSTGRES_EPOCH_JDATE;

} // namespace

bool
HasOrder(Oid type)
{
	switch (type)
	{
	case INT2OID:
	case INT4OID:
	case INT8OID:
	case DATEOID:
	case TIMESTAMPOID:
	case TIMESTAMPTZOID:
		return true;
	default:
		return false;
	}
}

/* As its type's order has it; infinite times are the smallest and the largest number of their type. */
int64
Ordinal(Oid type, Datum value)
{
	switch (type)
	{
	case INT2OID:
		return DatumGetInt16(value);
	case INT4OID:
		return DatumGetInt32(value);
	case DATEOID:
		return DatumGetDateADT(value);
	default:
		return DatumGetInt64(value);
	}
}

/* Hours and days begin with those of UTC. */
uint32
BucketOf(Oid type, int64 ordinal)
{
	switch (type)
	{
	case DATEOID:
		return BucketOfTime(ordinal, kDays1970, 1);
	case TIMESTAMPOID:
	case TIMESTAMPTZOID:
		return BucketOfTime(ordinal, kDays1970 * USECS_PER_DAY, USECS_PER_HOUR);
	default:
		return BucketOfInteger(ordinal);
	}
}

int
RangeNumber(const Tracking &tracking, AttrNumber column)
{
	for (int i = 0; i < tracking.nranges; i++)
	{
		if (tracking.ranges[i] == column)
			return i;
	}
	return -1;
}

const char *
WhyNoRange(TupleDesc desc, AttrNumber number)
{
	const Form_pg_attribute column = TupleDescAttr(desc, number - 1);

	if (compat::IsVirtualColumn(column))
		return "it is computed when it is read";
	if (!HasOrder(getBaseType(column->atttypid)))
		return "ranges are of smallint, integer, bigint, date, timestamp or timestamptz";
	return nullptr;
}

} // namespace cq::exact
