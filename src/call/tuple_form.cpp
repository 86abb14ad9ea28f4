/*
 * tuple_form.cpp
 *		Tuples as an entry stores them: in one piece, with all values in place.
 */
#include "pg.h"
#include "call/tuple_form.h"

namespace cq
{
Datum *
FetchExternal(const int *varlenas, int varlena_count, Datum *values, const bool *nulls, int natts)
{
	Datum *fetched = nullptr;

	for (int i = 0; i < varlena_count; i++)
	{
		int column = varlenas[i];

		if (nulls[column] || !VARATT_IS_EXTERNAL(DatumGetPointer(values[column])))
			continue;
		if (fetched == nullptr)
		{
			fetched = NewArray<Datum>(natts);
			memcpy(fetched, values, sizeof(Datum) * natts);
		}
		fetched[column] = PointerGetDatum(
			detoast_external_attr(reinterpret_cast<varlena *>(DatumGetPointer(values[column]))));
	}
	return fetched ? fetched : values;
}

TupleShape
MeasureTuple(TupleDesc desc, const Datum *values, const bool *nulls)
{
	TupleShape shape = {SizeofMinimalTupleHeader, 0, 0, false};

	for (int i = 0; i < desc->natts && !shape.has_null; i++)
		shape.has_null = nulls[i];
	if (shape.has_null)
		shape.length += BITMAPLEN(desc->natts);
	shape.header = shape.length = MAXALIGN(shape.length);
	shape.data =
		heap_compute_data_size(desc, const_cast<Datum *>(values), const_cast<bool *>(nulls));
	shape.length += shape.data;
	return shape;
}

void
WriteTuple(char *to, const TupleShape &shape, TupleDesc desc, const Datum *values,
		   const bool *nulls)
{
	MinimalTuple tuple = reinterpret_cast<MinimalTuple>(to);

	memset(to, 0, MAXALIGN(shape.length));
	tuple->t_len = static_cast<uint32>(shape.length);
	HeapTupleHeaderSetNatts(tuple, desc->natts);
	tuple->t_hoff = static_cast<uint8>(shape.header + MINIMAL_TUPLE_OFFSET);
	heap_fill_tuple(desc, const_cast<Datum *>(values), const_cast<bool *>(nulls), to + shape.header,
					shape.data, &tuple->t_infomask, shape.has_null ? tuple->t_bits : nullptr);
}

bool
ReadyTupleOf(TupleTableSlot *slot, ReadyTuple *image)
{
	int natts = slot->tts_tupleDescriptor->natts;

	if (TTS_EMPTY(slot))
		return false;
	if (TTS_IS_MINIMALTUPLE(slot))
	{
		bool copied;
		MinimalTuple tuple = ExecFetchSlotMinimalTuple(slot, &copied);

		*image = {reinterpret_cast<char *>(tuple), tuple->t_len};
		return !(tuple->t_infomask & HEAP_HASEXTERNAL) && HeapTupleHeaderGetNatts(tuple) == natts;
	}
	if (TTS_IS_HEAPTUPLE(slot) || TTS_IS_BUFFERTUPLE(slot))
	{
		bool copied;
		HeapTuple tuple = ExecFetchSlotHeapTuple(slot, false, &copied);

		*image = {reinterpret_cast<char *>(tuple->t_data) + MINIMAL_TUPLE_OFFSET,
				  tuple->t_len - MINIMAL_TUPLE_OFFSET};
		return !HeapTupleHasExternal(tuple) && HeapTupleHeaderGetNatts(tuple->t_data) == natts;
	}
	return false;
}

void
WriteReadyTuple(char *to, const ReadyTuple &image)
{
	MinimalTuple tuple = reinterpret_cast<MinimalTuple>(to);

	memcpy(to, image.bytes, image.length);
	memset(to + image.length, 0, MAXALIGN(image.length) - image.length);
	tuple->t_len = static_cast<uint32>(image.length);
}

} // namespace cq
