/*
 * own.cpp
 *		What this transaction has changed itself: it must not be served from, or stored into, the
 *		cache where that matters.
 *
 * Rows: the statistics of the current and all outer levels of subtransaction tell, see written.cpp.  When
 * a level is rolled back, its statistics go with it.
 *
 * Definitions: PostgreSQL has no function that returns the pending invalidation messages of inner levels.
 * But it executes the messages of each command locally at the command's end (CommandCounterIncrement), so a
 * relcache callback sees them.  The callback also sees messages of other sessions and of a level that was
 * rolled back; then a query is run that need not be.  For catalogs that every entry may depend on, the
 * statistics tell again.
 *
 * A transaction without a transaction id has changed nothing.
 *
 * Part of exact.h.
 */
#include "pg.h"
#include "exact/definitions.h"
#include "exact/tracking.h"

namespace cq::exact
{
namespace
{

/* Definitions changed while the top-level transaction `xid` ran. */
constexpr int kMaxOwnDefinitions = 256;
struct OwnChange
{
	SlotNo slot;
	bool neutral; // seen only while neutral commands ran
};
struct
{
	uint64 xid;
	bool everything; // more than fit
	int n;
	OwnChange changes[kMaxOwnDefinitions];
} own;

/* Slots that Invalidate() was called for, and in which level of subtransaction. */
struct Pending
{
	SlotNo slot;
	int level;
};
Pending pending[kMaxPending + 1]; // the last is for kSlotClear only
int npending = 0;
int all_pending_level = 0; // more than fit: all of the database; 0 = not

uint64
TopXid()
{
	return U64FromFullTransactionId(GetTopFullTransactionIdIfAny());
}

/* Our own change of this slot; null: none is noted. */
OwnChange *
FindOwn(SlotNo slot)
{
	if (own.xid != TopXid())
		return nullptr;
	for (int i = 0; i < own.n; i++)
	{
		if (own.changes[i].slot == slot)
			return &own.changes[i];
	}
	return nullptr;
}

/* Is this slot among our own definitions? */
bool
OwnDefinition(SlotNo slot)
{
	return own.xid == TopXid() && (own.everything || FindOwn(slot) != nullptr);
}

/*
 * Note a changed definition; `known` = false stands for all of them.  A neutral command's message
 * about all relations is noted like one about kSlotAllDdl.
 */
void
Note(bool known, SlotNo slot)
{
	const uint64 xid = TopXid();

	if (xid == 0)
		return;

	/*
	 * Messages are also executed at the very end of an aborted or prepared transaction, after our
	 * transaction callback.  So the list says whose it is instead of being cleared there.
	 */
	if (own.xid != xid)
	{
		own.xid = xid;
		own.everything = false;
		own.n = 0;
	}
	if (!known && !InNeutralCommand())
		own.everything = true;
	if (own.everything)
		return;

	OwnChange *change = FindOwn(slot);

	if (change != nullptr)
		change->neutral = change->neutral && InNeutralCommand();
	else if (own.n < kMaxOwnDefinitions)
		own.changes[own.n++] = {slot, InNeutralCommand()};
	else
		own.everything = true;
}

void
OnRelcache(Datum, Oid relation)
{
	ForgetTracking(relation);
	if (TopXid() != 0)
		Note(OidIsValid(relation),
			 OidIsValid(relation) ? DdlSlot(MyDatabaseId, relation) : kSlotAllDdl);
}

void
OnType(Datum, compat::CacheId cacheid, uint32 hash)
{
	if (TopXid() != 0)
		Note(hash != 0, CatalogSlot(cacheid, hash, MyDatabaseId));
}

/* A subtransaction ends: its requests are dropped with it, or become those of the level around it. */
void
OnSubXact(SubXactEvent event, SubTransactionId, SubTransactionId, void *)
{
	const int level = GetCurrentTransactionNestLevel();
	int kept = 0;

	if (event != SUBXACT_EVENT_COMMIT_SUB && event != SUBXACT_EVENT_ABORT_SUB)
		return;
	if (npending == 0 && all_pending_level == 0)
		return;
	for (int i = 0; i < npending; i++)
	{
		if (pending[i].level >= level && event == SUBXACT_EVENT_ABORT_SUB)
			continue;
		pending[kept] = pending[i];
		pending[kept].level = Min(pending[kept].level, level - 1);
		kept++;
	}
	npending = kept;
	if (all_pending_level >= level)
		all_pending_level = event == SUBXACT_EVENT_ABORT_SUB ? 0 : level - 1;
}

} // namespace

bool
OwnAnything()
{
	return TransactionIdIsValid(GetTopTransactionIdIfAny());
}

bool
OwnWrote(Oid relation)
{
	if (!OwnAnything())
		return false;
	return OwnRedefined(relation) || Wrote(relation) != nullptr;
}

bool
OwnRedefined(Oid relation)
{
	return OwnDefinition(DdlSlot(MyDatabaseId, relation));
}

bool
OwnChangedEverything()
{
	if (!OwnAnything())
		return false;
	return Uncounted() || (own.xid == TopXid() && own.everything) || WroteDefinitions();
}

bool
OwnWroteCatalogs()
{
	return OwnAnything() && WroteCatalogs();
}

bool
OwnInvalidated(SlotNo slot)
{
	if (!OwnAnything())
		return false;
	if (all_pending_level > 0)
		return true;
	for (int i = 0; i < npending; i++)
	{
		if (pending[i].slot == slot)
			return true;
	}
	return OwnDefinition(slot);
}

/*
 * Messages that were not executed locally yet belong to the last command, which may be the one that commits
 * now, such as CREATE INDEX CONCURRENTLY.  Those of earlier commands were executed before it (hooks.cpp).
 */
bool
OwnIsNeutral(SlotNo slot)
{
	const OwnChange *change;

	if (own.xid != TopXid())
		return InNeutralCommand();
	if (own.everything)
		return false;
	change = FindOwn(slot);
	return change != nullptr ? change->neutral : InNeutralCommand();
}

/* The id makes sure that PRE_COMMIT has something to publish. */
void
Invalidate(SlotNo slot)
{
	const int level = GetCurrentTransactionNestLevel();

	(void) GetTopTransactionId();
	if (Published())
	{
		ListLate(slot);
		return;
	}
	for (int i = 0; i < npending; i++)
	{
		if (pending[i].slot == slot)
			return; /* there are only this level's and outer ones */
	}
	if (npending < kMaxPending + (slot == kSlotClear ? 1 : 0))
		pending[npending++] = {slot, level};
	else if (all_pending_level == 0)
		all_pending_level = level;
}

int
PendingInvalidations(SlotNo *slots)
{
	int n = 0;

	for (; n < npending; n++)
		slots[n] = pending[n].slot;
	if (all_pending_level > 0)
		slots[n++] = DatabaseSlot(MyDatabaseId);
	return n;
}

void
ForgetInvalidations()
{
	npending = 0;
	all_pending_level = 0;
}

void
InitOwn()
{
	RegisterSubXactCallback(OnSubXact, nullptr);
	CacheRegisterRelcacheCallback(OnRelcache, static_cast<Datum>(0));
	CacheRegisterSyscacheCallback(TYPEOID, OnType, static_cast<Datum>(0));
}

} // namespace cq::exact
