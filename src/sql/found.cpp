/*
 * found.cpp
 *		The columns about what is in the cache under a key, as the functions that explain show them.
 *
 * Part of sql.h.
 */
#include "pg.h"
#include "query/key.h"
#include "sql/row.h"
#include "sql/sql.h"
#include "validity/entry_state.h"

namespace cq
{

void
PutFound(Row *row, const Key *key, bool looked_up, const Found &found)
{
	const bool absent = found.tier == nullptr;

	PutText(row, key != nullptr ? psprintf("%016llx", static_cast<unsigned long long>(key->hash))
								: nullptr);
	PutText(row, looked_up ? NameOf(found.state) : nullptr);
	PutText(row, found.tier);
	Put(row, IntervalFromUs(found.age_us), absent);
	Put(row, IntervalFromUs(found.left_us), absent);
	PutNumber(row, found.rows, absent);
	PutNumber(row, found.bytes, absent);
}

} // namespace cq
