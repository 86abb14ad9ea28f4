/*
 * tuple_form.h
 *		Tuples as an entry stores them: in one piece, with all values in place.
 */
#pragma once

#include "pg.h"
#include "store/store.h"

namespace cq
{

/* heap_form_minimal_tuple() in two steps, so that it can be written where it will stay. */
struct TupleShape
{
	Size length;
	Size header;
	Size data;
	bool has_null;
};

/*
 * Most rows come as one piece already, straight from a table, a sort or a hash.  Then the piece
 * is what is kept, and no column is looked at, unless a value lives elsewhere or columns were
 * added since.
 */
struct ReadyTuple
{
	const char *bytes; /* of a minimal tuple; its t_len may be missing */
	Size length;
};

/*
 * Values that live elsewhere come here: a pointer into a TOAST table would outlive its row, an
 * expanded object is this backend's.  Compressed ones stay compressed.
 */
extern Datum *FetchExternal(const int *varlenas, int varlena_count, Datum *values,
							const bool *nulls, int natts);
extern TupleShape MeasureTuple(TupleDesc desc, const Datum *values, const bool *nulls);
extern void WriteTuple(char *to, const TupleShape &shape, TupleDesc desc, const Datum *values,
					   const bool *nulls);
extern bool ReadyTupleOf(TupleTableSlot *slot, ReadyTuple *image);
extern void WriteReadyTuple(char *to, const ReadyTuple &image);

} // namespace cq
