/*
 * keep.cpp
 *		Rows go to the client and into an entry at the same time.
 */
#include "pg.h"
#include "validity/lookup.h"
#include "call/rows.h"
#include "call/miss.h"
#include "validity/watch.h"
#include "call/publish.h"
#include "auto/keep.h"
#include "call/sizes.h"
#include "settings.h"
#include "stats/stats.h"

namespace cq
{
namespace
{

/*
 * Reading the clock takes as long as keeping a short row.  So each of the first rows is measured, then only
 * every 64th, which counts as 64.
 */
constexpr uint64 kTimedRows = 16;
constexpr uint64 kTimedEvery = 64;

int
RowsTimed(const Keeping *keeping)
{
	return keeping->rows.total < kTimedRows ? 1 : static_cast<int>(kTimedEvery);
}

} // namespace

bool
BeginKeeping(Keeping *keeping, Statement *statement, TupleDesc desc, MemoryContext context)
{
	Lookup *lookup = &statement->lookup;
	const SizeNote known = RecallSize(lookup->key.hash);
	Pin *fill;

	memset(static_cast<void *>(keeping), 0, sizeof(*keeping));
	keeping->statement = statement;
	if (known.too_large && known.bytes > MaxEntryBytes())
	{
		statement->reason = Reason::too_large;
		return false;
	}
	fill = BeginFill(lookup->key.hash, lookup->key.bytes, lookup->key.length);
	if (fill == nullptr)
	{
		statement->reason = Reason::no_memory;
		return false;
	}
	lookup->key_slot =
		exact::NamedSlot(exact::Named::key, MyDatabaseId, &lookup->key.hash, sizeof(uint64));
	lookup->args_text = lookup->params != nullptr ? TextOfParams(lookup->params) : "";
	BeginRows(&keeping->rows, Shape::rows, desc, fill, MaxEntryBytes(), context);
	keeping->rows.drop = true;
	ExpectSize(fill, known.bytes);
	BeginWatch(&keeping->watch, context, lookup->examined->findings);
	WatchOwnPlan(&keeping->watch, statement->query->plannedstmt);
	Count(Counter::fills);
	keeping->active = true;
	return true;
}

/*
 * A portal that was started may be executed after other commands, for some rows, and for more of them after others: these may
 * have changed settings or the role, on which the rows depend.  A module that calls the executor beside our hook hides from
 * us when it does that.
 */
bool
MayGoOn(Keeping *keeping)
{
	Statement *statement = keeping->statement;
	const bool same_run = keeping->run == statement->run && keeping->run != 0;

	if (!same_run && (statement->run == 0 || !HasSameKey(statement)))
	{
		statement->reason = Reason::changed_during_fill;
		StopKeeping(keeping);
		return false;
	}
	keeping->run = statement->run;
	return true;
}

void
BeforeRow(Keeping *keeping)
{
	keeping->timed = keeping->rows.total < kTimedRows || keeping->rows.total % kTimedEvery == 0;
	if (keeping->timed)
		INSTR_TIME_SET_CURRENT(keeping->start);
	ResumeWatch(&keeping->watch);
}

void
AfterRow(Keeping *keeping)
{
	instr_time now;

	SuspendWatch(&keeping->watch);
	if (!keeping->timed)
		return;
	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, keeping->start);
	keeping->run_s += INSTR_TIME_GET_DOUBLE(now) * RowsTimed(keeping);
}

void
KeepRow(Keeping *keeping, TupleTableSlot *slot)
{
	Rows *rows = &keeping->rows;

	rows->receiver.receiveSlot(slot, &rows->receiver);
	/* if only room is lacking, the size is still measured, so that the next fill knows what to ask for */
	if (rows->too_large || rows->no_memory)
	{
		keeping->statement->reason = rows->too_large ? Reason::too_large : Reason::no_memory;
		if (rows->too_large)
			NoteSize(keeping->statement->lookup.key.hash, rows->bytes, true);
		StopKeeping(keeping);
	}
}

void
FinishKeeping(Keeping *keeping, PlanState *plan)
{
	Statement *statement = keeping->statement;
	Rows *rows = &keeping->rows;
	const int64 fill_us = static_cast<int64>(keeping->run_s * 1e6);
	bool published = false;

	ResumeWatch(&keeping->watch);
	if (plan != nullptr)
		WatchOwnScans(&keeping->watch, plan);
	EndWatch(&keeping->watch);
	if (rows->spilled)
	{
		NoteSize(statement->lookup.key.hash, rows->bytes, false);
		statement->reason = Reason::no_memory;
	}
	else
		statement->reason = Publish(
			&statement->lookup, rows,
			{&keeping->watch, &statement->mark, fill_us, statement->as_of, statement->lag_ms},
			statement->reason, &published);
	statement->kept = published;
	if (published)
		EndLead(&statement->lookup, JoinResult::stored);
	StopKeeping(keeping);
}

void
StopKeeping(Keeping *keeping)
{
	if (!keeping->active)
		return;
	keeping->active = false;
	EndLead(&keeping->statement->lookup, JoinResult::unstorable);
	if (keeping->rows.fill != nullptr)
		Unpin(keeping->rows.fill);
	keeping->rows.fill = nullptr;
}

#ifdef CQ_DEBUG

namespace
{

void
RunToEnd(QueryDesc *query, Watch *watch)
{
	ExpectOwnPlan(watch, query);
	ExecutorStart(query, 0);
	compat::RunExecutor(query, ForwardScanDirection, 0, true);
	WatchOwnScans(watch, query->planstate);
	ExecutorFinish(query);
	ExecutorEnd(query);
}

} // namespace

void
FillFirst(Statement *statement)
{
	const QueryDesc *query = statement->query;
	PlannedStmt *head = New<PlannedStmt>();
	TupleDesc desc = CreateTupleDescCopy(statement->known->desc);
	Keeping keeping;
	QueryDesc *inner;

	*head = *query->plannedstmt;
	head->planTree = outerPlan(head->planTree);
	statement->conduct = Conduct::pass;
	if (!BeginKeeping(&keeping, statement, desc, statement->context))
		return;
	inner = CreateQueryDesc(head, query->sourceText, query->snapshot, InvalidSnapshot,
							&keeping.rows.receiver, query->params, query->queryEnv, 0);
	PG_TRY();
	{
		RunToEnd(inner, &keeping.watch);
	}
	PG_CATCH();
	{
		DropWatch(&keeping.watch);
		PG_RE_THROW();
	}
	PG_END_TRY();
	FreeQueryDesc(inner);
	SuspendWatch(&keeping.watch);
	FinishKeeping(&keeping, nullptr);
	if (statement->kept)
		LookUpAgain(statement);
}

#endif

} // namespace cq
