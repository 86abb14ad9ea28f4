/*
 * judged.cpp
 *		What this session found out about the bodies of functions.
 */
#include "pg.h"
#include "query/append.h"
#include "query/compiled.h"
#include "query/fingerprint.h"
#include "query/judged.h"
#include "query/kept.h"
#include "query/news.h"
#include "settings.h"

extern "C" {
#include "commands/trigger.h"
#include "utils/hsearch.h"
#include "utils/rls.h"
}

#include <type_traits>

namespace cq
{
namespace
{

constexpr Size kMaxBytes = 1024 * 1024;

/* One body; the key of a hash table, so without gaps of any value. */
struct BodyKey
{
	Oid function;
	uint32 believed;
	uint64 variant;
};
static_assert(std::has_unique_object_representations_v<BodyKey>);

struct Judged
{
	BodyKey key;
	Findings findings;
	NameHashes names;
};

/* All of it, what it goes by, and the table; null: nothing is kept. */
MemoryContext context = nullptr;
HTAB *table = nullptr;
StringInfoData made_under;

/* All that analysis goes by, but the body itself. */
void
DescribeNow(StringInfo now)
{
	initStringInfo(now);
	AppendRaw(now, news_count);
	AppendRaw(now, SettingsCount());
	AppendRaw(now, CompiledCount());
	AppendRaw(now, GetUserId());
	AppendRaw(now, GetSessionUserId());
	AppendRaw(now, TempSchema());
	AppendRaw(now, ParseFlags());
	AppendRaw(now, settings::trusted_version);
	AppendRaw(now, SessionReplicationRole);
	appendStringInfoChar(now, row_security ? 't' : 'f');
	AppendSearchPath(now);
	AppendSetting(now, "plpgsql.variable_conflict");
	appendStringInfoString(now, namespace_search_path);
}

bool
Same(const StringInfoData &a, const StringInfoData &b)
{
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* An empty table for what will be found. */
void
BeginTable(const StringInfoData &now)
{
	HASHCTL control = {};
	MemoryContext caller;

	ForgetJudged();
	context = AllocSetContextCreate(TopMemoryContext, "CachedQueryJudged", ALLOCSET_DEFAULT_SIZES);
	control.keysize = sizeof(BodyKey);
	control.entrysize = sizeof(Judged);
	control.hcxt = context;
	table = hash_create("cached_query bodies", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	caller = MemoryContextSwitchTo(context);
	initStringInfo(&made_under);
	appendBinaryStringInfo(&made_under, now.data, now.len);
	MemoryContextSwitchTo(caller);
}

BodyKey
KeyOf(const Findings &f, const Pending *body)
{
	return {body->oid, f.believed ? UINT32_C(1) : 0, body->variant};
}

/*
 * Not what failed, was not understood, or is valid only now.  Bodies under SET clauses or other roles
 * are rare, and their findings point to these, so they are not kept either.
 */
bool
MayKeep(const Findings &found)
{
	return found.environments == NIL && !found.everything && !found.fleeting && !found.kept_old &&
		   !found.unidentified && !found.checked_literal && AllSettingsWatched();
}

/* As if this body were all that is examined. */
void
JudgeAlone(const Findings &f, const Pending *body, JudgeFn judge, Findings *found,
		   NameHashes *names)
{
	*found = Findings();
	*names = NameHashes();
	found->context =
		AllocSetContextCreate(CurrentMemoryContext, "CachedQueryBody", ALLOCSET_SMALL_SIZES);
	found->names_inside = names;
	found->nested = f.nested;
	found->believed = f.believed;
	found->environment = f.environment;
	found->environments = f.environments;

	MemoryContext caller = MemoryContextSwitchTo(found->context);

	/* it may call itself */
	(void) FirstTime(&found->seen, Thing::body, body->oid, body->variant);
	MemoryContextSwitchTo(caller);
	judge(found, body);
}

/*
 * If nothing has changed meanwhile but that the function was compiled.  False: the findings are not
 * kept.
 */
bool
Keep(const BodyKey &key, const Findings &found, const NameHashes &names, uint64 news,
	 uint64 settings)
{
	StringInfoData now;
	Judged *judged;
	bool known;

	if (!MayKeep(found) || news != news_count || settings != SettingsCount())
		return false;
	DescribeNow(&now);
	if (context == nullptr || !Same(made_under, now) ||
		MemoryContextMemAllocated(context, true) > kMaxBytes)
		BeginTable(now);
	pfree(now.data);
	judged = static_cast<Judged *>(hash_search(table, &key, HASH_ENTER, &known));
	if (known)
		return false;
	judged->findings = found;
	judged->names = names;
	MemoryContextSetParent(found.context, context);
	return true;
}

const Judged *
Find(const BodyKey &key)
{
	StringInfoData now;
	bool same;

	if (context == nullptr)
		return nullptr;
	DescribeNow(&now);
	same = Same(made_under, now);
	pfree(now.data);
	return same ? static_cast<Judged *>(hash_search(table, &key, HASH_FIND, nullptr)) : nullptr;
}

} // namespace

void
JudgeOnce(Findings *f, const Pending *body, JudgeFn judge)
{
	const BodyKey key = KeyOf(*f, body);
	const uint64 news = news_count;
	const uint64 settings = SettingsCount();
	const Judged *known = body->environment == nullptr ? Find(key) : nullptr;
	Findings found;
	NameHashes names;

	if (known != nullptr)
	{
		Merge(f, known->findings, known->names);
		return;
	}
	JudgeAlone(*f, body, judge, &found, &names);
	Merge(f, found, names);
	if (body->environment != nullptr || !Keep(key, found, names, news, settings))
		MemoryContextDelete(found.context);
}

void
ForgetJudged()
{
	if (context == nullptr)
		return;
	MemoryContextDelete(context);
	context = nullptr;
	table = nullptr;
}

} // namespace cq
