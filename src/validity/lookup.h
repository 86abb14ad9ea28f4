/*
 * lookup.h
 *		A call, and what is known of it while its entry is looked up.
 */
#pragma once

#include "pg.h"
#include "exact/exact.h"
#include "query/handle.h"
#include "query/key.h"
#include "settings.h"
#include "store/store.h"

namespace cq
{

/* What a call may be told apart from its query: from settings or, for one call, cached_query_with(). */
struct CallOptions
{
	Mode mode;
	Consistency consistency;
	int min_fill_time_ms;
	int wait_timeout_ms;
	int stale_for_ms;
	const char *tag; /* "" = none */
	StoreKind store;
	int redis_lease_ms; /* 0: each server fills for itself */
};

/* Will rows that were handed out be asked for once more, by a rescan or a cursor that goes back? */
enum class Again
{
	no,    /* hardly ever */
	maybe, /* a cursor may go back; a part of a query may be run again */
	likely /* the executor said so */
};

/* One call of a reader function. */
struct Call
{
	const char *query;
	int query_length;
	Args args;
	int64 ttl_us;
	Shape shape;
	CallOptions options;
	TupleDesc expected; /* the caller's columns, or nullptr to take what comes */
	bool of_row_type;   /* these are those of a row type, not of a list */
	bool by_worker;     /* nobody's call: it is not counted among the outcomes */
	bool bound_here;    /* the text alone, in another session, may be another query */
	Again again;        /* may the rows be read again? */
};

struct Lookup;
struct Answer;
struct Served;

/* Who examined the query: a handle of a call, or auto/ for a statement without a call. */
struct Examiner
{
	/*
	 * Is the examination still valid?  Asked after the run, which may have processed invalidation
	 * messages.
	 */
	bool (*holds)(const Lookup *lookup);
	/* The run showed a dependency that the key must contain. */
	void (*learn)(Lookup *lookup, const Findings &seen);
	/*
	 * The entry of this pin is valid for the look-up: may it be handed out?  Reason::none, or why not.
	 */
	Reason (*accepts)(Lookup *lookup, const Served &served);
	/* No entry can be served: run the query, and keep the rows if nothing forbids it. */
	Reason (*fill)(Lookup *lookup, Answer *answer, Reason miss);
	/* Run the query and keep nothing. */
	void (*run)(Lookup *lookup, Answer *answer, Reason reason);
};

/* Everything that is known of a call while it is answered. */
struct Lookup
{
	const Call *call;
	const Examiner *examiner;
	void *statement;    /* of auto/; none for a call */
	HeldHandle handle;  /* none for a statement of the client's own */
	Examined *examined; /* of the handle */
	ParamListInfo params;
	const char *args_text; /* for the views */
	MemoryContext context;
	bool leads; /* the fill of the key: others may wait until EndLead() */
	exact::View view;
	exact::Standing standing; /* of the view */
	bool new_snapshot;        /* a snapshot of ours is active until the call ends */
	Key key;
	exact::SlotNo key_slot;
	TimestampTz now;
	bool exact;
	bool kept_old;       /* what the session keeps may not be forgotten now: nothing is published */
	int64 inherited_ttl; /* of the entry that will be replaced */
	bool may_take_stale; /* an entry that is stale or about to expire may be handed out */
	bool early;          /* the entry is fresh, and is to be refreshed early */
	TimestampTz as_of;   /* of the entry that was looked at */
	int64 fill_us;       /* what the fill of that one took; 0: there was none */
	double plan_cost;    /* the planner's estimate of our own run */
	bool was_hit; /* the entry that was looked at is not valid any more, but was hit before */
};

/* An entry that is served. */
struct Served
{
	Pin *pin; /* nullptr: none */
	uint64 rows;
	int64 age_us;
	bool in_memory; /* others find it there, too */
};

/* How long the call wants an entry to live: its ttl, and as long as it takes stale rows. */
extern int64 LifeFor(const Call &call);
/* The same of these values: an exact result is never served stale. */
extern int64 LifeWith(int64 ttl_us, bool exact, int stale_for_ms);
/* May its query be run again in another session, or later? */
extern bool CanRunElsewhere(const Lookup &lookup);
/* Who pays for what this call keeps. */
extern Owner OwnerHere(const Call &call);

} // namespace cq
