/*
 * compare_rows.cpp
 *		What an update of a tracked table has changed in a row: nothing, quiet columns only, or more.
 *
 * Part of exact.h.
 */
#include "pg.h"
#include "exact/tracking.h"

extern "C" {
#include "utils/datum.h"
}

namespace cq::exact
{
namespace
{

/* Is what is stored behind the headers the same?  Then the values are, also those that are stored elsewhere. */
bool
SameBytes(HeapTuple a, HeapTuple b)
{
	constexpr uint16 shape = HEAP_HASNULL | HEAP_HASVARWIDTH | HEAP_HASEXTERNAL;

	return a->t_len == b->t_len && a->t_data->t_hoff == b->t_data->t_hoff &&
		   HeapTupleHeaderGetNatts(a->t_data) == HeapTupleHeaderGetNatts(b->t_data) &&
		   (a->t_data->t_infomask & shape) == (b->t_data->t_infomask & shape) &&
		   memcmp(reinterpret_cast<char *>(a->t_data) + SizeofHeapTupleHeader,
				  reinterpret_cast<char *>(b->t_data) + SizeofHeapTupleHeader,
				  a->t_len - SizeofHeapTupleHeader) == 0;
}

/* What was stored anew counts as another value. */
Differences
CompareColumns(const Tracking &tracking, TupleDesc desc, HeapTuple before, HeapTuple after)
{
	Differences found = {false, false};
	Datum *values = NewArray<Datum>(2 * static_cast<Size>(desc->natts));
	Datum *others = values + desc->natts;
	bool *nulls = NewArray<bool>(2 * static_cast<Size>(desc->natts));
	bool *other_nulls = nulls + desc->natts;

	heap_deform_tuple(before, desc, values, nulls);
	heap_deform_tuple(after, desc, others, other_nulls);
	for (int i = 0; i < desc->natts; i++)
	{
		const Form_pg_attribute column = TupleDescAttr(desc, i);
		bool &differs = bms_is_member(i + 1, tracking.quiet) ? found.quiet : found.rows;

		if (differs || column->attisdropped)
			continue;
		differs =
			nulls[i] != other_nulls[i] ||
			(!nulls[i] && !datumIsEqual(values[i], others[i], column->attbyval, column->attlen));
	}
	pfree(values);
	pfree(nulls);
	return found;
}

} // namespace

Differences
Compare(const Tracking &tracking, TupleDesc desc, HeapTuple before, HeapTuple after)
{
	if (SameBytes(before, after))
		return {false, false};
	if (tracking.quiet == nullptr)
		return {true, false};
	return CompareColumns(tracking, desc, before, after);
}

} // namespace cq::exact
