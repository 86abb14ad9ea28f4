/*
 * procedural_walk.h
 *		What the walk over statements and that over expressions share.
 *
 * Part of procedural.h.
 */
#pragma once

#include "pg.h"
#include "query/compiled.h"

namespace cq
{

/*
 * A variable that is used as a cursor.  Cursors are the session's and are found by their names, so it is the
 * function's own only if nobody else can have given it its name or can learn it.
 */
struct Cursor
{
	TupleDesc columns; /* what is fetched from it, once a statement has opened it */
	bool used;
	bool closed; /* by a statement of the function */
	bool shared; /* it has a name from elsewhere, or is used as a value */
};

/* The function while it is walked. */
struct Body
{
	Findings *f;
	PLpgSQL_function function;
	PLpgSQL_execstate state; /* what names are resolved with */
	bool *several;           /* by number of the variable: a record that takes several shapes */
	Cursor *cursors;         /* by number of the variable */
	List *open;              /* numbers of those that are open whenever this statement is reached */
	int depth;
};

/* What an expression or query gives. */
struct Outcome
{
	bool known;
	TupleDesc columns; /* of a query */
	Node *value;       /* of an expression */
	Oid type;
	int32 typmod;
};

/* --- procedural_values.cpp */

extern PLpgSQL_datum *CopyDatum(PLpgSQL_datum *datum);
/* Values of it are made and checked, even if no expression has it. */
extern void NoteTypeOf(Findings *f, const PLpgSQL_datum *datum);
extern void NotUnderstoodInside(Body *body, const char *what);
extern Outcome Examine(Body *body, const PLpgSQL_expr *expr);
extern void ExamineList(Body *body, List *exprs);
extern void Convert(Body *body, Oid source, int32 source_typmod, Oid target, int32 target_typmod);
/* The outcome of an expression as a value of this type, as for a condition or a bound. */
extern void ConvertTo(Body *body, const Outcome &outcome, Oid type);
extern PLpgSQL_datum *VariableOf(Body *body, int number);
/* The type that a variable, record or field has; false: it has none, or not yet. */
extern bool TypeOf(Body *body, PLpgSQL_datum *datum, Oid *type, int32 *typmod);
/* One column after the other; dropped ones are left out. */
extern void AssignColumns(Body *body, TupleDesc columns, PLpgSQL_datum *target);
extern void AssignValue(Body *body, Oid type, int32 typmod, Node *value, PLpgSQL_datum *target);
extern void AssignOutcome(Body *body, const Outcome &outcome, PLpgSQL_datum *target);
extern void AssignRows(Body *body, const Outcome &outcome, PLpgSQL_variable *target);
/* Rows of a query that is put together at run time. */
extern void AssignUnknown(Body *body, PLpgSQL_variable *target);

extern bool SameShape(TupleDesc a, TupleDesc b);

/* --- procedural_cursors.cpp */

/* Does this variable, if it is a cursor, take its value from elsewhere? */
extern void NoteShared(Body *body, const PLpgSQL_datum *datum);
/* It is opened for this query; null: nobody knows what it gives. */
extern void NoteOpened(Body *body, int number, TupleDesc columns);
/* It is opened by its declaration or for the query. */
extern void OpenCursor(Body *body, int number, PLpgSQL_expr *arguments, PLpgSQL_expr *query);
extern void FetchInto(Body *body, int number, PLpgSQL_variable *target);
extern void CloseCursor(Body *body, int number);
/*
 * When all statements are known: which variables were used as cursors, and are these the function's
 * own?
 */
extern void JudgeCursors(Body *body);

} // namespace cq
