/*
 * connect.cpp
 *		Opening a connection: addresses, TLS, password and what the server must say.
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

Trouble trouble;

namespace
{

/* For AUTH, while a connection is set up. */
const char *user = "";
const char *password = "";
char from_file[sizeof(Url::user) + sizeof(Url::password)];

/* What a connection asks first. */
struct Setup
{
	const Endpoint *endpoint;
	int commands[4];
	int count;
	bool refused;
};

enum
{
	cmd_auth,
	cmd_select,
	cmd_setname,
	cmd_role
};

int
SetupCommand(void *arg, int index, Slice *argv, int)
{
	static char db[16];
	int n = 0;

	switch (static_cast<Setup *>(arg)->commands[index])
	{
	case cmd_auth:
		argv[n++] = Text("AUTH");
		if (user[0] != '\0')
			argv[n++] = Text(user);
		argv[n++] = Text(password);
		break;
	case cmd_select:
		snprintf(db, sizeof(db), "%d", url.db);
		argv[n++] = Text("SELECT");
		argv[n++] = Text(db);
		break;
	case cmd_setname:
		argv[n++] = Text("CLIENT");
		argv[n++] = Text("SETNAME");
		argv[n++] = Text("cached_query");
		break;
	default:
		argv[n++] = Text("ROLE");
	}
	return n;
}

bool
IsMaster(const Reply &reply)
{
	return reply.type == Reply::Type::array && reply.count > 0 &&
		   reply.children[0].type == Reply::Type::string && reply.children[0].length == 6 &&
		   memcmp(reply.children[0].bytes, "master", 6) == 0;
}

/*
 * Sentinels often have no password where their servers have one.  So an AUTH that fails there is no
 * error; nor is a failure to set a name for CLIENT LIST.
 */
bool
SetupReply(void *arg, int index, const Reply &reply)
{
	Setup *setup = static_cast<Setup *>(arg);
	int command = setup->commands[index];

	if (command == cmd_role && reply.type != Reply::Type::error && !IsMaster(reply))
	{
		SetTrouble(*setup->endpoint, "it is not a master");
		setup->refused = true;
	}
	if (reply.type != Reply::Type::error)
		return true;
	if (setup->endpoint->sentinel && !IsError(reply, "LOADING"))
		return true;
	if (command == cmd_setname && !IsError(reply, "LOADING") && !IsError(reply, "NOAUTH") &&
		!IsError(reply, "MASTERDOWN"))
		return true;
	if (!setup->refused)
		SetTrouble(*setup->endpoint, "%.*s", static_cast<int>(Min(reply.length, 150)), reply.bytes);
	setup->refused = true;
	return true;
}

/*
 * The password is for the servers of the URL, and for those that they name: the nodes of a cluster, the
 * master of sentinels.  A redirection may lead to any other server, which does not get it.
 */
bool
MayKnowPassword(const Endpoint &endpoint)
{
	if (endpoint.host.name[0] == '\0')
		return url.kind == UrlKind::unix_socket;
	for (int i = 0; i < url.hosts; i++)
	{
		if (url.host[i].port == endpoint.host.port &&
			strcmp(url.host[i].name, endpoint.host.name) == 0)
			return true;
	}
	if (url.kind == UrlKind::sentinel)
		return SentinelNamed(endpoint.host);
	return url.kind == UrlKind::cluster && ClusterHas(endpoint.host);
}

/* What the URL says, or the file: `user` and `password`, until the connection is set up. */
bool
FindPassword(const Endpoint &endpoint)
{
	Problem problem;
	char *line;

	user = url.user;
	password = url.password;
	if (url.with_password)
		return true;
	if (!ReadPrivateFile(password_file, from_file, sizeof(from_file), &problem))
	{
		SetTrouble(endpoint, "file of cached_query.redis_password_file: %s%s%s", problem.what,
				   problem.error != 0 ? ": " : "",
				   problem.error != 0 ? strerror(problem.error) : "");
		return false;
	}
	line = strchr(from_file, '\n');
	user = line != nullptr ? from_file : "";
	password = line != nullptr ? line + 1 : from_file;
	if (line != nullptr)
		*line = '\0';
	return true;
}

} // namespace

ExchangeResult
RunSetup(Connection *connection, Timeout *timeout)
{
	Setup setup = {&connection->endpoint, {}, 0, false};
	Pipeline pipeline = {{nullptr, 0}, 0, 4, SetupCommand, SetupReply, &setup};
	int next = 0;
	ExchangeResult result;

	if (WithPassword() && !MayKnowPassword(connection->endpoint))
	{
		RefusePassword(connection->endpoint);
		return ExchangeResult::failed;
	}
	if (WithPassword() && !FindPassword(connection->endpoint))
		return ExchangeResult::failed;
	if (WithPassword())
		setup.commands[setup.count++] = cmd_auth;
	if (url.db != 0 && !connection->endpoint.sentinel)
		setup.commands[setup.count++] = cmd_select;
	setup.commands[setup.count++] = cmd_setname;
	if (url.kind == UrlKind::sentinel && !connection->endpoint.sentinel)
		setup.commands[setup.count++] = cmd_role;
	pipeline.count = setup.count;
	result = Exchange(connection, pipeline, &next, false, Errors::deliver, timeout);
	explicit_bzero(from_file, sizeof(from_file));
	if (result == ExchangeResult::done && setup.refused)
		return ExchangeResult::failed;
	/*
	 * A server that closes a new connection at once is another failure than one that closes an old one.
	 */
	return result == ExchangeResult::lost ? ExchangeResult::failed : result;
}

ExchangeResult
FromWait(Connection *connection, Waited waited, const char *doing)
{
	if (waited == Waited::overtaken)
		return ExchangeResult::overtaken;
	SetTrouble(connection->endpoint, "timeout while %s", doing);
	return ExchangeResult::timeout;
}

ExchangeResult
Connect(Connection *connection, const Address &address, const Timeout &timeout, bool *reached)
{
	Channel *channel = &connection->channel;
	Waited waited;
	uint32 events = WL_SOCKET_WRITEABLE;
	int result = 0;

	if (!ChannelOpen(channel, address))
		goto failed;
	waited = ChannelWait(channel, events, timeout);
	if (waited != Waited::ready)
		return FromWait(connection, waited, "connecting");
	if (!ChannelConnected(channel))
		goto failed;
	*reached = true;
	if (!url.tls)
		return ExchangeResult::done;
	if (!ChannelStartTls(channel, connection->endpoint.host.name))
		goto failed;
	while ((result = ChannelHandshake(channel, &events)) == 0)
	{
		waited = ChannelWait(channel, events, timeout);
		if (waited != Waited::ready)
			return FromWait(connection, waited, "setting up TLS");
	}
	if (result > 0)
		return ExchangeResult::done;

failed:
	SetTrouble(connection->endpoint, "%s", channel->error);
	return ExchangeResult::failed;
}

ExchangeResult
FindAddresses(const Endpoint &endpoint, Address *addresses, int *count)
{
	if (endpoint.host.name[0] == '\0')
	{
		sockaddr_un *local = reinterpret_cast<sockaddr_un *>(&addresses[0].storage);

		memset(static_cast<void *>(addresses), 0, sizeof(Address));
		local->sun_family = AF_UNIX;
		strlcpy(local->sun_path, url.path, sizeof(local->sun_path));
		addresses[0].length = sizeof(*local);
		*count = 1;
		return ExchangeResult::done;
	}
	switch (Resolve(endpoint.host.name, endpoint.host.port, addresses, count))
	{
	case Resolved::found:
		return ExchangeResult::done;
	case Resolved::failed:
		SetTrouble(endpoint, "the host name could not be resolved");
		return ExchangeResult::failed;
	default:
		return ExchangeResult::unresolved;
	}
}

void
RefusePassword(const Endpoint &endpoint)
{
	SetTrouble(endpoint, "a redirection leads to it, which is no server of cached_query.redis_url: "
						 "it gets no password");
}

void
SetTrouble(const Endpoint &endpoint, const char *format, ...)
{
	char what[200];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	/* A server may say anything: each line of the log must stay one line. */
	for (char *p = what; *p != '\0'; p++)
	{
		if (static_cast<unsigned char>(*p) < ' ' || static_cast<unsigned char>(*p) >= 0x7f)
			*p = '?';
	}
	if (endpoint.host.name[0] == '\0')
		snprintf(trouble.text, sizeof(trouble.text), "unix socket %.60s: %s", url.path, what);
	else
		snprintf(trouble.text, sizeof(trouble.text), "%s%.60s port %u: %s",
				 endpoint.sentinel ? "sentinel " : "", endpoint.host.name, endpoint.host.port,
				 what);
}

} // namespace cq::redis
