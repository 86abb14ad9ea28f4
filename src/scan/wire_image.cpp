/*
 * wire_image.cpp
 *		Keeping the messages of rows as they are sent, as an image in the store.
 *
 * Part of wire.h.
 */
#include "pg.h"
#include "settings.h"
#include "call/answer.h"
#include "scan/wire_parts.h"
#include "query/output.h"
#include "scan/wire.h"

extern "C" {
#include "mb/pg_wchar.h"
#include "tcop/pquery.h"
#include "utils/inval.h"
#include "utils/portal.h"
}

namespace cq
{
namespace
{

/* --- blocks --------------------------------------------------------------------------------- */

static_assert(sizeof(BlockHead) == MAXIMUM_ALIGNOF, "it is never torn");

/* Type and length of a message. */
constexpr Size kMessageHead = 5;

/* --- making --------------------------------------------------------------------------------- */

void
Abandon(WireRun *run)
{
	if (run->fill != nullptr)
		Unpin(run->fill);
	run->fill = nullptr;
}

bool
AppendBlock(WireRun *run, const void *more, Size more_len, const void *rest, Size rest_len,
			uint32 rows)
{
	BlockHead head = {static_cast<uint32>(more_len + rest_len), rows};
	Piece pieces[] = {{&head, sizeof(head)}, {more, more_len}, {rest, rest_len}};

	return AppendPieces(run->fill, pieces, lengthof(pieces), MaxEntryBytes());
}

bool
FlushBlock(WireRun *run)
{
	bool done = run->block_count == 0 ||
				AppendBlock(run, run->block, run->block_len, nullptr, 0, run->block_count);

	run->block_len = 0;
	run->block_count = 0;
	return done;
}

/* Keep one message. */
bool
KeepRow(WireRun *run, const char *body, Size length)
{
	char head[kMessageHead] = {'D'};
	uint32 counted = pg_hton32(static_cast<uint32>(length + sizeof(uint32)));

	memcpy(head + 1, &counted, sizeof(counted));
	if (kMessageHead + length > kBlockSize - run->block_len && !FlushBlock(run))
		return false;
	if (kMessageHead + length > kBlockSize)
		return AppendBlock(run, head, kMessageHead, body, length, 1);
	memcpy(run->block + run->block_len, head, kMessageHead);
	memcpy(run->block + run->block_len + kMessageHead, body, length);
	run->block_len += kMessageHead + length;
	run->block_count++;
	return true;
}

} // namespace

int
PutMessage(char type, const char *body, size_t length)
{
	WireRun *run = innermost;
	int result = own_methods->putmessage(type, body, length);

	if (run == nullptr || run->fill == nullptr || run->spoiled)
		return result;
	run->rows++;
	if (result != 0 || type != 'D')
		run->spoiled = true;
	else if (!KeepRow(run, body, length))
		Abandon(run);
	return result;
}

namespace
{

/*
 * Is it likely that the image will be used?  At the rate of hits so far, the entry's remaining life
 * should bring another hit.
 */
bool
Pays(const Answer &answer, uint64 hits)
{
	double left = static_cast<double>(FactsOf(PinnedEntry(answer.pin)).ttl_us) -
				  static_cast<double>(answer.age_us);

	return left * static_cast<double>(hits) >= static_cast<double>(answer.age_us) &&
		   !answer.read_only;
}

} // namespace

bool
StraightToClient(const WireRun *run)
{
	return run->query->dest == run->client && run->client->receiveSlot == own_receive &&
		   PqCommMethods == own_methods;
}

StringInfo
ImageKey(const WireRun *run, TupleDesc desc)
{
	static StringInfoData key = {};
	constexpr uint16 mark = PG_UINT16_MAX; /* no entry's key begins so */

	if (key.data == nullptr)
	{
		MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);

		initStringInfo(&key);
		MemoryContextSwitchTo(caller);
	}
	resetStringInfo(&key);
	appendBinaryStringInfo(&key, reinterpret_cast<const char *>(&mark), sizeof(mark));
	return ActivePortal->formats != nullptr &&
				   AppendOutputForm(&key, desc, run->query->tupDesc, ActivePortal->formats)
			   ? &key
			   : nullptr;
}

void
BeginImageOf(WireRun *run, const Answer &answer, uint64 hits)
{
	StringInfo key;

	if (!Pays(answer, hits) || !ClaimImage(answer.pin, hits))
		return;
	/* definitions that output functions read: those that the result depends on (query/output.cpp) */
	AcceptInvalidationMessages();
	key = ImageKey(run, answer.desc);
	if (key == nullptr)
		return;
	run->block = NewArray<char>(kBlockSize);
	run->fill = BeginImage(answer.pin, key->data, static_cast<uint32>(key->len));
	if (run->fill == nullptr)
		return;
	run->entry = answer.pin;
	run->wanted = answer.rows;
	run->hits = hits;
	PqCommMethods = &tee;
}

void
FinishImage(WireRun *run)
{
	if (run->fill == nullptr)
		return;
	if (!run->spoiled && run->rows == run->wanted && FlushBlock(run) &&
		PublishImage(run->fill, run->entry))
		SetImageDue(run->entry, run->hits);
	Abandon(run);
}

} // namespace cq
