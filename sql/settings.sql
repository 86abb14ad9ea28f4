--
-- The settings: what their check hooks refuse, who may change them, and what each one does.
--
CREATE SCHEMA cq_set;
SET search_path = cq_set, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
CREATE TABLE t (v int);
INSERT INTO t VALUES (1);
CREATE FUNCTION outcome(query text, ttl text DEFAULT '1h') RETURNS text LANGUAGE sql AS $$
	SELECT c.outcome || ' ' || c.rows::text FROM cq_test.call(cq_test.statement(query, ttl => ttl)) AS c $$;
CREATE FUNCTION try(name text, value text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config(name, value, true);
	RETURN 'ok ' || current_setting(name);
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;

-- values
SELECT name, value, try('cached_query.' || name, value) FROM (VALUES ('mode', 'on'), ('mode', 'OFF'), ('mode', 'refresh'), ('mode', 'read_only'), ('mode', 'only_cached'),
	('mode', 'maybe'), ('mode', 'true'), ('consistency', 'exact'), ('consistency', 'TTL'), ('consistency', 'none'), ('default_ttl', '5min'), ('default_ttl', '0'), ('default_ttl', '-1'),
	('default_ttl', '1d'), ('default_ttl', 'x'), ('max_entry_size', '1MB'), ('max_entry_size', '-1'), ('max_entry_size', '0'), ('handle_memory', '64kB'), ('handle_memory', '-1'),
	('min_fill_time', '0'), ('min_fill_time', '-1'), ('min_fill_time', '10ms'), ('nondeterministic', 'bypass'), ('nondeterministic', 'error'),
	('nondeterministic', 'cache'), ('nondeterministic', 'x'),
	('stale_for', '0'), ('stale_for', '5s'), ('stale_for', '-1'), ('refresh', 'caller'), ('refresh', 'background'), ('refresh', 'never'),
	('redis_lease', '0'), ('redis_lease', '20s'), ('redis_lease', '-1'), ('redis_lease', '1h'), ('redis_lease', '61min'),
	('refresh_ahead', 'off'), ('refresh_ahead', 'on'), ('refresh_ahead', '1.5'), ('refresh_workers', '2'),
	('wait_timeout', '0'), ('wait_timeout', '5s'), ('wait_timeout', '-1'), ('wait_timeout', '1min'), ('wait_timeout', 'x'),
	('tag', ''), ('tag', 'a tag'), ('tag', repeat('x', 10000)), ('trusted_functions', ''), ('trusted_functions', 'cq_set.try'), ('trusted_functions', 'f(('),
	('memory', '64MB'), ('enabled', 'off'), ('eviction', 'lru'), ('nonsense', 'x')) AS v(name, value) WHERE length(value) < 100;
SELECT left(try('cached_query.tag', repeat('x', 10000)), 5);
\set VERBOSITY sqlstate
SET cached_query.memory = '64MB';
SET cached_query.enabled = off;
SET cached_query.eviction = lru;
SET cached_query.nonsense = 1;
\set VERBOSITY default

-- default_ttl
SET cached_query.default_ttl = '7s';
SELECT * FROM cached_query('SELECT 7001') AS t(v int);
SELECT expires - created FROM cached_query_entries WHERE query = 'SELECT 7001';
SELECT * FROM cached_query('SELECT 7001', '1h') AS t(v int);
SELECT expires - created FROM cached_query_entries WHERE query = 'SELECT 7001';
SET cached_query.default_ttl = 0;
SELECT outcome('SELECT 7002', NULL), outcome('SELECT 7002', NULL), outcome('SELECT 7002');
RESET cached_query.default_ttl;

-- mode
SELECT outcome('SELECT v FROM t'), outcome('SELECT v FROM t');
UPDATE t SET v = 2;
SET cached_query.mode = off;
SELECT outcome('SELECT v FROM t');
SET cached_query.mode = read_only;
SELECT outcome('SELECT v FROM t'), outcome('SELECT v + 100 FROM t'), outcome('SELECT v + 100 FROM t');
SET cached_query.mode = only_cached;
SELECT outcome('SELECT v FROM t');
SELECT * FROM cq_test.fails(cq_test.statement('SELECT v + 100 FROM t'));
SELECT * FROM cq_test.fails(cq_test.statement('SELECT random()'));
SET cached_query.mode = refresh;
SELECT outcome('SELECT v FROM t');
SET cached_query.mode = on;
SELECT outcome('SELECT v FROM t');
UPDATE t SET v = 3;
BEGIN;
SET LOCAL cached_query.mode = off;
SELECT outcome('SELECT v FROM t');
COMMIT;
SELECT outcome('SELECT v FROM t');
RESET cached_query.mode;
-- also JSON and refresh follow them
SET cached_query.mode = off;
SELECT cached_query_json('SELECT v FROM t', '1h');
SELECT * FROM cq_test.call($$ SELECT cached_query_refresh('SELECT v FROM t', '1h') $$);
RESET cached_query.mode;
SELECT outcome('SELECT v FROM t');

-- consistency
SET cached_query.consistency = exact;
SELECT outcome('SELECT v FROM t'), outcome('SELECT v FROM t');
UPDATE t SET v = 4;
SELECT outcome('SELECT v FROM t'), outcome('SELECT v FROM t');
SELECT outcome('SELECT now() IS NULL'), outcome('SELECT count(*) > 1 FROM pg_class');
-- ttl is a bound in exact mode too
SELECT outcome('SELECT 7003', '0'), outcome('SELECT 7003', '1h');
SELECT pg_sleep(0.02);
SELECT outcome('SELECT 7003', '10ms');
RESET cached_query.consistency;
SELECT outcome('SELECT now() IS NULL'), outcome('SELECT now() IS NULL');

-- min_fill_time
SET cached_query.min_fill_time = '1min';
SELECT outcome('SELECT 7004'), outcome('SELECT 7004');
SET cached_query.min_fill_time = '20ms';
SELECT outcome('SELECT pg_sleep(0.05)::text') IS NOT NULL AS slow;
SELECT outcome('SELECT count(*) FROM generate_series(1, 1000000)'), outcome('SELECT count(*) FROM generate_series(1, 1000000)');
RESET cached_query.min_fill_time;

-- max_entry_size
SET cached_query.max_entry_size = '64kB';
SELECT outcome('SELECT count(*) FROM generate_series(1, 7006)'), outcome('SELECT count(*) FROM generate_series(1, 7006)');
SELECT (cq_test.call(cq_test.statement('SELECT repeat(''x'', 1000) FROM generate_series(1, 1000)'))).outcome,
	(cq_test.call(cq_test.statement('SELECT repeat(''x'', 1000) FROM generate_series(1, 1000)'))).outcome;
SELECT (cq_test.call(cq_test.statement('SELECT repeat(''x'', 1000000)'))).outcome;
RESET cached_query.max_entry_size;

-- handle_memory: more texts than handles fit, nothing but speed is lost
SET cached_query.handle_memory = '64kB';
SELECT count(*) AS texts, bool_and(outcome(format('SELECT %s AS n, ''%s'' AS pad', g, repeat('x', 500))) LIKE 'miss_cold%') AS missed FROM generate_series(1, 200) AS g;
SELECT count(*) AS texts, bool_and(outcome(format('SELECT %s AS n, ''%s'' AS pad', g, repeat('x', 500))) LIKE 'hit%') AS hit FROM generate_series(1, 200) AS g;
RESET cached_query.handle_memory;

-- trusted_functions: a STABLE function in another language, taken at its word
CREATE FUNCTION lang_c(text, text) RETURNS bool LANGUAGE internal STABLE AS 'texteq';
SELECT v.* FROM cq_test.verdict('SELECT lang_c(''a'', ''b'')') AS v;
SET cached_query.consistency = exact;
SELECT v.* FROM cq_test.verdict('SELECT lang_c(''a'', ''b'')') AS v;
SET cached_query.trusted_functions = 'cq_set.lang_c';
SELECT v.* FROM cq_test.verdict('SELECT lang_c(''a'', ''b'')') AS v;
RESET cached_query.trusted_functions;
SELECT v.* FROM cq_test.verdict('SELECT lang_c(''a'', ''b'')') AS v;
RESET cached_query.consistency;

-- tag
SET cached_query.tag = 'blue';
SELECT outcome('SELECT 7007');
RESET cached_query.tag;
SELECT outcome('SELECT 7007');
SELECT tag FROM cached_query_entries WHERE query = 'SELECT 7007';

-- the option of one call goes before the setting
SET cached_query.mode = off;
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query_with('{"mode": "on"}', 'SELECT 7007', '1h') AS t(v int) $$);
RESET cached_query.mode;

-- enabled: for all, by the administrator
ALTER SYSTEM SET cached_query.enabled = off;
SELECT pg_reload_conf();
SELECT pg_sleep(0.5);
SHOW cached_query.enabled;
SELECT outcome('SELECT 7007');
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query_with('{"mode": "on"}', 'SELECT 7007', '1h') AS t(v int) $$);
ALTER SYSTEM RESET cached_query.enabled;
SELECT pg_reload_conf();
SELECT pg_sleep(0.5);
SHOW cached_query.enabled;
SELECT outcome('SELECT 7007');

DROP SCHEMA cq_set CASCADE;
