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
#include "fill/call.h"
#include "fill/meta.h"
#include "sql/sql.h"
#include "stats/stats.h"

namespace cq
{
namespace
{

/* Slots invalidated by this transaction, in TopTransactionContext. */
List *pending = NIL;

/* Does the entry depend on one of the slots?  No error, no lock. */
bool
DependsOn(const Entry *entry, void *arg)
{
	List *slots = static_cast<List *>(arg);
	MetaHead head;
	exact::SlotNo some[64];
	ListCell *cell;

	ReadMeta(entry, 0, &head, sizeof(head));
	for (uint32 done = 0; done < head.slots; done += lengthof(some))
	{
		uint32 count = Min(head.slots - done, static_cast<uint32>(lengthof(some)));

		ReadMeta(entry, sizeof(head) + done * sizeof(some[0]), some, count * sizeof(some[0]));
		for (uint32 i = 0; i < count; i++)
		{
			foreach (cell, slots)
			{
				if (some[i] == static_cast<exact::SlotNo>(lfirst_int(cell)))
					return true;
			}
		}
	}
	return false;
}

struct Census
{
	List *slots;
	int64 count;
};

bool
CountDependent(Pin *pin, void *arg)
{
	Census *census = static_cast<Census *>(arg);

	census->count += DependsOn(PinnedEntry(pin), census->slots);
	return true;
}

void
Sweep(List *slots)
{
	uint64 count = SweepEntries(DependsOn, slots);

	if (count > 0)
		Count(Counter::invalidations, count);
}

/* Invalidate what depends on any of the slots; the number of entries that do now. */
int64
InvalidateSlots(List *slots)
{
	Census census = {slots, 0};
	MemoryContext caller;
	ListCell *cell;

	VisitEntries(CountDependent, &census);
	if (RecoveryInProgress())
	{
		exact::InvalidateNow();
		Sweep(slots);
		return census.count;
	}
	foreach (cell, slots)
		exact::Invalidate(static_cast<exact::SlotNo>(lfirst_int(cell)));
	caller = MemoryContextSwitchTo(TopTransactionContext);
	pending = list_concat_unique_int(pending, slots);
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
			if (!exact::OwnInvalidated(static_cast<exact::SlotNo>(list_nth_int(pending, i))))
				pending = list_delete_nth_cell(pending, i);
		}
		break;
	case XACT_EVENT_COMMIT:
		if (pending != NIL)
			Sweep(pending);
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

List *
KeySlot(const Call &call, Shape shape, List *slots)
{
	Prospect prospect = LookAhead(call.query, call.query_length, call.args, shape, -1);

	if (prospect.pin != nullptr)
		Unpin(prospect.pin);
	return lappend_int(slots, static_cast<int>(exact::NamedSlot(exact::Named::key, MyDatabaseId,
																&prospect.key.hash,
																sizeof(uint64))));
}

Datum
InvalidateQuery(FunctionCallInfo fcinfo, const char *symbol)
{
	Call call;
	List *slots;

	RequirePreload();
	call = MakeCall(*FindSignature(symbol), RawArgsOf(fcinfo), Shape::rows);
	slots = KeySlot(call, Shape::rows, NIL);
	slots = KeySlot(call, Shape::json, slots);
	return Int64GetDatum(InvalidateSlots(slots));
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

	cq::RequirePreload();
	PG_RETURN_INT64(cq::InvalidateSlots(
		list_make1_int(static_cast<int>(cq::exact::DdlSlot(MyDatabaseId, relation)))));
}

PG_FUNCTION_INFO_V1(cached_query_invalidate_tag);
Datum
cached_query_invalidate_tag(PG_FUNCTION_ARGS)
{
	text *tag = PG_GETARG_TEXT_PP(0);

	cq::RequirePreload();
	PG_RETURN_INT64(cq::InvalidateSlots(list_make1_int(static_cast<int>(cq::exact::NamedSlot(
		cq::exact::Named::tag, MyDatabaseId, VARDATA_ANY(tag), VARSIZE_ANY_EXHDR(tag))))));
}

PG_FUNCTION_INFO_V1(cached_query_clear);
Datum
cached_query_clear(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	cq::RequirePreload();
	PG_RETURN_INT64(
		cq::InvalidateSlots(list_make1_int(static_cast<int>(cq::exact::kSlotClear))));
}

} // extern "C"
