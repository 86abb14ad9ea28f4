/*
 * position_test.cpp
 *		The order of snapshots, tried on random histories.
 *
 * A small model of the server's transaction bookkeeping runs begin, commit, abort and prepare
 * (during which an id is listed twice), over the wrap of 32-bit ids.  Snapshots of it are taken
 * from outside and from inside a transaction.  The truth about each is the plain set of ids it
 * sees.
 */
#include <cstdio>
#include <cstdlib>

#include "exact/position.h"
#include "tap.h"

using namespace cq::exact;
using tap::Done;
using tap::Ok;

namespace
{

uint64_t seed;

uint32_t
Random(uint32_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return static_cast<uint32_t>(seed >> 33) % below;
}

/* --- the model ------------------------------------------------------------------------------- */

constexpr int kMaxIds = 400;       // in a history
constexpr int kMaxSnapshots = 120; // of a history
constexpr int kMaxRunning = 40;

enum class State : char
{
	running,
	preparing, // listed twice
	complete
};

struct Server
{
	uint64_t first; // full id of states[0]
	uint64_t next;
	uint64_t latest; // largest complete one
	State states[kMaxIds];
};

struct Picture
{
	uint64_t xmin;
	uint64_t xmax;
	uint64_t own;
	uint32_t running[2 * kMaxIds];
	uint32_t count;
	bool sees[kMaxIds];
	uint64_t pos;
	uint64_t latest; // when it was taken
};

Server server;
Picture pictures[kMaxSnapshots];
int npictures;

/* The special ids 0 to 2 are skipped at each wrap, as the server does. */
uint64_t
After(uint64_t xid)
{
	xid++;
	while (static_cast<uint32_t>(xid) < 3)
		xid++;
	return xid;
}

State &
StateOf(uint64_t xid)
{
	return server.states[xid - server.first];
}

/* As GetSnapshotData(): `own` isn't in the list. */
void
Take(uint64_t own)
{
	Picture &p = pictures[npictures++];

	p.latest = server.latest;
	p.xmax = After(server.latest);
	p.xmin = p.xmax;
	p.own = own;
	p.count = 0;
	for (uint64_t xid = server.first; xid < server.first + kMaxIds; xid++)
	{
		const bool open = xid < server.next && StateOf(xid) != State::complete;

		p.sees[xid - server.first] = xid < p.xmax && !open;
		if (xid >= p.xmax || !open)
			continue;
		if (xid < p.xmin)
			p.xmin = xid;
		if (xid == own)
			continue;
		p.running[p.count++] = static_cast<uint32_t>(xid);
	}
	/* the second entries are somewhere in the list */
	for (uint64_t xid = server.first; xid < server.next && xid < p.xmax; xid++)
	{
		if (StateOf(xid) == State::preparing && xid != own)
		{
			const uint32_t at = Random(p.count + 1);

			p.running[p.count] = p.running[at];
			p.running[at] = static_cast<uint32_t>(xid);
			p.count++;
		}
	}
}

/* The picture as the reader has it, seen from a later `latest`. */
Moment
MomentOf(const Picture &p, uint64_t latest)
{
	return {latest,
			static_cast<uint32_t>(p.xmin),
			static_cast<uint32_t>(p.xmax),
			p.running,
			p.count,
			static_cast<uint32_t>(p.own),
			true};
}

void
Complete(uint64_t xid)
{
	StateOf(xid) = State::complete;
	if (xid > server.latest)
		server.latest = xid;
}

/* One step of history. */
void
Step()
{
	uint64_t open[kMaxRunning];
	int nopen = 0;

	for (uint64_t xid = server.first; xid < server.next && nopen < kMaxRunning; xid++)
	{
		if (static_cast<uint32_t>(xid) >= 3 && StateOf(xid) != State::complete)
			open[nopen++] = xid;
	}
	const uint32_t dice = Random(100);
	const uint64_t some = nopen > 0 ? open[Random(static_cast<uint32_t>(nopen))] : 0;

	if (dice < 35 && nopen < kMaxRunning)
	{
		StateOf(server.next) = State::running;
		server.next = After(server.next);
	}
	else if (dice < 60 && some != 0)
		Complete(some);
	else if (dice < 75 && some != 0)
		StateOf(some) = StateOf(some) == State::running ? State::preparing : State::running;
	else if (npictures < kMaxSnapshots)
		Take(dice < 85 ? some : 0);
}

void
Run(uint64_t start)
{
	server.first = start;
	server.next = start;
	server.latest = start - 1;
	for (State &state : server.states)
		state = State::complete;
	npictures = 0;
	while (server.next + 8 < server.first + kMaxIds && npictures < kMaxSnapshots)
		Step();
}

/* --- what must hold -------------------------------------------------------------------------- */

bool order_ok = true;
bool boot_ok = true;
bool running_ok = true;
bool widen_ok = true;
bool largest_ok = true;

void
CheckPositions()
{
	for (int i = 0; i < npictures; i++)
	{
		Picture &p = pictures[i];
		const Moment m = MomentOf(p, server.latest);

		widen_ok =
			widen_ok && Widen(m.xmin, m.latest) == p.xmin && Widen(m.xmax, m.latest) == p.xmax;
		if (!PositionOf(m, &p.pos))
			order_ok = false;
		if (p.pos > LargestPosition(p.latest) ||
			(p.pos == LargestPosition(p.latest)) !=
				(p.count == 0 && (p.own == 0 || p.own >= p.xmax)))
			largest_ok = false;
		for (uint64_t xid = server.first; xid < server.next; xid++)
		{
			/* ids that never were, and our own as if it were not */
			if (static_cast<uint32_t>(xid) < 3)
				continue;
			if (IsRunning(m, xid) != (!p.sees[xid - server.first] || xid == p.own))
				running_ok = false;
		}
	}
}

/* Equal positions see the same, a larger one sees more; taken later is never smaller. */
void
CheckOrder()
{
	for (int i = 0; i < npictures; i++)
	{
		for (int j = 0; j < npictures; j++)
		{
			const Picture &a = pictures[i];
			const Picture &b = pictures[j];
			bool same = true;
			bool within = true;

			for (int k = 0; k < kMaxIds; k++)
			{
				if (static_cast<uint32_t>(server.first + static_cast<uint64_t>(k)) < 3)
					continue;
				same = same && a.sees[k] == b.sees[k];
				within = within && (!a.sees[k] || b.sees[k]);
			}
			if ((a.pos == b.pos) != same || (a.pos <= b.pos) != within)
				order_ok = false;
			if (i < j && a.pos > b.pos)
				order_ok = false;
		}
	}
}

/* Equal counts of unseen booters are equal sets, also for pictures older than `boot`. */
void
CheckBoot()
{
	const uint64_t boot = server.first + Random(kMaxIds / 2);

	for (int i = 0; i < npictures; i++)
	{
		for (int j = 0; j < npictures; j++)
		{
			const uint64_t a = UnseenBefore(MomentOf(pictures[i], server.latest), boot);
			const uint64_t b = UnseenBefore(MomentOf(pictures[j], server.latest), boot);
			bool same = true;

			for (uint64_t xid = server.first; xid < boot; xid++)
			{
				const uint64_t k = xid - server.first;

				if (static_cast<uint32_t>(xid) >= 3)
					same = same && pictures[i].sees[k] == pictures[j].sees[k];
			}
			if (a == b && !same)
				boot_ok = false;
			if ((a == 0) && pictures[i].xmin < boot && pictures[i].xmax < boot)
				boot_ok = false;
		}
	}
}

void
TestHistories()
{
	const uint64_t starts[] = {3,
							   1000,
							   UINT64_C(0xffffff00),
							   UINT64_C(0x1ffffff40),
							   UINT64_C(0x7fffff80),
							   UINT64_C(0x2a7fffffe0)};

	for (uint32_t round = 0; round < 150; round++)
	{
		seed = round + 1;
		Run(starts[round % 6]);
		CheckPositions();
		CheckOrder();
		CheckBoot();
	}
	Ok(widen_ok, "32-bit ids widen to full ones over the wrap");
	Ok(running_ok, "IsRunning agrees with the set of visible ids");
	Ok(order_ok, "positions are equal for equal sets and larger for supersets");
	Ok(largest_ok, "the largest position is that of a snapshot that sees all");
	Ok(boot_ok, "equal counts of unseen booters mean the same booters");
}

void
TestWiden()
{
	const uint64_t latest = UINT64_C(0x500000002);

	Ok(Widen(2, latest) == latest && Widen(3, latest) == latest + 1 &&
		   Widen(0xffffffff, latest) == UINT64_C(0x4ffffffff) &&
		   Widen(0x7fffffff, latest) == UINT64_C(0x57fffffff) &&
		   Widen(0x80000003, latest) == UINT64_C(0x480000003),
	   "widening to both sides of the latest");
}

/* Ids that share their last digits are still told apart, repeated ones still found. */
void
TestRepeated()
{
	static uint32_t ids[3000];
	uint32_t n = 0;

	for (uint32_t i = 0; i < 1000; i++)
		ids[n++] = 100 + i * 8192;
	for (uint32_t i = 0; i < 1000; i++)
		ids[n++] = 10'000'000 + i;
	for (uint32_t i = 0; i < 500; i++)
		ids[n++] = 100 + i * 8192;

	Moment m = {20'000'000, 100, 20'000'001, ids, n, 0, true};

	Ok(CountRunning(m, kNoLimit) == 2000, "repeated ids count once");
	m.repeated = false;
	Ok(CountRunning(m, kNoLimit) == 2500, "without prepared transactions nothing is searched");
	m.repeated = true;
	Ok(CountRunning(m, 10'000'000) == 1000, "a limit leaves out later ids");
}

void
TestCrowd()
{
	static uint32_t ids[kCountMask];
	uint64_t pos = 0;

	for (uint32_t i = 0; i < kCountMask; i++)
		ids[i] = 100 + i;

	Moment m = {1'000'000, 100, 1'000'001, ids, static_cast<uint32_t>(kCountMask), 0, false};

	Ok(!PositionOf(m, &pos), "too many in progress have no position");
	m.count--;
	Ok(PositionOf(m, &pos) && (pos & kCountMask) == 1 && pos >> kCountBits == 1'000'001,
	   "one less has one");
	m.own = 50;
	m.xmin = 50;
	Ok(!PositionOf(m, &pos), "our own transaction counts");
	m.own = 1'000'001;
	Ok(PositionOf(m, &pos), "but not when it began after the snapshot");
}

} // namespace

int
main()
{
	TestWiden();
	TestHistories();
	TestRepeated();
	TestCrowd();
	return Done();
}
