/*
 * watch.h
 *		What happens inside a query while its rows are being kept.
 *
 * The plan tells what a query reads itself; what the functions it calls read is seen only when
 * they run it.  While a fill runs, hooks note in the innermost Watch what plans are started, what
 * is analysed, which functions that aren't built in are looked up; a cached result used inside passes on what it depends on and how old it is.
 * When a watch ends, the one around it takes over all it saw.
 *
 * An error that code inside catches may have decided what the rows are.  One that tells of the data would
 * come again; a timeout, a limit, a lock or the state of the session is another's no business.
 *
 * Backend-local; the stack of watches is unwound by PG_TRY in the fill, or at the end of the (sub)transaction.
 */
#pragma once

#include "pg.h"
#include "base/oid_table.h"
#include "exact/exact.h"
#include "query/findings.h"
#include "store/store.h"

namespace cq
{

struct Grain;

struct Watch
{
	const Findings *query; /* of what is run */
	Watch *outer;
	int level;                   /* of subtransactions, when it was resumed */
	ErrorContextCallback errors; /* is told of those that are caught inside, too */
	MemoryContext context;       /* of the lists */
	Findings findings;           /* relations met, and what speaks against keeping them */
	int expected; /* of the relations: those that the query itself reads, which come first */
	List *called; /* OIDs of functions that ran and weren't expected */
	const QueryDesc *own; /* the fill's own plan, until it starts */
	bool
		own_hidden; /* ... may be helped by code that wasn't read, or that ran before the watch began */
	bool own_scans;         /* ... ran to its end, so what it has read is known */
	OidTable<Grain> grains; /* ... of tracked tables, by keys (pins.h) */
	bool started;           /* the query itself was seen: ExecutorStart comes to us */
	List *slots;            /* of cached results used inside (int) */
	bool wrote;             /* data-modifying or utility statement, row locks */
	bool uncacheable;       /* a cached_query call inside could not be cached */
	bool disturbed;         /* an error that tells of this moment or session was raised inside */
	bool inexact;           /* a cached result inside was a ttl one */
	bool user_code;         /* what runs inside may be anything: no parallel workers */
	bool strange_code;      /* ... that wasn't read, so plans are looked into when they start */
	TimestampTz oldest;     /* as_of of the oldest cached result used; or the future */
	int32 lag_ms;           /* the largest of those, see EntryFacts */
	uint64 lowest_position;
};

/*
 * `query`: what is known of the query itself; views and policies of its relations were judged
 * already.
 */
extern void BeginWatch(Watch *watch, MemoryContext context, const Findings &query);
/* Success: the outer watch, if any, learns everything. */
extern void EndWatch(Watch *watch);
/* Error: just take it off. */
extern void DropWatch(Watch *watch);
extern bool Watching();
/*
 * Between two rows of a fill whose rows are handed out at once, others run what they want.  No PG_TRY is
 * needed: who catches an error that passes through it has begun a subtransaction inside, or outside.
 */
extern void SuspendWatch(Watch *watch);
extern void ResumeWatch(Watch *watch);
/* This is the plan that the fill itself runs: it is about to be started. */
extern void ExpectOwnPlan(Watch *watch, const QueryDesc *query);
/* The same, where the watch began too late to see it. */
extern void WatchOwnPlan(Watch *watch, PlannedStmt *plan);
/* It has run to its end, and is not yet shut down. */
extern void WatchOwnScans(Watch *watch, PlanState *top);
/* May the result depend on the relation's rows?  Always, unless all that was run can't have read them. */
extern bool ReadRows(const Watch &watch, Oid relation);

/*
 * The scans (PlanState) of relations in a plan that have run, and the numbers of the parameters that its init plans
 * have set.  False: that can't be told.  To be asked when it has run, and is not yet shut down.
 */
extern bool ScansOf(PlanState *top, List **scans, Bitmapset **constants);

/* A cached result was used inside whatever is watched. */
extern void WatchRelations(const Oid *relations, int count);
extern void WatchSlots(const exact::SlotNo *slots, int count);
extern void WatchUsed(const EntryFacts &facts, bool exact);
extern void WatchUncacheable();

/* From the module's hooks: a plan is about to be started, a utility command to be run. */
extern void WatchStart(QueryDesc *query);
extern void WatchUtility();

/* From _PG_init; and, when all libraries have been loaded, the hooks of analysis and function look-up. */
extern void InitWatch();
extern void HookAnalysis();
#ifdef CQ_DEBUG
extern void DefineWatchDebugSettings();
#endif

} // namespace cq
