/*
 * rows.cpp
 *		Running a query and keeping its rows: in the store while they fit, else beside it.
 */
#include "pg.h"
#include "call/tuple_form.h"
#include "call/rows.h"
#include "settings.h"

extern "C" {
#include "tcop/pquery.h"
}

namespace cq
{
namespace
{

/* --- where a row goes ----------------------------------------------------------------------- */

/* Nobody need wait for the rest of it. */
void
GiveUp(Rows *rows)
{
	if (rows->gave_up != nullptr)
		rows->gave_up(rows->gave_up_arg);
}

/* May the entry take another tuple of this size? */
bool
MayKeep(Rows *rows, Size length)
{
	rows->bytes += MAXALIGN(length);
	if (rows->fill == nullptr || rows->too_large || rows->no_memory)
		return false;
	rows->too_large = rows->bytes > rows->max_bytes || length > MaxAllocSize;
	rows->no_memory = !rows->too_large && rows->bytes > StoreCapacity();
	if (rows->too_large || rows->no_memory)
	{
		GiveUp(rows);
		return false;
	}
	/* what this session has in use is bounded, what it makes included */
	if (HeldBytes() + FillBytes(rows->fill) + length > MaxPinnedBytes())
		rows->spilled = true;
	return !rows->spilled;
}

/* Call write(place) for a place of this size in the entry, or for scratch memory that goes there in
 * pieces.  True if the row is in the entry now. */
template <typename Write>
bool
Keep(Rows *rows, Size length, Write write)
{
	char *place;

	if (!MayKeep(rows, length))
		return false;
	place = ReserveTuple(rows->fill, static_cast<uint32>(length));
	if (place != nullptr)
		write(place);
	else
	{
		char *scratch = NewArray<char>(MAXALIGN(length));

		write(scratch);
		rows->spilled =
			!AppendTuple(rows->fill, scratch, static_cast<uint32>(length), rows->max_bytes);
		if (rows->spilled)
			return false;
	}
	rows->kept++;
	return true;
}

void
OpenRest(Rows *rows)
{
	if (rows->rest != nullptr)
		return;
	rows->rest = tuplestore_begin_heap(false, false, work_mem);
	tuplestore_set_eflags(rows->rest, EXEC_FLAG_REWIND);
}

/* Into the tuplestore, whose memory and files belong to the caller: put(store) adds the row. */
template <typename Put>
void
PutAside(Rows *rows, Put put)
{
	MemoryContext caller = MemoryContextSwitchTo(rows->context);
	ResourceOwner owner = CurrentResourceOwner;

	CurrentResourceOwner = rows->owner;
	OpenRest(rows);
	put(rows->rest);
	CurrentResourceOwner = owner;
	MemoryContextSwitchTo(caller);
}

/*
 * Both return whether the query shall go on.  put(store) or make() takes a row that found no room in
 * the entry.
 */
template <typename Put, typename Make>
bool
TakeOther(Rows *rows, Put put, Make make)
{
	MemoryContext caller;
	if (rows->drop)
		return true;

	const bool go_on = !rows->may_stop || (rows->spilled && !rows->too_large && !rows->no_memory);

	rows->stopped = !go_on;
	if (go_on || rows->rest != nullptr)
	{
		PutAside(rows, put);
		return go_on;
	}
	caller = MemoryContextSwitchTo(rows->context);
	rows->next = make();
	MemoryContextSwitchTo(caller);
	return false;
}

bool
TakeValues(Rows *rows, TupleDesc desc, Datum *values, bool *nulls)
{
	TupleShape shape;

	values = FetchExternal(rows->varlenas, rows->varlena_count, values, nulls, desc->natts);
	rows->total++;
	shape = MeasureTuple(desc, values, nulls);
	if (Keep(rows, shape.length, [&](char *to) { WriteTuple(to, shape, desc, values, nulls); }))
		return true;
	return TakeOther(
		rows, [&](Tuplestorestate *store) { tuplestore_putvalues(store, desc, values, nulls); },
		[&]() { return compat::FormMinimalTuple(desc, values, nulls); });
}

bool
TakeReadyTuple(Rows *rows, const ReadyTuple &image, TupleTableSlot *slot)
{
	rows->total++;
	if (Keep(rows, image.length, [&](char *to) { WriteReadyTuple(to, image); }))
		return true;
	return TakeOther(
		rows, [&](Tuplestorestate *store) { tuplestore_puttupleslot(store, slot); },
		[&]() { return ExecCopySlotMinimalTuple(slot); });
}

/* --- the receiver --------------------------------------------------------------------------- */

bool
ReceiveRow(TupleTableSlot *slot, DestReceiver *self)
{
	Rows *rows = reinterpret_cast<Rows *>(self);
	MemoryContext caller = MemoryContextSwitchTo(rows->row);
	ReadyTuple image;
	bool go_on;

	if (ReadyTupleOf(slot, &image))
		go_on = TakeReadyTuple(rows, image, slot);
	else
	{
		slot_getallattrs(slot);
		go_on = TakeValues(rows, slot->tts_tupleDescriptor, slot->tts_values, slot->tts_isnull);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextReset(rows->row);
	return go_on;
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
	if (static_cast<uint64>(rows->json.len) > rows->max_bytes)
		GiveUp(rows);
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

/* The array is complete: it is the one row of the result, and goes to a file only on its way into
 * the entry. */
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
	rows->may_stop = true;
	TakeValues(rows, rows->desc, &value, &null);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(rows->row);
}

/* A cursor (ours, SPI's or the protocol's), whose rows are fetched by pieces? */
bool
InCursor()
{
	return ActivePortal != nullptr && ActivePortal->name[0] != '\0';
}

/*
 * If nothing is kept, rows are handed out while the query runs.  Parallel workers can't wait between
 * two rows.  So a plan with parallel workers is run at once if PostgreSQL would use them (not for a
 * cursor) and if the rows will not fill the memory.
 */
bool
RunsByRow(const Rows *rows, const Stream *stream)
{
	return rows->fill == nullptr && rows->shape == Shape::rows &&
		   (!UsesWorkers(stream) || InCursor() || !ExpectsFewRows(stream));
}

} // namespace

TupleDesc
JsonDesc()
{
	TupleDesc desc = CreateTemplateTupleDesc(1);

	TupleDescInitEntry(desc, 1, "cached_query_json", JSONOID, -1, 0);
	return compat::FinishTupleDesc(desc);
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
	rows->bytes = fill != nullptr ? FillBytes(fill) : 0;
	rows->context = context;
	rows->owner = CurrentResourceOwner;
	rows->row = AllocSetContextCreate(context, "CachedQueryRow", ALLOCSET_DEFAULT_SIZES);
	rows->desc = desc;
	rows->varlenas =
		static_cast<int *>(MemoryContextAlloc(context, sizeof(int) * Max(desc->natts, 1)));
	for (int i = 0; i < desc->natts; i++)
	{
		if (TupleDescAttr(desc, i)->attlen == -1)
			rows->varlenas[rows->varlena_count++] = i;
	}
}

void
ExpectTooLarge(Rows *rows)
{
	rows->too_large = true;
	GiveUp(rows);
}

void
RunQuery(const HeldHandle &handle, ParamListInfo params, Rows *rows, Watch *watch)
{
	Stream *stream = BeginStream(handle, params, rows->context, watch);

	if (RunsByRow(rows, stream))
		rows->stream = stream;
	else
	{
		rows->may_stop = rows->shape == Shape::rows && !UsesWorkers(stream);
		RunStream(stream, &rows->receiver);
		if (rows->shape == Shape::json)
			FinishJson(rows);
		if (rows->stopped && rows->shape == Shape::rows)
			rows->stream = stream;
		else if (watch != nullptr && !rows->stopped)
			TellScans(stream, watch);
	}
	if (rows->stream == nullptr)
		EndStream(stream);
	MemoryContextDelete(rows->row);
	rows->row = nullptr;
}

/*
 * The rows stay in the tuplestore until the last one is in the entry, so that they can be read from
 * there if that fails.
 */
bool
CompleteFill(Rows *rows)
{
	TupleTableSlot *slot;
	uint64 copied = 0;

	if (!rows->spilled)
		return true;
	if (!ResumeFill(rows->fill, rows->bytes - FillBytes(rows->fill)))
		return false;
	slot = MakeSingleTupleTableSlot(rows->desc, &TTSOpsMinimalTuple);
	tuplestore_rescan(rows->rest);
	while (tuplestore_gettupleslot(rows->rest, true, false, slot))
	{
		bool owned;
		MinimalTuple tuple = ExecFetchSlotMinimalTuple(slot, &owned);

		CHECK_FOR_INTERRUPTS();
		if (!AppendTuple(rows->fill, tuple, tuple->t_len, rows->max_bytes))
			break;
		copied++;
	}
	ExecDropSingleTupleTableSlot(slot);
	if (rows->kept + copied < rows->total)
	{
		tuplestore_rescan(rows->rest);
		return false;
	}
	tuplestore_end(rows->rest);
	rows->rest = nullptr;
	rows->kept = rows->total;
	rows->spilled = false;
	return true;
}

} // namespace cq
