/*
 * fill.cpp
 *		A call runs its query, and keeps the rows or not.
 *
 * Part of miss.h.
 */
#include "pg.h"
#include "call/answer.h"
#include "call/fill_times.h"
#include "call/miss.h"
#include "call/publish.h"
#include "call/rows.h"
#include "call/sizes.h"
#include "stats/stats.h"
#include "validity/age.h"
#include "validity/judge.h"
#include "validity/watch.h"

extern "C" {
#include "portability/instr_time.h"
}

namespace cq
{
namespace
{

int64
ElapsedUs(const instr_time &start)
{
	instr_time now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, start);
	return static_cast<int64>(INSTR_TIME_GET_MICROSEC(now));
}

void
TakeRows(Answer *answer, Rows *rows)
{
	answer->pin = rows->fill;
	answer->next = rows->next;
	answer->stream = rows->stream;
	answer->rest = rows->rest;
	answer->rows = rows->total;
}

/* The rows can't be kept: nobody need wait for the rest of them. */
void
GaveUp(void *lookup)
{
	EndLead(static_cast<Lookup *>(lookup), JoinResult::unstorable);
}

} // namespace

Reason
FillForCall(Lookup *lookup, Answer *answer, Reason miss)
{
	Watch watch;
	Rows rows;
	exact::FillMark mark;
	instr_time start;
	int32 lag_ms;
	TimestampTz as_of = TimeOf(lookup->view, &lag_ms);
	volatile int64 fill_us = 0;
	const SizeNote known = RecallSize(lookup->key.hash);
	const bool too_large = known.too_large && known.bytes > MaxEntryBytes();
	Pin *fill =
		too_large ? nullptr : BeginFill(lookup->key.hash, lookup->key.bytes, lookup->key.length);
	bool published = false;
	Reason reason;

	lookup->key_slot =
		exact::NamedSlot(exact::Named::key, MyDatabaseId, &lookup->key.hash, sizeof(uint64));
	/* while they mean what they did when the call was made */
	lookup->args_text = lookup->params ? TextOfParams(lookup->params) : "";
	exact::MarkFill(&mark);
	BeginRows(&rows, lookup->call->shape, answer->desc, fill, MaxEntryBytes(), lookup->context);
	rows.gave_up = GaveUp;
	rows.gave_up_arg = lookup;
	if (too_large)
		ExpectTooLarge(&rows);
	else if (fill != nullptr && !known.too_large)
		ExpectSize(fill, known.bytes);
	BeginWatch(&watch, lookup->context, lookup->examined->findings);
	Count(Counter::fills);
	INSTR_TIME_SET_CURRENT(start);
	PG_TRY();
	{
		RunQuery(lookup->handle, lookup->params, &rows, &watch);
		fill_us = ElapsedUs(start);
		if (rows.stream == nullptr)
			NoteFillTime(*lookup->handle, fill_us);
	}
	PG_CATCH();
	{
		Distrust(lookup->handle);
		DropWatch(&watch);
		PG_RE_THROW();
	}
	PG_END_TRY();
	EndWatch(&watch);

	reason = Publish(lookup, &rows, {&watch, &mark, fill_us, as_of, lag_ms}, miss, &published);
	EndLead(lookup, published ? JoinResult::stored : JoinResult::unstorable);
	if (rows.fill != nullptr && !published)
		SealFill(rows.fill, rows.kept);
	TakeRows(answer, &rows);
	return reason;
}

void
RunOnly(Lookup *lookup, Answer *answer, Reason reason)
{
	Rows rows;

	if (reason == Reason::volatile_function)
		NoticeVolatile(answer->detail);
	BeginRows(&rows, lookup->call->shape, answer->desc, nullptr, 0, lookup->context);
	RunQuery(lookup->handle, lookup->params, &rows, nullptr);
	TakeRows(answer, &rows);
}

} // namespace cq
