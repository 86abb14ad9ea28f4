/*
 * slots.cpp
 *		The slots: listing, judging and retiring transactions.
 *
 * Invariants (README.md proves from them):
 *	I1	A transaction that changes something is listed in its slot, or <= overflow, or retired, at
 *		every moment from before its completion on.
 *	I2	A word leaves its slot only when some snapshot T sees the transaction complete, and then
 *		last >= pos(T).  (Or when the transaction aborts: it took itself out.)
 *	I3	A word with kDdl leaves only after kSent, and ddl_gen is raised before kSent is set.
 *
 * Locking: a slot changes under its spinlock, with `seq` odd meanwhile.  Readers take no lock: they
 * look at `state` and `last`, and only if something is listed copy the words under `seq`.  `last`
 * is stored before `state`, so that who sees a slot empty also sees why.
 */
#include "pg.h"
#include "base/shared.h"
#include "exact/slot_words.h"
#include "exact/slots.h"
#include "exact/tracking.h"

namespace cq::exact
{

Shared *shared = nullptr;

int debug_room = kRoom;
bool debug_no_check = false;

void
BeginChange(Slot &slot)
{
	SpinLockAcquire(&slot.lock);
	pg_atomic_write_u32(&slot.seq, pg_atomic_read_u32(&slot.seq) + 1);
	pg_write_barrier();
}

void
RaiseLast(Slot &slot, uint64 pos, int64 now)
{
	if (static_cast<int64>(pg_atomic_read_u64(&slot.changed_at)) < now)
		pg_atomic_write_u64(&slot.changed_at, static_cast<uint64>(now));
	pg_write_barrier();
	if (pg_atomic_read_u64(&slot.last) < pos)
		pg_atomic_write_u64(&slot.last, pos);
}

void
EndChange(Slot &slot)
{
	uint32 state = pg_atomic_read_u64(&slot.overflow) != 0 ? 1 : 0;

	for (pg_atomic_uint64 &word : slot.words)
	{
		if (pg_atomic_read_u64(&word) != 0)
			state = 1;
	}
	pg_write_barrier();
	pg_atomic_write_u32(&slot.state, state);
	pg_atomic_write_u32(&slot.seq, pg_atomic_read_u32(&slot.seq) + 1);
	SpinLockRelease(&slot.lock);
}

namespace
{

/* Places that may be used; tests make it less than kRoom. */
int
Room()
{
#ifdef CQ_DEBUG
	return debug_room;
#else
	return kRoom;
#endif
}

/* Put the word into a free place if there is one. */
bool
TryList(Slot &slot, uint64 word)
{
	bool done = false;

	BeginChange(slot);
	for (int i = 0; i < Room() && !done; i++)
	{
		if (pg_atomic_read_u64(&slot.words[i]) == 0)
		{
			pg_atomic_write_u64(&slot.words[i], word);
			done = true;
		}
	}
	EndChange(slot);
	return done;
}

/*
 * The transaction found no room.  Entries that depend on the slot are refused until a snapshot sees all
 * transactions up to this one complete, and until the messages of a DDL have been sent.
 */
void
Overflow(Slot &slot, uint64 word)
{
	uint64 overflow;

	BeginChange(slot);
	overflow = pg_atomic_read_u64(&slot.overflow);
	pg_atomic_write_u64(&slot.overflow,
						((overflow | word) & kDdl) | Max(overflow & kXidMask, word & kXidMask));
	EndChange(slot);
}

/* Take out what is complete, seen with a snapshot of our own. */
void
Clear(SlotNo no)
{
	Slot &slot = SlotOf(no);
	Contents contents;
	Judgement judgement;
	View view;

	if (!Describe(TakeSnapshot(), &view))
		return;
	ReadContents(slot, &contents);
	Judge(no, contents, MomentOf(view.snapshot), &judgement);
	if (judgement.ngone > 0 || judgement.overflow != 0)
		Retire(slot, judgement, view.pos);
}

} // namespace

/*
 * Publish: from here on readers judge this transaction by their own snapshots.  A full slot is
 * first cleared of complete ones with a snapshot of our own, once in about kRoom times.
 */
void
List(SlotNo no, uint64 word)
{
	Slot &slot = SlotOf(no);

	if (TryList(slot, word))
		return;
	Clear(no);
	if (TryList(slot, word))
		return;

	/* It may be full of prepared DDL that has ended, for which no callback set kSent. */
	if (settle_wanted)
	{
		SettlePrepared();
		Clear(no);
		if (TryList(slot, word))
			return;
	}

	/*
	 * An overflowed DDL has no word that could carry kSent, so the slot refuses until its messages have been
	 * sent.  It is added to the list first: a reader who sees the overflow looks there.
	 */
	if ((word & kDdl) != 0)
		AddUnsent(word & kXidMask);
	Overflow(slot, word);
}

/*
 * The same without a look, for a commit callback: taking a snapshot may allocate.  A full slot refuses until
 * all that was listed is complete.  Not for definitions.
 */
void
ListBlindly(SlotNo no, uint64 word)
{
	Slot &slot = SlotOf(no);

	if (!TryList(slot, word))
		Overflow(slot, word);
}

namespace
{

/* With the lock taken. */
void
Empty(Slot &slot, uint64 pos, int64 now)
{
	for (pg_atomic_uint64 &place : slot.words)
		pg_atomic_write_u64(&place, 0);
	pg_atomic_write_u64(&slot.overflow, 0);
	RaiseLast(slot, pos, now);
}

} // namespace

/*
 * The same while its commit is being replayed.  All that was listed before is complete, and no snapshot that
 * there is has a larger position than one for which nothing is in progress.  So a full slot is simply emptied.
 *
 * Nobody else lists anything in recovery: a place that is free stays free.  This is done for each commit, so it does
 * not look at more places than it must.
 */
void
ListReplayed(SlotNo no, uint64 word)
{
	Slot &slot = SlotOf(no);
	int free = 0;
	int64 now = 0;

	while (free < Room() && pg_atomic_read_u64(&slot.words[free]) != 0)
		free++;
	if (unlikely(free == Room()))
		now = MonotonicMs();
	BeginChange(slot);
	if (unlikely(free == Room()))
	{
		Empty(slot, LargestPosition(compat::LatestCompletedXid()), now);
		free = 0;
	}
	pg_atomic_write_u64(&slot.words[free], word);
	pg_write_barrier();
	pg_atomic_write_u32(&slot.state, 1);
	pg_atomic_write_u32(&slot.seq, pg_atomic_read_u32(&slot.seq) + 1);
	SpinLockRelease(&slot.lock);
}

/* The transaction has aborted. */
void
Unlist(SlotNo no, uint64 word)
{
	Slot &slot = SlotOf(no);
	pg_atomic_uint64 *place;

	BeginChange(slot);
	place = Find(slot, word);
	if (place != nullptr)
		pg_atomic_write_u64(place, 0);
	EndChange(slot);
}

/*
 * Its messages have been sent.  A query that began before may have used the old definition, and a later
 * Check() would not tell.  So the generation is raised first, and Unmoved() refuses to keep the result.
 */
void
MarkSent(SlotNo no, uint64 word)
{
	Slot &slot = shared->slots[no];
	const int64 now = MonotonicMs();
	pg_atomic_uint64 *place;

	BeginChange(slot);
	RaiseLast(slot, 0, now);
	pg_atomic_fetch_add_u32(&shared->ddl_gen[no % kDdlGens], 1);
	place = Find(slot, word);
	if (place != nullptr)
		pg_atomic_write_u64(place, pg_atomic_read_u64(place) | kSent);
	EndChange(slot);
}

/* It is prepared: SettlePrepared() will find out when its messages are out. */
void
MarkPrepared(SlotNo no, uint64 word)
{
	Slot &slot = shared->slots[no];
	pg_atomic_uint64 *place;

	BeginChange(slot);
	place = Find(slot, word);
	if (place != nullptr)
		pg_atomic_write_u64(place, pg_atomic_read_u64(place) | kPrepared);
	EndChange(slot);
}

void
Raise(SlotNo no, uint64 pos)
{
	Slot &slot = shared->slots[no];
	const int64 now = MonotonicMs();

	BeginChange(slot);
	RaiseLast(slot, pos, now);
	EndChange(slot);
}

/*
 * A change on another server, which has no position here.  Results of queries that are running may be from
 * before it, so they are not kept.
 */
void
NoteChange(SlotNo no, int64 when_ms)
{
	Slot &slot = shared->slots[no];

	BeginChange(slot);
	RaiseLast(slot, 0, when_ms);
	pg_atomic_fetch_add_u32(&shared->ddl_gen[no % kDdlGens], 1);
	EndChange(slot);
}

/* --- set-up ---------------------------------------------------------------------------------- */

void
InitSlot(Slot *slot)
{
	pg_atomic_init_u64(&slot->last, 0);
	pg_atomic_init_u32(&slot->state, 0);
	pg_atomic_init_u32(&slot->seq, 0);
	pg_atomic_init_u64(&slot->overflow, 0);
	for (pg_atomic_uint64 &word : slot->words)
		pg_atomic_init_u64(&word, 0);
	SpinLockInit(&slot->lock);
	pg_atomic_init_u64(&slot->changed_at, 0);
}

namespace
{

/* One place for each transaction that can be open, and one for each backend's hold. */
uint32
UnsentSize()
{
	return 2 * static_cast<uint32>(MaxBackends) + static_cast<uint32>(max_prepared_xacts);
}

Size
ShmemBytes()
{
	return add_size(add_size(sizeof(Shared), alignof(Shared)),
					mul_size(UnsentSize(), sizeof(uint64)));
}

} // namespace

void
RequestShmem()
{
	RequestShared(ShmemBytes());
	RequestKeyShmem();
	RequestTrackCounts();
}

namespace
{

Shared *
Align(char *space)
{
	return reinterpret_cast<Shared *>(TYPEALIGN(alignof(Shared), space));
}

void
Initialize()
{
	memset(shared, 0, sizeof(Shared));
	pg_atomic_init_u64(&shared->generation, 1);
	pg_atomic_init_u64(&shared->boot, 0);
	pg_atomic_init_u64(&shared->boot_writes, 0);
	pg_atomic_init_u32(&shared->writers, 0);
	pg_atomic_init_u64(&shared->unsettled, static_cast<uint64>(PG_INT64_MIN));
	pg_atomic_init_u32(&shared->nunsent, 0);
	pg_atomic_init_u32(&shared->nholds, 0);
	pg_atomic_init_u32(&shared->unsent_lost, 0);
	SpinLockInit(&shared->unsent_lock);
	shared->unsent_size = UnsentSize();
	shared->unsent = reinterpret_cast<uint64 *>(shared + 1);
	for (pg_atomic_uint32 &gen : shared->ddl_gen)
		pg_atomic_init_u32(&gen, 0);
	for (Slot &slot : shared->slots)
		InitSlot(&slot);
	for (pg_atomic_uint64 &voided : shared->voided_at)
		pg_atomic_init_u64(&voided, 0);
	pg_atomic_init_u64(&shared->last_voided, 0);
}

} // namespace

void
InitShmem()
{
	bool made = false;
	char *space = MakeOrFindShared<char>("cached_query slots", ShmemBytes(), [&](char *memory) {
		shared = Align(memory);
		Initialize();
		made = true;
	});

	shared = Align(space);
	InitKeyShmem();
	InitTrackCounts();
	if (made)
		InitChanges();
}

} // namespace cq::exact
