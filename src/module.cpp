/*
 * module.cpp
 *		The library's entry point: every room's start, in order.
 *
 * Without shared_preload_libraries the library loads quietly and does nothing; its functions then
 * say what is missing.
 */
#include "pg.h"
#include "auto/settings.h"
#include "auto/auto.h"
#include "auto/plan.h"
#include "remote/queue.h"
#include "validity/sweep.h"
#include "validity/lag.h"
#include "validity/entry_state.h"
#include "call/fill_times.h"
#include "base/process.h"
#include "base/release.h"
#include "exact/exact.h"
#include "remote/writer.h"
#include "validity/dependents.h"
#include "call/refresh_queue.h"
#include "remote/invalidations.h"
#include "call/sizes.h"
#include "workers/sweeper.h"
#include "workers/warm_start.h"
#include "validity/watch.h"
#include "query/handle.h"
#include "query/kept.h"
#include "redis/client.h"
#include "redis/resolve.h"
#include "redis/settings.h"
#include "redis/identity.h"
#include "scan/scan.h"
#include "scan/wire.h"
#include "hooks.h"
#include "settings.h"
#include "sql/sql.h"
#include "stats/stats.h"
#include "store/store.h"

extern "C" {
CQ_MODULE_MAGIC(CACHED_QUERY_VERSION);

PGDLLEXPORT void _PG_init(void);
}

namespace cq
{
namespace
{

shmem_request_hook_type previous_shmem_request = nullptr;
shmem_startup_hook_type previous_shmem_startup = nullptr;

bool requested = false; /* the postmaster has called RequestShmem() */

void
RequestShmem()
{
	requested = true;
	if (previous_shmem_request)
		previous_shmem_request();
	StoreRequestShmem(StoreMemory());
	exact::RequestShmem();
	StatsRequestShmem();
	FillTimesRequestShmem();
	SizesRequestShmem();
	SingleflightRequestShmem();
	WriteQueueRequestShmem();
	PeersRequestShmem();
	DependentsRequestShmem();
	SweepRequestShmem();
	LagRequestShmem();
	RefreshRequestShmem();
	redis::RequestShmem();
	redis::IdentityRequestShmem();
	AutoRequestShmem();
}

/* What the next start wants to know, if Redis or a warm start may have queries of this one. */
void
SaveAtShutdown(int code, Datum)
{
	if (code == 0 && !workers::ServesNobody() && (redis::Configured() || settings::warm_start))
		exact::SaveChanges();
}

/* A module that is loaded after us may set its shmem_request_hook and not call ours. */
void
CheckRequested()
{
	if (!requested && !IsUnderPostmaster)
		ereport(FATAL,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("cached_query could not request shared memory"),
				 errdetail("Another library of shared_preload_libraries, after cached_query, "
						   "has replaced its shmem_request_hook (plprofiler does that)."),
				 errhint("Put cached_query after that library in shared_preload_libraries.")));
}

/*
 * Also after a crash of some backend: then on memory that is new.  All libraries have been loaded by
 * now.
 */
void
StartShmem()
{
	static bool hooked = false;

	CheckRequested();
	if (previous_shmem_startup)
		previous_shmem_startup();
	if (!hooked)
	{
		exact::HookTrackCounts();
		HookSettings();
		HookAnalysis();
		HookPlanner();
		HookStatements();
		hooked = true;
	}
	StoreInitShmem(StoreMemory());
	exact::InitShmem();
	StatsInitShmem();
	FillTimesInitShmem();
	SizesInitShmem();
	SingleflightInitShmem();
	WriteQueueInitShmem();
	PeersInitShmem();
	DependentsInitShmem();
	SweepInitShmem();
	LagInitShmem();
	RefreshInitShmem();
	WarmStartup();
	redis::InitShmem();
	redis::IdentityInitShmem();
	AutoInitShmem();
	if (!IsUnderPostmaster)
		on_shmem_exit(SaveAtShutdown, static_cast<Datum>(0));
	preloaded = true;
}

} // namespace
} // namespace cq

void
_PG_init(void)
{
	using namespace cq;

	if (!process_shared_preload_libraries_in_progress)
	{
		WarnAtCreation();
		return;
	}
	DefineSettings();
	DefineStoreSettings();
	redis::DefineSettings();
	redis::DefineIdentitySettings();
	DefineAutoSettings();
	exact::DefineKeySettings();
#ifdef CQ_DEBUG
	exact::DefineDebugSettings();
	DefineReleaseDebug();
	redis::DefineDebugSettings();
	DefineWatchDebugSettings();
#endif
	ReserveSettings();
	exact::InitBackend();
	StoreInitBackend();
	StoreSetDeadTest(EntryInvalid);
	InitHandles();
	InitWatch();
	InitScan();
	InitWire();
	InitAuto();
	InitInvalidation();
	InitRedisWriter();
	InitSweeper();
	InitWarmStart();

	previous_shmem_request = shmem_request_hook;
	shmem_request_hook = RequestShmem;
	previous_shmem_startup = shmem_startup_hook;
	shmem_startup_hook = StartShmem;
	load_tried = true;
}
