/*
 * inspect.cpp
 *		What a call would meet, without making it: for explain, the views, estimates and eviction.
 */
#include "pg.h"
#include "validity/judge.h"
#include "call/inspect.h"

namespace cq
{

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

} // namespace cq
