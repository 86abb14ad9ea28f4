/*
 * dependents.cpp
 *		How many entries in memory would an explicit invalidation of a relation or a tag void?
 *
 * To find them means to look at all entries, which an invalidation must not do: some are made for
 * each write, and there may be millions of entries.  So they are counted when they are linked and
 * unlinked, by the slot that the invalidation would change.  Two names that share a slot are void
 * together, so they are also counted together.  An entry that is void already is counted until it
 * is unlinked.  0 means that there is none, and nothing to sweep.
 *
 * Locking: atomic.
 */
#include "pg.h"
#include "base/shared.h"
#include "validity/dependents.h"
#include "validity/meta.h"
#include "settings.h"

namespace cq
{
namespace
{

struct Shared
{
	pg_atomic_uint32 counts[exact::kSlots]; /* atomic */
};

Shared *shared = nullptr;

void
Add(exact::SlotNo slot, int by)
{
	pg_atomic_fetch_add_u32(&shared->counts[slot], by);
}

void
AddRelations(const Entry *entry, const MetaHead &head, Oid database, int by)
{
	const uint32 offset = RelationsOffset(head);
	Oid relations[32];

	for (uint32 i = 0; i < head.relations; i += lengthof(relations))
	{
		const uint32 count = Min(head.relations - i, static_cast<uint32>(lengthof(relations)));

		ReadMeta(entry, offset + i * static_cast<uint32>(sizeof(Oid)), relations,
				 count * static_cast<uint32>(sizeof(Oid)));
		for (uint32 j = 0; j < count; j++)
			Add(exact::DdlSlot(database, relations[j]), by);
	}
}

/* Statements of the client's own are invalidated by their query, whatever the values and the role. */
void
AddQuery(const Entry *entry, const MetaHead &head, int by)
{
	exact::SlotNo slots[32];

	for (uint32 i = 0; i < head.slots; i += lengthof(slots))
	{
		const uint32 count = Min(head.slots - i, static_cast<uint32>(lengthof(slots)));

		ReadMeta(entry, static_cast<uint32>(sizeof(MetaHead) + i * sizeof(exact::SlotNo)), slots,
				 count * static_cast<uint32>(sizeof(exact::SlotNo)));
		for (uint32 j = 0; j < count; j++)
		{
			if (exact::IsOfResults(slots[j]))
				Add(slots[j], by);
		}
	}
}

} // namespace

void
CountDependents(const Entry *entry, int by)
{
	const Oid database = FactsOf(entry).database;
	MetaHead head;
	char tag[kMaxTagLength];

	ReadMeta(entry, 0, &head, sizeof(head));
	AddRelations(entry, head, database, by);
	if (FactsOf(entry).flags & kEntryAuto)
		AddQuery(entry, head, by);
	if (head.tag_length == 0 || head.tag_length > sizeof(tag))
		return;
	ReadMeta(entry, TagOffset(head), tag, head.tag_length);
	Add(exact::NamedSlot(exact::Named::tag, database, tag, head.tag_length), by);
}

uint32
DependentsOf(exact::SlotNo slot)
{
	return pg_atomic_read_u32(&shared->counts[slot]);
}

void
DependentsRequestShmem()
{
	RequestShared(sizeof(Shared));
}

void
DependentsInitShmem()
{
	shared = MakeOrFindShared<Shared>("cached_query dependents", [](Shared *made) {
		for (pg_atomic_uint32 &count : made->counts)
			pg_atomic_init_u32(&count, 0);
	});
}

} // namespace cq
