/*
 * fingerprint.cpp
 *		The settings a result depends on, as bytes of its key.
 */
#include "pg.h"
#include "query/append.h"
#include "query/fingerprint.h"
#include "query/news.h"

extern "C" {
#include "access/genam.h"
#include "access/gin.h"
#include "access/table.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_namespace.h"
#include "mb/pg_wchar.h"
#include "parser/parse_expr.h"
#include "parser/parser.h"
#include "tcop/tcopprot.h"
#include "tsearch/ts_cache.h"
#include "utils/array.h"
#include "utils/bytea.h"
#include "utils/float.h"
#include "utils/fmgroids.h"
#include "utils/guc_tables.h"
#include "utils/rls.h"
#include "utils/xml.h"
}

namespace cq
{

uint32
ParseFlags()
{
	uint32 restricted = 0;

#ifdef RESTRICT_RELKIND_VIEW /* a minor version brought it */
	restricted = static_cast<uint32>(restrict_nonsystem_relation_kind);
#endif
	return (compat::StandardConformingStrings() ? 1 : 0) | (Transform_null_equals ? 2 : 0) |
		   (Array_nulls ? 4 : 0) | (static_cast<uint32>(backslash_quote) << 4) | (restricted << 6) |
		   (static_cast<uint32>(GinFuzzySearchLimit) << 8);
}

void
AppendRegional(StringInfo to)
{
	const int numbers[] = {
		DateStyle, DateOrder, IntervalStyle,         extra_float_digits,      bytea_output,
		xmlbinary, xmloption, quote_all_identifiers, pg_get_client_encoding()};

	appendBinaryStringInfo(to, reinterpret_cast<const char *>(numbers), sizeof(numbers));
	AppendText(to, pg_get_timezone_name(session_timezone));
	AppendText(to, locale_monetary);
	AppendText(to, locale_numeric);
	AppendText(to, locale_time);
	AppendText(to, locale_messages);
	AppendText(to, TSCurrentConfig);
	/* the server looks up a name of its configuration file at the first use, and keeps it */
	if (unlikely(strchr(TSCurrentConfig, '.') == nullptr))
	{
		const Oid config = getTSCurrentConfig(false);

		appendBinaryStringInfo(to, reinterpret_cast<const char *>(&config), sizeof(config));
	}
	AppendText(to, GetConfigOption("timezone_abbreviations", true, false));
}

/*
 * As current_setting() shows it, which is not always the stored value.  Of a setting that only some
 * roles may read the stored value is taken: the code that reads it may run as another role than the
 * caller.
 */
void
AppendSetting(StringInfo to, const char *name)
{
	char *shown;

	if (GetConfigOptionFlags(name, true) & GUC_SUPERUSER_ONLY)
	{
		AppendText(to, GetConfigOption(name, true, false));
		return;
	}
	shown = GetConfigOptionByName(name, nullptr, true);
	AppendText(to, shown);
	if (shown != nullptr)
		pfree(shown);
}

void
AppendCustomized(StringInfo to)
{
	int count;
	struct config_generic **variables = compat::GucVariables(&count);

	appendStringInfoCharMacro(to, row_security ? 1 : 0);
	for (int i = 0; i < count; i++)
	{
		const char *name = variables[i]->name;

		/* a setting that nobody set exists only if its library is loaded */
		if (variables[i]->source == PGC_S_DEFAULT || strchr(name, '.') == nullptr ||
			strncmp(name, "cached_query.", 13) == 0)
			continue;
		AppendText(to, name);
		AppendSetting(to, name);
	}
}

void
AppendAllSettings(StringInfo to)
{
	/* set at the transaction's begin, with no source */
	static const char *const of_transaction[] = {"transaction_isolation", "transaction_read_only",
												 "transaction_deferrable"};
	int count;
	struct config_generic **variables = compat::GucVariables(&count);

	for (int i = 0; i < count; i++)
	{
		const char *name = variables[i]->name;

		/* a show hook may show what nobody has set: in_hot_standby, or a property of the socket */
		if (variables[i]->source == PGC_S_DEFAULT && !compat::HasShowHook(variables[i]))
		{
			/* it may be unknown in another session: it belongs to a library, or was set by name */
			if (strchr(name, '.') != nullptr && strncmp(name, "cached_query.", 13) != 0)
				AppendText(to, name);
			continue;
		}
		AppendText(to, name);
		AppendSetting(to, name);
	}
	for (const char *name : of_transaction)
		AppendSetting(to, name);
}

namespace
{

/* In order: objects are created in the first schema, and current_schema shows it. */
void
AppendNamedSchemas(StringInfo to)
{
	Oid temporary = TempSchema();
	compat::SearchPath *path = compat::GetSearchPath(CurrentMemoryContext);
	const int count = list_length(path->schemas);
	ListCell *cell;

	appendBinaryStringInfo(to, reinterpret_cast<const char *>(&count), sizeof(count));
	foreach (cell, path->schemas)
	{
		/* the temporary one has another number in each session */
		const Oid schema = lfirst_oid(cell) == temporary ? InvalidOid : lfirst_oid(cell);

		appendBinaryStringInfo(to, reinterpret_cast<const char *>(&schema), sizeof(schema));
	}
	/* would the first use create a schema for temporary objects?  To ask for it would create it */
	if (!OidIsValid(temporary) && strstr(namespace_search_path, "pg_temp") != nullptr)
		AppendText(to, namespace_search_path);
	list_free(path->schemas);
	pfree(path);
}

} // namespace

/* fetch_search_path() can't be used: it creates the schema of temporary objects if that is first. */
void
AppendSearchPath(StringInfo to)
{
	Oid path[64];
	int count = fetch_search_path_array(path, lengthof(path));

	AppendNamedSchemas(to);
	appendBinaryStringInfo(to, reinterpret_cast<char *>(&count), sizeof(count));
	if (count <= static_cast<int>(lengthof(path)))
	{
		appendBinaryStringInfo(to, reinterpret_cast<char *>(path), sizeof(Oid) * count);
		return;
	}

	Oid *all = NewArray<Oid>(count);

	fetch_search_path_array(all, count);
	appendBinaryStringInfo(to, reinterpret_cast<char *>(all), sizeof(Oid) * count);
	pfree(all);
}

Oid
TempSchema()
{
	Oid schema;
	Oid toast_schema;

	GetTempNamespaceState(&schema, &toast_schema);
	return schema;
}

bool
HasTempObjects()
{
	Oid schema;
	Oid toast_schema;
	Relation depend;
	ScanKeyData keys[2];
	SysScanDesc scan;
	static uint64 heard = 0;
	static bool found = false;

	GetTempNamespaceState(&schema, &toast_schema);
	if (!OidIsValid(schema))
		return false;
	if (heard != 0 && heard == news_count)
		return found;

	/* Any object that is made in a schema changes it.  Our own uncommitted objects are seen. */
	depend = table_open(DependRelationId, AccessShareLock);
	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(NamespaceRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(schema));
	scan = systable_beginscan(depend, DependReferenceIndexId, true, nullptr, 2, keys);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
	heard = news_count; /* whatever is made or dropped is told */
	return found;
}

} // namespace cq
