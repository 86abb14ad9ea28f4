/*
 * wire_document.cpp
 *		A document as the only value of a statement: its text goes from the entry to the client.
 *
 * Part of wire.h.
 */
#include "pg.h"
#include "call/answer.h"
#include "scan/wire_parts.h"
#include "scan/wire.h"

extern "C" {
#include "mb/pg_wchar.h"
#include "tcop/pquery.h"
#include "utils/inval.h"
}

namespace cq
{
namespace
{

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

} // namespace

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

} // namespace cq
