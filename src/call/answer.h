/*
 * answer.h
 *		The rows of an answer, from wherever they come.
 *
 * The caller of AnswerCall() (call.h) reads the rows with NextRow() and ends with EndAnswer(); on error
 * the pin goes with the resource owner that was current and the tuplestore with `context`.
 */
#pragma once

#include "pg.h"
#include "validity/lookup.h"
#include "call/stream.h"
#include "stats/reason.h"
#include "store/store.h"

extern "C" {
#include "utils/tuplestore.h"
}

namespace cq
{

/*
 * Where the next row comes from.  Which of them there are depends on what was done: the entry of a
 * hit or of a fill, the row that found no room in it, rows that were put aside, the query itself.
 */
enum class From : uint8
{
	entry,
	next,
	rest,
	stream,
	nothing
};

struct Answer
{
	Reason reason;
	char *detail;   /* what was found, or nullptr; lives in `context` */
	TupleDesc desc; /* of the rows; lives in `context` */
	MemoryContext context;
	Pin *pin; /* the entry, or the rows of a fill that were not published */
	TupleReader reader;
	MinimalTuple next;     /* one row after those, or nullptr */
	Tuplestorestate *rest; /* rows after that one, or nullptr */
	Stream *stream;        /* the query, which has the others, or nullptr */
	From from;
	bool in_place;         /* rows may be read from the entry without asking for anything else */
	bool only_stream;      /* it was begun again: the others are not read any more */
	uint64 entry_rows;     /* in the entry */
	uint64 beyond;         /* rows handed out that were not read from it */
	bool read_only;        /* the call may change nothing in the cache */
	bool repeatable;       /* run again, the query brings the same rows */
	Tuplestorestate *kept; /* what was handed out, to be read again, or nullptr */
	uint64 rows;           /* as many as are known */
	int64 age_us;
	int64 ttl_us;
};

/* `answer` has all its parts: begin with the first row. */
extern void BeginReading(Answer *answer, Again again);
/* The next row in a minimal-tuple slot; false at the end.  The row is valid until the next call. */
extern bool NextRow(Answer *answer, TupleTableSlot *slot);
/* The row before the one handed out last, or the last one after the end; false at the start. */
extern bool PreviousRow(Answer *answer, TupleTableSlot *slot);
/*
 * NextRow() for what it does nearly always: the next tuple lies in one piece in the entry.  It
 * does what ExecStoreMinimalTuple() does to a slot that owns nothing; the calls alone took half
 * the time of a scan.
 */
inline bool
NextInPlace(Answer *answer, TupleTableSlot *slot)
{
	MinimalTupleTableSlot *minimal = reinterpret_cast<MinimalTupleTableSlot *>(slot);
	MinimalTuple tuple;

	if (!answer->in_place || TTS_SHOULDFREE(slot))
		return false;
	tuple = ReaderNextInPlace(&answer->reader);
	if (tuple == nullptr)
		return false;
	slot->tts_flags &= ~TTS_FLAG_EMPTY;
	slot->tts_nvalid = 0;
	minimal->off = 0;
	minimal->mintuple = tuple;
	minimal->minhdr.t_len = tuple->t_len + MINIMAL_TUPLE_OFFSET;
	minimal->minhdr.t_data =
		reinterpret_cast<HeapTupleHeader>(reinterpret_cast<char *>(tuple) - MINIMAL_TUPLE_OFFSET);
	return true;
}

/* This many rows were handed out in another way; `ended`: so was the end. */
extern void SkipTo(Answer *answer, uint64 rows, bool ended);
/* Again from the first row. */
extern void RewindAnswer(Answer *answer);
/* Read to the end, when only the number of rows is wanted. */
extern void DrainAnswer(Answer *answer);
extern void EndAnswer(Answer *answer);

} // namespace cq
