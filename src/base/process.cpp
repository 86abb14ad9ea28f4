/*
 * process.cpp
 *		What all our background processes have in common.
 *
 * Locking: none; everything here belongs to the process.
 */
#include "pg.h"
#include "settings.h"
#include "base/process.h"

extern "C" {
#include "catalog/pg_database.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/latch.h"
#include "storage/procsignal.h"
#include "tcop/tcopprot.h"
}

namespace cq::workers
{
namespace
{

BackgroundWorker
Describe(const Process &process)
{
	BackgroundWorker worker = {};

	/*
	 * Without this flag a process has no place among the backends, and then barriers and
	 * pg_log_backend_memory_contexts() do not reach it.
	 */
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_ConsistentState;
	worker.bgw_restart_time = process.restart_s < 0 ? BGW_NEVER_RESTART : process.restart_s;
	strlcpy(worker.bgw_library_name, "cached_query", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, process.entry, sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, process.name, sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, process.name, sizeof(worker.bgw_type));
	return worker;
}

/* This process. */
const Process *running = nullptr;

} // namespace

bool
ServesNobody()
{
	return IsBinaryUpgrade || !IsPostmasterEnvironment;
}

void
StartWithServer(const Process &process)
{
	BackgroundWorker worker = Describe(process);

	if (!ServesNobody())
		RegisterBackgroundWorker(&worker);
}

bool
StartNow(const Process &process, Datum arg, const void *extra, Size extra_size)
{
	BackgroundWorker worker = Describe(process);

	if (!preloaded || ServesNobody() || extra_size > sizeof(worker.bgw_extra))
		return false;
	worker.bgw_main_arg = arg;
	if (extra_size > 0)
		memcpy(worker.bgw_extra, extra, extra_size);
	return RegisterDynamicBackgroundWorker(&worker, nullptr);
}

void
BeginListening(const Process &process)
{
	running = &process;
	/* without shared memory there is nothing that it could do */
	if (!preloaded)
		proc_exit(0);
	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
}

void
Begin(const Process &process)
{
	BeginListening(process);
	/* it runs no statement that could be cancelled */
	pqsignal(SIGINT, compat::IgnoreSignal());
	BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
}

void
JoinDatabase(Oid database, Oid user)
{
	BackgroundWorkerInitializeConnectionByOid(database, user, 0);
}

void
Interrupts()
{
	/* outside of a transaction there is nothing to cancel */
	if (!IsTransactionState())
		QueryCancelPending = false;
	/* each shutdown comes here: without a message, like PostgreSQL's launcher of logical replication */
	if (ProcDiePending && !IsTransactionState())
		proc_exit(1);
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
	/* a process that sleeps for long must not keep the queue of invalidation messages from being truncated */
	if (catchupInterruptPending && !IsTransactionState())
		ProcessCatchupInterrupt();
}

void
Wait(int64 ms)
{
	Interrupts();
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 static_cast<long>(Max(ms, 0)), running->wait_event());
	ResetLatch(MyLatch);
	Interrupts();
}

/*
 * DROP DATABASE and other commands that need a database for themselves lock it first.  Then they wait
 * for its backends to end, but they signal only autovacuum workers.  Every new connection takes the
 * same lock in a weaker mode, so a conflicting lock tells that such a command waits.
 */
bool
DatabaseWanted()
{
	LOCKTAG tag;
	int holders;

	SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, MyDatabaseId, 0);
	pfree(GetLockConflicts(&tag, RowExclusiveLock, &holders));
	return holders > 0;
}

} // namespace cq::workers
