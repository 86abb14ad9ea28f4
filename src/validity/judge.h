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
/* The same for a ttl read, without raising an error. */
extern Reason TtlReason(const Findings &findings, Shape shape, char **detail);
/* What this transaction forbids, by its view and what it wrote. */
extern Reason JudgeTransaction(Lookup *lookup);
/*
 * Has this transaction changed one of these?  For an exact result: so that it isn't known which rows; JudgeOwn() tells of
 * others, by what the result depends on.
 */
extern bool OwnChange(List *relations, bool exact);
/* May an entry of these facts be served, as far as they tell? */
extern Reason JudgeFacts(const Lookup *lookup, const EntryFacts &facts);
/* ... and by its dependencies? */
extern Reason JudgeMeta(const Lookup *lookup, const EntryFacts &facts, const Meta &meta);
/* The same of a pinned entry, which is read into the buffer as far as that is needed. */
extern Reason JudgeEntry(const Lookup *lookup, const Pin *pin, const EntryFacts &facts, Meta *meta,
						 char *buffer, Size size);
/* Has this transaction changed what it depends on? */
extern Reason JudgeOwn(const Meta &meta, bool exact);
/* It is served: tell a fill around this call of its dependencies and its age. */
extern void TellWatch(const Lookup *lookup, const EntryFacts &facts, const Meta &meta);
/*
 * The entry under our key, pinned, if it may be served; otherwise the reason why not.  With
 * may_take_stale the entry may be stale, or fresh and to be refreshed early; RefreshOrServe() then
 * refreshes or serves it.
 */
extern Reason LookUp(Lookup *lookup, Served *served);
/* The pinned entry is handed out: count the hit. */
extern void CountServed(const Lookup *lookup, Pin *pin);
/* Before a refresh: the new entry keeps the longer ttl that other callers have asked for. */
extern void InheritTtl(Lookup *lookup);
/* Says once in a session that a query will never be cached, when the query is about to run. */
extern void NoticeVolatile(const char *detail);
/* Why a result of this position is not valid by these slots, or Reason::none. */
extern Reason CheckSlots(const exact::SlotNo *slots, uint32 count, const exact::View &view,
						 uint64 position);

/* Is what the result depends on the same as when the fill began? */
extern bool StillValid(Lookup *lookup, const exact::FillMark &mark, const exact::SlotNo *slots,
					   uint32 count);

} // namespace cq
