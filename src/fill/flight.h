/*
 * flight.h
 *		One execution per answer: callers that miss the same key wait for the one that fills it.
 */
#pragma once

#include "pg.h"

namespace cq
{

enum class Boarding
{
	lead,       /* nobody fills this key: we do, and must land */
	alone,      /* fill it without anybody waiting for us */
	stored,     /* we waited: an entry was published, or may have been */
	elsewhere,  /* we waited: Redis has it, and memory hasn't */
	unstorable, /* we waited: the answer can't be kept */
	failed,     /* we waited: the query raised an error */
	stopped     /* we waited: the other one was cancelled or has gone */
};

/*
 * Take the lead for a key, or wait until the one who has it lands, but not past `deadline`.
 * Raises only what CHECK_FOR_INTERRUPTS does.  A deadline in the past: lead or fill alone.
 */
extern Boarding Board(uint64 hash, TimestampTz deadline);
/* The flight we lead, if any, is over: those who wait go on at once.  Raises nothing. */
extern void Land(Boarding outcome);

/* Does anybody fill this key right now?  A glance. */
extern bool IsFlying(uint64 hash);

extern void FlightRequestShmem();
extern void FlightInitShmem();

} // namespace cq
