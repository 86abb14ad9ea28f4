/*
 * settings.h
 *		The settings cached_query.*: their variables, and reading options given with a call.
 */
#pragma once

#include "pg.h"

namespace cq
{

enum class Mode : int
{
	on,
	refresh,     // recompute and store
	read_only,   // never store
	only_cached, // error on a miss
	off
};

enum class Consistency : int
{
	ttl,
	exact
};

enum class Refresh : int
{
	caller,    // one of the callers recomputes, in its call
	background // a worker does, and nobody waits
};

enum class Nondeterministic : int
{
	bypass,
	error,
	cache
};

/* Where entries are kept and looked for. */
enum class StoreKind : int
{
	memory,
	redis, // shared by servers; memory only on the way there
	tiered // memory in front of Redis
};

enum class Compression : int
{
	none,
	lz4,
	zstd
};

namespace settings
{
extern int memory_mb;           // cached_query.memory
extern bool enabled;            // cached_query.enabled
extern int mode;                // Mode
extern int default_ttl_s;       // cached_query.default_ttl
extern int consistency;         // Consistency
extern int max_entry_size_kb;   // -1: an eighth of memory
extern int max_pinned_kb;       // cached_query.max_pinned; -1: what one entry may take
extern int quota_kb;            // cached_query.quota; -1: none
extern int handle_memory_kb;    // cached_query.handle_memory
extern char *trusted_functions; // as given; TrustedFunction() asks it
extern char *trusted_scans;     // as given; TrustedScan() asks it
extern uint32 trusted_version;  // raised when one of them changes
extern int min_fill_time_ms;
extern int nondeterministic; // Nondeterministic
extern int wait_timeout_ms;  // cached_query.wait_timeout
extern char *tag;            // cached_query.tag
extern int wire_image;       // cached_query.wire_image: 0 off, 1 auto
extern int stale_for_ms;     // cached_query.stale_for
extern int refresh;          // Refresh
extern bool refresh_ahead;
extern int refresh_workers;   // cached_query.refresh_workers
extern bool warm_start;       // cached_query.warm_start
extern int store;             // StoreKind
extern int redis_compression; // Compression
extern int redis_lease_ms;    // cached_query.redis_lease; 0: none
} // namespace settings

constexpr int kMaxTagLength = 256;
constexpr int kMaxRefreshWorkers = 16;
constexpr int kMaxLeaseMs = 3600 * 1000;

/* Bytes that one entry may take. */
extern uint64 MaxEntryBytes();
/* Bytes of entries that one session may keep from being evicted. */
extern uint64 MaxPinnedBytes();
/* All shared memory for entries, in bytes. */
extern Size StoreMemory();
extern bool ParseMode(const char *name, Mode *mode);
extern bool ParseConsistency(const char *name, Consistency *consistency);
extern bool ParseStore(const char *name, StoreKind *store);

/* Was the library loaded by shared_preload_libraries, and is its shared memory set up? */
extern bool load_tried;
extern bool preloaded;

/* Those that all rooms see; rooms define their own.  After all of them: other names are errors. */
extern void DefineSettings();
extern void ReserveSettings();

} // namespace cq
