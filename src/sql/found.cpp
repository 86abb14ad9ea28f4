/*
 * found.cpp
 *		The columns about what is in the cache under a key, as the functions that explain show them.
 *
 * Part of sql.h.
 */
#include "pg.h"
#include "sql/row.h"
#include "sql/sql.h"
#include "validity/entry_state.h"

namespace cq
{

void
PutFound(Row *row, bool has_key, uint64 hash, const Found &found)
{
	const bool absent = !has_key || found.tier == nullptr;

	PutText(row, has_key ? psprintf("%016llx", static_cast<unsigned long long>(hash)) : nullptr);
	PutText(row, has_key ? NameOf(found.state) : nullptr);
	PutText(row, absent ? nullptr : found.tier);
	Put(row, IntervalFromUs(found.age_us), absent);
	Put(row, IntervalFromUs(found.left_us), absent);
	PutNumber(row, found.rows, absent);
	PutNumber(row, found.bytes, absent);
}

} // namespace cq
