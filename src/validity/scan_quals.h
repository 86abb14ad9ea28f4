/*
 * scan_quals.h
 *		What the quals of a scan compare, and whether a writer's hash of a column goes by the same equality.
 *
 * Part of watch.h.
 */
#pragma once

#include "pg.h"

namespace cq
{

struct ScanQuals
{
	Index relid;
	List *index_columns; /* of an index-only scan: what its Vars name */
	List *all;           /* each row that the scan hands up passes every one of them */
};

/* Of a plan's node that scans one relation. */
extern ScanQuals QualsOf(const Plan *scan);
/* The number of the column of the scanned relation that this is; 0: it is none. */
extern AttrNumber ColumnOf(const ScanQuals &quals, Node *node);
/*
 * Is the operator the equality by which this hash function goes, that of the column's type?  Then the function of the
 * other side, which gives equal values of its type equal hashes; else InvalidOid.
 */
extern Oid HashOfOther(Oid hash_of_column, Oid op, Oid collation, bool column_is_left);
/* What is below conversions that change no byte. */
extern Node *StripRelabel(Node *node);

} // namespace cq
