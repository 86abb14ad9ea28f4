/*
 * elsewhere.cpp
 *		Results from elsewhere: of another server, or from before a restart of this one.
 *
 * A position has a meaning only while the same shared memory exists.  A result from elsewhere has no
 * position that could be compared, so only its time is left.  Each slot stores when its last change was
 * over: for a definition, when its messages had been sent; for other changes, when a snapshot first saw
 * them complete.  Both are never before the change.  A result whose snapshot is younger than that shows the
 * change.  A result that is older, or too close to tell, is refused.  That is enough for definitions and
 * explicit invalidations within a ttl.  Exact results never come from elsewhere.
 *
 * A file keeps the age of each slot's last change over a restart.  The postmaster writes it when all other
 * processes have ended, and reads and removes it at the next start.  It is used only if pg_control is as it
 * was then: the cluster was shut down cleanly and not changed since.  Without the file, all results from
 * before the start are refused.  Ages do not grow while the server is down: changes then seem younger than
 * they are, which only costs misses.  A result whose time comes from this server's own clock is compared
 * with changes by that clock, which went on.
 *
 * Explicit invalidations by another server have no position either.  `voided_at` has their times, which
 * entries of this server are compared with, too.
 *
 * Locking: `changed_at`, `unsettled` and `voided_at` are atomic.  The file is the postmaster's alone.
 *
 * Part of exact.h.
 */
#include "pg.h"
#include "exact/slots.h"
#include "base/process.h"

extern "C" {
#include "catalog/pg_control.h"
#include "common/controldata_utils.h"
#include "portability/instr_time.h"
#include "storage/fd.h"
}

#include <cerrno>
#include <unistd.h>

namespace cq::exact
{
namespace
{

const char *const saved_changes = "cached_query.changes"; /* in the data directory */
constexpr uint32 kSavedMagic = 0x43514334;                /* "CQC4" */

/* Ages are rounded to milliseconds several times, and clocks run unevenly. */
constexpr int64 kMarginMs = 100;

struct Saved
{
	uint32 magic;
	uint32 slots;
	XLogRecPtr checkpoint; /* the checksum of pg_control when the file was written */
	XLogRecPtr min_recovery_point;
	TimestampTz saved_at;
	int64 ages_ms[kSlots];
	pg_crc32c crc; /* of what is before */
};

/* pg_control if the cluster was shut down cleanly. */
bool
ReadShutdown(XLogRecPtr *checkpoint, XLogRecPtr *min_recovery_point)
{
	bool crc_ok;
	ControlFileData *control = get_controlfile(DataDir, &crc_ok);
	bool clean =
		crc_ok && (control->state == DB_SHUTDOWNED || control->state == DB_SHUTDOWNED_IN_RECOVERY);

	*checkpoint = control->checkPoint;
	*min_recovery_point = control->minRecoveryPoint;
	pfree(control);
	return clean;
}

pg_crc32c
ChecksumOf(const Saved *saved)
{
	pg_crc32c crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, saved, offsetof(Saved, crc));
	FIN_CRC32C(crc);
	return crc;
}

/* False: there is no file that can be used. */
bool
ReadSaved(Saved *saved)
{
	XLogRecPtr checkpoint;
	XLogRecPtr min_recovery_point;
	FILE *file = AllocateFile(saved_changes, PG_BINARY_R);
	bool whole;

	if (file == nullptr)
		return false;
	whole = fread(saved, sizeof(*saved), 1, file) == 1;
	FreeFile(file);
	return whole && saved->magic == kSavedMagic && saved->slots == kSlots &&
		   saved->crc == ChecksumOf(saved) && ReadShutdown(&checkpoint, &min_recovery_point) &&
		   saved->checkpoint == checkpoint && saved->min_recovery_point == min_recovery_point;
}

void
ForgetSavedChanges()
{
	if (unlink(saved_changes) < 0 && errno != ENOENT)
		ereport(LOG, (errcode_for_file_access(),
					  errmsg("could not remove file \"%s\": %m", saved_changes)));
}

void
RaiseTo(pg_atomic_uint64 *value, int64 to)
{
	uint64 before = pg_atomic_read_u64(value);

	while (static_cast<int64>(before) < to &&
		   !pg_atomic_compare_exchange_u64(value, &before, static_cast<uint64>(to)))
		;
}

/* The time of the last change; of one before the start by the wall clock, or as if the downtime had been none. */
int64
ChangedAt(SlotNo slot, bool own_clock)
{
	const int64 at = static_cast<int64>(pg_atomic_read_u64(&shared->slots[slot].changed_at));

	return own_clock && at < shared->started_ms ? at - shared->downtime_ms : at;
}

} // namespace

int64
MonotonicMs()
{
	instr_time now;

	INSTR_TIME_SET_CURRENT(now);
	return static_cast<int64>(INSTR_TIME_GET_MILLISEC(now));
}

uint64
Incarnation()
{
	return shared->incarnation;
}

/*
 * The slots are checked as for a result that was computed under our own snapshot.  That retires what we see
 * complete, and objects to definitions that are being changed.  Then the times tell whether the result is
 * younger than the last change.
 */
SlotCheck
CheckElsewhere(const SlotNo *slots, uint32 count, const View &view, int64 then_ms, bool own_clock)
{
	const int64 since = then_ms - kMarginMs;

	if (UnseenBooters(view) > 0)
	{
		/* such transactions may change definitions without being listed, and there is no nboot to compare */
		pg_atomic_write_u64(&shared->unsettled, static_cast<uint64>(MonotonicMs()));
		return SlotCheck::in_ddl;
	}
	if (static_cast<int64>(pg_atomic_read_u64(&shared->unsettled)) >= since)
		return SlotCheck::changed;
	for (uint32 i = 0; i < count; i++)
	{
		const SlotCheck verdict = Check(slots[i], view, view.pos);

		if (verdict != SlotCheck::valid)
			return verdict;
		pg_read_barrier();
		if (ChangedAt(slots[i], own_clock) >= since)
			return SlotCheck::changed;
	}
	return SlotCheck::valid;
}

/* The time is stored last: a session that sees it also sees that results of running queries are not kept. */
void
InvalidatedElsewhere(SlotNo slot, int64 when_ms)
{
	NoteChange(slot, when_ms);
	RaiseTo(&shared->voided_at[slot], when_ms);
	RaiseTo(&shared->last_voided, when_ms);
}

int64
LastVoided()
{
	return static_cast<int64>(pg_atomic_read_u64(&shared->last_voided));
}

bool
VoidedSince(const SlotNo *slots, uint32 count, int64 then_ms)
{
	if (LastVoided() == 0 || LastVoided() < then_ms - kMarginMs)
		return false;
	pg_read_barrier();
	for (uint32 i = 0; i < count; i++)
	{
		const int64 when = static_cast<int64>(pg_atomic_read_u64(&shared->voided_at[slots[i]]));

		if (when != 0 && when >= then_ms - kMarginMs)
			return true;
	}
	return false;
}

/* By the postmaster, when shared memory is new: reads the file. */
void
InitChanges()
{
	const int64 now = MonotonicMs();
	const bool alone = workers::ServesNobody();
	Saved *saved = New<Saved>();
	const bool believed = !alone && ReadSaved(saved);

	shared->started_ms = now;
	shared->downtime_ms =
		believed ? Max((GetCurrentTimestamp() - saved->saved_at) / 1000, INT64CONST(0)) : 0;
	for (uint32 i = 0; i < kSlots; i++)
		pg_atomic_write_u64(&shared->slots[i].changed_at,
							static_cast<uint64>(believed ? now - saved->ages_ms[i] : now));
	pfree(saved);
	/* such a server moves the checkpoint, so the file could not be used afterwards anyway */
	if (!alone)
		ForgetSavedChanges();
	if (!pg_strong_random(&shared->incarnation, sizeof(shared->incarnation)))
		ereport(FATAL, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not get random bytes")));
}

/* All others have ended, so what is still listed is complete, though no snapshot has seen it. */
void
SaveChanges()
{
	const int64 now = MonotonicMs();
	Saved *saved = NewZeroed<Saved>();
	FILE *file;
	bool written;

	if (!ReadShutdown(&saved->checkpoint, &saved->min_recovery_point))
		return;
	saved->magic = kSavedMagic;
	saved->slots = kSlots;
	saved->saved_at = GetCurrentTimestamp();
	for (uint32 i = 0; i < kSlots; i++)
	{
		Slot &slot = shared->slots[i];
		const bool listed = pg_atomic_read_u32(&slot.state) != 0;

		saved->ages_ms[i] =
			listed ? 0 : now - static_cast<int64>(pg_atomic_read_u64(&slot.changed_at));
	}
	saved->crc = ChecksumOf(saved);

	file = AllocateFile(saved_changes, PG_BINARY_W);
	written = file != nullptr && fwrite(saved, sizeof(*saved), 1, file) == 1;
	if (file != nullptr && FreeFile(file) != 0)
		written = false;
	if (!written)
	{
		ereport(LOG, (errcode_for_file_access(),
					  errmsg("could not write file \"%s\": %m", saved_changes)));
		ForgetSavedChanges();
	}
}

} // namespace cq::exact
