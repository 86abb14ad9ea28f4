/*
 * statement.h
 *		One execution of a statement that may be answered from the cache.
 *
 * It begins in ExecutorStart, where snapshot and parameters are known and PostgreSQL has not initialised the
 * plan yet.  So a hit initialises no plan, and a statement that we cannot cache runs without our node.  It
 * ends in ExecutorEnd, or with its memory after an error.
 */
#pragma once

#include "pg.h"
#include "call/answer.h"
#include "call/singleflight.h"
#include "auto/known.h"
#include "auto/plan.h"
#include "validity/advise.h"
#include "validity/lookup.h"
#include "scan/wire.h"

namespace cq
{

/* What our node, if it is there, does. */
enum class Conduct : uint8
{
	pass, /* hand on what the plan brings */
	hit,  /* hand out stored rows */
	keep  /* hand on what the plan brings, and keep it */
};

struct Statement
{
	Statement *outer; /* in the list of those that run */
	QueryDesc *query;
	PlannedStmt *planned; /* as the executor's caller gave it */
	MemoryContext context;
	Known *known;
	const PlanNote *note;
	Call call;
	Lookup lookup;
	Answer answer; /* a hit's */
	Conduct conduct;
	Reason reason;
	char *detail;
	bool counts;       /* it has an outcome */
	bool key_kept;     /* lookup.key is a copy that lives as long as this */
	bool promising;    /* its rows seem to be worth keeping: they will be asked for again */
	bool leaves_ghost; /* when it ends */
	bool kept;         /* its rows were published */
	bool voided;       /* what its last run read has changed since */
	exact::SlotNo voided_slot;
	Oid voided_by;    /* the relation whose rows have; if it can be told */
	AdvisedKeys keys; /* by which cached_query_track() would help against that */
	int64 saved_us;   /* what a hit would not have taken */
	int64 run_us;     /* of the executor, for the ghost */
	uint64 run;       /* how often ExecutorRun was called */
	int64 plan_us;    /* of the planner, if it plans for each execution */
	TimestampTz as_of;
	int32 lag_ms;
	exact::FillMark mark; /* of a fill */
};

/* Decide; *query gets the plan that is to be started.  nullptr: nothing of ours is in it. */
extern Statement *BeginStatement(QueryDesc *query, int eflags);
/* The one whose plan is being started, for the node. */
extern Statement *StartingStatement();
extern void SetStarting(Statement *statement);
/* The statement that runs this query, or nullptr. */
extern Statement *StatementOf(const QueryDesc *query);
/* Would it have the same key if it began now? */
extern bool HasSameKey(const Statement *statement);
/* It has run without an error, and its snapshot is still there. */
extern void FinishStatement(Statement *statement);
/* The executor has ended it. */
extern void EndStatement(Statement *statement);

/* What is found out about keeping: the known statement holds, and what a run showed. */
extern const Examiner statement_examiner;
/* An entry was published: is it a hit now? */
extern void LookUpAgain(Statement *statement);
/* Test mode, in keep.cpp: run the plan into an entry, publish it and look it up. */
extern void FillFirst(Statement *statement);
/* From InitAuto(): what ends at the end of a transaction, whatever happened. */
extern void InitStatementEnd();

} // namespace cq
