/*
 * route.cpp
 *		Choosing the server, following redirections, and what is tried when one fails.
 */
#include "pg.h"
#include "redis/cluster.h"
#include "redis/route.h"
#include "redis/route_internal.h"
#include "redis/sentinel.h"
#include "redis/settings.h"
#include "redis/slot.h"

extern "C" {
#include "storage/latch.h"
}

namespace cq::redis
{
namespace
{

constexpr int kMaxConnections = 64;
constexpr int kMaxHops = 16; /* without any progress */
constexpr int64 kPauseMs = 20;

Connection *connections[kMaxConnections];
Connection *busy = nullptr; /* a request is going on on this one */
uint64 uses = 0;
uint32 version = 0; /* url_version that the connections belong to */
uint64 traffic_in = 0;
uint64 traffic_out = 0;

bool
Equal(const Endpoint &a, const Endpoint &b)
{
	return a.sentinel == b.sentinel && a.host.port == b.host.port &&
		   strcmp(a.host.name, b.host.name) == 0;
}

void
Close(Connection **place)
{
	Connection *connection = *place;

	if (connection == nullptr)
		return;
	*place = nullptr;
	traffic_in += connection->bytes_in;
	traffic_out += connection->bytes_out;
	ConnectionClose(connection);
	pfree(connection);
}

/*
 * The place of an open connection to this endpoint; else a free place; else that of the connection to
 * close.
 */
Connection **
FindPlace(const Endpoint &endpoint)
{
	Connection **place = nullptr;

	for (Connection *&connection : connections)
	{
		if (connection == nullptr)
		{
			if (place == nullptr || *place != nullptr)
				place = &connection;
		}
		else if (Equal(connection->endpoint, endpoint))
			return &connection;
		else if (place == nullptr ||
				 (*place != nullptr && connection->last_use < (*place)->last_use))
			place = &connection;
	}
	return place;
}

void
Begin(Connection *connection)
{
	CqAssert(busy == nullptr);
	connection->last_use = ++uses;
	busy = connection;
}

/* A connection that is in step is kept. */
void
End(Connection *connection, ExchangeResult result)
{
	busy = nullptr;
	switch (result)
	{
	case ExchangeResult::lost:
	case ExchangeResult::failed:
	case ExchangeResult::timeout:
	case ExchangeResult::overtaken:
	case ExchangeResult::unresolved:
		for (Connection *&place : connections)
		{
			if (place == connection)
				Close(&place);
		}
		break;
	default:
		traffic_in += connection->bytes_in;
		traffic_out += connection->bytes_out;
		connection->bytes_in = connection->bytes_out = 0;
		break;
	}
}

/* Waits a moment for a cluster to make up its mind. */
ExchangeResult
Pause(const Timeout &timeout)
{
	if (NowUs() + kPauseMs * 1000 > timeout.deadline)
		return ExchangeResult::timeout;
	if (WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kPauseMs,
				  compat::RedisWaitEvent()) &
		WL_LATCH_SET)
		ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	return ExchangeResult::done;
}

/* What has been tried for this pipeline. */
struct RouteState
{
	Endpoint target;
	bool asking;
	bool reused;       /* the connection was an old one */
	bool reconnected;  /* after an old one turned out to be closed */
	bool rediscovered; /* the way was asked anew */
	int hops;
	int progress; /* replies at the last hop */
};

ExchangeResult
FindTarget(const Pipeline &pipeline, RouteState *state, Timeout *timeout)
{
	Endpoint *target = &state->target;

	if (state->asking)
		return ExchangeResult::done;
	memset(static_cast<void *>(target), 0, sizeof(*target));
	if (url.kind == UrlKind::sentinel)
		return SentinelMaster(&target->host, timeout);
	if (url.kind == UrlKind::cluster || ClusterIsKnown())
		return ClusterNode(SlotOf(pipeline.route.bytes, pipeline.route.length), &target->host,
						   timeout);
	if (url.kind == UrlKind::single)
		target->host = url.host[0];
	return ExchangeResult::done;
}

/* A target failed: is there another one?  Then `done`, and it's worth another attempt. */
ExchangeResult
Rediscover(RouteState *state, ExchangeResult result)
{
	if (state->rediscovered)
		return result;
	state->rediscovered = true;
	if (url.kind == UrlKind::sentinel)
		SentinelForget();
	else if (url.kind == UrlKind::cluster || ClusterIsKnown())
		ClusterDoubt(state->target.host);
	else
		return result;
	return ExchangeResult::done;
}

/* Another node has the slot: the map has it now, or must be read again. */
ExchangeResult
Moved(const Timeout &timeout)
{
	const bool strange = WithPassword() && !ClusterHas(trouble.host);

	if (!ClusterMoved(trouble.slot, trouble.host))
	{
		if (strange)
			RefusePassword({false, trouble.host});
		return ExchangeResult::failed;
	}
	return strange ? Pause(timeout) : ExchangeResult::done;
}

/* After an attempt that was no success: `done` if there is to be another one. */
ExchangeResult
TryAgain(RouteState *state, ExchangeResult result, int next, Timeout *timeout)
{
	state->asking = false;
	if (next > state->progress)
		state->hops = 0;
	state->progress = next;
	if (++state->hops > kMaxHops && result != ExchangeResult::overtaken &&
		result != ExchangeResult::unresolved)
		return result == ExchangeResult::timeout ? result : ExchangeResult::failed;
	switch (result)
	{
	case ExchangeResult::moved:
		return Moved(*timeout);
	case ExchangeResult::ask:
		state->asking = true;
		state->target.host = trouble.host;
		return ExchangeResult::done;
	case ExchangeResult::down:
		ClusterDoubt(state->target.host);
		return Pause(*timeout);
	case ExchangeResult::again:
		return Pause(*timeout);
	case ExchangeResult::readonly:
		(void) Rediscover(state, result);
		return ExchangeResult::done;
	case ExchangeResult::lost:
		if (state->reused && !state->reconnected)
		{
			state->reconnected = true;
			return ExchangeResult::done;
		}
		[[fallthrough]];
	case ExchangeResult::failed:
		return Rediscover(state, ExchangeResult::failed);
	case ExchangeResult::timeout:
		/* There's no time left, but the next call shall know. */
		(void) Rediscover(state, result);
		return result;
	default:
		return result;
	}
}

Errors
ErrorsFor(const RouteState &state)
{
	bool elsewhere =
		url.kind == UrlKind::sentinel || url.kind == UrlKind::cluster || ClusterIsKnown();

	return elsewhere && !state.rediscovered ? Errors::redirect_stale : Errors::redirect;
}

} // namespace

ExchangeResult
ExchangeWith(const Endpoint &endpoint, const Pipeline &pipeline, int *next, bool asking,
			 Errors errors, Timeout *timeout, bool *reused)
{
	Connection **place = FindPlace(endpoint);
	Connection *connection = *place;
	ExchangeResult result = ExchangeResult::done;

	*reused = connection != nullptr && Equal(connection->endpoint, endpoint);
	if (!*reused)
	{
		Close(place);
		connection = reinterpret_cast<Connection *>(Allocate(sizeof(Connection)));
		if (connection == nullptr)
		{
			SetTrouble(endpoint, "out of memory");
			return ExchangeResult::failed;
		}
		memset(static_cast<void *>(connection), 0, sizeof(Connection));
		connection->channel.fd = PGINVALID_SOCKET;
		*place = connection;
	}
	Begin(connection);
	if (!*reused)
		result = ConnectionOpen(connection, endpoint, timeout);
	if (result == ExchangeResult::done)
		result = Exchange(connection, pipeline, next, asking, errors, timeout);
	End(connection, result);
	return result;
}

ExchangeResult
Serve(const Pipeline &pipeline, Timeout *timeout)
{
	RouteState state = {};
	int next = 0;

	if (version != url_version)
	{
		CloseAll();
		version = url_version;
	}
	for (;;)
	{
		ExchangeResult result = FindTarget(pipeline, &state, timeout);

		state.reused = false;
		if (result == ExchangeResult::done)
			result = ExchangeWith(state.target, pipeline, &next, state.asking, ErrorsFor(state),
								  timeout, &state.reused);
		if (result == ExchangeResult::stopped)
			return result;
		if (result == ExchangeResult::done)
		{
			state.asking = false;
			if (next == pipeline.count)
				return result;
			continue;
		}
		result = TryAgain(&state, result, next, timeout);
		if (result != ExchangeResult::done)
			return result;
	}
}

void
CloseBusy()
{
	for (Connection *&place : connections)
	{
		if (place != nullptr && place == busy)
			Close(&place);
	}
	busy = nullptr;
}

void
CloseAll()
{
	for (Connection *&place : connections)
		Close(&place);
	busy = nullptr;
	ClusterForget();
	SentinelForget();
}

void
TakeTraffic(uint64 *in, uint64 *out)
{
	*in = traffic_in;
	*out = traffic_out;
	traffic_in = traffic_out = 0;
}

} // namespace cq::redis
