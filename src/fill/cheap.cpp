/*
 * cheap.cpp
 *		Queries that are cheaper to run than to look up (min_fill_time = -1).
 *
 * A fill that took less than a hit would (cost.cpp) is not kept, and the handle remembers it: the
 * next calls run the query and leave the cache alone.  As tables grow and plans change it is tried
 * again after a while, a longer while each time it proves cheap again; and a direct run that takes
 * clearly longer than a hit shortens it, since other arguments may mean other work.
 */
#include "pg.h"
#include "fill/attempt.h"
#include "fill/cost.h"

namespace cq
{
namespace
{

constexpr int kFirstSpan = 64;
constexpr int kLastSpan = 4096;

} // namespace

/* Inside a fill the dependencies must be told, which a fill does. */
bool
RunsDirectly(Attempt *attempt)
{
	const CallOptions &options = attempt->call->options;

	if (options.min_fill_time_ms >= 0 || options.mode != Mode::on || attempt->call->ttl_us == 0 ||
		attempt->handle->direct_calls == 0 || Watching())
		return false;
	attempt->handle->direct_calls--;
	return true;
}

void
NoteDirectRun(Attempt *attempt, int64 run_us)
{
	Handle *handle = attempt->handle;

	if (static_cast<uint64>(run_us) * 1000 <= 2 * handle->direct_ns)
		return;
	/* once may be chance: halve what is left, so that it soon comes to nothing if it goes on */
	handle->direct_calls /= 2;
	handle->direct_span = 0;
}

/* A long key takes longer than the average one: what this call has spent on it counts, too. */
bool
CheaperThanHit(Attempt *attempt, int64 run_us, uint64 bytes)
{
	Handle *handle = attempt->handle;
	uint64 hit_ns = HitCostNs(attempt->look_up_ns, bytes);
	bool cheaper = static_cast<uint64>(run_us) * 1000 < hit_ns;

	handle->direct_ns = hit_ns;
	if (cheaper)
		handle->direct_span =
			handle->direct_span == 0 ? kFirstSpan : Min(handle->direct_span * 2, kLastSpan);
	else
		handle->direct_span = 0;
	handle->direct_calls = handle->direct_span;
	return cheaper;
}

} // namespace cq
