/*
 * singleflight.cpp
 *		One execution per key: callers that miss the same key wait for the one that fills it.
 *
 * A backend leads one fill at most, so each has a place of its own: keys[] tells by hash who
 * fills what.  Equal hashes of unequal keys make somebody wait in vain, nothing worse: after the
 * end everybody looks for its own key.
 *
 * Waiting must not make a deadlock that PostgreSQL's detector can't see.  A caller holds locks
 * already, and the leader may come to wait for one of them.  So
 *	 - a backend that leads never waits for another fill, its own key's included;
 *	 - who waits looks at the leader after deadlock_timeout, then every second, and goes on alone
 *	   when that one, or a parallel worker of its, waits for a heavyweight lock.
 *
 * Nor must waiting be worse than running.  Who leads may have another plan, or a slower machine under
 * its feet: after twice the time that the query is known to take, counted from its start, it is left
 * alone.  For one whose plan is much dearer than ours we wait a moment only.
 *
 * Locking: keys[] and a fill's fields are written by its leader only, under the lock of the
 * key's partition (tranche CachedQuerySingleflight; the last in the order, held for one look through
 * keys[]).  keys[] is also read without: it is atomic.  Whoever leads and ends by an error finishes
 * in the error path of the fill; when the process exits, in an exit callback.
 */
#include "pg.h"
#include "base/exit.h"
#include "base/shared.h"
#include "call/singleflight.h"

extern "C" {
#include "storage/condition_variable.h"
}

namespace cq
{
namespace
{

constexpr int kPartitions = 16;
constexpr int64 kLookAtLeaderMs = 1000;
constexpr int64 kLeastExpectedUs = 50 * 1000; /* less than this is noise */
constexpr int64 kMomentUs = 250 * 1000;
constexpr double kMuchDearer = 2;
const char *const tranche_name = "CachedQuerySingleflight";

struct SharedFill
{
	PGPROC *leader;     /* partition lock; constant while it goes on */
	uint64 serial;      /* partition lock: raised at start; see IsGoingOn() */
	JoinResult outcome; /* partition lock: of the last end; see IsGoingOn() */
	TimestampTz began;  /* partition lock; constant while it goes on */
	double cost;        /* partition lock; constant while it goes on; the planner's estimate */
	ConditionVariable finished; /* its own lock */
};

struct Shared
{
	int count;                /* constant */
	SharedFill *fills;        /* constant; shared memory is at one address */
	pg_atomic_uint64 keys[1]; /* hash being filled, 0 = none; atomic, see above */
};

Shared *shared = nullptr;
LWLockPadded *locks = nullptr;

int
PlaceCount()
{
	return MaxBackends + NUM_AUXILIARY_PROCS + 1;
}

Size
KeysSize()
{
	return MAXALIGN(
		add_size(offsetof(Shared, keys), mul_size(sizeof(pg_atomic_uint64), PlaceCount())));
}

Size
ShmemSize()
{
	return add_size(KeysSize(), mul_size(sizeof(SharedFill), PlaceCount()));
}

LWLock *
LockOf(uint64 hash)
{
	return &locks[hash % kPartitions].lock;
}

/* 0 means no fill. */
uint64
KeyOf(uint64 hash)
{
	return hash != 0 ? hash : 1;
}

/* The place of this process: the fill that it leads, if it leads one. */
int
OwnPlace()
{
	return static_cast<int>(compat::BackendNumber());
}

bool
Leads()
{
	return pg_atomic_read_u64(&shared->keys[OwnPlace()]) != 0;
}

int
Find(uint64 key)
{
	for (int i = 0; i < shared->count; i++)
	{
		if (pg_atomic_read_u64(&shared->keys[i]) == key)
			return i;
	}
	return -1;
}

void
FinishAtExit(int, Datum)
{
	Finish(JoinResult::stopped);
}

void
BeginOwnFill(uint64 key, double cost)
{
	SharedFill *fill = &shared->fills[OwnPlace()];

	fill->leader = MyProc;
	fill->began = GetCurrentTimestamp();
	fill->cost = cost;
	fill->serial++;
	pg_atomic_write_u64(&shared->keys[OwnPlace()], key);
}

/* A fill of another process, as it was under the lock. */
struct SeenFill
{
	int place;
	uint64 key;
	uint64 serial;
	PGPROC *leader;
	TimestampTz began;
	double cost;
};

/*
 * True while the fill that was seen goes on; else its outcome.  The leader may have begun another fill,
 * of a key with another lock.  Then the outcome of the first is unknown, and `stored` makes the caller
 * look for the entry.
 */
bool
IsGoingOn(const SeenFill &seen, JoinResult *outcome)
{
	SharedFill *fill = &shared->fills[seen.place];
	LWLock *lock = LockOf(seen.key);
	bool going_on;

	LWLockAcquire(lock, LW_SHARED);
	going_on =
		fill->serial == seen.serial && pg_atomic_read_u64(&shared->keys[seen.place]) == seen.key;
	*outcome = fill->outcome;
	pg_read_barrier();
	if (fill->serial != seen.serial)
		*outcome = JoinResult::stored;
	LWLockRelease(lock);
	return going_on;
}

bool
IsBlocked(const PGPROC *proc)
{
	return *const_cast<LOCK *const volatile *>(&proc->waitLock) != nullptr;
}

/*
 * Does the leader, or one of its parallel workers, wait for a heavyweight lock?  Perhaps that is one of
 * ours.  No lock is taken for this look: an error is corrected at the next one.
 */
bool
LeaderIsBlocked(const SeenFill &seen)
{
	if (IsBlocked(seen.leader))
		return true;
	if (seen.leader->lockGroupLeader == nullptr)
		return false;
	for (uint32 i = 0; i < ProcGlobal->allProcCount; i++)
	{
		const PGPROC *proc = &ProcGlobal->allProcs[i];

		if (proc->lockGroupLeader == seen.leader && IsBlocked(proc))
			return true;
	}
	return false;
}

/* Until when is it worth to wait for this one? */
TimestampTz
EndOfWait(const SeenFill &seen, const WaitLimit &limit)
{
	TimestampTz end = DT_NOEND;

	if (limit.expected_us > 0)
		end = seen.began + 2 * Max(limit.expected_us, kLeastExpectedUs);
	if (limit.cost > 0 && seen.cost > limit.cost * kMuchDearer)
		end = Min(end, seen.began + kMomentUs);
	return end;
}

/*
 * As log_lock_waits does for locks.  Before 17 pg_stat_activity has no name for this wait, and no
 * version shows the process that is waited for.
 */
void
TellOfWait(const SeenFill &seen)
{
	ereport(LOG, (errmsg("process %d still waits for a result that process %d computes", MyProcPid,
						 seen.leader->pid)));
}

JoinResult
Wait(const SeenFill &seen, const WaitLimit &limit)
{
	const TimestampTz patient = EndOfWait(seen, limit);
	const TimestampTz deadline = Min(limit.deadline, patient);

	ConditionVariable *finished = &shared->fills[seen.place].finished;
	JoinResult outcome;
	int64 glance = DeadlockTimeout;

	ConditionVariablePrepareToSleep(finished);
	while (IsGoingOn(seen, &outcome))
	{
		int64 left = (deadline - GetCurrentTimestamp() + 999) / 1000;

		if (left <= 0)
		{
			outcome = patient < limit.deadline ? JoinResult::late : JoinResult::alone;
			break;
		}
		if (!ConditionVariableTimedSleep(finished, static_cast<long>(Min(left, glance)),
										 compat::SingleflightWaitEvent()))
			continue;
		if (log_lock_waits && glance == DeadlockTimeout)
			TellOfWait(seen);
		glance = kLookAtLeaderMs;
		if (LeaderIsBlocked(seen))
		{
			outcome = JoinResult::alone;
			break;
		}
	}
	ConditionVariableCancelSleep();
	return outcome;
}

} // namespace

JoinResult
Join(uint64 hash, const WaitLimit &limit)
{
	const uint64 key = KeyOf(hash);
	LWLock *lock = LockOf(key);
	SeenFill seen = {-1, key, 0, nullptr, 0, 0};

	if (Leads())
		return JoinResult::alone;
	BeforeExit<FinishAtExit>();

	LWLockAcquire(lock, LW_EXCLUSIVE);
	seen.place = Find(key);
	if (seen.place < 0)
		BeginOwnFill(key, limit.cost);
	else
	{
		seen.serial = shared->fills[seen.place].serial;
		seen.leader = shared->fills[seen.place].leader;
		seen.began = shared->fills[seen.place].began;
		seen.cost = shared->fills[seen.place].cost;
	}
	LWLockRelease(lock);

	if (seen.place < 0)
		return JoinResult::lead;
	/* a caller that may not wait must not use the outcome of another session either */
	if (limit.deadline <= GetCurrentTimestamp())
		return JoinResult::alone;
	return Wait(seen, limit);
}

uint64
FillHash(uint64 hash, int fill_number)
{
	return hash + static_cast<uint64>(fill_number) * UINT64CONST(0x9E3779B97F4A7C15);
}

void
Finish(JoinResult outcome)
{
	const int place = OwnPlace();
	SharedFill *fill = &shared->fills[place];
	LWLock *lock;

	if (!Leads())
		return;
	lock = LockOf(pg_atomic_read_u64(&shared->keys[place]));
	LWLockAcquire(lock, LW_EXCLUSIVE);
	fill->outcome = outcome;
	pg_atomic_write_u64(&shared->keys[place], 0);
	LWLockRelease(lock);
	ConditionVariableBroadcast(&fill->finished);
}

bool
IsBeingFilled(uint64 hash)
{
	return Find(KeyOf(hash)) >= 0;
}

void
SingleflightRequestShmem()
{
	RequestShared(ShmemSize());
	RequestNamedLWLockTranche(tranche_name, kPartitions);
}

void
SingleflightInitShmem()
{
	shared = MakeOrFindShared<Shared>("cached_query singleflight", ShmemSize(), [](Shared *made) {
		made->count = PlaceCount();
		made->fills = reinterpret_cast<SharedFill *>(reinterpret_cast<char *>(made) + KeysSize());
		for (int i = 0; i < made->count; i++)
		{
			pg_atomic_init_u64(&made->keys[i], 0);
			made->fills[i] = {};
			ConditionVariableInit(&made->fills[i].finished);
		}
	});
	locks = GetNamedLWLockTranche(tranche_name);
}

} // namespace cq
