/*
 * rows.cpp
 *		Running a query and keeping its rows: in the store while they fit, else beside it.
 */
#include "pg.h"
#include "fill/rows.h"

extern "C" {
#include "utils/json.h"
}

namespace cq
{
namespace
{

/* --- tuples --------------------------------------------------------------------------------- */

/*
 * Values that live elsewhere come here: a pointer into a TOAST table would outlive its row, an
 * expanded object is this backend's.  Compressed ones stay compressed.  True if any was.
 */
bool
FetchExternal(TupleDesc desc, const Datum *from, const bool *nulls, Datum *to)
{
	bool any = false;

	for (int i = 0; i < desc->natts; i++)
	{
		to[i] = from[i];
		if (!nulls[i] && TupleDescAttr(desc, i)->attlen == -1 &&
			VARATT_IS_EXTERNAL(DatumGetPointer(from[i])))
		{
			to[i] = PointerGetDatum(
				detoast_external_attr(reinterpret_cast<varlena *>(DatumGetPointer(from[i]))));
			any = true;
		}
	}
	return any;
}

/* heap_form_minimal_tuple() in two steps, so that it can be written where it will stay. */
struct TupleShape
{
	Size length;
	Size header;
	Size data;
	bool has_null;
};

TupleShape
MeasureTuple(TupleDesc desc, const Datum *values, const bool *nulls)
{
	TupleShape shape = {SizeofMinimalTupleHeader, 0, 0, false};

	for (int i = 0; i < desc->natts && !shape.has_null; i++)
		shape.has_null = nulls[i];
	if (shape.has_null)
		shape.length += BITMAPLEN(desc->natts);
	shape.header = shape.length = MAXALIGN(shape.length);
	shape.data = heap_compute_data_size(desc, const_cast<Datum *>(values), const_cast<bool *>(nulls));
	shape.length += shape.data;
	return shape;
}

void
WriteTuple(char *to, const TupleShape &shape, TupleDesc desc, const Datum *values, const bool *nulls)
{
	MinimalTuple tuple = reinterpret_cast<MinimalTuple>(to);

	memset(to, 0, MAXALIGN(shape.length));
	tuple->t_len = static_cast<uint32>(shape.length);
	HeapTupleHeaderSetNatts(tuple, desc->natts);
	tuple->t_hoff = static_cast<uint8>(shape.header + MINIMAL_TUPLE_OFFSET);
	heap_fill_tuple(desc, const_cast<Datum *>(values), const_cast<bool *>(nulls), to + shape.header,
					shape.data, &tuple->t_infomask, shape.has_null ? tuple->t_bits : nullptr);
}

/* --- where a row goes ----------------------------------------------------------------------- */

/* True if the row is in the entry now. */
bool
Keep(Rows *rows, TupleDesc desc, const Datum *values, const bool *nulls)
{
	TupleShape shape;
	char *place;
	bool kept = true;

	if (rows->fill == nullptr || rows->too_large || rows->no_memory)
		return false;
	shape = MeasureTuple(desc, values, nulls);
	if (FillBytes(rows->fill) + shape.length > rows->max_bytes || shape.length > MaxAllocSize)
	{
		rows->too_large = true;
		return false;
	}
	place = ReserveTuple(rows->fill, static_cast<uint32>(shape.length));
	if (place != nullptr)
		WriteTuple(place, shape, desc, values, nulls);
	else
	{
		char *scratch = static_cast<char *>(palloc(MAXALIGN(shape.length)));

		WriteTuple(scratch, shape, desc, values, nulls);
		kept = AppendTuple(rows->fill, scratch, static_cast<uint32>(shape.length), rows->max_bytes);
		rows->no_memory = !kept;
	}
	if (kept)
		rows->kept++;
	return kept;
}

void
PutAside(Rows *rows, TupleDesc desc, const Datum *values, const bool *nulls)
{
	MemoryContext caller = MemoryContextSwitchTo(rows->context);
	ResourceOwner owner = CurrentResourceOwner;

	CurrentResourceOwner = rows->owner;
	if (rows->rest == nullptr)
	{
		rows->rest = tuplestore_begin_heap(false, false, work_mem);
		tuplestore_set_eflags(rows->rest, EXEC_FLAG_REWIND);
	}
	tuplestore_putvalues(rows->rest, desc, const_cast<Datum *>(values), const_cast<bool *>(nulls));
	CurrentResourceOwner = owner;
	MemoryContextSwitchTo(caller);
}

void
TakeRow(Rows *rows, TupleDesc desc, const Datum *values, const bool *nulls)
{
	Datum *fetched = static_cast<Datum *>(palloc(sizeof(Datum) * Max(desc->natts, 1)));

	if (FetchExternal(desc, values, nulls, fetched))
		values = fetched;
	rows->total++;
	if (!Keep(rows, desc, values, nulls))
		PutAside(rows, desc, values, nulls);
}

/* --- the receiver --------------------------------------------------------------------------- */

bool
ReceiveRow(TupleTableSlot *slot, DestReceiver *self)
{
	Rows *rows = reinterpret_cast<Rows *>(self);
	MemoryContext caller = MemoryContextSwitchTo(rows->row);

	slot_getallattrs(slot);
	TakeRow(rows, slot->tts_tupleDescriptor, slot->tts_values, slot->tts_isnull);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(rows->row);
	return true;
}

/* One object of the array: what row_to_json() makes of the row. */
bool
ReceiveJsonRow(TupleTableSlot *slot, DestReceiver *self)
{
	Rows *rows = reinterpret_cast<Rows *>(self);
	MemoryContext caller = MemoryContextSwitchTo(rows->row);
	HeapTuple tuple;
	text *object;

	slot_getallattrs(slot);
	tuple = heap_form_tuple(rows->json_row, slot->tts_values, slot->tts_isnull);
	object = DatumGetTextPP(DirectFunctionCall1(row_to_json, HeapTupleGetDatum(tuple)));
	appendStringInfoString(&rows->json, rows->json.len == 0 ? "[" : ",\n ");
	appendBinaryStringInfo(&rows->json, VARDATA_ANY(object), VARSIZE_ANY_EXHDR(object));
	MemoryContextSwitchTo(caller);
	MemoryContextReset(rows->row);
	return true;
}

void
StartRows(DestReceiver *self, int, TupleDesc desc)
{
	Rows *rows = reinterpret_cast<Rows *>(self);

	if (rows->shape == Shape::json)
	{
		MemoryContext caller = MemoryContextSwitchTo(rows->context);

		rows->json_row = BlessTupleDesc(CreateTupleDescCopy(desc));
		initStringInfo(&rows->json);
		MemoryContextSwitchTo(caller);
	}
}

void
EndRows(DestReceiver *)
{
}

/* The array is complete: it is the one row of the answer. */
void
FinishJson(Rows *rows)
{
	MemoryContext caller = MemoryContextSwitchTo(rows->row);
	Datum value;
	bool null = false;

	appendStringInfoString(&rows->json, rows->json.len == 0 ? "[]" : "]");
	value = PointerGetDatum(cstring_to_text_with_len(rows->json.data, rows->json.len));
	pfree(rows->json.data);
	rows->json.data = nullptr;
	TakeRow(rows, rows->desc, &value, &null);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(rows->row);
}

/* A literal like 'today' was read when the kept plan was made: read it now. */
SPIPlanPtr
PlanToRun(Handle *handle)
{
	SPIPlanPtr plan = handle->plan;

	if (handle->findings.time_literal)
	{
		plan = SPI_prepare_cursor(handle->query, handle->param_count, handle->params,
								  handle->source->cursor_options);
		if (plan == nullptr)
			elog(ERROR, "SPI_prepare_cursor failed: %s", SPI_result_code_string(SPI_result));
	}
	return plan;
}

} // namespace

TupleDesc
JsonDesc()
{
	TupleDesc desc = CreateTemplateTupleDesc(1);

	TupleDescInitEntry(desc, 1, "cached_query_json", JSONOID, -1, 0);
	return desc;
}

void
BeginRows(Rows *rows, Shape shape, TupleDesc desc, Pin *fill, uint64 max_bytes,
		  MemoryContext context)
{
	memset(rows, 0, sizeof(*rows));
	rows->receiver.receiveSlot = shape == Shape::json ? ReceiveJsonRow : ReceiveRow;
	rows->receiver.rStartup = StartRows;
	rows->receiver.rShutdown = EndRows;
	rows->receiver.rDestroy = EndRows;
	rows->receiver.mydest = DestNone;
	rows->shape = shape;
	rows->fill = fill;
	rows->max_bytes = max_bytes;
	rows->context = context;
	rows->owner = CurrentResourceOwner;
	rows->row = AllocSetContextCreate(context, "CachedQueryRow", ALLOCSET_DEFAULT_SIZES);
	rows->desc = desc;
}

void
RunQuery(Handle *handle, ParamListInfo params, Rows *rows)
{
	SPIExecuteOptions options;
	int result;

	memset(&options, 0, sizeof(options));
	options.params = params;
	options.read_only = true;
	options.must_return_tuples = true;
	options.dest = &rows->receiver;

	SPI_connect();
	result = SPI_execute_plan_extended(PlanToRun(handle), &options);
	if (result < 0)
		elog(ERROR, "SPI_execute_plan_extended failed: %s", SPI_result_code_string(result));
	if (rows->shape == Shape::json)
		FinishJson(rows);
	SPI_finish();
	MemoryContextDelete(rows->row);
	rows->row = nullptr;
}

} // namespace cq
