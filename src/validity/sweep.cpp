/*
 * sweep.cpp
 *		Asking for a sweep.
 *
 * Locking: the latch by a spinlock, the rest atomic.
 */
#include "pg.h"
#include "base/shared.h"
#include "validity/sweep.h"

extern "C" {
#include "storage/latch.h"
}

namespace cq
{
namespace
{

struct Shared
{
	pg_atomic_uint64 wanted; /* requests so far; atomic */
	pg_atomic_uint32 idle;   /* it must be woken up; atomic */
	slock_t lock;
	Latch *latch; /* lock; null: it does not run */
};

Shared *shared = nullptr;

} // namespace

void
RequestSweep()
{
	Latch *latch;

	pg_atomic_fetch_add_u64(&shared->wanted, 1);
	if (pg_atomic_read_u32(&shared->idle) == 0 || pg_atomic_exchange_u32(&shared->idle, 0) == 0)
		return;
	SpinLockAcquire(&shared->lock);
	latch = shared->latch;
	SpinLockRelease(&shared->lock);
	if (latch != nullptr)
		SetLatch(latch);
}

uint64
SweepsRequested()
{
	return pg_atomic_read_u64(&shared->wanted);
}

void
SetSweeperIdle(bool idle)
{
	pg_atomic_write_u32(&shared->idle, idle ? 1 : 0);
	pg_memory_barrier();
}

void
SetSweeperLatch(Latch *latch)
{
	SpinLockAcquire(&shared->lock);
	shared->latch = latch;
	SpinLockRelease(&shared->lock);
}

void
SweepRequestShmem()
{
	RequestShared(sizeof(Shared));
}

void
SweepInitShmem()
{
	shared = MakeOrFindShared<Shared>("cached_query sweep", [](Shared *made) {
		pg_atomic_init_u64(&made->wanted, 0);
		pg_atomic_init_u32(&made->idle, 0);
		SpinLockInit(&made->lock);
	});
}

} // namespace cq
