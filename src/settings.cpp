/*
 * settings.cpp
 *		The settings cached_query.*: definitions, check hooks and what is derived from them.
 *
 * Defaults, units and contexts are the interface; docs/settings.md has them as a table.
 */
#include "pg.h"
#include "settings.h"

extern "C" {
#include "utils/varlena.h"
}

#include <climits>

namespace cq
{
namespace settings
{

int memory_mb = 128;
bool enabled = true;
int mode = static_cast<int>(Mode::on);
int default_ttl_s = 60;
int consistency = static_cast<int>(Consistency::ttl);
int max_entry_size_kb = -1;
int max_pinned_kb = -1;
int quota_kb = -1;
int handle_memory_kb = 8192;
char *trusted_functions = nullptr;
char *trusted_scans = nullptr;
uint32 trusted_version = 0;
int min_fill_time_ms = 0;
int nondeterministic = static_cast<int>(Nondeterministic::bypass);
int wait_timeout_ms = 10000;
char *tag = nullptr;
int wire_image = 1;
int stale_for_ms = 0;
int refresh = static_cast<int>(Refresh::caller);
bool refresh_ahead = false;
int refresh_workers = 2;
bool warm_start = false;
int store = static_cast<int>(StoreKind::memory);
int redis_compression = static_cast<int>(Compression::none);
int redis_lease_ms = 0;

} // namespace settings

bool load_tried = false;
bool preloaded = false;

namespace
{

const config_enum_entry mode_options[] = {
	{"on", static_cast<int>(Mode::on), false},
	{"refresh", static_cast<int>(Mode::refresh), false},
	{"read_only", static_cast<int>(Mode::read_only), false},
	{"only_cached", static_cast<int>(Mode::only_cached), false},
	{"off", static_cast<int>(Mode::off), false},
	{nullptr, 0, false}};

const config_enum_entry consistency_options[] = {
	{"ttl", static_cast<int>(Consistency::ttl), false},
	{"exact", static_cast<int>(Consistency::exact), false},
	{nullptr, 0, false}};

const config_enum_entry refresh_options[] = {
	{"caller", static_cast<int>(Refresh::caller), false},
	{"background", static_cast<int>(Refresh::background), false},
	{nullptr, 0, false}};

const config_enum_entry nondeterministic_options[] = {
	{"bypass", static_cast<int>(Nondeterministic::bypass), false},
	{"error", static_cast<int>(Nondeterministic::error), false},
	{"cache", static_cast<int>(Nondeterministic::cache), false},
	{nullptr, 0, false}};

const config_enum_entry wire_image_options[] = {
	{"auto", 1, false}, {"off", 0, false}, {nullptr, 0, false}};
const config_enum_entry store_options[] = {{"memory", static_cast<int>(StoreKind::memory), false},
										   {"redis", static_cast<int>(StoreKind::redis), false},
										   {"tiered", static_cast<int>(StoreKind::tiered), false},
										   {nullptr, 0, false}};

const config_enum_entry compression_options[] = {
	{"none", static_cast<int>(Compression::none), false},
	{"lz4", static_cast<int>(Compression::lz4), false},
	{"zstd", static_cast<int>(Compression::zstd), false},
	{"off", static_cast<int>(Compression::none), true},
	{nullptr, 0, false}};

/* 0 would mean that nothing is ever kept; say so instead of obeying. */
bool
CheckMaxEntrySize(int *newval, void **, GucSource)
{
	if (*newval == -1 || *newval >= 1)
		return true;
	GUC_check_errdetail("It must be -1 (an eighth of cached_query.memory) or at least 1kB.");
	return false;
}

/* A tag is shown in views and hashed into a slot: keep it short and printable. */
bool
CheckTag(char **newval, void **, GucSource)
{
	if (strlen(*newval) > kMaxTagLength)
	{
		GUC_check_errdetail("A tag can have at most %d bytes.", kMaxTagLength);
		return false;
	}
	return true;
}

/* As get_func_name() gives it, perhaps with a schema before it. */
bool
IsFunctionName(const char *name)
{
	bool any = false;

	for (; *name != '\0'; name++)
	{
		if (!IS_HIGHBIT_SET(*name) && !isalnum(static_cast<unsigned char>(*name)) &&
			strchr("_$.", *name) == nullptr)
			return false;
		any = true;
	}
	return any;
}

/* The list must be one of names; whether the functions exist is asked when one is used. */
bool
CheckTrustedFunctions(char **newval, void **, GucSource)
{
	char *copy = pstrdup(*newval);
	List *names = NIL;
	bool ok = SplitGUCList(copy, ',', &names);
	ListCell *cell;

	foreach (cell, names)
		ok = ok && IsFunctionName(static_cast<char *>(lfirst(cell)));
	if (!ok)
		GUC_check_errdetail("It must be a list of function names, schema-qualified or not.");
	list_free(names);
	pfree(copy);
	return ok;
}

bool
CheckTrustedScans(char **newval, void **, GucSource)
{
	char *copy = pstrdup(*newval);
	List *names = NIL;
	bool ok = SplitGUCList(copy, ',', &names);

	if (!ok)
		GUC_check_errdetail("It must be a list of names of plan nodes.");
	list_free(names);
	pfree(copy);
	return ok;
}

/* Handles that were examined under the old list are examined anew. */
void
AssignTrusted(const char *, void *)
{
	settings::trusted_version++;
}

void
DefineServerSettings()
{
	DefineCustomIntVariable(
		"cached_query.memory", "Shared memory for cached results.",
		"All of it is taken at server start; pages are touched as they are used.",
		&settings::memory_mb, 128, 8, 1024 * 1024, PGC_POSTMASTER, GUC_UNIT_MB, nullptr, nullptr,
		nullptr);
	DefineCustomBoolVariable("cached_query.enabled", "Lets the cache be used.",
							 "When off, every call runs its query. No session can override it.",
							 &settings::enabled, true, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
	DefineCustomIntVariable(
		"cached_query.max_entry_size", "Larger results are passed through and not kept.",
		"-1 means an eighth of cached_query.memory.", &settings::max_entry_size_kb, -1, -1, INT_MAX,
		PGC_SUSET, GUC_UNIT_KB, CheckMaxEntrySize, nullptr, nullptr);
	DefineCustomIntVariable(
		"cached_query.max_pinned",
		"Memory of the cache that one session may keep in use, by open cursors and fills.",
		"Rows beyond it are copied to memory or a file of the session. -1 means as much as "
		"cached_query.max_entry_size.",
		&settings::max_pinned_kb, -1, -1, INT_MAX, PGC_SUSET, GUC_UNIT_KB, nullptr, nullptr,
		nullptr);
	DefineCustomIntVariable(
		"cached_query.quota", "Memory that the results of this role in this database may take.",
		"Beyond it the least valuable ones of its own go. -1 means no limit. Meant for "
		"ALTER ROLE and ALTER DATABASE.",
		&settings::quota_kb, -1, -1, INT_MAX, PGC_SUSET, GUC_UNIT_KB, nullptr, nullptr, nullptr);
	DefineCustomStringVariable("cached_query.trusted_functions",
							   "STABLE functions in other languages than SQL and PL/pgSQL that are "
							   "taken at their word.",
							   "A comma-separated list of names, schema-qualified or not.",
							   &settings::trusted_functions, "", PGC_SUSET, GUC_LIST_INPUT,
							   CheckTrustedFunctions, AssignTrusted, nullptr);
	DefineCustomStringVariable("cached_query.trusted_scans",
							   "Plan nodes of other modules that read nothing but the query's "
							   "tables, by the rules of PostgreSQL.",
							   "A comma-separated list of the names that EXPLAIN shows in "
							   "parentheses.",
							   &settings::trusted_scans,
							   "ChunkAppend, ConstraintAwareAppend, DecompressChunk", PGC_SUSET,
							   GUC_LIST_INPUT, CheckTrustedScans, AssignTrusted, nullptr);
	DefineCustomBoolVariable(
		"cached_query.warm_start", "Refills the most valuable results after a clean restart.",
		"Their queries are kept in a file of the data directory, no rows.", &settings::warm_start,
		false, PGC_POSTMASTER, 0, nullptr, nullptr, nullptr);
	DefineCustomIntVariable("cached_query.refresh_workers",
							"Background processes that refresh results at the same time.",
							"Each serves one role in one database, ends when it has nothing to do, "
							"and counts toward max_worker_processes. 0: none.",
							&settings::refresh_workers, 2, 0, kMaxRefreshWorkers, PGC_SIGHUP, 0,
							nullptr, nullptr, nullptr);
	DefineCustomEnumVariable("cached_query.redis_compression",
							 "How rows are compressed on their way to Redis.",
							 "none, lz4 or zstd. What does not shrink by an eighth is kept as it "
							 "is. Either way is read whatever the setting.",
							 &settings::redis_compression, static_cast<int>(Compression::none),
							 compression_options, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
}

void
DefineSessionSettings()
{
	DefineCustomEnumVariable("cached_query.mode", "How calls use the cache.",
							 "on; refresh: recompute and store; read_only: never store; "
							 "only_cached: error on a miss; off: run the query.",
							 &settings::mode, static_cast<int>(Mode::on), mode_options, PGC_USERSET,
							 0, nullptr, nullptr, nullptr);
	DefineCustomIntVariable("cached_query.default_ttl", "Time to live when a call gives none.",
							nullptr, &settings::default_ttl_s, 60, 0, INT_MAX, PGC_USERSET,
							GUC_UNIT_S, nullptr, nullptr, nullptr);
	DefineCustomEnumVariable("cached_query.consistency", "What a hit promises.",
							 "ttl: the result is at most ttl old. exact: it is what the query "
							 "would return under the caller's snapshot.",
							 &settings::consistency, static_cast<int>(Consistency::ttl),
							 consistency_options, PGC_USERSET, 0, nullptr, nullptr, nullptr);
	DefineCustomIntVariable("cached_query.handle_memory",
							"Memory of this session for the plans of cached queries.", nullptr,
							&settings::handle_memory_kb, 8192, 64, MAX_KILOBYTES, PGC_USERSET,
							GUC_UNIT_KB, nullptr, nullptr, nullptr);
	DefineCustomIntVariable("cached_query.min_fill_time",
							"Results that took less time to compute are not kept.",
							"0 keeps all of them.", &settings::min_fill_time_ms, 0, 0, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS, nullptr, nullptr, nullptr);
	DefineCustomEnumVariable(
		"cached_query.nondeterministic", "What is done with queries that call volatile functions.",
		"bypass: run the query; error: refuse it; cache: keep its result "
		"for its ttl.",
		&settings::nondeterministic, static_cast<int>(Nondeterministic::bypass),
		nondeterministic_options, PGC_USERSET, 0, nullptr, nullptr, nullptr);
	DefineCustomIntVariable("cached_query.wait_timeout",
							"How long a call waits for another session that runs the same query.",
							"Then it runs the query itself. 0 means that it never waits.",
							&settings::wait_timeout_ms, 10000, 0, INT_MAX, PGC_USERSET, GUC_UNIT_MS,
							nullptr, nullptr, nullptr);
	DefineCustomIntVariable(
		"cached_query.stale_for",
		"How long after its ttl a cached result may be served while it is refreshed.",
		"0 means never. Exact results are never stale.", &settings::stale_for_ms, 0, 0, INT_MAX,
		PGC_USERSET, GUC_UNIT_MS, nullptr, nullptr, nullptr);
	DefineCustomEnumVariable(
		"cached_query.refresh", "Who refreshes a cached result that is stale or about to expire.",
		"caller: one of the callers, in its call. background: a worker process.",
		&settings::refresh, static_cast<int>(Refresh::caller), refresh_options, PGC_USERSET, 0,
		nullptr, nullptr, nullptr);
	DefineCustomBoolVariable("cached_query.refresh_ahead",
							 "Refreshes results that are often requested before they expire.",
							 "The longer the query takes, the earlier it happens.",
							 &settings::refresh_ahead, false, PGC_USERSET, 0, nullptr, nullptr,
							 nullptr);
	DefineCustomEnumVariable("cached_query.store", "Where results are kept and looked for.",
							 "memory: shared memory of this server. redis: the Redis of "
							 "cached_query.redis_url. tiered: memory, then Redis.",
							 &settings::store, static_cast<int>(StoreKind::memory), store_options,
							 PGC_USERSET, 0, nullptr, nullptr, nullptr);
	DefineCustomIntVariable(
		"cached_query.redis_lease",
		"How long one server may keep others that share its Redis from running a query, too.",
		"They wait for its result, as far as cached_query.wait_timeout lets them. 0: each server "
		"runs it for itself.",
		&settings::redis_lease_ms, 0, 0, kMaxLeaseMs, PGC_USERSET, GUC_UNIT_MS, nullptr, nullptr,
		nullptr);
	DefineCustomStringVariable("cached_query.tag", "Tag given to entries filled by this session.",
							   nullptr, &settings::tag, "", PGC_USERSET, 0, CheckTag, nullptr,
							   nullptr);
	DefineCustomEnumVariable(
		"cached_query.wire_image", "Keeps the messages that a cached result was sent as.",
		"auto: a result that is asked for again is kept in this form, too, while memory "
		"is left, and sent without converting its values; off: it is not.",
		&settings::wire_image, 1, wire_image_options, PGC_USERSET, 0, nullptr, nullptr, nullptr);
}

bool
ParseEnum(const config_enum_entry *options, const char *name, int *value)
{
	for (; options->name; options++)
	{
		if (pg_strcasecmp(options->name, name) == 0)
		{
			*value = options->val;
			return true;
		}
	}
	return false;
}

} // namespace

void
DefineSettings()
{
	DefineServerSettings();
	DefineSessionSettings();
}

void
ReserveSettings()
{
	MarkGUCPrefixReserved("cached_query");
}

uint64
MaxEntryBytes()
{
	if (settings::max_entry_size_kb < 0)
		return StoreMemory() / 8;
	return static_cast<uint64>(settings::max_entry_size_kb) * 1024;
}

uint64
MaxPinnedBytes()
{
	/* an entry's memory is a little more than what max_entry_size counts */
	if (settings::max_pinned_kb < 0)
		return MaxEntryBytes() + MaxEntryBytes() / 32 + 64 * 1024;
	return static_cast<uint64>(settings::max_pinned_kb) * 1024;
}

Size
StoreMemory()
{
	return mul_size(static_cast<Size>(settings::memory_mb), 1024 * 1024);
}

bool
ParseMode(const char *name, Mode *mode)
{
	return ParseEnum(mode_options, name, reinterpret_cast<int *>(mode));
}

bool
ParseConsistency(const char *name, Consistency *consistency)
{
	return ParseEnum(consistency_options, name, reinterpret_cast<int *>(consistency));
}

bool
ParseStore(const char *name, StoreKind *store)
{
	return ParseEnum(store_options, name, reinterpret_cast<int *>(store));
}

} // namespace cq
