/*
 * slots.h
 *		What the files of this room share: the slots in shared memory and their operations.
 *
 * Lock order: a slot's spinlock or the unsent list's, one at a time, a few instructions, nothing
 * called inside.  All the rest is atomic.
 *
 * Part of exact.h.
 */
#pragma once

#include "exact/exact.h"
#include "exact/position.h"

namespace cq::exact
{

/* --- a listed transaction: its full id, and how far it is ------------------------------------ */
constexpr uint64 kDdl = UINT64_C(1) << 63;      // it changed a definition
constexpr uint64 kSent = UINT64_C(1) << 62;     // and its invalidation messages are out
constexpr uint64 kPrepared = UINT64_C(1) << 61; // and nobody will come and set kSent
constexpr uint64 kHold = UINT64_C(1) << 60;     // no transaction: a backend, in the unsent list
constexpr uint64 kXidMask = kHold - 1;          // of an overflow: kDdl | the largest id

constexpr int kRoom = kSlotRoom;
constexpr uint32 kDdlGens = 256;

struct alignas(128) Slot
{
	pg_atomic_uint64 last;     /* largest position at which one was retired; lock, read without */
	pg_atomic_uint32 state;    /* 0 = nothing listed, no overflow; lock, read without */
	pg_atomic_uint32 seq;      /* odd while words or overflow change; lock, read without */
	pg_atomic_uint64 overflow; /* largest id that found no room, kDdl if one of them had that, 0 =
								* none; lock, read under seq */
	pg_atomic_uint64 words[kRoom]; /* 0 = free; lock, read under seq */
	slock_t lock;
	pg_atomic_uint64 changed_at; /* MonotonicMs() of the last change; lock, read without */
};
static_assert(sizeof(Slot) == 128, "a slot is two cache lines, which processors fetch together");
static_assert(sizeof(void *) == 8, "64-bit values are read without a lock");

struct Shared
{
	/* written rarely, read always */
	pg_atomic_uint64 generation;  /* atomic */
	pg_atomic_uint64 boot;        /* era and first id whose definitions are published; atomic */
	pg_atomic_uint64 boot_writes; /* the same for rows, 0 = not yet; atomic */
	pg_atomic_uint32 writers;     /* are rows published?  0 -> 1 once; atomic */
	uint64 incarnation;           /* constant */
	int64 started_ms;             /* constant; MonotonicMs() */
	int64 downtime_ms;            /* constant; by the wall clock, before the start */
	pg_atomic_uint64 unsettled;   /* when booters were last unseen, MonotonicMs(); atomic */

	/* written by every DDL */
	alignas(128) pg_atomic_uint32 ddl_gen[kDdlGens]; /* atomic, raised under the slot's lock */

	/*
	 * DDL transactions that found no room in a slot and whose messages may not be out: while there
	 * are any, the slots that they overflowed object.  Beside them the backends that hold everybody:
	 * while there are any, kSlotAllDdl objects.  Any transaction is here once at most, so it can't be
	 * full; if it were all the same, unsent_lost is set, and kSlotAllDdl objects until the server
	 * starts anew.
	 */
	alignas(128) pg_atomic_uint32 nunsent; /* unsent_lock, read without */
	pg_atomic_uint32 nholds;               /* those of them with kHold; unsent_lock, read without */
	slock_t unsent_lock;
	pg_atomic_uint32 unsent_lost; /* 0 -> 1 once; atomic */
	uint32 unsent_size;           /* constant */
	uint64 *unsent; /* unsent_lock; the pointer is constant, shared memory is at one address */

	alignas(128) Slot slots[kSlots];

	/* MonotonicMs() of the last change that another server told of, 0 = none; atomic, only raised */
	pg_atomic_uint64 voided_at[kSlots];
	pg_atomic_uint64 last_voided; /* the largest of them, stored after it; atomic, only raised */
};
extern Shared *shared; // null when the library was not preloaded

/* --- key_slots.cpp */
extern Slot *key_slots; // as those of Shared, but for definitions, times and other servers
extern uint32 key_slot_count;
extern void RequestKeyShmem();
extern void InitKeyShmem();

inline Slot &
SlotOf(SlotNo no)
{
	return likely(no < kSlots) ? shared->slots[no] : key_slots[no - kSlots];
}

/* --- slots.cpp ------------------------------------------------------------------------------- */
extern void InitSlot(Slot *slot);
extern bool IsShared(SlotNo slot); // of no single database, or of the groups
extern bool IsRole(SlotNo slot);
extern void List(SlotNo slot, uint64 word);
extern void ListBlindly(SlotNo slot, uint64 word); // raises and allocates nothing
extern void ListReplayed(SlotNo slot, uint64 word);
extern void Unlist(SlotNo slot, uint64 word);
extern void MarkSent(SlotNo slot, uint64 word);
extern void MarkPrepared(SlotNo slot, uint64 word);
extern void Raise(SlotNo slot, uint64 pos);         // everything before is void for this slot
extern void NoteChange(SlotNo slot, int64 when_ms); // of a time, not a position

/* --- elsewhere.cpp --------------------------------------------------------------------------- */
extern void InitChanges();

/* --- unsent.cpp ------------------------------------------------------------------------------ */
extern void AddUnsent(uint64 word);
extern void RemoveUnsent(uint64 word);
extern void MarkUnsentPrepared(uint64 xid);
extern bool AnyHold();
extern bool UnsentUpTo(uint64 xid);
extern void Suspected(SlotNo slot, uint64 word);
extern bool settle_wanted;
extern void SettlePrepared();

/* --- view.cpp -------------------------------------------------------------------------------- */
extern Moment MomentOf(Snapshot snapshot);
extern bool Describe(Snapshot snapshot, View *view); // false: crowded
extern Snapshot TakeSnapshot();                      // private, valid until the next call
extern uint64 UpperPosition();                       // of all snapshots taken so far
extern uint32 UnseenBooters(const View &view);
/* Takes the boot position as early as a statement runs; see hooks.cpp. */
extern void EnsureBoot();
extern bool BootDone();

/* --- announce.cpp ---------------------------------------------------------------------------- */
extern bool Published();           // in this transaction, already
extern void ListLate(SlotNo slot); // after Published()

/* --- replay.cpp ------------------------------------------------------------------------------ */
extern void InitReplay();

/* --- debug.cpp ------------------------------------------------------------------------------- */
#ifdef CQ_DEBUG
extern void DebugSleep(int us);
#else
inline void
DebugSleep(int)
{
}
#endif

/* --- hooks.cpp ------------------------------------------------------------------------------- */
extern bool Imported();  // SET TRANSACTION SNAPSHOT in this transaction
extern bool Uncounted(); // track_counts was seen off in this transaction
extern bool InNeutralCommand();
extern void ForgetStatements();

/* --- own.cpp --------------------------------------------------------------------------------- */
/* The slots that Invalidate() was called for: kMaxPending + 2 at most.  More are the whole database. */
extern int PendingInvalidations(SlotNo *slots);
extern void ForgetInvalidations();
/* Was this definition touched by commands only that change no contents?  Before commit. */
extern bool OwnIsNeutral(SlotNo slot);
extern void InitOwn();

/* --- neutral.cpp ----------------------------------------------------------------------------- */
/* Does the statement leave alone what any query returns? */
extern bool IsNeutral(Node *statement);

} // namespace cq::exact
