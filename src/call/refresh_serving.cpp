/*
 * refresh_serving.cpp
 *		What a refresh worker asks of the queue: the next request, and whose turn it is.
 *
 * Part of refresh_queue.h.
 */
#include "pg.h"
#include "call/refresh_places.h"
#include "call/refresh_queue.h"
#include "stats/stats.h"
#include "base/process.h"

namespace cq
{

/* --- for the worker -------------------------------------------------------------------------- */

bool
BeginWorker(int place, uint64 serial, Oid *database, Oid *session_user)
{
	Worker &worker = refresh_state->workers[place];
	bool wanted;

	LWLockAcquire(refresh_lock, LW_EXCLUSIVE);
	wanted = worker.serial == serial;
	if (wanted)
		worker.proc = MyProc;
	*database = worker.database;
	*session_user = worker.session_user;
	LWLockRelease(refresh_lock);
	return wanted;
}

/* The one that has waited for the longest time. */
bool
NextRequest(int place, Request *to)
{
	const Worker &worker = refresh_state->workers[place];
	TimestampTz now = GetCurrentTimestamp();
	Place *next = nullptr;

	LWLockAcquire(refresh_lock, LW_EXCLUSIVE);
	for (Place &candidate : refresh_state->places)
	{
		if (candidate.stage != Stage::queued || !Serves(worker, RequestAt(candidate)))
			continue;
		if (RequestAt(candidate).too_late <= now)
		{
			candidate.stage = Stage::free;
			Count(Counter::refreshes_skipped);
		}
		else if (next == nullptr || candidate.queued < next->queued)
			next = &candidate;
	}
	if (next != nullptr)
	{
		next->stage = Stage::running;
		next->worker = place;
		*to = RequestAt(*next);
	}
	LWLockRelease(refresh_lock);
	return next != nullptr;
}

void
EndRequest(int worker, Refreshed outcome)
{
	TimestampTz now = GetCurrentTimestamp();

	LWLockAcquire(refresh_lock, LW_EXCLUSIVE);
	for (Place &place : refresh_state->places)
	{
		if (place.stage != Stage::running || place.worker != worker)
			continue;
		place.stage = outcome == Refreshed::done ? Stage::free : Stage::resting;
		place.failure = outcome;
		place.barred = false;
		place.until = now + (outcome == Refreshed::unsuitable ? kRestUnsuitable : kRestFailed);
	}
	LWLockRelease(refresh_lock);
}

bool
RetireWorker(int place)
{
	Worker &worker = refresh_state->workers[place];
	bool asked = false;

	LWLockAcquire(refresh_lock, LW_EXCLUSIVE);
	for (const Place &candidate : refresh_state->places)
		asked |= candidate.stage == Stage::queued && Serves(worker, RequestAt(candidate));
	if (!asked)
	{
		EndTurn(worker, GetCurrentTimestamp());
		worker.serial = 0;
	}
	LWLockRelease(refresh_lock);
	return !asked;
}

void
YieldWorker(int place)
{
	Worker &worker = refresh_state->workers[place];

	LWLockAcquire(refresh_lock, LW_EXCLUSIVE);
	EndTurn(worker, GetCurrentTimestamp());
	worker.serial = 0;
	LWLockRelease(refresh_lock);
}

void
WorkerGone(int place, uint64 serial, bool useless)
{
	Worker &worker = refresh_state->workers[place];
	TimestampTz now = GetCurrentTimestamp();

	LWLockAcquire(refresh_lock, LW_EXCLUSIVE);
	if (worker.serial == serial)
	{
		for (Place &running : refresh_state->places)
		{
			if (running.stage == Stage::running && running.worker == place)
			{
				running.stage = Stage::free;
				Count(Counter::refresh_failures);
			}
		}
		DropQueued(worker, useless, now);
		EndTurn(worker, now);
		worker.serial = 0;
	}
	LWLockRelease(refresh_lock);
}

bool
OthersWait(int place)
{
	const Worker &worker = refresh_state->workers[place];
	bool wait = false;

	LWLockAcquire(refresh_lock, LW_SHARED);
	for (const Place &candidate : refresh_state->places)
		wait |= candidate.stage == Stage::queued && !Serves(worker, RequestAt(candidate)) &&
				WorkerFor(RequestAt(candidate)) < 0;
	LWLockRelease(refresh_lock);
	return wait;
}

void
LaunchForOthers()
{
	TimestampTz now = GetCurrentTimestamp();
	Errand errand = {nullptr, -1, 0};
	const Place *next;

	LWLockAcquire(refresh_lock, LW_EXCLUSIVE);
	next = NextSide();
	if (next != nullptr)
		errand = Assign(RequestAt(*next), now);
	LWLockRelease(refresh_lock);
	RunErrand(errand);
}

/*
 * A worker gives up its place before its process ends, so while we hold the lock no other process can
 * have its pid.  A worker that has not begun yet will find that nobody waits for it.  The requests of
 * the database are dropped, whether they have a worker or not.
 */
void
DismissWorkers(Oid database)
{
	if (refresh_state == nullptr)
		return;
	LWLockAcquire(refresh_lock, LW_EXCLUSIVE);
	for (Place &place : refresh_state->places)
	{
		if (place.stage != Stage::queued || RequestAt(place).database != database)
			continue;
		place.stage = Stage::free;
		Count(Counter::refreshes_skipped);
	}
	for (Worker &worker : refresh_state->workers)
	{
		if (worker.serial == 0 || worker.database != database)
			continue;
		if (worker.proc == nullptr)
			worker.serial = 0;
		else if (worker.proc->pid != 0)
			(void) kill(worker.proc->pid, SIGTERM);
	}
	LWLockRelease(refresh_lock);
}

} // namespace cq
