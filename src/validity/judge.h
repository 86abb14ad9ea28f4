/*
 * judge.h
 *		May the cache be used for this call, and is the entry that was found good for it?
 */
#pragma once

#include "pg.h"
#include "validity/lookup.h"
#include "validity/meta.h"
#include "stats/reason.h"

namespace cq
{

/* What the query itself forbids; Reason::none if nothing.  An error if a setting wants one. */
extern Reason JudgeQuery(const Examined &query, Shape shape, bool exact, char **detail);
/* The same within a ttl, for asking only. */
extern Reason TtlReason(const Findings &findings, Shape shape, char **detail);
/* What this transaction forbids, by its view and what it wrote. */
extern Reason JudgeTransaction(Lookup *lookup);
/* Has this transaction changed one of these? */
extern bool OwnChange(List *relations);
/* May an entry of these facts be served, as far as they tell? */
extern Reason JudgeFacts(const Lookup *lookup, const EntryFacts &facts);
/* ... and as far as what it depends on tells? */
extern Reason JudgeMeta(const Lookup *lookup, const EntryFacts &facts, const Meta &meta);
/* The same of a pinned entry, which is read into the buffer as far as that is needed. */
extern Reason JudgeEntry(const Lookup *lookup, const Pin *pin, const EntryFacts &facts, Meta *meta,
						 char *buffer, Size size);
/* Has this transaction changed what it depends on? */
extern Reason JudgeOwn(const Meta &meta);
/* It is served: what a fill around this call must know. */
extern void TellWatch(const Lookup *lookup, const EntryFacts &facts, const Meta &meta);
/*
 * The entry under our key, pinned, if it may be served; otherwise why not.  With
 * may_renew it may be stale, or fresh and early; then RefreshOrServe() says what becomes of it.
 */
extern Reason LookUp(Lookup *lookup, Served *served);
/* The pinned entry is handed out: count the hit. */
extern void CountServed(const Lookup *lookup, Pin *pin);
/* A refreshed entry keeps the life that others asked for. */
extern void InheritTtl(Lookup *lookup);
/* Said once a session, where a query is about to be run that will never be cached. */
extern void NoticeVolatile(const char *detail);
/* The first objection of these slots to a result of this position. */
extern Reason CheckSlots(const exact::SlotNo *slots, uint32 count, const exact::View &view,
						 uint64 position);

/* Is what the result depends on the same as when the fill began? */
extern bool StillValid(Lookup *lookup, const exact::FillMark &mark, const exact::SlotNo *slots,
					   uint32 count);

} // namespace cq
