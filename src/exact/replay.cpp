/*
 * replay.cpp
 *		Definitions that change on a standby: the process that replays publishes for the primary.
 *
 * A commit that is replayed carries the invalidation messages of its transaction.  Before it
 * becomes visible the transaction is listed in the slots of what they name, and after they were
 * sent the words are marked: the protocol that its own backend followed on the primary
 * (announce.cpp).  No backend could do that here: messages reach those that are connected, and a
 * result may be hit by one that connects later.
 *
 * RmgrTable is writable since 15, for modules with resource managers of their own; the redo
 * function of transactions is wrapped.  Rows are not published: there results are bounded by
 * their age.
 *
 * Before there can be readers nothing is listed.  What changed then is noted with its time, for results of
 * other servers (elsewhere.cpp).  A server that recovers from a crash has readers only when all is done.
 *
 * Runs in the startup process: takes a slot's spinlock and nothing else, has no snapshot and
 * needs none, since replay is serial: whatever else is listed is complete.  The full id of a transaction
 * is told by the next id, which the server raises before it calls us; latestCompletedXid is not set
 * before the first readers.
 *
 * Part of exact.h.
 */
#include "pg.h"
#include "exact/definitions.h"

extern "C" {
#include "access/rmgr.h"
#include "access/xlog_internal.h"
#include "access/xlogreader.h"
#include "access/xlogutils.h"
}

namespace cq::exact
{
namespace
{

void (*original_redo)(XLogReaderState *record) = nullptr;

struct Replayed
{
	uint64 word;
	Changed changed;
};

/* The slots that the record's messages name, and the transaction's word. */
void
Collect(XLogReaderState *record, Replayed *replayed)
{
	const uint8 info = XLogRecGetInfo(record);
	xl_xact_parsed_commit commit;
	TransactionId xid = XLogRecGetXid(record);
	Definitions definitions = {};

	replayed->changed.count = 0;
	if ((info & XLOG_XACT_OPMASK) != XLOG_XACT_COMMIT &&
		(info & XLOG_XACT_OPMASK) != XLOG_XACT_COMMIT_PREPARED)
		return;
	ParseCommitRecord(info, reinterpret_cast<xl_xact_commit *>(XLogRecGetData(record)), &commit);
	if ((info & XLOG_XACT_OPMASK) == XLOG_XACT_COMMIT_PREPARED)
		xid = commit.twophase_xid;
	if (!TransactionIdIsNormal(xid))
		return;
	replayed->word = Widen(xid, compat::NextXid()) | kDdl;
	replayed->changed.database = commit.dbId;
	definitions.add = AddChanged;
	definitions.arg = &replayed->changed;
	for (int i = 0; i < commit.nmsgs; i++)
		AddReplayed(&definitions, commit.msgs[i]);
}

void
RedoTransaction(XLogReaderState *record)
{
	const bool readers = standbyState == STANDBY_SNAPSHOT_READY;
	Replayed replayed;

	replayed.changed.count = 0;
	if (shared != nullptr && standbyState != STANDBY_DISABLED)
		Collect(record, &replayed);
	for (int i = 0; readers && i < replayed.changed.count; i++)
		ListReplayed(replayed.changed.slots[i], replayed.word);
	original_redo(record);
	for (int i = 0; i < replayed.changed.count; i++)
	{
		const SlotNo slot = replayed.changed.slots[i];

		if (readers)
			MarkSent(slot, replayed.word);
		else
			NoteChange(slot, MonotonicMs());
	}
}

} // namespace

void
InitReplay()
{
	original_redo = RmgrTable[RM_XACT_ID].rm_redo;
	RmgrTable[RM_XACT_ID].rm_redo = RedoTransaction;
}

} // namespace cq::exact
