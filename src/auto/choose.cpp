/*
 * choose.cpp
 *		Which slow statements have to do with the cache, by hints, by rules and by what is known of them.
 *
 * Part of known.h.
 */
#include "pg.h"
#include "auto/candidates.h"
#include "auto/choose.h"
#include "auto/nesting.h"
#include "auto/rules.h"
#include "auto/settings.h"
#include "auto/worth.h"
#include "stats/stats.h"

namespace cq
{

Choice
ChooseByHint(const StatementText &statement)
{
	const Hint hint = ReadHint(statement.hint);

	return {hint.valid && !hint.off, hint.given ? ChosenBy::hint : ChosenBy::setting, nullptr,
			hint.valid ? Reason::none : Reason::hint_invalid};
}

Choice
ChooseByRules(const StatementText &statement, const Query *query)
{
	const bool hinted = (statement.hash & kHinted) != 0;
	const Rule *rule = MatchRule(statement, query);

	if (hinted)
		return {true, ChosenBy::hint, rule, Reason::none};
	if (rule == nullptr)
		return {!IsHintedOnly(), ChosenBy::setting, nullptr, Reason::none};
	if (rule->off && settings::automatic != static_cast<int>(Auto::observe))
		return {false, ChosenBy::rule, rule, Reason::rule_off};
	return {true, ChosenBy::rule, rule, Reason::none};
}

namespace
{

/* Does the hint allow us to look at the statement?  A hint that is not understood does not. */
bool
MayUseHint(const StatementText &statement)
{
	const Choice choice = ChooseByHint(statement);

	if (choice.candidate)
		return true;
	MarkSettled(statement.hash);
	if (choice.reason == Reason::hint_invalid)
	{
		WarnOfHint(statement.hint);
		CountStatement(choice.reason);
	}
	return false;
}

/* An examination of a statement that hints and rules leave to us; nullptr: they don't, or it can't be done. */
Known *
NewKnown(const StatementText &statement, const Query *query)
{
	const Choice choice = ChooseByRules(statement, query);

	if (choice.candidate)
		return MakeKnown(statement, query, choice.rule);
	if (choice.reason == Reason::rule_off)
	{
		MarkSettled(statement.hash);
		if (!IsExplaining())
			CountStatement(choice.reason);
	}
	return nullptr;
}

} // namespace

Known *
KnownFor(const Query *query, const char *text, bool *of_role)
{
	const StatementText statement = ReadStatement(text, query->stmt_location, query->stmt_len);
	const uint64 hash = statement.hash;
	Known *known;
	char *detail;
	Reason reason;

	if (statement.hint.text != nullptr && !MayUseHint(statement))
		return nullptr;
	if (statement.length > kMaxStatementText || !IsWorth(hash))
		return nullptr;
	if (!RulesReady())
	{
		if (!IsExplaining() && !IsInParallelMode())
			CountStatement(Reason::rules_unread);
		return nullptr;
	}
	*of_role = true;
	known = FindKnown(hash, query);
	if (known == nullptr)
		known = NewKnown(statement, query);
	if (known == nullptr || (IsHintedOnly() && !known->chosen))
		return nullptr;
	reason = JudgeKnown(known, TermsOf(*known).exact, &detail);
	if (reason == Reason::none)
		return known;
	MarkSettled(hash);
	if (!IsExplaining())
	{
		CountStatement(reason);
		NoteCandidate(SubjectOf(*known), OutcomeOf(*known, reason));
	}
	return nullptr;
}

} // namespace cq
