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
 * early ends it between messages.  Some blocks go out at once, when their first row is received.
 *
 * Bytes go through PostgreSQL's own output buffer or, when they are many, by the same function as
 * it does from there to the socket: so through TLS or GSS where they are used.
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
#include "utils/inval.h"
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

PQcommMethods tee;   /* keeps what is sent */
PQcommMethods quiet; /* sends nothing */

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
 * PostgreSQL's output buffer holds 8 kB, and each time it is full that much is written to the socket.
 * To write more at once takes less than half of the time.  So what is to be sent is put together
 * here, and if it is much, it is written as pqcomm.c would write it: after what is in its buffer,
 * blocking, by secure_write(), which knows of TLS and GSS and of being told to quit while it waits.
 *
 * Nothing else may go out in the midst of a message, whatever a signal handler has to say.  For its
 * own messages pqcomm.c sees to that; here `quiet` is in the place of its methods from the first
 * byte of a message to the last.
 */
constexpr Size kOutSize = 65536;

/* Less than this goes into the output buffer, and out with what follows it. */
constexpr Size kLeastWrite = 16384;

char out[kOutSize];
Size out_len = 0;       /* not yet written */
bool out_begun = false; /* some was */

int
QuietMessage(char, const char *, size_t)
{
	return 0;
}

int
QuietFlush()
{
	return 0;
}

void
BeginOut()
{
	out_len = 0;
	out_begun = false;
	PqCommMethods = &quiet;
}

/* As in pqcomm.c, a client that is gone ends the session at the next CHECK_FOR_INTERRUPTS(). */
void
LoseClient()
{
	ereport(COMMERROR, (errcode_for_socket_access(), errmsg("could not send data to client: %m")));
	ClientConnectionLost = 1;
	InterruptPending = 1;
}

void
WriteOut()
{
	Size done = 0;

	if (!ClientConnectionLost && own_methods->flush() == 0)
	{
		while (done < out_len)
		{
			ssize_t written = secure_write(MyProcPort, out + done, out_len - done);

			if (written > 0)
				done += static_cast<Size>(written);
			else if (errno != EINTR)
			{
				LoseClient();
				break;
			}
		}
	}
	out_len = 0;
	out_begun = true;
}

void
PutOut(const void *bytes, Size length)
{
	const char *from = static_cast<const char *>(bytes);

	while (length > 0)
	{
		Size part = Min(length, kOutSize - out_len);

		memcpy(out + out_len, from, part);
		out_len += part;
		from += part;
		length -= part;
		if (out_len == kOutSize)
			WriteOut();
	}
}

/*
 * pq_putmessage_v2() puts a first byte, which must not be zero, and others into the output buffer,
 * with no length between them.
 */
void
EndOut()
{
	if (out_begun || out_len >= kLeastWrite)
		WriteOut();
	else if (out_len > 0)
		pq_putmessage_v2(out[0], out + 1, out_len - 1);
	PqCommMethods = own_methods;
}

void
PutFromStore(StreamReader *reader, Size length)
{
	Size got;

	for (; length > 0; length -= got)
	{
		const char *piece = StreamNext(reader, length, &got);

		PutOut(piece, got);
	}
}

/* As many blocks as are written at once, but one at least. */
void
SendBlocks(WireRun *run)
{
	BlockHead head;
	char padding[MAXIMUM_ALIGNOF];

	BeginOut();
	do
	{
		StreamCopy(&run->reader, &head, sizeof(head));
		PutFromStore(&run->reader, head.length);
		StreamCopy(&run->reader, padding, MAXALIGN(head.length) - head.length);
		CqAssert(head.rows <= run->rows_left);
		run->sent_rows += head.rows;
		run->rows_left -= head.rows;
	}
	while (run->rows_left > 0 && !out_begun && kOutSize - out_len > kBlockSize);
	EndOut();
}

/* In the place of printtup(). */
bool
ReceiveForImage(TupleTableSlot *, DestReceiver *)
{
	WireRun *run = innermost;

	if (run->sent_rows == 0)
		SendBlocks(run);
	run->sent_rows--;
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
	char type = 'D';

	length = pg_hton32(length);
	BeginOut();
	PutOut(&type, sizeof(type));
	PutOut(&whole, sizeof(whole));
	PutOut(&columns, sizeof(columns));
	PutOut(&length, sizeof(length));
	PutFromStore(&run->reader, run->document);
	EndOut();
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

/* Is nobody in between, as a hook that runs inside ours may be? */
bool
StraightToClient(const WireRun *run)
{
	return run->query->dest == run->client && run->client->receiveSlot == own_receive &&
		   PqCommMethods == own_methods;
}

/* Formats, encoding and settings of this run, as the key of an image; nullptr when it has none. */
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
	/* definitions that output functions read: those that the answer depends on (query/output.cpp) */
	AcceptInvalidationMessages();
	key = ImageKey(run, answer.desc);
	if (key == nullptr)
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
	if (PqCommMethods == &tee || PqCommMethods == &quiet)
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

} // namespace

bool
BeginWire(WireRun *run, const Answer &answer)
{
	StringInfo key;
	uint64 hits;

	if (Describe(answer.reason).kind != Kind::hit || answer.pin == nullptr || run != innermost ||
		!StraightToClient(run) ||
		answer.rows * static_cast<uint64>(answer.desc->natts) < kFewValues)
		return false;
	hits = HitsOf(answer.pin);
	if (hits < 2)
		return false;
	key = ImageKey(run, answer.desc);
	if (key == nullptr)
		return false;
	run->image = FindImage(answer.pin, key->data, static_cast<uint32>(key->len));
	if (run->image == nullptr)
	{
		BeginImageOf(run, answer, hits);
		return false;
	}
	TouchImage(run->image, GetCurrentStatementStartTimestamp());
	Count(Counter::image_hits);
	StreamBegin(&run->reader, run->image);
	run->rows_left = answer.rows;
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
		run->image != nullptr || !StraightToClient(run) || answer->pin == nullptr ||
		answer->next != nullptr || (client != server && client != PG_SQL_ASCII))
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
	quiet = *own_methods;
	quiet.putmessage = QuietMessage;
	quiet.flush = QuietFlush;
	previous_executor_run = ExecutorRun_hook;
	ExecutorRun_hook = RunForWire;
}

} // namespace cq
