/*
 * sent.cpp
 *		When were the invalidation messages of a slot's DDL out?  For fills that began before.
 *
 * Part of exact.h.
 *
 * Locking: the numbers are atomic and only raised; those of single things change with the slot's words.
 */
#include "pg.h"
#include "exact/slot_words.h"
#include "exact/slots.h"

namespace cq::exact
{
namespace
{

void
RaiseGenTo(pg_atomic_uint32 *gen, uint32 to)
{
	uint32 before = pg_atomic_read_u32(gen);

	while (before < to && !pg_atomic_compare_exchange_u32(gen, &before, to))
		;
}

} // namespace

/* Its messages are out: no fill that began before has noted so large a number. */
void
RaiseDdlGen(pg_atomic_uint32 *gen)
{
	RaiseGenTo(gen, pg_atomic_add_fetch_u32(&shared->ddl_gen, 1));
}

/* Under the lock.  What leaves its place goes to the slot first. */
void
NoteSent(Slot &slot, Things *things, uint32 thing)
{
	int place = 0;

	if (thing == 0)
	{
		RaiseDdlGen(&slot.ddl_gen);
		return;
	}
	if (pg_atomic_read_u32(&things->sent[0]) != thing &&
		(pg_atomic_read_u32(&things->sent[1]) == thing ||
		 pg_atomic_read_u32(&things->sent_gen[1]) < pg_atomic_read_u32(&things->sent_gen[0])))
		place = 1;
	if (pg_atomic_read_u32(&things->sent[place]) != thing)
	{
		RaiseGenTo(&slot.ddl_gen, pg_atomic_read_u32(&things->sent_gen[place]));
		pg_atomic_write_u32(&things->sent_gen[place], 0);
		pg_atomic_write_u32(&things->sent[place], thing);
	}
	RaiseDdlGen(&things->sent_gen[place]);
}

namespace
{

inline bool
NoneSentAfter(Slot &slot, Things *things, SlotNo no, uint32 gen)
{
	bool before = pg_atomic_read_u32(&slot.ddl_gen) <= gen;

	for (int i = 0; things != nullptr && i < 2; i++)
	{
		if (pg_atomic_read_u32(&things->sent[i]) == no || (no & kThing) == 0)
			before = before && pg_atomic_read_u32(&things->sent_gen[i]) <= gen;
	}
	return before;
}

} // namespace

bool
SentBefore(SlotNo no, uint32 gen)
{
	Slot &slot = SlotFor(no);
	Things *things = ThingsFor(no);
	const uint32 seq = pg_atomic_read_u32(&slot.seq);
	bool before;

	pg_read_barrier();
	before = NoneSentAfter(slot, things, no, gen);
	pg_read_barrier();
	if (seq % 2 == 0 && pg_atomic_read_u32(&slot.seq) == seq)
		return before;

	/* somebody is at it */
	SpinLockAcquire(&slot.lock);
	before = NoneSentAfter(slot, things, no, gen);
	SpinLockRelease(&slot.lock);
	return before;
}

} // namespace cq::exact
