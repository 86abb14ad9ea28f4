/*
 * written.cpp
 *		Which relations this transaction has written, by the statistics of its levels.
 *
 * Each level of subtransaction has a list of its own, so a transaction of many savepoints has many lists,
 * and a query may ask for each of its relations.  Lists of a few tables are looked through each time.  Longer ones
 * are gone through once, into a set, which is good as long as nothing was added: a level's list grows at its
 * head only, outer levels stay as they are while an inner one is open, and a level that ends takes its number
 * with it.
 *
 * Part of exact.h.
 */
#include "pg.h"
#include "exact/definitions.h"

extern "C" {
#include "utils/hsearch.h"
}

namespace cq::exact
{
namespace
{

/* Steps over levels and their tables that are cheaper than a set. */
constexpr int kFew = 64;

/* Of the set. */
struct Written
{
	Oid relation;
	const PgStat_TableStatus *table;
};

/* The set; its memory ends with the transaction `xid`. */
struct
{
	uint64 xid;
	HTAB *relations;
	bool catalogs;
	bool definitions;
	/* when it was made; invalid: it isn't complete */
	SubTransactionId level;
	const PgStat_TableXactStatus *first;
} set = {};

PgStat_SubXactStatus *
InnermostLevel()
{
	return pgstat_get_xact_stack_level(GetCurrentTransactionNestLevel());
}

void
Add(const PgStat_TableStatus *table)
{
	const Oid relation = compat::StatsRelation(table);

	static_cast<Written *>(hash_search(set.relations, &relation, HASH_ENTER, nullptr))->table =
		table;
	set.catalogs = set.catalogs || relation < FirstUnpinnedObjectId;
	set.definitions = set.definitions || IsDefinitionCatalog(relation);
}

/* An empty set of this transaction. */
void
BeginSet(uint64 xid)
{
	HASHCTL control = {};
	HTAB *old = set.xid == xid ? set.relations : nullptr;

	set = {};
	if (old != nullptr)
		hash_destroy(old);
	control.keysize = sizeof(Oid);
	control.entrysize = sizeof(Written);
	control.hcxt = TopTransactionContext;
	set.relations = hash_create("cached_query written relations", 256, &control,
								HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	set.xid = xid;
}

void
MakeSet()
{
	const uint64 xid = U64FromFullTransactionId(GetTopFullTransactionIdIfAny());
	const SubTransactionId current = GetCurrentSubTransactionId();
	PgStat_SubXactStatus *level = InnermostLevel();
	const PgStat_TableXactStatus *first = level->first;

	if (set.xid == xid && set.level == current && set.first == first)
		return;
	BeginSet(xid);
	for (; level != nullptr; level = level->prev)
	{
		CHECK_FOR_INTERRUPTS();
		for (PgStat_TableXactStatus *table = level->first; table != nullptr; table = table->next)
		{
			CHECK_FOR_INTERRUPTS();
			Add(table->parent);
		}
	}
	set.level = current;
	set.first = first;
}

/* False: there are too many to look through them.  *found is null if there is none. */
template <typename Wanted>
bool
AmongFew(Wanted wanted, const PgStat_TableStatus **found)
{
	int steps = 0;

	*found = nullptr;

	for (PgStat_SubXactStatus *level = InnermostLevel(); level != nullptr; level = level->prev)
	{
		if (++steps > kFew)
			return false;
		for (PgStat_TableXactStatus *table = level->first; table != nullptr; table = table->next)
		{
			if (wanted(compat::StatsRelation(table->parent)))
			{
				*found = table->parent;
				return true;
			}
			if (++steps > kFew)
				return false;
		}
	}
	return true;
}

} // namespace

const PgStat_TableStatus *
Wrote(Oid relation)
{
	const PgStat_TableStatus *found;
	const Written *written;

	if (AmongFew([relation](Oid written_one) { return written_one == relation; }, &found))
		return found;
	MakeSet();
	written = static_cast<Written *>(hash_search(set.relations, &relation, HASH_FIND, nullptr));
	return written == nullptr ? nullptr : written->table;
}

bool
WroteDefinitions()
{
	const PgStat_TableStatus *found;

	if (AmongFew([](Oid written) { return IsDefinitionCatalog(written); }, &found))
		return found != nullptr;
	MakeSet();
	return set.definitions;
}

bool
WroteCatalogs()
{
	const PgStat_TableStatus *found;

	if (AmongFew([](Oid written) { return written < FirstUnpinnedObjectId; }, &found))
		return found != nullptr;
	MakeSet();
	return set.catalogs;
}

} // namespace cq::exact
