/*
 * trusted.cpp
 *		What cached_query.trusted_functions and cached_query.trusted_scans name.
 */
#include "pg.h"
#include "query/trusted.h"
#include "settings.h"

extern "C" {
#include "utils/varlena.h"
}

namespace cq
{

bool
TrustedScan(const char *name)
{
	List *names = NIL;
	ListCell *cell;

	if (settings::trusted_scans == nullptr ||
		!SplitGUCList(pstrdup(settings::trusted_scans), ',', &names))
		return false;
	foreach (cell, names)
	{
		if (strcmp(static_cast<char *>(lfirst(cell)), name) == 0)
			return true;
	}
	return false;
}

bool
TrustedFunction(Oid function)
{
	if (settings::trusted_functions == nullptr || settings::trusted_functions[0] == '\0')
		return false;

	const char *name = get_func_name(function);
	const char *schema = get_namespace_name(get_func_namespace(function));
	List *names = NIL;
	ListCell *cell;

	if (name == nullptr || schema == nullptr ||
		!SplitGUCList(pstrdup(settings::trusted_functions), ',', &names))
		return false;
	foreach (cell, names)
	{
		const char *given = static_cast<char *>(lfirst(cell));

		if (strcmp(given, name) == 0 || strcmp(given, psprintf("%s.%s", schema, name)) == 0)
			return true;
	}
	return false;
}

} // namespace cq
