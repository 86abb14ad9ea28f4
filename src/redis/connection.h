/*
 * connection.h
 *		One connection to one server: opening it, and exchanging commands for replies.
 *
 * A connection is in step if no reply is outstanding.  Exchange() leaves it so, or says that it
 * failed, or raises; in the last two cases the connection must be closed.
 *
 * Part of route.h.
 */
#pragma once

#include "pg.h"
#include "redis/breaker.h"
#include "redis/channel.h"
#include "redis/types.h"
#include "redis/protocol.h"
#include "redis/url.h"

namespace cq::redis
{

struct Endpoint
{
	bool sentinel; /* not a server but one that knows where it is */
	Host host;     /* without a name: the URL's unix socket */
};

struct Connection
{
	Channel channel;
	Incoming in;
	Outgoing out;
	Endpoint endpoint;
	uint32 version;  /* url_version when it was opened */
	uint64 last_use; /* rank in the order of uses */
	uint64 bytes_in; /* since the router asked last */
	uint64 bytes_out;
};

/* How an exchange or an attempt to connect ended. */
enum class ExchangeResult
{
	done,
	stopped,  /* by the callback */
	moved,    /* MOVED: the slot has another owner */
	ask,      /* ASK: this time, another node */
	again,    /* TRYAGAIN: a slot is being moved */
	down,     /* CLUSTERDOWN */
	readonly, /* READONLY: not the master any more */
	lost,     /* closed or reset by the server */
	failed,   /* other failures that take no time */
	timeout,
	overtaken,  /* somebody else found that the server hangs */
	unresolved, /* the host's name must be looked up first */
};

/* What went wrong last, for the log and the view; and where MOVED or ASK lead. */
struct Trouble
{
	char text[256];
	Host host;
	int slot;
	bool answered; /* a reply was handed out in this request */
};

extern Trouble trouble;

extern void pg_attribute_printf(2, 3) SetTrouble(const Endpoint &endpoint, const char *format, ...);

/* A server that may not know our password. */
extern void RefusePassword(const Endpoint &endpoint);

/* Is this reply an error whose code is that word? */
extern bool IsError(const Reply &reply, const char *code);

extern ExchangeResult ConnectionOpen(Connection *connection, const Endpoint &endpoint,
									 Timeout *timeout);
extern void ConnectionClose(Connection *connection);

enum class Errors
{
	deliver,       /* every error reply goes to the callback */
	redirect,      /* those that say "elsewhere" or "not now" are a verdict */
	redirect_stale /* and READONLY, too */
};

/*
 * From command *next on, which is raised for each reply that was handed out.  When asking, only
 * that one, with ASKING before it.
 */
extern ExchangeResult Exchange(Connection *connection, const Pipeline &pipeline, int *next,
							   bool asking, Errors errors, Timeout *timeout);

} // namespace cq::redis
