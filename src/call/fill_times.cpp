/*
 * fill_times.cpp
 *		How long queries take: what a caller that waits for another session goes by.
 *
 * An entry tells what its own fill took, also when it is too old to be served.  For a key that is not in
 * the cache the query's other keys tell, by a small table in shared memory (hint_table.h): by text, not by
 * arguments.  If the atomics of a place don't belong together somebody waits a while longer or shorter.
 */
#include "pg.h"
#include "call/singleflight.h"
#include "call/fill_times.h"
#include "validity/lookup.h"
#include "base/hint_table.h"

namespace cq
{
namespace
{

/* Other arguments may mean much more work. */
constexpr int64 kOtherArguments = 4;
constexpr int64 kLeastOtherUs = 500 * 1000;

struct Place
{
	pg_atomic_uint64 query;   /* atomic: hash of the query; 0: none */
	pg_atomic_uint64 fill_us; /* atomic: a maximum that decays */
};

Places<Place, 4096> places;

Place &
PlaceOf(const Examined &query)
{
	return places.Of(query.prefix_hash);
}

int64
Learned(const Examined &query)
{
	Place &place = PlaceOf(query);

	return pg_atomic_read_u64(&place.query) == query.prefix_hash
			   ? static_cast<int64>(pg_atomic_read_u64(&place.fill_us))
			   : 0;
}

} // namespace

void
NoteFillTime(const Handle &handle, int64 fill_us)
{
	Place &place = PlaceOf(handle);
	const int64 before = Learned(handle);

	/* written where it changes something: fills of a short query may be many */
	if (before != 0 && fill_us <= before && fill_us >= before - before / 8)
		return;
	pg_atomic_write_u64(&place.fill_us,
						static_cast<uint64>(Max(Max(fill_us, before - before / 8), INT64CONST(1))));
	pg_atomic_write_u64(&place.query, handle.prefix_hash);
}

WaitLimit
WaitLimitOf(const Lookup &lookup, TimestampTz deadline)
{
	WaitLimit limit = {deadline, lookup.fill_us, lookup.plan_cost};
	int64 learned;

	if (limit.expected_us > 0)
		return limit;
	learned = Learned(*lookup.examined);
	if (learned > 0)
		limit.expected_us = Max(learned * kOtherArguments, kLeastOtherUs);
	return limit;
}

void
FillTimesRequestShmem()
{
	places.RequestShmem();
}

void
FillTimesInitShmem()
{
	places.InitShmem("cached_query fill times");
}

} // namespace cq
