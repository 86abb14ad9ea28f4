/*
 * position.h
 *		The order of snapshots, in plain numbers.
 *
 * A snapshot sees every transaction below xmax except those in progress.  xmax never goes back, and
 * while it stays the set in progress only shrinks (GetSnapshotData; no id below xmax can begin
 * later).  So snapshots are ordered by (xmax, fewer in progress), and that fits into one number:
 *
 *	 63              18 17          0
 *	+------------------+-------------+
 *	| full xmax        | max - count |		larger = sees more, equal = sees the same
 *	+------------------+-------------+
 *
 * 2^46 transactions are 220 years of 10,000 a second.  snapXactCompletionCount would be the same
 * order for free, but CopySnapshot() clears it.
 *
 * No backend header here: the unit test links this without a server.
 */
#pragma once

#include <cstdint>
#include <cstring>

namespace cq::exact
{

constexpr int kCountBits = 18;
constexpr uint64_t kCountMask = (UINT64_C(1) << kCountBits) - 1;
constexpr uint64_t kNoLimit = UINT64_MAX;

/* What one snapshot tells; ids are 32 bits wide as the server keeps them. */
struct Moment
{
	uint64_t latest;         // a full id within 2^31 of all others: latestCompletedXid
	uint32_t xmin;           // all ids before it are complete
	uint32_t xmax;           // all ids from it on are not
	const uint32_t *running; // top-level ids in between that are not, without our own
	uint32_t count;
	uint32_t own;  // our own top-level id, 0 if none
	bool repeated; // an id may be in `running` twice (PREPARE TRANSACTION does that for a while)
};

/* The full id of a 32-bit one. */
constexpr uint64_t
Widen(uint32_t xid, uint64_t latest)
{
	return latest + static_cast<int64_t>(static_cast<int32_t>(xid - static_cast<uint32_t>(latest)));
}

/* Is this id among the first n? */
inline bool
Contains(const uint32_t *xids, uint32_t n, uint32_t xid)
{
	for (uint32_t i = 0; i < n; i++)
	{
		if (xids[i] == xid)
			return true;
	}
	return false;
}

/*
 * How many different ids below `limit` are in progress, of those below xmax.  Ids in progress lie
 * close together, so a table of bits by their last digits tells most of them apart; only an id that
 * finds its bit taken is searched for.
 */
inline uint32_t
CountRunning(const Moment &m, uint64_t limit)
{
	constexpr uint32_t kBits = 8192;
	const bool search = m.repeated && m.count > 1;
	uint64_t taken[kBits / 64];
	uint32_t n = 0;

	if (search)
		memset(taken, 0, sizeof(taken));
	for (uint32_t i = 0; i < m.count; i++)
	{
		const uint32_t xid = m.running[i];

		if (limit != kNoLimit && Widen(xid, m.latest) >= limit)
			continue;
		if (search)
		{
			uint64_t &word = taken[xid % kBits / 64];
			const uint64_t bit = UINT64_C(1) << xid % 64;

			if ((word & bit) != 0 && Contains(m.running, i, xid))
				continue;
			word |= bit;
		}
		n++;
	}
	if (m.own != 0)
	{
		const uint64_t own = Widen(m.own, m.latest);

		if (own < Widen(m.xmax, m.latest) && own < limit)
			n++;
	}
	return n;
}

/* The snapshot's place in the order; false when more are in progress than fit. */
inline bool
PositionOf(const Moment &m, uint64_t *pos)
{
	const uint32_t n = CountRunning(m, kNoLimit);

	if (n >= kCountMask)
		return false;
	*pos = Widen(m.xmax, m.latest) << kCountBits | (kCountMask - n);
	return true;
}

/*
 * No snapshot has a larger one while `latest` is the largest complete id; one for which nothing is in progress has
 * this.  The special ids 0 to 2 are no transactions.
 */
inline uint64_t
LargestPosition(uint64_t latest)
{
	uint64_t xmax = latest + 1;

	while (static_cast<uint32_t>(xmax) < 3)
		xmax++;
	return xmax << kCountBits | kCountMask;
}

/*
 * How many ids below `boot` this snapshot does not see.  That includes those from its xmax on, for
 * a snapshot that is older than `boot`.  Snapshots with the same number don't see the same ones,
 * because these sets are nested.
 */
inline uint64_t
UnseenBefore(const Moment &m, uint64_t boot)
{
	const uint64_t xmax = Widen(m.xmax, m.latest);

	if (Widen(m.xmin, m.latest) >= boot)
		return 0;
	return CountRunning(m, boot) + (xmax < boot ? boot - xmax : 0);
}

/*
 * Does the snapshot take this top-level transaction for unfinished?  Subtransactions don't matter
 * here, so unlike XidInMVCCSnapshot() an overflowed snapshot needs no look into pg_subtrans.
 */
inline bool
IsRunning(const Moment &m, uint64_t xid)
{
	if (m.own != 0 && xid == Widen(m.own, m.latest))
		return true;
	if (xid >= Widen(m.xmax, m.latest))
		return true;
	if (xid < Widen(m.xmin, m.latest))
		return false;
	return Contains(m.running, m.count, static_cast<uint32_t>(xid));
}

} // namespace cq::exact
