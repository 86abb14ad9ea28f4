/*
 * refresh_queue.cpp
 *		Background refresh: the queue of requests, and which worker serves whom.
 *
 * A request is made by a call that was about to hand out the entry: its role may read it, it runs
 * under these settings, and what a worker will do is what the call itself would have done.  The
 * worker connects as the call's session user, in its database; nothing is run under a role that
 * this user could not become.
 *
 * A place in the queue stays taken, under the hash of its key, from the request to its end, and
 * after a failure for a moment, so that a query that fails is not tried a hundred times a second.
 * Equal hashes of unequal keys make one refresh wait for the other.
 *
 * Nobody can keep the workers to himself.  A side, that is a database and a session user, gets them by
 * turns when there are fewer workers than sides, and may not take all of the queue.  And what no
 * worker has begun in time is the next caller's task: an answer doesn't grow older for want of one.
 *
 * Locking: one LWLock (tranche CachedQueryRefresh) protects everything here; it is taken when no
 * other of ours is held, and nothing under it raises, waits or allocates.
 */
#include "pg.h"
#include "validity/lookup.h"
#include "call/session_settings.h"
#include "call/refresh_queue.h"
#include "stats/stats.h"
#include "base/process.h"

extern "C" {
#include "storage/latch.h"
}

namespace cq
{
namespace
{

constexpr int kPlaces = 64;
constexpr int kFeedPlaces = 8; /* of these for requests that no call made */
constexpr int64 kRestFailed = USECS_PER_SEC;
constexpr int64 kRestUnsuitable = 60 * USECS_PER_SEC;
constexpr int64 kStartLimit = 60 * USECS_PER_SEC; /* a worker that never began is forgotten */
constexpr int64 kLogAgain = USECS_PER_HOUR;
constexpr int64 kBeginWithin = USECS_PER_SEC; /* or as long as the fill takes */
constexpr int kSidePlaces = 48;               /* of the queue, for one side */
constexpr int kTurns = 32;
const char *const tranche_name = "CachedQueryRefresh";

enum class Stage : uint8
{
	free,
	queued,
	running,
	resting /* failed: not again before `until` */
};

struct Place
{
	Stage stage;
	Refreshed failure; /* resting: why */
	bool barred;       /* resting: its worker could not start */
	int worker;        /* running: whose */
	TimestampTz until;
	TimestampTz queued;
	uint64 hash;
};

struct Worker
{
	uint64 serial; /* 0: free */
	PGPROC *proc;  /* nullptr: it has not begun yet */
	TimestampTz launched;
	Oid database;
	Oid session_user;
};

/* When a side had a worker last. */
struct Turn
{
	Oid database; /* InvalidOid: unused */
	Oid session_user;
	TimestampTz ended;
};

struct Shared
{
	uint64 last_serial;
	TimestampTz logged; /* that no worker could be started */
	Worker workers[kMaxRefreshWorkers];
	Turn turns[kTurns];
	Place places[kPlaces];
	Request requests[kPlaces]; /* of the places; apart, as looking for a hash is frequent */
};

Shared *shared = nullptr;
LWLock *lock = nullptr;

/* --- under the lock ------------------------------------------------------------------------- */

Request &
RequestAt(const Place &place)
{
	return shared->requests[&place - shared->places];
}

Place *
FindPlace(uint64 hash, TimestampTz now)
{
	for (Place &place : shared->places)
	{
		if (place.stage != Stage::free && place.hash == hash &&
			(place.stage != Stage::resting || place.until > now))
			return &place;
	}
	return nullptr;
}

/* A free one, or one whose matter is over. */
Place *
FreePlace(TimestampTz now)
{
	for (Place &place : shared->places)
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
		if (Serves(shared->workers[i], request))
			return i;
	}
	return -1;
}

/* --- whose turn it is ------------------------------------------------------------------------- */

Turn *
FindTurn(Oid database, Oid session_user)
{
	for (Turn &turn : shared->turns)
	{
		if (turn.database == database && turn.session_user == session_user)
			return &turn;
	}
	return nullptr;
}

/* The worker of this side goes.  Of many sides the one that was forgotten counts as never served. */
void
EndTurn(const Worker &worker, TimestampTz now)
{
	Turn *turn = FindTurn(worker.database, worker.session_user);

	if (turn == nullptr)
	{
		turn = &shared->turns[0];
		for (Turn &other : shared->turns)
		{
			if (other.ended < turn->ended)
				turn = &other;
		}
	}
	*turn = {worker.database, worker.session_user, now};
}

TimestampTz
LastTurn(const Request &request)
{
	const Turn *turn = FindTurn(request.database, request.session_user);

	return turn != nullptr ? turn->ended : 0;
}

/* Of the requests that no worker serves: the oldest of the side that has waited longest for its turn. */
Place *
NextSide()
{
	Place *next = nullptr;

	for (Place &place : shared->places)
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

/* Has the side of this request its share of the queue? */
bool
SideIsFull(const Request &request)
{
	int queued = 0;

	for (const Place &place : shared->places)
		queued += place.stage == Stage::queued && RequestAt(place).database == request.database &&
				  RequestAt(place).session_user == request.session_user;
	return queued >= kSidePlaces;
}

/* --- workers -------------------------------------------------------------------------------- */

/* A place for one more worker; -1 when there are as many as may be. */
int
ReserveWorker(const Request &request, TimestampTz now)
{
	int running = 0;
	int place = -1;

	for (int i = kMaxRefreshWorkers - 1; i >= 0; i--)
	{
		Worker &worker = shared->workers[i];

		if (worker.serial != 0 && worker.proc == nullptr && now - worker.launched > kStartLimit)
			worker.serial = 0;
		if (worker.serial != 0)
			running++;
		else
			place = i;
	}
	if (running >= settings::refresh_workers)
		return -1;
	shared->workers[place] = {++shared->last_serial, nullptr, now, request.database,
							  request.session_user};
	return place;
}

/* Nobody will serve the requests of this worker that are still queued. */
void
DropQueued(const Worker &worker, bool useless, TimestampTz now)
{
	for (Place &place : shared->places)
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

/* --- starting a worker ---------------------------------------------------------------------- */

/* No place in max_worker_processes: said once an hour. */
void
LogNoWorker()
{
	TimestampTz now = GetCurrentTimestamp();
	bool again;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	again = now - shared->logged >= kLogAgain;
	if (again)
		shared->logged = now;
	LWLockRelease(lock);
	if (again)
		ereport(LOG, (errmsg("could not start a refresh worker of cached_query"),
					  errhint("You may need to increase max_worker_processes. Until then callers "
							  "refresh expired answers themselves.")));
}

const workers::Process refresher = {"cached_query refresh worker", "cached_query_refresh_worker",
									-1};

/* For a place that was reserved.  False: its requests are dropped. */
bool
Launch(int place, uint64 serial)
{
	if (workers::StartNow(refresher, Int32GetDatum(place), &serial, sizeof(serial)))
		return true;
	WorkerGone(place, serial, true);
	LogNoWorker();
	return false;
}

/* --- making a request ----------------------------------------------------------------------- */

/* Already asked for?  Then *served tells whether the caller may leave it at that. */
bool
IsKnown(uint64 hash, bool *served)
{
	const Place *place = FindPlace(hash, GetCurrentTimestamp());

	if (place != nullptr)
		*served = place->stage != Stage::resting || place->failure != Refreshed::unsuitable;
	return place != nullptr;
}

/* Queued for too long?  Then it is the caller's task. */
bool
IsOverdue(const Place *place, TimestampTz now)
{
	return place != nullptr && place->stage == Stage::queued &&
		   now - place->queued > Max(kBeginWithin, RequestAt(*place).fill_us);
}

/* False when somebody else has taken it meanwhile. */
bool
TakeBack(uint64 hash)
{
	TimestampTz now = GetCurrentTimestamp();
	bool overdue;
	Place *place;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	place = FindPlace(hash, now);
	overdue = IsOverdue(place, now);
	if (overdue)
		place->stage = Stage::free;
	LWLockRelease(lock);
	if (overdue)
		Count(Counter::refreshes_skipped);
	return overdue;
}

/* Queued, and no worker is there to take it? */
bool
IsOrphaned(uint64 hash)
{
	const Place *place = FindPlace(hash, GetCurrentTimestamp());

	return place->stage == Stage::queued && WorkerFor(RequestAt(*place)) < 0;
}

/* Everything but the bytes; false when the worker could not be what the caller is. */
bool
Describe(const Attempt *attempt, Request *request)
{
	const Call &call = *attempt->call;
	int64 life = LifeFor(call);

	request->hash = attempt->key.hash;
	request->database = MyDatabaseId;
	request->session_user = GetSessionUserId();
	request->role = GetUserId();
	request->as_of = attempt->as_of;
	request->too_late = life > DT_NOEND - attempt->as_of ? DT_NOEND : attempt->as_of + life;
	request->ttl_us = call.ttl_us;
	request->fill_us = attempt->fill_us;
	request->stale_for_ms = call.options.stale_for_ms;
	request->min_fill_time_ms = call.options.min_fill_time_ms;
	request->store = call.options.store;
	request->redis_lease_ms = call.options.redis_lease_ms;
	strlcpy(request->tag, call.options.tag, sizeof(request->tag));
	return request->role == request->session_user ||
		   compat::MaySetRole(request->session_user, request->role);
}

/* The request in one piece; nullptr when no worker could fulfil it. */
Request *
MakeRequest(const Attempt *attempt)
{
	Request *request = static_cast<Request *>(palloc0(sizeof(Request)));
	StringInfoData settings;

	if (!attempt->examined->params_lasting || !Describe(attempt, request))
		return nullptr;
	initStringInfo(&settings);
	AppendSessionSettings(&settings);
	request->key_length = attempt->key.length;
	request->query_length = static_cast<uint32>(attempt->call->query_length);
	request->settings_length = static_cast<uint32>(settings.len);
	if (BytesOf(*request) > kRequestBytes)
		return nullptr;
	memcpy(request->bytes, attempt->key.bytes, request->key_length);
	memcpy(QueryOf(request), attempt->call->query, request->query_length);
	memcpy(SettingsOf(request), settings.data, request->settings_length);
	return request;
}

/* How a request gets its worker. */
struct Errand
{
	PGPROC *wake;
	int launch; /* -1: none */
	uint64 serial;
};

/*
 * Wake the worker for a request that was queued, or reserve one: it goes to the side whose turn it is.
 * Lock held.
 */
Errand
Assign(const Request &request, TimestampTz now)
{
	Errand errand = {nullptr, -1, 0};
	int worker = WorkerFor(request);

	if (worker >= 0)
		errand.wake = shared->workers[worker].proc;
	else
		errand.launch = ReserveWorker(RequestAt(*NextSide()), now);
	if (errand.launch >= 0)
		errand.serial = shared->workers[errand.launch].serial;
	return errand;
}

/* False when it can't be had.  No lock held: a latch may be set of a process that has ended. */
bool
RunErrand(const Errand &errand)
{
	if (errand.wake != nullptr)
		SetLatch(&errand.wake->procLatch);
	return errand.launch < 0 || Launch(errand.launch, errand.serial);
}

Fed
Enqueue(const Request *request)
{
	TimestampTz now = GetCurrentTimestamp();
	Errand errand = {nullptr, -1, 0};
	bool served = true;
	Place *place = nullptr;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	if (!IsKnown(request->hash, &served))
	{
		place = SideIsFull(*request) ? nullptr : FreePlace(now);
		served = place != nullptr;
		if (served)
		{
			RequestAt(*place) = *request;
			place->hash = request->hash;
			place->queued = now;
			place->stage = Stage::queued;
			errand = Assign(*request, now);
		}
	}
	LWLockRelease(lock);
	if (place == nullptr)
		return served ? Fed::taken : Fed::full;
	return RunErrand(errand) ? Fed::taken : Fed::barred;
}

/* May a request that nobody waits for be queued? */
Fed
MayFeed(const Request &request)
{
	TimestampTz now = GetCurrentTimestamp();
	bool barred = false;
	int queued = 0;

	LWLockAcquire(lock, LW_SHARED);
	for (const Place &place : shared->places)
	{
		queued += place.stage == Stage::queued;
		barred |= place.stage == Stage::resting && place.barred && place.until > now &&
				  RequestAt(place).database == request.database &&
				  RequestAt(place).session_user == request.session_user;
	}
	LWLockRelease(lock);
	if (barred)
		return Fed::barred;
	return queued < kFeedPlaces ? Fed::taken : Fed::full;
}

} // namespace

Fed
FeedRequest(const Request *request)
{
	Fed outcome = settings::refresh_workers == 0 ? Fed::barred : MayFeed(*request);

	return outcome == Fed::taken ? Enqueue(request) : outcome;
}

bool
RequestRefresh(const Attempt *attempt)
{
	bool served = true;
	bool known;
	bool orphaned;
	bool overdue;
	Request *request;
	Fed fed;

	if (settings::refresh_workers == 0 || workers::ServesNobody())
		return false;
	LWLockAcquire(lock, LW_SHARED);
	known = IsKnown(attempt->key.hash, &served);
	orphaned = known && IsOrphaned(attempt->key.hash);
	overdue = known && IsOverdue(FindPlace(attempt->key.hash, attempt->now), GetCurrentTimestamp());
	LWLockRelease(lock);
	if (overdue)
		return !TakeBack(attempt->key.hash);
	if (orphaned)
		LaunchForOthers();
	if (known)
		return served;
	request = MakeRequest(attempt);
	if (request == nullptr)
	{
		Count(Counter::refreshes_skipped);
		return false;
	}
	fed = Enqueue(request);
	pfree(request);
	if (fed == Fed::full)
		Count(Counter::refreshes_skipped);
	return fed == Fed::taken;
}

/* --- for the worker -------------------------------------------------------------------------- */

bool
BeginWorker(int place, uint64 serial, Oid *database, Oid *session_user)
{
	Worker &worker = shared->workers[place];
	bool wanted;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	wanted = worker.serial == serial;
	if (wanted)
		worker.proc = MyProc;
	*database = worker.database;
	*session_user = worker.session_user;
	LWLockRelease(lock);
	return wanted;
}

/* The one that has waited for the longest time. */
bool
NextRequest(int place, Request *to)
{
	const Worker &worker = shared->workers[place];
	TimestampTz now = GetCurrentTimestamp();
	Place *next = nullptr;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (Place &candidate : shared->places)
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
	LWLockRelease(lock);
	return next != nullptr;
}

void
EndRequest(int worker, Refreshed outcome)
{
	TimestampTz now = GetCurrentTimestamp();

	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (Place &place : shared->places)
	{
		if (place.stage != Stage::running || place.worker != worker)
			continue;
		place.stage = outcome == Refreshed::done ? Stage::free : Stage::resting;
		place.failure = outcome;
		place.barred = false;
		place.until = now + (outcome == Refreshed::unsuitable ? kRestUnsuitable : kRestFailed);
	}
	LWLockRelease(lock);
}

bool
RetireWorker(int place)
{
	Worker &worker = shared->workers[place];
	bool asked = false;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (const Place &candidate : shared->places)
		asked |= candidate.stage == Stage::queued && Serves(worker, RequestAt(candidate));
	if (!asked)
	{
		EndTurn(worker, GetCurrentTimestamp());
		worker.serial = 0;
	}
	LWLockRelease(lock);
	return !asked;
}

void
YieldWorker(int place)
{
	Worker &worker = shared->workers[place];

	LWLockAcquire(lock, LW_EXCLUSIVE);
	EndTurn(worker, GetCurrentTimestamp());
	worker.serial = 0;
	LWLockRelease(lock);
}

void
WorkerGone(int place, uint64 serial, bool useless)
{
	Worker &worker = shared->workers[place];
	TimestampTz now = GetCurrentTimestamp();

	LWLockAcquire(lock, LW_EXCLUSIVE);
	if (worker.serial == serial)
	{
		for (Place &running : shared->places)
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
	LWLockRelease(lock);
}

bool
OthersWait(int place)
{
	const Worker &worker = shared->workers[place];
	bool wait = false;

	LWLockAcquire(lock, LW_SHARED);
	for (const Place &candidate : shared->places)
		wait |= candidate.stage == Stage::queued && !Serves(worker, RequestAt(candidate)) &&
				WorkerFor(RequestAt(candidate)) < 0;
	LWLockRelease(lock);
	return wait;
}

void
LaunchForOthers()
{
	TimestampTz now = GetCurrentTimestamp();
	Errand errand = {nullptr, -1, 0};
	const Place *next;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	next = NextSide();
	if (next != nullptr)
		errand = Assign(RequestAt(*next), now);
	LWLockRelease(lock);
	RunErrand(errand);
}

/*
 * A worker gives up its place before its process ends, so the lock keeps its pid its own.  One that has not
 * begun yet finds that nobody waits for it.  The requests go whether a worker is there for their side or not.
 */
void
DismissWorkers(Oid database)
{
	if (shared == nullptr)
		return;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (Place &place : shared->places)
	{
		if (place.stage != Stage::queued || RequestAt(place).database != database)
			continue;
		place.stage = Stage::free;
		Count(Counter::refreshes_skipped);
	}
	for (Worker &worker : shared->workers)
	{
		if (worker.serial == 0 || worker.database != database)
			continue;
		if (worker.proc == nullptr)
			worker.serial = 0;
		else if (worker.proc->pid != 0)
			(void) kill(worker.proc->pid, SIGTERM);
	}
	LWLockRelease(lock);
}

/* --- shared memory --------------------------------------------------------------------------- */

void
RefreshRequestShmem()
{
	RequestAddinShmemSpace(sizeof(Shared));
	RequestNamedLWLockTranche(tranche_name, 1);
}

void
RefreshInitShmem()
{
	bool found;

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = static_cast<Shared *>(
		ShmemInitStruct("cached_query refresh requests", sizeof(Shared), &found));
	lock = &GetNamedLWLockTranche(tranche_name)->lock;
	if (!found)
	{
		shared->last_serial = 0;
		shared->logged = 0;
		for (Worker &worker : shared->workers)
			worker = {};
		for (Turn &turn : shared->turns)
			turn = {};
		for (Place &place : shared->places)
		{
			place.stage = Stage::free;
			place.worker = -1;
		}
	}
	LWLockRelease(AddinShmemInitLock);
}

} // namespace cq
