/*
 * known.cpp
 *		What this session knows of a statement without a call.
 */
#include "pg.h"
#include "query/findings.h"
#include "query/cacheability.h"
#include "query/inside.h"
#include "validity/judge.h"
#include "auto/known.h"
#include "auto/nesting.h"
#include "auto/plan.h"
#include "auto/settings.h"
#include "query/body.h"
#include "query/fingerprint.h"
#include "query/key.h"
#include "query/news.h"
#include "settings.h"

extern "C" {
#include "optimizer/optimizer.h"
#include "optimizer/planmain.h"
#include "utils/rls.h"
}

namespace cq
{
namespace
{

constexpr int kChains = 1024;

Known *chains[kChains];
dlist_head recently_used = DLIST_STATIC_INIT(recently_used); /* head: last used */
Size total_memory = 0;

static_assert(offsetof(KnownLink, lru) == 0);

Known *
KnownOf(dlist_node *node)
{
	return static_cast<Known *>(reinterpret_cast<KnownLink *>(node));
}

/* --- freeing and holding -------------------------------------------------------------------- */

void
Destroy(Known *known)
{
	total_memory -= known->memory;
	MemoryContextDelete(known->context);
}

/* No look-up finds it any more; the last release frees it. */
void
Forget(Known *known)
{
	Known **link = &chains[known->text_hash % kChains];

	if (known->forgotten)
		return;
	while (*link != known)
		link = &(*link)->next;
	*link = known->next;
	dlist_delete(&known->lru);
	known->forgotten = true;
	if (known->holds == 0)
		Destroy(known);
}

/* In a callback of a memory context: raises nothing. */
void
ReleaseKnown(void *arg)
{
	Known *known = static_cast<Known *>(arg);

	CqAssert(known->holds > 0);
	if (--known->holds == 0 && known->forgotten)
		Destroy(known);
}

/* Drop those not used for long until the rest fits. */
void
Trim()
{
	const Size limit = static_cast<Size>(settings::handle_memory_kb) * 1024;
	dlist_node *node = dlist_is_empty(&recently_used) ? nullptr : dlist_tail_node(&recently_used);

	while (node != nullptr && total_memory > limit)
	{
		Known *known = KnownOf(node);

		node =
			dlist_has_prev(&recently_used, node) ? dlist_prev_node(&recently_used, node) : nullptr;
		if (known->holds == 0)
			Forget(known);
	}
}

/* --- examining ------------------------------------------------------------------------------ */

/* Does a subquery write or lock rows?  The caller has checked the top level. */
bool
DoesMoreThanRead(Node *node, void *arg)
{
	if (node == nullptr)
		return false;
	if (IsA(node, Query))
	{
		Query *query = reinterpret_cast<Query *>(node);

		return query->commandType != CMD_SELECT || query->rowMarks != NIL ||
			   query->hasModifyingCTE || query->hasForUpdate ||
			   compat::WalkQuery(query, DoesMoreThanRead, arg, 0);
	}
	return compat::WalkExpression(node, DoesMoreThanRead, arg);
}

/* Everything but the surroundings, in the current context. */
void
ExamineTree(Known *known)
{
	Findings *findings = &known->findings;
	PlannedStmt none = {};
	List *items;
	bool row_security_used;

	extract_query_dependencies(reinterpret_cast<Node *>(known->tree), &known->relations, &items,
							   &row_security_used);
	known->desc = ExecCleanTypeFromTL(known->tree->targetList);
	findings->names_inside = &known->names;
	none.relationOids = known->relations;
	Examine(findings, list_make1(known->tree), &none, known->desc, row_security_used, false);
	if (DoesMoreThanRead(reinterpret_cast<Node *>(known->tree), nullptr))
		RefuseBoth(findings, Reason::nested_write, nullptr);
	if (settings::debug_auto_no_role)
		findings->role = false;
	FindParameters(known);
	known->digest = findings->inside_digest;
	/* a literal such as 'today' was replaced by a value, which the tree does not show */
	known->identified =
		!findings->unidentified && !findings->time_literal && findings->inlined == NIL &&
		DigestTrees(list_make1(known->tree), {}, findings->long_lists, &known->digest);
	if (!known->identified)
		RefuseBoth(findings, Reason::no_identity, nullptr);
	known->shell = MakeShell(*known, items);
	BuildKeyPrefix(known, known->parse_flags);
	known->subject = known->prefix_hash;
}

void
CountMemory(Known *known)
{
	total_memory -= known->memory;
	known->memory = MemoryContextMemAllocated(known->context, true);
	total_memory += known->memory;
}

/* It says what the hint leaves open. */
void
ApplyRule(Known *known, const StatementText &statement, const Rule *rule)
{
	known->chosen = (statement.hash & kHinted) != 0 || rule != nullptr;
	if (rule == nullptr)
		return;
	if (known->tag == nullptr && rule->tag != nullptr)
		known->tag = pstrdup(rule->tag);
	if (statement.hash & kHinted)
		return;
	known->hint_exact = rule->ttl_us == 0;
	known->hint_ttl_us = rule->ttl_us;
}

Known *
Allocate(const StatementText &statement, const Query *tree, const Rule *rule)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "CachedQueryKnown", ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	Known *known = NewZeroed<Known>();

	known->findings = Findings();
	known->names = NameHashes();
	known->automatic = true;
	known->context = context;
	known->text_hash = statement.hash;
	known->tree = static_cast<Query *>(copyObjectImpl(tree));
	known->text = pnstrdup(statement.begin, statement.length);
	known->text_length = statement.length;
	if (statement.hint.text != nullptr)
	{
		const Hint hint = ReadHint(statement.hint);

		known->tag = hint.tag[0] != '\0' ? pstrdup(hint.tag) : nullptr;
		known->hint_exact = hint.exact;
		known->hint_ttl_us = hint.ttl_us;
	}
	ApplyRule(known, statement, rule);
	known->role = GetUserId();
	known->row_security = row_security;
	known->path = pstrdup(namespace_search_path);
	known->parse_flags = ParseFlags();
	known->trusted_version = settings::trusted_version;
	known->rules_version = RulesVersion();
	known->heard = news_count;
	known->queryid = static_cast<uint64>(tree->queryId);
	MemoryContextSwitchTo(caller);
	return known;
}

bool
SameSurroundings(const Known *known)
{
	return known->role == GetUserId() && known->row_security == row_security &&
		   known->trusted_version == settings::trusted_version &&
		   known->parse_flags == ParseFlags() && strcmp(known->path, namespace_search_path) == 0;
}

bool
IsOutdated(Known *known)
{
	if (known->rules_version != RulesVersion())
		return true;
	if (known->heard == news_count)
		return false;
	if (NewsConcern(known->heard, known->names, known->findings) ||
		NewsOfRelations(known->heard, known->findings.relations))
		return true;
	known->heard = news_count;
	return false;
}

} // namespace

Known *
FindKnown(uint64 text_hash, const Query *tree)
{
	Known *next;

	for (Known *known = chains[text_hash % kChains]; known != nullptr; known = next)
	{
		next = known->next;
		if (known->text_hash != text_hash || !SameSurroundings(known))
			continue;
		if (IsOutdated(known))
		{
			Forget(known);
			continue;
		}
		if (!equal(known->tree, tree))
			continue;
		dlist_move_head(&recently_used, &known->lru);
		return known;
	}
	return nullptr;
}

/* In a subtransaction: if anything in here fails, the statement is planned and run without us. */
Known *
ExamineStatement(const StatementText &statement, const Query *tree, const Rule *rule)
{
	Known *known;

	if (IsInParallelMode())
		return nullptr;
	known = Allocate(statement, tree, rule);
	if (Tried(&known->findings, [known]() {
			MemoryContextSwitchTo(known->context);
			ExamineTree(known);
		}))
		return known;
	MemoryContextDelete(known->context);
	return nullptr;
}

Known *
MakeKnown(const StatementText &statement, const Query *tree, const Rule *rule)
{
	Known *known = ExamineStatement(statement, tree, rule);

	if (known == nullptr)
		return nullptr;
	CountMemory(known);
	MemoryContextSetParent(known->context, TopMemoryContext);
	known->next = chains[known->text_hash % kChains];
	chains[known->text_hash % kChains] = known;
	dlist_push_head(&recently_used, &known->lru);
	known->holds++;
	Trim();
	known->holds--;
	return known;
}

bool
StillKnown(Known *known)
{
	return !known->forgotten && SameSurroundings(known) && !IsOutdated(known);
}

/* The old prefix stays where it is: keys of runs may point to it.  Each time a part is added, so there are few. */
void
LearnOfKnown(Known *known, const Findings &seen)
{
	MemoryContext caller = MemoryContextSwitchTo(known->context);

	Widen(&known->findings, seen);
	BuildKeyPrefix(known, known->parse_flags);
	MemoryContextSwitchTo(caller);
	CountMemory(known);
}

void
HoldKnown(Known *known, MemoryContext context)
{
	MemoryContextCallback *callback = static_cast<MemoryContextCallback *>(
		MemoryContextAlloc(context, sizeof(MemoryContextCallback)));

	callback->func = ReleaseKnown;
	callback->arg = known;
	MemoryContextRegisterResetCallback(context, callback);
	known->holds++;
}

Terms
TermsOf(const Known &known)
{
	const bool within_ttl =
		known.hint_ttl_us > 0 || settings::automatic == static_cast<int>(Auto::ttl);
	Terms terms = {known.hint_exact || !within_ttl, known.hint_ttl_us};

	if (terms.ttl_us == 0)
		terms.ttl_us =
			terms.exact ? AutoTtl() : static_cast<int64>(settings::default_ttl_s) * USECS_PER_SEC;
	return terms;
}

Reason
JudgeKnown(const Known *known, bool exact, char **detail)
{
	if (exact && known->findings.exact != Reason::none)
	{
		*detail = known->findings.exact_detail;
		return known->findings.exact;
	}
	if (known->findings.volatile_detail != nullptr)
	{
		*detail = known->findings.volatile_detail;
		return Reason::volatile_function;
	}
	return TtlReason(known->findings, Shape::rows, detail);
}

Subject
SubjectOf(const Known &known)
{
	return {known.subject, known.role, known.queryid, known.text, known.text_length};
}

Outcome
OutcomeOf(const Known &known, Reason reason)
{
	Outcome outcome = {};
	char *detail;

	outcome.reason = reason;
	outcome.exact = TermsOf(known).exact;
	outcome.ttl_possible =
		Describe(reason).kind == Kind::hit || JudgeKnown(&known, false, &detail) == Reason::none;
	return outcome;
}

void
ForgetAllKnown()
{
	while (!dlist_is_empty(&recently_used))
		Forget(KnownOf(recently_used.head.next));
}

} // namespace cq
