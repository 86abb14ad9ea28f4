/*
 * sweeper.cpp
 *		The process that frees the memory of invalid entries.
 *
 * Look-ups refuse an invalidated entry from the commit on, so invalidation need not remove it.  The
 * session that invalidates would have to look at every entry to find it.  This process does that instead,
 * in small steps: it looks at some entries under a lock, releases the lock, and pauses after kWorkUs, so
 * that hits do not wait for it.  Correctness does not depend on it.  An entry that it has not reached yet
 * is dropped by the next look-up, or is the first to be evicted.
 *
 * It makes a pass when something was invalidated.  Then it rests nine times as long as it worked: a
 * trigger that invalidates at each write must not keep a processor busy.  Once a minute it makes a slow
 * pass anyway, for entries that a change of a definition made invalid and for those that expired long ago.
 *
 * Locking: see validity/sweep.cpp for the request and the latch; everything else belongs to the process.
 */
#include "pg.h"
#include "exact/exact.h"
#include "validity/sweep.h"
#include "validity/entry_state.h"
#include "workers/sweeper.h"
#include "stats/stats.h"
#include "base/process.h"

extern "C" {
#include "access/xact.h"
#include "storage/latch.h"
}

namespace cq
{
namespace
{

constexpr int64 kWorkUs = 200;          /* between two pauses */
constexpr int64 kPauseMs = 1;           /* in a pass that was requested */
constexpr int64 kSlowPauseMs = 10;      /* in any other pass */
constexpr int64 kRestFactor = 9;        /* rest after a pass, in parts of the time that it worked */
constexpr int64 kMaxRestMs = 10 * 1000; /* no rest is longer */
constexpr int64 kIdleMs = 60 * 1000;    /* after so long it makes a pass without a request */
constexpr int64 kExpiredUs =
	60000000; /* kept at least so long after its ttl, for a call with a longer ttl */

/* How far a pass has come. */
struct Pass
{
	uint64 wanted; /* SweepsRequested() when it began */
	uint32 below;
	int64 worked_us;
};

int64
Microseconds()
{
	instr_time now;

	INSTR_TIME_SET_CURRENT(now);
	return static_cast<int64>(INSTR_TIME_GET_MICROSEC(now));
}

/* The argument of IsDead(), which counts invalid entries as a look-up that meets one does. */
struct Tally
{
	TimestampTz now;
	uint64 invalid;
};

/*
 * An expired entry is older than the longest ttl that a call has asked for, but the next call may have a
 * longer one.  So it is kept for its ttl once more, and for at least a minute.
 */
bool
ExpiredLongAgo(const Entry *entry, TimestampTz now)
{
	const EntryFacts facts = FactsOf(entry);
	const int64 age = now - facts.as_of;

	return age >= facts.ttl_us && age - facts.ttl_us >= Max(facts.ttl_us, kExpiredUs);
}

/* Called under the directory's lock. */
bool
IsDead(const Entry *entry, void *arg)
{
	Tally *tally = static_cast<Tally *>(arg);

	if (!EntryInvalid(entry))
		return ExpiredLongAgo(entry, tally->now);
	tally->invalid++;
	return true;
}

/*
 * A transaction that has committed stays listed in its slots until some snapshot sees it complete, and
 * until then EntryInvalid() cannot tell.  SettleAll() looks with a snapshot, so it runs in a transaction,
 * whose end releases the snapshot.
 */
void
Settle()
{
	StartTransactionCommand();
	exact::SettleAll();
	CommitTransactionCommand();
}

bool
IsWanted(const Pass &pass)
{
	return SweepsRequested() != pass.wanted;
}

void
Begin(Pass *pass)
{
	const int64 start = Microseconds();

	*pass = {SweepsRequested(), PG_UINT32_MAX, 0};
	if (LinkedEntries() == 0)
		pass->below = 0;
	else
		Settle();
	pass->worked_us = Microseconds() - start;
}

/* Works for kWorkUs.  False at the end of the pass. */
bool
Work(Pass *pass)
{
	const int64 start = Microseconds();
	Tally tally = {GetCurrentTimestamp(), 0};
	uint64 swept = 0;
	bool more;

	do
	{
		more = SweepSome(&pass->below, IsDead, &tally, &swept);
	}
	while (more && Microseconds() - start < kWorkUs);
	if (tally.invalid > 0)
		Count(Counter::invalidations, tally.invalid);
	pass->worked_us += Microseconds() - start;
	return more;
}

void
SleepUntil(int64 end_us)
{
	for (int64 left = end_us - Microseconds(); left > 0; left = end_us - Microseconds())
		workers::Wait(left / 1000 + 1);
}

/*
 * Waits for a request, or until the next pass is due.  The flag is set before the request is looked for:
 * a session that requests a pass in between sees the flag and sets the latch.
 */
void
WaitForRequest(const Pass &pass)
{
	const int64 end = Microseconds() + kIdleMs * 1000;

	for (;;)
	{
		const int64 left = end - Microseconds();

		SetSweeperIdle(true);
		if (left <= 0 || IsWanted(pass))
			break;
		workers::Wait(left / 1000 + 1);
	}
	SetSweeperIdle(false);
}

void
Loop()
{
	Pass pass = {};

	for (;;)
	{
		bool asked = IsWanted(pass);

		Begin(&pass);
		while (Work(&pass))
		{
			asked = asked || IsWanted(pass);
			workers::Wait(asked ? kPauseMs : kSlowPauseMs);
		}
		SleepUntil(Microseconds() + Min(pass.worked_us * kRestFactor, kMaxRestMs * 1000));
		WaitForRequest(pass);
	}
}

void
Leave(int, Datum)
{
	SetSweeperLatch(nullptr);
}

} // namespace

void
InitSweeper()
{
	workers::StartWithServer(workers::kSweeper);
}

} // namespace cq

void
cached_query_sweeper_main(Datum)
{
	using namespace cq;

	workers::Begin(workers::kSweeper);
	before_shmem_exit(Leave, static_cast<Datum>(0));
	SetSweeperLatch(MyLatch);
	Loop();
}
