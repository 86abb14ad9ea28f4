/*
 * rules.h
 *		The table cached_query_rules: what a hint would say, for those who can't change the statements.
 *
 * One rule applies to a statement, the most specific one. Rules are kept in the session's memory. Whether they have
 * changed is told by the relation cache, so a look at them costs one comparison; they are read when a slow statement is
 * planned, and at no other time.
 *
 * Reading takes the newest snapshot there is, runs no SQL and calls no function of a user. It waits for no lock: as long
 * as somebody holds the table, statements run as if we weren't there.
 *
 * Backend-local.
 */
#pragma once

#include "pg.h"
#include "auto/worth.h"

namespace cq
{

struct Rule
{
	char *role;     /* nullptr: any */
	char *schema;   /* of the relation */
	char *relation; /* nullptr: any */
	uint64 queryid; /* 0: any */
	Node *shape;    /* of the statement (shape.h); nullptr: any */
	bool has_query; /* it names a statement, even one that has no shape in this session */
	bool off;
	int64 ttl_us; /* 0: exact */
	char *tag;    /* nullptr: none */
};

/* Moves when the table has changed, as far as this session has been told. */
extern uint64 RulesVersion();
/* Read them if that is due.  False: that can't be done now, or not until somebody mends the table. */
extern bool RulesReady();
/* Why not, for people. */
extern const char *WhyNoRules();
/* Are those of now known, as far as this session has been told? */
extern bool RulesLoaded();
/* May there be any?  As far as is known without reading. */
extern bool MayHaveRules();
/* Where they were read. */
extern Oid RulesTable();
/* The one that applies to a statement of the current role, or nullptr.  After RulesReady(). */
extern const Rule *MatchRule(const StatementText &statement, const Query *query);

/* rules_read.cpp: at most so many are read, with so many bytes of statements. */
constexpr int kMaxRules = 1000;
constexpr int kMaxRuleText = 256 * 1024;
struct RuleSet
{
	Rule *rules; /* in the order in which they are tried */
	int count;
};
struct RuleColumn
{
	const char *name;
	Oid type;
};
/* The first column of rules that a table does not have, with its type; nullptr: it has all. */
extern const RuleColumn *LackingColumn(TupleDesc desc);
/* The table of this database's extension, if it is there. */
extern Oid FindRulesTable();
/*
 * In the current context.  False: the table is locked.  *wrong says, for people, why what is in it can't be relied on,
 * or becomes nullptr.
 */
extern bool ReadRules(Oid table, RuleSet *set, const char **wrong);

} // namespace cq
