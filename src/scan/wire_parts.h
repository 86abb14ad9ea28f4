/*
 * wire_parts.h
 *		Sending, keeping, and the state that both share.
 *
 * Part of wire.h.
 */
#pragma once

#include "pg.h"
#include "scan/wire.h"

namespace cq
{

/* As they were before anybody could replace them. */
extern const PQcommMethods *own_methods;
extern bool (*own_receive)(TupleTableSlot *, DestReceiver *);

extern PQcommMethods tee;   /* keeps what is sent */
extern PQcommMethods quiet; /* sends nothing */

extern WireRun *innermost;

struct BlockHead
{
	uint32 length; /* of the messages after it */
	uint32 rows;
};

/* Room for messages that are collected; a larger one is a block of its own. */
constexpr Size kBlockSize = 8192;

/* Fewer values than these are faster made than found. */
constexpr uint64 kFewValues = 8;

/* --- wire_send.cpp */

extern int QuietMessage(char, const char *, size_t);
extern int QuietFlush();
extern void BeginOut();
extern void PutOut(const void *bytes, Size length);
/*
 * pq_putmessage_v2() puts a first byte, which must not be zero, and others into the output buffer,
 * with no length between them.
 */
extern void EndOut();
extern void PutFromStore(StreamReader *reader, Size length);
/* In the place of printtup(). */
extern bool ReceiveForImage(TupleTableSlot *, DestReceiver *);

/* --- wire_document.cpp */

/* Does a plan compute one call of a function, and nothing else? */
extern const Node *OnlyCall(const PlanState *top);

/* --- wire_image.cpp */

/*
 * Takes the place of putmessage.  If anything but rows goes out between two rows, such as a NOTICE of
 * an output function, no image is made, since later readers would miss it.  It may be the warning of a
 * backend that must quit at once, sent by a signal handler: so only a flag is set.
 */
extern int PutMessage(char type, const char *body, size_t length);
/* Is nothing between us and the client, such as a hook that runs inside ours? */
extern bool StraightToClient(const WireRun *run);
/* Formats, encoding and settings of this run, as the key of an image; nullptr when it has none. */
extern StringInfo ImageKey(const WireRun *run, TupleDesc desc);
extern void BeginImageOf(WireRun *run, const Answer &answer, uint64 hits);
/* The run has ended well: is everything there? */
extern void FinishImage(WireRun *run);

} // namespace cq
