/*
 * lease.h
 *		One execution per key over all servers that share a Redis: a lease on the key there.
 */
#pragma once

#include "pg.h"
#include "redis/client.h"
#include "redis/value.h"
#include "validity/lookup.h"
#include "remote/queue.h"

namespace cq
{

enum class Claim
{
	ours,
	busy,
	unstorable, /* another server has just found that the result can't be kept */
	none        /* no reply, or an unexpected one: go on without a lease */
};

/* One look: the lease, and the beginning of the value that may be there. */
struct Inquiry
{
	redis::EntryHash name;
	redis::LeaseId id; /* ours, if we get it */
	char lease[redis::kNameRoom];
	char head[redis::kNameRoom];
	redis::Slice lease_name;
	redis::Slice head_name;
	char life[16];
	char last[16]; /* of the bytes of the value that are looked at */

	/* what was found */
	Claim state;
	redis::LeaseId holder; /* busy: whose */
	char value[sizeof(redis::Header)];
	size_t value_length;
};

/* What has been seen of a key while it was waited for. */
struct LeaseWait
{
	Inquiry inquiry;
	bool news;         /* there is another value than the last time we looked */
	bool tried;        /* asked once more after a failure */
	TimestampTz began; /* 0: not yet */
	redis::LeaseId holder;
	int holders;
	char value[sizeof(redis::Header)];
	size_t value_length;
};

/*
 * As the leader of the key's fill, after memory and Redis had nothing: does this call want a lease?
 * Then AskForLease() takes it, or tells that another server has it; with PauseForLease() between the
 * calls the caller waits for that one's entry, which is there when there is news.  False: waiting
 * longer is no use.
 */
extern bool BeginLeaseWait(const Lookup *lookup, Reason miss, LeaseWait *wait);
extern Claim AskForLease(const Lookup *lookup, TimestampTz deadline, LeaseWait *wait);
extern bool PauseForLease(TimestampTz deadline, LeaseWait *wait);
/*
 * For the leader of a refresh, whose entry can still be served: does another server fill this key?  If
 * not, the lease is taken.
 */
extern bool LeasedElsewhere(Lookup *lookup);

/* The lease that the leader of a fill holds on its key, if any: it goes along with the entry. */
extern Lease HandOverLease();
/* The lease that the leader holds, if any, is no longer needed: end it in Redis.  Raises nothing. */
extern void GiveUpLease(LeaseEnd end);

/* --- for the Redis writer -------------------------------------------------------------------------- */

/* End it, if it is not over yet; false: Redis can't be asked. */
extern bool EndLease(const Lease &lease, LeaseEnd end);

} // namespace cq
