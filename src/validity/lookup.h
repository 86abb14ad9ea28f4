/*
 * lookup.h
 *		A call while it is answered: what judge.cpp, publish.cpp and call.cpp share.
 */
#pragma once

#include "pg.h"
#include "exact/exact.h"
#include "call/answer.h"
#include "call/singleflight.h"
#include "validity/meta.h"
#include "call/rows.h"
#include "validity/watch.h"

namespace cq
{

struct Attempt;

/* Whoever examined the query: a handle, or what is known of a statement of the client's own (auto/). */
struct Examiner
{
	/* Is all as it was when it was examined?  Asked after the run, which may have seen news. */
	bool (*holds)(const Attempt *attempt);
	/* The run showed what the key lacks. */
	void (*learn)(Attempt *attempt, const Findings &seen);
	uint32 entry_flags; /* of what it publishes: kEntryAuto */
};

/* Everything that is known of a call while it is answered. */
struct Attempt
{
	const Call *call;
	const Examiner *examiner;
	void *statement;    /* of auto/; none for a call */
	HeldHandle handle;  /* none for a statement of the client's own */
	Examined *examined; /* of the handle */
	ParamListInfo params;
	const char *args_text; /* for the views */
	MemoryContext context;
	exact::View view;
	exact::Standing standing; /* of the view */
	bool renewed;             /* a snapshot of ours is active until the call ends */
	Key key;
	exact::SlotNo key_slot;
	TimestampTz now;
	bool exact;
	bool asked_redis;    /* one look a call */
	bool kept_old;       /* what the session keeps may not be forgotten now: nothing is published */
	int64 inherited_ttl; /* of the entry that will be replaced */
	bool may_renew;      /* an entry that is stale or about to expire may be handed out */
	uint64 look_up_ns;   /* what key and look-up took, where it matters */
	bool early;          /* the entry is fresh, and the lot says to renew it */
	TimestampTz as_of;   /* of the entry that was looked at */
	int64 fill_us;       /* what the fill of that one took; 0: there was none */
};

/* --- judge.cpp: may the cache be used, and is the entry good? --------------------------------- */

/* What the query itself forbids; Reason::hit if nothing.  An error if a setting wants one. */
extern Reason JudgeQuery(const Examined &query, Shape shape, bool exact, char **detail);
/* The same within a ttl, for asking only. */
extern Reason TtlVerdict(const Findings &findings, Shape shape, char **detail);
/* What this transaction forbids, by its view and what it wrote. */
extern Reason JudgeTransaction(Attempt *attempt);
/* Has this transaction changed one of these? */
extern bool OwnChange(List *relations);
/* May an entry of these facts be served, as far as they tell? */
extern Reason JudgeFacts(const Attempt *attempt, const EntryFacts &facts);
/* ... and as far as what it depends on tells? */
extern Reason JudgeMeta(const Attempt *attempt, const EntryFacts &facts, const Meta &meta);
/* Has this transaction changed what it depends on? */
extern Reason JudgeOwn(const Meta &meta);
/* It is served: what an answer that is being kept around this call must know. */
extern void TellWatch(const Attempt *attempt, const EntryFacts &facts, const Meta &meta);
/*
 * The entry under our key, pinned in the answer, if it may be served; otherwise why not.  With
 * may_renew it may be stale, or fresh and early; then RenewOrServe() says what becomes of it.
 */
extern Reason LookUp(Attempt *attempt, Answer *answer);
/* The pinned entry is handed out: count the hit. */
extern void CountServed(const Attempt *attempt, const Answer *answer);
/* A refreshed entry keeps the life that others asked for. */
extern void InheritTtl(Attempt *attempt);
/* Said once a session, where a query is about to be run that will never be cached. */
extern void NoticeVolatile(const char *detail);
/* The first objection of these slots to an answer of this position. */
extern Reason CheckSlots(const exact::SlotNo *slots, uint32 count, const exact::View &view,
						 uint64 position);

/* --- staleness.cpp: stale answers, and such as are about to expire -------------------------------- */

/* How long the call wants an entry to live: its ttl, and as long as it takes stale rows. */
extern int64 LifeFor(const Call &call);
/* May this call hand out what another makes new? */
extern bool MayRenew(const Attempt *attempt);
/* May the rows be handed out although they are older than the ttl? */
extern bool MayBeStale(const Attempt *attempt, const EntryFacts &facts);
/* Is a fresh entry to be renewed early? */
extern bool DrawLot(const Attempt *attempt, const EntryFacts &facts);
/* Is the entry under our key still the one that was looked at? */
extern bool StillThere(const Attempt *attempt);
/* Are we the one to renew it?  Then we lead its flight. */
extern bool OursToRenew(Attempt *attempt);

/* --- cheap.cpp: queries that are cheaper to run than to look up ------------------------------- */

/* Was it found cheap, and is it not time to look again?  Then run it, and don't ask the cache. */
extern bool RunsDirectly(Attempt *attempt);
/* What a run that began there tells: nothing, or that it is not cheap any more. */
extern void NoteDirectRun(Attempt *attempt, int64 run_us);
/* Is a run that took so long, and brought so many bytes, cheaper than a hit?  Remembers it. */
extern bool CheaperThanHit(Attempt *attempt, int64 run_us, uint64 bytes);

/* --- fill_times.cpp: how long queries take ------------------------------------------------------- */

/* A fill of this query was run to its end. */
extern void NoteFillTime(const Handle &handle, int64 fill_us);
/* How long may a call wait for others, at the most until `deadline`? */
extern Patience PatienceOf(const Attempt &attempt, TimestampTz deadline);

/* --- publish.cpp ------------------------------------------------------------------------------ */

/* What a run brought, beside its rows. */
struct Yield
{
	const Watch *watch;
	const exact::FillMark *mark;
	int64 fill_us;
	TimestampTz as_of;
	int32 lag_ms; /* EntryFacts */
};
/* Is what the answer depends on the same as when the fill began? */
extern bool StillValid(Attempt *attempt, const exact::FillMark &mark, const exact::SlotNo *slots,
					   uint32 count);
/* Who pays for what this call keeps. */
extern Owner OwnerHere(const Call &call);
/* Publish what was filled if everything speaks for it: `miss`, or why not. */
extern Reason Publish(Attempt *attempt, Rows *rows, const Yield &yield, Reason miss,
					  bool *published);

} // namespace cq
