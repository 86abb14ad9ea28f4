/*
 * inspect.cpp
 *		What a call would meet, without making it: for explain, the views, estimates and eviction.
 */
#include "pg.h"
#include "validity/lookup.h"
#include "validity/meta.h"

namespace cq
{

const char *
NameOf(State state)
{
	switch (state)
	{
	case State::cold:
		return "cold";
	case State::fresh:
		return "fresh";
	case State::stale:
		return "stale";
	case State::expired:
		return "expired";
	case State::invalidated:
		return "invalidated";
	}
	return nullptr;
}

Prospect
LookAhead(const char *query, int length, const Args &args, Shape shape)
{
	Prospect prospect = {};
	ParamListInfo params;
	Reason keyed;

	prospect.handle = GetHandle(query, length, args);
	prospect.ttl = TtlVerdict(prospect.handle->findings, shape, &prospect.ttl_detail);
	prospect.exact = prospect.handle->findings.exact;
	params = ParamsFromArgs(args, prospect.handle->params);
	keyed = BuildKey(*prospect.handle, shape, params, &prospect.key);
	prospect.has_key = keyed == Reason::hit;
	if (prospect.has_key)
		prospect.pin = FindEntry(prospect.key.hash, prospect.key.bytes, prospect.key.length);
	else if (prospect.ttl == Reason::hit)
		prospect.ttl = keyed;
	return prospect;
}

void
EndProspect(Prospect *prospect)
{
	if (prospect->pin != nullptr)
		Unpin(prospect->pin);
	Release(&prospect->handle);
}

namespace
{

/*
 * This is asked while a statement is planned, which runs no code of its own: reading a domain's value runs its
 * checks, reading one of a user's type that type's function.
 */
bool
ReadsWithUserCode(const Args &args, const Oid *types)
{
	for (int i = 0; i < args.count; i++)
	{
		if (args.types[i] == UNKNOWNOID && types[i] >= FirstUnpinnedObjectId)
			return true;
	}
	return false;
}

} // namespace

bool
EstimateRows(const char *query, int length, const Args &args, double *rows)
{
	HeldHandle handle;
	Key key;
	Pin *pin = nullptr;

	if (length > static_cast<int>(kMaxKeyBytes))
		return false;
	handle = PeekHandle(query, length, args);
	if (!handle)
		handle = GetHandle(query, length, args);
	if (!ReadsWithUserCode(args, handle->params) &&
		BuildKey(*handle, Shape::rows, ParamsFromArgs(args, handle->params), &key) == Reason::hit)
		pin = FindEntry(key.hash, key.bytes, key.length);
	Release(&handle);
	if (pin == nullptr)
		return false;
	*rows = static_cast<double>(FactsOf(PinnedEntry(pin)).rows);
	Unpin(pin);
	return true;
}

State
StateOf(const Entry *entry)
{
	EntryFacts facts = FactsOf(entry);
	exact::View view;
	int64 age;

	if (EntryInvalid(entry))
		return State::invalidated;

	/* what nobody has looked at since it was changed, only a snapshot tells */
	if (exact::Look(&view) == exact::Standing::ok)
	{
		char buffer[512];
		Meta meta = ReadDependencies(entry, buffer, sizeof(buffer));
		Reason reason = CheckSlots(meta.slots, meta.head.slots, view, facts.pos);

		if (reason == Reason::miss_invalidated || reason == Reason::ddl_in_progress)
			return State::invalidated;
	}
	age = GetCurrentTimestamp() - facts.as_of;
	if (age >= facts.ttl_us)
		return State::expired;
	return age >= facts.ttl_us - facts.stale_us ? State::stale : State::fresh;
}

bool
EntryInvalid(const Entry *entry)
{
	EntryFacts facts = FactsOf(entry);
	const int64 then_ms = exact::LastVoided() == 0 ? 0 : MomentOf(facts);
	MetaHead head;
	exact::SlotNo slots[64];

	if (facts.generation != exact::Generation())
		return true;
	ReadMeta(entry, 0, &head, sizeof(head));
	for (uint32 done = 0; done < head.slots; done += lengthof(slots))
	{
		uint32 count = Min(head.slots - done, static_cast<uint32>(lengthof(slots)));

		ReadMeta(entry, sizeof(head) + done * sizeof(slots[0]), slots, count * sizeof(slots[0]));
		for (uint32 i = 0; i < count; i++)
		{
			if (exact::MovedSince(slots[i], facts.pos))
				return true;
		}
		if (then_ms != 0 && exact::VoidedSince(slots, count, then_ms))
			return true;
	}
	return false;
}

} // namespace cq
