/*
 * answer.h
 *		One call of a reader function, from question to rows: the decisions of the cache.
 *
 * AnswerCall() finds the handle, decides whether the query's answer may be taken from the store,
 * and takes it from there or runs the query.  Whatever goes wrong with the cache, the query runs.
 * The caller reads the rows with NextRow() and ends with EndAnswer(); on error the pin goes with
 * the resource owner that was current and the tuplestore with `context`.
 */
#pragma once

#include "pg.h"
#include "exact/exact.h"
#include "call/stream.h"
#include "query/handle.h"
#include "query/key.h"
#include "settings.h"
#include "stats/reason.h"
#include "store/store.h"

extern "C" {
#include "utils/tuplestore.h"
}

namespace cq
{

struct CallOptions
{
	Mode mode;
	Consistency consistency;
	int min_fill_time_ms;
	int wait_timeout_ms;
	int stale_for_ms;
	const char *tag; /* "" = none */
	StoreKind store;
	int redis_lease_ms; /* 0: each server fills for itself */
};

/* What the session's settings say. */
extern CallOptions SessionOptions();

/* Will rows that were handed out be asked for once more, by a rescan or a cursor that goes back? */
enum class Again
{
	no,    /* hardly ever */
	maybe, /* a cursor may go back; a part of a query may be run again */
	likely /* the executor said so */
};

struct Call
{
	const char *query;
	int query_length;
	Args args;
	int64 ttl_us;
	Shape shape;
	CallOptions options;
	TupleDesc expected; /* the caller's columns, or nullptr to take what comes */
	bool by_worker;     /* nobody's call: it is not counted among the outcomes */
	Again again;        /* may the rows be read again? */
};

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
	bool repeatable;       /* run again, the query brings the same rows */
	Tuplestorestate *kept; /* what was handed out, to be read again, or nullptr */
	uint64 rows;           /* as many as are known */
	int64 age_us;
	int64 ttl_us;
};

extern void AnswerCall(const Call &call, MemoryContext context, Answer *answer);

/* --- reading it (answer.cpp) ----------------------------------------------------------------- */

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

/* Rows were handed out in another way: so many, and perhaps the end was told. */
extern void SkipTo(Answer *answer, uint64 rows, bool ended);
/* Again from the first row. */
extern void RewindAnswer(Answer *answer);
/* All but the number of the rows is of no interest: read them to the end. */
extern void DrainAnswer(Answer *answer);
extern void EndAnswer(Answer *answer);

/* Error unless the query's rows are rows of the expected columns as they are. */
extern void CheckColumns(TupleDesc expected, TupleDesc actual);
/* Can a column list name these columns?  Pseudo-types can't stand there. */
extern bool IsListable(TupleDesc desc);
/* Error if not. */
extern void RequireListable(TupleDesc desc);
/* The list to paste after AS t(...). */
extern char *ColumnList(TupleDesc desc);

/* --- what the call would meet, for explain and invalidate ------------------------------------ */

enum class State
{
	cold,
	fresh,
	stale,
	expired,
	invalidated
};
extern const char *NameOf(State state);

struct Prospect
{
	HeldHandle handle;
	Reason ttl; /* Reason::hit: cacheable */
	char *ttl_detail;
	Reason exact;
	bool has_key; /* not so for what no call could have a key for */
	Key key;
	Pin *pin; /* the entry under that key, or nullptr */
};
extern Prospect LookAhead(const char *query, int length, const Args &args, Shape shape);
extern void EndProspect(Prospect *prospect);
/*
 * Rows of the entry that the call would meet; false when there is none.  For the planner: cheap,
 * and nothing is checked that the call itself will check.
 */
extern bool EstimateRows(const char *query, int length, const Args &args, double *rows);
extern State StateOf(const Entry *entry);
/*
 * Is the entry void whatever its age?  For eviction: no lock, no snapshot, no error; late at
 * times.
 */
extern bool EntryInvalid(const Entry *entry);

} // namespace cq
