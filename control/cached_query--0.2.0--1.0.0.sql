/* control/cached_query--0.2.0--1.0.0.sql */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION cached_query UPDATE TO '1.0.0'" to load this file. \quit

/* What has other columns now, with the views that read it. */
DROP VIEW cached_query_top;
DROP VIEW cached_query_candidates;
DROP VIEW cached_query_entries;
DROP FUNCTION cached_query_get_candidates();
DROP FUNCTION cached_query_get_entries();
DROP FUNCTION cached_query_explain(IN query text, VARIADIC args text[]);
DROP FUNCTION cached_query_explain(IN query text, VARIADIC args "any");
DROP FUNCTION cached_query_explain(IN query text);

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

GRANT SELECT ON cached_query_top, cached_query_entries, cached_query_candidates TO PUBLIC;

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

COMMENT ON COLUMN cached_query_rules.tag IS 'tag of the results, as cached_query.tag; NULL: that of the session';
