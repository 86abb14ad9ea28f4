/*
 * compiled.h
 *		Functions of PL/pgSQL as this session has compiled them, with the types that their declarations mean now.
 *
 * PL/pgSQL compiles a function once, until its row of pg_proc changes.  What a declaration such as t.c%TYPE, or
 * the name of a type, means now may be something else.
 *
 * Only what was seen here is known; PL/pgSQL doesn't tell of the rest.  Backend-local.
 */
#pragma once

#include "pg.h"
#include "query/findings.h"

extern "C" {
#include "plpgsql.h"
}

namespace cq
{

/* PL/pgSQL's own functions. */
struct Plpgsql
{
	decltype(&plpgsql_compile) compile;
	decltype(&plpgsql_parser_setup) parser_setup;
};
extern const Plpgsql &LoadPlpgsql();

/*
 * The function for a call with these types, or NULL.  Findings that say kept_old: it may be older than
 * that, since it runs, or has run before we saw it.
 */
extern PLpgSQL_function *Compile(Findings *findings, Oid function, FuncExpr *call);
/* So often was one compiled here, or marked to be compiled at its next use. */
extern uint64 CompiledCount();
/* Notes what its declarations name. */
extern void NoteDeclarations(Findings *findings, const PLpgSQL_function *compiled,
							 const char *source);

/* Compiled functions that were met are compiled again before they run next: for kept.cpp. */
extern void ForgetCompiled();

} // namespace cq
