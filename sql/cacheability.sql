--
-- What may be cached: for each reason a query that has it, the verdict of cached_query_explain in
-- both consistencies, and that two calls are counted with that reason and give what the query gives.
--
CREATE SCHEMA cq_cache;
SET search_path = cq_cache, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
SET client_min_messages = warning;
CREATE TABLE a (id int PRIMARY KEY, v text);
INSERT INTO a VALUES (1, 'x'), (2, 'y');
CREATE TABLE p (k int) PARTITION BY HASH (k);
CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE VIEW av AS SELECT * FROM a;
CREATE MATERIALIZED VIEW am AS SELECT * FROM a;
CREATE UNLOGGED TABLE au AS SELECT 1 AS id;
CREATE SEQUENCE s;
CREATE FUNCTION f_stable() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT count(*) FROM a); END $$;
CREATE FUNCTION f_sql() RETURNS int LANGUAGE sql STABLE AS $$ SELECT count(*)::int FROM a $$;
CREATE FUNCTION f_vol() RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN RETURN 1; END $$;
CREATE FUNCTION f_imm() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN 1; END $$;

CREATE FUNCTION judge(query text, OUT ttl text, OUT exact text, OUT calls_ttl text, OUT calls_exact text)
LANGUAGE plpgsql AS $$
DECLARE
	e record;
	stmt text;
	got record;
BEGIN
	SET LOCAL cached_query.consistency = 'ttl';
	SELECT * INTO e FROM cached_query_explain(query);
	ttl := concat_ws(' ', CASE WHEN e.cacheable THEN 'yes' ELSE 'no' END, e.reason, e.consistency);
	SET LOCAL cached_query.consistency = 'exact';
	SELECT * INTO e FROM cached_query_explain(query);
	exact := concat_ws(' ', CASE WHEN e.cacheable THEN 'yes' ELSE 'no' END, e.reason, e.consistency);
	stmt := cq_test.statement(query);
	SET LOCAL cached_query.consistency = 'ttl';
	got := cq_test.call(stmt);
	calls_ttl := got.outcome;
	got := cq_test.call(stmt);
	calls_ttl := concat_ws(', ', calls_ttl, got.outcome);
	SET LOCAL cached_query.consistency = 'exact';
	got := cq_test.call(stmt);
	calls_exact := got.outcome;
	got := cq_test.call(stmt);
	calls_exact := concat_ws(', ', calls_exact, got.outcome);
END $$;

-- fully cacheable
SELECT query, j.* FROM (VALUES
	('SELECT * FROM a'), ('SELECT * FROM p'), ('SELECT * FROM av'), ('SELECT * FROM am'), ('SELECT * FROM au'),
	('VALUES (1)'), ('SELECT f_stable()'), ('SELECT f_sql()'), ('SELECT f_imm()'), ('SELECT tableoid FROM a'),
	('SELECT current_user'), ('SELECT session_user'), ('SELECT current_setting(''app.x'', true)'),
	('SELECT count(*), array_agg(v ORDER BY id), max(length(v)) FROM a'), ('SELECT * FROM generate_series(1, 3)'),
	('SELECT to_char(1.5, ''9.9''), upper(''x''), md5(''x'')'), ('SELECT date ''2024-01-01'' + 1'),
	('WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r'),
	('SELECT id, row_number() OVER (ORDER BY id) FROM a'), ('SELECT v FROM a WHERE id IN (SELECT id FROM am)'))
	AS q(query), judge(query) AS j;
-- time: as of the fill
SELECT query, j.* FROM (VALUES
	('SELECT now() IS NULL AS a'), ('SELECT CURRENT_DATE IS NULL AS a'), ('SELECT CURRENT_TIMESTAMP IS NULL AS a'),
	('SELECT LOCALTIME IS NULL AS a'), ('SELECT statement_timestamp() IS NULL AS a'), ('SELECT transaction_timestamp() IS NULL AS a'),
	('SELECT * FROM a WHERE now() < ''2000-01-01'''), ('SELECT age(''2000-01-01''::timestamp) IS NULL AS a'),
	('SELECT ''now''::timestamptz IS NULL AS a'))
	AS q(query), judge(query) AS j;
-- a relation that exactness can't watch
SELECT query, j.* FROM (VALUES
	('SELECT count(*) > 0 AS a FROM pg_class'), ('SELECT is_called FROM s'),
	('SELECT count(*) > 0 AS a FROM information_schema.tables'), ('SELECT ''pg_class''::regclass'),
	('SELECT has_table_privilege(''a'', ''SELECT'')'), ('SELECT obj_description(1, ''pg_class'')'))
	AS q(query), judge(query) AS j;
-- what can change without a trace
SELECT query, j.* FROM (VALUES
	('SELECT xmin IS NULL AS a FROM a'), ('SELECT ctid FROM a'), ('SELECT count(*) FROM a TABLESAMPLE system (100)'),
	('SELECT count(*) FROM a TABLESAMPLE bernoulli (100) REPEATABLE (1)'))
	AS q(query), judge(query) AS j;
-- bound to the session or the moment
SELECT query, j.* FROM (VALUES
	('SELECT pg_backend_pid() IS NULL AS a'), ('SELECT inet_client_addr() IS NOT NULL AS a WHERE false'),
	('SELECT txid_current_if_assigned() IS NULL AS a'), ('SELECT pg_current_xact_id_if_assigned() IS NULL AS a'),
	('SELECT pg_is_in_recovery() AS a'), ('SELECT pg_my_temp_schema() AS a'), ('SELECT pg_trigger_depth()'),
	('SELECT pg_current_snapshot() IS NULL AS a'),
	('SELECT current_query() IS NULL AS a'), ('SELECT pg_postmaster_start_time() IS NULL AS a'))
	AS q(query), judge(query) AS j;
-- volatile
SELECT query, j.* FROM (VALUES
	('SELECT random() < 2 AS a'), ('SELECT clock_timestamp() IS NULL AS a'), ('SELECT nextval(''s'') IS NULL AS a'),
	('SELECT f_vol()'), ('SELECT * FROM a WHERE f_vol() = 1'), ('SELECT v FROM a ORDER BY random() * 0, id'),
	('SELECT gen_random_uuid() IS NULL AS a'), ('SELECT (SELECT f_vol() FROM a LIMIT 1)'), ('SELECT * FROM f_vol()'),
	('WITH w AS MATERIALIZED (SELECT f_vol() AS x) SELECT 1 FROM w'),
	('SELECT set_config(''app.y'', ''1'', true)'), ('SELECT pg_sleep(0)::text'))
	AS q(query), judge(query) AS j;
-- temporary relations and anonymous records
CREATE TEMP TABLE tt AS SELECT 1 AS id;
CREATE TEMP VIEW tv AS SELECT 2 AS id;
SELECT query, j.* FROM (VALUES
	('SELECT * FROM tt'), ('SELECT a.id FROM a JOIN tt USING (id)'), ('SELECT * FROM tv'))
	AS q(query), judge(query) AS j;
SELECT cacheable, reason, consistency FROM cached_query_explain('SELECT ROW(1, 2) AS r');
SELECT cacheable, reason, consistency FROM cached_query_explain('SELECT ARRAY[ROW(1, 2)] AS r');
SELECT cacheable, reason, consistency FROM cached_query_explain('SELECT ROW(1, 2)::text AS r');
SELECT * FROM cq_test.call($$ SELECT cached_query_json('SELECT ROW(1, 2) AS r', '1h') $$);
SELECT * FROM cq_test.call($$ SELECT cached_query_json('SELECT ROW(1, 2) AS r', '1h') $$);

-- the settings about volatile functions; the notice comes once a session
RESET client_min_messages;
\c
SET search_path = cq_cache, public;
SELECT nextval('s') - 1 AS before \gset
SELECT n > :before AS a FROM cached_query('SELECT nextval(''s'')', '1h') AS t(n bigint);
SELECT n > :before AS a FROM cached_query('SELECT nextval(''s'')', '1h') AS t(n bigint);
SET cached_query.nondeterministic = 'error';
\set VERBOSITY sqlstate
SELECT * FROM cached_query('SELECT nextval(''s'')', '1h') AS t(n bigint);
SELECT * FROM cached_query('SELECT random()', '1h') AS t(n float8);
\set VERBOSITY default
SET cached_query.nondeterministic = 'cache';
SELECT * FROM cq_test.verdict('SELECT random()');
SELECT * FROM cached_query('SELECT random() AS r', '1h') AS t(r float8) \gset
SELECT (SELECT r FROM cached_query('SELECT random() AS r', '1h') AS t(r float8)) = :r AS same;
SET cached_query.consistency = 'exact';
SELECT (cq_test.call($$ SELECT * FROM cached_query('SELECT random() AS r', '1h') AS t(r float8) $$)).outcome;
RESET cached_query.consistency;
RESET cached_query.nondeterministic;
-- a hit made under `cache` is not a hit under `bypass`
SELECT (cq_test.call($$ SELECT * FROM cached_query('SELECT random() AS r', '1h') AS t(r float8) $$)).outcome;

-- a function that writes, or runs a utility statement, inside a query that looks harmless
SET client_min_messages = warning;
CREATE TABLE log (x int);
CREATE FUNCTION f_log() RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN INSERT INTO log VALUES (1); RETURN 1; END $$;
CREATE FUNCTION f_set() RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN SET LOCAL work_mem = '1MB'; RETURN 1; END $$;
CREATE FUNCTION f_writes() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN f_log(); END $$;
CREATE FUNCTION f_utility() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN f_set(); END $$;
SELECT query, c.*, d.outcome AS again
	FROM (VALUES ('SELECT f_writes()'), ('SELECT f_utility()')) AS v(query), cq_test.call(cq_test.statement(query)) AS c,
		cq_test.call(cq_test.statement(query)) AS d;
SELECT count(*) FROM log;

-- recursion: what is inside counts outside
SELECT query, j.* FROM (VALUES
	($$ SELECT * FROM cached_query('SELECT count(*) FROM a', '1h') AS t(n bigint) $$),
	($$ SELECT * FROM cached_query('SELECT random() > 2', '1h') AS t(n bool) $$),
	($$ SELECT * FROM cached_query('SELECT now() IS NULL', '1h') AS t(n bool) $$),
	($$ SELECT cached_query_json('SELECT id FROM a') $$))
	AS q(query), judge(query) AS j;

-- a change of a function's volatility acts on the next call
CREATE OR REPLACE FUNCTION f_imm() RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN RETURN 2; END $$;
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query('SELECT f_imm()', '1h') AS t(n int) $$);
ALTER FUNCTION f_imm() STABLE;
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query('SELECT f_imm()', '1h') AS t(n int) $$);
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query('SELECT f_imm()', '1h') AS t(n int) $$);

-- every detail names what was found
SELECT query, detail FROM (VALUES ('SELECT random()'), ('SELECT now()'), ('SELECT count(*) FROM pg_class'),
	('SELECT f_vol()'), ('SELECT pg_backend_pid()'), ('SELECT last_value FROM s')) AS q(query),
	LATERAL (SELECT detail FROM cached_query_explain(query)) AS e;
SET cached_query.consistency = 'exact';
SELECT query, detail FROM (VALUES ('SELECT random()'), ('SELECT now()'), ('SELECT count(*) FROM pg_class'),
	('SELECT f_vol()'), ('SELECT pg_backend_pid()'), ('SELECT last_value FROM s')) AS q(query),
	LATERAL (SELECT detail FROM cached_query_explain(query)) AS e;

DROP SCHEMA cq_cache CASCADE;
