/*
 * invalidate.cpp
 *		Explicit invalidation: by query, by relation, by tag, of everything.
 *
 * It takes effect when the transaction commits, by the rule that exact/ has for every change, and
 * our own transaction sees it at once.  After commit the entries are swept, which gives back their
 * memory; they could not be served any more before that.  On a standby there is no transaction id
 * to publish, so it acts at once and voids fills in flight.
 */
#include "pg.h"
#include "exact/exact.h"
#include "fill/carrier.h"
#include "fill/call.h"
#include "fill/meta.h"
#include "redis/client.h"
#include "redis/identity.h"
#include "settings.h"
#include "sql/sql.h"
#include "stats/stats.h"

namespace cq
{
namespace
{

/*
 * What was asked to go.  Slots are shared by hash, so that a collision costs a miss; what is
 * counted and swept is told apart.
 */
struct Target
{
	exact::SlotNo slot;
	exact::Named kind;
	Oid database;
	uint64 key_hash;
	Oid relation;
	char *tag;
	bool everything;
	bool named; /* it has a name in Redis, too */
	redis::EntryHash name;
};

/* Those of this transaction, in TopTransactionContext. */
List *pending = NIL;

bool
ReadsRelation(const Entry *entry, const MetaHead &head, Oid relation)
{
	uint32 offset = RelationsOffset(head);

	for (uint32 i = 0; i < head.relations; i++)
	{
		Oid read;

		ReadMeta(entry, offset + i * sizeof(Oid), &read, sizeof(read));
		if (read == relation)
			return true;
	}
	return false;
}

bool
HasTag(const Entry *entry, const MetaHead &head, const char *tag)
{
	char own[kMaxTagLength];

	if (head.tag_length != strlen(tag) || head.tag_length > sizeof(own))
		return false;
	ReadMeta(entry, TagOffset(head), own, head.tag_length);
	return memcmp(own, tag, head.tag_length) == 0;
}

/* No error, no lock, no memory: also asked in the commit callback. */
bool
IsTarget(const Entry *entry, const Target &target)
{
	MetaHead head;

	if (target.everything)
		return true;
	if (FactsOf(entry).database != target.database)
		return false;
	if (target.kind == exact::Named::key)
		return HashOf(entry) == target.key_hash;
	ReadMeta(entry, 0, &head, sizeof(head));
	return target.kind == exact::Named::tag ? HasTag(entry, head, target.tag)
											: ReadsRelation(entry, head, target.relation);
}

bool
IsAnyTarget(const Entry *entry, void *arg)
{
	ListCell *cell;

	foreach (cell, static_cast<List *>(arg))
	{
		if (IsTarget(entry, *static_cast<Target *>(lfirst(cell))))
			return true;
	}
	return false;
}

struct Census
{
	List *targets;
	int64 count;
};

bool
CountTarget(Pin *pin, void *arg)
{
	Census *census = static_cast<Census *>(arg);

	census->count += IsAnyTarget(PinnedEntry(pin), census->targets);
	return true;
}

void
Sweep(List *targets)
{
	uint64 count = SweepEntries(IsAnyTarget, targets);

	if (count > 0)
		Count(Counter::invalidations, count);
}

/*
 * Have the other servers told, and what has a name removed from Redis.  Values that have none, by relation
 * or tag, are refused by all who were told, and end with their ttl.
 */
void
TellRedis(List *targets)
{
	ListCell *cell;

	foreach (cell, targets)
	{
		const Target *target = static_cast<Target *>(lfirst(cell));

		if (target->everything)
		{
			CarryClear();
			continue;
		}
		CarryChange(target->slot);
		if (target->named)
			CarryRemoval(target->name);
	}
}

/* Invalidate the targets; the number of entries that are any now. */
int64
InvalidateTargets(List *targets)
{
	Census census = {targets, 0};
	ListCell *cell;

	VisitEntries(CountTarget, &census);
	if (redis::Configured())
		EnsureCarrier();
	if (RecoveryInProgress())
	{
		exact::InvalidateNow();
		Sweep(targets);
		if (redis::Configured())
			TellRedis(targets);
		return census.count;
	}
	foreach (cell, targets)
		exact::Invalidate(static_cast<Target *>(lfirst(cell))->slot);

	MemoryContext caller = MemoryContextSwitchTo(TopTransactionContext);

	foreach (cell, targets)
	{
		Target *target = static_cast<Target *>(palloc(sizeof(Target)));

		*target = *static_cast<Target *>(lfirst(cell));
		target->tag = target->tag ? pstrdup(target->tag) : nullptr;
		pending = lappend(pending, target);
	}
	MemoryContextSwitchTo(caller);
	return census.count;
}

/* What a subtransaction that failed had invalidated is no longer our own. */
void
SweepAtCommit(XactEvent event, void *)
{
	switch (event)
	{
	case XACT_EVENT_PRE_COMMIT:
		for (int i = list_length(pending) - 1; i >= 0; i--)
		{
			if (!exact::OwnInvalidated(static_cast<Target *>(list_nth(pending, i))->slot))
				pending = list_delete_nth_cell(pending, i);
		}
		break;
	case XACT_EVENT_COMMIT:
		if (pending != NIL)
			Sweep(pending);
		if (pending != NIL && redis::Configured())
			TellRedis(pending);
		pending = NIL;
		break;
	case XACT_EVENT_ABORT:
	case XACT_EVENT_PREPARE:
		pending = NIL;
		break;
	default:
		break;
	}
}

Target *
NewTarget(exact::Named kind, exact::SlotNo slot)
{
	Target *target = static_cast<Target *>(palloc0(sizeof(Target)));

	target->kind = kind;
	target->slot = slot;
	target->database = MyDatabaseId;
	return target;
}

/* The targets and the one more that this call is, if it can have an entry at all. */
List *
AddKeyTarget(List *targets, const Call &call, Shape shape)
{
	Prospect prospect = LookAhead(call.query, call.query_length, call.args, shape);

	if (prospect.has_key)
	{
		Target *target =
			NewTarget(exact::Named::key, exact::NamedSlot(exact::Named::key, MyDatabaseId,
														  &prospect.key.hash, sizeof(uint64)));

		target->key_hash = prospect.key.hash;
		if (redis::Configured())
		{
			const redis::Identity &identity = redis::GetIdentity();

			target->named = identity.usable && redis::HashKey(identity, prospect.key.bytes,
															  prospect.key.length, &target->name);
		}
		targets = lappend(targets, target);
	}
	EndProspect(&prospect);
	return targets;
}

Datum
InvalidateQuery(FunctionCallInfo fcinfo, const char *symbol)
{
	Call call;

	RequirePreload();
	call = MakeCall(*FindSignature(symbol), RawArgsOf(fcinfo), Shape::rows);
	return Int64GetDatum(
		InvalidateTargets(AddKeyTarget(AddKeyTarget(NIL, call, Shape::rows), call, Shape::json)));
}

} // namespace

void
InitInvalidation()
{
	RegisterXactCallback(SweepAtCommit, nullptr);
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
	Oid relation = PG_GETARG_OID(0);
	cq::Target *target;

	cq::RequirePreload();
	target = cq::NewTarget(cq::exact::Named::relation, cq::exact::DdlSlot(MyDatabaseId, relation));
	target->relation = relation;
	PG_RETURN_INT64(cq::InvalidateTargets(list_make1(target)));
}

PG_FUNCTION_INFO_V1(cached_query_invalidate_tag);
Datum
cached_query_invalidate_tag(PG_FUNCTION_ARGS)
{
	char *tag = text_to_cstring(PG_GETARG_TEXT_PP(0));
	cq::Target *target;

	cq::RequirePreload();
	target =
		cq::NewTarget(cq::exact::Named::tag,
					  cq::exact::NamedSlot(cq::exact::Named::tag, MyDatabaseId, tag, strlen(tag)));
	target->tag = tag;
	PG_RETURN_INT64(cq::InvalidateTargets(list_make1(target)));
}

PG_FUNCTION_INFO_V1(cached_query_clear);
Datum
cached_query_clear(PG_FUNCTION_ARGS)
{
	cq::Target *target;

	(void) fcinfo;
	cq::RequirePreload();
	target = cq::NewTarget(cq::exact::Named::key, cq::exact::kSlotClear);
	target->everything = true;
	PG_RETURN_INT64(cq::InvalidateTargets(list_make1(target)));
}

} // extern "C"
