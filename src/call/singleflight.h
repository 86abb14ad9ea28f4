/*
 * singleflight.h
 *		One execution per key: callers that miss the same key wait for the one that fills it.
 */
#pragma once

#include "pg.h"

namespace cq
{

enum class JoinResult
{
	lead,       /* nobody fills this key: we do, and must call Finish() */
	alone,      /* fill it without anybody waiting for us */
	stored,     /* we waited: an entry was published, or may have been */
	elsewhere,  /* we waited: Redis has it, and memory hasn't */
	unstorable, /* we waited: the result can't be kept */
	late,       /* we waited for as long as it was worth, and nothing came */
	failed,     /* we waited: the query raised an error */
	stopped     /* we waited: the other one was cancelled or has gone */
};

/* For how long is it worth to wait? */
struct WaitLimit
{
	TimestampTz deadline; /* not past it in any case; in the past: lead or fill alone */
	int64 expected_us;    /* what the query is known to take, 0: nothing is known */
	double cost;          /* the planner's estimate of our own run */
};

/*
 * Take the lead for a key, or wait until the one who has it finishes, up to the limit.
 * Raises only what CHECK_FOR_INTERRUPTS does.
 */
extern JoinResult Join(uint64 hash, const WaitLimit &limit);
/*
 * If a fill takes too long, its waiters give it up and share another fill of the same key.  So a key
 * may have up to kMaxFills fills at a time.  Each has a number, and Join() takes the hash of key and
 * number.
 */
constexpr int kMaxFills = 4;
extern uint64 FillHash(uint64 hash, int fill_number);
/* The fill that this process leads, if any, is over: those who wait go on at once.  Raises nothing. */
extern void Finish(JoinResult outcome);

/* Does a session fill this key right now?  Read without a lock. */
extern bool IsBeingFilled(uint64 hash);

extern void SingleflightRequestShmem();
extern void SingleflightInitShmem();

} // namespace cq
