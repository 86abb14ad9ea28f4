/*
 * news.cpp
 *		Definitions that changed: which of what this session knows is to be found out again?
 *
 * A relation or type concerns those who have its name, in one of the schemas of their path, or who depend
 * on itself.  All else concerns everybody: argument types make names of functions and operators
 * too hard to guess, and a text may be folded by a cast, a dictionary, a label of an enum, or the rights
 * of a role.
 *
 * One callback for each catalog, since the server's table of them is small.  Left out is what analysis
 * and planning don't read, or what changes with one of these: languages, transforms, conversions,
 * support functions and families of operators, parsers and templates of text search, and foreign
 * servers, which PostgreSQL's plan cache watches.
 */
#include "pg.h"
#include "query/news.h"

namespace cq
{

uint64 news_count = 0;

namespace
{

constexpr uint32 kKept = 1024;

/* What was told; the last ones are kept. */
struct News
{
	int cacheid; // of a catalog's row by hash value, kRelation, or kAnything
	uint32 value;
};
constexpr int kRelation = -1;
constexpr int kAnything = -2;

News kept[kKept];
bool own_call = false; /* of the callbacks: it tells nothing new */

/* In a callback: nothing may be read or raised here. */
void
WriteDown(int cacheid, uint32 value)
{
	if (own_call)
		return;
	kept[news_count % kKept] = {cacheid, value};
	news_count++;
}

void
OnRelation(Datum, Oid relation)
{
	if (OidIsValid(relation))
	{
		WriteDown(kRelation, relation);
		RowTypeChanged(relation);
	}
	else
		WriteDown(kAnything, 0); /* the plan cache forgets all plans by itself */
}

/* 0: the whole cache. */
void
OnNameOrType(Datum, compat::CacheId cacheid, uint32 hash)
{
	if (hash != 0)
		WriteDown(cacheid, hash);
	else
		WriteDown(kAnything, 0);
}

void
OnAnything(Datum, compat::CacheId, uint32)
{
	WriteDown(kAnything, 0);
}

bool
HasName(const NameHashes &names, int cacheid, uint32 hash)
{
	for (int i = 0; i < names.count; i++)
	{
		if (names.caches[i] == cacheid && names.hashes[i] == hash)
			return true;
	}
	return false;
}

bool
HasType(List *types, uint32 hash)
{
	ListCell *cell;

	foreach (cell, types)
	{
		if (murmurhash32(lfirst_oid(cell)) == hash)
			return true;
	}
	return false;
}

bool
Concerns(const News &news, const NameHashes &names, const Findings &findings)
{
	switch (news.cacheid)
	{
	case kAnything:
		return true;
	case kRelation:
		/* plans notice others */
		return list_member_oid(findings.rowtypes, news.value) ||
			   list_member_oid(findings.inside, news.value);
	case TYPEOID:
		return HasType(findings.types, news.value);
	case CONSTROID: /* of a domain; what a table has comes with the relation */
		return findings.types != NIL;
	default:
		/* the text of a constant may be a name: 't'::regclass */
		return findings.name_values || HasName(names, news.cacheid, news.value);
	}
}

} // namespace

bool
SomeConcerns(uint64 heard, const NameHashes &names, const Findings &findings)
{
	if (news_count - heard > kKept)
		return true;
	for (; heard < news_count; heard++)
	{
		CHECK_FOR_INTERRUPTS();
		if (Concerns(kept[heard % kKept], names, findings))
			return true;
	}
	return false;
}

bool
NewsOfRelations(uint64 heard, List *relations)
{
	if (news_count - heard > kKept)
		return true;
	for (; heard < news_count; heard++)
	{
		const News &news = kept[heard % kKept];

		if (news.cacheid == kAnything ||
			(news.cacheid == kRelation && list_member_oid(relations, news.value)))
			return true;
	}
	return false;
}

/* The callbacks raise nothing. */
void
ForgetConstraints()
{
	own_call = true;
	CallSyscacheCallbacks(CONSTROID, 0);
	own_call = false;
}

void
ForgetPlansThatCall(uint32 function)
{
	own_call = true;
	CallSyscacheCallbacks(PROCOID, function);
	own_call = false;
}

void
InitNews()
{
	static const int anything[] = {
		AMOPOPID,     AUTHMEMROLEMEM, AUTHOID, CASTSOURCETARGET, CLAOID,      COLLOID,   ENUMOID,
		NAMESPACEOID, OPEROID,        PROCOID, TSCONFIGMAP,      TSCONFIGOID, TSDICTOID,
	};

	CacheRegisterRelcacheCallback(OnRelation, static_cast<Datum>(0));
	CacheRegisterSyscacheCallback(RELNAMENSP, OnNameOrType, static_cast<Datum>(0));
	CacheRegisterSyscacheCallback(TYPENAMENSP, OnNameOrType, static_cast<Datum>(0));
	CacheRegisterSyscacheCallback(TYPEOID, OnNameOrType, static_cast<Datum>(0));
	CacheRegisterSyscacheCallback(CONSTROID, OnNameOrType, static_cast<Datum>(0));
	for (const int cacheid : anything)
		CacheRegisterSyscacheCallback(static_cast<compat::CacheId>(cacheid), OnAnything,
									  static_cast<Datum>(0));
}

} // namespace cq
