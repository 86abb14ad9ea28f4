/*
 * row.h
 *		A row that a function returns, put together column by column.
 */
#pragma once

#include "pg.h"

extern "C" {
#include "utils/tuplestore.h"
}

namespace cq
{

constexpr int kMaxColumns = 32;

struct Row
{
	Datum values[kMaxColumns];
	bool nulls[kMaxColumns];
	int count;
};

inline void
Put(Row *row, Datum value, bool null = false)
{
	CqAssert(row->count < kMaxColumns);
	row->values[row->count] = value;
	row->nulls[row->count++] = null;
}

/* Counters are unsigned, columns are not. */
inline void
PutNumber(Row *row, uint64 value, bool null = false)
{
	Put(row, Int64GetDatum(static_cast<int64>(value)), null);
}

template <typename Integer>
void
PutMs(Row *row, Integer us)
{
	Put(row, Float8GetDatum(static_cast<double>(us) / 1000.0));
}

/* nullptr is NULL. */
inline void
PutText(Row *row, const char *text)
{
	Put(row, text != nullptr ? CStringGetTextDatum(text) : static_cast<Datum>(0), text == nullptr);
}

inline void
PutNull(Row *row)
{
	Put(row, static_cast<Datum>(0), true);
}

/* Before ALTER EXTENSION .. UPDATE a function may have fewer columns than the library knows. */
inline Datum
RowDatum(const Row &row, TupleDesc desc)
{
	CqAssert(row.count >= desc->natts);
	return HeapTupleGetDatum(
		heap_form_tuple(desc, const_cast<Datum *>(row.values), const_cast<bool *>(row.nulls)));
}

/* The type of the row that the calling function returns. */
inline TupleDesc
RowType(FunctionCallInfo fcinfo)
{
	TupleDesc desc;

	if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return BlessTupleDesc(desc);
}

/* For functions that return a set by InitMaterializedSRF(). */
inline void
AddRow(FunctionCallInfo fcinfo, const Row &row)
{
	const ReturnSetInfo *info = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);

	CqAssert(row.count >= info->setDesc->natts);
	tuplestore_putvalues(info->setResult, info->setDesc, const_cast<Datum *>(row.values),
						 const_cast<bool *>(row.nulls));
}

} // namespace cq
