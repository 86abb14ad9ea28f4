/*
 * walk.h
 *		Inside of cacheability.h: the pieces of the walk that call each other.
 */
#pragma once

#include "pg.h"
#include "query/cacheability.h"

namespace cq
{

/* --- cacheability.cpp */

/* The findings outlive what is current while a body is judged. */
extern char *Keep(const Findings *f, const char *text);
/* Names (char *), each once, in the current context. */
extern void AddNames(List **known, const List *names);

/* --- raw_tree.cpp */

extern void AddHash(NameHashes *names, int cache, uint32 hash);
/* As NoteLateName(). */
extern void NoteLateSlot(Findings *f, exact::SlotNo slot);

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

/* --- types.cpp */

/* A type that isn't built in is named by the text, may be temporary, and may be altered. */
extern void JudgeType(Findings *f, Oid type);
/* What sorts, groups or compares by this operator calls. */
extern void JudgeOperator(Findings *f, Oid op);
/* What a type is made of. */
extern void JudgeParts(Findings *f, Oid type);
/* The CHECK constraints of a domain may call anything. */
extern void JudgeDomain(Findings *f, Oid type);
/*
 * Those of the domains it is made of, too; as they were written, for what the session keeps of them
 * has functions inlined that may be others by now.
 */
extern void JudgeChecks(Findings *f, Oid type);
/* Defaults of the arguments that a call doesn't give. */
extern void JudgeDefaults(Findings *f, const Pending *item);
/*
 * A value that is read from text while the query runs, by an input function that no node names:
 * the text may say 'today', and mean one day or another with the settings.
 */
extern void JudgeInput(Findings *f, Oid type);
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
/* Something in the query makes text of values: the output functions of the types it has met. */
extern void JudgeOutputs(Findings *f);

/* --- walk.cpp */

extern bool Walk(Node *node, void *arg);

} // namespace cq
