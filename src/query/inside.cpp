/*
 * inside.cpp
 *		Analysing what is inside a function, without a trace.
 */
#include "pg.h"
#include "query/inside.h"
#include "query/environment.h"
#include "query/walk.h"

extern "C" {
#include "executor/functions.h"
#include "parser/analyze.h"
#include "rewrite/rewriteHandler.h"
}

namespace cq
{

void
BeginTrial(Findings *f, Trial *trial)
{
	trial->context = CurrentMemoryContext;
	trial->owner = CurrentResourceOwner;
	trial->client_messages = client_min_messages;
	trial->log_messages = compat::LogMessages();
	BeginInternalSubTransaction(nullptr);
	MemoryContextSwitchTo(trial->context);
	/* notices are for the run of the function, not for its examination */
	client_min_messages = Max(client_min_messages, ERROR);
	compat::LogMessages() = Max(compat::LogMessages(), ERROR);
	Enter(f->environment);
}

void
EndTrial(const Trial &trial, ErrorData *error)
{
	const bool shown = pgstat_track_activities;

	/* the rollback would end what pg_stat_progress_copy and the like show of a command around us */
	pgstat_track_activities = false;
	RollbackAndReleaseCurrentSubTransaction();
	pgstat_track_activities = shown;
	MemoryContextSwitchTo(trial.context);
	CurrentResourceOwner = trial.owner;
	client_min_messages = trial.client_messages;
	compat::LogMessages() = trial.log_messages;
	if (error != nullptr && ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION)
		ReThrowError(error);
}

Query *
AnalyzeInside(Findings *f, RawStmt *raw, const char *source, ParserSetupHook setup, void *setup_arg)
{
	ParseState *pstate = make_parsestate(nullptr);
	const bool time_words = HasTimeWord(raw->stmt);
	Query *query;

	CHECK_FOR_INTERRUPTS();
	MemoryContext caller = MemoryContextSwitchTo(f->context);

	if (f->names_inside != nullptr)
		CollectNames(raw->stmt, f->names_inside);
	CollectLateNames(f, raw->stmt);
	MemoryContextSwitchTo(caller);
	pstate->p_sourcetext = source;
	setup(pstate, setup_arg);
	query = transformTopLevelStmt(pstate, raw);
	free_parsestate(pstate);
	if (time_words)
		f->words_inside = true;
	return query;
}

bool
WalkInside(Findings *f, Query *query)
{
	List *queries;
	ListCell *cell;

	if (query->commandType == CMD_UTILITY)
		return false; /* it writes when it runs */
	/* a body that is kept as a tree has no locks yet */
	AcquireRewriteLocks(query, true, false);
	queries = QueryRewrite(query);

	const bool literals = f->literals;
	const bool checked = f->checked_literal;
	const bool daily = f->daily;

	f->literals = f->checked_literal = f->daily = false;
	f->last_literal = InvalidOid;
	/*
	 * believed code returns the same whatever names in it mean, until a definition that it names
	 * changes
	 */
	if (!f->believed && !DigestTrees(queries, {f->words_inside, nullptr}, false, &f->inside_digest))
		f->unidentified = true;
	foreach (cell, queries)
		WalkTree(f, static_cast<Node *>(lfirst(cell)));

	const bool of_moment = f->literals && (f->words_inside || f->daily);

	if (of_moment)
		NoteClock(f, "a literal such as 'today' or 'now' in a function");
	f->fleeting = f->fleeting || f->checked_literal || of_moment;

	const bool found = f->literals || f->checked_literal;

	f->literals = literals;
	f->checked_literal = checked;
	f->daily = daily;
	f->last_literal = InvalidOid;
	return found;
}

} // namespace cq
