/*
 * walk.h
 *		The walk over query trees, plans and types: what is met, and what speaks against caching.
 */
#pragma once

#include "pg.h"
#include "query/findings.h"

namespace cq
{

/* --- for bodies, plans and fills */

/* A function that the walked tree calls. */
extern void JudgeCalled(Findings *findings, Oid function);
/* An analysed query, or any expression of one. */
extern void WalkTree(Findings *findings, Node *tree);
/* A setting that is read. */
extern void NoteSetting(Findings *findings, const char *name);
/* A function opens a cursor of this name. */
extern void NoteCursor(Findings *findings, const char *name);
/* A value converted to another type by assignment, as PL/pgSQL does it. */
extern void JudgeAssignment(Findings *findings, Oid source, int32 source_typmod, Oid target,
							int32 target_typmod);

/* Our own plan node: it doesn't count as one of another module. */
constexpr const char *kScanName = "Cached Query";
constexpr const char *kStatementName = "Cached Statement"; /* auto/: a whole statement */
/*
 * What speaks against keeping the plan's rows: scans of other modules; and what its expressions
 * call, where no tree was walked.
 */
extern void JudgePlan(Findings *findings, PlannedStmt *plan, bool expressions);

/* Adds a relation and what speaks against it; also for relations met while a fill runs. */
extern void JudgeRelation(Findings *findings, Oid relation);

/* A type that a variable of a body has. */
extern void NoteType(Findings *findings, Oid type);
/* A relation that a declaration names for the types of its columns. */
extern void NoteDescribed(Findings *findings, Oid relation);
/* A name that a body's text has, without a schema: the session looked it up when it compiled it. */
extern void NoteNameInside(Findings *findings, compat::CacheId cache, const char *name);
/* A name that a body looks up when it runs; all of a statement in a body. */
extern void NoteLateName(Findings *findings, exact::NameKind kind, const char *name);
extern void CollectLateNames(Findings *findings, Node *raw);

/* --- raw_tree.cpp: the raw parse tree of a text */

extern void AddHash(NameHashes *names, int cache, uint32 hash);
/* As NoteLateName(). */
extern void NoteLateSlot(Findings *f, exact::SlotNo slot);
/* The raw parse tree: does a string constant hold a word like 'today'? */
extern bool HasTimeWord(Node *raw);
extern bool IsTimeWord(const char *constant);

extern void CollectNames(Node *raw, NameHashes *names);

/* --- called.cpp */

/* Not refused for ttl: cached_query.nondeterministic decides. */
extern void NoteVolatile(Findings *f, const char *detail);
/* To be judged by FollowUp(): a walk doesn't go into bodies and types, or it could go too deep. */
extern void Defer(Findings *f, Thing thing, Oid oid, uint64 variant = 0, bool nested = true,
				  FuncExpr *call = nullptr, bool believed = false);
/* check_functions_in_node callback; never ends the walk. */
extern bool JudgeFunction(Oid function, void *arg);

/* --- literals.cpp */

extern void JudgeLiteral(Findings *f, Oid type);
/* A built-in type: are there names in its text?  A catalog's row nearly always has such a column. */
extern void JudgeText(Findings *f, Oid type);
/* Is a value of it checked by the constraints of a domain in it when it is read from text? */
extern bool ReadsThroughChecks(Oid type);
/* Built-in functions that fill a row, or what a column list says, from the text in a document. */
extern bool ReadsText(Oid function);

/* --- comparison.cpp */

/* Built-in ones are on lists, and only count where a node names them. */
extern void JudgeIfUsers(Findings *f, Oid function);
/* What sorts, groups or compares by this operator calls. */
extern void JudgeOperator(Findings *f, Oid op);
/* How values of it are compared and hashed where no node names that. */
extern void JudgeComparison(Findings *f, Oid type);
/*
 * Nearly all built-in types have default operator classes of PostgreSQL's own, and there can be no second one.
 * Those of other categories (point, json, xml..) may get one.
 */
extern bool MayGetComparison(Oid type);
/* The operator classes of an index, and of a partition key. */
extern void JudgeIndex(Findings *f, Oid index);
extern void JudgePartitioning(Findings *f, Oid relation);

/* --- types.cpp */

/* A type that isn't built in is named by the text, may be temporary, and may be altered. */
extern void JudgeType(Findings *f, Oid type);
/* What a type is made of. */
extern void JudgeParts(Findings *f, Oid type);
/* The CHECK constraints of a domain may call anything. */
extern void JudgeDomain(Findings *f, Oid type);
/*
 * Constraints of the domains below it, too.  They are read as they were written: the ones that the
 * session keeps have functions inlined that may have changed.
 */
extern void JudgeChecks(Findings *f, Oid type);
/* Defaults of the arguments that a call doesn't give. */
extern void JudgeDefaults(Findings *f, const Pending *item);
/*
 * A value that is read from text while the query runs, by an input function that no node names.  The
 * text may be 'today', and it may mean another day under other settings.
 */
extern void JudgeInput(Findings *f, Oid type);
/* An aggregate's initial value, which each run reads from text. */
extern void JudgeInitial(Findings *f, Oid type, const char *text);
/* What reading it calls. */
extern void JudgeReading(Findings *f, Oid type);
extern void JudgeInputs(Findings *f, List *types);
/* A value that is written as text while the query runs, by an output function no node names. */
extern void JudgeOutput(Findings *f, Oid type);
/* What writing it calls. */
extern void JudgeWriting(Findings *f, Oid type);
/* What it is made of, each once. */
extern List *PartsOf(Oid type, List *parts);
/* Anonymous records mean nothing outside the session that made them. */
extern void JudgeColumns(Findings *f, TupleDesc desc);

/* --- walk.cpp */

extern bool Walk(Node *node, void *arg);

/*
 * Do what walks into code that is believed to read nothing and to return the same for ever: IMMUTABLE
 * or trusted code.  That is true as long as its parts stay the same: the functions that it calls, its
 * types, and what its names mean.  So these are noted, and nothing else that is met.
 */
template <typename Work>
void
Believing(Findings *f, Work work)
{
	/* believed code inside of other believed code is noted there */
	if (f->believed)
	{
		work();
		return;
	}

	const Findings before = *f;
	Findings after;

	f->believed = true;
	f->last_literal = InvalidOid;
	f->seen = before.seen_believed;
	f->types = before.types_believed;
	work();
	after = *f;
	*f = before;
	f->seen_believed = after.seen;
	f->types_believed = after.types;
	f->functions = after.functions;
	f->rowtypes = after.rowtypes;
	f->names_late = after.names_late;
	f->late = after.late;
	f->text_search = after.text_search;
	f->fleeting = after.fleeting;
	f->kept_old = after.kept_old;
	f->environments = after.environments;
	f->pending = after.pending;
}

} // namespace cq
