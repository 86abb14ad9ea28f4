/*
 * answer.cpp
 *		The rows of an answer: forward, again from the first one, and backward.
 *
 * A query that runs is read once.  If its rows are asked for again it is run again, and from then
 * on they are kept as they are handed out, as a Material node would; they are kept from the start
 * where the executor says that it will rescan, or where a second run might bring others.  Going back
 * reads what was kept, too: entries can only be read forward.
 */
#include "pg.h"
#include "call/answer.h"
#include "settings.h"

namespace cq
{
namespace
{

/* --- forward -------------------------------------------------------------------------------- */

/* How many were handed out? */
uint64
Position(const Answer *answer)
{
	return answer->beyond + (answer->only_stream ? 0 : answer->entry_rows - answer->reader.left);
}

bool
FromStream(Answer *answer, TupleTableSlot *slot)
{
	if (answer->stream == nullptr || !NextOfStream(answer->stream, slot))
		return false;
	answer->beyond++;
	answer->rows = Max(answer->rows, Position(answer));
	return true;
}

/* The next one that was not handed out yet. */
bool
NewRow(Answer *answer, TupleTableSlot *slot)
{
	MinimalTuple tuple;

	switch (answer->from)
	{
	case From::entry:
		tuple = answer->pin != nullptr ? ReaderNext(&answer->reader) : nullptr;
		if (tuple != nullptr)
		{
			ExecStoreMinimalTuple(tuple, slot, false);
			return true;
		}
		answer->from = From::next;
		[[fallthrough]];
	case From::next:
		answer->from = From::rest;
		if (answer->next != nullptr)
		{
			ExecStoreMinimalTuple(answer->next, slot, false);
			answer->beyond++;
			return true;
		}
		[[fallthrough]];
	case From::rest:
		if (answer->rest != nullptr && tuplestore_gettupleslot(answer->rest, true, false, slot))
		{
			answer->beyond++;
			return true;
		}
		answer->from = From::stream;
		[[fallthrough]];
	case From::stream:
		if (FromStream(answer, slot))
			return true;
		answer->from = From::nothing;
		[[fallthrough]];
	case From::nothing:
		break;
	}
	ExecClearTuple(slot);
	return false;
}

/* As if none had been handed out.  The entry's part of a query that runs comes from the query, too. */
void
RewindSource(Answer *answer)
{
	answer->beyond = 0;
	if (answer->stream != nullptr)
	{
		RewindStream(answer->stream);
		answer->only_stream = true;
		answer->in_place = false;
		answer->from = From::stream;
		return;
	}
	answer->from = From::entry;
	if (answer->pin != nullptr)
		ReaderRewind(&answer->reader);
	if (answer->rest != nullptr)
		tuplestore_rescan(answer->rest);
}

/* --- what is kept --------------------------------------------------------------------------- */

void
OpenKept(Answer *answer)
{
	MemoryContext caller = MemoryContextSwitchTo(answer->context);

	answer->kept = tuplestore_begin_heap(true, false, work_mem);
	tuplestore_set_eflags(answer->kept, EXEC_FLAG_REWIND | EXEC_FLAG_BACKWARD);
	answer->in_place = false;
	MemoryContextSwitchTo(caller);
}

/* Keep what was handed out so far, and stand behind it. */
void
KeepPast(Answer *answer, TupleTableSlot *slot)
{
	const uint64 position = Position(answer);
	const bool ended = answer->from == From::nothing;

	ExecClearTuple(slot); /* it may point into what is read again */
	RewindSource(answer);
	OpenKept(answer);
	for (uint64 i = 0; i < position && NewRow(answer, slot); i++)
	{
		CHECK_FOR_INTERRUPTS();
		tuplestore_puttupleslot(answer->kept, slot);
	}
	ExecClearTuple(slot);
	if (ended)
		answer->from = From::nothing;
	tuplestore_skiptuples(answer->kept, static_cast<int64>(position) + 1, true);
}

bool
NextKept(Answer *answer, TupleTableSlot *slot)
{
	if (!tuplestore_ateof(answer->kept) && tuplestore_gettupleslot(answer->kept, true, false, slot))
		return true;
	if (answer->from == From::nothing || !NewRow(answer, slot))
	{
		ExecClearTuple(slot);
		return false;
	}
	/* at its end it moves along with what is added */
	tuplestore_puttupleslot(answer->kept, slot);
	return true;
}

/* --- what may not stay where it is -------------------------------------------------------------- */

/*
 * The session has more pinned than it may, or all sessions together have.  So the rows that are left go
 * into a tuplestore, and the entry can be evicted.  The other parts of the answer follow them as
 * before.
 */
void
GiveUpPin(Answer *answer)
{
	MemoryContext caller = MemoryContextSwitchTo(answer->context);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(answer->desc, &TTSOpsMinimalTuple);
	Tuplestorestate *rows = tuplestore_begin_heap(false, false, work_mem);

	tuplestore_set_eflags(rows, EXEC_FLAG_REWIND);
	while (MinimalTuple tuple = ReaderNext(&answer->reader))
	{
		CHECK_FOR_INTERRUPTS();
		ExecStoreMinimalTuple(tuple, slot, false);
		tuplestore_puttupleslot(rows, slot);
	}
	if (answer->next != nullptr)
	{
		ExecStoreMinimalTuple(answer->next, slot, false);
		tuplestore_puttupleslot(rows, slot);
	}
	while (answer->rest != nullptr && tuplestore_gettupleslot(answer->rest, true, false, slot))
	{
		CHECK_FOR_INTERRUPTS();
		tuplestore_puttupleslot(rows, slot);
	}
	ExecDropSingleTupleTableSlot(slot);
	if (answer->rest != nullptr)
		tuplestore_end(answer->rest);
	Unpin(answer->pin);
	answer->pin = nullptr;
	answer->next = nullptr;
	answer->rest = rows;
	answer->entry_rows = answer->reader.left = 0;
	answer->in_place = false;
	MemoryContextSwitchTo(caller);
}

} // namespace

void
BeginReading(Answer *answer, Again again)
{
	if (answer->pin != nullptr)
	{
		ReaderBegin(&answer->reader, answer->pin, answer->context);
		answer->entry_rows = answer->reader.left;
		answer->in_place = true;
		if (HeldBytes() > MaxPinnedBytes() || TooMuchPinned(answer->pin))
			GiveUpPin(answer);
	}
	if (answer->stream != nullptr &&
		(again == Again::likely || (again == Again::maybe && !answer->repeatable)))
		OpenKept(answer);
}

bool
NextRow(Answer *answer, TupleTableSlot *slot)
{
	return answer->kept != nullptr ? NextKept(answer, slot) : NewRow(answer, slot);
}

bool
PreviousRow(Answer *answer, TupleTableSlot *slot)
{
	if (answer->kept == nullptr)
		KeepPast(answer, slot);
	/* behind the last row that was handed out: that one is where we stand, unless the end was told */
	if (tuplestore_ateof(answer->kept) && answer->from != From::nothing &&
		!tuplestore_advance(answer->kept, false))
	{
		ExecClearTuple(slot);
		return false;
	}
	return tuplestore_gettupleslot(answer->kept, false, false, slot);
}

void
SkipTo(Answer *answer, uint64 rows, bool ended)
{
	RewindSource(answer);
	for (uint64 i = 0; i < rows && ReaderNext(&answer->reader) != nullptr; i++)
		CHECK_FOR_INTERRUPTS();
	if (ended)
		answer->from = From::nothing;
}

void
RewindAnswer(Answer *answer)
{
	if (answer->kept != nullptr)
	{
		tuplestore_rescan(answer->kept);
		return;
	}
	RewindSource(answer);
	if (answer->stream != nullptr && answer->repeatable)
		OpenKept(answer);
}

void
DrainAnswer(Answer *answer)
{
	TupleTableSlot *slot;
	uint64 rows;

	if (answer->stream == nullptr)
		return;
	slot = MakeSingleTupleTableSlot(answer->desc, &TTSOpsMinimalTuple);
	rows = answer->rows;
	while (FromStream(answer, slot))
		rows++;
	answer->rows = rows;
	ExecDropSingleTupleTableSlot(slot);
}

void
EndAnswer(Answer *answer)
{
	if (answer->pin != nullptr)
		Unpin(answer->pin);
	if (answer->rest != nullptr)
		tuplestore_end(answer->rest);
	if (answer->kept != nullptr)
		tuplestore_end(answer->kept);
	if (answer->stream != nullptr)
		EndStream(answer->stream);
	answer->pin = nullptr;
	answer->rest = nullptr;
	answer->kept = nullptr;
	answer->stream = nullptr;
}

} // namespace cq
