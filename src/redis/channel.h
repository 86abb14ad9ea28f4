/*
 * channel.h
 *		A non-blocking socket, with TLS or without, and waiting for it in PostgreSQL's way.
 *
 * Each channel has a persistent WaitEventSet (latch, postmaster's death, socket): making one for
 * each wait would cost an epoll_create.  Nothing here raises but ChannelWait(), by
 * CHECK_FOR_INTERRUPTS.
 */
#pragma once

#include "pg.h"

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace cq::redis
{

struct Address
{
	sockaddr_storage storage;
	socklen_t length;
};

/* How long a request may go on, all its waits together. */
struct Timeout
{
	int64 deadline;   /* NowUs() */
	int64 idle_since; /* when the last byte came, or the wait began */
};

struct Channel
{
	pgsocket fd;
	SSL *ssl; /* nullptr without TLS */
	WaitEventSet *waits;
	uint32 events;  /* what waits waits for */
	bool readable;  /* reading may give something: try before waiting */
	bool tls_write; /* TLS can't go on before the socket is writable */
	char error[160];
};

enum class Waited
{
	ready,
	timeout,
	overtaken /* see BreakerOvertaken() */
};

/* Begins to connect; true unless that failed already. */
extern bool ChannelOpen(Channel *channel, const Address &address);
/* After ChannelWait() for WL_SOCKET_WRITEABLE: has it succeeded? */
extern bool ChannelConnected(Channel *channel);
/* Begins TLS.  The certificate must be good for the name or address. */
extern bool ChannelStartTls(Channel *channel, const char *host);
/* 1: TLS is set up; 0: wait for *events; -1: it failed. */
extern int ChannelHandshake(Channel *channel, uint32 *events);

/* Bytes read or written, 0: none now, -1: closed or failed, see channel->error. */
extern ssize_t ChannelRead(Channel *channel, char *to, size_t room);
extern ssize_t ChannelWrite(Channel *channel, const iovec *parts, int count);

/* Waits for some of the events.  Sets channel->readable.  Raises when the caller is cancelled. */
extern Waited ChannelWait(Channel *channel, uint32 events, const Timeout &timeout);
extern void ChannelClose(Channel *channel);

} // namespace cq::redis
