/*
 * protocol.h
 *		RESP: commands to bytes, bytes to replies.
 *
 * hiredis reads replies, with allocation functions of ours that bound what a hostile server can
 * make us allocate and that never raise, since nothing may longjmp through hiredis.  One case goes
 * past it: a string that is a whole reply, which is nearly all the bytes we ever read, is handed
 * out where recv() put it.  Commands are written here, because a large argument is sent from where
 * it lies.
 *
 * Nothing here raises.  Memory that can't be had is an outcome.
 */
#pragma once

#include "pg.h"
#include "redis/types.h"

#include <hiredis/hiredis.h>
#include <sys/uio.h>

namespace cq::redis
{

struct Incoming
{
	char *buffer;
	size_t capacity;
	size_t head;   /* where the current reply begins */
	size_t tail;   /* end of what was received */
	size_t taken;  /* length of the reply that was handed out last; skipped by IncomingNext() */
	size_t fed;    /* bytes of the current reply that the reader has */
	size_t wanted; /* length of the current reply as far as it is known, or 0 */
	redisReader *reader;
	MemoryContext nodes; /* of the reply that the reader makes */
	size_t node_bytes;
	const char *error;
};

enum class Parsed
{
	reply,
	more, /* bytes are needed */
	bad   /* a protocol error or no memory; see error */
};

extern bool IncomingInit(Incoming *in);
extern Parsed IncomingNext(Incoming *in, Reply *reply);
/* Where to put further bytes: nullptr when there is no memory. */
extern char *IncomingRoom(Incoming *in, size_t *room);
extern void IncomingAdd(Incoming *in, size_t length);
/* Is there nothing after the reply that was handed out last? */
inline bool
IncomingIsEmpty(const Incoming *in)
{
	return in->head + in->taken == in->tail;
}
/* Gives back memory that only large replies need. */
extern void IncomingTrim(Incoming *in);
extern void IncomingFree(Incoming *in);

/* Bytes in the queue: in the scratch buffer, or the caller's. */
struct Segment
{
	const char *external; /* nullptr: in scratch */
	size_t at;            /* in scratch */
	size_t length;
};

constexpr int kMaxSegments = 64 + 2 * kMaxArguments + 2;

struct Outgoing
{
	char *scratch;
	size_t capacity;
	size_t used;
	Segment segments[kMaxSegments];
	int first; /* first one that is not all sent */
	int count;
};

extern bool OutgoingHasRoom(const Outgoing *out);
/* false: no memory. */
extern bool OutgoingAdd(Outgoing *out, const Slice *argv, int argc);
inline bool
OutgoingIsEmpty(const Outgoing *out)
{
	return out->first == out->count;
}
/* The queue's beginning, for a write; then what was written goes off the queue. */
extern int OutgoingParts(const Outgoing *out, iovec *parts, int room);
extern void OutgoingSent(Outgoing *out, size_t length);
extern void OutgoingFree(Outgoing *out);

/* Memory of the client that stays: never raises. */
extern char *Allocate(size_t size);

} // namespace cq::redis
