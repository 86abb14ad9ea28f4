/* control/cached_query--0.1.0--0.2.0.sql */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION cached_query UPDATE TO '0.2.0'" to load this file. \quit

/* What has other columns now, with the views that read it. */
DROP VIEW cached_query_top;
DROP VIEW cached_query_entries;
DROP VIEW cached_query_reasons;
DROP VIEW cached_query_redis;
DROP FUNCTION cached_query_get_redis();
DROP FUNCTION cached_query_get_reasons();
DROP FUNCTION cached_query_get_entries();

COMMENT ON FUNCTION cached_query(text, interval) IS
'rows of the query, from the cache if younger than ttl (NULL: cached_query.default_ttl)';
COMMENT ON FUNCTION cached_query(text, interval, VARIADIC "any") IS
'cached_query with arguments $1..$n';
COMMENT ON FUNCTION cached_query(text, interval, VARIADIC text[]) IS
'cached_query with arguments as text, which get the types that the query expects';
COMMENT ON FUNCTION cached_query_with(jsonb, text, interval) IS
'options mode, consistency, store, tag, min_fill_time, wait_timeout, stale_for, redis_lease';
COMMENT ON FUNCTION cached_query_with(jsonb, text, interval, VARIADIC "any") IS
'options mode, consistency, store, tag, min_fill_time, wait_timeout, stale_for, redis_lease; arguments $1..$n';
COMMENT ON FUNCTION cached_query_with(jsonb, text, interval, VARIADIC text[]) IS
'options mode, consistency, store, tag, min_fill_time, wait_timeout, stale_for, redis_lease; arguments as text';
COMMENT ON FUNCTION cached_query_as(anyelement, text, interval) IS
'cached_query with the columns of a row type: cached_query_as(NULL::my_table, ...)';
COMMENT ON FUNCTION cached_query_as(anyelement, text, interval, VARIADIC "any") IS
'cached_query_as with arguments $1..$n';
COMMENT ON FUNCTION cached_query_as(anyelement, text, interval, VARIADIC text[]) IS
'cached_query_as with arguments as text, which get the types that the query expects';
COMMENT ON FUNCTION cached_query_json(text, interval, VARIADIC "any") IS
'cached_query_json with arguments $1..$n';
COMMENT ON FUNCTION cached_query_json(text, interval, VARIADIC text[]) IS
'cached_query_json with arguments as text, which get the types that the query expects';
COMMENT ON FUNCTION cached_query_refresh(text, interval) IS
'runs the query, replaces the cached result and returns the number of rows';
COMMENT ON FUNCTION cached_query_refresh(text, interval, VARIADIC "any") IS
'cached_query_refresh with arguments $1..$n';
COMMENT ON FUNCTION cached_query_refresh(text, interval, VARIADIC text[]) IS
'cached_query_refresh with arguments as text, which get the types that the query expects';
COMMENT ON FUNCTION cached_query_columns(text, VARIADIC "any") IS
'cached_query_columns with arguments $1..$n';
COMMENT ON FUNCTION cached_query_columns(text, VARIADIC text[]) IS
'cached_query_columns with arguments as text, which get the types that the query expects';
COMMENT ON FUNCTION cached_query_explain(text) IS
'whether the query can be cached, if not why, and what the cache holds for it';
COMMENT ON FUNCTION cached_query_explain(text, VARIADIC "any") IS
'cached_query_explain with arguments $1..$n';
COMMENT ON FUNCTION cached_query_explain(text, VARIADIC text[]) IS
'cached_query_explain with arguments as text, which get the types that the query expects';
COMMENT ON FUNCTION cached_query_invalidate(text) IS
'invalidates the cached result at commit; returns how many entries become invalid';
COMMENT ON FUNCTION cached_query_invalidate(text, VARIADIC "any") IS
'cached_query_invalidate with arguments $1..$n';
COMMENT ON FUNCTION cached_query_invalidate(text, VARIADIC text[]) IS
'cached_query_invalidate with arguments as text, which get the types that the query expects';
COMMENT ON FUNCTION cached_query_invalidate_relation(regclass) IS
'invalidates at commit all results that read the relation; returns how many at most';
COMMENT ON FUNCTION cached_query_invalidate_tag(text) IS
'invalidates at commit all results of this database with the tag; returns how many at most';
COMMENT ON FUNCTION cached_query_clear() IS
'invalidates at commit all results of the server; returns how many';
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
COMMENT ON COLUMN cached_query_stats.memory_used IS 'memory that entries take now, including results that are being computed';
COMMENT ON COLUMN cached_query_stats.saved_ms IS 'execution time that the hits did not spend';
COMMENT ON COLUMN cached_query_stats.image_hits IS 'of the hits, those that were sent from stored messages';
COMMENT ON COLUMN cached_query_stats.images IS 'stored messages now; they are not counted in entries';
COMMENT ON COLUMN cached_query_stats.image_memory IS 'part of memory_used that stored messages take';
COMMENT ON COLUMN cached_query_stats.redis_hits IS 'of the hits, those from Redis';
COMMENT ON COLUMN cached_query_stats.redis_misses IS 'lookups in Redis that found nothing';
COMMENT ON COLUMN cached_query_stats.redis_skipped IS 'lookups in Redis that were not made or failed, because Redis was not available';
COMMENT ON COLUMN cached_query_stats.redis_rejected IS 'values in Redis that were damaged, not authentic, of an unrelated server, or too old';
COMMENT ON COLUMN cached_query_stats.redis_stores IS 'entries that were written to Redis';
COMMENT ON COLUMN cached_query_stats.redis_leases IS 'query runs during which a lease kept other servers from running the query';
COMMENT ON COLUMN cached_query_stats.redis_lease_waits IS 'calls that waited for the result of another server';

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
	OUT saved_ms double precision, OUT state text, OUT origin text)
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
	OUT voided_by regclass, OUT reason text, OUT advice text)
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
COMMENT ON COLUMN cached_query_candidates.query IS 'text of the first run, at most 400 bytes; NULL for other roles, as queryid and voided_by';
COMMENT ON COLUMN cached_query_candidates.calls IS 'how many times it was run or answered';
COMMENT ON COLUMN cached_query_candidates.hits IS 'answers from the cache';
COMMENT ON COLUMN cached_query_candidates.would_hit IS 'runs in observe whose answer was still that of the run before';
COMMENT ON COLUMN cached_query_candidates.mean_ms IS 'mean time of its runs, in milliseconds; NULL: not measured';
COMMENT ON COLUMN cached_query_candidates.would_save_ms IS 'time of runs that hits did not take, or would not have taken, in milliseconds';
COMMENT ON COLUMN cached_query_candidates.voided IS 'runs before which something that it reads had changed since its last run';
COMMENT ON COLUMN cached_query_candidates.voided_by IS 'table whose rows had changed the last time, if known; NULL in another database';
COMMENT ON COLUMN cached_query_candidates.reason IS 'reason code of the last run that was no hit; NULL: there was none';
COMMENT ON COLUMN cached_query_candidates.advice IS 'exact: set cached_query.auto = exact; call: call with a ttl; no: nothing is gained';

CREATE VIEW cached_query_top AS
	SELECT hits, date_trunc('milliseconds', saved_ms * interval '1 ms') AS saved,
		pg_size_pretty(bytes) AS size,
		date_trunc('seconds', extract(epoch FROM clock_timestamp() - created) * interval '1 s') AS age,
		state,
		CASE WHEN length(owner) > 16 THEN left(owner, 13) || '...' ELSE owner END AS role,
		CASE WHEN length(line) > 34 THEN left(line, 31) || '...' ELSE line END AS query
	FROM cached_query_entries,
		LATERAL (SELECT CASE WHEN database = current_database() THEN role
				ELSE concat(role, '@', database) END,
			concat('[' || left(tag, 12) || '] ', btrim(regexp_replace(query, '[[:space:]]+', ' ', 'g')))) AS l(owner, line)
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

GRANT SELECT ON cached_query_top, cached_query_redis, cached_query_reasons, cached_query_entries, cached_query_usage, cached_query_candidates TO PUBLIC;

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
COMMENT ON COLUMN cached_query_rules.tag IS 'tag of the results, as cached_query.tag; NULL: that of the hint or of the session';

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
