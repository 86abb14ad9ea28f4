/*
 * range_pins.cpp
 *		Which interval of a column the quals of a scan let through, in buckets.
 *
 * Where a value does not fall on the border of a bucket, the whole bucket is taken: an interval that is too wide costs
 * misses only.
 *
 * Part of watch.h.
 */
#include "pg.h"
#include "validity/range_pins.h"

extern "C" {
#include "access/stratnum.h"
#include "common/int.h"
#include "utils/date.h"
#include "utils/timestamp.h"
}

namespace cq
{
namespace
{

/* `column op value`: the operator's strategy in btree, and the type of the value. */
struct Comparison
{
	int strategy;
	Oid type;
};

bool
IsInteger(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID;
}

/* Values of two types that a setting decides the order of are not compared: timestamptz and all other times. */
bool
AreOfOneOrder(Oid column, Oid other)
{
	if (IsInteger(column))
		return IsInteger(other);
	return other == column || (column == DATEOID && other == TIMESTAMPOID) ||
		   (column == TIMESTAMPOID && other == DATEOID);
}

/* The operator as it reads with its sides exchanged. */
int
Commuted(int strategy)
{
	return BTMaxStrategyNumber + 1 - strategy;
}

int64
RoundedDown(int64 value, int64 width)
{
	return value / width - (value % width < 0 ? 1 : 0);
}

/* The first moment of a day; what is out of range is beyond all others. */
int64
Midnight(int64 day)
{
	int64 moment;

	if (pg_mul_s64_overflow(day, USECS_PER_DAY, &moment))
		return day < 0 ? PG_INT64_MIN : PG_INT64_MAX;
	return moment;
}

/* The value as one of the column's type.  *rounded: it was not one before, and is smaller now. */
int64
InColumn(Oid column, Oid type, Datum datum, bool *rounded)
{
	const int64 value = exact::Ordinal(type, datum);

	*rounded = column == DATEOID && type == TIMESTAMPOID;
	if (*rounded)
		return RoundedDown(value, USECS_PER_DAY);
	return column == TIMESTAMPOID && type == DATEOID ? Midnight(value) : value;
}

/* False: it does not compare as buckets are ordered, or that depends on a setting. */
bool
ComparisonOf(Oid column_type, Oid op, bool column_is_left, Comparison *comparison)
{
	const Oid family = lookup_type_cache(column_type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	Oid left;
	Oid right;

	/* who adds operators to a family could make them mean anything */
	if (op >= FirstUnpinnedObjectId || !op_in_opfamily(op, family))
		return false;
	get_op_opfamily_properties(op, family, false, &comparison->strategy, &left, &right);
	comparison->type = column_is_left ? right : left;
	if (!column_is_left)
		comparison->strategy = Commuted(comparison->strategy);
	return (column_is_left ? left : right) == column_type &&
		   AreOfOneOrder(column_type, comparison->type);
}

/* By `column op value`. */
void
Narrow(Interval *interval, Oid column_type, const Comparison &comparison, Datum datum)
{
	bool rounded;
	int64 value = InColumn(column_type, comparison.type, datum, &rounded);
	uint32 bucket;

	/* the largest that is smaller, the smallest that is larger */
	if (comparison.strategy == BTLessStrategyNumber && !rounded && value > PG_INT64_MIN)
		value--;
	if (comparison.strategy == BTGreaterStrategyNumber && !rounded && value < PG_INT64_MAX)
		value++;
	bucket = exact::BucketOf(column_type, value);
	if (comparison.strategy <= BTEqualStrategyNumber)
		interval->high = Min(interval->high, bucket);
	if (comparison.strategy >= BTEqualStrategyNumber)
		interval->low = Max(interval->low, bucket);
}

/* Nothing compares with NULL: no row at all is read. */
void
NarrowBy(const Scan &scan, const OpExpr *op, AttrNumber column, Oid type, Interval *interval)
{
	const bool is_left = ColumnOf(scan.quals, static_cast<Node *>(linitial(op->args))) == column;
	Node *other = static_cast<Node *>(is_left ? lsecond(op->args) : linitial(op->args));
	Comparison comparison;
	PinValue value;

	if (!is_left && ColumnOf(scan.quals, static_cast<Node *>(lsecond(op->args))) != column)
		return;
	if (!ComparisonOf(type, op->opno, is_left, &comparison) || !ValueOf(scan, other, &value))
		return;
	interval->column = column;
	if (value.null)
		*interval = {column, false, 1, 0};
	else
		Narrow(interval, type, comparison, value.datum);
}

/* All quals narrow it. */
Interval
IntervalOf(const Scan &scan, AttrNumber column, Oid type)
{
	Interval interval = {0, false, 0, exact::kBuckets - 1};
	ListCell *cell;

	foreach (cell, scan.quals.all)
	{
		Node *qual = static_cast<Node *>(lfirst(cell));

		CHECK_FOR_INTERRUPTS();
		if (IsA(qual, OpExpr) && list_length(reinterpret_cast<OpExpr *>(qual)->args) == 2)
			NarrowBy(scan, reinterpret_cast<OpExpr *>(qual), column, type, &interval);
		else if (IsA(qual, NullTest) &&
				 reinterpret_cast<NullTest *>(qual)->nulltesttype == IS_NULL &&
				 !reinterpret_cast<NullTest *>(qual)->argisrow &&
				 ColumnOf(scan.quals, reinterpret_cast<Node *>(
										  reinterpret_cast<NullTest *>(qual)->arg)) == column)
			return {column, false, exact::kNullBucket, exact::kNullBucket};
	}
	return interval;
}

/* Rows of today come in, those of before are seldom changed. */
bool
IsPast(Oid type, const Interval &interval)
{
	const TimestampTz now = GetCurrentTimestamp();

	return !IsInteger(type) &&
		   interval.high <
			   exact::BucketOf(type, type == DATEOID ? RoundedDown(now, USECS_PER_DAY) : now);
}

} // namespace

Interval
BestInterval(const Scan &scan)
{
	Interval best = {};

	for (int i = 0; i < scan.tracking.nranges; i++)
	{
		const Oid type = scan.tracking.range_types[i];
		Interval interval = IntervalOf(scan, scan.tracking.ranges[i], type);

		interval.past = interval.column != 0 && IsPast(type, interval);
		if (interval.past)
			return interval;
		if (best.column == 0)
			best = interval;
	}
	return best;
}

} // namespace cq
