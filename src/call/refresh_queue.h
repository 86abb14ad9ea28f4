/*
 * refresh_queue.h
 *		Background refresh: requests in shared memory, and the workers that fulfil them.
 */
#pragma once

#include "pg.h"
#include "settings.h"
#include "validity/lookup.h"

namespace cq
{

/*
 * Ask a worker to refresh the entry of this look-up.  True: a worker will do it, or has failed a moment
 * ago; the entry is served as it is.  False: no worker can do it, so the caller must.
 */
extern bool RequestRefresh(const Lookup *lookup);

/* --- between the queue (refresh_queue.cpp) and the worker (refresh_worker.cpp) ------------------------------- */

constexpr uint32 kRequestBytes = 32 * 1024;
constexpr uint32 kRequestTag = 256;

/* What to refresh, for whom and as what. */
struct Request
{
	uint64 hash;
	Oid database;
	Oid session_user;
	Oid role;             /* current user of the call; session_user may become it */
	TimestampTz as_of;    /* of the entry: if there is a newer one, nothing is to be done */
	TimestampTz too_late; /* when the entry can no longer be served stale */
	int64 ttl_us;
	int64 fill_us;       /* what the entry's fill took */
	CallOptions options; /* without its tag, see below */
	uint32 key_length;
	uint32 query_length;
	uint32 settings_length;
	uint32 slots;    /* of definitions and explicit invalidations that the entry depends on */
	bool own_clock;  /* as_of is by this server's clock */
	uint64 position; /* of the entry; 0: it is from before the start of this server */
	char tag[kRequestTag + 1];
	char bytes[kRequestBytes]; /* the key, the text, the session's settings, then the slots */
};

inline uint64
BytesOf(const Request &request)
{
	return uint64{request.key_length} + request.query_length + request.settings_length +
		   uint64{request.slots} * sizeof(exact::SlotNo);
}

inline char *
QueryOf(Request *request)
{
	return request->bytes + request->key_length;
}

inline char *
SettingsOf(Request *request)
{
	return QueryOf(request) + request->query_length;
}

/* They are not aligned. */
inline char *
SlotsOf(Request *request)
{
	return SettingsOf(request) + request->settings_length;
}

enum class Refreshed
{
	done,
	failed,    /* the query raised an error: try again later */
	elsewhere, /* another server does it: look again later */
	unsuitable /* this worker can't do it: callers must */
};

enum class Fed
{
	taken,
	full,  /* no room now */
	barred /* a worker for its role and database could not even start, or none may */
};

/* A request that no call made (warm_start.cpp). */
extern Fed FeedRequest(const Request *request);

/* The worker whose place and serial these are has started; false: nobody waits for it any more. */
extern bool BeginWorker(int place, uint64 serial, Oid *database, Oid *session_user);
/* The next request for it, copied; false when there is none. */
extern bool NextRequest(int place, Request *to);
extern void EndRequest(int place, Refreshed outcome);
/* Give up the place if nobody asks for anything; false if somebody does. */
extern bool RetireWorker(int place);
/* Give it up in any case: it is the turn of others. */
extern void YieldWorker(int place);
/* The worker ends, at whatever point.  `useless`: it could not even connect. */
extern void WorkerGone(int place, uint64 serial, bool useless);
/* Requests that no worker serves and that could have one now. */
extern void LaunchForOthers();
extern bool OthersWait(int place);

/* Have the workers of a database end, whatever they do (workers/dismiss.cpp). */
extern void DismissWorkers(Oid database);

extern void RefreshRequestShmem();
extern void RefreshInitShmem();

} // namespace cq
