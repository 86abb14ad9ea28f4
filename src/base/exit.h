/*
 * exit.h
 *		What a process undoes when it exits, registered by the first who has something to undo.
 */
#pragma once

#include "pg.h"

extern "C" {
#include "storage/ipc.h"
}

namespace cq
{

/* Called at exit while transactions and locks are still there.  The first call in a process registers it. */
template <pg_on_exit_callback kCallback>
inline void
BeforeExit()
{
	static bool registered = false;

	if (likely(registered))
		return;
	before_shmem_exit(kCallback, static_cast<Datum>(0));
	registered = true;
}

/* The same, called when what was in progress has been aborted, while shared memory is still there. */
template <pg_on_exit_callback kCallback>
inline void
AfterAbortAtExit()
{
	static bool registered = false;

	if (likely(registered))
		return;
	on_shmem_exit(kCallback, static_cast<Datum>(0));
	registered = true;
}

} // namespace cq
