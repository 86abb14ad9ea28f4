/*
 * reason.h
 *		The one list of all outcomes that a call can have: code, kind and description.
 *
 * A call of a reader function has exactly one outcome.  Users see the codes in cached_query_reasons,
 * cached_query_explain() and EXPLAIN, and docs/reasons.md explains each.  Applications may compare with
 * codes, so codes are added but never renamed or removed.
 */
#pragma once

#include <cstdint>

namespace cq
{

enum class Kind : uint8_t
{
	hit,   // rows came from the cache
	miss,  // the query ran, and its rows were cached if possible
	bypass // the query ran, and its rows may not be cached
};

/* code, kind, description */
#define CQ_REASONS(X)                                                                              \
	X(hit, hit, "rows came from the cache")                                                        \
	X(stale_hit, hit, "rows came from an expired entry within stale_for")                          \
	X(redis_hit, hit, "rows came from Redis")                                                      \
	X(miss_cold, miss, "no entry had this key")                                                    \
	X(miss_expired, miss, "the entry was older than the ttl asked for")                            \
	X(miss_invalidated, miss, "the entry was invalidated, or a definition it depends on changed")  \
	X(miss_refresh, miss, "a fresh result was asked for (mode refresh, ttl 0, _refresh)")          \
	X(miss_ahead, miss, "refreshed before it expired, by cached_query.refresh_ahead")              \
	X(miss_not_exact, miss, "the entry is good for ttl reads only and an exact one was asked for") \
	X(miss_locked, miss, "another session has locked a table that the entry depends on")           \
	X(changed_during_fill, miss, "ran, not kept: a dependency changed while the query ran")        \
	X(too_large, miss, "ran, not kept: the result exceeds cached_query.max_entry_size")            \
	X(no_memory, miss, "ran, not kept: everything in the cache is in use")                         \
	X(over_quota, miss,                                                                            \
	  "ran, not kept: the role's results would take more than cached_query.quota")                 \
	X(too_many_dependencies, miss, "ran, not kept: the query reads too many relations")            \
	X(cheap, miss, "ran, not kept: it took less than min_fill_time")                               \
	X(nested_write, miss, "ran, not kept: a function inside wrote or ran a utility command")       \
	X(nested_uncacheable, miss, "ran, not kept: a function inside read what can't be cached")      \
	X(ghost, miss,                                                                                 \
	  "ran, not kept: no run since the last change showed that its result would return")           \
	X(would_hit, miss,                                                                             \
	  "ran, not kept: cached_query.auto is observe, and the last result is still good")            \
	X(parallel_function, miss, "ran, not kept: parallel workers run functions of users")           \
	X(read_only, bypass, "mode read_only: no entry, nothing kept")                                 \
	X(hint_invalid, bypass, "a hint in the statement's comment was not understood")                \
	X(rule_off, bypass, "a rule of cached_query_rules says off")                                   \
	X(rules_unread, bypass, "cached_query_rules is locked, or ALTER TABLE has changed it")         \
	X(disabled, bypass, "cached_query.enabled is off")                                             \
	X(mode_off, bypass, "mode off")                                                                \
	X(volatile_function, bypass, "the query calls a volatile function")                            \
	X(session_function, bypass, "the query calls a function bound to this session or moment")      \
	X(temp_relation, bypass, "the query uses a temporary table or type")                           \
	X(record_column, bypass, "a result column is an anonymous record")                             \
	X(record_parameter, bypass, "an argument is an anonymous record or of another pseudo-type")    \
	X(key_too_large, bypass, "the text or the arguments are too long for a key")                   \
	X(no_identity, bypass, "the query has parts of another module, which can't be compared")       \
	X(own_write, bypass, "this transaction has changed what the query reads")                      \
	X(own_invalidation, bypass, "this transaction has invalidated the entry")                      \
	X(serializable, bypass, "SERIALIZABLE: a hit would hide the read from conflict detection")     \
	X(foreign_snapshot, bypass, "imported or historic snapshot")                                   \
	X(no_snapshot, bypass, "no usable snapshot")                                                   \
	X(parallel_worker, bypass, "called in a parallel worker")                                      \
	X(newer_than_snapshot, bypass, "the entry is newer than this transaction's snapshot")          \
	X(older_than_change, bypass, "this snapshot may be older than a change of a dependency")       \
	X(ddl_in_progress, bypass, "a definition the query depends on is being changed")               \
	X(in_flight, bypass, "too many writers of a dependency are in flight")                         \
	X(time_function, bypass, "exact: the query depends on the time")                               \
	X(dep_foreign_table, bypass, "exact: the query reads a foreign table")                         \
	X(dep_catalog, bypass, "exact: the query reads a system catalog")                              \
	X(dep_sequence, bypass, "exact: the query reads a sequence")                                   \
	X(dep_access_method, bypass, "exact: a table's access method is not heap")                     \
	X(untrusted_scan, bypass, "exact: a plan node of another module reads the rows")               \
	X(untrusted_function, bypass, "exact: what a function reads can't be known")                   \
	X(system_column, bypass, "exact: the query reads a system column")                             \
	X(tablesample, bypass, "exact: the query samples a table")                                     \
	X(exact_in_recovery, bypass, "exact: a standby can't tell who writes a table")

enum class Reason : uint8_t
{
#define CQ_ENUM(code, kind, text) code,
	CQ_REASONS(CQ_ENUM)
#undef CQ_ENUM
	count,
	none = hit // no objection found so far; so zeroed memory says hit, before anything is decided
};

constexpr int kReasons = static_cast<int>(Reason::count);

struct ReasonInfo
{
	const char *code;
	Kind kind;
	const char *description;
};

extern const ReasonInfo &Describe(Reason reason);

} // namespace cq
