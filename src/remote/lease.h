/*
 * lease.h
 *		One execution per answer over all servers that share a Redis: a lease on the key there.
 */
#pragma once

#include "pg.h"
#include "validity/lookup.h"
#include "remote/queue.h"

namespace cq
{

/*
 * As the leader of the key's flight, after memory and Redis had nothing: take the lease, or wait
 * until `deadline` for the answer of the server that has it.  redis_hit: here it is; else run the
 * query, with the lease or without it.  *published as in LookUpRedis().
 */
extern Reason AwaitLease(Attempt *attempt, Answer *answer, Reason miss, TimestampTz deadline,
						 bool *published);
/* As the leader, who needn't be: does another server fill this key?  If not, take the lease. */
extern bool LeasedElsewhere(Attempt *attempt);

/* The lease that we hold on this key, if any: it goes along with the entry. */
extern Lease HandOverLease(uint64 hash);
/* The lease we hold, if any, has brought no answer.  Raises nothing. */
extern void GiveUpLease(LeaseEnd end);

/* --- for the carrier -------------------------------------------------------------------------- */

/* End it, if it is not over yet; false: Redis can't be asked. */
extern bool EndLease(const Lease &lease, LeaseEnd end);

} // namespace cq
