/*
 * connection.cpp
 *		Opening connections and exchanging commands for replies.
 *
 * Part of route.h.
 */
#include "pg.h"
#include "redis/connect.h"
#include "redis/cluster.h"
#include "redis/connection.h"
#include "redis/sentinel.h"
#include "redis/resolve.h"
#include "redis/secret.h"
#include "redis/settings.h"

#include <cstdarg>
#include <sys/un.h>

namespace cq::redis
{
namespace
{

/* The host and port that MOVED and ASK end with.  Without a host it is the node that was asked. */
bool
ParseRedirection(const Connection *connection, const Reply &reply)
{
	char text[kMaxHostName + 64];
	char *slot;
	char *host;
	char *port;
	long number;

	if (reply.length >= sizeof(text))
		return false;
	memcpy(text, reply.bytes, reply.length);
	text[reply.length] = '\0';
	slot = strchr(text, ' ');
	host = slot != nullptr ? strchr(slot + 1, ' ') : nullptr;
	port = host != nullptr ? strrchr(host + 1, ':') : nullptr;
	if (port == nullptr)
		return false;
	*host++ = '\0';
	*port++ = '\0';
	number = strtol(slot + 1, nullptr, 10);
	if (number < 0 || number > 16383)
		return false;
	trouble.slot = static_cast<int>(number);
	number = strtol(port, nullptr, 10);
	if (number < 1 || number > 65535 || strlen(host) > kMaxHostName)
		return false;
	trouble.host.port = static_cast<uint16>(number);
	strlcpy(trouble.host.name, *host != '\0' ? host : connection->endpoint.host.name,
			sizeof(trouble.host.name));
	return true;
}

/* Is this error reply one for the caller?  Then `done`. */
ExchangeResult
Judge(const Connection *connection, const Reply &reply, Errors errors)
{
	static const char *const not_now[] = {"LOADING", "MASTERDOWN", "NOAUTH", "WRONGPASS", "NOPERM"};

	if (errors == Errors::deliver)
		return ExchangeResult::done;
	if (IsError(reply, "MOVED") || IsError(reply, "ASK"))
	{
		if (ParseRedirection(connection, reply))
			return IsError(reply, "ASK") ? ExchangeResult::ask : ExchangeResult::moved;
		SetTrouble(connection->endpoint, "protocol error: a redirection that leads nowhere");
		return ExchangeResult::failed;
	}
	if (IsError(reply, "READONLY") && errors == Errors::redirect_stale)
		return ExchangeResult::readonly;
	SetTrouble(connection->endpoint, "%.*s", static_cast<int>(Min(reply.length, 150)), reply.bytes);
	if (IsError(reply, "TRYAGAIN"))
		return ExchangeResult::again;
	if (IsError(reply, "CLUSTERDOWN"))
		return ExchangeResult::down;
	for (const char *code : not_now)
	{
		if (IsError(reply, code))
			return ExchangeResult::failed;
	}
	return ExchangeResult::done;
}

ExchangeResult
Broken(Connection *connection)
{
	SetTrouble(connection->endpoint, "%s", connection->channel.error);
	return ExchangeResult::lost;
}

/* Sends what can be sent now; false if the connection is broken. */
bool
Flush(Connection *connection)
{
	iovec parts[64];

	while (!OutgoingIsEmpty(&connection->out))
	{
		int count = OutgoingParts(&connection->out, parts, lengthof(parts));
		ssize_t n = ChannelWrite(&connection->channel, parts, count);

		if (n < 0)
			return false;
		if (n == 0)
			break;
		connection->bytes_out += static_cast<uint64>(n);
		OutgoingSent(&connection->out, static_cast<size_t>(n));
	}
	return true;
}

/* Receives some bytes, or waits until something can be done.  `done`: look again. */
ExchangeResult
Receive(Connection *connection, Timeout *timeout)
{
	Channel *channel = &connection->channel;
	bool sending = !OutgoingIsEmpty(&connection->out);
	ssize_t n = 0;
	size_t room;
	char *to;

	if (channel->readable || channel->ssl != nullptr)
	{
		to = IncomingRoom(&connection->in, &room);
		if (to == nullptr)
		{
			SetTrouble(connection->endpoint, "out of memory");
			return ExchangeResult::failed;
		}
		n = ChannelRead(channel, to, room);
		if (n < 0)
			return Broken(connection);
	}
	if (n > 0)
	{
		IncomingAdd(&connection->in, static_cast<size_t>(n));
		connection->bytes_in += static_cast<uint64>(n);
		timeout->idle_since = NowUs();
		BreakerHeard();
		/* a long reply may come without a pause to wait in */
		CHECK_FOR_INTERRUPTS();
		return ExchangeResult::done;
	}

	Waited waited = ChannelWait(
		channel, WL_SOCKET_READABLE | (sending || channel->tls_write ? WL_SOCKET_WRITEABLE : 0),
		*timeout);

	return waited == Waited::ready ? ExchangeResult::done
								   : FromWait(connection, waited, "waiting for an answer");
}

/* One exchange. */
struct Progress
{
	const Pipeline *pipeline;
	int *next;              /* of the replies */
	int issued;             /* of the commands */
	int end;                /* of both */
	int outstanding;        /* replies */
	bool skip;              /* the next reply is ASKING's */
	ExchangeResult verdict; /* anything but `done`: drop what is outstanding */
};

/* Queues commands as far as the window goes; false: no memory. */
bool
Issue(Connection *connection, Progress *progress, bool asking)
{
	const Pipeline *pipeline = progress->pipeline;
	Slice argv[kMaxArguments];

	while (progress->verdict == ExchangeResult::done && progress->issued < progress->end &&
		   progress->issued - *progress->next < Max(pipeline->window, 1) &&
		   OutgoingHasRoom(&connection->out))
	{
		int argc = pipeline->command(pipeline->arg, progress->issued, argv, kMaxArguments);
		Slice prefix = "ASKING"_s;

		CqAssert(argc > 0 && argc <= kMaxArguments);
		if (asking && !OutgoingAdd(&connection->out, &prefix, 1))
			return false;
		progress->skip = asking;
		if (!OutgoingAdd(&connection->out, argv, argc))
			return false;
		progress->issued++;
		progress->outstanding += asking ? 2 : 1;
	}
	return true;
}

/* Gives a reply to the callback, whose time is its own. */
void
Deliver(Connection *connection, Progress *progress, const Reply &reply, Errors errors,
		Timeout *timeout)
{
	const Pipeline *pipeline = progress->pipeline;
	int64 begin;

	progress->outstanding--;
	if (progress->verdict != ExchangeResult::done)
		return;
	if (progress->skip)
	{
		progress->skip = false;
		return;
	}
	if (reply.type == Reply::Type::error)
		progress->verdict = Judge(connection, reply, errors);
	if (progress->verdict != ExchangeResult::done)
		return;
	trouble.answered = trouble.answered || errors != Errors::deliver;
	begin = NowUs();
	if (!pipeline->reply(pipeline->arg, (*progress->next)++, reply))
		progress->verdict = ExchangeResult::stopped;
	timeout->idle_since = NowUs();
	timeout->deadline += timeout->idle_since - begin;
	CHECK_FOR_INTERRUPTS();
}

} // namespace

bool
IsError(const Reply &reply, const char *code)
{
	size_t length = strlen(code);

	return reply.type == Reply::Type::error && reply.length >= length &&
		   memcmp(reply.bytes, code, length) == 0 &&
		   (reply.length == length || reply.bytes[length] == ' ');
}

ExchangeResult
ConnectionOpen(Connection *connection, const Endpoint &endpoint, Timeout *timeout)
{
	Address addresses[kMaxAddresses];
	int count = 0;
	Timeout connecting = *timeout;
	ExchangeResult verdict = FindAddresses(endpoint, addresses, &count);

	connection->endpoint = endpoint;
	connection->version = url_version;
	if (verdict != ExchangeResult::done)
		return verdict;
	if (!IncomingInit(&connection->in))
	{
		SetTrouble(endpoint, "out of memory");
		return ExchangeResult::failed;
	}
	connecting.idle_since = NowUs();
	connecting.deadline = Min(
		connecting.deadline, connecting.idle_since + static_cast<int64>(connect_timeout_ms) * 1000);
	for (int i = 0; i < count; i++)
	{
		bool reached = false;

		ChannelClose(&connection->channel);
		verdict = Connect(connection, addresses[i], connecting, &reached);
		if (verdict != ExchangeResult::failed || reached)
			break;
	}
	if (verdict == ExchangeResult::done)
		verdict = RunSetup(connection, &connecting);
	if (verdict == ExchangeResult::failed || verdict == ExchangeResult::timeout)
		ResolveAgain(endpoint.host.name);
	return verdict;
}

void
ConnectionClose(Connection *connection)
{
	ChannelClose(&connection->channel);
	IncomingFree(&connection->in);
	OutgoingFree(&connection->out);
}

ExchangeResult
Exchange(Connection *connection, const Pipeline &pipeline, int *next, bool asking, Errors errors,
		 Timeout *timeout)
{
	Progress progress = {
		&pipeline,           next, *next, asking ? *next + 1 : pipeline.count, 0, false,
		ExchangeResult::done};
	Reply reply;

	timeout->idle_since = NowUs();
	for (;;)
	{
		ExchangeResult verdict;

		if (!Issue(connection, &progress, asking))
		{
			SetTrouble(connection->endpoint, "out of memory");
			return ExchangeResult::failed;
		}
		if (progress.outstanding == 0)
			break;
		if (!Flush(connection))
			return Broken(connection);
		switch (IncomingNext(&connection->in, &reply))
		{
		case Parsed::reply:
			Deliver(connection, &progress, reply, errors, timeout);
			continue;
		case Parsed::bad:
			SetTrouble(connection->endpoint, "%s", connection->in.error);
			return ExchangeResult::failed;
		default:
			break;
		}
		verdict = Receive(connection, timeout);
		if (verdict != ExchangeResult::done)
			return verdict;
	}
	if (!IncomingIsEmpty(&connection->in))
	{
		SetTrouble(connection->endpoint, "protocol error: more replies than commands");
		return ExchangeResult::failed;
	}
	IncomingTrim(&connection->in);
	return progress.verdict;
}

} // namespace cq::redis
