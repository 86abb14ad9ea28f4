/*
 * symbol.cpp
 *		Which functions in the catalogs are this library's.
 */
#include "pg.h"
#include "base/symbol.h"

extern "C" {
#include "catalog/pg_language.h"
}

namespace cq
{

char *
OurSymbol(HeapTuple function)
{
	bool null;
	Datum library;
	Datum symbol;

	if (reinterpret_cast<Form_pg_proc>(GETSTRUCT(function))->prolang != ClanguageId)
		return nullptr;
	library = SysCacheGetAttr(PROCOID, function, Anum_pg_proc_probin, &null);
	if (null || strcmp(TextDatumGetCString(library), "$libdir/cached_query") != 0)
		return nullptr;
	symbol = SysCacheGetAttr(PROCOID, function, Anum_pg_proc_prosrc, &null);
	return null ? nullptr : TextDatumGetCString(symbol);
}

bool
IsBoundTo(Oid function, const char *symbol)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	const char *ours = HeapTupleIsValid(tuple) ? OurSymbol(tuple) : nullptr;

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return ours != nullptr && strcmp(ours, symbol) == 0;
}

} // namespace cq
