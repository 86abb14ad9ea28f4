/*
 * inspect.cpp
 *		What a call would meet, without making it: for explain, the views, estimates and eviction.
 */
#include "pg.h"
#include "validity/judge.h"
#include "call/inspect.h"

namespace cq
{

Inspection
Inspect(const char *query, int length, const Args &args, Shape shape)
{
	Inspection inspection = {};
	ParamListInfo params;
	Reason keyed;

	inspection.handle = GetHandle(query, length, args);
	inspection.ttl = TtlReason(inspection.handle->findings, shape, &inspection.ttl_detail);
	inspection.exact = inspection.handle->findings.exact;
	params = ParamsFromArgs(args, inspection.handle->params);
	keyed = BuildKey(*inspection.handle, shape, params, &inspection.key);
	inspection.has_key = keyed == Reason::none;
	if (inspection.has_key)
		inspection.pin =
			FindEntry(inspection.key.hash, inspection.key.bytes, inspection.key.length);
	else if (inspection.ttl == Reason::none)
		inspection.ttl = keyed;
	return inspection;
}

void
EndInspection(Inspection *inspection)
{
	if (inspection->pin != nullptr)
		Unpin(inspection->pin);
	Release(&inspection->handle);
}

namespace
{

/*
 * This is called while a statement is planned, when no code of users may run.  To read a value of a
 * domain runs its constraints, and to read one of a user's type runs the input function of that type.
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
		BuildKey(*handle, Shape::rows, ParamsFromArgs(args, handle->params), &key) == Reason::none)
		pin = FindEntry(key.hash, key.bytes, key.length);
	Release(&handle);
	if (pin == nullptr)
		return false;
	*rows = static_cast<double>(FactsOf(PinnedEntry(pin)).rows);
	Unpin(pin);
	return true;
}

} // namespace cq
