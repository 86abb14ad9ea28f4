/*
 * process.h
 *		What all our background processes have in common: how they are described, started and made to
 *		listen.
 *
 * A process is registered by StartWithServer() or StartNow().  Its main function calls Begin(), or
 * BeginListening() and JoinDatabase() if it needs a database.  It waits in Wait() only, and it calls
 * Interrupts() before every step that can be long.  So each process answers to barriers (DROP DATABASE
 * waits for them), to pg_log_backend_memory_contexts(), to a reload, to SIGTERM and to the postmaster's
 * death.  Code that waits for something else inside a step must reset the latch and call
 * CHECK_FOR_INTERRUPTS(), as redis/ does.
 *
 * SIGTERM is handled by `die`: the next CHECK_FOR_INTERRUPTS() ends the process with exit code 1, and the
 * postmaster starts it again if it has a restart time.  A process whose main function returns is not
 * started again.  What must be undone is undone in exit callbacks (base/exit.h).
 */
#pragma once

#include "pg.h"

namespace cq::workers
{

struct Process
{
	const char *name;       /* what ps and the log say; also the backend_type of pg_stat_activity */
	const char *entry;      /* its main function, exported */
	int restart_s;          /* after it failed; -1: not */
	uint32 (*wait_event)(); /* while it waits in Wait() */
};

/* All of them; src/README.md says when each starts and ends. */
constexpr Process kRedisWriter = {"cached_query redis writer", "cached_query_redis_writer_main", 1,
								  compat::RedisWaitEvent};
constexpr Process kRefreshWorker = {"cached_query refresh worker", "cached_query_refresh_worker",
									-1, compat::RefreshWaitEvent};
constexpr Process kSweeper = {"cached_query sweeper", "cached_query_sweeper_main", 5,
							  compat::SweepWaitEvent};
constexpr Process kWarmStart = {"cached_query warm start", "cached_query_warm_worker", -1,
								compat::RefreshWaitEvent};

/*
 * Is this a server of pg_upgrade's, or one in single-user mode?  It has no background processes, connects
 * to no other server, and neither reads nor writes files for the next start.
 */
extern bool ServesNobody();

/* From _PG_init: started with the server, as soon as it is consistent. */
extern void StartWithServer(const Process &process);
/*
 * Started now, from any backend, but not in a commit callback.  The process finds `extra` in bgw_extra.
 * False if max_worker_processes leaves no place for it.
 */
extern bool StartNow(const Process &process, Datum arg, const void *extra, Size extra_size);

/* First in the main function: it sets up signals and gets a place among the backends, without a database. */
extern void Begin(const Process &process);
/* The same in two steps for a process that needs a database; the first sets up signals. */
extern void BeginListening(const Process &process);
extern void JoinDatabase(Oid database, Oid user);

/* Handles all pending interrupts and a reload.  The process may end here, and settings may change. */
extern void Interrupts();
/* Waits until the latch is set or the time is over, then calls Interrupts(). */
extern void Wait(int64 ms);
/* Does a session wait for all others to leave our database?  Then the process should end. */
extern bool DatabaseWanted();

} // namespace cq::workers
