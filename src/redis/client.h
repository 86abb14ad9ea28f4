/*
 * client.h
 *		A Redis client for backends and background workers: bytes in, bytes out.
 *
 * One call, Run(), sends a pipeline of commands and hands out the replies.  It waits in
 * PostgreSQL's own way, so that cancel, statement_timeout, termination and the postmaster's death
 * act at once, and never longer than cached_query.redis_timeout in all.  Connections are kept by
 * each process, opened at first use, and closed whenever a request on them did not come to its end:
 * none is ever out of step.
 *
 * What is wrong with Redis is never an error here: the result is `unavailable`, and the breaker
 * (breaker.h) sees to it that a dead server costs all processes together about one timeout.
 *
 * It works in any process that has a PGPROC and a latch, with or without a transaction.
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

/* Is there a URL? */
extern bool Configured();
/* A number that stands for it, the same in all processes. */
extern uint64 ServerHash();
/* And does the breaker let us?  Cheap: a few reads of shared memory. */
extern bool Usable();
extern Result Run(const Pipeline &pipeline);
/*
 * From an exit callback: gives up the request that FATAL has cut off, and sets an end to those that
 * are still to come.
 */
extern void BeginLastRequests(int64 ms);

/* ---- For the view ---- */

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

extern void GetStatus(Status *status);

/* ---- Name resolution, for the worker process ---- */

/* Is there a name that somebody waits for, or one that should be looked up again? */
extern bool ResolveWanted();
/*
 * Looks up such names, one after the other, without waiting: call it again after the time that it returns, in
 * ms; 0 when there is nothing more to look up.
 */
extern int ResolveNames();

extern void DefineSettings();
extern void RequestShmem();
extern void InitShmem();

} // namespace cq::redis
