/*
 * wire.cpp
 *		Rows as they go over the wire: kept once sent, and sent again as they are.
 *
 * BeginWireRun() finds the statements that qualify: a scan of ours alone, all rows at once, for the
 * client.  Everything else about a run stays PostgreSQL's own: the executor's loop runs as
 * it does, counts rows and looks for interrupts; only the client's receiveSlot is another one while
 * an image is sent, and the putmessage of PqCommMethods while one is made.  EndWireRun() puts both
 * back, after an error, too.
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
#include "call/answer.h"
#include "remote/lookup.h"
#include "scan/wire_parts.h"
#include "query/output.h"
#include "scan/wire.h"
#include "stats/stats.h"

extern "C" {
#include "mb/pg_wchar.h"
#include "tcop/pquery.h"
#include "utils/portal.h"
}

namespace cq
{
namespace
{

/* Of our kinds of nodes. */
constexpr int kMaxPlaces = 2;
WireRun **(*places[kMaxPlaces])(PlanState *top) = {};

/* Where the node at the top of a plan wants its WireRun, if it is one of ours. */
WireRun **
PlaceAt(PlanState *top)
{
	WireRun **place = nullptr;

	for (int i = 0; i < kMaxPlaces && place == nullptr && places[i] != nullptr; i++)
		place = places[i](top);
	return place;
}

} // namespace

/* As they were before anybody could replace them. */
const PQcommMethods *own_methods = nullptr;
bool (*own_receive)(TupleTableSlot *, DestReceiver *) = nullptr;

PQcommMethods tee;
PQcommMethods quiet;

WireRun *innermost = nullptr;

namespace
{

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

} // namespace

bool
BeginWireRun(WireRun *run, QueryDesc *query, ScanDirection direction, uint64 count)
{
	WireRun **scan;
	const Node *call;

	/* nearly all statements go no further */
	if (!ForClient(query, direction, count))
		return false;
	scan = settings::wire_image ? PlaceAt(query->planstate) : nullptr;
	call = OnlyCall(query->planstate);
	if (scan == nullptr && call == nullptr)
		return false;
	*run = {};
	run->outer = innermost;
	run->query = query;
	run->client = query->dest;
	run->scan = scan;
	run->call = call;
	innermost = run;
	if (run->scan != nullptr)
		*run->scan = run;
	return true;
}

void
EndWireRun(WireRun *run)
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
FinishWireRun(WireRun *run)
{
	FinishImage(run);
	if (run->image != nullptr)
		Unpin(run->image);
}

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

void
OfferWirePlace(WireRun **(*place)(PlanState *top))
{
	int i = 0;

	while (i < kMaxPlaces - 1 && places[i] != nullptr)
		i++;
	places[i] = place;
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
}

} // namespace cq
