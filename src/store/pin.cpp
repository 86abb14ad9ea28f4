/*
 * pin.cpp
 *		Pins: what keeps an entry in memory while a backend works with it.
 *
 * In shared memory a pin is a count in the entry's state.  In the backend it is a record in the
 * list of held pins with the resource owner it belongs to; the resource owner's end, or the
 * backend's, releases what was not unpinned.  Records are kept for reuse, so that a hit in a warm
 * backend allocates nothing.
 *
 * What is pinned can't be evicted, so it is counted: for each backend in itself, and for all in shared
 * memory.  There an entry of kLarge units or more counts once, from its first pin to its last
 * unpin.  To count smaller ones, too, a hit would have to write to memory that all write to; so each
 * backend tells about its small ones together, when they have become as much as a large one.
 *
 * The record is allocated before the entry is pinned, and nothing that could raise happens
 * between the atomic addition and the record's entering the list.
 *
 * Part of store.h.
 */
#include "pg.h"
#include "base/exit.h"
#include "store/internal.h"

namespace cq
{

namespace
{

Pin *held = nullptr;      // doubly linked
Pin *free_pins = nullptr; // singly linked

constexpr uint32 kLarge = 256;

uint64 held_units = 0; // of all pins held
int64 small_units = 0; // of those of entries smaller than kLarge
int64 told_units = 0;  // part of the shared sum for them

/* The shared sum follows the small ones with strides. */
void
TellSmall(int64 by)
{
	int64 difference;

	small_units += by;
	difference = small_units - told_units;
	if (likely(difference < int64{kLarge} && difference > -int64{kLarge}) &&
		(small_units > 0 || told_units == 0))
		return;
	pg_atomic_fetch_add_u64(&map.shared->pinned, difference);
	told_units = small_units;
}

void
CountHeld(Pin *pin)
{
	pin->units = pin->entry->units;
	held_units += pin->units;
	if (pin->units < kLarge)
		TellSmall(pin->units);
}

void
DiscountHeld(const Pin *pin)
{
	held_units -= pin->units;
	if (pin->units < kLarge)
		TellSmall(-int64{pin->units});
}

/* Does the shared sum know it by itself? */
bool
CountsAlone(const Entry *entry)
{
	return entry->sealed && entry->units >= kLarge;
}

void
ReleaseEverything(int, Datum)
{
	while (held != nullptr)
		Unpin(held);
}

/*
 * Release what belongs to the resource owner that is ending.  As for PostgreSQL's own resources,
 * something left over at commit means that somebody forgot it.
 */
void
ReleaseOwned(ResourceReleasePhase phase, bool is_commit, bool, void *)
{
	Pin *next;
	int leaked = 0;

	if (phase != RESOURCE_RELEASE_BEFORE_LOCKS || held == nullptr)
		return;
	for (Pin *pin = held; pin != nullptr; pin = next)
	{
		next = pin->next;
		if (pin->owner != nullptr && pin->owner == CurrentResourceOwner)
		{
			Unpin(pin);
			leaked++;
		}
	}
	if (is_commit && leaked > 0)
		elog(WARNING, "cached_query pin leak: %d still referenced", leaked);
}

} // namespace

/* From _PG_init. */
void
StoreInitBackend()
{
	RegisterResourceReleaseCallback(ReleaseOwned, nullptr);
}

/*
 * A record that holds nothing yet.  At exit, pins are released after the transaction in progress has been
 * aborted, as its resource owners release theirs, and before this process gives up its place in shared memory.
 */
Pin *
NewPin()
{
	Pin *pin;

	AfterAbortAtExit<ReleaseEverything>();
	if (free_pins == nullptr)
	{
		pin = static_cast<Pin *>(MemoryContextAlloc(TopMemoryContext, sizeof(Pin)));
		pin->next = nullptr;
		free_pins = pin;
	}
	pin = free_pins;
	free_pins = pin->next;
	memset(pin, 0, sizeof(*pin));
	return pin;
}

void
DiscardPin(Pin *pin)
{
	pin->entry = nullptr;
	pin->next = free_pins;
	free_pins = pin;
}

void
HoldPin(Pin *pin, Entry *entry)
{
	pin->entry = entry;
	pin->owner = CurrentResourceOwner;
	pin->prev = nullptr;
	pin->next = held;
	if (held != nullptr)
		held->prev = pin;
	held = pin;
	CountHeld(pin);
}

void
SealPin(Pin *pin)
{
	Entry *entry = pin->entry;

	DiscountHeld(pin);
	entry->sealed = true;
	if (CountsAlone(entry))
		pg_atomic_fetch_add_u64(&map.shared->pinned, entry->units);
	CountHeld(pin);
}

/* Give up a pin; the record must not be used again. */
void
Unpin(Pin *pin)
{
	Entry *entry = pin->entry;
	Claim claim = pin->claim;

	CqAssert(entry != nullptr);
	if (pin->prev != nullptr)
		pin->prev->next = pin->next;
	else
		held = pin->next;
	if (pin->next != nullptr)
		pin->next->prev = pin->prev;
	DiscountHeld(pin);
	DiscardPin(pin);
	UnpinRaw(entry);
	if (unlikely(claim.taken > 0))
		SettleClaim(&claim, false);
}

const Entry *
PinnedEntry(const Pin *pin)
{
	return pin->entry;
}

uint64
HeldBytes()
{
	return held_units * kUnitBytes;
}

/* Half of the memory is for fills.  A session with little pinned is not asked to give it up. */
bool
TooMuchPinned(const Pin *pin)
{
	int64 pinned;

	if (!CountsAlone(pin->entry) && small_units < int64{kLarge})
		return false;
	/* who unpins may be faster than who pins, for a moment */
	pinned = static_cast<int64>(pg_atomic_read_u64(&map.shared->pinned));
	return pinned > static_cast<int64>(map.total_units / 2);
}

void
PinRaw(Entry *entry)
{
	uint64 before = pg_atomic_fetch_add_u64(&entry->state, static_cast<int64>(kPinOne));

	if ((before & kPinMask) == 0 && CountsAlone(entry))
		pg_atomic_fetch_add_u64(&map.shared->pinned, entry->units);
}

void
UnpinRaw(Entry *entry)
{
	/* read before it may be gone */
	int64 units = CountsAlone(entry) ? entry->units : 0;
	uint64 state = pg_atomic_sub_fetch_u64(&entry->state, static_cast<int64>(kPinOne));

	CqAssert((state & kPinMask) != kPinMask);
	if ((state & kPinMask) == 0 && units > 0)
		pg_atomic_fetch_sub_u64(&map.shared->pinned, units);
	if ((state & (kPinMask | kUnlinked)) == kUnlinked)
		FreeChain(UnitOf(entry));
}

} // namespace cq
