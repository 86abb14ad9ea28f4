/*
 * refresh_places.h
 *		The shared memory, under its lock.
 *
 * Part of refresh_queue.h.
 */
#pragma once

#include "pg.h"
#include "call/refresh_queue.h"

namespace cq
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

struct RefreshState
{
	uint64 last_serial;
	TimestampTz logged; /* that no worker could be started */
	Worker workers[kMaxRefreshWorkers];
	Turn turns[kTurns];
	Place places[kPlaces];
	Request requests[kPlaces]; /* of the places; apart, as looking for a hash is frequent */
};

extern RefreshState *refresh_state;
extern LWLock *refresh_lock;

/* How a request gets its worker. */
struct Errand
{
	PGPROC *wake;
	int launch; /* -1: none */
	uint64 serial;
};

/* --- refresh_queue.cpp */

/*
 * Wake the worker for a request that was queued, or reserve one: it goes to the side whose turn it is.
 * Lock held.
 */
extern Errand Assign(const Request &request, TimestampTz now);
/* False when it can't be had.  No lock held: a latch may be set of a process that has ended. */
extern bool RunErrand(const Errand &errand);

/* --- refresh_places.cpp */

extern Request &RequestAt(const Place &place);
extern Place *FindPlace(uint64 hash, TimestampTz now);
/* A free one, or one whose matter is over. */
extern Place *FreePlace(TimestampTz now);
extern bool Serves(const Worker &worker, const Request &request);
extern int WorkerFor(const Request &request);
/* The worker of this side goes.  Of many sides the one that was forgotten counts as never served. */
extern void EndTurn(const Worker &worker, TimestampTz now);
/* Of the requests that no worker serves: the oldest of the side that has waited longest for its turn. */
extern Place *NextSide();
/* Has the side of this request its share of the queue? */
extern bool SideIsFull(const Request &request);
/* A place for one more worker; -1 when there are as many as may be. */
extern int ReserveWorker(const Request &request, TimestampTz now);
/* Nobody will serve the requests of this worker that are still queued. */
extern void DropQueued(const Worker &worker, bool useless, TimestampTz now);
/* Queued for too long?  Then it is the caller's task. */
extern bool IsOverdue(const Place &place, TimestampTz now);
/* False when somebody else has taken it meanwhile. */
extern bool TakeBack(uint64 hash);
/* Queued, and no worker is there to take it? */
extern bool IsOrphaned(const Place &place);

} // namespace cq
