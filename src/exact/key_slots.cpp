/*
 * key_slots.cpp
 *		Slots of keys: which rows of a tracked table were changed, see tracking.h.
 *
 * They work like all other slots, and are numbered behind them.  They are an array of their own, of a size that
 * can be set: keys are many, and one that is written all the time must not share a slot with a definition,
 * on which results within a ttl depend.  Only writers of rows are listed here, so nothing of what slots have
 * for definitions and for other servers is needed.
 *
 * Part of exact.h.
 */
#include "pg.h"
#include "base/release.h"
#include "base/shared.h"
#include "exact/slots.h"
#include "exact/tracking.h"

extern "C" {
#include "common/hashfn.h"
}

namespace cq::exact
{

Slot *key_slots = nullptr;
uint32 key_slot_count = 0;

namespace
{

int wanted = 65536;

uint32
Count()
{
	return static_cast<uint32>(wanted);
}

Size
Bytes()
{
	return add_size(mul_size(Count(), sizeof(Slot)), alignof(Slot));
}

uint64
Hash(uint32 kind, Oid database, Oid relation, uint64 rest)
{
	const uint64 of[] = {static_cast<uint64>(database) << 32 | relation, rest, kind};

	return hash_bytes_extended(reinterpret_cast<const unsigned char *>(of), sizeof(of), 0);
}

/* Two in one slot cost misses only. */
SlotNo
Number(uint32 kind, Oid relation, uint64 rest)
{
	return kSlots + static_cast<uint32>(Hash(kind, MyDatabaseId, relation, rest) % key_slot_count);
}

/* Raise it whenever writers are listed in other slots than before, or readers look at others. */
constexpr uint32 kMeaning = 2;

} // namespace

/* Another version of the library may mean something else by a slot: both sides are of the same one. */
MessageKind
KindOfMessages()
{
	static const uint64 meaning = Hash(kMeaning, 1, 2, 3) ^ ReleaseHash();

	return {static_cast<uint32>(meaning >> 32), key_slot_count};
}

void
DefineKeySettings()
{
	DefineCustomIntVariable(
		"cached_query.key_slots", "Slots for keys of tracked tables, 128 bytes each.",
		"The more there are, the fewer results a write invalidates that it does not "
		"concern.",
		&wanted, wanted, 1024, 1 << 24, PGC_POSTMASTER, 0, nullptr, nullptr, nullptr);
	DefineTellSetting();
}

bool
IsSlot(SlotNo slot)
{
	return slot < kSlots + key_slot_count;
}

SlotNo
AnyRowSlot(Oid relation, Change change)
{
	return Number(static_cast<uint32>(change), relation, 0);
}

SlotNo
KeySlot(Oid relation, AttrNumber column, uint32 hash, Change change)
{
	return Number(2 + static_cast<uint32>(change), relation,
				  static_cast<uint64>(column) << 32 | hash);
}

SlotNo
RangeSlot(Oid relation, AttrNumber column, uint32 node, Change change)
{
	return Number(4 + static_cast<uint32>(change), relation,
				  static_cast<uint64>(column) << 32 | node);
}

void
RequestKeyShmem()
{
	RequestShared(Bytes());
}

void
InitKeyShmem()
{
	char *space = MakeOrFindShared<char>("cached_query key slots", Bytes(), [](char *memory) {
		Slot *slots = reinterpret_cast<Slot *>(TYPEALIGN(alignof(Slot), memory));

		for (uint32 i = 0; i < Count(); i++)
			InitSlot(&slots[i]);
	});

	key_slots = reinterpret_cast<Slot *>(TYPEALIGN(alignof(Slot), space));
	key_slot_count = Count();
}

} // namespace cq::exact
