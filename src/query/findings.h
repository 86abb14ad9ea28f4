/*
 * findings.h
 *		What was found out of a query or a body: may it be cached, what does it depend on, what must its key hold?
 */
#pragma once

#include "pg.h"
#include "exact/exact.h"
#include "query/columns_read.h"
#include "query/seen.h"
#include "query/tree.h"
#include "stats/reason.h"

namespace cq
{

/* Under which settings and as whom a body runs: SET clauses and SECURITY DEFINER around it. */
struct Environment;

/* What a walk met and left for later. */
struct Pending
{
	Thing thing;
	Oid oid;
	uint64 variant;
	bool nested;
	bool believed;  /* only what it depends on is asked for */
	FuncExpr *call; /* of a body: types only, or NULL */
	const Environment *environment;
};

/* Under which syscache hash values a new relation or type would capture an unqualified name. */
struct NameHashes
{
	int count = 0;
	int allocated = 0;
	uint32 *hashes = nullptr;
	int *caches = nullptr; /* RELNAMENSP or TYPENAMENSP, one for each hash */
};

struct Findings
{
	/* Reason::none: may be kept; otherwise why the query is run instead, and what was found. */
	Reason ttl = Reason::none;
	char *ttl_detail = nullptr;
	Reason exact = Reason::none;
	char *exact_detail = nullptr;

	/*
	 * A volatile function, if any: for a ttl read, a setting decides whether the query may be cached.
	 */
	char *volatile_detail = nullptr;

	/* What the key must hold. */
	bool role = false;         /* the result may depend on the current role */
	bool session_role = false; /* ... on the session's role */
	bool regional = false;     /* ... on settings that conversion functions read */
	bool customized = false;   /* ... on any customized setting, and row_security */
	bool search_path = false;  /* ... on the search path */
	bool names = false;        /* ... on what names mean when it is run, temporary ones too */
	bool temp_schema = false; /* ... on which schema of temporary objects the session has, if any */
	bool everything = false;  /* ... on any setting, since code in it was not understood */
	bool literals = false;    /* parse analysis converted literals by regional settings */
	bool checked_literal = false; /* ... and checked them by constraints of domains */
	bool daily = false;           /* ... and one is a time in a zone, with the offset of the day */
	/* bodies have such literals, or ones like 'today': plan them anew for each fill */
	bool fleeting = false;
	bool kept_old = false;      /* a function could not be compiled again, since it runs */
	bool restricted = false;    /* ... or calls functions that not all may call */
	bool folded = false;        /* ... or the planner may have evaluated what reads them */
	bool unread = false;        /* calls IMMUTABLE or trusted code, which is believed unread */
	bool clock = false;         /* rows may show when the statement or transaction began */
	bool time_literal = false;  /* ... and one of them may be 'today': analyse before each fill */
	bool user_function = false; /* runs code whose own queries must be watched during a fill */
	bool makes_text = false;    /* values may be converted to text inside the query */
	bool name_values = false;   /* ... and some of them may be names, such as a regclass */
	List *settings = NIL;       /* names (char *) given to current_setting() */
	bool catalogs = false;      /* functions read catalogs, which ones can't be told */
	bool opaque = false;        /* rows come from code of another module: a foreign table, say */
	bool late = false;          /* code in it looks up names while it runs; they are unknown */
	bool text_search = false;   /* reads configurations or dictionaries of text search */
	bool foreign = false;       /* reads foreign tables */
	/* names (char *) of cursors that functions open: not if the session has one of that name */
	List *cursors = NIL;

	/* What it depends on: sorted and unique. */
	List *relations = NIL;      /* OIDs of relations read, views and partitions included */
	List *rowtypes = NIL;       /* pg_class OIDs of composite types seen */
	List *types = NIL;          /* OIDs of types that aren't built in */
	List *types_believed = NIL; /* ... in believed code; used until the examination ends */
	List *owners = NIL;     /* OIDs of roles with whose rights relations under policies are read */
	List *functions = NIL;  /* OIDs of functions that aren't built in, at whatever depth */
	List *inside = NIL;     /* OIDs of relations that only functions read */
	List *names_late = NIL; /* slots (int) of names that bodies look up when they run */
	/* read by the plan, and named by neither the trees nor a parent */
	List *inlined = NIL;

	Columns columns; /* that the query's own trees name; those of bodies are not in it */

	bool long_lists = false; /* the trees have arrays of many constants */

	/* What is in the key, and not in the query's own trees. */
	Digest inside_digest = {}; /* of the trees of all bodies: what names in them mean */
	bool unidentified = false; /* ... which have parts of another module */

	/* the walk */
	MemoryContext context = nullptr;    /* of all lists */
	NameHashes *names_inside = nullptr; /* where names in bodies go, if anywhere */
	bool nested = false;                /* what is judged is called by a function */
	bool at_run = false;                /* ... and was met while it ran: views aren't expanded */
	bool words_inside = false;          /* the statement analysed last has a word like 'now' */
	Node *call = nullptr;               /* the node whose functions are judged */
	Oid last_literal =
		InvalidOid; /* type of the last one, which another needs not be asked about */
	const Environment *environment = nullptr; /* of what is walked */
	List *environments = NIL;                 /* all that were met */
	Seen seen;
	bool believed = false; /* the code that is walked is IMMUTABLE or trusted */
	Seen seen_believed;    /* what was met in such */
	List *pending = NIL;   /* Pending: bodies and types to be judged, those done included */
	int followed = 0;      /* so many of them are done */
	int bodies = 0;        /* of which functions */
};

/* Does `seen` have something that a key made by `known` lacks? */
extern bool Lacks(const Findings &known, const Findings &seen);
/* Know it, too. */
extern void Widen(Findings *known, const Findings &seen);

/*
 * Adds the findings of a part that was walked by itself, and the names in it; `into` must be the
 * findings of the walk that is going on.
 */
extern void Merge(Findings *into, const Findings &part, const NameHashes &names);

/* Notes why the result can't be kept; the first reason stays. */
extern void RefuseBoth(Findings *findings, Reason reason, const char *detail);
extern void RefuseExact(Findings *findings, Reason reason, const char *detail);
/* It asks for the date or time of the statement or transaction. */
extern void NoteClock(Findings *findings, const char *detail);
/*
 * Rows from code of another module: the other server may know the role by a name of its own, read
 * settings, and show what the transaction saw first.  What it reads here is watched.
 */
extern void JudgeOpaque(Findings *findings, Reason reason, const char *detail);
/* Code that can't be followed: not exact, and within a ttl everything goes into the key. */
extern void NotUnderstood(Findings *findings, const char *detail);
/* The findings outlive what is current while a body is judged. */
extern char *Keep(const Findings *findings, const char *text);
/* Is it one of these names (char *)? */
extern bool HasName(const List *names, const char *name);
/* Adds those that are not there yet. */
extern void AddNames(List **known, const List *names);

} // namespace cq
