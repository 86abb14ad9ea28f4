/*
 * replay.cpp
 *		What changes on a standby: the process that replays announces it for the primary.
 *
 * A commit that is replayed carries the invalidation messages of its transaction.  Before it
 * becomes visible the transaction is listed in the slots of what they name, and after they were
 * sent the words are marked: the protocol that its own backend followed on the primary
 * (announce.cpp).  No backend could do that here: messages reach those that are connected, and a
 * result may be hit by one that connects later.
 *
 * Rows are found in the records of heapam: which transaction has changed rows in which file is kept until it ends
 * (replayed.cpp).  Before its commit becomes visible it is listed in the slots of these files.  Readers list the file of
 * each relation that they read.  A relation gets another file only by a change of its definition.
 *
 * Which keys a transaction has changed is told by the primary, if at all (tell_standbys.cpp).  Then it is listed in the
 * slots of these keys in place of the file's.
 *
 * RmgrTable is writable since 15, for modules with resource managers of their own; five redo functions are wrapped.
 *
 * Before there can be readers nothing is listed.  What changed then is noted with its time, for results of
 * other servers (elsewhere.cpp).  A server that recovers from a crash has readers only when all is done.
 *
 * Runs in the startup process: takes a slot's spinlock and nothing else, has no snapshot and
 * needs none, since replay is serial: whatever else is listed is complete.  Nothing here raises or allocates: an
 * error would end the server.  The full id of a transaction
 * is told by the next id, which the server raises before it calls us; latestCompletedXid is not set
 * before the first readers.
 *
 * Part of exact.h.
 */
#include "pg.h"
#include "exact/definitions.h"
#include "exact/replayed.h"
#include "exact/tracking.h"

extern "C" {
#include "access/heapam_xlog.h"
#include "access/rmgr.h"
#include "access/xlog_internal.h"
#include "access/xlogutils.h"
#include "storage/standbydefs.h"
}

namespace cq::exact
{

int debug_replay_ignores = 0;

namespace
{

using Redo = void (*)(XLogReaderState *record);

struct
{
	Redo transaction;
	Redo heap;
	Redo heap2;
	Redo standby;
	Redo message;
} original = {};

/* For debug_replay_ignores. */
enum Ignored
{
	kInserts = 1,
	kDeletes = 2,
	kUpdates = 4,
	kCopies = 8,
	kSubtransactions = 16
};

bool
Ignores(int kind)
{
#ifdef CQ_DEBUG
	return (debug_replay_ignores & kind) != 0;
#else
	(void) kind;
	return false;
#endif
}

bool
Readers()
{
	return shared != nullptr && standbyState == STANDBY_SNAPSHOT_READY;
}

/* Is anybody interested in rows?  See StartWriters(). */
bool
RowsListed()
{
	return Readers() && pg_atomic_read_u32(&shared->writers) != 0;
}

/* --- rows ------------------------------------------------------------------------------------ */

/* The record changes rows in the file of its first block, which is also that of the others. */
void
NoteRows(XLogReaderState *record)
{
	const TransactionId xid = XLogRecGetXid(record);
	const uint64 next = compat::NextXid();
	compat::File file;

	/* Not of a user's table: catalogs, whose contents are in no exact result. */
	if (!compat::ChangedFile(record, &file) || !OidIsValid(file.database) ||
		file.number < FirstNormalObjectId)
		return;
	if (likely(TransactionIdIsNormal(xid)))
		NoteWritten(Widen(xid, next), file.database, {file.tablespace, file.number});
	else /* heapam writes none: visible at once, so larger than any position that there is */
		Raise(FileSlot(file.database, file.number),
			  LargestPosition(compat::LatestCompletedXid()) + 1);
}

int
KindOf(uint8 op)
{
	switch (op)
	{
	case XLOG_HEAP_INSERT:
		return kInserts;
	case XLOG_HEAP_DELETE:
		return kDeletes;
	default:
		return kUpdates;
	}
}

void
RedoHeap(XLogReaderState *record)
{
	const uint8 op = XLogRecGetInfo(record) & XLOG_HEAP_OPMASK;

	switch (op)
	{
	case XLOG_HEAP_LOCK:     /* of rows */
	case XLOG_HEAP_CONFIRM:  /* of a speculative insertion, which was noted */
	case XLOG_HEAP_INPLACE:  /* in catalogs */
	case XLOG_HEAP_TRUNCATE: /* for logical decoding: the table has a new file */
		break;
	default:
		if (RowsListed() && !Ignores(KindOf(op)))
			NoteRows(record);
	}
	original.heap(record);
}

/* The others of this manager change no row that a snapshot sees: pruning, freezing, visibility, locks. */
void
RedoHeap2(XLogReaderState *record)
{
	if ((XLogRecGetInfo(record) & XLOG_HEAP_OPMASK) == XLOG_HEAP2_MULTI_INSERT && RowsListed() &&
		!Ignores(kCopies))
		NoteRows(record);
	original.heap2(record);
}

void
RedoStandby(XLogReaderState *record)
{
	if ((XLogRecGetInfo(record) & ~XLR_INFO_MASK) == XLOG_RUNNING_XACTS && RowsListed())
	{
		const xl_running_xacts *running =
			reinterpret_cast<xl_running_xacts *>(XLogRecGetData(record));
		const uint64 next = compat::NextXid();

		ForgetEnded({running->xids, running->xcnt + running->subxcnt, running->subxid_overflow,
					 Widen(running->oldestRunningXid, next), Widen(running->nextXid, next)});
	}
	original.standby(record);
}

/* The primary has told what the transaction changed. */
void
RedoMessage(XLogReaderState *record)
{
	const TransactionId xid = XLogRecGetXid(record);
	const char *message;
	Size size;

	if (RowsListed() && TransactionIdIsNormal(xid) && IsOurMessage(record, &message, &size))
		HearMessage(Widen(xid, compat::NextXid()), message, size, KindOfMessages());
	original.message(record);
}

/* Its rows in a file: by key, where all keys were told. */
void
ListFile(const Written &written, const Message *message, const File &file, uint64 word)
{
	ToldFile told;

	if (message == nullptr || !FindTold(*message, file, &told))
	{
		ListReplayed(FileSlot(written.database, file.number), word);
		return;
	}
	for (uint32 i = 0; i < told.n; i++)
		ListReplayed(kSlots + told.slots[i], word);
}

/* List a transaction where its rows are looked for. */
void
ListRows(const Written &written, uint64 word)
{
	const Message *message = HeardOf(written);

	if (written.several)
		ListReplayed(kSlotAllDdl, word);
	else if (written.everything)
		ListReplayed(AllRowsSlot(written.database), word);
	else
	{
		for (int i = 0; i < written.nfiles; i++)
			ListFile(written, message, written.files[i], word);
	}
}

/* --- the end of a transaction ---------------------------------------------------------------- */

struct Commit
{
	uint64 xid;
	uint64 next;
	xl_xact_parsed_commit parsed;
};

/* False: it has no id, and changed nothing. */
bool
Parse(XLogReaderState *record, Commit *commit)
{
	const uint8 info = XLogRecGetInfo(record);
	TransactionId xid = XLogRecGetXid(record);

	/* most have the time and nothing else */
	commit->parsed.nmsgs = commit->parsed.nsubxacts = 0;
	if ((info & XLOG_XACT_HAS_INFO) != 0)
		ParseCommitRecord(info, reinterpret_cast<xl_xact_commit *>(XLogRecGetData(record)),
						  &commit->parsed);
	if ((info & XLOG_XACT_OPMASK) == XLOG_XACT_COMMIT_PREPARED)
		xid = commit->parsed.twophase_xid;
	commit->next = compat::NextXid();
	commit->xid = Widen(xid, commit->next);
	return TransactionIdIsNormal(xid);
}

/* The slots that the record's messages name. */
void
CollectDefinitions(const Commit &commit, Changed *changed)
{
	if (commit.parsed.nmsgs == 0)
		return;

	Definitions definitions = {};

	changed->database = commit.parsed.dbId;
	definitions.add = AddChanged;
	definitions.arg = changed;
	for (int i = 0; i < commit.parsed.nmsgs; i++)
		AddReplayed(&definitions, commit.parsed.msgs[i]);
}

/* What its subtransactions wrote is its own now; those that aborted are not among them. */
void
AnnounceRows(const Commit &commit)
{
	Written written;

	Clear(&written);
	TakeWritten(commit.xid, &written);
	for (int i = 0; i < commit.parsed.nsubxacts && !Ignores(kSubtransactions); i++)
		TakeWritten(Widen(commit.parsed.subxacts[i], commit.next), &written);
	ListRows(written, commit.xid);
}

void
RedoCommit(XLogReaderState *record)
{
	const bool readers = Readers();
	Commit commit;
	Changed changed;

	changed.count = 0;
	if (Parse(record, &commit))
	{
		CollectDefinitions(commit, &changed);
		if (RowsListed())
			AnnounceRows(commit);
	}
	for (int i = 0; readers && i < changed.count; i++)
		ListReplayed(changed.slots[i], commit.xid | kDdl);
	if (readers)
		DebugSleep(debug_sleep_pre_commit_us);
	original.transaction(record);
	if (readers)
		DebugSleep(debug_sleep_commit_us);
	for (int i = 0; i < changed.count; i++)
	{
		const SlotNo slot = changed.slots[i];

		if (readers)
			MarkSent(slot, commit.xid | kDdl);
		else
			NoteChange(slot, MonotonicMs());
	}
}

/* Of a transaction, or of a subtransaction alone. */
void
ForgetAborted(XLogReaderState *record)
{
	const uint8 info = XLogRecGetInfo(record);
	const uint64 next = compat::NextXid();
	TransactionId xid = XLogRecGetXid(record);
	xl_xact_parsed_abort abort;

	ParseAbortRecord(info, reinterpret_cast<xl_xact_abort *>(XLogRecGetData(record)), &abort);
	if ((info & XLOG_XACT_OPMASK) == XLOG_XACT_ABORT_PREPARED)
		xid = abort.twophase_xid;
	ForgetWritten(Widen(xid, next));
	for (int i = 0; i < abort.nsubxacts; i++)
		ForgetWritten(Widen(abort.subxacts[i], next));
}

/* Of each 64 subtransactions with an id. */
void
FoldAssigned(XLogReaderState *record)
{
	const xl_xact_assignment *assigned =
		reinterpret_cast<xl_xact_assignment *>(XLogRecGetData(record));
	const uint64 next = compat::NextXid();

	for (int i = 0; i < assigned->nsubxacts; i++)
		FoldWritten(Widen(assigned->xsub[i], next), Widen(assigned->xtop, next));
}

void
RedoTransaction(XLogReaderState *record)
{
	const uint8 op = XLogRecGetInfo(record) & XLOG_XACT_OPMASK;

	if (shared != nullptr && standbyState != STANDBY_DISABLED &&
		(op == XLOG_XACT_COMMIT || op == XLOG_XACT_COMMIT_PREPARED))
	{
		RedoCommit(record);
		return;
	}
	if (RowsListed() && (op == XLOG_XACT_ABORT || op == XLOG_XACT_ABORT_PREPARED))
		ForgetAborted(record);
	else if (RowsListed() && op == XLOG_XACT_ASSIGNMENT && !Ignores(kSubtransactions))
		FoldAssigned(record);
	original.transaction(record);
}

Redo
Wrap(RmgrId manager, Redo by)
{
	const Redo before = RmgrTable[manager].rm_redo;

	RmgrTable[manager].rm_redo = by;
	return before;
}

} // namespace

void
InitReplay()
{
	original.transaction = Wrap(RM_XACT_ID, RedoTransaction);
	original.heap = Wrap(RM_HEAP_ID, RedoHeap);
	original.heap2 = Wrap(RM_HEAP2_ID, RedoHeap2);
	original.standby = Wrap(RM_STANDBY_ID, RedoStandby);
	original.message = Wrap(RM_LOGICALMSG_ID, RedoMessage);
}

} // namespace cq::exact
