/*
 * breaker.h
 *		One circuit breaker for all processes, and the suspicion that makes a hung server cheap.
 *
 *	 closed ---- three fast failures in a row, or one timeout ----> open
 *	 open ------ after redis_retry_interval, one caller ----------> half-open
 *	 half-open - that caller's request succeeds ------------------> closed
 *	 half-open - it fails ----------------------------------------> open
 *
 * Without more, a server that hangs would cost each process a timeout before the first one opens
 * the breaker.  So who has waited a twentieth of the timeout without a byte becomes the suspecter, if
 * nobody is.  Everybody else gives up at once, without counting that as a failure, until the
 * suspecter hears from the server or its timeout opens the breaker.
 *
 * Locking: `mutex`, a spinlock, protects changes of the state and what belongs to them (since,
 * prober, the error's text); state and retry_at are atomic and read without it.  The suspicion is
 * one atomic word.  Counters are atomic.
 */
#pragma once

#include "pg.h"

namespace cq::redis
{

struct Status;

enum class Failure
{
	fast, /* refused, closed, a protocol error, an error reply that means "not now" */
	timeout
};

/* Monotonic, the same for all processes. */
extern int64 NowUs();

/* May a request be sent now?  One that is the probe must end by one of the four below. */
extern bool BreakerAllows();
extern bool BreakerEnter();

/* Has another process found that the server hangs?  Then the caller gives up. */
extern bool BreakerOvertaken();
/* The caller has waited for long. */
extern void BreakerSuspect();
/* Bytes came. */
extern void BreakerHeard();

extern void BreakerSucceeded(int64 us, uint64 bytes_in, uint64 bytes_out);
extern void BreakerFailed(Failure failure, const char *text);
/* Neither: there was nothing to try, or the caller gave up. */
extern void BreakerLeft();
/* The caller was cancelled, or its process exits. */
extern void BreakerCancelled();

/* Another URL: try it soon. */
extern void BreakerHurry();

extern void BreakerGetStatus(Status *status);
extern Size BreakerSize();
extern void BreakerInitShmem();

} // namespace cq::redis
