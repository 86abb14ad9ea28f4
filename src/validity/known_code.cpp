/*
 * known_code.cpp
 *		Only code that a result depends on may run while its query is analysed and planned.
 */
#include "pg.h"
#include "validity/known_code.h"

extern "C" {
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "fmgr.h"
#include "utils/regproc.h"
}

#include <algorithm>

namespace cq
{
namespace
{

const exact::SlotNo *known = nullptr;
uint32 known_count = 0;
bool active = false;
bool refused = false;
bool hooked = false;
fmgr_hook_type previous_fmgr = nullptr;

/* C and internal: only superusers can make such functions. */
bool
IsOfServer(Oid function)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid language = InvalidOid;

	if (!HeapTupleIsValid(tuple))
		return false;
	language = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple))->prolang;
	ReleaseSysCache(tuple);
	return language == INTERNALlanguageId || language == ClanguageId;
}

/*
 * PostgreSQL asks needs_fmgr_hook of all functions but those that have SET clauses or are SECURITY DEFINER, and calls
 * this hook for those and for all that the other one wanted.
 */
void
RefuseStrangers(FmgrHookEventType event, FmgrInfo *function, Datum *arg)
{
	if (event == FHET_START && MustNotRun(function->fn_oid))
	{
		refused = true;
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("function %s is not run by a refresh worker while it plans the query",
						format_procedure(function->fn_oid)),
				 errdetail("The query did not depend on it when its result was cached.")));
	}
	if (previous_fmgr != nullptr)
		previous_fmgr(event, function, arg);
}

} // namespace

void
BeginKnownCode(const exact::SlotNo *slots, uint32 count)
{
	if (!hooked)
	{
		previous_fmgr = fmgr_hook;
		fmgr_hook = RefuseStrangers;
		hooked = true;
	}
	known = slots;
	known_count = count;
	active = true;
	refused = false;
}

bool
EndKnownCode()
{
	active = false;
	known = nullptr;
	known_count = 0;
	return refused;
}

bool
MustNotRun(Oid function)
{
	return unlikely(active) && !IsOfServer(function) &&
		   !std::binary_search(known, known + known_count, exact::ObjectSlot(PROCOID, function));
}

} // namespace cq
