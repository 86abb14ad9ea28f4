/*
 * refresh_worker.cpp
 *		The process that refreshes answers in the background.
 *
 * It connects to the database as the session user of those who asked, with all that PostgreSQL
 * checks of a connection (LOGIN, CONNECT, limits), and serves no one else: whatever the text of a
 * query contrives, it can become nobody whom the asking session could not have become.  For each
 * request it sets that session's settings, takes its current role if the session user is still a
 * member of it, and runs the call in a security-restricted operation, as REFRESH MATERIALIZED VIEW
 * does: no change of role, no temporary objects.  Permissions and row security are those of that
 * role at this moment.
 *
 * Then it makes the key anew.  If that is not byte for byte the key of the request, this session
 * is not what the other one was, and nothing is run.
 */
#include "pg.h"
#include "call/answer.h"
#include "call/call.h"
#include "workers/refresh_worker.h"
#include "validity/lookup.h"
#include "call/session_settings.h"
#include "call/singleflight.h"
#include "call/refresh_queue.h"
#include "stats/stats.h"
#include "base/process.h"

extern "C" {
#include "postmaster/bgworker.h"
#include "utils/timeout.h"
}

namespace cq
{
namespace
{

/* Less than DROP DATABASE waits for others to go. */
constexpr int64 kIdleMs = 2000;
constexpr int64 kTurnMs = 500; /* then it is others' turn, if there are such */
constexpr int64 kLookMs = 200; /* how often it is asked whether somebody wants the database */

int place = -1;
uint64 serial = 0;
bool connected = false;

void
GoneAtExit(int, Datum)
{
	WorkerGone(place, serial, !connected);
	LaunchForOthers();
}

/* The call that the request stands for. */
Call
CallOf(Request *request, KeyView *view)
{
	Call call = {};

	*view = ReadKeyBytes(request->bytes, request->key_length);
	call.query = pnstrdup(QueryOf(request), request->query_length);
	call.query_length = static_cast<int>(request->query_length);
	call.args = ReadKeyArgs(view);
	call.ttl_us = request->ttl_us;
	call.shape = view->shape;
	call.options = request->options;
	call.options.mode = Mode::refresh;
	call.options.consistency = Consistency::ttl;
	call.options.tag = request->tag;
	call.by_worker = true;
	return call;
}

/* Would the call be filed under the request's key? */
bool
SameKey(const Request *request, const Call &call)
{
	HeldHandle handle = GetHandle(call.query, call.query_length, call.args);
	ParamListInfo params = ParamsFromArgs(call.args, handle->params);
	Key key;
	bool same = BuildKey(*handle, call.shape, params, &key) == Reason::none &&
				key.length == request->key_length &&
				memcmp(key.bytes, request->bytes, key.length) == 0;

	Release(&handle);
	return same;
}

/* Has somebody refreshed it meanwhile, or is about to? */
bool
IsOver(const Request *request)
{
	Pin *pin = FindEntry(request->hash, request->bytes, request->key_length);
	bool newer = pin != nullptr && FactsOf(PinnedEntry(pin)).as_of > request->as_of;

	if (pin != nullptr)
		Unpin(pin);
	return newer || IsBeingFilled(request->hash);
}

/* May this session be the role? */
bool
TakeRole(const Request *request)
{
	if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(request->role)) ||
		!compat::MaySetRole(request->session_user, request->role))
		return false;
	SetUserIdAndSecContext(request->role, SECURITY_RESTRICTED_OPERATION);
	return true;
}

/* Inside a transaction; `running` is set when an error is the query's own. */
Refreshed
Refresh(Request *request, volatile bool *running)
{
	KeyView view;
	Call call;
	Answer answer;

	RestoreSessionSettings(SettingsOf(request), request->settings_length);
	if (!TakeRole(request))
		return Refreshed::unsuitable;
	if (StatementTimeout > 0)
		enable_timeout_after(STATEMENT_TIMEOUT, StatementTimeout);
	PushActiveSnapshot(GetTransactionSnapshot());
	call = CallOf(request, &view);
	pgstat_report_activity(STATE_RUNNING, call.query);
	*running = true;
	if (!SameKey(request, call))
	{
		PopActiveSnapshot();
		return Refreshed::unsuitable;
	}
	AnswerCall(call, CurrentMemoryContext, &answer);
	EndAnswer(&answer);
	PopActiveSnapshot();
	if (answer.reason == Reason::miss_refresh || answer.reason == Reason::redis_hit)
		return Refreshed::done;
	if (answer.reason == Reason::stale_hit)
		return Refreshed::elsewhere;
	return Describe(answer.reason).kind == Kind::miss ? Refreshed::failed : Refreshed::unsuitable;
}

void
CountRefresh(Refreshed outcome, bool ran)
{
	if (outcome == Refreshed::elsewhere)
		Count(Counter::refreshes_skipped);
	else if (outcome != Refreshed::done)
		Count(Counter::refresh_failures);
	else if (ran)
		Count(Counter::refreshes);
}

/* The same with its transaction; an error is logged as any session's would be. */
Refreshed
RefreshSafely(Request *request)
{
	MemoryContext caller = CurrentMemoryContext;
	volatile Refreshed outcome = Refreshed::unsuitable;
	volatile bool running = false;

	SetCurrentStatementStartTimestamp();
	PG_TRY();
	{
		StartTransactionCommand();
		outcome = IsOver(request) ? Refreshed::done : Refresh(request, &running);
		disable_timeout(STATEMENT_TIMEOUT, false);
		SetUserIdAndSecContext(GetSessionUserId(), 0);
		CommitTransactionCommand();
		CountRefresh(outcome, running);
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		disable_all_timeouts(false);
		QueryCancelPending = false;
		EmitErrorReport();
		AbortCurrentTransaction();
		MemoryContextSwitchTo(caller);
		FlushErrorState();
		Count(Counter::refresh_failures);
		outcome = running ? Refreshed::failed : Refreshed::unsuitable;
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, nullptr);
	return outcome;
}

/* Not longer at a time than DROP DATABASE may have to wait. */
void
Rest(int64 ms)
{
	workers::Wait(Min(ms, kLookMs));
	if (workers::DatabaseWanted())
		proc_exit(0);
}

void
RestUntil(TimestampTz end)
{
	int64 left;

	while ((left = (end - GetCurrentTimestamp()) / 1000) > 0)
		Rest(left);
}

/* Work and rest, as cached_query.refresh_load divides the time. */
bool
ServeNext(Request *request)
{
	TimestampTz start;
	TimestampTz end;

	if (!NextRequest(place, request))
		return false;
	start = GetCurrentTimestamp();
	EndRequest(place, RefreshSafely(request));
	end = GetCurrentTimestamp();
	RestUntil(end + (end - start) * (100 - settings::refresh_load) / settings::refresh_load);
	return true;
}

void
Serve()
{
	Request *request =
		static_cast<Request *>(MemoryContextAlloc(TopMemoryContext, sizeof(Request)));
	MemoryContext context =
		AllocSetContextCreate(TopMemoryContext, "CachedQueryRefresh", ALLOCSET_DEFAULT_SIZES);
	const TimestampTz began = GetCurrentTimestamp();
	TimestampTz last = began;

	for (;;)
	{
		MemoryContextSwitchTo(context);
		MemoryContextReset(context);
		workers::Interrupts();
		if (workers::DatabaseWanted())
			return;
		if (ServeNext(request))
		{
			last = GetCurrentTimestamp();
			if (last - began < kTurnMs * 1000 || !OthersWait(place))
				continue;
			YieldWorker(place);
			return;
		}
		if ((OthersWait(place) || GetCurrentTimestamp() - last >= kIdleMs * 1000) &&
			RetireWorker(place))
			return;
		Rest(kLookMs);
	}
}

} // namespace
} // namespace cq

void
cached_query_refresh_worker(Datum arg)
{
	using namespace cq;
	Oid database;
	Oid session_user;

	place = DatumGetInt32(arg);
	memcpy(&serial, MyBgworkerEntry->bgw_extra, sizeof(serial));
	workers::BeginListening(workers::kRefreshWorker);
	on_shmem_exit(GoneAtExit, static_cast<Datum>(0));
	if (!BeginWorker(place, serial, &database, &session_user))
		return;
	workers::JoinDatabase(database, session_user);
	connected = true;
	Serve();
}
