/*
 * lag.cpp
 *		How far a standby is behind its primary, where that can be proved.
 *
 * The proofs come from the primary, by way of Redis (remote/standby_lag.cpp).
 *
 * Locking: a spinlock protects the proofs.
 */
#include "pg.h"
#include "base/shared.h"
#include "exact/exact.h"
#include "validity/lag.h"

namespace cq
{
namespace
{

constexpr int kProofs = 64;

/* A standby's snapshot of then or later shows what the primary showed at another moment. */
struct Proof
{
	int64 then_ms; /* both MonotonicMs() */
	int64 shown_ms;
};

struct Shared
{
	slock_t lock;
	uint64 nproofs;        /* lock: so far */
	Proof proofs[kProofs]; /* lock */
};

Shared *shared = nullptr;

} // namespace

bool
ProvedAt(TimestampTz taken, TimestampTz *shown)
{
	const int64 then_ms = exact::MonotonicMs() - (GetCurrentTimestamp() - taken) / 1000;
	int64 shown_ms = -1;

	SpinLockAcquire(&shared->lock);
	for (uint64 i = 0; i < Min(shared->nproofs, static_cast<uint64>(kProofs)); i++)
	{
		/* the clocks are read one after the other, in milliseconds */
		if (shared->proofs[i].then_ms < then_ms && shared->proofs[i].shown_ms > shown_ms)
			shown_ms = shared->proofs[i].shown_ms;
	}
	SpinLockRelease(&shared->lock);
	*shown = taken - (then_ms - shown_ms) * 1000;
	return shown_ms >= 0;
}

void
AddProof(int64 then_ms, int64 shown_ms)
{
	SpinLockAcquire(&shared->lock);
	shared->proofs[shared->nproofs++ % kProofs] = {then_ms, shown_ms};
	SpinLockRelease(&shared->lock);
}

void
LagRequestShmem()
{
	RequestShared(sizeof(Shared));
}

void
LagInitShmem()
{
	shared = MakeOrFindShared<Shared>("cached_query lag",
									  [](Shared *made) { SpinLockInit(&made->lock); });
}

} // namespace cq
