/*
 * sweeper.cpp
 *		The process that gives back the memory of what is void.
 *
 * An answer that is invalidated is refused by each look-up from the commit on; its memory is of no
 * interest to who invalidated it, who would have to look at every entry to find it.  So one process
 * does that, in small steps: some entries under a lock, then nothing held, and a pause after each
 * fraction of a millisecond, so that hits beside it do not wait.  Nothing depends on it: what it has
 * not come to yet is dropped by the next look-up, or is the first that is evicted.
 *
 * It looks when something was invalidated, and then rests nine times as long as it worked: a
 * trigger that invalidates at each write must not keep a processor busy.  Once a minute it looks
 * anyway and takes its time: for what a definition has voided, and for what expired long ago.
 *
 * Locking: `wanted` and `idle` are atomic, a spinlock protects the latch.
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

constexpr int64 kWorkUs = 200;          /* in one go */
constexpr int64 kPauseMs = 1;           /* after it, when somebody waits for memory */
constexpr int64 kSlowPauseMs = 10;      /* ... and when nobody does */
constexpr int64 kRestFactor = 9;        /* of the time that a pass has worked */
constexpr int64 kMaxRestMs = 10 * 1000; /* before the next one that is asked for */
constexpr int64 kIdleMs = 60 * 1000;    /* before the next one that isn't */
constexpr int64 kExpiredUs = 60000000;  /* for so long it may be asked for with a longer ttl */

/* The sweeper's: how far it is. */
struct Pass
{
	uint64 wanted; /* what it was begun for */
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

/* Is it void?  Counted where it is, as who finds it out at a look-up does. */
struct Tally
{
	TimestampTz now;
	uint64 invalid;
};

/*
 * Expired means older than anybody has asked for so far, and the next may ask for more.  So it stays
 * for as long again, and for a minute.
 */
bool
ExpiredLongAgo(const Entry *entry, TimestampTz now)
{
	const EntryFacts facts = FactsOf(entry);
	const int64 age = now - facts.as_of;

	return age >= facts.ttl_us && age - facts.ttl_us >= Max(facts.ttl_us, kExpiredUs);
}

/* Under the directory's lock. */
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
 * Who has committed is only listed in its slots until a snapshot sees it complete.  In a transaction,
 * as that gives the snapshot back at its end.
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

/* For a moment; false at the end of the pass. */
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

/* Nobody waits: until a request comes, or it is time to look anyway.  First the flag, then the look. */
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
