/*
 * store.h
 *		The shared-memory store: immutable entries, found by key, pinned while they are read.
 *
 * An entry is one byte stream over a chain of extents: header, key, tuples, then the meta bytes
 * that its owner gives at publication.  It is written by one backend while nobody else can see it
 * (a fill) and never changes after PublishFill() but for the counters in its header.
 *
 * A fill and a hit are the same thing to the caller: a Pin.  A pin belongs to the resource owner
 * that was current when it was taken and is released with it on error, abort, subtransaction
 * abort, portal close and backend exit; normally Unpin() does it sooner.  An entry that was
 * unlinked (evicted, invalidated, replaced, or never published) is freed by its last unpin.
 *
 * Nothing here raises an error, but for palloc of backend-local memory, and that never under a
 * lock.  There is no SQL in this room: it knows bytes.
 */
#pragma once

#include "pg.h"
#include "store/policy.h"

namespace cq
{

struct Entry; // shared, store/entry.h
struct Pin;   // backend-local, opaque

/* What the owner knows of an entry at publication; copied into its header. */
struct EntryFacts
{
	TimestampTz as_of; // its rows are those of this moment: ages count from here
	int64 ttl_us;      // largest time to live asked for so far; readers may raise it
	int64 stale_us;    // the end of that time, in which its rows count as stale
	int64 fill_us;     // what running the query took
	uint64 rows;
	uint64 pos;        // snapshot position of the fill (exact/)
	uint64 generation; // exact::Generation() at the fill
	uint32 nboot;      // exact/
	Oid database;
	Oid role; // who filled it
	uint64 queryid;
	uint32 flags; // the owner's, e.g. ENTRY_EXACT
	int32 lag_ms; // on a standby: by how much as_of may be too late (remote/invalidations.h)
};

/* Whose memory an entry takes, and how much of it all of the owner's entries may take. */
struct Owner
{
	Oid database;
	Oid role;
	uint64 quota; // units; kNoQuota: no limit
	bool inherit; // charge it to the owner of the entry that it replaces, if there is one
};
/* `quota_kb` < 0: none. */
extern Owner MakeOwner(Oid database, Oid role, int quota_kb);

/* What an owner has in the store. */
struct Holding
{
	Oid database; // invalid: of all that found no place of their own
	Oid role;
	uint64 entries;
	uint64 bytes;       // images included
	uint64 image_bytes; // of these, images
	int64 quota;        // bytes, as of the owner's last fill; -1: none
};

/* A consistent copy of an entry's header for the views. */
struct EntrySummary
{
	uint64 id;
	uint64 hash;
	EntryFacts facts;
	uint64 hits;
	TimestampTz last_hit; // 0 = never
	uint64 payload;       // bytes of tuples
	uint64 memory;        // bytes taken from the store
	uint32 pins;          // the caller's included
	uint32 key_len;
	uint32 meta_len;
};

struct StoreTotals
{
	uint64 entries;
	uint64 memory_total; // bytes that entries can take
	uint64 memory_used;  // bytes taken, fills in flight included
	uint64 payload;      // bytes of tuples in linked entries
	uint64 evictions;    // of entries that were neither expired nor dead
	uint64 expirations;  // expired entries dropped, for whatever reason
	uint64 voided;       // dead entries that went to make room
	uint64 images;       // wire images, not among the entries
	uint64 image_memory; // bytes taken by them, part of memory_used
};

/* --- set-up ------------------------------------------------------------------------------- */
extern void DefineStoreSettings();
extern void StoreRequestShmem(Size memory); // from shmem_request_hook: space and LWLock tranches
extern void StoreInitShmem(Size memory);    // from shmem_startup_hook
extern void StoreInitBackend();             // from _PG_init: resource release callback

/*
 * Set by the owner: can this linked entry never be served again?  Called on a pinned entry without
 * locks of the index (the eviction lock may be held); it must not raise or call into this room.
 */
typedef bool (*EntryDeadFn)(const Entry *entry);
extern void StoreSetDeadTest(EntryDeadFn fn);
/*
 * Set by the owner, who counts: an entry is linked (by = 1) or unlinked (-1).  Called with its
 * partition locked; it must not raise, wait or call into this room except for reading.
 */
typedef void (*EntryLinkFn)(const Entry *entry, int by);
extern void StoreSetLinkCount(EntryLinkFn fn);

/* --- hits --------------------------------------------------------------------------------- */
/* The linked entry with exactly this key, pinned; nullptr when there is none.  Takes the
 * partition's lock shared; counts nothing. */
extern Pin *FindEntry(uint64 hash, const void *key, uint32 key_len);
extern void Unpin(Pin *pin);
extern const Entry *PinnedEntry(const Pin *pin);
/* Memory of entries that this backend has pinned, each as often as it has. */
extern uint64 HeldBytes();
/* Do all backends together have so much pinned that this pin should be given up? */
extern bool TooMuchPinned(const Pin *pin);
/* Count one hit, note the time (rate limited) and raise the entry's ttl to at least ttl_us. */
extern void CountHit(Pin *pin, TimestampTz now, int64 ttl_us);
/* Unlink, so that nobody finds it again; the pin stays good. */
extern void DropEntry(Pin *pin);

/* --- reading ------------------------------------------------------------------------------ */
extern EntryFacts FactsOf(const Entry *entry); // ttl_us as raised so far
extern uint64 HashOf(const Entry *entry);

/* Walks the tuples of a pinned entry.  A tuple that crosses extents is put together in
 * scratch memory of `context`; every other is handed out in place. */
struct TupleReader
{
	Pin *pin;
	const char *at;  // next byte
	const char *end; // end of this extent
	uint32 next_extent;
	uint64 left; // tuples not yet handed out
	char *scratch;
	Size scratch_size;
	MemoryContext context;
};
extern void ReaderBegin(TupleReader *reader, Pin *pin, MemoryContext context);
extern MinimalTuple ReaderNext(TupleReader *reader); // valid until the next call; nullptr: end
extern void ReaderRewind(TupleReader *reader);
/* ReaderNext() if the tuple lies whole in the extent being read; nullptr: call that. */
inline MinimalTuple
ReaderNextInPlace(TupleReader *reader)
{
	Size left = static_cast<Size>(reader->end - reader->at);
	MinimalTuple tuple = reinterpret_cast<MinimalTuple>(const_cast<char *>(reader->at));

	if (reader->left == 0 || left < sizeof(uint32) || MAXALIGN(tuple->t_len) > left)
		return nullptr;
	reader->left--;
	reader->at += MAXALIGN(tuple->t_len);
	return tuple;
}
/* Does it point into scratch memory?  That outlives the pin: no copy is needed. */
inline bool
ReaderOwns(const TupleReader &reader, const void *pointer)
{
	const char *at = static_cast<const char *>(pointer);

	return reader.scratch != nullptr && at >= reader.scratch &&
		   at < reader.scratch + reader.scratch_size;
}
/* The same bytes without regard to tuples: pieces of them as they lie in the extents. */
struct StreamReader
{
	const char *at;
	const char *end; // of what is written in this extent
	uint32 next_extent;
};
extern void StreamBegin(StreamReader *reader, const Pin *pin);
/* Up to `want` bytes that lie in one piece: their address, and their number in *got. */
extern const char *StreamNext(StreamReader *reader, Size want, Size *got);
extern void StreamCopy(StreamReader *reader, void *to, Size len);
/* Copy `len` bytes of the meta stream from `offset`; and of the key. */
extern void ReadMeta(const Entry *entry, uint32 offset, void *to, uint32 len);
extern void ReadKey(const Entry *entry, uint32 offset, void *to, uint32 len);
extern uint32 MetaLength(const Entry *entry);
extern uint32 KeyLength(const Entry *entry);

/* --- fills -------------------------------------------------------------------------------- */
/* A new private entry holding the key, pinned by us; nullptr when no space can be had. */
extern Pin *BeginFill(uint64 hash, const void *key, uint32 key_len);
/* Room for a tuple of `len` bytes in one piece, MAXALIGNed, already counted as written; nullptr
 * when the current extent has none: then AppendTuple() it, which may split it.  Knows no limit,
 * but an extent is 16 kB at most and the next AppendTuple() will notice. */
extern char *ReserveTuple(Pin *fill, uint32 len);
/* False when no space can be had (everything else is pinned, or is good entries', or fills hold as much
 * as they may before their queries have ended, see room.h) or the entry would exceed max_bytes: the fill keeps what it has
 * and takes nothing more until ResumeFill(). */
extern bool AppendTuple(Pin *fill, const void *tuple, uint32 len, uint64 max_bytes);
/* AppendTuple() for one that lies in several places. */
struct Piece
{
	const void *bytes;
	Size len;
};
extern bool AppendPieces(Pin *fill, const Piece *pieces, int count, uint64 max_bytes);
/* The same for bytes of another entry's stream, whole tuples or parts of them; `rows` that end in
 * them.  `len` is a multiple of MAXIMUM_ALIGNOF. */
extern bool AppendStream(Pin *fill, const void *bytes, Size len, uint64 rows, uint64 max_bytes);
/* More than this can't be kept at all. */
extern uint64 StoreCapacity();
/* The entry took so many bytes the last time: before it is known to be kept the fill may take more of good
 * entries' room than others. */
extern void ExpectSize(Pin *fill, uint64 bytes);
/*
 * The fill was refused room and needs `bytes` more.  From here on it may evict what it needs, as its
 * result will be kept.  False: so much can't fit.
 */
extern bool ResumeFill(Pin *fill, uint64 bytes);
/* What max_bytes is compared with: header, key and tuples so far. */
extern uint64 FillBytes(const Pin *fill);
/* Link it under its key in place of any entry that is there (unless that one's facts.as_of is
 * newer: then the fill stays private; so if AppendTuple() had failed, no space can be had, or the
 * owner may have no more).  The fill is sealed in any case: the pin stays good for reading. */
enum class Published
{
	yes,
	no,
	over_quota
};
extern Published PublishFill(Pin *fill, const EntryFacts *facts, const Owner &owner,
							 const void *meta, uint32 meta_len);
/*
 * Is there room for an entry of so many bytes within the owner's quota?  If not, call EvictOwn() and
 * ask again.  If the entry is larger than the quota, that never helps.
 */
extern bool FitsQuota(const Owner &owner, uint64 bytes);
extern bool QuotaHasRoom(const Owner &owner, uint64 bytes);
/* Evict one of the owner's least valuable entries; false: all that were found are in use. */
extern bool EvictOwn(const Owner &owner);
/* What owner number n has; false: there are not so many.  Some have nothing: entries and bytes 0. */
extern bool GetHolding(uint32 n, Holding *holding);
/* Make a fill that will not be published readable by ReaderBegin (rows so far). */
extern void SealFill(Pin *fill, uint64 rows);

/* --- images: other forms of an entry, found by way of its entry only (image.cpp) ---------- */
/* The image with this key of a pinned entry, pinned; nullptr when there is none. */
extern Pin *FindImage(const Pin *of, const void *key, uint32 key_len);
/* A new private image; nullptr when no space can be had without evicting a good entry.  It is
 * written as a fill is. */
extern Pin *BeginImage(const Pin *of, const void *key, uint32 key_len);
/* Link it with its entry, unless that is gone or has the same already. */
extern bool PublishImage(Pin *image, const Pin *of);
/* Note that it was used (rate limited). */
extern void TouchImage(Pin *image, TimestampTz now);
/* Hits of a pinned entry. */
extern uint64 HitsOf(const Pin *pin);
/* Is this the hit that makes an image?  True at most once until SetImageDue(). */
extern bool ClaimImage(Pin *pin, uint64 hits);
extern void SetImageDue(Pin *pin, uint64 hits);
/* --- passing an entry on ------------------------------------------------------------------ */
/* What it takes to find a linked entry again from another process, without a pin. */
struct EntryTicket
{
	uint64 hash;
	uint64 id;
	uint32 unit;
};
extern EntryTicket TicketOf(const Pin *pin);
extern Pin *PinTicket(const EntryTicket &ticket); // nullptr: it is gone

/* --- walking ------------------------------------------------------------------------------ */
/* Meets each entry that is linked all the time once, and others at most once.  Between two calls
 * nothing is held.  In `context` of BeginEntries(); may raise: interrupts, palloc. */
struct EntryCursor
{
	uint32 bucket; // the next one to look into
	uint32 at;     // in the batch
	uint32 count;
	uint32 room;
	EntryTicket *batch;
};
extern EntryCursor *BeginEntries(MemoryContext context);
extern Pin *NextEntry(EntryCursor *cursor); // nullptr: that was all
/* One step over the entries: unlinks of some below *below, which begins with PG_UINT32_MAX, those
 * that are dead, counts them in *swept, and lowers *below; false when there are no more.  The test
 * runs under the directory's lock and must not raise, wait or call into this room but for reading. */
typedef bool (*EntryTestFn)(const Entry *entry, void *arg);
extern bool SweepSome(uint32 *below, EntryTestFn dead, void *arg, uint64 *swept);
extern uint32 LinkedEntries(); // entries linked now
/*
 * Calls fn for each entry until it returns false.  Nobody else may be active: for the postmaster when
 * all other processes have ended.
 */
extern void VisitEntriesAlone(bool (*fn)(const Entry *entry, uint64 hits, void *arg), void *arg);
extern EntrySummary Summarize(const Pin *pin);
extern StoreTotals Totals();
extern void ResetStoreCounters(); // evictions, expirations, voided

#ifdef CQ_DEBUG
/* Stops the world and recounts everything; returns a palloc'd description of the first thing
 * that is wrong, or nullptr.  pins: total pins seen; unlinked: units held by no linked entry; filling: units
 * that fills hold by their own account. */
extern char *CheckStore(uint64 *entries, uint64 *units, uint64 *pins, uint64 *unlinked_units,
						uint64 *filling);
#endif

} // namespace cq
