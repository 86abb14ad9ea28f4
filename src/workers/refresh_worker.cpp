/*
 * refresh_worker.cpp
 *		The process that refreshes cached results in the background.
 *
 * It connects to the database as the session user of the sessions that made its requests.  PostgreSQL
 * checks this connection like any other (LOGIN, CONNECT, limits).  The worker serves only this session
 * user, so whatever a query does, it cannot get a role that the requesting session could not have set.
 *
 * For each request it applies the settings of the requesting session.  It sets that session's current
 * role, if the session user is still a member of it.  Then it runs the call in a security-restricted
 * operation, as REFRESH MATERIALIZED VIEW does: no change of role, no temporary objects.  Privileges and
 * row security are checked for that role at this moment.
 *
 * Before the query runs, the worker builds the key again.  If it differs from the request's key in any
 * byte, this session differs from the requesting one in something that matters, and nothing is run.  But to
 * build the key is to plan the query, and that may run functions.  So nothing is done if a definition has changed that the
 * result depended on, and while the query is planned only functions that it depended on are run (known_code.h).
 */
#include "pg.h"
#include "call/answer.h"
#include "call/call.h"
#include "workers/refresh_worker.h"
#include "validity/known_code.h"
#include "validity/lookup.h"
#include "call/session_settings.h"
#include "call/singleflight.h"
#include "call/refresh_queue.h"
#include "query/handle.h"
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

/* DROP DATABASE waits five seconds for other sessions: both are shorter. */
constexpr int64 kIdleMs = 2000;
constexpr int64 kTurnMs = 500; /* then another database or role gets the place, if one waits */
constexpr int64 kLookMs = 200; /* how often DatabaseWanted() is asked */

int place = -1;
uint64 serial = 0;
bool connected = false;

void
GoneAtExit(int, Datum)
{
	WorkerGone(place, serial, !connected);
	LaunchForOthers();
}

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
	if (!view->automatic)
		call.options.consistency = Consistency::ttl;
	call.options.tag = request->tag;
	call.by_worker = true;
	return call;
}

/* The key of a statement without a call differs from that of a call of the same query. */
void
UseKeysOf(Handle *handle, bool automatic)
{
	MemoryContext caller;

	if (handle->automatic == automatic)
		return;
	caller = MemoryContextSwitchTo(handle->findings_context);
	handle->automatic = automatic;
	BuildKeyPrefix(handle, handle->parse_flags);
	MemoryContextSwitchTo(caller);
}

/* Explicit invalidation of all, by the key or by the tag, and who is a member of what: no code depends on these. */
bool
IsHarmless(const Request *request, exact::SlotNo slot)
{
	return slot == exact::kSlotClear ||
		   slot == exact::GroupSlot(exact::Group::unknown_role, InvalidOid) ||
		   slot == exact::GroupSlot(exact::Group::any_role, InvalidOid) ||
		   slot == exact::NamedSlot(exact::Named::key, request->database, &request->hash,
									sizeof(request->hash)) ||
		   (request->tag[0] != '\0' &&
			slot == exact::NamedSlot(exact::Named::tag, request->database, request->tag,
									 strlen(request->tag)));
}

/* Has no definition changed that the result depended on?  What is locked by now stays so until the end. */
bool
IsAsItWas(const Request *request, const exact::SlotNo *slots)
{
	const int64 age_ms = Max(GetCurrentTimestamp() - request->as_of, INT64CONST(0)) / 1000;
	exact::View view;
	uint32 count = 0;
	exact::SlotNo *asked = NewArray<exact::SlotNo>(request->slots);

	AcceptInvalidationMessages();
	if (exact::Look(&view) != exact::Standing::ok)
		return false;
	for (uint32 i = 0; i < request->slots; i++)
	{
		if (!IsHarmless(request, slots[i]))
			asked[count++] = slots[i];
	}
	if (request->position != 0)
		return exact::CheckAll(asked, count, view, request->position) == exact::SlotCheck::valid;
	return exact::CheckElsewhere(asked, count, view, exact::MonotonicMs() - age_ms,
								 request->own_clock) == exact::SlotCheck::valid;
}

/* Does the call have the request's key in this session? */
bool
SameKey(const Request *request, const Call &call, bool automatic)
{
	HeldHandle handle = GetHandle(call.query, call.query_length, call.args);
	ParamListInfo params = ParamsFromArgs(call.args, handle->params);
	Key key;
	bool same;

	UseKeysOf(&*handle, automatic);
	same = BuildKey(*handle, call.shape, params, &key) == Reason::none &&
		   key.length == request->key_length && memcmp(key.bytes, request->bytes, key.length) == 0;

	Release(&handle);
	return same;
}

/* Has another session refreshed the entry since the request, or is it doing so? */
bool
IsOver(const Request *request)
{
	Pin *pin = FindEntry(request->hash, request->bytes, request->key_length);
	bool newer = pin != nullptr && FactsOf(PinnedEntry(pin)).as_of > request->as_of;

	if (pin != nullptr)
		Unpin(pin);
	return newer || IsBeingFilled(request->hash);
}

/* Sets the role, if it still exists and the session user is a member of it. */
bool
TakeRole(const Request *request)
{
	if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(request->role)) ||
		!compat::MaySetRole(request->session_user, request->role))
		return false;
	SetUserIdAndSecContext(request->role, SECURITY_RESTRICTED_OPERATION);
	return true;
}

/* Inside a transaction.  *running is set from where on an error comes from the query. */
Refreshed
Refresh(Request *request, volatile bool *running)
{
	KeyView view;
	Call call;
	Answer answer;
	exact::SlotNo *slots;
	bool same;

	RestoreSessionSettings(SettingsOf(request), request->settings_length);
	if (!TakeRole(request))
		return Refreshed::unsuitable;
	if (StatementTimeout > 0)
		enable_timeout_after(STATEMENT_TIMEOUT, StatementTimeout);
	PushActiveSnapshot(GetTransactionSnapshot());
	call = CallOf(request, &view);
	pgstat_report_activity(STATE_RUNNING, call.query);
	*running = true;
	slots = NewArray<exact::SlotNo>(request->slots);
	memcpy(slots, SlotsOf(request), sizeof(exact::SlotNo) * request->slots);
	/* nothing that is kept from an earlier request may be planned again unseen */
	ForgetHandles();
	BeginKnownCode(slots, request->slots);
	same = IsAsItWas(request, slots) && SameKey(request, call, view.automatic) &&
		   IsAsItWas(request, slots);
	(void) EndKnownCode();
	if (!same)
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

/* Refresh() in a transaction of its own.  An error is logged and ends the transaction, not the process. */
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
		outcome = running && !EndKnownCode() ? Refreshed::failed : Refreshed::unsuitable;
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, nullptr);
	return outcome;
}

/* Ends the process if a command needs the database. */
void
Rest()
{
	workers::Wait(kLookMs);
	if (workers::DatabaseWanted())
		proc_exit(0);
}

bool
ServeNext(Request *request)
{
	if (!NextRequest(place, request))
		return false;
	EndRequest(place, RefreshSafely(request));
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
		Rest();
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
