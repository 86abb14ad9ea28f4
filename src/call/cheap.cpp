/*
 * cheap.cpp
 *		Queries that are cheaper to run than to look up (min_fill_time = -1).
 *
 * A fill that took less than a hit would (cost.cpp) is not kept, and the handle remembers it: the
 * next calls run the query and leave the cache alone.  As tables grow and plans change it is tried
 * again after a while, a longer while each time it proves cheap again; and a direct run that takes
 * clearly longer than a hit shortens it, since other arguments may mean other work.
 *
 * A pooler's sessions may be too short to learn anything.  So what one handle has learned stands in
 * a small table in shared memory (hint_table.h) for a minute, and each new handle begins with it.  When
 * a query proves not to be cheap any more it is taken out.
 *
 * A place is written where something was learned only and read by the first call of a handle; if its
 * atomics don't belong together a hit's cost is wrong, and the next run that is compared with it
 * tells.
 */
#include "pg.h"
#include "validity/watch.h"
#include "call/cheap.h"
#include "validity/lookup.h"
#include "call/cost.h"
#include "base/hint_table.h"

namespace cq
{
namespace
{

constexpr int kFirstSpan = 64;
constexpr int kLastSpan = 4096;
constexpr uint32 kKnownForS = 60;

struct Place
{
	pg_atomic_uint64
		query; /* atomic: its hash's upper half, and when it was found cheap; 0: none */
	pg_atomic_uint64 hit_ns; /* atomic: what a hit was held to cost */
};

Places<Place, 1024> places;

/* Wraps around after a century. */
uint32
NowS()
{
	return static_cast<uint32>(GetCurrentTimestamp() / USECS_PER_SEC);
}

/* The fixed part of the key tells queries apart: database, trees, not the arguments. */
Place &
PlaceOf(const Examined *query)
{
	return places.Of(query->prefix_hash);
}

uint32
UpperHalf(const Examined *query)
{
	return static_cast<uint32>(query->prefix_hash >> 32) | 1;
}

void
Remember(const Examined *query)
{
	Place &place = PlaceOf(query);

	pg_atomic_write_u64(&place.hit_ns, query->direct_ns);
	pg_atomic_write_u64(&place.query, static_cast<uint64>(UpperHalf(query)) << 32 | NowS());
}

void
Forget(const Examined *query)
{
	Place &place = PlaceOf(query);

	if (pg_atomic_read_u64(&place.query) >> 32 == UpperHalf(query))
		pg_atomic_write_u64(&place.query, 0);
}

/* What others have learned, once in a handle's life. */
void
Recall(Examined *query)
{
	Place &place = PlaceOf(query);
	const uint64 known = pg_atomic_read_u64(&place.query);

	query->direct_recalled = true;
	if (known >> 32 != UpperHalf(query) || NowS() - static_cast<uint32>(known) >= kKnownForS)
		return;
	query->direct_ns = pg_atomic_read_u64(&place.hit_ns);
	query->direct_span = kFirstSpan;
	query->direct_calls = kFirstSpan;
}

} // namespace

/* Inside a fill the dependencies must be told, which a fill does. */
bool
RunsDirectly(Attempt *attempt)
{
	const CallOptions &options = attempt->call->options;

	if (options.min_fill_time_ms >= 0 || options.mode != Mode::on || attempt->call->ttl_us == 0 ||
		Watching())
		return false;
	if (!attempt->examined->direct_recalled)
		Recall(attempt->examined);
	if (attempt->examined->direct_calls == 0)
		return false;
	attempt->examined->direct_calls--;
	return true;
}

void
NoteDirectRun(Attempt *attempt, int64 run_us)
{
	Examined *query = attempt->examined;

	if (static_cast<uint64>(run_us) * 1000 <= 2 * query->direct_ns)
		return;
	/* once may be chance: halve what is left, so that it soon comes to nothing if it goes on */
	query->direct_calls /= 2;
	query->direct_span = 0;
	Forget(query);
}

/* A long key takes longer than the average one: what this call has spent on it counts, too. */
bool
CheaperThanHit(Attempt *attempt, int64 run_us, uint64 bytes)
{
	Examined *query = attempt->examined;
	uint64 hit_ns = HitCostNs(attempt->look_up_ns, bytes);
	bool cheaper = static_cast<uint64>(run_us) * 1000 < hit_ns;

	query->direct_ns = hit_ns;
	if (cheaper)
		query->direct_span =
			query->direct_span == 0 ? kFirstSpan : Min(query->direct_span * 2, kLastSpan);
	else
		query->direct_span = 0;
	query->direct_calls = query->direct_span;
	query->direct_recalled = true;
	if (cheaper)
		Remember(query);
	else
		Forget(query);
	return cheaper;
}

void
CheapRequestShmem()
{
	places.RequestShmem();
}

void
CheapInitShmem()
{
	places.InitShmem("cached_query cheap queries");
}

} // namespace cq
