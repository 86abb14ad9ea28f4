/*
 * procedural_cursors.cpp
 *		Which cursors of a PL/pgSQL function are its own, and what is fetched from them.
 *
 * Part of procedural.h.
 */
#include "pg.h"
#include "query/walk.h"
#include "query/procedural_walk.h"

namespace cq
{
namespace
{

void
RefuseCursor(Body *body)
{
	RefuseBoth(body->f, Reason::session_function,
			   psprintf("a cursor in function %s", body->function.fn_signature));
}

/* Up to PostgreSQL 15 a bound cursor has the variable's name, which the session may use for another one. */
bool
OpensByName(Body *body, int number)
{
	return reinterpret_cast<PLpgSQL_var *>(VariableOf(body, number))->default_val != nullptr;
}

bool
SurelyOpen(Body *body, int number)
{
	return list_member_int(body->open, number);
}

/*
 * Without a name, it is null until this function opens it.  With a name, it may be a cursor of the
 * session unless the function has certainly opened it.
 */
bool
MayBeOfSession(Body *body, int number)
{
	return body->cursors[number].columns == nullptr ||
		   (OpensByName(body, number) && !SurelyOpen(body, number));
}

} // namespace

void
NoteShared(Body *body, const PLpgSQL_datum *datum)
{
	const PLpgSQL_var *variable = reinterpret_cast<const PLpgSQL_var *>(datum);
	const PLpgSQL_row *row = reinterpret_cast<const PLpgSQL_row *>(datum);

	/* a bound cursor's default is its own name, see OpensByName() */
	if (datum->dtype == PLPGSQL_DTYPE_VAR && variable->default_val != nullptr &&
		variable->cursor_explicit_expr == nullptr)
		body->cursors[datum->dno].shared = true;
	/* what a query or OUT parameters are assigned to */
	for (int i = 0; datum->dtype == PLPGSQL_DTYPE_ROW && i < row->nfields; i++)
	{
		if (row->varnos[i] >= 0)
			body->cursors[row->varnos[i]].shared = true;
	}
}

/* What is fetched from it from here on; unknown if it is opened for several queries. */
void
NoteOpened(Body *body, int number, TupleDesc columns)
{
	Cursor *cursor = &body->cursors[number];

	cursor->used = true;
	if (columns == nullptr)
		columns = CreateTemplateTupleDesc(0);
	if (cursor->columns != nullptr && !SameShape(cursor->columns, columns))
	{
		NotUnderstoodInside(body, "a cursor of several queries");
		columns = CreateTemplateTupleDesc(0);
	}
	cursor->columns = columns;
	/* the list of an outer statement stays as it is */
	body->open = lappend_int(list_copy(body->open), number);
}

void
OpenCursor(Body *body, int number, PLpgSQL_expr *arguments, PLpgSQL_expr *query)
{
	PLpgSQL_var *cursor = reinterpret_cast<PLpgSQL_var *>(VariableOf(body, number));
	Outcome outcome;

	if (arguments != nullptr && cursor->cursor_explicit_argrow >= 0)
	{
		outcome = Examine(body, arguments);
		if (outcome.known)
			AssignColumns(body, outcome.columns, VariableOf(body, cursor->cursor_explicit_argrow));
	}
	outcome = Examine(body, query ? query : cursor->cursor_explicit_expr);
	NoteOpened(body, number, outcome.known ? outcome.columns : nullptr);
}

void
FetchInto(Body *body, int number, PLpgSQL_variable *target)
{
	body->cursors[number].used = true;
	if (MayBeOfSession(body, number))
	{
		RefuseCursor(body);
		AssignUnknown(body, target);
	}
	else if (target != nullptr)
		AssignColumns(body, body->cursors[number].columns, VariableOf(body, target->dno));
}

void
CloseCursor(Body *body, int number)
{
	body->cursors[number].used = body->cursors[number].closed = true;
	if (MayBeOfSession(body, number))
		RefuseCursor(body);
	body->open = list_delete_int(list_copy(body->open), number);
}

void
JudgeCursors(Body *body)
{
	for (int i = 0; i < body->function.ndatums; i++)
	{
		const Cursor &cursor = body->cursors[i];

		if (!cursor.used)
			continue;
		if (cursor.shared)
			RefuseCursor(body);
		else if (OpensByName(body, i))
		{
			if (!cursor.closed)
				RefuseCursor(body); /* the session finds one that stays open */
			NoteCursor(body->f, reinterpret_cast<PLpgSQL_var *>(VariableOf(body, i))->refname);
		}
	}
}

} // namespace cq
