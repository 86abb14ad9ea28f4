/*
 * exact.h
 *		When was what visible: the order of snapshots, and slots in which writers publish.
 *
 * A writer puts its top-level transaction id into a slot for each thing it changed before it
 * commits (publish before commit); a reader judges the listed ids with its own snapshot, and
 * whoever sees one completed moves it out of the list by raising the slot's `last` position
 * (retire by visibility).  A result computed at position `pe` may be served to a snapshot at
 * position `p` if no slot that the result depends on has last > min(pe, p), and nothing listed
 * objects.  README.md beside this file has the proof.
 *
 * There is no cache in this room.  It knows PostgreSQL only.
 */
#pragma once

#include "pg.h"

namespace cq::exact
{

using SlotNo = uint32;
constexpr uint32 kSlots = 128512; /* 17.5 MB */

/* Slots with a fixed meaning; the others are shared by hash: a collision costs misses only. */
constexpr SlotNo kSlotAllDdl = 0; // definitions that any result may depend on
constexpr SlotNo kSlotClear = 1;  // cached_query_clear()

extern SlotNo DdlSlot(Oid database, Oid relation);   // definition of a relation
extern SlotNo WriteSlot(Oid database, Oid relation); // its rows
extern SlotNo FileSlot(Oid database, Oid file); // on a standby: the rows in this file of a relation
extern SlotNo DatabaseSlot(Oid database);       // what any result in a database may depend on
extern SlotNo AllRowsSlot(Oid database); // writes that can't be told apart: exact results only
/* an object by syscache id and hash value; of a shared catalog whatever the database is */
extern SlotNo CatalogSlot(int cacheid, uint32 hash, Oid database);
enum class Named : uint32
{
	key, // of one result
	tag,
	query // all results of one: to statements of the client's own
};
/* for explicit invalidation */
extern SlotNo NamedSlot(Named kind, Oid database, const void *name, Size len);
/* Is it that of a key or of a query? */
extern bool IsOfResults(SlotNo slot);

/*
 * Definitions that a result may depend on besides those of its relations, types and functions,
 * which have slots of their own.  definitions.cpp says what changes them.
 */
enum class Group : uint32
{
	extension,    // the functions of cached_query: nothing is left behind by DROP EXTENSION
	machinery,    // casts, operator classes, languages, transforms: who uses users' types or code
	text_search,  // configurations, dictionaries, parsers, templates
	foreign,      // wrappers, servers, user mappings
	any_name,     // who looks names up while it runs, nobody knows which
	unknown_name, // who looks names up, known ones too: names changed, nobody knows which
	any_role,     // database 0: whose roles nobody knows
	unknown_role  // database 0: who depends on some role: roles changed, nobody knows which
};
extern SlotNo GroupSlot(Group group, Oid database);
/* A name, in whatever schema: of who looks it up while it runs. */
enum class NameKind : uint32
{
	relation,
	function,
	type,
	op,
	collation
};
extern SlotNo NameSlot(NameKind kind, Oid database, const char *name);
extern SlotNo RoleSlot(Oid role); // its attributes and memberships
/* Of an object of this database that is found by its OID; the cache's hash value of that. */
extern SlotNo ObjectSlot(int cacheid, Oid oid);

/*
 * Slots of keys are numbered behind all others, and work like them (key_slots.cpp).  Of relations of this
 * database that are tracked, see tracking.h.
 */
enum class Change : int
{
	rows, // one came or went, or a column changed that isn't quiet
	quiet // a quiet column changed
};
extern SlotNo AnyRowSlot(Oid relation, Change change); // of whatever key
extern SlotNo KeySlot(Oid relation, AttrNumber column, uint32 hash, Change change);
extern SlotNo RangeSlot(Oid relation, AttrNumber column, uint32 node, Change change); // buckets.h
extern bool IsSlot(SlotNo slot); // is there one of this number?

/* --- the reader's view --------------------------------------------------------------------- */
struct View
{
	Snapshot snapshot;
	uint64 pos;   // larger = sees more; equal = sees the same
	uint32 nboot; // era, and transactions unseen that no slot tells about: view.cpp
};
/* May a result with this nboot be compared with the view?  Plain equality is right for both
 * kinds; for a ttl result this is less strict: it doesn't depend on rows. */
extern bool SameBoot(const View &view, uint32 nboot, bool exact);
/* Was the snapshot taken on a standby?  Rows are then announced by their file, not by their relation. */
extern bool InRecovery(const View &view);
enum class Standing
{
	ok,
	no_snapshot,  // none active, or not an MVCC one
	serializable, // a hit would leave no SIREAD locks
	foreign,      // imported, historic or walsender snapshot: not on our order
	parallel_worker,
	committing, // this transaction has published already: PRE_COMMIT code of another module
	crowded     // more transactions in progress than a position can count
};
/* Of GetActiveSnapshot(), which must stay while the view is used.  Sets *view for ok and for
 * serializable (a fill may be stored).  Takes no lock, but for looking after prepared DDL that a
 * Check() met: so call it with none held. */
extern Standing Look(View *view);

enum class SlotCheck
{
	valid,
	changed, // last > pe: the result is out of date for everybody
	too_old, // last > pos: our snapshot may be older than a change; the result may be fine
	in_ddl,  // a definition is being changed or its news is not out yet
	overflow // more writers in flight than the slot has room for
};
/*
 * Every result depends on kSlotAllDdl, its DatabaseSlot() and kSlotClear, an exact one on its
 * AllRowsSlot() too.  Raises nothing and takes no lock but a slot's spinlock.
 */
extern SlotCheck Check(SlotNo slot, const View &view, uint64 pe);
/* The first objection of several slots. */
extern SlotCheck CheckAll(const SlotNo *slots, uint32 count, const View &view, uint64 pe);
/* Is a result of position pe out of date for every caller?  It needs no snapshot.  After a change it may
 * still answer false until some snapshot has seen the change complete. */
extern bool MovedSince(SlotNo slot, uint64 pe);
/* Retires in all slots what is complete by now, so that MovedSince() knows of it.  To be called in a
 * transaction, which needs no snapshot; takes no lock but a slot's spinlock. */
extern void SettleAll();

/* --- this transaction's own changes -------------------------------------------------------- */
extern bool OwnWrote(Oid relation); // rows of it, or its definition
/*
 * The same, for an exact result that checks these slots, in their order: where it is known which rows were changed, it is
 * asked whether they are among those of the result.  Without slots: is this not known?
 */
extern bool OwnTouched(Oid relation, const SlotNo *slots, uint32 count);
extern bool OwnChangedEverything();      // class-B DDL, or writes with track_counts off
extern bool OwnWroteCatalogs();          // system catalogs
extern bool OwnWroteOpaque();            // tables that no statistics tell about, see hooks.cpp
extern bool OwnAnything();               // quick: false = none of the above can be true
extern bool OwnInvalidated(SlotNo slot); // Invalidate() called, or a type behind it altered
/* A transaction that invalidates more slots than this voids all entries of its database. */
constexpr int kMaxPending = 4096;
/* Explicit invalidation: at commit `slot` changes for everybody, at rollback nothing happens.
 * Assigns a transaction id.  Not in recovery: there call InvalidateNow(). */
extern void Invalidate(SlotNo slot);
extern void InvalidateNow(); // raises the generation: every result before is void

/* --- fills --------------------------------------------------------------------------------- */
struct FillMark
{
	uint64 generation;
	uint32 ddl_gen[256];
};
/* Before the query is executed: remember the DDL generations, then take in what was sent. */
extern void MarkFill(FillMark *mark);
/* Before the result is stored, and after Check() of the same slot: false = the definition behind
 * it has been announced meanwhile, don't store. */
extern bool Unmoved(const FillMark &mark, SlotNo slot);
extern uint64 Generation(); // an entry of another generation is void
/* DML publishing starts with the first exact use on the server.  Call it before Look(). */
extern void StartWriters();
/* Position of a snapshot taken now, for telling whether an older one still shows the present; 0
 * when there is none (crowded). */
extern uint64 FreshPosition();

/* --- results from elsewhere: another server's, or of before a restart ----------------------- */
/*
 * They have no position that could be compared with ours, only an age, and are good within a ttl:
 * what they depend on must not have changed here since.  Milliseconds on a clock that never goes
 * back; the same in all processes.
 */
extern int64 MonotonicMs();
/* A number that no other server and no earlier start has; constant until shared memory is new. */
extern uint64 Incarnation();
/* Does anything object to a result of that moment?  Raises nothing, takes no lock but a spinlock. */
extern SlotCheck CheckElsewhere(const SlotNo *slots, uint32 count, const View &view, int64 then_ms,
								bool own_clock);
/*
 * Another server has invalidated this slot at that moment, or earlier without having told us.  Results from
 * before are void on all servers: a server that has one asks VoidedSince().
 */
extern void InvalidatedElsewhere(SlotNo slot, int64 when_ms);
extern bool VoidedSince(const SlotNo *slots, uint32 count, int64 then_ms);
/* When InvalidatedElsewhere() was last called; 0: never, and then VoidedSince() is always false. */
extern int64 LastVoided();
/* Saves the times of changes for the next start; from the postmaster's exit callback. */
extern void SaveChanges();

/* --- set-up -------------------------------------------------------------------------------- */
extern void DefineKeySettings();
extern void RequestShmem();
extern void InitShmem();
extern void InitBackend(); // transaction callbacks, from _PG_init

/* --- statements, from the module's hooks: what only they tell (hooks.cpp) ------------------- */
/* The assign hook of track_counts; once, when all libraries have been loaded. */
extern void HookTrackCounts();
extern void NoteStart(const QueryDesc *query); // in ExecutorStart
/* Around each utility command, however it ends: EndUtility() with what was before BeginUtility(). */
struct UtilityState
{
	bool neutral;
	bool holds;
};
extern UtilityState CurrentUtility();
extern void BeginUtility(Node *command);
extern void EndUtility(const UtilityState &outer);

/* For tests; only a build with CQ_DEBUG looks at them. */
constexpr int kSlotRoom = 11;         // transactions that a slot can list
extern int debug_sleep_pre_commit_us; // wait: published, not committed
extern int debug_sleep_commit_us;     // wait: visible, invalidation messages not sent
extern int debug_room;                // less of kSlotRoom, to see overflows
extern bool debug_no_check;           // Check() never objects: tests of exactness must fail
extern int debug_replay_ignores;      // kinds of records that a standby passes over: the same
extern void DefineDebugSettings();

} // namespace cq::exact
