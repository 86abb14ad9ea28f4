/*
 * slot_check.cpp
 *		The reader's side of a slot: does what is listed there object?.
 *
 * Part of exact.h.
 */
#include "pg.h"
#include "exact/slot_words.h"
#include "exact/slots.h"

namespace cq::exact
{

namespace
{

/* What the word in this place is about. */
uint32
ThingAt(Things *things, int place)
{
	return things == nullptr ? 0 : pg_atomic_read_u32(&things->of[place]);
}

bool
IsRetired(Things *things, int place)
{
	return things != nullptr && (pg_atomic_read_u32(&things->retired) & 1U << place) != 0;
}

} // namespace

int
Find(SlotNo no, uint64 word)
{
	Slot &slot = SlotFor(no);
	Things *things = ThingsFor(no);

	for (int i = 0; i < kRoom; i++)
	{
		const uint64 there = pg_atomic_read_u64(&slot.words[i]);

		if (there != 0 && (there & (kDdl | kXidMask)) == (word & (kDdl | kXidMask)) &&
			ThingAt(things, i) == ThingIn(no) && !IsRetired(things, i))
			return i;
	}
	return -1;
}

namespace
{

void
CopyWords(Slot &slot, Things *things, Contents *contents)
{
	for (int i = 0; i < kRoom; i++)
	{
		contents->words[i] = pg_atomic_read_u64(&slot.words[i]);
		contents->of[i] = ThingAt(things, i);
	}
	contents->overflow = pg_atomic_read_u64(&slot.overflow);
	contents->retired = things == nullptr ? 0 : pg_atomic_read_u32(&things->retired);
}

/* Without the lock; false: somebody is at it. */
bool
TryRead(SlotNo no, Contents *contents)
{
	Slot &slot = SlotFor(no);
	Things *things = ThingsFor(no);

	for (int tries = 0; tries < 4; tries++)
	{
		const uint32 seq = pg_atomic_read_u32(&slot.seq);

		if (seq % 2 != 0)
			continue;
		pg_read_barrier();
		CopyWords(slot, things, contents);
		pg_read_barrier();
		if (pg_atomic_read_u32(&slot.seq) == seq)
			return true;
	}
	return false;
}

} // namespace

void
ReadContents(SlotNo no, Contents *contents)
{
	Slot &slot = SlotFor(no);

	if (TryRead(no, contents))
		return;
	SpinLockAcquire(&slot.lock);
	CopyWords(slot, ThingsFor(no), contents);
	SpinLockRelease(&slot.lock);
}

namespace
{

/*
 * An id that no transaction has had, or none that could still run: no writer has listed that.  Its word was
 * read before we look at the next id, and a writer has its id before it lists it.
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

/* Is what changed what is asked for, or may it be? */
bool
Concerns(SlotNo no, uint32 thing)
{
	return thing == 0 || thing == no || (no & kThing) == 0;
}

} // namespace

void
Judge(SlotNo no, const Contents &contents, const Moment &m, Judgement *judgement)
{
	judgement->ngone = 0;
	judgement->overflow = 0;
	judgement->in_ddl = false;
	judgement->crowded = false;
	for (int i = 0; i < kRoom; i++)
	{
		const uint64 word = contents.words[i];

		if (word == 0 || (contents.retired & 1U << i) != 0)
			continue;

		const uint64 xid = word & kXidMask;
		const bool running = IsRunning(m, xid);
		const bool unsent = (word & kDdl) != 0 && (word & kSent) == 0;

		/* Retired, a damaged word voids what there is; believed, it would object for ever. */
		if ((!running && !unsent) || CannotBe(xid))
		{
			judgement->gone_of[judgement->ngone] = contents.of[i];
			judgement->gone[judgement->ngone++] = word;
			continue;
		}

		/*
		 * Definitions are read with the newest snapshot, and so is a table that was truncated or
		 * rewritten: a DDL that we don't see matters all the same.
		 */
		if ((word & kDdl) != 0)
		{
			judgement->in_ddl = judgement->in_ddl || Concerns(no, contents.of[i]);
			if (!running && (word & kPrepared) != 0)
				Suspected(contents.of[i] != 0 ? contents.of[i] : SlotOf(no), word);
		}
	}
	if (contents.overflow != 0)
	{
		const uint64 xid = contents.overflow & kXidMask;
		const bool ddl = (contents.overflow & kDdl) != 0;

		/* A DDL among them has no word here that could say that its messages are out. */
		if (CannotBe(xid) || (xid < Widen(m.xmin, m.latest) && !(ddl && UnsentUpTo(xid))))
			judgement->overflow = contents.overflow;
		else
			judgement->crowded = true;
	}
}

namespace
{

/* Under the lock: the thing's place has the position from now on; or the one that had an older one. */
void
KeepPosition(Slot &slot, Things *things, int place, uint64 pos)
{
	const uint32 thing = pg_atomic_read_u32(&things->of[place]);
	const uint32 retired = pg_atomic_read_u32(&things->retired);

	for (int i = 0; i < kRoom; i++)
	{
		if ((retired & 1U << i) == 0 || pg_atomic_read_u32(&things->of[i]) != thing)
			continue;
		pg_atomic_write_u64(&slot.words[i], Max(pg_atomic_read_u64(&slot.words[i]), pos));
		pg_atomic_write_u64(&slot.words[place], 0);
		return;
	}
	pg_atomic_write_u64(&slot.words[place], pos);
	pg_atomic_write_u32(&things->retired, retired | 1U << place);
}

/* Under the lock: take out one word.  False: its position has to go into `last`. */
bool
RetireWord(SlotNo no, uint64 word, uint32 thing, uint64 pos)
{
	Slot &slot = SlotFor(no);
	Things *things = ThingsFor(no);
	bool kept = thing != 0;

	for (int i = 0; i < kRoom; i++)
	{
		if (pg_atomic_read_u64(&slot.words[i]) != word || ThingAt(things, i) != thing ||
			IsRetired(things, i))
			continue;
		if (thing != 0)
			KeepPosition(slot, things, i, pos);
		else
			pg_atomic_write_u64(&slot.words[i], 0);
	}
	return kept;
}

} // namespace

void
Retire(SlotNo no, const Judgement &judgement, uint64 pos)
{
	Slot &slot = SlotFor(no);
	/* of a definition it was noted when its messages were out: before that nobody passed */
	bool noted = judgement.overflow == 0;
	bool kept = judgement.overflow == 0;
	const int64 now = MonotonicMs();

	BeginChange(slot);
	for (int i = 0; i < judgement.ngone; i++)
	{
		noted = noted && (judgement.gone[i] & kSent) != 0;
		kept = RetireWord(no, judgement.gone[i], judgement.gone_of[i], pos) && kept;
	}
	if (judgement.overflow != 0 && pg_atomic_read_u64(&slot.overflow) == judgement.overflow)
		pg_atomic_write_u64(&slot.overflow, 0);
	RaiseLast(slot, kept ? 0 : pos, noted ? 0 : now);
	EndChange(slot);
}

namespace
{

/* The newest change of it that everybody knows of: the position is in its place, or in `last`, read after it. */
uint64
LastOf(SlotNo no, const Contents &contents)
{
	uint64 last = 0;

	for (int i = 0; i < kRoom; i++)
	{
		if ((contents.retired & 1U << i) != 0 && Concerns(no, contents.of[i]))
			last = Max(last, contents.words[i]);
	}
	pg_read_barrier();
	return Max(last, pg_atomic_read_u64(&SlotFor(no).last));
}

/* The answer's position and ours against the newest change that everybody knows of. */
SlotCheck
Compare(uint64 last, uint64 pos, uint64 pe)
{
	if (last > pe)
		return SlotCheck::changed;
	return last > pos ? SlotCheck::too_old : SlotCheck::valid;
}

/* Who is listed decides, too.  Not inlined: the contents take room on the stack. */
pg_noinline SlotCheck
CheckListed(SlotNo no, const View &view, uint64 pe)
{
	Contents contents;
	Judgement judgement;
	SlotCheck verdict;

	ReadContents(no, &contents);
	Judge(no, contents, MomentOf(view.snapshot), &judgement);
	if (judgement.ngone > 0 || judgement.overflow != 0)
	{
		Retire(no, judgement, view.pos);
		ReadContents(no, &contents);
	}
	verdict = Compare(LastOf(no, contents), view.pos, pe);
	if (verdict == SlotCheck::valid && judgement.in_ddl)
		verdict = SlotCheck::in_ddl;
	else if (verdict == SlotCheck::valid && judgement.crowded)
		verdict = SlotCheck::overflow;
	return verdict;
}

/*
 * Does the slot object to an answer of position `pe` for this view?  Complete transactions are
 * retired on the way.
 */
inline SlotCheck
CheckOne(SlotNo no, const View &view, uint64 pe)
{
	Slot &slot = SlotFor(no);
	SlotCheck verdict;

#ifdef CQ_DEBUG
	if (debug_no_check)
		return SlotCheck::valid;
#endif

	/* Before `last`: who ends a hold raises that first. */
	const bool held = no == kSlotAllDdl && AnyHold();

	/*
	 * Empty: `last` tells all.  Whoever lists himself between these two reads was not complete when
	 * our snapshot was taken.  Whoever is retired in between raised `last` first.
	 */
	if (likely(pg_atomic_read_u32(&slot.state) == 0))
	{
		pg_read_barrier();
		verdict = Compare(pg_atomic_read_u64(&slot.last), view.pos, pe);
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
	Slot &slot = SlotFor(no);
	Contents contents;

	if (pg_atomic_read_u64(&slot.last) > pe)
		return true;
	return ThingsFor(no) != nullptr && pg_atomic_read_u32(&slot.state) != 0 &&
		   TryRead(no, &contents) && LastOf(no, contents) > pe;
}

/*
 * Nobody may look at a slot for a long time after a change, least of all at that of a tag that was
 * invalidated.  A snapshot of our own sees what is complete, as any reader's would.
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
		ReadContents(no, &contents);
		Judge(no, contents, MomentOf(view.snapshot), &judgement);
		if (judgement.ngone > 0 || judgement.overflow != 0)
			Retire(no, judgement, view.pos);
	}
}

} // namespace cq::exact
