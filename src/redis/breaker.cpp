/*
 * breaker.cpp
 *		The circuit breaker and the client's counters, in shared memory.
 */
#include "pg.h"
#include "base/shared.h"
#include "redis/breaker.h"
#include "redis/types.h"
#include "redis/settings.h"

#include <ctime>
#include <initializer_list>

namespace cq::redis
{
namespace
{

constexpr uint64 kFastFailures = 3;
/* A suspicion names the process in the upper bits and the time in ms in the lower ones. */
constexpr int kTimeBits = 40;
constexpr uint64 kTimeMask = (static_cast<uint64>(1) << kTimeBits) - 1;
/* By so much may a process be late in clearing what it left. */
constexpr int64 kSlackUs = 100000;

enum State : uint32
{
	closed,
	open,
	half_open
};

struct Shared
{
	pg_atomic_uint32 state;    /* State; written under mutex */
	pg_atomic_uint32 latency;  /* us; races are harmless */
	pg_atomic_uint64 retry_at; /* NowUs() of the next probe; written under mutex */
	pg_atomic_uint64 suspicion;
	pg_atomic_uint64 failures; /* in a row */
	pg_atomic_uint64 requests;
	pg_atomic_uint64 bytes_in;
	pg_atomic_uint64 bytes_out;
	pg_atomic_uint64 timeouts;
	pg_atomic_uint64 errors;

	slock_t mutex;     /* protects what follows */
	uint32 prober;     /* process that probes, while half open */
	TimestampTz since; /* last change between closed and not closed */
	TimestampTz last_error_time;
	char last_error[256];
};

Shared *shared = nullptr;
bool probing = false; /* this process, since BreakerEnter() */

void
Count(pg_atomic_uint64 *counter, uint64 n)
{
	if (n != 0)
		pg_atomic_fetch_add_u64(counter, static_cast<int64>(n));
}

uint64
Me()
{
	return static_cast<uint64>(compat::ProcessNumber()) + 1;
}

bool
IsMine(uint64 suspicion)
{
	return suspicion >> kTimeBits == Me();
}

/* A suspicion of a process that died or was held up lasts no longer than its wait could. */
bool
IsVoid(uint64 suspicion, int64 now)
{
	int64 age = now / 1000 - static_cast<int64>(suspicion & kTimeMask);

	return suspicion == 0 || age < 0 || age > timeout_ms + kSlackUs / 1000;
}

bool
SuspectedByOther(int64 now)
{
	uint64 suspicion = pg_atomic_read_u64(&shared->suspicion);

	return suspicion != 0 && !IsMine(suspicion) && !IsVoid(suspicion, now);
}

void
ClearSuspicion()
{
	uint64 suspicion = pg_atomic_read_u64(&shared->suspicion);

	if (suspicion != 0 && IsMine(suspicion))
		pg_atomic_compare_exchange_u64(&shared->suspicion, &suspicion, 0);
}

bool
Suspecting()
{
	return IsMine(pg_atomic_read_u64(&shared->suspicion));
}

/* While half open: when another process may probe, if the prober never came back. */
uint64
ProbeEnd(int64 now)
{
	return static_cast<uint64>(now + (static_cast<int64>(timeout_ms) + connect_timeout_ms) * 1000 +
							   kSlackUs);
}

uint64
NextProbe(int64 now)
{
	return static_cast<uint64>(now + static_cast<int64>(retry_interval_ms) * 1000);
}

/* Takes the part of the prober if it is free. */
bool
BecomeProber(int64 now)
{
	SpinLockAcquire(&shared->mutex);
	probing = pg_atomic_read_u32(&shared->state) != closed &&
			  static_cast<uint64>(now) >= pg_atomic_read_u64(&shared->retry_at);
	if (probing)
	{
		pg_atomic_write_u64(&shared->retry_at, ProbeEnd(now));
		shared->prober = static_cast<uint32>(Me());
		pg_atomic_write_u32(&shared->state, half_open);
	}
	SpinLockRelease(&shared->mutex);
	return probing;
}

/* Ends this process's probe; true if the state of the breaker has changed for all processes. */
bool
EndProbe(State state, uint64 retry_at)
{
	bool ours;
	TimestampTz now = GetCurrentTimestamp();

	probing = false;
	SpinLockAcquire(&shared->mutex);
	ours = pg_atomic_read_u32(&shared->state) == half_open && shared->prober == Me();
	if (ours)
	{
		pg_atomic_write_u64(&shared->retry_at, retry_at);
		pg_atomic_write_u32(&shared->state, state);
		if (state == closed)
			shared->since = now;
	}
	SpinLockRelease(&shared->mutex);
	return ours && state == closed;
}

bool
Open(int64 now)
{
	bool changed;
	TimestampTz timestamp = GetCurrentTimestamp();

	SpinLockAcquire(&shared->mutex);
	changed = pg_atomic_read_u32(&shared->state) == closed;
	if (changed)
	{
		pg_atomic_write_u64(&shared->retry_at, NextProbe(now));
		shared->since = timestamp;
		pg_atomic_write_u32(&shared->state, open);
	}
	SpinLockRelease(&shared->mutex);
	return changed;
}

void
KeepError(const char *text)
{
	TimestampTz now = GetCurrentTimestamp();
	char copy[sizeof(shared->last_error)] = {};

	strlcpy(copy, text, sizeof(copy));
	SpinLockAcquire(&shared->mutex);
	memcpy(shared->last_error, copy, sizeof(copy));
	shared->last_error_time = now;
	SpinLockRelease(&shared->mutex);
}

void
OpenAndSay(int64 now, const char *text)
{
	if (Open(now))
		ereport(LOG_SERVER_ONLY, (errmsg("cached_query does without Redis: %s", text),
								  errdetail("It is tried again every %d ms.", retry_interval_ms),
								  errhidestmt(true), errhidecontext(true)));
}

} // namespace

int64
NowUs()
{
	timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return static_cast<int64>(now.tv_sec) * 1000000 + now.tv_nsec / 1000;
}

bool
BreakerAllows()
{
	uint32 state = pg_atomic_read_u32(&shared->state);

	if (state == closed)
		return pg_atomic_read_u64(&shared->suspicion) == 0 || !SuspectedByOther(NowUs());
	return static_cast<uint64>(NowUs()) >= pg_atomic_read_u64(&shared->retry_at);
}

bool
BreakerEnter()
{
	if (!BreakerAllows())
		return false;
	return pg_atomic_read_u32(&shared->state) == closed || BecomeProber(NowUs());
}

bool
BreakerOvertaken()
{
	if (probing)
		return false;
	return pg_atomic_read_u32(&shared->state) != closed || SuspectedByOther(NowUs());
}

void
BreakerSuspect()
{
	int64 now = NowUs();
	uint64 suspicion = pg_atomic_read_u64(&shared->suspicion);
	uint64 ours = (Me() << kTimeBits) | (static_cast<uint64>(now / 1000) & kTimeMask);

	if (!IsMine(suspicion) && IsVoid(suspicion, now))
		pg_atomic_compare_exchange_u64(&shared->suspicion, &suspicion, ours);
}

void
BreakerHeard()
{
	if (pg_atomic_read_u64(&shared->suspicion) != 0)
		ClearSuspicion();
}

void
BreakerSucceeded(int64 us, uint64 bytes_in, uint64 bytes_out)
{
	uint32 latency = pg_atomic_read_u32(&shared->latency);
	int64 step = (us - static_cast<int64>(latency)) / 8;

	pg_atomic_write_u32(&shared->latency,
						latency == 0 ? static_cast<uint32>(us)
									 : static_cast<uint32>(static_cast<int64>(latency) + step));
	Count(&shared->requests, 1);
	Count(&shared->bytes_in, bytes_in);
	Count(&shared->bytes_out, bytes_out);
	BreakerHeard();
	if (pg_atomic_read_u64(&shared->failures) != 0)
		pg_atomic_write_u64(&shared->failures, 0);
	if (probing && EndProbe(closed, 0))
		ereport(LOG_SERVER_ONLY,
				(errmsg("cached_query uses Redis again"), errhidestmt(true), errhidecontext(true)));
}

void
BreakerFailed(Failure failure, const char *text)
{
	int64 now = NowUs();
	uint64 failures = pg_atomic_add_fetch_u64(&shared->failures, 1);

	Count(&shared->requests, 1);
	Count(&shared->errors, 1);
	if (failure == Failure::timeout)
		Count(&shared->timeouts, 1);
	KeepError(text);
	if (probing)
		(void) EndProbe(open, NextProbe(now));
	else if (failure == Failure::timeout || failures >= kFastFailures)
		OpenAndSay(now, text);
	ClearSuspicion();
}

void
BreakerLeft()
{
	if (probing)
		(void) EndProbe(open, static_cast<uint64>(NowUs() + kSlackUs));
	ClearSuspicion();
}

/*
 * A probe that was cancelled counts as failed.  If a server hangs, the callers must not run into their
 * statement_timeout one after the other.  So a caller that has waited for long when it is cancelled
 * opens the breaker.
 */
void
BreakerCancelled()
{
	if (shared == nullptr || MyProc == nullptr)
		return;
	if (probing)
		(void) EndProbe(open, NextProbe(NowUs()));
	else if (Suspecting())
	{
		const char *text = "a caller was cancelled after it had waited for an answer";

		KeepError(text);
		OpenAndSay(NowUs(), text);
	}
	ClearSuspicion();
}

/* In the postmaster, so without the spinlock: a lost race costs one interval. */
void
BreakerHurry()
{
	if (shared != nullptr && pg_atomic_read_u32(&shared->state) == open)
		pg_atomic_write_u64(&shared->retry_at, 0);
}

void
BreakerGetStatus(Status *status)
{
	static const char *const names[] = {"closed", "open", "half-open"};

	SpinLockAcquire(&shared->mutex);
	status->state = names[pg_atomic_read_u32(&shared->state)];
	status->since = shared->since;
	status->last_error_time = shared->last_error_time;
	memcpy(status->last_error, shared->last_error, sizeof(status->last_error));
	SpinLockRelease(&shared->mutex);
	status->failures = pg_atomic_read_u64(&shared->failures);
	status->requests = pg_atomic_read_u64(&shared->requests);
	status->bytes_in = pg_atomic_read_u64(&shared->bytes_in);
	status->bytes_out = pg_atomic_read_u64(&shared->bytes_out);
	status->timeouts = pg_atomic_read_u64(&shared->timeouts);
	status->errors = pg_atomic_read_u64(&shared->errors);
	status->latency_us = pg_atomic_read_u32(&shared->latency);
}

Size
BreakerSize()
{
	return MAXALIGN(sizeof(Shared));
}

void
BreakerInitShmem()
{
	shared = MakeOrFindShared<Shared>("cached_query Redis breaker", [](Shared *made) {
		pg_atomic_init_u32(&made->state, closed);
		pg_atomic_init_u32(&made->latency, 0);
		for (pg_atomic_uint64 *counter :
			 {&made->retry_at, &made->suspicion, &made->failures, &made->requests, &made->bytes_in,
			  &made->bytes_out, &made->timeouts, &made->errors})
			pg_atomic_init_u64(counter, 0);
		SpinLockInit(&made->mutex);
		made->since = GetCurrentTimestamp();
	});
	url_changed = BreakerHurry;
}

} // namespace cq::redis
