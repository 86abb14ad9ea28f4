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
 * worker has begun in time is the next caller's task: an entry doesn't grow older for want of one.
 *
 * Locking: one LWLock (tranche CachedQueryRefresh) protects everything here; it is taken when no
 * other of ours is held, and nothing under it raises, waits or allocates.
 */
#include "pg.h"
#include "call/refresh_places.h"
#include "validity/lookup.h"
#include "validity/meta.h"
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

/* --- starting a worker ---------------------------------------------------------------------- */

/* No place in max_worker_processes: said once an hour. */
void
LogNoWorker()
{
	TimestampTz now = GetCurrentTimestamp();
	bool again;

	LWLockAcquire(refresh_lock, LW_EXCLUSIVE);
	again = now - refresh_state->logged >= kLogAgain;
	if (again)
		refresh_state->logged = now;
	LWLockRelease(refresh_lock);
	if (again)
		ereport(LOG, (errmsg("could not start a refresh worker of cached_query"),
					  errhint("You may need to increase max_worker_processes. Until then callers "
							  "refresh expired entries themselves.")));
}

/* For a place that was reserved.  False: its requests are dropped. */
bool
Launch(int place, uint64 serial)
{
	if (workers::StartNow(workers::kRefreshWorker, Int32GetDatum(place), &serial, sizeof(serial)))
		return true;
	WorkerGone(place, serial, true);
	LogNoWorker();
	return false;
}

/* --- making a request ----------------------------------------------------------------------- */

/* Is this earlier request enough, so that the caller need not make one? */
bool
IsServed(const Place &place)
{
	return place.stage != Stage::resting || place.failure != Refreshed::unsuitable;
}

/* Everything but the bytes; false when the worker could not be what the caller is. */
bool
Describe(const Lookup *lookup, Request *request)
{
	const Call &call = *lookup->call;
	int64 life = LifeFor(call);

	request->hash = lookup->key.hash;
	request->database = MyDatabaseId;
	request->session_user = GetSessionUserId();
	request->role = GetUserId();
	request->as_of = lookup->as_of;
	request->too_late = life > DT_NOEND - lookup->as_of ? DT_NOEND : lookup->as_of + life;
	request->ttl_us = call.ttl_us;
	request->fill_us = lookup->fill_us;
	request->options = call.options;
	request->options.tag = nullptr;
	strlcpy(request->tag, call.options.tag, sizeof(request->tag));
	return request->role == request->session_user ||
		   compat::MaySetRole(request->session_user, request->role);
}

/* What the entry depends on; false: it is gone. */
bool
DependenciesOf(const Lookup *lookup, Request *request, Meta *meta)
{
	Pin *pin = FindEntry(lookup->key.hash, lookup->key.bytes, lookup->key.length);

	if (pin == nullptr)
		return false;
	*meta = ReadEntryMeta(PinnedEntry(pin));
	request->position = FactsOf(PinnedEntry(pin)).pos;
	request->slots = meta->head.slots;
	Unpin(pin);
	return true;
}

/* The request in one piece; nullptr when no worker could fulfil it. */
Request *
MakeRequest(const Lookup *lookup)
{
	Request *request = NewZeroed<Request>();
	StringInfoData settings;
	Meta meta;

	if (!CanRunElsewhere(*lookup) || !Describe(lookup, request) ||
		!DependenciesOf(lookup, request, &meta))
		return nullptr;
	initStringInfo(&settings);
	AppendSessionSettings(&settings);
	request->key_length = lookup->key.length;
	request->query_length = static_cast<uint32>(lookup->call->query_length);
	request->settings_length = static_cast<uint32>(settings.len);
	if (BytesOf(*request) > kRequestBytes)
		return nullptr;
	memcpy(request->bytes, lookup->key.bytes, request->key_length);
	memcpy(QueryOf(request), lookup->call->query, request->query_length);
	memcpy(SettingsOf(request), settings.data, request->settings_length);
	memcpy(SlotsOf(request), meta.slots, sizeof(exact::SlotNo) * request->slots);
	return request;
}

} // namespace

Errand
Assign(const Request &request, TimestampTz now)
{
	Errand errand = {nullptr, -1, 0};
	int worker = WorkerFor(request);

	if (worker >= 0)
		errand.wake = refresh_state->workers[worker].proc;
	else
		errand.launch = ReserveWorker(RequestAt(*NextSide()), now);
	if (errand.launch >= 0)
		errand.serial = refresh_state->workers[errand.launch].serial;
	return errand;
}

bool
RunErrand(const Errand &errand)
{
	if (errand.wake != nullptr)
		SetLatch(&errand.wake->procLatch);
	return errand.launch < 0 || Launch(errand.launch, errand.serial);
}

namespace
{

Fed
Enqueue(const Request *request)
{
	TimestampTz now = GetCurrentTimestamp();
	Errand errand = {nullptr, -1, 0};
	const Place *known;
	Place *place = nullptr;
	bool served;

	LWLockAcquire(refresh_lock, LW_EXCLUSIVE);
	known = FindPlace(request->hash, now);
	if (known != nullptr)
		served = IsServed(*known);
	else
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
	LWLockRelease(refresh_lock);
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

	LWLockAcquire(refresh_lock, LW_SHARED);
	for (const Place &place : refresh_state->places)
	{
		queued += place.stage == Stage::queued;
		barred |= place.stage == Stage::resting && place.barred && place.until > now &&
				  RequestAt(place).database == request.database &&
				  RequestAt(place).session_user == request.session_user;
	}
	LWLockRelease(refresh_lock);
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
RequestRefresh(const Lookup *lookup)
{
	const TimestampTz now = GetCurrentTimestamp();
	const Place *place;
	bool known;
	bool served;
	bool orphaned;
	bool overdue;
	Request *request;
	Fed fed;

	if (settings::refresh_workers == 0 || workers::ServesNobody())
		return false;
	LWLockAcquire(refresh_lock, LW_SHARED);
	/* looked up once, as of one moment: a place that rests now may be free a moment later */
	place = FindPlace(lookup->key.hash, now);
	known = place != nullptr;
	served = known && IsServed(*place);
	orphaned = known && IsOrphaned(*place);
	overdue = known && IsOverdue(*place, now);
	LWLockRelease(refresh_lock);
	if (overdue)
		return !TakeBack(lookup->key.hash);
	if (orphaned)
		LaunchForOthers();
	if (known)
		return served;
	request = MakeRequest(lookup);
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

} // namespace cq
