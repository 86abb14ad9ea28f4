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
namespace
{

/* A longer text rarely comes again: such texts have long lists of literals. */
constexpr int kMaxText = 16 * 1024;

/* Does the hint allow us to look at the statement?  A hint that is not understood does not. */
bool
MayUseHint(const StatementText &statement)
{
	const Hint hint = ReadHint(statement.hint);

	if (hint.valid && !hint.off)
		return true;
	MarkSettled(statement.hash);
	if (!hint.valid)
	{
		WarnOfHint(statement.hint);
		CountStatement(Reason::hint_invalid);
	}
	return false;
}

/* An examination of a statement that hints and rules leave to us; nullptr: they don't, or it can't be done. */
Known *
NewKnown(const StatementText &statement, const Query *query)
{
	const bool hinted = (statement.hash & kHinted) != 0;
	const Rule *rule = MatchRule(statement, query);

	if (rule == nullptr && !hinted && IsHintedOnly())
		return nullptr;
	if (rule != nullptr && rule->off && !hinted &&
		settings::automatic != static_cast<int>(Auto::observe))
	{
		MarkSettled(statement.hash);
		if (!IsExplaining())
			CountStatement(Reason::rule_off);
		return nullptr;
	}
	return MakeKnown(statement, query, rule);
}

} // namespace

Known *
KnownFor(const Query *query, const char *text)
{
	const StatementText statement = ReadStatement(text, query->stmt_location, query->stmt_len);
	const uint64 hash = statement.hash;
	Known *known;
	char *detail;
	Reason reason;

	if (statement.hint.text != nullptr && !MayUseHint(statement))
		return nullptr;
	if (statement.length > kMaxText || !IsWorth(hash) || !RulesReady())
		return nullptr;
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
		NoteCandidate(SubjectOf(*known), {reason, false, 0, 0, false, InvalidOid});
	}
	return nullptr;
}

} // namespace cq
