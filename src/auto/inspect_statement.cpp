/*
 * inspect_statement.cpp
 *		What cached_query.auto would do with a statement of the client's own, without running it.
 */
#include "pg.h"
#include "auto/decide.h"
#include "auto/ghost.h"
#include "auto/inspect_statement.h"
#include "auto/rules.h"
#include "auto/settings.h"
#include "auto/worth.h"
#include "query/handle.h"
#include "remote/lookup.h"
#include "remote/server.h"
#include "scan/scan.h"
#include "settings.h"
#include "validity/judge.h"
#include "validity/staleness.h"

extern "C" {
#include "parser/parse_param.h"
#include "parser/parser.h"
}

namespace cq
{
namespace
{

/* --- the statement -------------------------------------------------------------------------- */

/*
 * As PostgreSQL analyses a client's text, up to the planner.  Other modules' hooks are not called: they would take it
 * for a statement that runs.
 */
Query *
AnalyzeAsSent(const char *text, const Oid *types, int count)
{
	ParseState *state = make_parsestate(nullptr);
	RawStmt *raw = linitial_node(RawStmt, raw_parser(text, RAW_PARSE_DEFAULT));
	Query *query;

	state->p_sourcetext = text;
	setup_parse_fixed_parameters(state, types, count);
	query = transformTopLevelStmt(state, raw);
	free_parsestate(state);
	compat::IdentifyQuery(query, text);
	query = linitial_node(Query, pg_rewrite_query(query));
	KeepArgumentTypes(query);
	return query;
}

/* What a rule is for, and says. */
char *
TextOfRule(const Rule &rule)
{
	StringInfoData text;

	if (pg_class_aclcheck(RulesTable(), GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		return nullptr;
	initStringInfo(&text);
	if (rule.has_query)
		appendStringInfoString(&text, "query, ");
	if (rule.queryid != 0)
		appendStringInfo(&text, "queryid " INT64_FORMAT ", ", static_cast<int64>(rule.queryid));
	if (rule.relation != nullptr)
		appendStringInfo(&text, "relation %s, ",
						 quote_qualified_identifier(rule.schema, rule.relation));
	if (rule.role != nullptr)
		appendStringInfo(&text, "role %s, ", quote_identifier(rule.role));
	if (text.len > 0)
		text.data[text.len -= 2] = '\0';
	else
		appendStringInfoString(&text, "all statements");
	appendStringInfo(&text, ": %s", rule.off ? "off" : rule.ttl_us > 0 ? "ttl" : "exact");
	return text.data;
}

/* --- what settings, hints and rules say ----------------------------------------------------- */

const char *
WhyNotChosen(const StatementText &statement, const Choice &choice)
{
	if (choice.reason == Reason::hint_invalid)
		return psprintf("hint \"%.*s\"", statement.hint.length, statement.hint.text);
	if (choice.reason == Reason::rule_off)
		return nullptr;
	if (choice.by == ChosenBy::hint)
		return "a hint says off";
	return "cached_query.auto is hinted, and neither a hint nor a rule is for the statement";
}

/* Why it is left alone before anything is asked of it; nullptr: it isn't. */
const char *
WhyNotLookedAt(const Query *query, const StatementText &statement)
{
	if (!IsAutomatic())
		return "cached_query.auto is off";
	if (query->rtable == NIL)
		return "it reads no table, view or function in FROM";
	if (query->targetList == NIL)
		return "it returns no columns";
	if (statement.length > kMaxStatementText)
		return psprintf("its text is longer than %d bytes", kMaxStatementText);
	return nullptr;
}

/* The examination, if it is left to us. */
Known *
ChooseAndExamine(StatementInspection *inspection, const Query *query, const StatementText &text)
{
	Choice *choice = &inspection->choice;
	Known *known;

	inspection->detail = WhyNotLookedAt(query, text);
	if (inspection->detail != nullptr)
		return nullptr;
	*choice = ChooseByHint(text);
	if (choice->candidate && !RulesReady())
	{
		inspection->counted = true;
		inspection->reason = Reason::rules_unread;
		inspection->detail = WhyNoRules();
		return nullptr;
	}
	if (choice->candidate)
		*choice = ChooseByRules(text, query);
	if (choice->rule != nullptr)
		inspection->rule = TextOfRule(*choice->rule);
	if (!choice->candidate)
	{
		inspection->counted = choice->reason != Reason::none;
		inspection->reason = choice->reason;
		inspection->detail = WhyNotChosen(text, *choice);
		return nullptr;
	}
	/* runs may have shown the session what the key needs */
	known = FindKnown(text.hash, query);
	if (known == nullptr)
		known = ExamineStatement(text, query, choice->rule);
	else
		HoldKnown(known, CurrentMemoryContext);
	if (known == nullptr)
		inspection->detail = "it could not be examined";
	return known;
}

/* --- what is there -------------------------------------------------------------------------- */

/* Which of these has changed its rows or its definition since? */
Oid
ChangedRelation(const Lookup &lookup, const Oid *relations, uint32 count, uint64 position)
{
	for (uint32 i = 0; i < count; i++)
	{
		if (exact::Check(exact::DdlSlot(MyDatabaseId, relations[i]), lookup.view, position) ==
				exact::SlotCheck::changed ||
			(lookup.exact && exact::Check(exact::WriteSlot(MyDatabaseId, relations[i]), lookup.view,
										  position) == exact::SlotCheck::changed))
			return relations[i];
	}
	return InvalidOid;
}

State
StateFor(Reason reason, const Entry *entry)
{
	switch (reason)
	{
	case Reason::hit:
		return State::fresh;
	case Reason::stale_hit:
		return State::stale;
	case Reason::miss_expired:
		return State::expired;
	case Reason::miss_invalidated:
		return State::invalidated;
	default:
		return StateOf(entry);
	}
}

/* The pinned entry under its key: what would a run make of it? */
Reason
JudgeFound(StatementInspection *inspection, const Pin *pin)
{
	Lookup *lookup = &inspection->statement->lookup;
	Found *found = &inspection->found;
	const EntrySummary entry = Summarize(pin);
	char buffer[512];
	Meta meta = {};
	Reason reason;

	lookup->may_take_stale = MayTakeStale(lookup);
	reason = JudgeEntry(lookup, pin, entry.facts, &meta, buffer, sizeof(buffer));
	lookup->was_hit = entry.hits > 0;
	found->state = StateFor(reason, PinnedEntry(pin));
	found->tier = "memory";
	found->age_us = Max(lookup->now - entry.facts.as_of, INT64CONST(0));
	found->left_us = Max(lookup->call->ttl_us - found->age_us, INT64CONST(0));
	found->rows = entry.facts.rows;
	found->bytes = entry.payload;
	if (reason == Reason::miss_invalidated)
		inspection->voided_by =
			ChangedRelation(*lookup, meta.relations, meta.head.relations, entry.facts.pos);
	inspection->last_us = entry.facts.fill_us;
	return reason;
}

/* Memory has nothing: is there a value in Redis?  Only a run reads all of it and says whether it is good. */
bool
PeekElsewhere(StatementInspection *inspection)
{
	const Statement *statement = inspection->statement;
	Found *found = &inspection->found;
	Remote remote;

	if (!UsesRedis(statement->call.options) || !PeekRedis(statement->lookup.key, &remote))
		return false;
	found->tier = "redis";
	found->age_us = remote.age_us;
	found->left_us = Max(statement->call.ttl_us - remote.age_us, INT64CONST(0));
	found->state = found->left_us > 0 ? State::fresh : State::expired;
	found->rows = remote.rows;
	found->bytes = remote.bytes;
	return true;
}

/* The ghost of the last run: would its result still be good? */
int64
AskGhost(StatementInspection *inspection)
{
	const Statement *statement = inspection->statement;
	const GhostReport report = ReadGhost(statement->lookup);
	ListCell *cell;

	if (inspection->last_us == 0)
		inspection->last_us = report.last_us;
	foreach (cell, statement->known->findings.relations)
	{
		if (report.voided && !OidIsValid(inspection->voided_by) &&
			report.slot == exact::WriteSlot(MyDatabaseId, lfirst_oid(cell)))
			inspection->voided_by = lfirst_oid(cell);
	}
	return report.run_us;
}

/* What a run would be counted as, by what is there; *told is false if only a run can tell. */
Reason
Foresee(StatementInspection *inspection, bool *told)
{
	Statement *statement = inspection->statement;
	const Key &key = statement->lookup.key;
	Pin *pin = FindEntry(key.hash, key.bytes, key.length);
	Reason reason = Reason::miss_cold;
	int64 ghost_us;

	if (pin != nullptr)
	{
		reason = JudgeFound(inspection, pin);
		Unpin(pin);
	}
	else
		*told = !PeekElsewhere(inspection);
	ghost_us = AskGhost(inspection);
	if (settings::automatic == static_cast<int>(Auto::observe))
		return ghost_us > 0 ? Reason::would_hit : Reason::ghost;
	if (statement->call.options.mode == Mode::refresh)
		return Reason::miss_refresh;
	if (Describe(reason).kind != Kind::miss)
		return reason;
	if (statement->call.options.mode == Mode::read_only)
		return Reason::read_only;
	statement->reason = reason;
	return IsPromisingMiss(statement, ghost_us) ? reason : Reason::ghost;
}

/* What the examination, the transaction and the cache say. */
void
Judge(StatementInspection *inspection, ParamListInfo params)
{
	Statement *statement = inspection->statement;
	bool told = true;
	Reason reason;

	PrepareCall(statement);
	inspection->judged = true;
	inspection->slow = IsWorth(statement->known->text_hash);
	if (statement->call.ttl_us == 0)
	{
		inspection->detail = "cached_query.default_ttl is 0";
		return;
	}
	if (!UsedParams(statement->known, params, false, &statement->lookup.params))
		return;
	reason = JudgeSession(statement);
	inspection->candidate = reason == Reason::none;
	inspection->detail = statement->detail;
	if (reason == Reason::none)
		reason = JudgeStatement(statement);
	inspection->has_key = reason == Reason::none;
	if (inspection->has_key)
		reason = Foresee(inspection, &told);
	inspection->counted = told && (inspection->slow || !inspection->candidate);
	inspection->reason = reason;
	if (inspection->candidate && !inspection->slow)
		inspection->detail = "no run of it is known to have taken cached_query.auto_min_time";
}

Statement *
NewStatement(Known *known)
{
	Statement *statement = NewZeroed<Statement>();

	statement->known = known;
	statement->context = CurrentMemoryContext;
	return statement;
}

} // namespace

StatementInspection
InspectStatement(const Call &call)
{
	StatementInspection inspection = {};
	HeldHandle handle = GetHandle(call.query, call.query_length, call.args);
	const int count = handle->param_count;
	Oid *types = NewArray<Oid>(count);
	ParamListInfo params = ParamsFromArgs(call.args, handle->params);
	Query *query;
	Known *known;

	if (count > 0)
		memcpy(types, handle->params, sizeof(Oid) * static_cast<size_t>(count));
	inspection.relations = list_copy(handle->findings.relations);
	Release(&handle);
	query = AnalyzeAsSent(call.query, types, count);
	known = ChooseAndExamine(&inspection, query,
							 ReadStatement(call.query, query->stmt_location, query->stmt_len));
	if (known == nullptr)
		return inspection;
	inspection.statement = NewStatement(known);
	Judge(&inspection, params);
	return inspection;
}

} // namespace cq
