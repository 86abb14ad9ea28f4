/*
 * inside.h
 *		Analysing what is inside a function, without a trace: in a subtransaction that is rolled back, with
 *		the settings and as the role that the function would run with.
 */
#pragma once

#include "pg.h"
#include "query/findings.h"

extern "C" {
#include "parser/parse_node.h"
}

namespace cq
{

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
