/*
 * rules.cpp
 *		The table cached_query_rules: which rule applies to a statement?
 */
#include "pg.h"
#include "auto/rules.h"
#include "auto/shape.h"
#include "query/inside.h"
#include "query/news.h"

extern "C" {
#include "optimizer/optimizer.h"
#include "optimizer/planmain.h"
}

namespace cq
{
namespace
{

MemoryContext context = nullptr; /* of the set */
RuleSet current = {};
bool loaded = false;         /* the set is that of `version` */
Oid table = InvalidOid;      /* where it was read; invalid: there was none */
List *table_list = NIL;      /* the same, as a list of one */
const char *wrong = nullptr; /* the table was changed, so nothing is known; in the context */
uint64 heard = 0;            /* news of before are in it */
uint64 version = 1;

/* What was decided about kept plans is decided anew. */
void
NewVersion()
{
	version++;
	ForgetSettled();
}

/* Which of the rules' statements a text is: found by its hash, as a text has one shape. */
struct ShapeNote
{
	uint64 hash;
	uint64 version;
	int rule; /* the first one with this shape; -1: none */
};
ShapeNote shapes[512];

/* Logged once in a session. */
void
LogWrong()
{
	static bool logged = false;

	if (!logged)
		ereport(LOG_SERVER_ONLY,
				(errmsg("the rules of cached_query_rules cannot be applied: %s", wrong),
				 errdetail("Slow statements of this database run without the cache."),
				 errhint("Undo what ALTER TABLE changed. cached_query_reasons counts these "
						 "statements.")));
	logged = true;
}

bool
Read()
{
	Findings findings = Findings();
	bool ready = false;

	if (context == nullptr)
		context = AllocSetContextCreate(TopMemoryContext, "CachedQueryRules", ALLOCSET_SMALL_SIZES);
	MemoryContextReset(context);
	current = {};
	table_list = NIL;
	table = InvalidOid;
	wrong = nullptr;
	/* what is told while we read is about what we may have missed */
	heard = news_count;
	const bool worked = Tried(&findings, [&ready]() {
		MemoryContext caller = MemoryContextSwitchTo(context);

		table = FindRulesTable();
		ready = !OidIsValid(table) || ReadRules(table, &current, &wrong);
		MemoryContextSwitchTo(caller);
	});
	if (!worked || !ready || wrong != nullptr)
		current = {};
	if (!worked)
		wrong = nullptr;
	if (wrong != nullptr)
		LogWrong();
	MemoryContext caller = MemoryContextSwitchTo(context);
	table_list = OidIsValid(table) ? list_make1_oid(table) : NIL;
	MemoryContextSwitchTo(caller);
	return worked && ready;
}

/* The name of the relation means this one of those that the statement names. */
bool
NamesRelation(const Rule &rule, List *relations)
{
	const Oid schema = get_namespace_oid(rule.schema, true);
	const Oid relation = OidIsValid(schema) ? get_relname_relid(rule.relation, schema) : InvalidOid;

	return OidIsValid(relation) && list_member_oid(relations, relation);
}

/* The first rule with the shape of this text. */
int
FindShape(const StatementText &statement)
{
	Findings findings = Findings();
	int found = -1;
	MemoryContext scratch =
		AllocSetContextCreate(CurrentMemoryContext, "CachedQueryShape", ALLOCSET_DEFAULT_SIZES);

	(void) Tried(&findings, [&]() {
		MemoryContext caller = MemoryContextSwitchTo(scratch);
		const Node *shape = ShapeOf(pnstrdup(statement.begin, static_cast<Size>(statement.length)));

		for (int i = 0; i < current.count && found < 0 && shape != nullptr; i++)
		{
			if (current.rules[i].shape != nullptr && equal(shape, current.rules[i].shape))
				found = i;
		}
		MemoryContextSwitchTo(caller);
	});
	MemoryContextDelete(scratch);
	return found;
}

int
ShapeFor(const StatementText &statement)
{
	ShapeNote *note = &shapes[(statement.hash >> 2) % lengthof(shapes)];

	if (note->hash != statement.hash || note->version != version)
		*note = {statement.hash, version, FindShape(statement)};
	return note->rule;
}

/* What a statement is, found out when a rule asks. */
struct Asked
{
	const StatementText *statement;
	const Query *query;
	const char *role;
	List *relations;
	int shape;
	bool has_relations;
	bool has_shape;
};

bool
HasShape(Asked *asked, const Rule &rule)
{
	if (rule.shape == nullptr)
		return false;
	if (!asked->has_shape)
		asked->shape = ShapeFor(*asked->statement);
	asked->has_shape = true;
	return asked->shape >= 0 && equal(current.rules[asked->shape].shape, rule.shape);
}

bool
HasRelation(Asked *asked, const Rule &rule)
{
	List *items;
	bool row_security_used;

	if (!asked->has_relations)
		extract_query_dependencies(reinterpret_cast<Node *>(const_cast<Query *>(asked->query)),
								   &asked->relations, &items, &row_security_used);
	asked->has_relations = true;
	return NamesRelation(rule, asked->relations);
}

bool
Applies(Asked *asked, const Rule &rule)
{
	return (rule.role == nullptr ||
			(asked->role != nullptr && strcmp(rule.role, asked->role) == 0)) &&
		   (rule.queryid == 0 || rule.queryid == static_cast<uint64>(asked->query->queryId)) &&
		   (rule.relation == nullptr || HasRelation(asked, rule)) &&
		   (!rule.has_query || HasShape(asked, rule));
}

} // namespace

uint64
RulesVersion()
{
	if (likely(heard == news_count))
		return version;
	if (loaded && OidIsValid(table) && NewsOfRelations(heard, table_list))
	{
		loaded = false;
		NewVersion();
	}
	else if (OidIsValid(table))
		heard = news_count;
	return version;
}

bool
RulesReady()
{
	const bool absent = loaded && !OidIsValid(table);

	if (heard == news_count && loaded)
		return wrong == nullptr;
	if (IsInParallelMode())
		return false;
	(void) RulesVersion();
	if (loaded && OidIsValid(table))
		return wrong == nullptr;
	loaded = Read();
	/* there was no table: what was decided stays as it is unless there is one now */
	if (absent && loaded && OidIsValid(table))
		NewVersion();
	return loaded && wrong == nullptr;
}

const char *
WhyNoRules()
{
	return wrong != nullptr ? psprintf("the rules cannot be applied: %s", wrong)
							: "the table cached_query_rules is locked";
}

bool
RulesLoaded()
{
	return loaded;
}

bool
MayHaveRules()
{
	return !loaded || current.count > 0 || wrong != nullptr;
}

Oid
RulesTable()
{
	return table;
}

const Rule *
MatchRule(const StatementText &statement, const Query *query)
{
	Asked asked = {};

	if (current.count == 0)
		return nullptr;
	asked.statement = &statement;
	asked.query = query;
	asked.role = GetUserNameFromId(GetUserId(), true);
	for (int i = 0; i < current.count; i++)
	{
		if (Applies(&asked, current.rules[i]))
			return &current.rules[i];
	}
	return nullptr;
}

} // namespace cq
