/*
 * slot_check.cpp
 *		The reader's side of a slot: do its contents object to an entry?
 *
 * Part of exact.h.
 */
#include "pg.h"
#include "exact/slot_words.h"
#include "exact/slots.h"

namespace cq::exact
{

pg_atomic_uint64 *
Find(Slot &slot, uint64 word)
{
	for (pg_atomic_uint64 &place : slot.words)
	{
		const uint64 there = pg_atomic_read_u64(&place);

		if (there != 0 && (there & (kDdl | kXidMask)) == (word & (kDdl | kXidMask)))
			return &place;
	}
	return nullptr;
}

namespace
{

void
CopyWords(Slot &slot, Contents *contents)
{
	for (int i = 0; i < kRoom; i++)
		contents->words[i] = pg_atomic_read_u64(&slot.words[i]);
	contents->overflow = pg_atomic_read_u64(&slot.overflow);
}

} // namespace

void
ReadContents(Slot &slot, Contents *contents)
{
	for (int tries = 0; tries < 4; tries++)
	{
		const uint32 seq = pg_atomic_read_u32(&slot.seq);

		if (seq % 2 != 0)
			continue;
		pg_read_barrier();
		CopyWords(slot, contents);
		pg_read_barrier();
		if (pg_atomic_read_u32(&slot.seq) == seq)
			return;
	}
	SpinLockAcquire(&slot.lock);
	CopyWords(slot, contents);
	SpinLockRelease(&slot.lock);
}

namespace
{

/*
 * An id that has not been given to a transaction yet, or is too old to be in progress, was listed by no
 * writer: the word is damaged.  A writer gets its id before it lists it, and the next id is read here after
 * the word was.
 */
bool
CannotBe(uint64 xid)
{
	uint64 next;

	pg_read_barrier();
	next = compat::NextXid();
	return xid >= next || xid + (UINT64CONST(1) << 31) < next ||
		   !TransactionIdIsNormal(static_cast<TransactionId>(xid));
}

} // namespace

void
Judge(SlotNo no, const Contents &contents, const Moment &m, Judgement *judgement)
{
	judgement->ngone = 0;
	judgement->overflow = 0;
	judgement->in_ddl = false;
	judgement->crowded = false;
	for (const uint64 word : contents.words)
	{
		if (word == 0)
			continue;

		const uint64 xid = word & kXidMask;
		const bool running = IsRunning(m, xid);
		const bool unsent = (word & kDdl) != 0 && (word & kSent) == 0;

		/* A damaged word is retired, which voids the entries of now.  Otherwise it would object for ever. */
		if ((!running && !unsent) || CannotBe(xid))
		{
			judgement->gone[judgement->ngone++] = word;
			continue;
		}

		/*
		 * Definitions are read with the newest snapshot, and so is a table that was truncated or
		 * rewritten: a DDL that we don't see matters all the same.
		 */
		if ((word & kDdl) != 0)
		{
			judgement->in_ddl = true;
			if (!running && (word & kPrepared) != 0)
				Suspected(no, word);
		}
	}
	if (contents.overflow != 0)
	{
		const uint64 xid = contents.overflow & kXidMask;
		const bool ddl = (contents.overflow & kDdl) != 0;

		/* An overflowed DDL has no word here that could carry kSent. */
		if (CannotBe(xid) || (xid < Widen(m.xmin, m.latest) && !(ddl && UnsentUpTo(xid))))
			judgement->overflow = contents.overflow;
		else
			judgement->crowded = true;
	}
}

void
Retire(Slot &slot, const Judgement &judgement, uint64 pos)
{
	/* of a definition it was noted when its messages were out: before that nobody passed */
	bool noted = judgement.overflow == 0;
	const int64 now = MonotonicMs();

	BeginChange(slot);
	for (int i = 0; i < judgement.ngone; i++)
	{
		noted = noted && (judgement.gone[i] & kSent) != 0;
		for (pg_atomic_uint64 &place : slot.words)
		{
			if (pg_atomic_read_u64(&place) == judgement.gone[i])
				pg_atomic_write_u64(&place, 0);
		}
	}
	if (judgement.overflow != 0 && pg_atomic_read_u64(&slot.overflow) == judgement.overflow)
		pg_atomic_write_u64(&slot.overflow, 0);
	RaiseLast(slot, pos, noted ? 0 : now);
	EndChange(slot);
}

namespace
{

/* Compares the entry's position and ours with the newest retired change. */
SlotCheck
Compare(Slot &slot, uint64 pos, uint64 pe)
{
	const uint64 last = pg_atomic_read_u64(&slot.last);

	if (last > pe)
		return SlotCheck::changed;
	return last > pos ? SlotCheck::too_old : SlotCheck::valid;
}

/* Judges the listed transactions, too.  Not inlined, as the copy of the words needs much stack. */
pg_noinline SlotCheck
CheckListed(SlotNo no, const View &view, uint64 pe)
{
	Slot &slot = SlotOf(no);
	Contents contents;
	Judgement judgement;
	SlotCheck verdict;

	ReadContents(slot, &contents);
	Judge(no, contents, MomentOf(view.snapshot), &judgement);
	if (judgement.ngone > 0 || judgement.overflow != 0)
		Retire(slot, judgement, view.pos);
	pg_read_barrier();
	verdict = Compare(slot, view.pos, pe);
	if (verdict == SlotCheck::valid && judgement.in_ddl)
		verdict = SlotCheck::in_ddl;
	else if (verdict == SlotCheck::valid && judgement.crowded)
		verdict = SlotCheck::overflow;
	return verdict;
}

/*
 * Does the slot object to a result of position `pe` for this view?  Complete transactions are
 * retired on the way.
 */
inline SlotCheck
CheckOne(SlotNo no, const View &view, uint64 pe)
{
	Slot &slot = SlotOf(no);
	SlotCheck verdict;

#ifdef CQ_DEBUG
	if (debug_no_check)
		return SlotCheck::valid;
#endif

	/* Looked at before `last`, as the end of a hold raises `last` first. */
	const bool held = no == kSlotAllDdl && AnyHold();

	/*
	 * If nothing is listed, `last` is enough.  A transaction that is listed between these two reads was not
	 * complete when our snapshot was taken.  One that is retired in between has raised `last` first.
	 */
	if (likely(pg_atomic_read_u32(&slot.state) == 0))
	{
		pg_read_barrier();
		verdict = Compare(slot, view.pos, pe);
	}
	else
		verdict = CheckListed(no, view, pe);
	if (unlikely(held) && verdict == SlotCheck::valid)
		verdict = SlotCheck::in_ddl;
	return verdict;
}

} // namespace

SlotCheck
Check(SlotNo no, const View &view, uint64 pe)
{
	return CheckOne(no, view, pe);
}

SlotCheck
CheckAll(const SlotNo *slots, uint32 count, const View &view, uint64 pe)
{
	for (uint32 i = 0; i < count; i++)
	{
		SlotCheck verdict = CheckOne(slots[i], view, pe);

		if (unlikely(verdict != SlotCheck::valid))
			return verdict;
	}
	return SlotCheck::valid;
}

bool
MovedSince(SlotNo no, uint64 pe)
{
	return pg_atomic_read_u64(&SlotOf(no).last) > pe;
}

/*
 * After a change, no reader may look at the slot for a long time, for example at that of a tag that was
 * invalidated.  So this looks at all slots, with a snapshot of its own, as a reader would.
 */
void
SettleAll()
{
	Contents contents;
	Judgement judgement;
	View view;

	if (!Describe(TakeSnapshot(), &view))
		return;
	for (SlotNo no = 0; no < kSlots; no++)
	{
		Slot &slot = shared->slots[no];

		if (likely(pg_atomic_read_u32(&slot.state) == 0))
			continue;
		ReadContents(slot, &contents);
		Judge(no, contents, MomentOf(view.snapshot), &judgement);
		if (judgement.ngone > 0 || judgement.overflow != 0)
			Retire(slot, judgement, view.pos);
	}
}

} // namespace cq::exact
