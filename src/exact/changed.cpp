/*
 * changed.cpp
 *		The slots of what a transaction changed, collected without duplicates.
 *
 * Part of exact.h.
 */
#include "pg.h"
#include "exact/changed.h"
#include "exact/definitions.h"

extern "C" {
#include "access/genam.h"
#include "access/heapam.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
}

namespace cq::exact
{

void
Add(Definitions *d, SlotNo slot)
{
	d->add(slot, d->arg);
}

void
AddEverything(Definitions *d, Oid database)
{
	Add(d, OidIsValid(database) ? DatabaseSlot(database) : kSlotAllDdl);
}

void
AddUnknownName(Definitions *d, Oid database)
{
	Add(d, GroupSlot(Group::any_name, database));
	Add(d, GroupSlot(Group::unknown_name, database));
}

void
AddUnknownRole(Definitions *d)
{
	Add(d, GroupSlot(Group::any_role, InvalidOid));
	Add(d, GroupSlot(Group::unknown_role, InvalidOid));
}

void
AddRole(Definitions *d, Oid role)
{
	Add(d, RoleSlot(role));
	Add(d, GroupSlot(Group::any_role, InvalidOid));
}

bool
Seen(Definitions *d, uint64 message)
{
	uint64 *place = &d->seen[(message ^ message >> 40) % lengthof(d->seen)];

	if (*place == message)
		return true;
	*place = message;
	return false;
}

void
InitChanged(Changed *changed)
{
	changed->coarse = false;
	changed->count = 0;
	memset(changed->places, 0, sizeof(changed->places));
}

namespace
{

/* Where it is in the hash table, or where it would be. */
uint16 *
PlaceOf(Changed *changed, SlotNo slot)
{
	uint32 place = murmurhash32(slot);

	for (;; place++)
	{
		uint16 *there = &changed->places[place % lengthof(changed->places)];

		if (*there == 0 || changed->slots[*there - 1] == slot)
			return there;
	}
}

void
Enter(Changed *changed, SlotNo slot)
{
	uint16 *place = PlaceOf(changed, slot);

	if (*place != 0 || changed->count == kMaxChanged)
		return;
	changed->slots[changed->count++] = slot;
	*place = static_cast<uint16>(changed->count);
}

/* The slots of what there is: fewer, as a database has so many and no more. */
void
Coarsen(Changed *changed)
{
	const int count = changed->count;

	changed->coarse = true;
	changed->count = 0;
	memset(changed->places, 0, sizeof(changed->places));
	for (int i = 0; i < count; i++)
		Enter(changed, SlotOf(changed->slots[i]));
}

} // namespace

void
AddChanged(SlotNo slot, void *arg)
{
	Changed *changed = static_cast<Changed *>(arg);

	if (!changed->coarse && changed->count == kMaxChanged)
		Coarsen(changed);
	Enter(changed, changed->coarse ? SlotOf(slot) : slot);
}

} // namespace cq::exact
