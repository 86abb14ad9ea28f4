/*
 * slot_numbers.cpp
 *		The slot of each object: a number by hash, within a region for its kind.
 *
 * Part of exact.h.
 */
#include "pg.h"
#include "exact/slot_words.h"
#include "exact/slots.h"

namespace cq::exact
{
namespace
{

uint64
Mix(uint64 h)
{
	h = (h ^ h >> 33) * UINT64CONST(0xff51afd7ed558ccd);
	h = (h ^ h >> 33) * UINT64CONST(0xc4ceb9fe1a85ec53);
	return h ^ h >> 33;
}

/*
 * Each kind of change has a region of slots of its own.  Otherwise a new name could have, by its hash, the
 * slot of a relation, and void entries that depend on no names.  In each region a database has one stripe,
 * so changes in it void no entries in databases of other stripes.  Databases that were created one after the
 * other have different stripes.
 */
struct Region
{
	uint32 first;
	uint32 size;
};
constexpr uint32 kStripes = 8;
constexpr Region
After(const Region &before, uint32 size)
{
	return {before.first + before.size, size};
}
constexpr Region kOfAll = {2, 510};                 /* of no single database; not in stripes */
constexpr Region kRoles = After(kOfAll, 1024);      /* not in stripes */
constexpr Region kGroups = After(kRoles, 256 * 16); /* 16 for a database, without hash */
constexpr Region kDefinitions = After(kGroups, 8 * 4096);
constexpr Region kRows = After(kDefinitions, 8 * 4096);
constexpr Region kKeys = After(kRows, 8 * 2048);
constexpr Region kTags = After(kKeys, 8 * 2048);
constexpr Region kObjects = After(kTags, 8 * 2048);
constexpr Region kNames = After(kObjects, 8 * 1024);
static_assert(kNames.first + kNames.size == kSlots);
static_assert(kSlots % 32 == 0, "who keeps a bit for each has whole words");

uint64
HashOf(uint32 kind, uint32 a, uint64 b)
{
	return Mix(Mix(static_cast<uint64>(kind) << 32 | a) + b);
}

SlotNo
Hashed(const Region &region, uint32 kind, uint32 a, uint64 b)
{
	return region.first + static_cast<uint32>(HashOf(kind, a, b) % region.size);
}

SlotNo
Striped(const Region &region, uint32 kind, Oid database, uint64 b)
{
	const uint32 size = region.size / kStripes;

	return region.first + database % kStripes * size +
		   static_cast<uint32>(HashOf(kind, database, b) % size);
}

/* Slots that a database has once; `number` is below 16. */
SlotNo
OfDatabase(Oid database, uint32 number)
{
	return kGroups.first + database % (kGroups.size / 16) * 16 + number;
}

} // namespace

/* Do entries of several databases depend on the slot? */
bool
IsShared(SlotNo slot)
{
	return slot < kOfAll.first + kOfAll.size;
}

bool
IsOfResults(SlotNo slot)
{
	return slot - kKeys.first < kKeys.size;
}

bool
IsRole(SlotNo slot)
{
	return slot - kRoles.first < kRoles.size;
}

SlotNo
DdlSlot(Oid database, Oid relation)
{
	return Striped(kDefinitions, 1, database, relation);
}

SlotNo
WriteSlot(Oid database, Oid relation)
{
	return Striped(kRows, 2, database, relation);
}

SlotNo
FileSlot(Oid database, Oid file)
{
	return Striped(kRows, 3, database, file);
}

SlotNo
DatabaseSlot(Oid database)
{
	return OfDatabase(database, 0);
}

SlotNo
AllRowsSlot(Oid database)
{
	return OfDatabase(database, 1);
}

SlotNo
CatalogSlot(int cacheid, uint32 hash, Oid database)
{
	if (cacheid == DATABASEOID || cacheid == AUTHOID)
		return Hashed(cacheid == AUTHOID ? kRoles : kOfAll, 3, static_cast<uint32>(cacheid), hash);
	return Striped(kObjects, 64 + static_cast<uint32>(cacheid), database, hash);
}

SlotNo
ObjectSlot(int cacheid, Oid oid)
{
	return CatalogSlot(cacheid, murmurhash32(oid), MyDatabaseId);
}

SlotNo
RoleSlot(Oid role)
{
	return ObjectSlot(AUTHOID, role);
}

SlotNo
GroupSlot(Group group, Oid database)
{
	const uint32 number = static_cast<uint32>(group);

	static_assert(static_cast<uint32>(Group::unknown_role) + 2 < 16);
	return OidIsValid(database) ? OfDatabase(database, 2 + number) : Hashed(kOfAll, 16, number, 0);
}

SlotNo
NameSlot(NameKind kind, Oid database, const char *name)
{
	return Striped(kNames, 32 + static_cast<uint32>(kind), database,
				   hash_bytes_extended(reinterpret_cast<const unsigned char *>(name),
									   static_cast<int>(strlen(name)), 0));
}

SlotNo
NamedSlot(Named kind, Oid database, const void *name, Size len)
{
	return Striped(
		kind == Named::tag ? kTags : kKeys, 4 + static_cast<uint32>(kind), database,
		hash_bytes_extended(static_cast<const unsigned char *>(name), static_cast<int>(len), 0));
}

} // namespace cq::exact
