/*
 * floor.c
 *		The least time that any server could take: this one only writes bytes that it has.
 *
 *	floor DIRECTORY PORT STATEMENT
 *
 * Asks the server that PGHOST and so on name for the statement's answer and keeps the bytes.  Then
 * takes connections at the unix socket of that directory and port, and at that port of 127.0.0.1,
 * and answers that statement by writing these bytes in one piece, and any other one by saying that
 * it is done.  What a client waits for is then its own work and the kernel's.
 *
 * Simple protocol, no authentication, no TLS.  Its process id is in DIRECTORY/floor.pid.
 */
#define _GNU_SOURCE /* memmem() */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <libpq-fe.h>

static const char *statement;
static char *answer = NULL; /* from RowDescription to ReadyForQuery */
static size_t answer_len = 0;

static void
fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "floor: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	exit(1);
}

static uint32_t
number_at(const char *bytes)
{
	uint32_t number;

	memcpy(&number, bytes, sizeof(number));
	return ntohl(number);
}

/* --- the server that is asked ---------------------------------------------------------------- */

/* Sends a simple query on a connection on which libpq is idle. */
static void
send_query(int fd)
{
	char head[5] = {'Q'};
	uint32_t length = htonl(strlen(statement) + 5);

	memcpy(head + 1, &length, sizeof(length));
	if (send(fd, head, 5, MSG_MORE) != 5 ||
		send(fd, statement, strlen(statement) + 1, 0) != (ssize_t) strlen(statement) + 1)
		fail("send: %s", strerror(errno));
}

static void
record(void)
{
	PGconn *conn = PQconnectdb("");
	size_t size = 0;
	size_t message = 0; /* where the first one begins that is not complete */
	bool last = false;
	int fd;

	if (PQstatus(conn) != CONNECTION_OK)
		fail("%s", PQerrorMessage(conn));
	fd = PQsocket(conn);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	send_query(fd);
	while (!last || message < answer_len)
	{
		ssize_t got;

		if (size - answer_len < 65536)
			answer = realloc(answer, size = 2 * size + 1048576);
		if (answer == NULL)
			fail("out of memory");
		got = recv(fd, answer + answer_len, size - answer_len, 0);
		if (got <= 0)
			fail("recv: %s", got < 0 ? strerror(errno) : "the server has closed the connection");
		answer_len += got;
		while (answer_len - message >= 5 && answer_len - message > number_at(answer + message + 1))
		{
			if (answer[message] == 'E')
				fail("error: %s", statement);
			last = answer[message] == 'Z';
			message += number_at(answer + message + 1) + 1;
		}
	}
	PQfinish(conn);
}

/* --- the server that this is ----------------------------------------------------------------- */

static bool
read_bytes(int fd, char *to, size_t length)
{
	size_t got = 0;

	while (got < length)
	{
		ssize_t n = recv(fd, to + got, length - got, 0);

		if (n <= 0)
			return false;
		got += n;
	}
	return true;
}

static bool
write_bytes(int fd, const char *from, size_t length)
{
	size_t sent = 0;

	while (sent < length)
	{
		ssize_t n = send(fd, from + sent, length - sent, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		sent += n;
	}
	return true;
}

/* The first message, which has no type; neither TLS nor GSS is had. */
static bool
greet(int fd)
{
	char welcome[] = "R\0\0\0\10\0\0\0\0"
					 "S\0\0\0\31client_encoding\0UTF8\0"
					 "K\0\0\0\14PID_\0\0\0\1"
					 "Z\0\0\0\5I";
	uint32_t pid = htonl(getpid());
	char body[10000];
	char head[4];

	memcpy(memmem(welcome, sizeof(welcome), "PID_", 4), &pid, sizeof(pid));
	for (;;)
	{
		size_t length;

		if (!read_bytes(fd, head, 4))
			return false;
		length = number_at(head) - 4;
		if (length < 4 || length > sizeof(body) || !read_bytes(fd, body, length))
			return false;
		if (number_at(body) >> 16 == 3)
			return write_bytes(fd, welcome, sizeof(welcome) - 1);
		if (!write_bytes(fd, "N", 1))
			return false;
	}
}

static void
serve(int fd)
{
	static const char done[] = "C\0\0\0\10SET\0Z\0\0\0\5I";
	char head[5];
	static char query[65536];

	if (!greet(fd))
		return;
	while (read_bytes(fd, head, 5) && head[0] == 'Q')
	{
		size_t length = number_at(head + 1) - 4;
		bool asked;

		if (length > sizeof(query) || !read_bytes(fd, query, length))
			return;
		asked = length == strlen(statement) + 1 && memcmp(query, statement, length) == 0;
		if (asked ? !write_bytes(fd, answer, answer_len) : !write_bytes(fd, done, sizeof(done) - 1))
			return;
	}
}

static int
listen_at(const struct sockaddr *address, socklen_t length)
{
	int fd = socket(address->sa_family, SOCK_STREAM, 0);
	int one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
		bind(fd, address, length) != 0 || listen(fd, 10) != 0)
		fail("cannot listen: %s", strerror(errno));
	return fd;
}

static void
write_pid(const char *directory)
{
	char name[1000];
	FILE *file;

	snprintf(name, sizeof(name), "%s/floor.pid", directory);
	file = fopen(name, "w");
	if (file == NULL || fprintf(file, "%d\n", (int) getpid()) < 0 || fclose(file) != 0)
		fail("%s: %s", name, strerror(errno));
}

int
main(int argc, char **argv)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	struct sockaddr_in loopback = {.sin_family = AF_INET};
	struct pollfd fds[2];
	int one = 1;

	if (argc != 4)
		fail("usage: floor DIRECTORY PORT STATEMENT");
	statement = argv[3];
	record();

	snprintf(local.sun_path, sizeof(local.sun_path), "%s/.s.PGSQL.%s", argv[1], argv[2]);
	unlink(local.sun_path);
	loopback.sin_port = htons(atoi(argv[2]));
	loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fds[0].fd = listen_at((struct sockaddr *) &local, sizeof(local));
	fds[1].fd = listen_at((struct sockaddr *) &loopback, sizeof(loopback));
	fds[0].events = fds[1].events = POLLIN;
	signal(SIGCHLD, SIG_IGN);
	write_pid(argv[1]);
	for (;;)
	{
		if (poll(fds, 2, -1) < 0)
			continue;
		for (int i = 0; i < 2; i++)
		{
			int fd = fds[i].revents & POLLIN ? accept(fds[i].fd, NULL, NULL) : -1;

			if (fd < 0)
				continue;
			if (fork() == 0)
			{
				/* as a backend does: Linux may give processors to sessions, not to processes */
				setsid();
				if (i == 1)
					setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
				serve(fd);
				_exit(0);
			}
			close(fd);
		}
	}
}
