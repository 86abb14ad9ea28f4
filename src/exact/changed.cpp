/*
 * changed.cpp
 *		Collects the slots of what a transaction changed, each once.
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

namespace
{

/* Is the slot among the first `count`? */
bool
HasChanged(const Changed *changed, int count, SlotNo slot)
{
	for (int i = 0; i < count; i++)
	{
		if (changed->slots[i] == slot)
			return true;
	}
	return false;
}

/* The slot that stands for this one if the transaction changed too much. */
SlotNo
Coarse(const Changed *changed, SlotNo slot)
{
	if (IsShared(slot))
		return slot;
	if (IsRole(
			slot)) /* entries that depend on any role depend on this slot; any_role is listed with each role */
		return GroupSlot(Group::unknown_role, InvalidOid);
	return OidIsValid(changed->database) ? DatabaseSlot(changed->database) : kSlotAllDdl;
}

/* Replaces the slots by fewer ones, on which every entry depends that depends on one of these. */
void
Coarsen(Changed *changed)
{
	int kept = 0;

	for (int i = 0; i < changed->count; i++)
	{
		const SlotNo slot = Coarse(changed, changed->slots[i]);

		if (!HasChanged(changed, kept, slot))
			changed->slots[kept++] = slot;
	}
	changed->count = kept;
}

} // namespace

void
AddChanged(SlotNo slot, void *arg)
{
	Changed *changed = static_cast<Changed *>(arg);

	if (HasChanged(changed, changed->count, slot))
		return;
	if (changed->count == kMaxChanged)
	{
		Coarsen(changed);
		slot = Coarse(changed, slot);
		if (HasChanged(changed, changed->count, slot))
			return;
	}
	changed->slots[changed->count++] = slot;
}

} // namespace cq::exact
