/*
 * channel.cpp
 *		Sockets, TLS by OpenSSL, and the wait loop.
 */
#include "pg.h"
#include "redis/breaker.h"
#include "redis/channel.h"
#include "redis/settings.h"

extern "C" {
#include "storage/fd.h"
#include "storage/latch.h"
}

#include <cerrno>
#include <cstdarg>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <arpa/inet.h>
#include <sys/un.h>
#include <unistd.h>

namespace cq::redis
{
namespace
{

constexpr int kSocketPosition = 2; /* in the wait event set */
constexpr int kMaxParts = 64;

SSL_CTX *tls_context = nullptr;
uint32 tls_version = 0; /* url_version that tls_context was made for */

void pg_attribute_printf(2, 3) Fail(Channel *channel, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(channel->error, sizeof(channel->error), format, args);
	va_end(args);
}

void
FailErrno(Channel *channel, int error)
{
	Fail(channel, "%s", strerror(error));
}

/* The first of OpenSSL's errors; the queue is left empty for others in this process. */
void
FailTls(Channel *channel, const char *what)
{
	unsigned long error = ERR_get_error();
	const char *reason = error != 0 ? ERR_reason_error_string(error) : nullptr;
	long verified = channel->ssl ? SSL_get_verify_result(channel->ssl) : X509_V_OK;

	if (verified != X509_V_OK)
		reason = X509_verify_cert_error_string(verified);
	Fail(channel, "%s: %s", what, reason ? reason : "unknown error");
	ERR_clear_error();
}

/*
 * Makes the wait event set.  That raises when there is no file descriptor for it, so see first
 * whether there is one.
 */
bool
MakeWaits(Channel *channel)
{
	int spare;

	if (!AcquireExternalFD())
		return false;
	ReleaseExternalFD();
	spare = dup(channel->fd);
	if (spare < 0)
		return false;
	close(spare);
	channel->waits = compat::MakeWaitEventSet(3);
	channel->events = WL_SOCKET_WRITEABLE;
	AddWaitEventToSet(channel->waits, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, nullptr);
	AddWaitEventToSet(channel->waits, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, nullptr, nullptr);
	AddWaitEventToSet(channel->waits, channel->events, channel->fd, nullptr, nullptr);
	return true;
}

bool
MakeTlsContext(Channel *channel)
{
	SSL_CTX *context;

	if (tls_context != nullptr && tls_version == url_version)
		return true;
	if (tls_context != nullptr)
		SSL_CTX_free(tls_context);
	tls_context = nullptr;
	context = SSL_CTX_new(TLS_client_method());
	if (context == nullptr)
	{
		FailTls(channel, "TLS");
		return false;
	}
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
		(tls_ca_file[0] == '\0'
			 ? SSL_CTX_set_default_verify_paths(context)
			 : SSL_CTX_load_verify_locations(context, tls_ca_file, nullptr)) != 1)
	{
		FailTls(channel, "could not load the certificate authorities");
		SSL_CTX_free(context);
		return false;
	}
	tls_context = context;
	tls_version = url_version;
	return true;
}

bool
IsNumeric(const char *host)
{
	in6_addr address;

	return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

/* What SSL_read, SSL_write or SSL_connect's return value of 0 or less means: 0 or -1. */
int
TlsOutcome(Channel *channel, int result, const char *what)
{
	int saved = errno;

	channel->tls_write = false;
	switch (SSL_get_error(channel->ssl, result))
	{
	case SSL_ERROR_WANT_READ:
		channel->readable = false;
		return 0;
	case SSL_ERROR_WANT_WRITE:
		channel->tls_write = true;
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		Fail(channel, "the server closed the connection");
		return -1;
	case SSL_ERROR_SYSCALL:
		if (ERR_peek_error() == 0)
		{
			if (saved == 0)
				Fail(channel, "the server closed the connection");
			else
				FailErrno(channel, saved);
			return -1;
		}
		[[fallthrough]];
	default:
		FailTls(channel, what);
		return -1;
	}
}

ssize_t
WriteTls(Channel *channel, const iovec *parts, int count)
{
	ssize_t written = 0;

	for (int i = 0; i < count; i++)
	{
		size_t done = 0;

		while (done < parts[i].iov_len)
		{
			size_t rest = Min(parts[i].iov_len - done, static_cast<size_t>(1024 * 1024));
			int n;

			ERR_clear_error();
			errno = 0;
			n = SSL_write(channel->ssl, static_cast<const char *>(parts[i].iov_base) + done,
						  static_cast<int>(rest));
			if (n <= 0)
			{
				if (TlsOutcome(channel, n, "TLS") < 0)
					return -1;
				return written;
			}
			done += static_cast<size_t>(n);
			written += n;
		}
	}
	return written;
}

/*
 * How often a waiting process looks at what others know.  After two of these intervals without a byte
 * it becomes the suspecter.  A server that hangs costs each process about this time, so it is short.
 */
int64
LookInterval()
{
	return Max(static_cast<int64>(timeout_ms) * 1000 / 40, static_cast<int64>(1000));
}

} // namespace

bool
ChannelOpen(Channel *channel, const Address &address)
{
	int on = 1;

	memset(channel, 0, sizeof(*channel));
	channel->fd = PGINVALID_SOCKET;
	if (!AcquireExternalFD())
	{
		Fail(channel, "this process has too many open files");
		return false;
	}
	channel->fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (channel->fd == PGINVALID_SOCKET)
	{
		FailErrno(channel, errno);
		ReleaseExternalFD();
		return false;
	}
	if (address.storage.ss_family != AF_UNIX)
	{
		(void) setsockopt(channel->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		(void) setsockopt(channel->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	}
	if (connect(channel->fd, reinterpret_cast<const sockaddr *>(&address.storage),
				address.length) != 0 &&
		errno != EINPROGRESS && errno != EINTR)
	{
		FailErrno(channel, errno);
		ChannelClose(channel);
		return false;
	}
	if (!MakeWaits(channel))
	{
		Fail(channel, "this process has too many open files");
		ChannelClose(channel);
		return false;
	}
	return true;
}

bool
ChannelConnected(Channel *channel)
{
	int error = 0;
	socklen_t length = sizeof(error);

	if (getsockopt(channel->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
		error = errno;
	if (error != 0)
		FailErrno(channel, error);
	channel->readable = false;
	return error == 0;
}

bool
ChannelStartTls(Channel *channel, const char *host)
{
	bool good;

	if (!MakeTlsContext(channel))
		return false;
	ERR_clear_error();
	channel->ssl = SSL_new(tls_context);
	good = channel->ssl != nullptr && SSL_set_fd(channel->ssl, channel->fd) == 1;
	if (good && IsNumeric(host))
		good = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(channel->ssl), host) == 1;
	else if (good)
		good = SSL_set_tlsext_host_name(channel->ssl, const_cast<char *>(host)) == 1 &&
			   SSL_set1_host(channel->ssl, host) == 1;
	if (!good)
		FailTls(channel, "TLS");
	return good;
}

int
ChannelHandshake(Channel *channel, uint32 *events)
{
	int result;

	ERR_clear_error();
	errno = 0;
	result = SSL_connect(channel->ssl);
	if (result == 1)
		return 1;
	if (TlsOutcome(channel, result, "TLS handshake failed") < 0)
		return -1;
	*events = channel->tls_write ? WL_SOCKET_WRITEABLE : WL_SOCKET_READABLE;
	return 0;
}

ssize_t
ChannelRead(Channel *channel, char *to, size_t room)
{
	ssize_t n;

	if (channel->ssl != nullptr)
	{
		int got;

		ERR_clear_error();
		errno = 0;
		got = SSL_read(channel->ssl, to, static_cast<int>(Min(room, static_cast<size_t>(INT_MAX))));
		return got > 0 ? got : TlsOutcome(channel, got, "TLS");
	}
	do
		n = recv(channel->fd, to, room, 0);
	while (n < 0 && errno == EINTR);
	channel->readable = n == static_cast<ssize_t>(room);
	if (n > 0)
		return n;
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n == 0)
		Fail(channel, "the server closed the connection");
	else
		FailErrno(channel, errno);
	return -1;
}

ssize_t
ChannelWrite(Channel *channel, const iovec *parts, int count)
{
	msghdr message = {};
	ssize_t n;

	if (channel->ssl != nullptr)
		return WriteTls(channel, parts, count);
	message.msg_iov = const_cast<iovec *>(parts);
	message.msg_iovlen = static_cast<size_t>(Min(count, kMaxParts));
	do
		n = sendmsg(channel->fd, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return 0;
	FailErrno(channel, errno);
	return -1;
}

Waited
ChannelWait(Channel *channel, uint32 events, const Timeout &timeout)
{
	const int64 look = LookInterval();

	if (events != channel->events)
	{
		ModifyWaitEvent(channel->waits, kSocketPosition, events, nullptr);
		channel->events = events;
	}
	for (;;)
	{
		WaitEvent event;
		int64 now = NowUs();
		int64 idle = now - timeout.idle_since;
		int64 until;

		if (now >= timeout.deadline)
			return Waited::timeout;
		if (idle >= look && BreakerOvertaken())
			return Waited::overtaken;
		if (idle >= 2 * look)
			BreakerSuspect();
		until = Min(timeout.deadline, now + look - idle % look);
		if (WaitEventSetWait(channel->waits, static_cast<long>((until - now + 999) / 1000), &event,
							 1, compat::RedisWaitEvent()) == 0)
			continue;
		if (event.events & WL_LATCH_SET)
		{
			ResetLatch(MyLatch);
			CHECK_FOR_INTERRUPTS();
			continue;
		}
		channel->readable = (event.events & WL_SOCKET_READABLE) != 0;
		return Waited::ready;
	}
}

void
ChannelClose(Channel *channel)
{
	if (channel->waits != nullptr)
		FreeWaitEventSet(channel->waits);
	channel->waits = nullptr;
	if (channel->ssl != nullptr)
	{
		SSL_free(channel->ssl);
		ERR_clear_error();
	}
	channel->ssl = nullptr;
	if (channel->fd != PGINVALID_SOCKET)
	{
		close(channel->fd);
		ReleaseExternalFD();
	}
	channel->fd = PGINVALID_SOCKET;
}

} // namespace cq::redis
