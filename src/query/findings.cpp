/*
 * findings.cpp
 *		What was found out of a query or a body.
 *
 * A first finding wins: reasons are not ranked, but a reason against ttl is one against exact, too.
 */
#include "pg.h"
#include "query/findings.h"

namespace cq
{

char *
Keep(const Findings *f, const char *text)
{
	if (text == nullptr)
		return nullptr;
	return MemoryContextStrdup(f->context ? f->context : CurrentMemoryContext, text);
}

void
RefuseBoth(Findings *f, Reason reason, const char *detail)
{
	if (f->ttl == Reason::none)
	{
		f->ttl = reason;
		f->ttl_detail = Keep(f, detail);
	}
	RefuseExact(f, reason, detail);
}

void
NoteClock(Findings *f, const char *detail)
{
	f->clock = true;
	RefuseExact(f, Reason::time_function, detail);
}

void
RefuseExact(Findings *f, Reason reason, const char *detail)
{
	if (f->exact == Reason::none)
	{
		f->exact = reason;
		f->exact_detail = Keep(f, detail);
	}
}

void
JudgeOpaque(Findings *f, Reason reason, const char *detail)
{
	f->opaque = f->foreign = true;
	f->everything = f->role = f->session_role = f->regional = f->customized = f->search_path = true;
	f->clock = true;
	RefuseExact(f, reason, detail);
}

/* Who can say what it reads? */
void
NotUnderstood(Findings *f, const char *detail)
{
	f->everything = true;
	f->role = f->session_role = f->regional = f->customized = f->search_path = f->names = f->late =
		true;
	RefuseExact(f, Reason::untrusted_function, detail);
}

bool
HasName(const List *names, const char *name)
{
	ListCell *cell;

	foreach (cell, names)
	{
		if (strcmp(static_cast<char *>(lfirst(cell)), name) == 0)
			return true;
	}
	return false;
}

namespace
{

bool
HasAllNames(List *known, List *names)
{
	ListCell *cell;

	foreach (cell, names)
	{
		if (!HasName(known, static_cast<char *>(lfirst(cell))))
			return false;
	}
	return true;
}

} // namespace

bool
Lacks(const Findings &known, const Findings &seen)
{
	return (seen.everything && !known.everything) || (seen.role && !known.role) ||
		   (seen.session_role && !known.session_role) || (seen.regional && !known.regional) ||
		   (seen.customized && !known.customized && !known.everything) ||
		   (seen.search_path && !known.search_path) || (seen.names && !known.names) ||
		   (seen.temp_schema && !known.temp_schema) ||
		   (!known.everything && !HasAllNames(known.settings, seen.settings)) ||
		   !HasAllNames(known.cursors, seen.cursors);
}

void
AddNames(List **known, const List *names)
{
	ListCell *cell;

	foreach (cell, names)
	{
		if (!HasName(*known, static_cast<char *>(lfirst(cell))))
			*known = lappend(*known, pstrdup(static_cast<char *>(lfirst(cell))));
	}
}

void
Widen(Findings *known, const Findings &seen)
{
	known->everything = known->everything || seen.everything;
	known->role = known->role || seen.role;
	known->session_role = known->session_role || seen.session_role;
	known->regional = known->regional || seen.regional;
	known->customized = known->customized || seen.customized;
	known->search_path = known->search_path || seen.search_path;
	known->names = known->names || seen.names;
	known->temp_schema = known->temp_schema || seen.temp_schema;
	AddNames(&known->settings, seen.settings);
	AddNames(&known->cursors, seen.cursors);
	if (seen.ttl != Reason::none)
		RefuseBoth(known, seen.ttl, seen.ttl_detail);
	if (seen.exact != Reason::none)
		RefuseExact(known, seen.exact, seen.exact_detail);
}

} // namespace cq
