/*
 * pg.h
 *		The one place where PostgreSQL's headers enter our C++ code.
 *
 * Every backend file includes this first.  Leaf files (position.h, policy.h, units.h)
 * include neither this nor postgres.h, so that unit tests link them without a server.
 */
#pragma once

extern "C" {
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/transam.h"
#include "access/twophase.h"
#include "access/tupdesc.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "replication/walsender.h"
#include "storage/ipc.h"
#include "storage/lock.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/shmem.h"
#include "storage/sinval.h"
#include "storage/spin.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/pgstat_internal.h"
#include "utils/plancache.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"
}

/*
 * We want PqCommMethods and touch no Port, whose members for GSS and TLS ask for those libraries'
 * headers.
 */
#pragma push_macro("ENABLE_GSS")
#pragma push_macro("USE_OPENSSL")
#undef ENABLE_GSS
#undef USE_OPENSSL
extern "C" {
#include "libpq/libpq.h"
}
#pragma pop_macro("ENABLE_GSS")
#pragma pop_macro("USE_OPENSSL")

#include "compat.h"

/*
 * Our own assertions: compiled in by `make CQ_DEBUG=1`, which the tests use.  PostgreSQL's
 * USE_ASSERT_CHECKING can't be switched on for one module: it changes the layout of structs.
 */
#ifdef CQ_DEBUG
#define CqAssert(condition)                                                                        \
	do                                                                                             \
	{                                                                                              \
		if (!(condition))                                                                          \
			elog(PANIC, "cached_query assertion failed: %s (%s:%d)", #condition, __FILE__,         \
				 __LINE__);                                                                        \
	}                                                                                              \
	while (0)
#else
#define CqAssert(condition) ((void) 0)
#endif

namespace cq
{

/* What a hook of ours passes on to: the one that was there before, or what PostgreSQL does without any. */
template <typename Hook>
Hook
NextOf(Hook hook, Hook standard)
{
	return hook != nullptr ? hook : standard;
}

/* Room for so many elements in the current memory context, one at least. */
template <typename T>
T *
NewArray(Size count)
{
	return static_cast<T *>(palloc(sizeof(T) * Max(count, static_cast<Size>(1))));
}

/* One, in the current memory context. */
template <typename T>
T *
New()
{
	return static_cast<T *>(palloc(sizeof(T)));
}

template <typename T>
T *
NewZeroed()
{
	return static_cast<T *>(palloc0(sizeof(T)));
}

template <typename T>
T *
NewZeroedArray(Size count)
{
	return static_cast<T *>(palloc0(sizeof(T) * Max(count, static_cast<Size>(1))));
}

} // namespace cq
