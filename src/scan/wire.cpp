/*
 * wire.cpp
 *		Rows as they go over the wire: kept once sent, and sent again as they are.
 *
 * An ExecutorRun hook finds the statements that qualify: a scan of ours alone, all rows at once,
 * for the client.  Everything else about a run stays PostgreSQL's own: the executor's loop runs as
 * it does, counts rows and looks for interrupts; only the client's receiveSlot is another one while
 * an image is sent, and the putmessage of PqCommMethods while one is made.  PG_FINALLY puts both
 * back.
 *
 * An image is a sequence of blocks, each a head and some whole messages, so that whatever ends a run
 * early ends it between messages.  A block goes out when its first row is received.
 *
 * Bytes go through PostgreSQL's own output buffer and so through TLS or GSS where they are used.
 * A statement that is one call of cached_query_json() sends its document in the same way, without an
 * image: the text that is stored is what goes out.
 *
 * If another module has replaced PqCommMethods or the receiver, it means to see what goes through
 * them: then nothing is done.
 */
#include "pg.h"
#include "query/output.h"
#include "scan/node.h"
#include "scan/wire.h"
#include "stats/stats.h"

/*
 * We want PqCommMethods and touch no Port, whose members for GSS and TLS ask for those libraries'
 * headers.
 */
#pragma push_macro("ENABLE_GSS")
#pragma push_macro("USE_OPENSSL")
#undef ENABLE_GSS
#undef USE_OPENSSL
extern "C" {
#include "libpq/libpq.h"
}
#pragma pop_macro("ENABLE_GSS")
#pragma pop_macro("USE_OPENSSL")

extern "C" {
#include "mb/pg_wchar.h"
#include "tcop/pquery.h"
#include "utils/portal.h"
}

namespace cq
{
namespace
{

ExecutorRun_hook_type previous_executor_run = nullptr;

/* As they were before anybody could replace them. */
const PQcommMethods *own_methods = nullptr;
bool (*own_receive)(TupleTableSlot *, DestReceiver *) = nullptr;

PQcommMethods tee;

WireRun *innermost = nullptr;

/* --- blocks --------------------------------------------------------------------------------- */

struct BlockHead
{
	uint32 length; /* of the messages after it */
	uint32 rows;
};

static_assert(sizeof(BlockHead) == MAXIMUM_ALIGNOF, "it is never torn");

/* Room for messages that are collected; a larger one is a block of its own. */
constexpr Size kBlockSize = 8192;

/* Type and length of a message. */
constexpr Size kMessageHead = 5;

/* Fewer values than these are faster made than found. */
constexpr uint64 kFewValues = 8;

/* --- sending -------------------------------------------------------------------------------- */

/*
 * Into the output buffer.  pq_putmessage_v2() is how PostgreSQL writes a first byte and then what
 * follows it, with no length between: that is what we have.  A block that crosses extents goes out
 * piece by piece, but for the rare one where a piece would begin with a zero, which can't be
 * told from no message type.
 */
void
SendWhole(StreamReader *reader, Size length)
{
	char *bytes = static_cast<char *>(MemoryContextAllocHuge(CurrentMemoryContext, length));

	StreamCopy(reader, bytes, length);
	pq_putmessage_v2(bytes[0], bytes + 1, length - 1);
	pfree(bytes);
}

bool
PiecesCanBegin(StreamReader reader, Size length)
{
	Size got;

	for (; length > 0; length -= got)
	{
		if (*StreamNext(&reader, length, &got) == '\0')
			return false;
	}
	return true;
}

void
SendBytes(StreamReader *reader, Size length)
{
	Size got;

	if (!PiecesCanBegin(*reader, length))
	{
		SendWhole(reader, length);
		return;
	}
	for (; length > 0; length -= got)
	{
		const char *piece = StreamNext(reader, length, &got);

		/* a client that is gone is noticed by the next CHECK_FOR_INTERRUPTS() */
		pq_putmessage_v2(piece[0], piece + 1, got - 1);
	}
}

void
SendBlock(WireRun *run)
{
	BlockHead head;
	char padding[MAXIMUM_ALIGNOF];

	StreamCopy(&run->reader, &head, sizeof(head));
	SendBytes(&run->reader, head.length);
	StreamCopy(&run->reader, padding, MAXALIGN(head.length) - head.length);
	run->block_rows = head.rows;
}

/* In the place of printtup(). */
bool
ReceiveForImage(TupleTableSlot *, DestReceiver *)
{
	WireRun *run = innermost;

	if (run->block_rows == 0)
		SendBlock(run);
	run->block_rows--;
	return true;
}

/* --- documents ------------------------------------------------------------------------------ */

/* Smaller ones are copied as fast. */
constexpr Size kSmallDocument = 8192;

/* To the first byte of the text that is the one column of the one tuple; its length, or 0. */
Size
FindText(StreamReader *reader, const Pin *pin)
{
	char head[SizeofMinimalTupleHeader];
	const MinimalTupleData *tuple = reinterpret_cast<MinimalTuple>(head);
	char skipped[MAXIMUM_ALIGNOF];
	char text[VARHDRSZ];
	Size rest;

	StreamBegin(reader, pin);
	StreamCopy(reader, head, sizeof(head));
	rest = tuple->t_hoff - MINIMAL_TUPLE_OFFSET - sizeof(head);
	if ((tuple->t_infomask & HEAP_HASNULL) || rest > sizeof(skipped))
		return 0;
	StreamCopy(reader, skipped, rest);
	StreamCopy(reader, text, sizeof(text));
	return VARATT_IS_4B_U(text) ? VARSIZE_4B(text) - VARHDRSZ : 0;
}

/* In the place of printtup(): a row of one column, the text. */
bool
ReceiveForDocument(TupleTableSlot *, DestReceiver *)
{
	WireRun *run = innermost;
	uint32 length = static_cast<uint32>(run->document);
	uint32 whole = pg_hton32(length + 2 * sizeof(uint32) + sizeof(uint16));
	uint16 columns = pg_hton16(1);
	char head[10];

	length = pg_hton32(length);
	memcpy(head, &whole, sizeof(whole));
	memcpy(head + 4, &columns, sizeof(columns));
	memcpy(head + 6, &length, sizeof(length));
	pq_putmessage_v2('D', head, sizeof(head));
	SendBytes(&run->reader, run->document);
	return true;
}

/* Does a plan compute one call of a function, and nothing else? */
const Node *
OnlyCall(const PlanState *top)
{
	const TargetEntry *entry;

	if (!IsA(top, ResultState) || outerPlanState(top) != nullptr || top->qual != nullptr ||
		reinterpret_cast<const ResultState *>(top)->resconstantqual != nullptr ||
		list_length(top->plan->targetlist) != 1)
		return nullptr;
	entry = linitial_node(TargetEntry, top->plan->targetlist);
	if (!IsA(entry->expr, FuncExpr) ||
		reinterpret_cast<const FuncExpr *>(entry->expr)->funcid < FirstNormalObjectId)
		return nullptr;
	return reinterpret_cast<const Node *>(entry->expr);
}

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

/*
 * In the place of putmessage.  Whatever else goes out between the rows, an output function's
 * NOTICE, is not to be lost later: then no image is made.  That may be the warning of a backend that
 * was told to quit at once, in a signal handler: only a flag is set.
 */
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

/*
 * Will the image be used?  The life that is left to the answer should bring another hit, at the
 * rate of those so far.
 */
bool
Pays(const Answer &answer, uint64 hits)
{
	double left = static_cast<double>(FactsOf(PinnedEntry(answer.pin)).ttl_us) -
				  static_cast<double>(answer.age_us);

	return left * static_cast<double>(hits) >= static_cast<double>(answer.age_us) &&
		   settings::mode != static_cast<int>(Mode::read_only);
}

void
BeginImageOf(WireRun *run, const Answer &answer, StringInfo key, uint64 hits)
{
	if (!Pays(answer, hits) || !ClaimImage(answer.pin, hits))
		return;
	run->block = static_cast<char *>(palloc(kBlockSize));
	run->fill = BeginImage(answer.pin, key->data, static_cast<uint32>(key->len));
	if (run->fill == nullptr)
		return;
	run->answer = answer.pin;
	run->wanted = answer.rows;
	run->hits = hits;
	PqCommMethods = &tee;
}

/* The run has ended well: is everything there? */
void
FinishImage(WireRun *run)
{
	if (run->fill == nullptr)
		return;
	if (!run->spoiled && run->rows == run->wanted && FlushBlock(run) &&
		PublishImage(run->fill, run->answer))
		SetImageDue(run->answer, run->hits);
	Abandon(run);
}

/* --- the run -------------------------------------------------------------------------------- */

/* All rows at once, to the client, by the portal that is running. */
bool
ForClient(const QueryDesc *query, ScanDirection direction, uint64 count)
{
	CommandDest dest = query->dest->mydest;

	return (dest == DestRemote || dest == DestRemoteExecute) && ScanDirectionIsForward(direction) &&
		   count == 0 && query->operation == CMD_SELECT && ActivePortal != nullptr &&
		   ActivePortal->queryDesc == query && query->estate->es_junkFilter == nullptr &&
		   PqCommMethods == own_methods && own_methods != nullptr;
}

void
PassOn(QueryDesc *query, ScanDirection direction, uint64 count CQ_EXECUTE_ONCE_PARAMETER)
{
	if (previous_executor_run)
		previous_executor_run(query, direction, count CQ_EXECUTE_ONCE);
	else
		standard_ExecutorRun(query, direction, count CQ_EXECUTE_ONCE);
}

/* May this run send what is kept?  Then by its scan, or by the call that it is. */
bool
Qualifies(WireRun *run, QueryDesc *query, ScanDirection direction, uint64 count)
{
	if (!ForClient(query, direction, count))
		return false;
	run->outer = innermost;
	run->query = query;
	run->client = query->dest;
	run->scan = settings::wire_image ? WirePlace(query->planstate) : nullptr;
	run->call = OnlyCall(query->planstate);
	return run->scan != nullptr || run->call != nullptr;
}

/* Everything as it was. */
void
EndRun(WireRun *run)
{
	if (run->scan != nullptr)
		*run->scan = nullptr;
	innermost = run->outer;
	if (run->receive != nullptr)
		run->client->receiveSlot = run->receive;
	if (PqCommMethods == &tee)
		PqCommMethods = own_methods;
}

void
RunForWire(QueryDesc *query, ScanDirection direction, uint64 count CQ_EXECUTE_ONCE_PARAMETER)
{
	WireRun run = {};

	if (!Qualifies(&run, query, direction, count))
	{
		PassOn(query, direction, count CQ_EXECUTE_ONCE);
		return;
	}
	innermost = &run;
	if (run.scan != nullptr)
		*run.scan = &run;
	PG_TRY();
	{
		PassOn(query, direction, count CQ_EXECUTE_ONCE);
	}
	PG_FINALLY();
	{
		EndRun(&run);
	}
	PG_END_TRY();
	FinishImage(&run);
	if (run.image != nullptr)
		Unpin(run.image);
}

/* Formats, encoding and settings of this run, as the key of an image; nullptr when it has none. */
StringInfo
ImageKey(TupleDesc desc, const int16 *formats)
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
	return formats != nullptr && AppendOutputForm(&key, desc, formats) ? &key : nullptr;
}

} // namespace

bool
BeginWire(WireRun *run, const Answer &answer)
{
	StringInfo key;
	uint64 hits;

	if (Describe(answer.reason).kind != Kind::hit || answer.pin == nullptr ||
		answer.rest != nullptr || run != innermost || run->query->dest != run->client ||
		run->client->receiveSlot != own_receive ||
		answer.rows * static_cast<uint64>(answer.desc->natts) < kFewValues)
		return false;
	hits = HitsOf(answer.pin);
	if (hits < 2)
		return false;
	key = ImageKey(answer.desc, ActivePortal->formats);
	if (key == nullptr)
		return false;
	run->image = FindImage(answer.pin, key->data, static_cast<uint32>(key->len));
	if (run->image == nullptr)
	{
		BeginImageOf(run, answer, key, hits);
		return false;
	}
	TouchImage(run->image, GetCurrentStatementStartTimestamp());
	Count(Counter::image_hits);
	StreamBegin(&run->reader, run->image);
	run->receive = run->client->receiveSlot;
	run->client->receiveSlot = ReceiveForImage;
	return true;
}

bool
SendDocument(FunctionCallInfo fcinfo, Answer *answer)
{
	WireRun *run = innermost;
	int server = GetDatabaseEncoding();
	int client = pg_get_client_encoding();

	if (run == nullptr || run->call == nullptr || run->call != fcinfo->flinfo->fn_expr ||
		run->image != nullptr || run->query->dest != run->client ||
		run->client->receiveSlot != own_receive || answer->pin == nullptr ||
		answer->rest != nullptr || (client != server && client != PG_SQL_ASCII))
		return false;
	run->document = FindText(&run->reader, answer->pin);
	if (run->document < kSmallDocument)
		return false;
	run->image = answer->pin;
	answer->pin = nullptr;
	run->receive = run->client->receiveSlot;
	run->client->receiveSlot = ReceiveForDocument;
	return true;
}

void
InitWire()
{
	DestReceiver *client = CreateDestReceiver(DestRemote);

	own_receive = client->receiveSlot;
	client->rDestroy(client);
	own_methods = PqCommMethods;
	tee = *own_methods;
	tee.putmessage = PutMessage;
	previous_executor_run = ExecutorRun_hook;
	ExecutorRun_hook = RunForWire;
}

} // namespace cq
