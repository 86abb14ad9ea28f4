/*
 * choose.h
 *		Which slow statements have to do with the cache, by hints, by rules and by what is known of them.
 *
 * Part of known.h.
 */
#pragma once

#include "pg.h"
#include "auto/known.h"

namespace cq
{

/* A longer text rarely comes again: such texts have long lists of literals. */
constexpr int kMaxStatementText = 16 * 1024;

/* Who says what becomes of a statement. */
enum class ChosenBy
{
	setting,
	hint,
	rule
};

/* What the setting, a hint and rules say of one. */
struct Choice
{
	bool candidate;
	ChosenBy by;
	const Rule *rule; /* which applies, whoever decides; nullptr: none */
	Reason reason;    /* if it is no candidate; Reason::none: that is not counted */
};
/* Its hint alone: may it be looked at? */
extern Choice ChooseByHint(const StatementText &statement);
/* The rest; after RulesReady(). */
extern Choice ChooseByRules(const StatementText &statement, const Query *query);

/*
 * What is known of a slow statement; nullptr: it is planned without us.  *of_role: that holds for this role, others may
 * have other rules.
 */
extern Known *KnownFor(const Query *query, const char *text, bool *of_role);

} // namespace cq
