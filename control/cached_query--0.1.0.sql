/* control/cached_query--0.1.0.sql */

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
'rows of the query, from the cache if not older than ttl (NULL: cached_query.default_ttl)';

CREATE FUNCTION cached_query(query text, ttl interval, VARIADIC args "any")
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'cached_query_args'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100 ROWS 1000 SUPPORT cached_query_support;
COMMENT ON FUNCTION cached_query(text, interval, VARIADIC "any") IS
'rows of the query, from the cache if not older than ttl (NULL: cached_query.default_ttl); with arguments $1..$n';

CREATE FUNCTION cached_query(query text, ttl interval, VARIADIC args text[])
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'cached_query_text'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100 ROWS 1000 SUPPORT cached_query_support;
COMMENT ON FUNCTION cached_query(text, interval, VARIADIC text[]) IS
'rows of the query, from the cache if not older than ttl (NULL: cached_query.default_ttl); with arguments whose types the query infers';

CREATE FUNCTION cached_query_with(options jsonb, query text, ttl interval DEFAULT NULL)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'cached_query_with'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100 ROWS 1000 SUPPORT cached_query_support;
COMMENT ON FUNCTION cached_query_with(jsonb, text, interval) IS
'cached_query with options for this call: mode, consistency, tag, min_fill_time, wait_timeout, stale_for';

CREATE FUNCTION cached_query_with(options jsonb, query text, ttl interval, VARIADIC args "any")
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'cached_query_with_args'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100 ROWS 1000 SUPPORT cached_query_support;
COMMENT ON FUNCTION cached_query_with(jsonb, text, interval, VARIADIC "any") IS
'cached_query with options for this call: mode, consistency, store, tag, min_fill_time, wait_timeout, stale_for; with arguments $1..$n';

CREATE FUNCTION cached_query_with(options jsonb, query text, ttl interval, VARIADIC args text[])
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'cached_query_with_text'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100 ROWS 1000 SUPPORT cached_query_support;
COMMENT ON FUNCTION cached_query_with(jsonb, text, interval, VARIADIC text[]) IS
'cached_query with options for this call: mode, consistency, store, tag, min_fill_time, wait_timeout, stale_for; with arguments whose types the query infers';

CREATE FUNCTION cached_query_as(row_type anyelement, query text, ttl interval DEFAULT NULL)
RETURNS SETOF anyelement
AS 'MODULE_PATHNAME', 'cached_query_as'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100 ROWS 1000 SUPPORT cached_query_support;
COMMENT ON FUNCTION cached_query_as(anyelement, text, interval) IS
'cached_query whose columns are those of a row type: cached_query_as(NULL::my_table, ...)';

CREATE FUNCTION cached_query_as(row_type anyelement, query text, ttl interval, VARIADIC args "any")
RETURNS SETOF anyelement
AS 'MODULE_PATHNAME', 'cached_query_as_args'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100 ROWS 1000 SUPPORT cached_query_support;
COMMENT ON FUNCTION cached_query_as(anyelement, text, interval, VARIADIC "any") IS
'cached_query whose columns are those of a row type: cached_query_as(NULL::my_table, ...); with arguments $1..$n';

CREATE FUNCTION cached_query_as(row_type anyelement, query text, ttl interval, VARIADIC args text[])
RETURNS SETOF anyelement
AS 'MODULE_PATHNAME', 'cached_query_as_text'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100 ROWS 1000 SUPPORT cached_query_support;
COMMENT ON FUNCTION cached_query_as(anyelement, text, interval, VARIADIC text[]) IS
'cached_query whose columns are those of a row type: cached_query_as(NULL::my_table, ...); with arguments whose types the query infers';

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
'the rows as one JSON array of objects, cached as text; with arguments $1..$n';

CREATE FUNCTION cached_query_json(query text, ttl interval, VARIADIC args text[])
RETURNS json
AS 'MODULE_PATHNAME', 'cached_query_json_text'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100;
COMMENT ON FUNCTION cached_query_json(text, interval, VARIADIC text[]) IS
'the rows as one JSON array of objects, cached as text; with arguments whose types the query infers';

CREATE FUNCTION cached_query_refresh(query text, ttl interval DEFAULT NULL)
RETURNS bigint
AS 'MODULE_PATHNAME', 'cached_query_refresh'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION cached_query_refresh(text, interval) IS
'runs the query, replaces the cached answer and returns its number of rows';

CREATE FUNCTION cached_query_refresh(query text, ttl interval, VARIADIC args "any")
RETURNS bigint
AS 'MODULE_PATHNAME', 'cached_query_refresh_args'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION cached_query_refresh(text, interval, VARIADIC "any") IS
'runs the query, replaces the cached answer and returns its number of rows; with arguments $1..$n';

CREATE FUNCTION cached_query_refresh(query text, ttl interval, VARIADIC args text[])
RETURNS bigint
AS 'MODULE_PATHNAME', 'cached_query_refresh_text'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION cached_query_refresh(text, interval, VARIADIC text[]) IS
'runs the query, replaces the cached answer and returns its number of rows; with arguments whose types the query infers';

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
'the column list to write after AS t(...); with arguments $1..$n';

CREATE FUNCTION cached_query_columns(query text, VARIADIC args text[])
RETURNS text
AS 'MODULE_PATHNAME', 'cached_query_columns_text'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100;
COMMENT ON FUNCTION cached_query_columns(text, VARIADIC text[]) IS
'the column list to write after AS t(...); with arguments whose types the query infers';

CREATE FUNCTION cached_query_explain(IN query text,
	OUT cacheable boolean, OUT reason text, OUT detail text, OUT consistency text,
	OUT relations regclass[], OUT key text, OUT state text, OUT tier text, OUT age interval,
	OUT expires_in interval, OUT rows bigint, OUT bytes bigint, OUT columns text)
RETURNS record
AS 'MODULE_PATHNAME', 'cached_query_explain'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100;
COMMENT ON FUNCTION cached_query_explain(text) IS
'whether and why (not) the query is cached, and what the cache holds of it';

CREATE FUNCTION cached_query_explain(IN query text,
	OUT cacheable boolean, OUT reason text, OUT detail text, OUT consistency text,
	OUT relations regclass[], OUT key text, OUT state text, OUT tier text, OUT age interval,
	OUT expires_in interval, OUT rows bigint, OUT bytes bigint, OUT columns text,
	VARIADIC args "any")
RETURNS record
AS 'MODULE_PATHNAME', 'cached_query_explain_args'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100;
COMMENT ON FUNCTION cached_query_explain(text, VARIADIC "any") IS
'whether and why (not) the query is cached, and what the cache holds of it; with arguments $1..$n';

CREATE FUNCTION cached_query_explain(IN query text,
	OUT cacheable boolean, OUT reason text, OUT detail text, OUT consistency text,
	OUT relations regclass[], OUT key text, OUT state text, OUT tier text, OUT age interval,
	OUT expires_in interval, OUT rows bigint, OUT bytes bigint, OUT columns text,
	VARIADIC args text[])
RETURNS record
AS 'MODULE_PATHNAME', 'cached_query_explain_text'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100;
COMMENT ON FUNCTION cached_query_explain(text, VARIADIC text[]) IS
'whether and why (not) the query is cached, and what the cache holds of it; with arguments whose types the query infers';

CREATE FUNCTION cached_query_invalidate(query text)
RETURNS bigint
AS 'MODULE_PATHNAME', 'cached_query_invalidate'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION cached_query_invalidate(text) IS
'invalidates the cached answer when the transaction commits; returns the entries that match now';

CREATE FUNCTION cached_query_invalidate(query text, VARIADIC args "any")
RETURNS bigint
AS 'MODULE_PATHNAME', 'cached_query_invalidate_args'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION cached_query_invalidate(text, VARIADIC "any") IS
'invalidates the cached answer when the transaction commits; returns the entries that match now; with arguments $1..$n';

CREATE FUNCTION cached_query_invalidate(query text, VARIADIC args text[])
RETURNS bigint
AS 'MODULE_PATHNAME', 'cached_query_invalidate_text'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION cached_query_invalidate(text, VARIADIC text[]) IS
'invalidates the cached answer when the transaction commits; returns the entries that match now; with arguments whose types the query infers';

CREATE FUNCTION cached_query_invalidate_relation(relation regclass)
RETURNS bigint
AS 'MODULE_PATHNAME', 'cached_query_invalidate_relation'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100 STRICT;
COMMENT ON FUNCTION cached_query_invalidate_relation(regclass) IS
'invalidates every cached answer that reads the relation; takes effect at commit';

CREATE FUNCTION cached_query_invalidate_tag(tag text)
RETURNS bigint
AS 'MODULE_PATHNAME', 'cached_query_invalidate_tag'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100 STRICT;
COMMENT ON FUNCTION cached_query_invalidate_tag(text) IS
'invalidates every cached answer with the tag in this database; takes effect at commit';

CREATE FUNCTION cached_query_clear()
RETURNS bigint
AS 'MODULE_PATHNAME', 'cached_query_clear'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION cached_query_clear() IS
'invalidates every cached answer of the server; takes effect at commit';

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

/* The views, each over a function that reads shared memory. */

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
'counters of the cache since stats_reset, and its memory; sizes in bytes, times in milliseconds';

COMMENT ON COLUMN cached_query_stats.hits IS 'calls answered from the cache';
COMMENT ON COLUMN cached_query_stats.stale_hits IS 'of these, answered from an expired entry';
COMMENT ON COLUMN cached_query_stats.misses IS 'calls whose query ran in order to be kept';
COMMENT ON COLUMN cached_query_stats.fills IS 'queries run in order to keep their rows';
COMMENT ON COLUMN cached_query_stats.stores IS 'entries published';
COMMENT ON COLUMN cached_query_stats.coalesced IS 'calls answered by the fill of another call';
COMMENT ON COLUMN cached_query_stats.refreshes IS 'answers renewed by refresh workers';
COMMENT ON COLUMN cached_query_stats.refresh_failures IS 'refreshes that a worker began and did not achieve';
COMMENT ON COLUMN cached_query_stats.refreshes_skipped IS 'refreshes that were due and that no worker took';
COMMENT ON COLUMN cached_query_stats.bypasses IS 'calls whose query ran and was not meant to be kept';
COMMENT ON COLUMN cached_query_stats.evictions IS 'entries dropped to make room';
COMMENT ON COLUMN cached_query_stats.expirations IS 'expired entries dropped';
COMMENT ON COLUMN cached_query_stats.invalidations IS 'entries dropped because something they depend on changed, or by request';
COMMENT ON COLUMN cached_query_stats.errors IS 'queries that failed while they ran for a call';
COMMENT ON COLUMN cached_query_stats.entries IS 'entries now';
COMMENT ON COLUMN cached_query_stats.memory_used IS 'memory that entries take now, fills in progress included';
COMMENT ON COLUMN cached_query_stats.memory_total IS 'memory that entries can take';
COMMENT ON COLUMN cached_query_stats.saved_ms IS 'execution time that hits did not spend';
COMMENT ON COLUMN cached_query_stats.image_hits IS 'hits whose rows were sent as they had been sent before';
COMMENT ON COLUMN cached_query_stats.images IS 'results kept as messages beside their entries now';
COMMENT ON COLUMN cached_query_stats.image_memory IS 'part of memory_used that these take';
COMMENT ON COLUMN cached_query_stats.redis_hits IS 'of the hits, answers taken from Redis';
COMMENT ON COLUMN cached_query_stats.redis_misses IS 'looks into Redis that found nothing';
COMMENT ON COLUMN cached_query_stats.redis_skipped IS 'looks into Redis that were not made, or in vain, because it was unavailable';
COMMENT ON COLUMN cached_query_stats.redis_rejected IS 'values found in Redis that were damaged, not authentic, another server''s, too old or void';
COMMENT ON COLUMN cached_query_stats.redis_stores IS 'entries written to Redis';
COMMENT ON COLUMN cached_query_stats.redis_dropped IS 'entries that could not be written to Redis';
COMMENT ON COLUMN cached_query_stats.redis_leases IS 'fills that other servers were kept from by a lease';
COMMENT ON COLUMN cached_query_stats.redis_lease_waits IS 'calls that waited for the fill of another server';
COMMENT ON COLUMN cached_query_stats.stats_reset IS 'when the counters were set to zero';

CREATE FUNCTION cached_query_get_redis(
	OUT configured boolean, OUT state text, OUT since timestamp with time zone,
	OUT last_error text, OUT last_error_time timestamp with time zone, OUT requests bigint,
	OUT errors bigint, OUT timeouts bigint, OUT bytes_in bigint, OUT bytes_out bigint,
	OUT latency_ms double precision, OUT carrier_pid integer, OUT queued bigint,
	OUT invalidations_sent bigint, OUT invalidations_received bigint,
	OUT heard_ms double precision, OUT lag_ms double precision)
RETURNS record
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL SAFE;
COMMENT ON FUNCTION cached_query_get_redis() IS 'the row of view cached_query_redis';

CREATE VIEW cached_query_redis AS SELECT * FROM cached_query_get_redis();
COMMENT ON VIEW cached_query_redis IS
'how this server gets on with Redis, since it was started; sizes in bytes, times in milliseconds';
COMMENT ON COLUMN cached_query_redis.configured IS 'is there a cached_query.redis_url?';
COMMENT ON COLUMN cached_query_redis.state IS 'of the circuit breaker: off, closed (in use), open (unavailable), half-open (being tried)';
COMMENT ON COLUMN cached_query_redis.since IS 'since when';
COMMENT ON COLUMN cached_query_redis.last_error IS 'what went wrong last; for pg_read_all_stats';
COMMENT ON COLUMN cached_query_redis.last_error_time IS 'and when';
COMMENT ON COLUMN cached_query_redis.requests IS 'requests, each one or more commands';
COMMENT ON COLUMN cached_query_redis.errors IS 'requests that failed, timeouts included';
COMMENT ON COLUMN cached_query_redis.timeouts IS 'requests that took longer than cached_query.redis_timeout';
COMMENT ON COLUMN cached_query_redis.bytes_in IS 'received';
COMMENT ON COLUMN cached_query_redis.bytes_out IS 'sent';
COMMENT ON COLUMN cached_query_redis.latency_ms IS 'moving average of the time of a request';
COMMENT ON COLUMN cached_query_redis.carrier_pid IS 'process that writes to Redis; NULL: not running';
COMMENT ON COLUMN cached_query_redis.queued IS 'entries, removals and invalidations that wait for it';
COMMENT ON COLUMN cached_query_redis.invalidations_sent IS 'to the other servers of cached_query.redis_namespace';
COMMENT ON COLUMN cached_query_redis.invalidations_received IS 'from them';
COMMENT ON COLUMN cached_query_redis.heard_ms IS 'ago it was asked what they have invalidated; NULL: never, or no namespace is shared';
COMMENT ON COLUMN cached_query_redis.lag_ms IS 'of a standby behind the primary, at most; NULL: it can''t be told, so its answers are not shared';

CREATE FUNCTION cached_query_get_reasons(
	OUT reason text, OUT description text, OUT calls bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL SAFE ROWS 50;
COMMENT ON FUNCTION cached_query_get_reasons() IS 'the rows of view cached_query_reasons';

CREATE VIEW cached_query_reasons AS SELECT * FROM cached_query_get_reasons();
COMMENT ON VIEW cached_query_reasons IS
'how calls were answered, by reason code, since stats_reset';
COMMENT ON COLUMN cached_query_reasons.reason IS 'reason code; each call has exactly one';
COMMENT ON COLUMN cached_query_reasons.description IS 'what the code means';
COMMENT ON COLUMN cached_query_reasons.calls IS 'calls with this outcome';

CREATE FUNCTION cached_query_get_entries(
	OUT database text, OUT role text, OUT queryid bigint, OUT query text, OUT args text,
	OUT tag text, OUT tier text, OUT consistency text, OUT relations oid[],
	OUT relation_names text[], OUT rows bigint, OUT bytes bigint,
	OUT created timestamp with time zone, OUT expires timestamp with time zone,
	OUT hits bigint, OUT last_hit timestamp with time zone, OUT fill_ms double precision,
	OUT saved_ms double precision, OUT state text)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL SAFE ROWS 1000;
COMMENT ON FUNCTION cached_query_get_entries() IS 'the rows of view cached_query_entries';

CREATE VIEW cached_query_entries AS SELECT * FROM cached_query_get_entries();
COMMENT ON VIEW cached_query_entries IS
'what the cache holds, of all databases; texts of other roles are for pg_read_all_stats';

COMMENT ON COLUMN cached_query_entries.database IS 'database of the query';
COMMENT ON COLUMN cached_query_entries.role IS 'role whose call filled the entry';
COMMENT ON COLUMN cached_query_entries.queryid IS 'query identifier, as in pg_stat_statements; NULL without compute_query_id';
COMMENT ON COLUMN cached_query_entries.query IS 'text of the query';
COMMENT ON COLUMN cached_query_entries.args IS 'its arguments; NULL without any, or in another database';
COMMENT ON COLUMN cached_query_entries.tag IS 'tag given by the call that filled it';
COMMENT ON COLUMN cached_query_entries.tier IS 'where the rows are: memory';
COMMENT ON COLUMN cached_query_entries.consistency IS 'ttl, or exact (good for both)';
COMMENT ON COLUMN cached_query_entries.relations IS 'OIDs of the relations it depends on';
COMMENT ON COLUMN cached_query_entries.relation_names IS 'their names; NULL in another database';
COMMENT ON COLUMN cached_query_entries.rows IS 'rows';
COMMENT ON COLUMN cached_query_entries.bytes IS 'memory it takes';
COMMENT ON COLUMN cached_query_entries.created IS 'moment that its rows are of: ages count from here';
COMMENT ON COLUMN cached_query_entries.expires IS 'end of the longest life asked for: ttl and stale_for';
COMMENT ON COLUMN cached_query_entries.hits IS 'hits';
COMMENT ON COLUMN cached_query_entries.last_hit IS 'last hit, to about a second';
COMMENT ON COLUMN cached_query_entries.fill_ms IS 'time the query took, in milliseconds';
COMMENT ON COLUMN cached_query_entries.saved_ms IS 'hits times fill_ms';
COMMENT ON COLUMN cached_query_entries.state IS 'fresh, expired or invalidated';

CREATE VIEW cached_query_top AS
	SELECT hits, date_trunc('milliseconds', saved_ms * interval '1 ms') AS saved,
		fill_ms * interval '1 ms' AS fill,
		rows, pg_size_pretty(bytes) AS size,
		date_trunc('seconds', clock_timestamp() - created) AS age,
		date_trunc('seconds', expires - clock_timestamp()) AS expires_in,
		state, database, role, tag,
		CASE WHEN length(line) > 60 THEN left(line, 57) || '...' ELSE line END AS query
	FROM cached_query_entries, LATERAL (SELECT regexp_replace(btrim(query, E' \t\r\n'), '[[:space:]]+', ' ', 'g')) AS l(line)
	ORDER BY saved_ms DESC, cached_query_entries.hits DESC;
COMMENT ON VIEW cached_query_top IS
'cached_query_entries for people: the entries that saved most time come first, units are readable, texts short';
COMMENT ON COLUMN cached_query_top.hits IS 'hits';
COMMENT ON COLUMN cached_query_top.saved IS 'execution time that its hits did not spend';
COMMENT ON COLUMN cached_query_top.fill IS 'time the query took';
COMMENT ON COLUMN cached_query_top.rows IS 'rows';
COMMENT ON COLUMN cached_query_top.size IS 'memory it takes';
COMMENT ON COLUMN cached_query_top.age IS 'how old its rows are';
COMMENT ON COLUMN cached_query_top.expires_in IS 'what is left of the longest life asked for; negative: it has ended';
COMMENT ON COLUMN cached_query_top.state IS 'fresh, expired or invalidated';
COMMENT ON COLUMN cached_query_top.database IS 'database of the query';
COMMENT ON COLUMN cached_query_top.role IS 'role whose call filled the entry';
COMMENT ON COLUMN cached_query_top.tag IS 'tag given by the call that filled it';
COMMENT ON COLUMN cached_query_top.query IS 'the beginning of its text, in one line; NULL if it is another role''s, but for pg_read_all_stats';

GRANT SELECT ON cached_query_top, cached_query_stats, cached_query_redis, cached_query_reasons, cached_query_entries TO PUBLIC;
