/*
 * permit.cpp
 *		Do the session and the transaction permit that a statement uses the cache?
 *
 * Part of statement.h.
 */
#include "pg.h"
#include "auto/decide.h"
#include "auto/nesting.h"
#include "auto/settings.h"
#include "auto/statement.h"
#include "auto/worth.h"
#include "call/call.h"
#include "settings.h"
#include "validity/judge.h"

namespace cq
{
namespace
{

/* Where rows of a portal, of SPI and of a SQL function go; a portal's own receiver comes later. */
bool
IsUsualReceiver(const DestReceiver *receiver)
{
	switch (receiver->mydest)
	{
	case DestNone:
	case DestRemote:
	case DestRemoteExecute:
	case DestRemoteSimple:
	case DestSPI:
	case DestTuplestore:
	case DestSQLFunction:
		return true;
	default:
		return false;
	}
}

} // namespace

bool
IsOurs(const Statement *statement, int eflags)
{
	const QueryDesc *query = statement->query;

	return IsAutomatic() && preloaded && IsOwnLevel() && !IsParallelWorker() &&
		   !(eflags &
			 (EXEC_FLAG_EXPLAIN_ONLY | EXEC_FLAG_REWIND | EXEC_FLAG_BACKWARD | EXEC_FLAG_MARK)) &&
		   query->operation == CMD_SELECT && query->queryEnv == nullptr &&
		   IsUsualReceiver(query->dest) && IsWorth(statement->known->text_hash) &&
		   (statement->known->chosen || !IsHintedOnly()) && ActiveSnapshotSet() &&
		   GetActiveSnapshot() == query->snapshot;
}

Reason
JudgeSession(Statement *statement)
{
	if (!settings::enabled)
		return Reason::disabled;
	if (statement->call.options.mode == Mode::off)
		return Reason::mode_off;
	return JudgeKnown(statement->known, statement->lookup.exact, &statement->detail);
}

Reason
JudgeStatement(Statement *statement)
{
	Lookup *lookup = &statement->lookup;
	Reason reason = JudgeSession(statement);

	if (reason != Reason::none)
		return reason;
	exact::StartWriters();
	lookup->standing = exact::Look(&lookup->view);
	reason = JudgeTransaction(lookup);
	if (reason != Reason::none)
		return reason;
	lookup->now = GetCurrentTimestamp();
	return BuildKey(*statement->known, Shape::rows, lookup->params, &lookup->key);
}

static_assert(kMaxHintTag == kMaxTagLength);

void
PrepareCall(Statement *statement)
{
	Call *call = &statement->call;
	Lookup *lookup = &statement->lookup;
	const Terms terms = TermsOf(*statement->known);

	call->query = statement->known->text;
	call->query_length = statement->known->text_length;
	call->shape = Shape::rows;
	call->again = Again::no;
	call->ttl_us = terms.ttl_us;
	call->options = SessionOptions();
	call->options.consistency = terms.exact ? Consistency::exact : Consistency::ttl;
	call->options.min_fill_time_ms = 0;
	if (statement->known->tag != nullptr)
		call->options.tag = statement->known->tag;
	/* names inside a function are those of its variables, too */
	call->bound_here = !IsTopLevel();
	lookup->call = call;
	lookup->examiner = &statement_examiner;
	lookup->statement = statement;
	lookup->examined = statement->known;
	lookup->context = statement->context;
	lookup->exact = terms.exact;
}

} // namespace cq
