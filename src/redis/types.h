/*
 * types.h
 *		What goes in and out of the client: bytes, replies, pipelines, its state.
 */
#pragma once

#include "pg.h"

namespace cq::redis
{

struct Slice
{
	const char *bytes;
	size_t length;
};

inline Slice
Text(const char *text)
{
	return {text, strlen(text)};
}

/* What a server said.  Valid during the callback only. */
struct Reply
{
	enum class Type
	{
		nil,
		string,
		status,
		integer,
		error,
		array
	} type;
	const char *bytes; /* of a string, status or error; not terminated */
	size_t length;
	int64 integer;
	const Reply *children; /* of an array */
	int count;
};

constexpr int kMaxArguments = 64;
/* Longer strings in a reply are a protocol error; so nobody makes us allocate more. */
constexpr size_t kMaxBulk = 8 * 1024 * 1024;

struct Pipeline
{
	/*
	 * In a cluster, this key's hash tag decides which node gets the commands, so all their keys
	 * must be in its slot.
	 */
	Slice route;
	int count;  /* commands */
	int window; /* so many may be unanswered at a time */

	/*
	 * Fills argv and returns how many arguments there are.  The bytes must stay until the reply
	 * came.  It is asked again for a command that must be repeated: because of a redirection, or
	 * because the server closed a connection before it answered.  So commands must be such that
	 * it does no harm to run them twice.  May raise.
	 */
	int (*command)(void *arg, int index, Slice *argv, int room);

	/*
	 * Called for each reply, in order.  May raise: that costs the connection.  false means enough:
	 * further commands are not sent, further replies dropped.  The time spent here isn't counted
	 * against the timeout.  Error replies come here, too, but those that say that the server is of
	 * no use now (LOADING, NOAUTH, ...).  A nested Run() is `unavailable`.
	 */
	bool (*reply)(void *arg, int index, const Reply &reply);
	void *arg;
};

enum class Result
{
	done,
	stopped,    /* by the callback */
	unavailable /* replies that were handed out are good, the others won't come */
};

/* For the view. */
struct Status
{
	const char *state; /* off, closed, open, half-open */
	TimestampTz since;
	uint64 failures; /* in a row */
	char last_error[256];
	TimestampTz last_error_time; /* 0: none yet */
	uint64 requests;             /* pipelines */
	uint64 bytes_in;
	uint64 bytes_out;
	uint64 timeouts;
	uint64 errors;     /* timeouts and other failures */
	uint32 latency_us; /* moving average of a pipeline's time */
};

} // namespace cq::redis

namespace cq
{

/* "GET"_s, for all rooms */
constexpr redis::Slice operator""_s(const char *text, size_t length)
{
	return {text, length};
}

} // namespace cq
