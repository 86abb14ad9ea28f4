/*
 * process.h
 *		What all our background processes have in common: how they are described, started and made to
 *		listen.
 *
 * Every process says which database it wants, registers by one of two ways, begins with one of two
 * functions and waits only in Wait().  In between it calls Interrupts() at every step that can
 * be long.  So each of them answers to barriers (DROP DATABASE waits for these), to a request to log its
 * memory contexts, to a reload, to SIGTERM and to the postmaster's death.  What waits inside a step must
 * set the latch aside and call CHECK_FOR_INTERRUPTS(), as redis/ does.
 *
 * SIGTERM is `die`: the next CHECK_FOR_INTERRUPTS() ends the process with exit code 1, and the
 * postmaster starts it again if it has a restart time.  Who returns from its main function is not
 * started again.  What must be undone belongs into exit callbacks.
 */
#pragma once

#include "pg.h"

namespace cq::workers
{

struct Process
{
	const char *name;  /* what ps and the log say; also the backend_type of pg_stat_activity */
	const char *entry; /* its main function, exported */
	int restart_s;     /* after it failed; -1: not */
};

/*
 * A server that serves nobody: of pg_upgrade, or in single-user mode.  It has no background processes,
 * talks to no other server, and neither reads nor writes files for the next start.
 */
extern bool ServesNobody();

/* From _PG_init: started with the server, as soon as it is consistent. */
extern void StartWithServer(const Process &process);
/*
 * Now, from any backend; extra: what it finds in bgw_extra.  False: there is no place for it in
 * max_worker_processes.  Not in a commit callback.
 */
extern bool StartNow(const Process &process, Datum arg, const void *extra, Size extra_size);

/* First in the main function: signals, and a place among the backends, without a database. */
extern void Begin();
/* The same in two steps for who wants a database; the first makes it listen to signals. */
extern void BeginListening();
extern void JoinDatabase(Oid database, Oid user);

/* Whatever there is to answer to.  It may end the process, and settings may change. */
extern void Interrupts();
/* Until the latch is set or the time is over, then Interrupts(). */
extern void Wait(int64 ms, uint32 wait_event);
/* Does somebody wait for everybody to leave our database?  Then leave. */
extern bool DatabaseWanted();

} // namespace cq::workers
