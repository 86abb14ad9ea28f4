/*
 * body.h
 *		What the body of a SQL or PL/pgSQL function tells about the answers it takes part in.
 *
 * Bodies are read by PostgreSQL's own parser, analysed as they would be to be run, rewritten, and
 * walked as the query itself is.  So names mean what they mean here, views and policies are
 * expanded, and what no text shows, such as conversions and defaults, is in the tree.  What can't
 * be analysed isn't understood.
 *
 * Analysis leaves no trace: it is done in a subtransaction that is rolled back, with the settings
 * and as the role that the function would run with.
 */
#pragma once

#include "pg.h"
#include "query/cacheability.h"

extern "C" {
#include "parser/parse_node.h"
}

namespace cq
{

/* Judge a function's body. */
extern void JudgeBody(Findings *findings, const Pending *item);
/*
 * What tells one judgement of a body from another: its environment, and for those that take any
 * type what they are called with, which is returned, too.
 */
extern uint64 BodyVariant(Findings *findings, Oid function, FuncExpr **call);

/* Analyse a statement of a body; no other module's hook is called for it. */
extern Query *AnalyzeInside(Findings *findings, RawStmt *raw, const char *source,
							ParserSetupHook setup, void *setup_arg);
/* Rewrite it and walk the outcome.  True: there are literals that settings decide. */
extern bool WalkInside(Findings *findings, Query *query);

/* A subtransaction around something that may fail. */
struct Trial
{
	MemoryContext context;
	ResourceOwner owner;
	int client_messages;
	int log_messages;
};
extern void BeginTrial(Findings *findings, Trial *trial);
extern void EndTrial(const Trial &trial, ErrorData *error);

/*
 * Do the work in the findings' environment and undo it.  False: it raised an error.  Being
 * cancelled isn't taken for one.
 */
template <typename Work>
bool
Tried(Findings *findings, Work work)
{
	Trial trial;
	ErrorData *volatile error = nullptr;

	BeginTrial(findings, &trial);
	PG_TRY();
	{
		work();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(trial.context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	EndTrial(trial, error);
	return error == nullptr;
}

} // namespace cq
