/*
 * known.h
 *		What this session knows of a statement of the client's own: its tree, and what was found out about it.
 *
 * A statement is recognised by its rewritten tree, in which names, types, operators, views, policies and
 * literals are resolved: PostgreSQL has analysed it, each time, so all that a text leaves open is settled.
 * In the session the hash of the text finds candidates and equal() confirms one; between sessions the
 * digest of the tree is the identity (query/tree.h), in the key.
 *
 * Nothing of a plan is in it: what the plan reads besides what the tree names (partitions, children) is seen
 * when the rows are kept.  So a hit needs no plan.
 *
 * Backend-local.  A list of least recent use bounds the memory: cached_query.handle_memory.
 */
#pragma once

#include "pg.h"
#include "auto/candidates.h"
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
	bool forgotten; /* unlinked while held: the last release frees it */

	Query *tree;
	const char *tag;  /* of its hint; or nullptr */
	const char *text; /* for the views: of the first one of this tree */
	int text_length;

	/* under what it was examined */
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
/* Examine it; the text is that of the statement alone.  nullptr: it could not be done. */
extern Known *MakeKnown(const StatementText &statement, const Query *tree);
/* Are role, settings and definitions still those under which it was examined? */
extern bool StillKnown(Known *known);
/* A run showed what the key lacks, as only plans name indexes: the next key has it. */
extern void LearnOfKnown(Known *known, const Findings &seen);
/* It is in use until the memory context is reset: plans have pointers to it. */
extern void HoldKnown(Known *known, MemoryContext context);
/* May its answers be kept and served here and now?  Reason::none, or why not. */
extern Reason JudgeKnown(const Known *known, bool exact, char **detail);
/* The values of the parameters that it uses; false: they are not those of the tree. */
extern bool UsedParams(const Known *known, ParamListInfo all, bool speculative,
					   ParamListInfo *used);
/* For the view of candidates. */
extern Subject SubjectOf(const Known &known);
/* DISCARD ALL and DISCARD PLANS. */
extern void ForgetAllKnown();

} // namespace cq
