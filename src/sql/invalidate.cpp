/*
 * invalidate.cpp
 *		Explicit invalidation: by query, by relation, by tag, of everything.
 *
 * An invalidation takes effect when the transaction commits, by the rule of exact/ for all changes.  The
 * transaction itself sees it at once.  No code here walks over entries; only the entry with a given key is
 * looked up.  So the cost does not depend on the number of entries, and a trigger can invalidate at each
 * write.  After the commit the sweeper (workers/sweeper.cpp) is asked to free the memory.  On a standby
 * there is no transaction id to publish: there an invalidation acts at once, and results of queries that
 * are running are not kept.
 *
 * Part of sql.h.
 */
#include "pg.h"
#include "validity/lookup.h"
#include "remote/queue.h"
#include "validity/sweep.h"
#include "call/inspect.h"
#include "exact/exact.h"
#include "remote/writer.h"
#include "call/signature.h"
#include "validity/dependents.h"
#include "redis/client.h"
#include "redis/identity.h"
#include "settings.h"
#include "sql/sql.h"

extern "C" {
#include "utils/hsearch.h"
}

#include <type_traits>

namespace cq
{
namespace
{

/*
 * What is to be invalidated.  Targets with the same slot are invalidated together, which costs a miss.  It
 * is the key of a hash table, which compares bytes, so the struct has no padding.
 */
struct Target
{
	exact::SlotNo slot;
	bool everything;
	bool named; /* one value in Redis, whose name is known */
	uint16 unused;
	redis::EntryHash name;
};
static_assert(std::has_unique_object_representations_v<Target>);

/* In a hash table by its target. */
struct Told
{
	Target target;
	int level; /* the level of subtransaction that asked for it; of several, the outermost */
	Told *next;
};

/*
 * The targets that Redis is to be told of at commit, each once, in TopTransactionContext; or null.  If there
 * are more than kMaxPending, the whole database is invalidated, as in exact/own.cpp.
 */
HTAB *pending = nullptr;
Told *first_told =
	nullptr; /* linked as a list, since a scan of a hash table may raise, and a commit callback must not */
constexpr long kMaxTold = exact::kMaxPending;

/*
 * A transaction removes at most so many values from Redis.  More would overflow the Redis writer's queue,
 * which then clears everything.  The other targets are handled like those without a name, see TellRedis().
 */
constexpr int kMaxRemoved = 128;

/* Has this transaction invalidated an entry in memory? */
bool void_entries = false;

HTAB *
MakePending()
{
	HASHCTL info = {};

	info.keysize = sizeof(Target);
	info.entrysize = sizeof(Told);
	info.hcxt = TopTransactionContext;
	return hash_create("cached_query invalidations", 64, &info,
					   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

void
Remember(const Target &target)
{
	Target database = {};
	const Target *key = &target;
	bool found;

	if (pending == nullptr)
		pending = MakePending();
	database.slot = exact::DatabaseSlot(MyDatabaseId);
	if (!target.everything && hash_get_num_entries(pending) >= kMaxTold)
		key = &database;

	Told *told = static_cast<Told *>(hash_search(pending, key, HASH_ENTER, &found));

	if (found)
		return; /* asked for at this level or an outer one */
	told->level = GetCurrentTransactionNestLevel();
	told->next = first_told;
	first_told = told;
}

/*
 * Tells the other servers, and removes the values whose names are known from Redis.  For a relation or a tag
 * the names are not known.  Servers that were told refuse such values, and they expire with their ttl.
 */
void
TellRedis(const Target &target, bool remove)
{
	if (target.everything)
	{
		QueueClear();
		return;
	}
	QueueInvalidation(target.slot);
	if (target.named && remove)
		QueueRemoval(target.name);
}

/* In recovery there is no commit to wait for: at once. */
void
InvalidateAtOnce(const Target *targets, int count)
{
	exact::InvalidateNow();
	RequestSweep();
	for (int i = 0; redis::Configured() && i < count; i++)
		TellRedis(targets[i], true);
}

/* `entries`: how many entries in memory depend on the targets; this is returned. */
int64
InvalidateTargets(const Target *targets, int count, int64 entries)
{
	if (redis::Configured())
		EnsureRedisWriter();
	if (RecoveryInProgress())
	{
		InvalidateAtOnce(targets, count);
		return entries;
	}
	for (int i = 0; i < count; i++)
	{
		exact::Invalidate(targets[i].slot);
		if (redis::Configured())
			Remember(targets[i]);
	}
	void_entries = void_entries || entries > 0;
	return entries;
}

/* A subtransaction ends: its requests are dropped with it, or become those of the level around it. */
void
OnSubXact(SubXactEvent event, SubTransactionId, SubTransactionId, void *)
{
	const int level = GetCurrentTransactionNestLevel();
	Told **place = &first_told;

	if (pending == nullptr ||
		(event != SUBXACT_EVENT_COMMIT_SUB && event != SUBXACT_EVENT_ABORT_SUB))
		return;
	while (Told *told = *place)
	{
		if (told->level >= level && event == SUBXACT_EVENT_ABORT_SUB)
		{
			*place = told->next;
			(void) hash_search(pending, &told->target, HASH_REMOVE, nullptr);
			continue;
		}
		told->level = Min(told->level, level - 1);
		place = &told->next;
	}
}

/* The transaction is committed: nothing here may raise or allocate. */
void
Announce()
{
	int removed = 0;

	if (void_entries)
		RequestSweep();
	for (const Told *told = first_told; told != nullptr; told = told->next)
	{
		TellRedis(told->target, removed < kMaxRemoved);
		removed += told->target.named;
	}
}

void
Forget()
{
	pending = nullptr;
	first_told = nullptr;
	void_entries = false;
}

void
OnXact(XactEvent event, void *)
{
	switch (event)
	{
	case XACT_EVENT_COMMIT:
		Announce();
		Forget();
		break;
	case XACT_EVENT_ABORT:
	case XACT_EVENT_PREPARE:
		Forget();
		break;
	default:
		break;
	}
}

Target
NewTarget(exact::SlotNo slot)
{
	Target target = {};

	target.slot = slot;
	return target;
}

/* Adds the target of the query's result in this shape, if it can be cached; counts the entry in memory. */
int
AddKeyTarget(Target *targets, int count, const Call &call, Shape shape, int64 *entries)
{
	Inspection inspection = Inspect(call.query, call.query_length, call.args, shape);

	if (inspection.has_key)
	{
		Target target = NewTarget(exact::NamedSlot(exact::Named::key, MyDatabaseId,
												   &inspection.key.hash, sizeof(uint64)));

		if (redis::Configured())
		{
			const redis::Identity &identity = redis::GetIdentity();

			target.named = identity.usable && redis::HashKey(identity, inspection.key.bytes,
															 inspection.key.length, &target.name);
		}
		*entries += inspection.pin != nullptr;
		targets[count++] = target;
	}
	EndInspection(&inspection);
	return count;
}

/*
 * The results of the same query as a statement of an application, with any values and of any role: who may run it may
 * have it computed anew.  How many there are tells what others have asked for, so it is not told to everybody.
 */
int
AddStatementTarget(Target *targets, int count, const Call &call, int64 *entries, int64 *untold)
{
	HeldHandle handle = GetHandle(call.query, call.query_length, call.args);

	if (handle->identified)
	{
		targets[count] = NewTarget(
			exact::NamedSlot(exact::Named::query, MyDatabaseId, &handle->digest, sizeof(Digest)));
		const int64 statements = DependentsOf(targets[count++].slot);

		*entries += statements;
		*untold = MaySeeAll() ? 0 : statements;
	}
	Release(&handle);
	return count;
}

Datum
InvalidateQuery(FunctionCallInfo fcinfo, const char *symbol)
{
	const Call call = MakeQuestion(fcinfo, symbol);
	int64 entries = 0;
	int64 untold = 0;
	Target targets[3];
	int count = 0;

	count = AddKeyTarget(targets, count, call, Shape::rows, &entries);
	count = AddKeyTarget(targets, count, call, Shape::json, &entries);
	count = AddStatementTarget(targets, count, call, &entries, &untold);
	return Int64GetDatum(InvalidateTargets(targets, count, entries) - untold);
}

/* All entries with this tag, or all that read this relation. */
int64
InvalidateSlot(exact::SlotNo slot)
{
	const Target target = NewTarget(slot);

	return InvalidateTargets(&target, 1, DependentsOf(slot));
}

} // namespace

void
InitInvalidation()
{
	RegisterXactCallback(OnXact, nullptr);
	RegisterSubXactCallback(OnSubXact, nullptr);
	StoreSetLinkCount(CountDependents);
}

} // namespace cq

extern "C" {

#define CQ_FUNCTION(name)                                                                          \
	PG_FUNCTION_INFO_V1(name);                                                                     \
	Datum name(PG_FUNCTION_ARGS)                                                                   \
	{                                                                                              \
		return cq::InvalidateQuery(fcinfo, #name);                                                 \
	}

CQ_FUNCTION(cached_query_invalidate)
CQ_FUNCTION(cached_query_invalidate_args)
CQ_FUNCTION(cached_query_invalidate_text)

PG_FUNCTION_INFO_V1(cached_query_invalidate_relation);
Datum
cached_query_invalidate_relation(PG_FUNCTION_ARGS)
{
	cq::RequirePreload();
	PG_RETURN_INT64(cq::InvalidateSlot(cq::exact::DdlSlot(MyDatabaseId, PG_GETARG_OID(0))));
}

PG_FUNCTION_INFO_V1(cached_query_invalidate_tag);
Datum
cached_query_invalidate_tag(PG_FUNCTION_ARGS)
{
	const text *tag = PG_GETARG_TEXT_PP(0);

	cq::RequirePreload();
	PG_RETURN_INT64(cq::InvalidateSlot(cq::exact::NamedSlot(
		cq::exact::Named::tag, MyDatabaseId, VARDATA_ANY(tag), VARSIZE_ANY_EXHDR(tag))));
}

PG_FUNCTION_INFO_V1(cached_query_clear);
Datum
cached_query_clear(PG_FUNCTION_ARGS)
{
	cq::Target target = cq::NewTarget(cq::exact::kSlotClear);

	(void) fcinfo;
	cq::RequirePreload();
	target.everything = true;
	PG_RETURN_INT64(cq::InvalidateTargets(&target, 1, cq::LinkedEntries()));
}

} // extern "C"
