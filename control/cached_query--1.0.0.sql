/* control/cached_query--1.0.0.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION cached_query" to load this file. \quit

CREATE FUNCTION cached_query_support(internal)
RETURNS internal
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT;
COMMENT ON FUNCTION cached_query_support(internal) IS
'planner support: row estimate of a cached result';

CREATE FUNCTION cached_query(query text, ttl interval DEFAULT NULL)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'cached_query'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100 ROWS 1000 SUPPORT cached_query_support;
COMMENT ON FUNCTION cached_query(text, interval) IS
'rows of the query, from the cache if younger than ttl (NULL: cached_query.default_ttl)';

CREATE FUNCTION cached_query(query text, ttl interval, VARIADIC args "any")
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'cached_query_args'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100 ROWS 1000 SUPPORT cached_query_support;
COMMENT ON FUNCTION cached_query(text, interval, VARIADIC "any") IS
'cached_query with arguments $1..$n';

CREATE FUNCTION cached_query(query text, ttl interval, VARIADIC args text[])
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'cached_query_text'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100 ROWS 1000 SUPPORT cached_query_support;
COMMENT ON FUNCTION cached_query(text, interval, VARIADIC text[]) IS
'cached_query with arguments as text, which get the types that the query expects';

CREATE FUNCTION cached_query_with(options jsonb, query text, ttl interval DEFAULT NULL)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'cached_query_with'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100 ROWS 1000 SUPPORT cached_query_support;
COMMENT ON FUNCTION cached_query_with(jsonb, text, interval) IS
'options mode, consistency, store, tag, min_fill_time, wait_timeout, stale_for, redis_lease';

CREATE FUNCTION cached_query_with(options jsonb, query text, ttl interval, VARIADIC args "any")
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'cached_query_with_args'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100 ROWS 1000 SUPPORT cached_query_support;
COMMENT ON FUNCTION cached_query_with(jsonb, text, interval, VARIADIC "any") IS
'options mode, consistency, store, tag, min_fill_time, wait_timeout, stale_for, redis_lease; arguments $1..$n';

CREATE FUNCTION cached_query_with(options jsonb, query text, ttl interval, VARIADIC args text[])
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'cached_query_with_text'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100 ROWS 1000 SUPPORT cached_query_support;
COMMENT ON FUNCTION cached_query_with(jsonb, text, interval, VARIADIC text[]) IS
'options mode, consistency, store, tag, min_fill_time, wait_timeout, stale_for, redis_lease; arguments as text';

CREATE FUNCTION cached_query_as(row_type anyelement, query text, ttl interval DEFAULT NULL)
RETURNS SETOF anyelement
AS 'MODULE_PATHNAME', 'cached_query_as'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100 ROWS 1000 SUPPORT cached_query_support;
COMMENT ON FUNCTION cached_query_as(anyelement, text, interval) IS
'cached_query with the columns of a row type: cached_query_as(NULL::my_table, ...)';

CREATE FUNCTION cached_query_as(row_type anyelement, query text, ttl interval, VARIADIC args "any")
RETURNS SETOF anyelement
AS 'MODULE_PATHNAME', 'cached_query_as_args'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100 ROWS 1000 SUPPORT cached_query_support;
COMMENT ON FUNCTION cached_query_as(anyelement, text, interval, VARIADIC "any") IS
'cached_query_as with arguments $1..$n';

CREATE FUNCTION cached_query_as(row_type anyelement, query text, ttl interval, VARIADIC args text[])
RETURNS SETOF anyelement
AS 'MODULE_PATHNAME', 'cached_query_as_text'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100 ROWS 1000 SUPPORT cached_query_support;
COMMENT ON FUNCTION cached_query_as(anyelement, text, interval, VARIADIC text[]) IS
'cached_query_as with arguments as text, which get the types that the query expects';

CREATE FUNCTION cached_query_json(query text, ttl interval DEFAULT NULL)
RETURNS json
AS 'MODULE_PATHNAME', 'cached_query_json'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100;
COMMENT ON FUNCTION cached_query_json(text, interval) IS
'the rows as one JSON array of objects, cached as text';

CREATE FUNCTION cached_query_json(query text, ttl interval, VARIADIC args "any")
RETURNS json
AS 'MODULE_PATHNAME', 'cached_query_json_args'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100;
COMMENT ON FUNCTION cached_query_json(text, interval, VARIADIC "any") IS
'cached_query_json with arguments $1..$n';

CREATE FUNCTION cached_query_json(query text, ttl interval, VARIADIC args text[])
RETURNS json
AS 'MODULE_PATHNAME', 'cached_query_json_text'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100;
COMMENT ON FUNCTION cached_query_json(text, interval, VARIADIC text[]) IS
'cached_query_json with arguments as text, which get the types that the query expects';

CREATE FUNCTION cached_query_refresh(query text, ttl interval DEFAULT NULL)
RETURNS bigint
AS 'MODULE_PATHNAME', 'cached_query_refresh'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION cached_query_refresh(text, interval) IS
'runs the query, replaces the cached result and returns the number of rows';

CREATE FUNCTION cached_query_refresh(query text, ttl interval, VARIADIC args "any")
RETURNS bigint
AS 'MODULE_PATHNAME', 'cached_query_refresh_args'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION cached_query_refresh(text, interval, VARIADIC "any") IS
'cached_query_refresh with arguments $1..$n';

CREATE FUNCTION cached_query_refresh(query text, ttl interval, VARIADIC args text[])
RETURNS bigint
AS 'MODULE_PATHNAME', 'cached_query_refresh_text'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION cached_query_refresh(text, interval, VARIADIC text[]) IS
'cached_query_refresh with arguments as text, which get the types that the query expects';

CREATE FUNCTION cached_query_columns(query text)
RETURNS text
AS 'MODULE_PATHNAME', 'cached_query_columns'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100;
COMMENT ON FUNCTION cached_query_columns(text) IS
'the column list to write after AS t(...)';

CREATE FUNCTION cached_query_columns(query text, VARIADIC args "any")
RETURNS text
AS 'MODULE_PATHNAME', 'cached_query_columns_args'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100;
COMMENT ON FUNCTION cached_query_columns(text, VARIADIC "any") IS
'cached_query_columns with arguments $1..$n';

CREATE FUNCTION cached_query_columns(query text, VARIADIC args text[])
RETURNS text
AS 'MODULE_PATHNAME', 'cached_query_columns_text'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100;
COMMENT ON FUNCTION cached_query_columns(text, VARIADIC text[]) IS
'cached_query_columns with arguments as text, which get the types that the query expects';

CREATE FUNCTION cached_query_explain(IN query text,
	OUT cacheable boolean, OUT reason text, OUT detail text, OUT consistency text,
	OUT relations regclass[], OUT key text, OUT state text, OUT tier text, OUT age interval,
	OUT expires_in interval, OUT rows bigint, OUT bytes bigint, OUT columns text,
	OUT granularity text[])
RETURNS record
AS 'MODULE_PATHNAME', 'cached_query_explain'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100;
COMMENT ON FUNCTION cached_query_explain(text) IS
'whether the query can be cached, if not why, and what the cache holds for it';

CREATE FUNCTION cached_query_explain(IN query text,
	OUT cacheable boolean, OUT reason text, OUT detail text, OUT consistency text,
	OUT relations regclass[], OUT key text, OUT state text, OUT tier text, OUT age interval,
	OUT expires_in interval, OUT rows bigint, OUT bytes bigint, OUT columns text,
	OUT granularity text[], VARIADIC args "any")
RETURNS record
AS 'MODULE_PATHNAME', 'cached_query_explain_args'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100;
COMMENT ON FUNCTION cached_query_explain(text, VARIADIC "any") IS
'cached_query_explain with arguments $1..$n';

CREATE FUNCTION cached_query_explain(IN query text,
	OUT cacheable boolean, OUT reason text, OUT detail text, OUT consistency text,
	OUT relations regclass[], OUT key text, OUT state text, OUT tier text, OUT age interval,
	OUT expires_in interval, OUT rows bigint, OUT bytes bigint, OUT columns text,
	OUT granularity text[], VARIADIC args text[])
RETURNS record
AS 'MODULE_PATHNAME', 'cached_query_explain_text'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100;
COMMENT ON FUNCTION cached_query_explain(text, VARIADIC text[]) IS
'cached_query_explain with arguments as text, which get the types that the query expects';

CREATE FUNCTION cached_query_explain_statement(IN query text,
	OUT candidate boolean, OUT reason text, OUT detail text, OUT consistency text,
	OUT relations regclass[], OUT key text, OUT state text, OUT tier text, OUT age interval,
	OUT expires_in interval, OUT rows bigint, OUT bytes bigint, OUT chosen_by text, OUT rule text,
	OUT ttl interval, OUT stale_for interval, OUT tag text, OUT slow boolean, OUT last_run interval,
	OUT voided_by regclass)
RETURNS record
AS 'MODULE_PATHNAME', 'cached_query_explain_statement'
LANGUAGE C STABLE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION cached_query_explain_statement(text) IS
'what cached_query.auto would do with the statement now, if not why, and what the cache holds for it';

CREATE FUNCTION cached_query_explain_statement(IN query text,
	OUT candidate boolean, OUT reason text, OUT detail text, OUT consistency text,
	OUT relations regclass[], OUT key text, OUT state text, OUT tier text, OUT age interval,
	OUT expires_in interval, OUT rows bigint, OUT bytes bigint, OUT chosen_by text, OUT rule text,
	OUT ttl interval, OUT stale_for interval, OUT tag text, OUT slow boolean, OUT last_run interval,
	OUT voided_by regclass,
	VARIADIC args "any")
RETURNS record
AS 'MODULE_PATHNAME', 'cached_query_explain_statement_args'
LANGUAGE C STABLE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION cached_query_explain_statement(text, VARIADIC "any") IS
'cached_query_explain_statement with arguments $1..$n';

CREATE FUNCTION cached_query_explain_statement(IN query text,
	OUT candidate boolean, OUT reason text, OUT detail text, OUT consistency text,
	OUT relations regclass[], OUT key text, OUT state text, OUT tier text, OUT age interval,
	OUT expires_in interval, OUT rows bigint, OUT bytes bigint, OUT chosen_by text, OUT rule text,
	OUT ttl interval, OUT stale_for interval, OUT tag text, OUT slow boolean, OUT last_run interval,
	OUT voided_by regclass,
	VARIADIC args text[])
RETURNS record
AS 'MODULE_PATHNAME', 'cached_query_explain_statement_text'
LANGUAGE C STABLE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION cached_query_explain_statement(text, VARIADIC text[]) IS
'cached_query_explain_statement with arguments as text, which get the types that the query expects';

CREATE FUNCTION cached_query_invalidate(query text)
RETURNS bigint
AS 'MODULE_PATHNAME', 'cached_query_invalidate'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION cached_query_invalidate(text) IS
'invalidates the cached result at commit; returns how many entries become invalid';

CREATE FUNCTION cached_query_invalidate(query text, VARIADIC args "any")
RETURNS bigint
AS 'MODULE_PATHNAME', 'cached_query_invalidate_args'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION cached_query_invalidate(text, VARIADIC "any") IS
'cached_query_invalidate with arguments $1..$n';

CREATE FUNCTION cached_query_invalidate(query text, VARIADIC args text[])
RETURNS bigint
AS 'MODULE_PATHNAME', 'cached_query_invalidate_text'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION cached_query_invalidate(text, VARIADIC text[]) IS
'cached_query_invalidate with arguments as text, which get the types that the query expects';

CREATE FUNCTION cached_query_invalidate_relation(relation regclass)
RETURNS bigint
AS 'MODULE_PATHNAME', 'cached_query_invalidate_relation'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100 STRICT;
COMMENT ON FUNCTION cached_query_invalidate_relation(regclass) IS
'invalidates at commit all results that read the relation; returns how many at most';

CREATE FUNCTION cached_query_invalidate_tag(tag text)
RETURNS bigint
AS 'MODULE_PATHNAME', 'cached_query_invalidate_tag'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100 STRICT;
COMMENT ON FUNCTION cached_query_invalidate_tag(text) IS
'invalidates at commit all results of this database with the tag; returns how many at most';

CREATE FUNCTION cached_query_clear()
RETURNS bigint
AS 'MODULE_PATHNAME', 'cached_query_clear'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION cached_query_clear() IS
'invalidates at commit all results of the server; returns how many';

CREATE FUNCTION cached_query_stats_reset()
RETURNS void
AS 'MODULE_PATHNAME', 'cached_query_stats_reset'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION cached_query_stats_reset() IS
'sets the counters of cached_query_stats and cached_query_reasons to zero';

REVOKE ALL ON FUNCTION cached_query_invalidate_relation(regclass) FROM PUBLIC;
REVOKE ALL ON FUNCTION cached_query_invalidate_tag(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION cached_query_clear() FROM PUBLIC;
REVOKE ALL ON FUNCTION cached_query_stats_reset() FROM PUBLIC;

/* The views. Each reads shared memory through a function. */

CREATE FUNCTION cached_query_get_stats(
	OUT hits bigint, OUT stale_hits bigint, OUT misses bigint, OUT fills bigint,
	OUT stores bigint, OUT coalesced bigint, OUT refreshes bigint, OUT refresh_failures bigint,
	OUT refreshes_skipped bigint, OUT bypasses bigint, OUT evictions bigint,
	OUT expirations bigint, OUT invalidations bigint, OUT errors bigint, OUT entries bigint,
	OUT memory_used bigint, OUT memory_total bigint, OUT saved_ms double precision,
	OUT image_hits bigint, OUT images bigint, OUT image_memory bigint,
	OUT redis_hits bigint, OUT redis_misses bigint, OUT redis_skipped bigint,
	OUT redis_rejected bigint, OUT redis_stores bigint, OUT redis_dropped bigint,
	OUT redis_leases bigint, OUT redis_lease_waits bigint,
	OUT stats_reset timestamp with time zone)
RETURNS record
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL SAFE;
COMMENT ON FUNCTION cached_query_get_stats() IS 'the row of view cached_query_stats';

CREATE VIEW cached_query_stats AS SELECT * FROM cached_query_get_stats();
COMMENT ON VIEW cached_query_stats IS
'counters of the cache since stats_reset, and its memory; in bytes and milliseconds';

COMMENT ON COLUMN cached_query_stats.hits IS 'calls that returned rows from the cache';
COMMENT ON COLUMN cached_query_stats.stale_hits IS 'of the hits, those from an expired entry within stale_for';
COMMENT ON COLUMN cached_query_stats.misses IS 'calls whose query ran in order to cache the result';
COMMENT ON COLUMN cached_query_stats.fills IS 'queries that ran in order to cache the result';
COMMENT ON COLUMN cached_query_stats.stores IS 'results that were cached';
COMMENT ON COLUMN cached_query_stats.coalesced IS 'of the hits, those that waited for another session to run the query';
COMMENT ON COLUMN cached_query_stats.refreshes IS 'results that workers refreshed';
COMMENT ON COLUMN cached_query_stats.refresh_failures IS 'refreshes that a worker began but did not complete';
COMMENT ON COLUMN cached_query_stats.refreshes_skipped IS 'refreshes that were due but that no worker began';
COMMENT ON COLUMN cached_query_stats.bypasses IS 'calls whose query ran without the intention to cache the result';
COMMENT ON COLUMN cached_query_stats.evictions IS 'entries that were removed to make room';
COMMENT ON COLUMN cached_query_stats.expirations IS 'expired entries that were removed';
COMMENT ON COLUMN cached_query_stats.invalidations IS 'entries that were removed because something changed, or by an explicit invalidation';
COMMENT ON COLUMN cached_query_stats.errors IS 'queries that failed while they ran for a call';
COMMENT ON COLUMN cached_query_stats.entries IS 'entries now';
COMMENT ON COLUMN cached_query_stats.memory_used IS 'memory that entries take now, including results that are being computed';
COMMENT ON COLUMN cached_query_stats.memory_total IS 'memory that entries can take';
COMMENT ON COLUMN cached_query_stats.saved_ms IS 'execution time that the hits did not spend';
COMMENT ON COLUMN cached_query_stats.image_hits IS 'of the hits, those that were sent from stored messages';
COMMENT ON COLUMN cached_query_stats.images IS 'stored messages now; they are not counted in entries';
COMMENT ON COLUMN cached_query_stats.image_memory IS 'part of memory_used that stored messages take';
COMMENT ON COLUMN cached_query_stats.redis_hits IS 'of the hits, those from Redis';
COMMENT ON COLUMN cached_query_stats.redis_misses IS 'lookups in Redis that found nothing';
COMMENT ON COLUMN cached_query_stats.redis_skipped IS 'lookups in Redis that were not made or failed, because Redis was not available';
COMMENT ON COLUMN cached_query_stats.redis_rejected IS 'values in Redis that were damaged, not authentic, of an unrelated server, or too old';
COMMENT ON COLUMN cached_query_stats.redis_stores IS 'entries that were written to Redis';
COMMENT ON COLUMN cached_query_stats.redis_dropped IS 'entries that could not be written to Redis';
COMMENT ON COLUMN cached_query_stats.redis_leases IS 'query runs during which a lease kept other servers from running the query';
COMMENT ON COLUMN cached_query_stats.redis_lease_waits IS 'calls that waited for the result of another server';
COMMENT ON COLUMN cached_query_stats.stats_reset IS 'when the counters were set to zero';

CREATE FUNCTION cached_query_get_redis(
	OUT configured boolean, OUT state text, OUT since timestamp with time zone,
	OUT last_error text, OUT last_error_time timestamp with time zone, OUT requests bigint,
	OUT errors bigint, OUT timeouts bigint, OUT bytes_in bigint, OUT bytes_out bigint,
	OUT latency_ms double precision, OUT writer_pid integer, OUT queued bigint,
	OUT invalidations_sent bigint, OUT invalidations_received bigint,
	OUT heard_ms double precision, OUT lag_ms double precision)
RETURNS record
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL SAFE;
COMMENT ON FUNCTION cached_query_get_redis() IS 'the row of view cached_query_redis';

CREATE VIEW cached_query_redis AS SELECT * FROM cached_query_get_redis();
COMMENT ON VIEW cached_query_redis IS
'the connection of this server to Redis, since server start; in bytes and milliseconds';
COMMENT ON COLUMN cached_query_redis.configured IS 'whether cached_query.redis_url is set';
COMMENT ON COLUMN cached_query_redis.state IS 'off, closed (Redis is in use), open (it is not available), half-open (it is tried again)';
COMMENT ON COLUMN cached_query_redis.since IS 'when this state began';
COMMENT ON COLUMN cached_query_redis.last_error IS 'the last error; shown to members of pg_read_all_stats';
COMMENT ON COLUMN cached_query_redis.last_error_time IS 'time of the last error';
COMMENT ON COLUMN cached_query_redis.requests IS 'requests; each has one or more commands';
COMMENT ON COLUMN cached_query_redis.errors IS 'requests that failed, including timeouts';
COMMENT ON COLUMN cached_query_redis.timeouts IS 'requests that took longer than cached_query.redis_timeout';
COMMENT ON COLUMN cached_query_redis.bytes_in IS 'bytes that were received';
COMMENT ON COLUMN cached_query_redis.bytes_out IS 'bytes that were sent';
COMMENT ON COLUMN cached_query_redis.latency_ms IS 'moving average of the time of a request';
COMMENT ON COLUMN cached_query_redis.writer_pid IS 'process that writes to Redis; NULL: it is not running';
COMMENT ON COLUMN cached_query_redis.queued IS 'entries, removals and invalidations that wait for this process';
COMMENT ON COLUMN cached_query_redis.invalidations_sent IS 'invalidations that were sent to the other servers of the namespace';
COMMENT ON COLUMN cached_query_redis.invalidations_received IS 'invalidations that came from the other servers of the namespace';
COMMENT ON COLUMN cached_query_redis.heard_ms IS 'time since this server last asked what others invalidated; NULL: never, or not shared';
COMMENT ON COLUMN cached_query_redis.lag_ms IS 'on a standby: its greatest possible lag; NULL: unknown, so its results are not shared';

CREATE FUNCTION cached_query_get_reasons(
	OUT reason text, OUT description text, OUT calls bigint, OUT statements bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL SAFE ROWS 50;
COMMENT ON FUNCTION cached_query_get_reasons() IS 'the rows of view cached_query_reasons';

CREATE VIEW cached_query_reasons AS SELECT * FROM cached_query_get_reasons();
COMMENT ON VIEW cached_query_reasons IS
'outcomes of calls by reason code, since stats_reset';
COMMENT ON COLUMN cached_query_reasons.reason IS 'reason code; each call has exactly one';
COMMENT ON COLUMN cached_query_reasons.description IS 'what the code means';
COMMENT ON COLUMN cached_query_reasons.calls IS 'calls with this outcome';
COMMENT ON COLUMN cached_query_reasons.statements IS 'statements of applications with this outcome, by cached_query.auto';

CREATE FUNCTION cached_query_get_entries(
	OUT database text, OUT role text, OUT queryid bigint, OUT query text, OUT args text,
	OUT tag text, OUT tier text, OUT consistency text, OUT relations oid[],
	OUT relation_names text[], OUT rows bigint, OUT bytes bigint,
	OUT created timestamp with time zone, OUT expires timestamp with time zone,
	OUT hits bigint, OUT last_hit timestamp with time zone, OUT fill_ms double precision,
	OUT saved_ms double precision, OUT state text, OUT origin text, OUT granularity text[])
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL SAFE ROWS 1000;
COMMENT ON FUNCTION cached_query_get_entries() IS 'the rows of view cached_query_entries';

CREATE VIEW cached_query_entries AS SELECT (e).* FROM (SELECT cached_query_get_entries() AS e) AS s;
COMMENT ON VIEW cached_query_entries IS
'cached results in memory, of all databases; pg_read_all_stats sees all details';

COMMENT ON COLUMN cached_query_entries.database IS 'database of the query';
COMMENT ON COLUMN cached_query_entries.role IS 'role whose call cached the result';
COMMENT ON COLUMN cached_query_entries.queryid IS 'query identifier, as in pg_stat_statements; NULL without compute_query_id';
COMMENT ON COLUMN cached_query_entries.query IS 'text of the query; that of other roles is shown to pg_read_all_stats';
COMMENT ON COLUMN cached_query_entries.args IS 'its arguments; NULL if there are none, and in another database';
COMMENT ON COLUMN cached_query_entries.tag IS 'tag that the call gave';
COMMENT ON COLUMN cached_query_entries.tier IS 'where the rows are: memory';
COMMENT ON COLUMN cached_query_entries.consistency IS 'ttl, or exact (good for both modes)';
COMMENT ON COLUMN cached_query_entries.relations IS 'OIDs of the relations it depends on';
COMMENT ON COLUMN cached_query_entries.relation_names IS 'names of these relations; NULL in another database';
COMMENT ON COLUMN cached_query_entries.rows IS 'number of rows';
COMMENT ON COLUMN cached_query_entries.bytes IS 'memory of the entry, including header and key';
COMMENT ON COLUMN cached_query_entries.created IS 'moment that its rows show; ages count from here';
COMMENT ON COLUMN cached_query_entries.expires IS 'end of the longest lifetime that was requested: ttl and stale_for';
COMMENT ON COLUMN cached_query_entries.hits IS 'number of hits';
COMMENT ON COLUMN cached_query_entries.last_hit IS 'time of the last hit, exact to about a second';
COMMENT ON COLUMN cached_query_entries.fill_ms IS 'time that the query took, in milliseconds';
COMMENT ON COLUMN cached_query_entries.saved_ms IS 'hits times fill_ms';
COMMENT ON COLUMN cached_query_entries.state IS 'fresh, stale, expired or invalidated';
COMMENT ON COLUMN cached_query_entries.origin IS 'who filled it: call (of a function), or auto (a statement, by cached_query.auto)';
COMMENT ON COLUMN cached_query_entries.granularity IS 'which rows of its relations make an exact result invalid, see cached_query_track(); NULL in another database';

CREATE FUNCTION cached_query_get_usage(
	OUT database text, OUT role text, OUT entries bigint, OUT bytes bigint,
	OUT image_bytes bigint, OUT quota bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL SAFE ROWS 50;
COMMENT ON FUNCTION cached_query_get_usage() IS 'the rows of view cached_query_usage';

CREATE VIEW cached_query_usage AS SELECT * FROM cached_query_get_usage();
COMMENT ON VIEW cached_query_usage IS
'memory of the cached results, by role and database; in bytes';
COMMENT ON COLUMN cached_query_usage.database IS 'database; NULL: it was dropped, or the row is for all without a row of their own';
COMMENT ON COLUMN cached_query_usage.role IS 'role whose sessions cached the results; NULL as for database';
COMMENT ON COLUMN cached_query_usage.entries IS 'number of entries';
COMMENT ON COLUMN cached_query_usage.bytes IS 'memory that the entries take';
COMMENT ON COLUMN cached_query_usage.image_bytes IS 'part of bytes that stored messages take';
COMMENT ON COLUMN cached_query_usage.quota IS 'cached_query.quota as of the last result that was cached; NULL: none';

CREATE FUNCTION cached_query_get_candidates(
	OUT database text, OUT role text, OUT queryid bigint, OUT query text, OUT calls bigint, OUT hits bigint,
	OUT would_hit bigint, OUT mean_ms double precision, OUT would_save_ms double precision, OUT voided bigint,
	OUT voided_by regclass, OUT reason text, OUT advice text, OUT hint text)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL SAFE ROWS 100;
COMMENT ON FUNCTION cached_query_get_candidates() IS 'the rows of view cached_query_candidates';

CREATE VIEW cached_query_candidates AS SELECT * FROM cached_query_get_candidates();
COMMENT ON VIEW cached_query_candidates IS
'slow statements that cached_query.auto met since stats_reset, and what is gained';
COMMENT ON COLUMN cached_query_candidates.database IS 'database; NULL: it was dropped';
COMMENT ON COLUMN cached_query_candidates.role IS 'role that ran the statement; NULL: it was dropped';
COMMENT ON COLUMN cached_query_candidates.queryid IS 'query identifier, as in pg_stat_statements; NULL without compute_query_id';
COMMENT ON COLUMN cached_query_candidates.query IS 'text of the first run, at most 400 bytes; NULL for other roles, as queryid, voided_by and hint';
COMMENT ON COLUMN cached_query_candidates.calls IS 'how many times it was run or answered';
COMMENT ON COLUMN cached_query_candidates.hits IS 'answers from the cache';
COMMENT ON COLUMN cached_query_candidates.would_hit IS 'runs in observe whose answer was still that of the run before';
COMMENT ON COLUMN cached_query_candidates.mean_ms IS 'mean time of its runs, in milliseconds; NULL: not measured';
COMMENT ON COLUMN cached_query_candidates.would_save_ms IS 'time of runs that hits did not take, or would not have taken, in milliseconds';
COMMENT ON COLUMN cached_query_candidates.voided IS 'runs before which something that it reads had changed since its last run';
COMMENT ON COLUMN cached_query_candidates.voided_by IS 'table whose rows had changed the last time, if known; NULL in another database';
COMMENT ON COLUMN cached_query_candidates.reason IS 'reason code of the last run that was no hit; NULL: there was none';
COMMENT ON COLUMN cached_query_candidates.advice IS 'exact: exact results save time; track: they would with the call in hint; ttl: only results within a ttl do; no: none';
COMMENT ON COLUMN cached_query_candidates.hint IS 'call of cached_query_track() by which results would survive writes to other rows; NULL: none is known';

/* Functions by their schema, operators with the very types that they are for: nobody else's fit better. */
CREATE VIEW cached_query_top AS
	SELECT hits, pg_catalog.date_trunc('milliseconds', saved_ms * interval '1 ms') AS saved,
		pg_catalog.pg_size_pretty(bytes) AS size,
		pg_catalog.date_trunc('seconds',
			extract(epoch FROM pg_catalog.clock_timestamp() - created)::double precision * interval '1 s') AS age,
		state,
		CASE WHEN pg_catalog.length(owner) > 16 THEN pg_catalog.left(owner, 13) || '...' ELSE owner END AS role,
		CASE WHEN pg_catalog.length(line) > 34 THEN pg_catalog.left(line, 31) || '...' ELSE line END AS query
	FROM cached_query_entries,
		LATERAL (SELECT CASE WHEN database = pg_catalog.current_database()::text THEN role
				ELSE pg_catalog.concat(role, '@', database) END,
			pg_catalog.concat('[' || pg_catalog.left(tag, 12) || '] ',
				pg_catalog.btrim(pg_catalog.regexp_replace(query, '[[:space:]]+', ' ', 'g')))) AS l(owner, line)
	ORDER BY saved_ms DESC, cached_query_entries.hits DESC;
COMMENT ON VIEW cached_query_top IS
'cached_query_entries for people: what saved the most time comes first';
COMMENT ON COLUMN cached_query_top.hits IS 'number of hits';
COMMENT ON COLUMN cached_query_top.saved IS 'execution time that the hits did not spend';
COMMENT ON COLUMN cached_query_top.size IS 'memory of the entry, including header and key';
COMMENT ON COLUMN cached_query_top.age IS 'how old the rows are';
COMMENT ON COLUMN cached_query_top.state IS 'fresh, stale, expired or invalidated';
COMMENT ON COLUMN cached_query_top.role IS 'role whose call cached the result, with @ and its database if that is another one';
COMMENT ON COLUMN cached_query_top.query IS 'its tag, and the beginning of its text in one line';

GRANT SELECT ON cached_query_top, cached_query_stats, cached_query_redis, cached_query_reasons, cached_query_entries, cached_query_usage, cached_query_candidates TO PUBLIC;

CREATE TABLE cached_query_rules (
	role text,
	relation text,
	queryid bigint CONSTRAINT cached_query_rules_queryid CHECK (queryid <> 0),
	query text CONSTRAINT cached_query_rules_query CHECK (pg_catalog.octet_length(query) <= 16384),
	action text NOT NULL CONSTRAINT cached_query_rules_action CHECK (action IN ('off', 'exact', 'ttl')),
	ttl interval CONSTRAINT cached_query_rules_ttl CHECK (ttl > interval '0' AND ttl <= interval '3650 days'),
	tag text CONSTRAINT cached_query_rules_tag CHECK (pg_catalog.octet_length(tag) BETWEEN 1 AND 256),
	CONSTRAINT cached_query_rules_action_ttl CHECK ((action = 'ttl') = (ttl IS NOT NULL)),
	CONSTRAINT cached_query_rules_action_tag CHECK (action <> 'off' OR tag IS NULL),
	CONSTRAINT cached_query_rules_one_statement CHECK (queryid IS NULL OR query IS NULL)
);
CREATE UNIQUE INDEX cached_query_rules_scope ON cached_query_rules
	(role, relation, queryid, (pg_catalog.hashtextextended(query, 0))) NULLS NOT DISTINCT;
ALTER TABLE cached_query_rules REPLICA IDENTITY FULL;
COMMENT ON TABLE cached_query_rules IS
'what a hint would say, for statements that cannot be changed: the most specific rule applies';
COMMENT ON COLUMN cached_query_rules.role IS 'current role of the session; NULL: any';
COMMENT ON COLUMN cached_query_rules.relation IS 'table or view that the statement names; NULL: any';
COMMENT ON COLUMN cached_query_rules.queryid IS 'query identifier of the statement; NULL: any';
COMMENT ON COLUMN cached_query_rules.query IS 'the statement, with any values for its constants and parameters; NULL: any';
COMMENT ON COLUMN cached_query_rules.action IS 'off: it is run without the cache; exact: answered exactly; ttl: answered within a time to live';
COMMENT ON COLUMN cached_query_rules.ttl IS 'time to live, for action ttl';
COMMENT ON COLUMN cached_query_rules.tag IS 'tag of the results, as cached_query.tag; NULL: that of the session';

CREATE FUNCTION cached_query_rule_trigger()
RETURNS trigger
AS 'MODULE_PATHNAME'
LANGUAGE C;
REVOKE EXECUTE ON FUNCTION cached_query_rule_trigger() FROM PUBLIC;
COMMENT ON FUNCTION cached_query_rule_trigger() IS 'refuses bad rules, and tells sessions of changes';

CREATE TRIGGER cached_query_rules_check BEFORE INSERT OR UPDATE OR DELETE ON cached_query_rules
	FOR EACH ROW EXECUTE FUNCTION cached_query_rule_trigger();
CREATE TRIGGER cached_query_rules_changed AFTER INSERT OR UPDATE OR TRUNCATE ON cached_query_rules
	FOR EACH STATEMENT EXECUTE FUNCTION cached_query_rule_trigger();
ALTER TABLE cached_query_rules ENABLE ALWAYS TRIGGER cached_query_rules_check;
ALTER TABLE cached_query_rules ENABLE ALWAYS TRIGGER cached_query_rules_changed;
SELECT pg_catalog.pg_extension_config_dump('cached_query_rules', '');

CREATE FUNCTION cached_query_tracker()
RETURNS trigger
AS 'MODULE_PATHNAME', 'cached_query_tracker'
LANGUAGE C;
COMMENT ON FUNCTION cached_query_tracker() IS
'trigger that cached_query_track() makes: tells which keys a change concerns';

CREATE FUNCTION cached_query_track(
	relation regclass, keys text[] DEFAULT NULL, quiet text[] DEFAULT NULL, ranges text[] DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME', 'cached_query_track'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION cached_query_track(regclass, text[], text[], text[]) IS
'from now on writes to the table invalidate only exact results that read the same values of a key column';

CREATE FUNCTION cached_query_untrack(relation regclass)
RETURNS void
AS 'MODULE_PATHNAME', 'cached_query_untrack'
LANGUAGE C VOLATILE PARALLEL UNSAFE STRICT;
COMMENT ON FUNCTION cached_query_untrack(regclass) IS
'undoes cached_query_track()';

CREATE FUNCTION cached_query_get_tracked(
	OUT relation regclass, OUT keys text[], OUT quiet text[], OUT ranges text[], OUT "trigger" text,
	OUT firing text, OUT state text, OUT tracked bigint, OUT untracked bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 20;
COMMENT ON FUNCTION cached_query_get_tracked() IS 'the rows of view cached_query_tracked';

CREATE VIEW cached_query_tracked AS SELECT * FROM cached_query_get_tracked();
COMMENT ON VIEW cached_query_tracked IS
'tables that cached_query_track() was called for';
COMMENT ON COLUMN cached_query_tracked.relation IS 'the table';
COMMENT ON COLUMN cached_query_tracked.keys IS 'columns whose values tell which results a write invalidates';
COMMENT ON COLUMN cached_query_tracked.quiet IS 'columns whose changes invalidate only results that read them';
COMMENT ON COLUMN cached_query_tracked.ranges IS 'columns whose intervals tell which results a write invalidates';
COMMENT ON COLUMN cached_query_tracked."trigger" IS 'name of the trigger';
COMMENT ON COLUMN cached_query_tracked.firing IS 'always, origin (not for what replication applies), replica or off';
COMMENT ON COLUMN cached_query_tracked.state IS 'ok, or why each write invalidates all results of the table';
COMMENT ON COLUMN cached_query_tracked.tracked IS 'transactions that wrote to it and were announced by key, since stats_reset';
COMMENT ON COLUMN cached_query_tracked.untracked IS 'transactions that wrote to it and were announced for the whole table, since stats_reset';
GRANT SELECT ON cached_query_tracked TO PUBLIC;
