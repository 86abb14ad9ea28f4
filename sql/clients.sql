--
-- What drivers and applications stumble over: messages that say what to do, statements that are kept while
-- tables change, cursors, aggregates of extensions, and the schema of temporary objects.
--
CREATE SCHEMA cq_clients;
SET search_path = cq_clients, public;
SELECT cached_query_clear() >= 0 AS empty;

-- all that an error says
CREATE FUNCTION said(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	d text;
	h text;
	c text;
BEGIN
	EXECUTE statement;
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT, c = PG_EXCEPTION_CONTEXT;
	RETURN concat_ws(E'\n', SQLSTATE || ' ' || SQLERRM, nullif(d, ''), nullif(h, ''), split_part(c, E'\n', 1));
END $$;
\pset format unaligned
\pset tuples_only on
-- arguments that a driver sent as text although they are none
SELECT said($$SELECT * FROM cached_query('SELECT oid FROM pg_class WHERE oid = ANY($1::oid[])', '60s', '1,2') AS t(a oid)$$);
SELECT said($$SELECT * FROM cached_query('SELECT $1::bytea', '60s', 'a\b') AS t(a bytea)$$);
SELECT said($$SELECT * FROM cached_query('SELECT $1 + 1, $2::text', '60s', 'x', 'y') AS t(a int, b text)$$);
SELECT said($$SELECT * FROM cached_query('SELECT $1::text, $2 + 1', '60s', VARIADIC ARRAY['1', '2.5']) AS t(a text, b int)$$);
SELECT said($$SELECT cached_query_json('SELECT $1::date', '60s', '2026-02-30')$$);
CREATE DOMAIN even AS int CHECK (VALUE % 2 = 0);
SELECT said($$SELECT * FROM cached_query('SELECT $1::even', '60s', '3') AS t(a even)$$); -- not the client's fault
-- a typed value has no such hint
SELECT said($$SELECT * FROM cached_query('SELECT $1::text::int', '60s', 'x'::text) AS t(a int)$$);

-- more or less arguments than the text has parameters
SELECT said($$SELECT * FROM cached_query('SELECT 3', '60s', 3) AS t(a int)$$);
SELECT said($$SELECT * FROM cached_query('SELECT 3', '60s', '3') AS t(a int)$$);
SELECT said($$SELECT * FROM cached_query('SELECT ''$1'', "$2" FROM (SELECT 1 AS "$2") AS s /* $3 */', '60s', 3) AS t(a text, b int)$$);
SELECT said($$SELECT * FROM cached_query('SELECT $1::int', '60s') AS t(a int)$$);
SELECT said($$SELECT * FROM cached_query('SELECT $2::int', '60s', 1) AS t(a int)$$);
SELECT said($$SELECT * FROM cached_query('SELECT $1::int', '60s', 1, 2) AS t(a int)$$);
SELECT said($$SELECT cached_query_columns('SELECT $1::int', 1, 2)$$);
SELECT said($$SELECT cached_query_refresh('SELECT 1', '60s', 1, 2, 3)$$);
SELECT said($$SELECT cached_query_invalidate('SELECT 1', 1)$$);

-- statements that are no queries: the article is right for each
SELECT s, split_part(said(format('SELECT * FROM cached_query(%L) AS t(a int)', s)), E'\n', 2) FROM unnest(ARRAY['EXPLAIN SELECT 1', 'EXECUTE p', 'INSERT INTO x VALUES (1)',
	'UPDATE x SET a = 1', 'ALTER TABLE x ADD a int', 'ANALYZE', 'VACUUM', 'SHOW ALL', 'DELETE FROM x', 'SELECT 1 INTO x', 'DO ''''', 'UNLISTEN *', 'LISTEN x', 'COPY x TO STDOUT', 'CREATE TABLE x (a int)']) AS s;

-- ttl: an interval, or what becomes one
SELECT * FROM cached_query('SELECT 1', make_interval(secs => 60)) AS t(a int);
SELECT * FROM cached_query('SELECT 1', 60 * interval '1 second') AS t(a int);
SELECT * FROM cached_query('SELECT 1', '60'::text::interval) AS t(a int);
SELECT * FROM cached_query('SELECT 1', '60') AS t(a int);
SELECT * FROM cached_query('SELECT 1', NULL) AS t(a int);
PREPARE untyped AS SELECT * FROM cached_query('SELECT 1', $1) AS t(a int);
PREPARE seconds AS SELECT * FROM cached_query('SELECT $1::int', make_interval(secs => $1), $2) AS t(a int);
PREPARE all_of_it AS SELECT * FROM cached_query($1, $2, $3, $4) AS t(a int, b text);
SELECT name, parameter_types FROM pg_prepared_statements WHERE name IN ('untyped', 'seconds', 'all_of_it') ORDER BY name;
EXECUTE seconds(60, '7');
EXECUTE all_of_it('SELECT $1::int, $2::text', '60s', '1', 'x');
DEALLOCATE untyped;
DEALLOCATE seconds;
DEALLOCATE all_of_it;
\pset tuples_only off
\pset format aligned

-- aggregates as extensions declare them: IMMUTABLE by default, their parts VOLATILE by default
CREATE FUNCTION c_step(int, int) RETURNS int LANGUAGE internal AS 'int4pl';
CREATE FUNCTION c_end(int) RETURNS int LANGUAGE internal AS 'int4abs';
CREATE AGGREGATE c_sum(int) (SFUNC = c_step, STYPE = int, FINALFUNC = c_end, INITCOND = '0');
CREATE FUNCTION sql_step(int, int) RETURNS int LANGUAGE sql AS 'SELECT $1 + $2';
CREATE AGGREGATE sql_sum(int) (SFUNC = sql_step, STYPE = int, INITCOND = '0');
CREATE FUNCTION random_step(int, int) RETURNS int LANGUAGE sql AS 'SELECT $1 + (random() * $2)::int';
CREATE AGGREGATE random_sum(int) (SFUNC = random_step, STYPE = int, INITCOND = '0');
CREATE TABLE rates (rate int);
INSERT INTO rates VALUES (10);
CREATE FUNCTION rated_step(int, int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN $1 + $2 * (SELECT rate FROM rates); END';
CREATE AGGREGATE rated_sum(int) (SFUNC = rated_step, STYPE = int, INITCOND = '0');
CREATE TABLE n (a int);
INSERT INTO n VALUES (1), (2);
CREATE VIEW judged AS
	SELECT expr, e.cacheable, e.reason, e.detail, e.consistency
	FROM unnest(ARRAY['c_sum(a)', 'c_sum(a) OVER ()', 'c_step(a, 1)', 'sql_sum(a)', 'random_sum(a)', 'rated_sum(a)']) AS expr,
		LATERAL cached_query_explain(format('SELECT %s FROM n', expr)) AS e;
SELECT * FROM judged;
-- named is trusted: a volatile function, an aggregate with all its parts, or a part
SET cached_query.trusted_functions = 'c_step';
SELECT * FROM judged WHERE expr LIKE 'c%';
SET cached_query.trusted_functions = 'c_step, c_end';
SELECT * FROM judged WHERE expr LIKE 'c%';
SET cached_query.trusted_functions = 'cq_clients.c_sum';
SELECT * FROM judged;
-- ... and reads its tables all the same
SET cached_query.trusted_functions = 'rated_sum';
SELECT cacheable, reason, consistency FROM judged WHERE expr LIKE 'rated%';
SET cached_query.consistency = exact;
SELECT * FROM cached_query('SELECT rated_sum(a) FROM n', '1h') AS t(a int);
SELECT * FROM cached_query('SELECT rated_sum(a) FROM n', '1h') AS t(a int);
UPDATE rates SET rate = 100;
SELECT * FROM cached_query('SELECT rated_sum(a) FROM n', '1h') AS t(a int);
RESET cached_query.consistency;
RESET cached_query.trusted_functions;

-- the session's schema for temporary objects, as information_schema asks for it
SELECT e.cacheable, e.reason, v FROM unnest(ARRAY['tables', 'columns', 'views', 'sequences', 'schemata', 'table_constraints', 'role_table_grants']) AS v,
	cached_query_explain('SELECT * FROM information_schema.' || v) AS e;
CREATE FUNCTION own() RETURNS TABLE (mine boolean, others boolean) LANGUAGE sql AS $$
	SELECT a = pg_my_temp_schema(), b = (SELECT array_agg(oid ORDER BY oid) FROM pg_namespace WHERE NOT pg_is_other_temp_schema(oid))
	FROM cached_query('SELECT pg_my_temp_schema()', '1h') AS t(a oid),
		cached_query('SELECT array_agg(oid ORDER BY oid) FROM pg_namespace WHERE NOT pg_is_other_temp_schema(oid)', '1h') AS u(b oid[]) $$;
SELECT * FROM own();
CREATE TEMP TABLE once (a int);
SELECT * FROM own();
DROP TABLE once;
SELECT pg_my_temp_schema() <> 0 AS remains;
SELECT * FROM own();
SELECT * FROM own();

-- SELECT * of a row type goes on as SELECT * of the table, when that has another column
CREATE TABLE t (a int);
INSERT INTO t VALUES (1);
PREPARE star AS SELECT * FROM cached_query_as(NULL::t, 'SELECT * FROM t', '1h');
PREPARE star_direct AS SELECT * FROM t;
PREPARE one AS SELECT a FROM cached_query_as(NULL::t, 'SELECT * FROM t', '1h') WHERE a > $1;
PREPARE whole AS SELECT s FROM cached_query_as(NULL::t, 'SELECT * FROM t', '1h') AS s;
PREPARE numbered AS SELECT * FROM cached_query_as(NULL::t, 'SELECT * FROM t', '1h') WITH ORDINALITY;
CREATE VIEW v AS SELECT * FROM cached_query_as(NULL::t, 'SELECT * FROM t', '1h');
CREATE FUNCTION from_query() RETURNS SETOF t LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT * FROM cached_query_as(NULL::t, 'SELECT * FROM t', '1h'); END $$;
CREATE FUNCTION looping() RETURNS SETOF text LANGUAGE plpgsql AS $$ DECLARE r record; BEGIN FOR r IN SELECT * FROM cached_query_as(NULL::t, 'SELECT * FROM t', '1h') LOOP RETURN NEXT r::text; END LOOP; END $$;
CREATE FUNCTION inlined() RETURNS SETOF t LANGUAGE sql STABLE AS $$ SELECT * FROM cached_query_as(NULL::t, 'SELECT * FROM t', '1h') $$;
CREATE FUNCTION everything(note text) RETURNS TABLE (what text, rows text) LANGUAGE plpgsql AS $$
DECLARE statement text;
BEGIN
	FOREACH statement IN ARRAY ARRAY['EXECUTE star', 'EXECUTE star_direct', 'EXECUTE one(0)', 'EXECUTE whole', 'EXECUTE numbered', 'SELECT * FROM v', 'SELECT * FROM from_query()', 'SELECT * FROM looping()', 'SELECT * FROM inlined()'] LOOP
		what := statement;
		BEGIN
			rows := cq_test.rows(statement);
		EXCEPTION WHEN OTHERS THEN rows := SQLSTATE || ' ' || SQLERRM;
		END;
		RETURN NEXT;
	END LOOP;
END $$;
SELECT * FROM everything('before');
ALTER TABLE t ADD b int;
UPDATE t SET b = 2;
SELECT * FROM everything('added');
SELECT * FROM v; -- its image, too, has its columns only
SELECT * FROM v;
SELECT * FROM v;
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM v;
CREATE VIEW both_columns AS SELECT * FROM cached_query_as(NULL::t, 'SELECT * FROM t', '1h');
SELECT * FROM both_columns;
EXECUTE star; -- as often as it is asked for, as PostgreSQL does
EXECUTE star_direct;
DEALLOCATE star;
PREPARE star AS SELECT * FROM cached_query_as(NULL::t, 'SELECT * FROM t', '1h');
EXECUTE star;
DROP VIEW both_columns;
ALTER TABLE t DROP b;
SELECT * FROM everything('dropped');
DROP VIEW v;
ALTER TABLE t ALTER a TYPE text;
SELECT * FROM everything('another type');
SET plan_cache_mode = force_generic_plan;
SELECT * FROM everything('generic');
ALTER TABLE t ADD c int DEFAULT 3;
SELECT * FROM everything('generic, added');
RESET plan_cache_mode;
-- types of their own
CREATE TYPE pair AS (x int, y int);
PREPARE pairs AS SELECT x FROM cached_query_as(NULL::pair, 'SELECT 1, 2', '1h');
EXECUTE pairs;
ALTER TYPE pair ADD ATTRIBUTE z int;
EXECUTE pairs; -- the cached query has to return all of it
DEALLOCATE pairs;
PREPARE pairs AS SELECT x FROM cached_query_as(NULL::pair, 'SELECT 1, 2, 3', '1h');
EXECUTE pairs;
ALTER TYPE pair DROP ATTRIBUTE x;
EXECUTE pairs;
DEALLOCATE pairs;
-- prepared, but never run before the type changed: the columns that it was prepared with, as with other functions
CREATE TYPE early AS (x int, y int);
CREATE FUNCTION earlies() RETURNS SETOF early LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT 2, 3; END $$;
PREPARE early_star AS SELECT * FROM cached_query_as(NULL::early, 'SELECT 2, 3', '1h');
PREPARE early_direct AS SELECT * FROM earlies();
ALTER TYPE early ADD ATTRIBUTE w int;
ALTER TYPE early DROP ATTRIBUTE y;
EXECUTE early_star;
EXECUTE early_direct;
CREATE TYPE other AS (x int);
PREPARE other_star AS SELECT x FROM cached_query_as(NULL::other, 'SELECT ''a''::text', '1h');
ALTER TYPE other ALTER ATTRIBUTE x TYPE text;
EXECUTE other_star;
DEALLOCATE ALL;

-- a cursor goes backward where one over a table does
CREATE TABLE five AS SELECT g AS a FROM generate_series(1, 5) AS g;
CREATE FUNCTION back(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
	EXECUTE 'DECLARE back CURSOR FOR ' || statement;
	EXECUTE 'MOVE 3 FROM back';
	BEGIN EXECUTE 'FETCH BACKWARD 1 FROM back' INTO result;
	EXCEPTION WHEN OTHERS THEN result := SQLSTATE || ' ' || SQLERRM;
	END;
	EXECUTE 'CLOSE back';
	RETURN result;
END $$;
SET client_min_messages = error;
SELECT form, direct, direct = hit AND direct = again AND direct = bypass AND direct = generated AS same FROM unnest(ARRAY['SELECT a FROM %s', 'SELECT a + 1 FROM %s', 'SELECT a FROM %s WHERE a > 1', 'SELECT a FROM %s LIMIT 4', 'SELECT a FROM %s ORDER BY a DESC', 'SELECT a FROM (SELECT a FROM %s OFFSET 0) AS s',
	'WITH w AS MATERIALIZED (SELECT a FROM %s) SELECT * FROM w', 'SELECT sum(a) OVER (ORDER BY a) FROM %s', 'SELECT a FROM %s UNION ALL SELECT 6', 'SELECT sum(a) FROM %s GROUP BY a', 'SELECT a, generate_series(1, 2) FROM %s']) AS form,
	back(format(form, 'five')) AS direct, back(format(form, 'cached_query(''SELECT a FROM five'', ''1h'') AS t(a int)')) AS hit, back(format(form, 'cached_query(''SELECT a FROM five'', ''1h'') AS t(a int)')) AS again,
	back(format(form, 'cached_query(''SELECT a FROM five WHERE random() >= 0'', ''1h'') AS t(a int)')) AS bypass, back(format(form, 'cached_query(''SELECT * FROM generate_series(1, 5)'', ''1h'') AS t(a int)')) AS generated;

SET client_min_messages = warning;
DROP SCHEMA cq_clients CASCADE;
