/*
 * view.cpp
 *		The reader's side: where a snapshot stands, and what a fill must remember.
 *
 * Eras.  Publishing covers the transactions that end on this server as a primary with this shared
 * memory.  Others may still end: prepared ones from before a restart, those of the recovery that a
 * promotion ended, and for rows those that had passed PRE_COMMIT before StartWriters().  All have
 * ids below a "boot" id, and a snapshot's View says how many of those it doesn't see; results of
 * another number are not comparable.  View::nboot:
 *
 *	 31 30 29          16 15                   0
 *	+-----+--------------+----------------------+
 *	| era | definitions  | rows + 1, 0: not yet |
 *	+-----+--------------+----------------------+
 *
 * Locking: all of it atomic; `boot` has its era in the two upper bits, so it changes in one piece.
 *
 * Part of exact.h.
 */
#include "pg.h"
#include "exact/slots.h"

namespace cq::exact
{
namespace
{

constexpr int kEraShift = 62;
constexpr uint64 kEraRecovery = UINT64CONST(1) << kEraShift;
constexpr uint64 kEraPrimary = UINT64CONST(2) << kEraShift;
constexpr uint64 kEraMask = UINT64CONST(3) << kEraShift;

constexpr int kDefinitionsShift = 16;
constexpr uint64 kMaxDefinitions = (1 << 14) - 1;
constexpr uint64 kMaxRows = (1 << 16) - 1;

uint64
NextXid()
{
	return U64FromFullTransactionId(ReadNextFullTransactionId());
}

/*
 * The boot id of this era, taken now if nobody has.  Eras only go from recovery to primary: 0 when
 * the snapshot is from an era that is over.
 */
uint64
BootOf(uint64 era)
{
	uint64 boot = pg_atomic_read_u64(&shared->boot);

	while (unlikely((boot & kEraMask) < era))
	{
		/*
		 * Any id from the time since the era began will do: all transactions that begin after that
		 * publish.
		 */
		const bool promoted = boot != 0;

		if (pg_atomic_compare_exchange_u64(&shared->boot, &boot, era | NextXid()))
		{
			if (promoted)
				pg_atomic_fetch_add_u64(&shared->generation, 1);
			boot = pg_atomic_read_u64(&shared->boot);
		}
	}
	return (boot & kEraMask) == era ? boot : 0;
}

/* How many transactions that no slot tells about the snapshot doesn't see; false: too many. */
bool
CountBooters(const Moment &m, uint64 boot, uint32 *nboot)
{
	uint64 rows_boot = pg_atomic_read_u64(&shared->boot_writes);
	uint64 definitions = UnseenBefore(m, boot & ~kEraMask);
	uint64 rows = 0;

	if (rows_boot != 0)
	{
		/* Started in recovery: a primary publishes rows from its first transaction on. */
		if ((rows_boot & kEraMask) < (boot & kEraMask))
			rows_boot = boot;
		rows = UnseenBefore(m, rows_boot & ~kEraMask) + 1;
	}
	if (definitions > kMaxDefinitions || rows > kMaxRows)
		return false;
	*nboot =
		static_cast<uint32>((boot >> kEraShift) << 30 | definitions << kDefinitionsShift | rows);
	return true;
}

} // namespace

/* The snapshot in plain numbers. */
Moment
MomentOf(Snapshot snapshot)
{
	const bool recovery = snapshot->takenDuringRecovery;

	/* In recovery all ids are in subxip, subtransactions' too (GetSnapshotData). */
	return {compat::LatestCompletedXid(),
			snapshot->xmin,
			snapshot->xmax,
			recovery ? snapshot->subxip : snapshot->xip,
			recovery ? static_cast<uint32>(snapshot->subxcnt) : snapshot->xcnt,
			GetTopTransactionIdIfAny(),
			!recovery && max_prepared_xacts > 0};
}

/* The view of a snapshot that was taken here; false when too much is in progress to count. */
bool
Describe(Snapshot snapshot, View *view)
{
	const Moment m = MomentOf(snapshot);
	const uint64 boot = BootOf(snapshot->takenDuringRecovery ? kEraRecovery : kEraPrimary);

	view->snapshot = snapshot;
	return boot != 0 && CountBooters(m, boot, &view->nboot) && PositionOf(m, &view->pos);
}

/* How many of those that may change definitions without telling are still in progress. */
uint32
UnseenBooters(const View &view)
{
	return view.nboot >> kDefinitionsShift & kMaxDefinitions;
}

bool
SameBoot(const View &view, uint32 nboot, bool exact)
{
	return exact ? view.nboot == nboot
				 : view.nboot >> kDefinitionsShift == nboot >> kDefinitionsShift;
}

bool
InRecovery(const View &view)
{
	return view.nboot >> 30 == kEraRecovery >> kEraShift;
}

bool
BootDone()
{
	return shared == nullptr || (pg_atomic_read_u64(&shared->boot) & kEraMask) == kEraPrimary;
}

/*
 * The earlier the boot id is taken, the fewer ordinary transactions are below it: at best there are
 * only prepared ones.
 */
void
EnsureBoot()
{
	BootOf(RecoveryInProgress() ? kEraRecovery : kEraPrimary);
}

/*
 * What may the active snapshot be used for?  The view is also set for `serializable`: a result may
 * be stored then.
 */
Standing
Look(View *view)
{
	Snapshot snapshot;

	if (unlikely(settle_wanted))
		SettlePrepared();
	if (!ActiveSnapshotSet() || !IsTransactionState())
		return Standing::no_snapshot;
	if (IsParallelWorker())
		return Standing::parallel_worker;
	if (HistoricSnapshotActive() || am_walsender || Imported())
		return Standing::foreign;
	snapshot = GetActiveSnapshot();
	if (snapshot->snapshot_type != SNAPSHOT_MVCC)
		return Standing::no_snapshot;
	if (Published())
		return Standing::committing;

	/* A snapshot of the recovery that is over is not on the primary's order of eras. */
	if (snapshot->takenDuringRecovery && BootDone())
		return Standing::foreign;
	if (!Describe(snapshot, view))
		return Standing::crowded;
	return IsolationIsSerializable() ? Standing::serializable : Standing::ok;
}

/*
 * A snapshot of our own, for looking only: nothing is read with it, so it is neither registered nor
 * active.  GetSnapshotData() has the effects that each catalog snapshot has
 * (GetNonHistoricCatalogSnapshot() calls it in the same way, at any time, in any isolation level):
 *	 - MyProc->xmin and TransactionXmin are set only if unset.  Then no snapshot is held, and the
 *	   next one to be released (SnapshotResetXmin) or the end of the transaction clears them.  While
 *	   set they can only hold vacuum back.
 *	 - RecentXmin becomes the new xmin, >= TransactionXmin.  It means "all before is complete",
 *	   which stays true; RecentXmin is not a promise about older snapshots.
 *	 - GlobalVis* bounds only move on, and what our older snapshots need is held by MyProc->xmin.
 */
Snapshot
TakeSnapshot()
{
	static SnapshotData snapshot = {};

	return GetSnapshotData(&snapshot);
}

/* The position of this very moment, 0 when there is none. */
uint64
FreshPosition()
{
	View view;

	return Describe(TakeSnapshot(), &view) ? view.pos : 0;
}

/* Not less than any position of a snapshot taken so far. */
uint64
UpperPosition()
{
	const Snapshot snapshot = TakeSnapshot();
	const Moment m = MomentOf(snapshot);
	uint64 pos;

	return PositionOf(m, &pos) ? pos : Widen(m.xmax, m.latest) << kCountBits | kCountMask;
}

/* --- fills ----------------------------------------------------------------------------------- */

/*
 * Messages of a DDL that was kSent before we copied the generations are taken in below, or were
 * when the query locked its relations; of one that becomes kSent later the generation differs when
 * the result is to be stored; one that isn't yet is listed then and objects.
 */
void
MarkFill(FillMark *mark)
{
	mark->generation = Generation();
	for (uint32 i = 0; i < kDdlGens; i++)
		mark->ddl_gen[i] = pg_atomic_read_u32(&shared->ddl_gen[i]);
	pg_memory_barrier();
	AcceptInvalidationMessages();
}

/* Ask after Check(): who is listed as kSent has moved the generation before. */
bool
Unmoved(const FillMark &mark, SlotNo slot)
{
	pg_read_barrier();
	return pg_atomic_read_u32(&shared->ddl_gen[slot % kDdlGens]) == mark.ddl_gen[slot % kDdlGens];
}

uint64
Generation()
{
	return pg_atomic_read_u64(&shared->generation);
}

/*
 * Flag first, then the boot id.  A writer reads the flag at PRE_COMMIT, after it got its id.  If it
 * read "off" it got the id before we set the flag and then went through XidGenLock here, so its id
 * is below the boot id.
 */
void
StartWriters()
{
	uint64 unset = 0;

	if (likely(pg_atomic_read_u64(&shared->boot_writes) != 0))
		return;
	pg_atomic_write_u32(&shared->writers, 1);
	pg_memory_barrier();
	pg_atomic_compare_exchange_u64(&shared->boot_writes, &unset,
								   (RecoveryInProgress() ? kEraRecovery : kEraPrimary) | NextXid());
}

/*
 * A result of before has another generation.  A fill in flight may get the new one, but its
 * snapshot is older than kSlotClear's `last` then, or shows nothing less than what we saw.
 */
void
InvalidateNow()
{
	Raise(kSlotClear, UpperPosition());
	pg_atomic_fetch_add_u64(&shared->generation, 1);
}

} // namespace cq::exact
