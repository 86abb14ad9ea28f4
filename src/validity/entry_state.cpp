/*
 * entry_state.cpp
 *		The state of an entry, apart from any call.
 */
#include "pg.h"
#include "validity/entry_state.h"
#include "validity/judge.h"
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

State
StateOf(const Entry *entry, bool exact)
{
	EntryFacts facts = FactsOf(entry);
	exact::View view;
	int64 age;

	if (EntryInvalid(entry))
		return State::invalidated;

	/*
	 * of a listed transaction that nobody has checked since, only a snapshot can tell whether it is
	 * complete
	 */
	if (exact::Look(&view) == exact::Standing::ok)
	{
		char buffer[512];
		Meta meta = ReadDependencies(entry, buffer, sizeof(buffer));
		Reason reason = CheckSlots(meta.slots, meta.head.slots, view, facts.pos);

		if (exact && reason == Reason::none)
			reason = CheckSlots(meta.write_slots, meta.head.write_slots, view, facts.pos);
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
