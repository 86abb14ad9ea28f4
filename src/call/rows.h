/*
 * rows.h
 *		Running a query and keeping its rows: in the store while they fit, else beside it.
 *
 * Rows go straight from the executor into the entry being filled; there is never a second copy of
 * the result in the backend.  When the entry may not grow further, the rows it has stay there, and the
 * query stops until the caller asks for more: the others are handed out while it runs.  What runs with
 * parallel workers can't stop: then they go into a tuplestore (work_mem, then a temporary file).
 *
 * If it only may not evict good entries before it is known to fit (store/room.h), the query goes on,
 * and the others wait in the tuplestore until it is: CompleteFill().
 */
#pragma once

#include "pg.h"
#include "call/stream.h"
#include "query/handle.h"
#include "store/store.h"

extern "C" {
#include "tcop/dest.h"
#include "utils/tuplestore.h"
}

namespace cq
{

struct Rows
{
	DestReceiver receiver; /* must be first */
	Shape shape;
	Pin *fill; /* nullptr: keep nothing */
	/* called when it is known that not all rows can be kept; nullptr: nobody is told */
	void (*gave_up)(void *arg);
	void *gave_up_arg;
	uint64 max_bytes;
	uint64 bytes;          /* of an entry with all rows */
	uint64 kept;           /* rows in the entry */
	bool too_large;        /* not all rows are in the entry, and more will not fit: */
	bool no_memory;        /* why */
	bool spilled;          /* not all rows are in the entry yet: CompleteFill() */
	bool stopped;          /* the query stopped where the entry was full */
	MinimalTuple next;     /* the row after those in the entry, or nullptr */
	Tuplestorestate *rest; /* rows after that one, or nullptr */
	Stream *stream;        /* has the others, or nullptr */
	bool may_stop;         /* the query may stop where the entry is full */
	bool drop;             /* somebody else hands the rows out: what finds no room is dropped */
	uint64 total;          /* rows seen so far */
	MemoryContext context; /* of the tuplestore */
	MemoryContext row;     /* reset for each row */
	ResourceOwner owner;   /* of the tuplestore's files */
	StringInfoData json;
	TupleDesc json_row; /* blessed descriptor of one row */
	TupleDesc desc;     /* of the rows handed out */
	int *varlenas;      /* columns whose values may live elsewhere */
	int varlena_count;
};

/* `context` lives as long as the caller reads. */
extern void BeginRows(Rows *rows, Shape shape, TupleDesc desc, Pin *fill, uint64 max_bytes,
					  MemoryContext context);
/* Nothing is kept, as the result was too large the last time. */
extern void ExpectTooLarge(Rows *rows);
/*
 * Run the handle's query under the active snapshot into `rows`, as far as it has to be run now; `watch` is that
 * of the fill, if it is one.
 */
extern void RunQuery(const HeldHandle &handle, ParamListInfo params, Rows *rows, Watch *watch);
/*
 * Nothing forbids keeping the result: add the rows that had to wait in the tuplestore to the entry. 
 * False: there is no room for them.
 */
extern bool CompleteFill(Rows *rows);

/* The descriptor of what a call hands out. */
extern TupleDesc JsonDesc();

} // namespace cq
