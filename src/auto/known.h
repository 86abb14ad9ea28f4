/*
 * known.h
 *		What this session knows of a statement without a call: its tree, and what the examination found.
 *
 * A statement is recognised by its rewritten tree.  PostgreSQL analyses the text for each execution, and in
 * the tree all names, types, operators, views, policies and literals are resolved, so the meaning is fixed.
 * Within the session, the hash of the text finds candidates, and equal() compares the trees.  Between
 * sessions, the digest of the tree (query/tree.h) is the identity, as a part of the key.
 *
 * It has nothing of a plan, so a hit needs no plan.  Relations that only the plan reads (partitions,
 * children) are noted when the rows are cached.
 *
 * Backend-local.  The least recently used ones are freed, so that all fit into cached_query.handle_memory.
 */
#pragma once

#include "pg.h"
#include "auto/candidates.h"
#include "auto/rules.h"
#include "auto/worth.h"
#include "query/examined.h"
#include "stats/reason.h"

extern "C" {
#include "lib/ilist.h"
}

namespace cq
{

struct KnownLink
{
	dlist_node lru;
};

struct Known : KnownLink, Examined
{
	Known *next;      /* in its hash chain */
	uint64 text_hash; /* worth.h */
	MemoryContext context;
	Size memory;
	int holds;
	bool chosen;    /* by a hint or a rule */
	bool forgotten; /* unlinked while held: the last release frees it */

	Query *tree;
	const char *tag; /* of its hint; or nullptr */
	bool hint_exact;
	int64 hint_ttl_us; /* 0: it says nothing of that */
	const char *text;  /* for the views: of the first one of this tree */
	int text_length;

	/* the state under which it was examined */
	uint64 rules_version;
	Oid role;
	bool row_security;
	char *path;
	uint32 parse_flags;
	uint32 trusted_version;

	Bitmapset *used;  /* numbers of the parameters that are in the tree, in the order of `params` */
	NameHashes names; /* inside bodies */
	uint64 heard;     /* news of before are in it */
	uint64 subject; /* in the view of candidates: the hash of its first key, whatever is learned */

	List *relations; /* that the tree names: OIDs */
	PlannedStmt *shell;
	bool planned; /* the shell has the costs of a plan */
};

/* The one with this tree, if there is one that is up to date. */
extern Known *FindKnown(uint64 text_hash, const Query *tree);
/*
 * Examine it; the text is that of the statement alone.  nullptr: it could not be done.  No look-up finds it, and it
 * lives as long as the current context.
 */
extern Known *ExamineStatement(const StatementText &statement, const Query *tree, const Rule *rule);
/* The same, and FindKnown() finds it from now on. */
extern Known *MakeKnown(const StatementText &statement, const Query *tree, const Rule *rule);
/* Are role, settings and definitions still those under which it was examined? */
extern bool StillKnown(Known *known);
/* A run showed what the key lacks, as only plans name indexes: the next key has it. */
extern void LearnOfKnown(Known *known, const Findings &seen);
/* It is in use until the memory context is reset: plans have pointers to it. */
extern void HoldKnown(Known *known, MemoryContext context);
/* What its hint says, or the session's setting: which results it takes. */
struct Terms
{
	bool exact;
	int64 ttl_us;
};
extern Terms TermsOf(const Known &known);
/* May its results be kept and served here and now?  Reason::none, or why not. */
extern Reason JudgeKnown(const Known *known, bool exact, char **detail);
/* The values of the parameters that it uses; false: they are not those of the tree. */
extern bool UsedParams(const Known *known, ParamListInfo all, bool speculative,
					   ParamListInfo *used);
/* While it is examined: which ones its tree has. */
extern void FindParameters(Known *known);
/* For the view of candidates. */
extern Subject SubjectOf(const Known &known);
/* An outcome of it, to be completed. */
extern Outcome OutcomeOf(const Known &known, Reason reason);
/* DISCARD ALL and DISCARD PLANS. */
extern void ForgetAllKnown();

} // namespace cq
