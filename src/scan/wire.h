/*
 * wire.h
 *		Rows as they go over the wire: kept once sent, and sent again as they are.
 *
 * Where a statement is nothing but cached rows for the client, nearly all of its time goes into
 * the types' output functions, which make the same text of the same values each time.  So a
 * result that is asked for again keeps its DataRow messages beside its tuples, as an image in the
 * store (store/image.cpp), for one combination of formats, encoding and settings.
 */
#pragma once

#include "pg.h"
#include "call/answer.h"

namespace cq
{

/*
 * One run of the executor by a statement that may use images.  The scan at its top has a pointer to
 * it from before its first row until the run is over.  Or the statement is one call of a function
 * that returns a document.
 */
struct WireRun
{
	WireRun *outer;
	DestReceiver *client;
	QueryDesc *query;
	bool (*receive)(TupleTableSlot *, DestReceiver *); /* the client's own, while ours is there */

	WireRun **scan;   /* where the scan at the top looks for this, or nullptr */
	const Node *call; /* the statement is this function call and no more, or nullptr */

	/* sending an image, or a document: then that many bytes of text */
	Pin *image;
	Size document;
	StreamReader reader;
	uint64 rows_left; /* not yet sent */
	uint64 sent_rows; /* sent, but not yet received */

	/* making one; all of it null when none is made, or no longer */
	Pin *entry; /* the scan's, whose image it is */
	Pin *fill;
	bool spoiled; /* it will not be published */
	uint64 hits;
	uint64 rows;   /* seen on the wire */
	uint64 wanted; /* rows of the entry */
	char *block;   /* messages not yet in the store */
	Size block_len;
	uint32 block_count;
};

/*
 * The scan at the top knows its answer, and nothing was sent yet.  True: the entry's messages go to the
 * client while the executor counts as many rows.  Their values don't matter then.
 */
extern bool BeginWire(WireRun *run, const Answer &answer);

/*
 * For a function that is about to return the only value of an answer, a text, and that knows itself
 * by its FmgrInfo: true if the client's one row is the result of this very call.  Then the value
 * goes from the entry straight to the client, whatever is returned, and the answer's pin is taken
 * over.
 */
extern bool SendDocument(FunctionCallInfo fcinfo, Answer *answer);

/*
 * Where a node of ours at the top of a plan finds its WireRun, if it hands out stored rows as they are
 * and has not begun; the function returns nullptr for any other.
 */
extern void OfferWirePlace(WireRun **(*place)(PlanState *top));

/*
 * Around ExecutorRun, from the module's hook.  False: the run doesn't qualify, and neither of the others
 * is called.  EndWireRun() puts everything back as it was, also after an error; FinishWireRun() follows
 * it if there was none.
 */
extern bool BeginWireRun(WireRun *run, QueryDesc *query, ScanDirection direction, uint64 count);
extern void EndWireRun(WireRun *run);
extern void FinishWireRun(WireRun *run);

extern void InitWire();

} // namespace cq
