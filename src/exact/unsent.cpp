/*
 * unsent.cpp
 *		DDL whose invalidation messages may not have been sent, where its slot cannot tell.
 *
 * There are three cases.  An overflowed DDL has no word in a slot that could carry kSent: it is in a list,
 * and the slots that it found full object as long as it is there.  A backend that refuses all look-ups for
 * a moment (hooks.cpp) is in the list, too, and then kSlotAllDdl objects.  A prepared DDL is listed in its
 * slot, but no callback of ours runs when it commits, so readers find out whether its messages were sent.
 *
 * Locking: the list is under unsent_lock, a few instructions; its length is read without.
 *
 * Part of exact.h.
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
constexpr int kMaxSuspects = kRoom; // those of a full slot
Suspect suspects[kMaxSuspects];
int nsuspects = 0;

/* Is the lock on the transaction's own id free?  It is released after the invalidation messages were sent. */
bool
LockIsFree(TransactionId xid)
{
	LOCKTAG tag;
	int n;

	SET_LOCKTAG_TRANSACTION(tag, xid);
	pfree(GetLockConflicts(&tag, ShareLock, &n));
	return n == 0;
}

/* Running queries may have used an old definition, and it is not known whose: none of their results are kept. */
void
RaiseAllGenerations()
{
	for (pg_atomic_uint32 &gen : shared->ddl_gen)
		pg_atomic_fetch_add_u32(&gen, 1);
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

/* Adding it again does nothing. */
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
		if ((word & kHold) != 0)
			pg_atomic_fetch_add_u32(&shared->nholds, 1);
	}
	SpinLockRelease(&shared->unsent_lock);
	if (!known && n >= shared->unsent_size && pg_atomic_exchange_u32(&shared->unsent_lost, 1) == 0)
		ereport(LOG,
				(errmsg("cached_query lost track of a definition that is being changed"),
				 errdetail("No result is given from the cache until the server is restarted.")));
}

/*
 * The generations move first.  Those of a DDL's slots were raised by MarkSent(), or by SettlePrepared();
 * while a backend holds everybody kSlotAllDdl objects.
 */
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
			if ((word & kHold) != 0)
			{
				pg_atomic_fetch_add_u32(&shared->ddl_gen[kSlotAllDdl], 1);
				pg_atomic_fetch_sub_u32(&shared->nholds, 1);
			}
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

/* Must kSlotAllDdl object? */
bool
AnyHold()
{
	return unlikely(pg_atomic_read_u32(&shared->nholds) != 0) ||
		   unlikely(pg_atomic_read_u32(&shared->unsent_lost) != 0);
}

/*
 * Must a slot object whose last overflowed DDL was `xid`?  The list does not tell which slots a transaction
 * overflowed, so an older transaction that overflowed another slot counts as well.
 */
bool
UnsentUpTo(uint64 xid)
{
	bool found = false;

	if (pg_atomic_read_u32(&shared->nunsent) == 0)
		return false;
	SpinLockAcquire(&shared->unsent_lock);
	for (uint32 i = 0; i < pg_atomic_read_u32(&shared->nunsent) && !found; i++)
		found = (shared->unsent[i] & kHold) == 0 && (shared->unsent[i] & kXidMask) <= xid;
	SpinLockRelease(&shared->unsent_lock);
	settle_wanted = settle_wanted || found;
	return found;
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
	const uint32 most = pg_atomic_read_u32(
		&shared->nunsent); /* those that are suspected later are looked at the next time */
	uint64 *prepared = NewArray<uint64>(most + 1);
	uint32 nprepared = 0;

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
		if ((shared->unsent[i] & kPrepared) != 0 && nprepared < most)
			prepared[nprepared++] = shared->unsent[i] & kXidMask;
	}
	SpinLockRelease(&shared->unsent_lock);
	for (uint32 i = 0; i < nprepared; i++)
	{
		if (!LockIsFree(static_cast<TransactionId>(prepared[i])))
			continue;
		RaiseAllGenerations();
		RemoveUnsent(prepared[i]);
	}
	pfree(prepared);
}

} // namespace cq::exact
