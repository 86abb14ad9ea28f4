/*
 * shared.h
 *		Shared memory under a name: requested once, then made by the first process and found by the others.
 */
#pragma once

#include "pg.h"

namespace cq
{

/* From shmem_request_hook.  ShmemInitStruct() begins each struct at a cache line, which takes some room. */
inline void
RequestShared(Size size)
{
	RequestAddinShmemSpace(add_size(size, PG_CACHE_LINE_SIZE));
}

/*
 * From shmem_startup_hook.  `initialize` is called under AddinShmemInitLock with what was made, whose bytes
 * mean nothing yet; it is not called with what was found.
 */
template <typename T, typename Initialize>
T *
MakeOrFindShared(const char *name, Size size, Initialize initialize)
{
	T *shared;
	bool found;

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = static_cast<T *>(ShmemInitStruct(name, size, &found));
	if (!found)
		initialize(shared);
	LWLockRelease(AddinShmemInitLock);
	return shared;
}

/* The same for a struct that begins as all zero. */
template <typename T, typename Initialize>
T *
MakeOrFindShared(const char *name, Initialize initialize)
{
	return MakeOrFindShared<T>(name, sizeof(T), [&](T *shared) {
		memset(static_cast<void *>(shared), 0, sizeof(T));
		initialize(shared);
	});
}

} // namespace cq
