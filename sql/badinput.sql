--
-- Wrong input: each error has its SQLSTATE, nothing is counted as stored, and the session goes on.
--
CREATE SCHEMA cq_bad;
SET search_path = cq_bad, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
CREATE TABLE t (id int, v text);
INSERT INTO t VALUES (1, 'x');
SELECT entries AS entries_before FROM cached_query_stats \gset

CREATE FUNCTION try(expr text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE e record;
BEGIN
	e := cq_test.fails(expr);
	RETURN coalesce(e.code, 'no error') || CASE WHEN e.has_hint THEN ' with hint' ELSE '' END;
END $$;
CREATE FUNCTION text_(query text) RETURNS text LANGUAGE sql AS $$
	SELECT try(format('SELECT * FROM cached_query(%L, ''1h'') AS t(a int)', query)) $$;

-- the text as such
SELECT q, text_(q) FROM (VALUES (NULL), (''), ('   '), (';'), (';;'), ('-- nothing'), ('/* nothing */'), ('SELECT 1; SELECT 2'),
	('SELECT 1;;'), (';SELECT 1'), ('SELECT 1; -- end'), ('SELECT 1; DROP TABLE t'), ('SELECT'), ('SELEC 1'), ('SELECT 1 +'), ('SELECT ''unfinished'),
	('SELECT /* unfinished'), ('SELECT no_column FROM t'), ('SELECT * FROM no_table'), ('SELECT sqrt(''x''::text)'), ('SELECT 1 + ''x''::text'),
	('SELECT 1::no_type'), ('SELECT 1/0'), ('SELECT ''x''::int'), ('SELECT id FROM t AS a, t AS b')) AS v(q);
-- other statements
SELECT q, text_(q) FROM (VALUES ('INSERT INTO t VALUES (2)'), ('INSERT INTO t VALUES (2) RETURNING id'), ('UPDATE t SET id = 3'),
	('DELETE FROM t'), ('DELETE FROM t RETURNING id'), ('MERGE INTO t USING t AS s ON false WHEN MATCHED THEN DELETE'), ('TRUNCATE t'),
	('CREATE TABLE x (a int)'), ('DROP TABLE t'), ('COPY t TO STDOUT'), ('EXPLAIN SELECT 1'), ('SHOW work_mem'), ('SET work_mem = ''1MB'''),
	('BEGIN'), ('COMMIT'), ('ROLLBACK'), ('SAVEPOINT a'), ('DECLARE c CURSOR FOR SELECT 1'), ('FETCH c'), ('CALL p()'), ('DO $$BEGIN END$$'),
	('PREPARE p AS SELECT 1'), ('EXECUTE p'), ('LISTEN x'), ('VACUUM'), ('SELECT 1 AS a INTO x'), ('SELECT 1 AS a INTO x UNION SELECT 2'), ('CREATE TABLE x AS SELECT 1'),
	('REFRESH MATERIALIZED VIEW x'), ('LOCK t')) AS v(q);
-- selects that write or lock
SELECT q, text_(q) FROM (VALUES ('SELECT id FROM t FOR UPDATE'), ('SELECT id FROM t FOR SHARE'), ('SELECT id FROM t FOR KEY SHARE SKIP LOCKED'),
	('SELECT id FROM (SELECT id FROM t FOR UPDATE) AS s'), ('WITH w AS (INSERT INTO t VALUES (9) RETURNING id) SELECT id FROM w'),
	('WITH w AS (DELETE FROM t) SELECT 1'), ('WITH w AS (UPDATE t SET id = 1 RETURNING id) SELECT 1'),
	('SELECT id FROM t WHERE id IN (SELECT id FROM t FOR NO KEY UPDATE)')) AS v(q);
SELECT count(*) FROM t;

-- ttl
SELECT ttl, try(format('SELECT * FROM cached_query(''SELECT 1'', %L) AS t(a int)', ttl)) FROM (VALUES ('-1s'), ('-100 years'), ('1 day -25 hours'),
	('0'), ('1us'), ('100000 years'), ('178000000 years'), ('x')) AS v(ttl);
SELECT try($$ SELECT * FROM cached_query('SELECT 1', interval '-1 mon +31 days') AS t(a int) $$);

-- column lists: number, types, typmods, collations; the hint is the list
SELECT cols, try(format('SELECT * FROM cached_query(''SELECT 1::int AS id, ''''x''''::varchar(5) AS v, 1.5::numeric(5,2) AS n'', ''1h'') AS t(%s)', cols))
	FROM (VALUES ('id int, v varchar(5), n numeric(5,2)'), ('id int, v varchar, n numeric'), ('a int, b varchar, c numeric'), ('id int'),
	('id int, v varchar, n numeric, x int'), ('id bigint, v varchar, n numeric'), ('id int, v text, n numeric'), ('id int, v varchar(6), n numeric'),
	('id int, v varchar, n numeric(6,2)'), ('id int, v varchar COLLATE "C", n numeric'), ('v varchar, id int, n numeric'), ('id oid, v varchar, n numeric')) AS v(cols);
-- hit or miss makes no difference
SELECT * FROM cached_query('SELECT 1::int AS id', '1h') AS t(id int);
SELECT try($$ SELECT * FROM cached_query('SELECT 1::int AS id', '1h') AS t(id text) $$), try($$ SELECT id FROM cached_query('SELECT 1::int AS id', '1h') AS t(id text) WHERE false $$);
DO $$
DECLARE hint text;
BEGIN
	PERFORM * FROM cached_query('SELECT id, v AS "V v", v COLLATE "C" AS c FROM t') AS t(id int);
EXCEPTION WHEN datatype_mismatch THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RAISE NOTICE 'in the hint: %', strpos(hint, cached_query_columns('SELECT id, v AS "V v", v COLLATE "C" AS c FROM t')) > 0;
END $$;
-- no list, and places that have none
SELECT try(q) FROM (VALUES ($$ SELECT * FROM cached_query('SELECT 1') $$), ($$ SELECT cached_query('SELECT 1') $$), ($$ SELECT * FROM cached_query('SELECT 1') AS t $$)) AS v(q);
-- row types
SELECT try(q) FROM (VALUES ($$ SELECT * FROM cached_query_as(NULL::t, 'SELECT id FROM t') $$), ($$ SELECT * FROM cached_query_as(NULL::t, 'SELECT v, id FROM t') $$),
	($$ SELECT * FROM cached_query_as(NULL::int, 'SELECT id, v FROM t') $$), ($$ SELECT * FROM cached_query_as(NULL::text, 'SELECT id FROM t') $$),
	($$ SELECT * FROM cached_query_as(NULL, 'SELECT id FROM t') $$), ($$ SELECT * FROM cached_query_as(NULL::record, 'SELECT id FROM t') $$),
	($$ SELECT * FROM cached_query_as(NULL::t, NULL) $$), ($$ SELECT * FROM cached_query_as(ROW(1, 'x')::t, 'SELECT id, v FROM t') $$)) AS v(q);
-- the other functions refuse the same
SELECT f, q, try(format('SELECT %s(%L)', f, q)) FROM unnest(ARRAY['cached_query_json', 'cached_query_columns', 'cached_query_explain',
	'cached_query_invalidate']) AS f, unnest(ARRAY[NULL, '', 'SELECT 1; SELECT 2', 'DELETE FROM t', 'SELEC']) AS q;
SELECT q, try(format('SELECT cached_query_refresh(%L, ''1h'')', q)) FROM unnest(ARRAY[NULL, '', 'SELECT 1; SELECT 2', 'DELETE FROM t', 'SELECT id FROM t FOR UPDATE']) AS q;
SELECT try(q) FROM (VALUES ('SELECT cached_query_invalidate_relation(NULL)'), ('SELECT cached_query_invalidate_relation(0)'), ('SELECT cached_query_invalidate_relation(4294967295)'),
	('SELECT cached_query_invalidate_tag(NULL)'), ('SELECT cached_query_invalidate_tag('''')')) AS v(q);
-- options
SELECT options, try(format('SELECT * FROM cached_query_with(%L, ''SELECT 1'', ''1h'') AS t(a int)', options)) FROM (VALUES (NULL), ('{}'), ('[]'), ('1'), ('"mode"'), ('null'),
	('{"unknown": 1}'), ('{"Mode": "on"}'), ('{"mode": "sometimes"}'), ('{"mode": 1}'), ('{"mode": null}'), ('{"mode": "on", "mode": "off"}'), ('{"consistency": "strict"}'),
	('{"min_fill_time": -1}'), ('{"min_fill_time": "-2"}'), ('{"tag": 1}'),
	('{"stale_for": 0}'), ('{"stale_for": -1}'), ('{"stale_for": "1s"}'), ('{"stale_for": 1000}'),
	('{"redis_lease": 0}'), ('{"redis_lease": -1}'), ('{"redis_lease": "1s"}'), ('{"redis_lease": 3600000}'), ('{"redis_lease": 3600001}'),
	('{"wait_timeout": 0}'), ('{"wait_timeout": -1}'), ('{"wait_timeout": "1s"}'), ('{"wait_timeout": 3000000000}'),
	('{"tag": ["a"]}'), ('{"ttl": "1h"}')) AS v(options);
-- miss under only_cached
SELECT try($$ SELECT * FROM cached_query_with('{"mode": "only_cached"}', 'SELECT 12345', '1h') AS t(a int) $$);

-- an error inside points into the text, and has a context line of ours
\set SHOW_CONTEXT never
SELECT * FROM cached_query('SELECT id,
	no_column FROM t', '1h') AS t(a int, b int);
SELECT * FROM cached_query('SELECT 1 FROM FROM', '1h') AS t(a int);
\set SHOW_CONTEXT errors
DO $$
DECLARE context text; message text; direct text;
BEGIN
	BEGIN PERFORM id / 0 FROM t; EXCEPTION WHEN OTHERS THEN direct := SQLERRM; END;
	BEGIN
		PERFORM * FROM cached_query('SELECT id / 0 FROM t', '1h') AS t(a int);
	EXCEPTION WHEN division_by_zero THEN
		GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT, message = MESSAGE_TEXT;
		RAISE NOTICE 'same message: %, context of ours: %', message = direct, context ~ 'cached_query';
	END;
END $$;
-- deep recursion ends in the usual error, not in a crash
CREATE FUNCTION deep(n int) RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT a FROM cached_query('SELECT deep($1)', '1h', n + 1) AS t(a int)); END $$;
SET max_stack_depth = '200kB';
SELECT try('SELECT deep(1)');
RESET max_stack_depth;

-- nothing of all this was kept but what succeeded
SELECT count(*) FROM cached_query_entries WHERE query ~ '(no_|DELETE|UPDATE|FROM FROM|/0|/ 0|12345|deep)';
SELECT * FROM cached_query('SELECT 1', '1h') AS t(a int);

DROP SCHEMA cq_bad CASCADE;
