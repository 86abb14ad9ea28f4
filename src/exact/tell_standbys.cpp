/*
 * tell_standbys.cpp
 *		The primary tells its standbys which keys a transaction has changed.
 *
 * Records of heapam say which rows were changed, but not what was in them.  So with cached_query.tell_standbys a
 * transaction writes the slots of its keys into the WAL before it commits, for each tracked table of which all changes were told, by
 * the table's file.  replay.cpp reads it.  A message that is missing, for whatever reason, costs misses on standbys.
 *
 * The record is that of a logical message, which servers without this library replay, too: it does nothing.  Users can write such messages
 * with any prefix and contents, but only with the database that they are connected to.  Ours has none.  So users can't tell standbys
 * anything, and no logical decoding gets to see it.
 *
 * Locking: everything here belongs to the process.
 *
 * Part of exact.h.
 */
#include "pg.h"
#include "exact/slots.h"
#include "exact/tracking.h"

extern "C" {
#include "access/xloginsert.h"
#include "replication/message.h"
}

namespace cq::exact
{

bool tell_standbys = false;

namespace
{

constexpr char kPrefix[] = "cached_query";

Message message;

} // namespace

void
DefineTellSetting()
{
	DefineCustomBoolVariable(
		"cached_query.tell_standbys",
		"Tells hot standbys which keys of tracked tables a transaction has changed.",
		"Exact results on standbys then survive writes of other keys. Each transaction that writes "
		"a "
		"tracked table writes some 100 bytes more to the WAL.",
		&tell_standbys, tell_standbys, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
}

bool
RowsWanted()
{
	if (shared == nullptr)
		return false;
	if (tell_standbys)
		StartWriters();
	return pg_atomic_read_u32(&shared->writers) != 0;
}

/* A table that got another file in this transaction was changed in both: none is told then. */
void
NoteFile(FileTold *told, Relation relation)
{
	const compat::File now = compat::FileOf(relation);
	const File file = {now.tablespace, now.number};

	if (told->file.number == 0)
		told->file = file;
	if (!(told->file == file) || relation->rd_rel->relpersistence != RELPERSISTENCE_PERMANENT)
		told->several = true;
}

void
BeginTelling()
{
	message.nwords = 0;
}

/* What finds no room is not told. */
void
TellOf(Oid relation)
{
	const File file = tell_standbys ? ToldIn(relation) : File{0, 0};
	uint32 numbers[kMostToldSlots];
	const SlotNo *slots;
	int n;

	if (file.number == 0)
		return;
	if (message.nwords == 0)
		BeginMessage(&message, KindOfMessages(), MyDatabaseId);
	n = ToldSlots(relation, &slots);
	for (int i = 0; i < n; i++)
		numbers[i] = slots[i] - kSlots;
	AddTold(&message, {file, static_cast<uint32>(n), numbers});
}

/*
 * The record has the transaction's id, as any.  What was written while it wasn't counted is in no statistics, so
 * nothing is told then.
 */
void
TellStandbys()
{
	xl_logical_message head = {};

	if (!TellsAnything(message) || !XLogStandbyInfoActive() || Uncounted())
		return;
	head.dbId = InvalidOid;
	head.transactional = false;
	head.prefix_size = sizeof(kPrefix);
	head.message_size = message.nwords * sizeof(uint32);
	XLogBeginInsert();
	XLogRegisterData(reinterpret_cast<char *>(&head), SizeOfLogicalMessage);
	XLogRegisterData(const_cast<char *>(kPrefix), sizeof(kPrefix));
	XLogRegisterData(reinterpret_cast<char *>(message.words), message.nwords * sizeof(uint32));
	XLogInsert(RM_LOGICALMSG_ID, XLOG_LOGICAL_MESSAGE);
}

bool
IsOurMessage(XLogReaderState *record, const char **contents, Size *size)
{
	const xl_logical_message *head = reinterpret_cast<xl_logical_message *>(XLogRecGetData(record));
	const Size length = XLogRecGetDataLen(record);

	if ((XLogRecGetInfo(record) & ~XLR_INFO_MASK) != XLOG_LOGICAL_MESSAGE ||
		length < SizeOfLogicalMessage + sizeof(kPrefix) || OidIsValid(head->dbId) ||
		head->prefix_size != sizeof(kPrefix) ||
		head->message_size != length - SizeOfLogicalMessage - sizeof(kPrefix) ||
		memcmp(head->message, kPrefix, sizeof(kPrefix)) != 0)
		return false;
	*contents = head->message + sizeof(kPrefix);
	*size = head->message_size;
	return true;
}

} // namespace cq::exact
