/*
 * refresh_places.cpp
 *		The shared memory of background refresh: requests, workers, and whose turn it is.
 *
 * Part of refresh_queue.h.
 */
#include "pg.h"
#include "base/shared.h"
#include "call/refresh_places.h"
#include "call/refresh_queue.h"
#include "stats/stats.h"
#include "base/process.h"

namespace cq
{

RefreshState *refresh_state = nullptr;
LWLock *refresh_lock = nullptr;

const char *const tranche_name = "CachedQueryRefresh";

/* --- under the lock ------------------------------------------------------------------------- */

Request &
RequestAt(const Place &place)
{
	return refresh_state->requests[&place - refresh_state->places];
}

Place *
FindPlace(uint64 hash, TimestampTz now)
{
	for (Place &place : refresh_state->places)
	{
		if (place.stage != Stage::free && place.hash == hash &&
			(place.stage != Stage::resting || place.until > now))
			return &place;
	}
	return nullptr;
}

Place *
FreePlace(TimestampTz now)
{
	for (Place &place : refresh_state->places)
	{
		if (place.stage == Stage::queued && RequestAt(place).too_late <= now)
		{
			place.stage = Stage::free;
			Count(Counter::refreshes_skipped);
		}
		if (place.stage == Stage::free || (place.stage == Stage::resting && place.until <= now))
			return &place;
	}
	return nullptr;
}

bool
Serves(const Worker &worker, const Request &request)
{
	return worker.serial != 0 && worker.database == request.database &&
		   worker.session_user == request.session_user;
}

int
WorkerFor(const Request &request)
{
	for (int i = 0; i < kMaxRefreshWorkers; i++)
	{
		if (Serves(refresh_state->workers[i], request))
			return i;
	}
	return -1;
}

namespace
{

/* --- whose turn it is ------------------------------------------------------------------------- */

Turn *
FindTurn(Oid database, Oid session_user)
{
	for (Turn &turn : refresh_state->turns)
	{
		if (turn.database == database && turn.session_user == session_user)
			return &turn;
	}
	return nullptr;
}

} // namespace

void
EndTurn(const Worker &worker, TimestampTz now)
{
	Turn *turn = FindTurn(worker.database, worker.session_user);

	if (turn == nullptr)
	{
		turn = &refresh_state->turns[0];
		for (Turn &other : refresh_state->turns)
		{
			if (other.ended < turn->ended)
				turn = &other;
		}
	}
	*turn = {worker.database, worker.session_user, now};
}

namespace
{

TimestampTz
LastTurn(const Request &request)
{
	const Turn *turn = FindTurn(request.database, request.session_user);

	return turn != nullptr ? turn->ended : 0;
}

} // namespace

Place *
NextSide()
{
	Place *next = nullptr;

	for (Place &place : refresh_state->places)
	{
		const Request &request = RequestAt(place);
		TimestampTz turn;

		if (place.stage != Stage::queued || WorkerFor(request) >= 0)
			continue;
		turn = LastTurn(request);
		if (next == nullptr || turn < LastTurn(RequestAt(*next)) ||
			(turn == LastTurn(RequestAt(*next)) && place.queued < next->queued))
			next = &place;
	}
	return next;
}

bool
SideIsFull(const Request &request)
{
	int queued = 0;

	for (const Place &place : refresh_state->places)
		queued += place.stage == Stage::queued && RequestAt(place).database == request.database &&
				  RequestAt(place).session_user == request.session_user;
	return queued >= kSidePlaces;
}

namespace
{

/* --- workers -------------------------------------------------------------------------------- */

} // namespace

int
ReserveWorker(const Request &request, TimestampTz now)
{
	int running = 0;
	int place = -1;

	for (int i = kMaxRefreshWorkers - 1; i >= 0; i--)
	{
		Worker &worker = refresh_state->workers[i];

		if (worker.serial != 0 && worker.proc == nullptr && now - worker.launched > kStartLimit)
			worker.serial = 0;
		if (worker.serial != 0)
			running++;
		else
			place = i;
	}
	if (running >= settings::refresh_workers)
		return -1;
	refresh_state->workers[place] = {++refresh_state->last_serial, nullptr, now, request.database,
									 request.session_user};
	return place;
}

void
DropQueued(const Worker &worker, bool useless, TimestampTz now)
{
	for (Place &place : refresh_state->places)
	{
		if (place.stage != Stage::queued || !Serves(worker, RequestAt(place)))
			continue;
		Count(Counter::refreshes_skipped);
		place.stage = useless ? Stage::resting : Stage::free;
		place.failure = Refreshed::unsuitable;
		place.barred = useless;
		place.until = now + kRestUnsuitable;
	}
}

bool
IsOverdue(const Place &place, TimestampTz now)
{
	return place.stage == Stage::queued &&
		   now - place.queued > Max(kBeginWithin, RequestAt(place).fill_us);
}

bool
TakeBack(uint64 hash)
{
	TimestampTz now = GetCurrentTimestamp();
	bool overdue;
	Place *place;

	LWLockAcquire(refresh_lock, LW_EXCLUSIVE);
	place = FindPlace(hash, now);
	overdue = place != nullptr && IsOverdue(*place, now);
	if (overdue)
		place->stage = Stage::free;
	LWLockRelease(refresh_lock);
	if (overdue)
		Count(Counter::refreshes_skipped);
	return overdue;
}

bool
IsOrphaned(const Place &place)
{
	return place.stage == Stage::queued && WorkerFor(RequestAt(place)) < 0;
}

/* --- shared memory --------------------------------------------------------------------------- */

void
RefreshRequestShmem()
{
	RequestShared(sizeof(RefreshState));
	RequestNamedLWLockTranche(tranche_name, 1);
}

void
RefreshInitShmem()
{
	refresh_state = MakeOrFindShared<RefreshState>("cached_query refresh requests",
												   sizeof(RefreshState), [](RefreshState *made) {
													   made->last_serial = 0;
													   made->logged = 0;
													   for (Worker &worker : made->workers)
														   worker = {};
													   for (Turn &turn : made->turns)
														   turn = {};
													   for (Place &place : made->places)
													   {
														   place.stage = Stage::free;
														   place.worker = -1;
													   }
												   });
	refresh_lock = &GetNamedLWLockTranche(tranche_name)->lock;
}

} // namespace cq
