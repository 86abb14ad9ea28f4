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
#include "exact/slots.h"

namespace cq::exact
{

Shared *shared = nullptr;

int debug_room = kRoom;
bool debug_no_check = false;

namespace
{

/* A slot's contents at one moment. */
struct Contents
{
	uint64 words[kRoom];
	uint64 overflow;
};

/* What a snapshot makes of them. */
struct Judgement
{
	uint64 gone[kRoom]; // to be retired
	int ngone;
	uint64 overflow; // to be cleared, if it is still that; 0 = not
	bool in_ddl;
	bool crowded;
};

uint64
Mix(uint64 h)
{
	h = (h ^ h >> 33) * UINT64CONST(0xff51afd7ed558ccd);
	h = (h ^ h >> 33) * UINT64CONST(0xc4ceb9fe1a85ec53);
	return h ^ h >> 33;
}

/*
 * Each sort of change has slots of its own, or a name that is made now and then would hit, by its hash,
 * an answer that depends on no names.  In each region a database has one stripe: what its sessions change
 * meets no answers in databases of another stripe, however much it is.  Databases that were made one after
 * the other have different ones.
 */
struct Region
{
	uint32 first;
	uint32 size;
};
constexpr uint32 kStripes = 8;
constexpr Region
After(const Region &before, uint32 size)
{
	return {before.first + before.size, size};
}
constexpr Region kOfAll = {2, 510};                 /* of no single database; not in stripes */
constexpr Region kRoles = After(kOfAll, 1024);      /* not in stripes */
constexpr Region kGroups = After(kRoles, 256 * 16); /* 16 for a database, without hash */
constexpr Region kDefinitions = After(kGroups, 8 * 4096);
constexpr Region kRows = After(kDefinitions, 8 * 4096);
constexpr Region kKeys = After(kRows, 8 * 2048);
constexpr Region kTags = After(kKeys, 8 * 2048);
constexpr Region kObjects = After(kTags, 8 * 2048);
constexpr Region kNames = After(kObjects, 8 * 1024);
static_assert(kNames.first + kNames.size == kSlots);
static_assert(kSlots % 32 == 0, "who keeps a bit for each has whole words");

uint64
HashOf(uint32 kind, uint32 a, uint64 b)
{
	return Mix(Mix(static_cast<uint64>(kind) << 32 | a) + b);
}

SlotNo
Hashed(const Region &region, uint32 kind, uint32 a, uint64 b)
{
	return region.first + static_cast<uint32>(HashOf(kind, a, b) % region.size);
}

SlotNo
Striped(const Region &region, uint32 kind, Oid database, uint64 b)
{
	const uint32 size = region.size / kStripes;

	return region.first + database % kStripes * size +
		   static_cast<uint32>(HashOf(kind, database, b) % size);
}

/* What there is once for a database: the number is below 16. */
SlotNo
OfDatabase(Oid database, uint32 number)
{
	return kGroups.first + database % (kGroups.size / 16) * 16 + number;
}

/* Take the lock and make readers that look now come back. */
void
BeginChange(Slot &slot)
{
	SpinLockAcquire(&slot.lock);
	pg_atomic_write_u32(&slot.seq, pg_atomic_read_u32(&slot.seq) + 1);
	pg_write_barrier();
}

/*
 * Everything of before is void.  `now` was taken before the lock, and after the change was seen
 * complete, or is 0 if it was noted before; it is stored first, so that who sees the new `last`
 * sees when it came.
 */
void
RaiseLast(Slot &slot, uint64 pos, int64 now)
{
	if (static_cast<int64>(pg_atomic_read_u64(&slot.changed_at)) < now)
		pg_atomic_write_u64(&slot.changed_at, static_cast<uint64>(now));
	pg_write_barrier();
	if (pg_atomic_read_u64(&slot.last) < pos)
		pg_atomic_write_u64(&slot.last, pos);
}

/* Tell readers what is left, `last` before `state`. */
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

/* The word's place, whatever bits were added to it; null if it isn't there. */
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

void
CopyWords(Slot &slot, Contents *contents)
{
	for (int i = 0; i < kRoom; i++)
		contents->words[i] = pg_atomic_read_u64(&slot.words[i]);
	contents->overflow = pg_atomic_read_u64(&slot.overflow);
}

/* Without the lock if nobody is at it. */
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

/* Which of the listed transactions object, and which are history? */
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

		/* Retired, a damaged word voids what there is; believed, it would object for ever. */
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

		/* A DDL among them has no word here that could say that its messages are out. */
		if (CannotBe(xid) || (xid < Widen(m.xmin, m.latest) && !(ddl && UnsentUpTo(xid))))
			judgement->overflow = contents.overflow;
		else
			judgement->crowded = true;
	}
}

/*
 * Take out what the snapshot at `pos` has seen complete.  The slot may have changed since we read
 * it: a word that got a bit more or was retired by another is left alone.  One that came meanwhile
 * was not complete when our snapshot was taken, so it isn't among ours.
 */
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

/* The answer's position and ours against the newest change that everybody knows of. */
Verdict
Compare(Slot &slot, uint64 pos, uint64 pe)
{
	const uint64 last = pg_atomic_read_u64(&slot.last);

	if (last > pe)
		return Verdict::changed;
	return last > pos ? Verdict::too_old : Verdict::valid;
}

/* Places that may be taken. */
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
 * One that found no room: until a snapshot sees all up to it complete, and the messages of DDL are out, who depends
 * on this slot is refused.
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
	Slot &slot = shared->slots[no];
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

/* Slots that answers of several databases depend on. */
bool
IsShared(SlotNo slot)
{
	return slot < kOfAll.first + kOfAll.size;
}

bool
IsRole(SlotNo slot)
{
	return slot - kRoles.first < kRoles.size;
}

SlotNo
DdlSlot(Oid database, Oid relation)
{
	return Striped(kDefinitions, 1, database, relation);
}

SlotNo
WriteSlot(Oid database, Oid relation)
{
	return Striped(kRows, 2, database, relation);
}

SlotNo
DatabaseSlot(Oid database)
{
	return OfDatabase(database, 0);
}

SlotNo
AllRowsSlot(Oid database)
{
	return OfDatabase(database, 1);
}

SlotNo
CatalogSlot(int cacheid, uint32 hash, Oid database)
{
	if (cacheid == DATABASEOID || cacheid == AUTHOID)
		return Hashed(cacheid == AUTHOID ? kRoles : kOfAll, 3, static_cast<uint32>(cacheid), hash);
	return Striped(kObjects, 64 + static_cast<uint32>(cacheid), database, hash);
}

SlotNo
ObjectSlot(int cacheid, Oid oid)
{
	return CatalogSlot(cacheid, murmurhash32(oid), MyDatabaseId);
}

SlotNo
RoleSlot(Oid role)
{
	return ObjectSlot(AUTHOID, role);
}

SlotNo
GroupSlot(Group group, Oid database)
{
	const uint32 number = static_cast<uint32>(group);

	static_assert(static_cast<uint32>(Group::unknown_role) + 2 < 16);
	return OidIsValid(database) ? OfDatabase(database, 2 + number) : Hashed(kOfAll, 16, number, 0);
}

SlotNo
NameSlot(NameKind kind, Oid database, const char *name)
{
	return Striped(kNames, 32 + static_cast<uint32>(kind), database,
				   hash_bytes_extended(reinterpret_cast<const unsigned char *>(name),
									   static_cast<int>(strlen(name)), 0));
}

SlotNo
NamedSlot(Named kind, Oid database, const void *name, Size len)
{
	return Striped(
		kind == Named::tag ? kTags : kKeys, 4 + static_cast<uint32>(kind), database,
		hash_bytes_extended(static_cast<const unsigned char *>(name), static_cast<int>(len), 0));
}

namespace
{

/* Who is listed decides, too.  Not inlined: the contents take room on the stack. */
pg_noinline Verdict
CheckListed(SlotNo no, const View &view, uint64 pe)
{
	Slot &slot = shared->slots[no];
	Contents contents;
	Judgement judgement;
	Verdict verdict;

	ReadContents(slot, &contents);
	Judge(no, contents, MomentOf(view.snapshot), &judgement);
	if (judgement.ngone > 0 || judgement.overflow != 0)
		Retire(slot, judgement, view.pos);
	pg_read_barrier();
	verdict = Compare(slot, view.pos, pe);
	if (verdict == Verdict::valid && judgement.in_ddl)
		verdict = Verdict::in_ddl;
	else if (verdict == Verdict::valid && judgement.crowded)
		verdict = Verdict::overflow;
	return verdict;
}

/*
 * Does the slot object to an answer of position `pe` for this view?  Complete transactions are
 * retired on the way.
 */
inline Verdict
CheckOne(SlotNo no, const View &view, uint64 pe)
{
	Slot &slot = shared->slots[no];
	Verdict verdict;

#ifdef CQ_DEBUG
	if (debug_no_check)
		return Verdict::valid;
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
		verdict = Compare(slot, view.pos, pe);
	}
	else
		verdict = CheckListed(no, view, pe);
	if (unlikely(held) && verdict == Verdict::valid)
		verdict = Verdict::in_ddl;
	return verdict;
}

} // namespace

Verdict
Check(SlotNo no, const View &view, uint64 pe)
{
	return CheckOne(no, view, pe);
}

Verdict
CheckAll(const SlotNo *slots, uint32 count, const View &view, uint64 pe)
{
	for (uint32 i = 0; i < count; i++)
	{
		Verdict verdict = CheckOne(slots[i], view, pe);

		if (unlikely(verdict != Verdict::valid))
			return verdict;
	}
	return Verdict::valid;
}

bool
MovedSince(SlotNo no, uint64 pe)
{
	return pg_atomic_read_u64(&shared->slots[no].last) > pe;
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
		ReadContents(slot, &contents);
		Judge(no, contents, MomentOf(view.snapshot), &judgement);
		if (judgement.ngone > 0 || judgement.overflow != 0)
			Retire(slot, judgement, view.pos);
	}
}

/*
 * Publish: from here on readers judge this transaction by their own snapshots.  A full slot is
 * first cleared of complete ones with a snapshot of our own, once in about kRoom times.
 */
void
List(SlotNo no, uint64 word)
{
	Slot &slot = shared->slots[no];

	if (TryList(slot, word))
		return;
	Clear(no);
	if (TryList(slot, word))
		return;

	/* Prepared DDL that has ended may fill it: nobody set kSent. */
	if (settle_wanted)
	{
		SettlePrepared();
		Clear(no);
		if (TryList(slot, word))
			return;
	}

	/*
	 * An overflowed DDL can't carry kSent, so until its messages are out the slot refuses.  First the list, for
	 * who sees it in the slot looks there.
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
	Slot &slot = shared->slots[no];

	if (!TryList(slot, word))
		Overflow(slot, word);
}

/*
 * The same while its commit is being replayed.  All that was listed before is complete, and every
 * snapshot there is lies below the next transaction id: so a full slot is simply emptied.
 */
void
ListReplayed(SlotNo no, uint64 word)
{
	Slot &slot = shared->slots[no];
	const uint64 above = (compat::LatestCompletedXid() + 2) << kCountBits;
	const int64 now = MonotonicMs();

	if (TryList(slot, word))
		return;
	BeginChange(slot);
	for (pg_atomic_uint64 &place : slot.words)
		pg_atomic_write_u64(&place, 0);
	pg_atomic_write_u64(&slot.overflow, 0);
	pg_atomic_write_u64(&slot.words[0], word);
	RaiseLast(slot, above, now);
	EndChange(slot);
}

/* The transaction has aborted. */
void
Unlist(SlotNo no, uint64 word)
{
	Slot &slot = shared->slots[no];
	pg_atomic_uint64 *place;

	BeginChange(slot);
	place = Find(slot, word);
	if (place != nullptr)
		pg_atomic_write_u64(place, 0);
	EndChange(slot);
}

/*
 * Its messages are out.  A fill that began before may have used the old definition and must not
 * believe a later Check(): so the generation moves first.
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
 * A change elsewhere, for which there is no position.  Fills in flight may be of before: they are
 * not kept.
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
	RequestAddinShmemSpace(ShmemBytes());
}

void
InitShmem()
{
	bool found;
	char *space;

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	space = static_cast<char *>(ShmemInitStruct("cached_query slots", ShmemBytes(), &found));
	shared = reinterpret_cast<Shared *>(TYPEALIGN(alignof(Shared), space));
	if (!found)
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
		{
			pg_atomic_init_u64(&slot.last, 0);
			pg_atomic_init_u32(&slot.state, 0);
			pg_atomic_init_u32(&slot.seq, 0);
			pg_atomic_init_u64(&slot.overflow, 0);
			for (pg_atomic_uint64 &word : slot.words)
				pg_atomic_init_u64(&word, 0);
			SpinLockInit(&slot.lock);
			pg_atomic_init_u64(&slot.changed_at, 0);
		}
		for (pg_atomic_uint64 &voided : shared->voided_at)
			pg_atomic_init_u64(&voided, 0);
		pg_atomic_init_u64(&shared->last_voided, 0);
	}
	LWLockRelease(AddinShmemInitLock);
	if (!found)
		InitChanges();
}

} // namespace cq::exact
