/*
 * unsent.cpp
 *		DDL whose invalidation messages may not be out, where its slot can't tell.
 *
 * Two cases.  An overflowed DDL has no word in a slot that could carry kSent: it is in the list of
 * unsent ones, and so is a backend that holds everybody up for a moment (hooks.cpp).  A prepared
 * DDL is in its slot, but when it commits no callback of ours runs, so readers look after it.
 *
 * Locking: the list is under unsent_lock, a few instructions; its length is read without.
 */
#include "pg.h"
#include "exact/slots.h"

namespace cq::exact
{

bool settle_wanted = false;

namespace
{

/* Prepared DDL that Check() found visible and unsent, for SettlePrepared(). */
struct Suspect
{
	SlotNo slot;
	uint64 word;
};
constexpr int kMaxSuspects = 8;
Suspect suspects[kMaxSuspects];
int nsuspects = 0;

/* Is the transaction's own lock free?  It goes after the invalidation messages went out. */
bool
LockIsFree(TransactionId xid)
{
	LOCKTAG tag;
	int n;

	SET_LOCKTAG_TRANSACTION(tag, xid);
	pfree(GetLockConflicts(&tag, ShareLock, &n));
	return n == 0;
}

} // namespace

/* Prepared DDL whose messages are probably out: its COMMIT PREPARED has no callback of ours. */
void
Suspected(SlotNo slot, uint64 word)
{
	settle_wanted = true;
	if (nsuspects < kMaxSuspects)
		suspects[nsuspects++] = {slot, word};
}

/* While the word is there, kSlotAllDdl objects.  Adding it again does nothing. */
void
AddUnsent(uint64 word)
{
	uint32 n;
	bool known = false;

	SpinLockAcquire(&shared->unsent_lock);
	n = pg_atomic_read_u32(&shared->nunsent);
	for (uint32 i = 0; i < n; i++)
		known = known || (shared->unsent[i] & ~kPrepared) == word;
	if (!known && n < shared->unsent_size)
	{
		shared->unsent[n] = word;
		pg_atomic_write_u32(&shared->nunsent, n + 1);
	}
	SpinLockRelease(&shared->unsent_lock);
	if (!known && n >= shared->unsent_size && pg_atomic_exchange_u32(&shared->unsent_lost, 1) == 0)
		ereport(LOG,
				(errmsg("cached_query lost track of a definition that is being changed"),
				 errdetail("No answer is given from the cache until the server is restarted.")));
}

/* The generation moves first, as in MarkSent(); every answer depends on kSlotAllDdl. */
void
RemoveUnsent(uint64 word)
{
	uint32 n;

	if (pg_atomic_read_u32(&shared->nunsent) == 0)
		return;
	SpinLockAcquire(&shared->unsent_lock);
	n = pg_atomic_read_u32(&shared->nunsent);
	for (uint32 i = 0; i < n; i++)
	{
		if ((shared->unsent[i] & ~kPrepared) == word)
		{
			shared->unsent[i] = shared->unsent[n - 1];
			pg_atomic_fetch_add_u32(&shared->ddl_gen[kSlotAllDdl], 1);
			pg_atomic_write_u32(&shared->nunsent, n - 1);
			break;
		}
	}
	SpinLockRelease(&shared->unsent_lock);
}

void
MarkUnsentPrepared(uint64 xid)
{
	uint32 n;

	if (pg_atomic_read_u32(&shared->nunsent) == 0)
		return;
	SpinLockAcquire(&shared->unsent_lock);
	n = pg_atomic_read_u32(&shared->nunsent);
	for (uint32 i = 0; i < n; i++)
	{
		if (shared->unsent[i] == xid)
			shared->unsent[i] |= kPrepared;
	}
	SpinLockRelease(&shared->unsent_lock);
}

/* Is kSlotAllDdl to object? */
bool
AnyUnsent()
{
	if (likely(pg_atomic_read_u32(&shared->nunsent) == 0))
		return pg_atomic_read_u32(&shared->unsent_lost) != 0;
	settle_wanted = true;
	return true;
}

/*
 * COMMIT PREPARED runs no transaction callback, and a logical replication worker doesn't even pass
 * ProcessUtility.  But FinishPreparedTransaction() sends the messages before it releases the
 * transaction's lock on its own id: when that is free they are out.  Takes lock manager locks, so
 * it runs from Look() and before commit, not from Check().
 */
void
SettlePrepared()
{
	uint64 prepared[kMaxSuspects];
	int nprepared = 0;

	settle_wanted = false;
	while (nsuspects > 0)
	{
		const Suspect suspect = suspects[--nsuspects];

		if (LockIsFree(static_cast<TransactionId>(suspect.word)))
			MarkSent(suspect.slot, suspect.word);
	}

	SpinLockAcquire(&shared->unsent_lock);
	for (uint32 i = 0; i < pg_atomic_read_u32(&shared->nunsent); i++)
	{
		if ((shared->unsent[i] & kPrepared) != 0 && nprepared < kMaxSuspects)
			prepared[nprepared++] = shared->unsent[i] & kXidMask;
	}
	SpinLockRelease(&shared->unsent_lock);
	for (int i = 0; i < nprepared; i++)
	{
		if (LockIsFree(static_cast<TransactionId>(prepared[i])))
			RemoveUnsent(prepared[i]);
	}
}

} // namespace cq::exact
