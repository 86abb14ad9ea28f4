--
-- What a session knows of a query is kept while it is used: code of the user's that runs meanwhile drops it,
-- evicts it or makes its definitions anew.  And arguments that no other session can know, or that
-- are too long for a key.
--
CREATE SCHEMA cq_handles;
SET search_path = cq_handles, public;
SET client_min_messages = warning;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 20) AS g;
CREATE TABLE other AS SELECT * FROM t;

-- Each way to lose handles, from a domain's CHECK, a function of the query and one that the planner evaluates.
CREATE TABLE way (n int PRIMARY KEY, command text);
INSERT INTO way VALUES (1, 'DISCARD PLANS'), (2, 'SET cached_query.handle_memory = ''64kB'''),
	(3, 'CREATE OR REPLACE FUNCTION any_change() RETURNS int LANGUAGE sql AS ''SELECT 1'''),
	(4, 'ALTER TABLE other ALTER v SET STATISTICS 10');
CREATE FUNCTION lose() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	command text := (SELECT w.command FROM way AS w WHERE w.n = current_setting('test.way')::int);
BEGIN
	EXECUTE command;
	-- others, so that what is not held goes
	FOR i IN 1 .. 12 LOOP
		PERFORM FROM cached_query(format('SELECT %s, v FROM t WHERE id = %s OR v = %L', i, i, repeat('x', 2000)), '1h') AS q(a int, v text);
	END LOOP;
	RESET cached_query.handle_memory;
END $$;
CREATE FUNCTION loses(int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN PERFORM lose(); RETURN true; END $$;
CREATE FUNCTION same(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM lose(); RETURN $1; END $$;
CREATE FUNCTION fold(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM lose(); RETURN $1; END $$;
CREATE DOMAIN d AS int CHECK (loses(VALUE));

-- Every SQL function, while an argument is read, the query planned, and the query run.
CREATE FUNCTION try_all(way int, query text) RETURNS TABLE (what text, result text) LANGUAGE plpgsql AS $$
DECLARE
	call text;
	list text;
BEGIN
	PERFORM set_config('test.way', way::text, false);
	EXECUTE format('SELECT cached_query_columns(%L, VARIADIC ARRAY[''5''])', query) INTO list;
	FOREACH call IN ARRAY ARRAY[
		format('SELECT q::text FROM cached_query(%L, ''1h'', VARIADIC ARRAY[''5'']) AS q(%s)', query, list),
		format('SELECT * FROM cached_query(%L, ''1h'', VARIADIC ARRAY[''5'']) AS q(%s)', query, list),
		format('SELECT * FROM cached_query_with(''{}'', %L, ''1h'', VARIADIC ARRAY[''5'']) AS q(%s)', query, list),
		format('SELECT cached_query_json(%L, ''1h'', VARIADIC ARRAY[''5''])', query),
		format('SELECT cached_query_refresh(%L, ''1h'', VARIADIC ARRAY[''5''])', query),
		format('SELECT cached_query_columns(%L, VARIADIC ARRAY[''5''])', query),
		format('SELECT (cached_query_explain(%L, VARIADIC ARRAY[''5''])).columns', query),
		format('SELECT cached_query_invalidate(%L, VARIADIC ARRAY[''5'']) >= 0', query),
		format('EXPLAIN (COSTS OFF) SELECT * FROM cached_query(%L, ''1h'', VARIADIC ARRAY[''5'']) AS q(%s)', query, list)]
	LOOP
		what := substring(call FROM 'cached_query[a-z_]*');
		EXECUTE call INTO result;
		RETURN NEXT;
	END LOOP;
END $$;
SET cached_query.nondeterministic = 'cache';
SELECT * FROM try_all(1, 'SELECT $1::d');
SELECT * FROM try_all(1, 'SELECT same($1)');
SELECT * FROM try_all(1, 'SELECT fold(1) + $1');
SELECT n, count(*), count(result) FROM way, try_all(n, 'SELECT $1::d') GROUP BY n ORDER BY n;
SELECT n, count(*), count(result) FROM way, try_all(n, 'SELECT same(id) FROM t WHERE id = $1') GROUP BY n ORDER BY n;
SELECT n, count(*), count(result) FROM way, try_all(n, 'SELECT fold(2) FROM t WHERE id = $1') GROUP BY n ORDER BY n;

-- a query inside itself, with a new plan in between: neither has the other's findings
CREATE FUNCTION again(depth int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	IF depth = 0 THEN
		RETURN 0;
	END IF;
	ALTER TABLE t ALTER v SET STATISTICS 20;
	RETURN 1 + (SELECT n FROM cached_query('SELECT again($1)', '1h', depth - 1) AS q(n int));
END $$;
SELECT * FROM cached_query('SELECT again($1)', '1h', 3) AS q(n int);
SELECT * FROM cached_query('SELECT again($1)', '1h', 3) AS q(n int);

-- an error in between releases what was held: nothing is said about it
CREATE FUNCTION fails(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM lose(); RETURN 1 / ($1 - $1); END $$;
DO $$
BEGIN
	FOR i IN 1 .. 5 LOOP
		BEGIN
			PERFORM FROM cached_query('SELECT fails($1)', '1h', 5) AS q(n int);
		EXCEPTION WHEN division_by_zero THEN
			NULL;
		END;
	END LOOP;
END $$;
DISCARD PLANS;

-- What EXPLAIN shows of each scan is its own, when the handles are gone.
SET cached_query.nondeterministic = 'bypass';
SET cached_query.handle_memory = '64kB';
CREATE FUNCTION details() RETURNS TABLE (detail text, n bigint) LANGUAGE plpgsql AS $$
DECLARE
	line text;
	calls text := '';
	lines text[];
BEGIN
	FOR i IN 1 .. 60 LOOP
		EXECUTE format('CREATE OR REPLACE FUNCTION vol_%s() RETURNS int LANGUAGE sql VOLATILE AS ''SELECT %s''', i, i);
		calls := calls || CASE WHEN i > 1 THEN ' UNION ALL ' ELSE '' END
			|| format('SELECT * FROM cached_query(''SELECT cq_handles.vol_%s()'', ''1h'') AS q(n int)', i);
	END LOOP;
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || calls LOOP
		IF line ~ 'Detail:' THEN
			lines := lines || line;
		END IF;
	END LOOP;
	RETURN QUERY SELECT regexp_replace(l, '\d+', 'N'), count(DISTINCT l) FROM unnest(lines) AS l GROUP BY 1;
END $$;
SELECT trim(detail) AS detail, n FROM details();
RESET cached_query.handle_memory;

-- --- arguments that mean nothing elsewhere ---
CREATE FUNCTION outcome(call text) RETURNS text LANGUAGE sql AS $$ SELECT outcome || ' ' || rows::text FROM cq_test.call(call) $$;
SELECT outcome($$ SELECT j FROM cached_query('SELECT row_to_json($1)', '1h', ROW(1, 2)) AS x(j json) $$) FROM generate_series(1, 2);
SELECT outcome($$ SELECT j FROM cached_query('SELECT row_to_json($1)', '1h', ROW('2000-01-02'::date, 2)) AS x(j json) $$);
SELECT outcome($$ SELECT j FROM cached_query('SELECT array_to_json($1)', '1h', ARRAY[ROW(1, 2), ROW(3, 4)]) AS x(j json) $$);
SELECT outcome($$ SELECT j FROM cached_query('SELECT to_json($1) WHERE $2 IS NOT NULL', '1h', VARIADIC ARRAY[ROW(1, 2), ROW(1, 3)]) AS x(j json) $$);
SELECT outcome($$ SELECT cached_query_json('SELECT $1', '1h', ROW(1, 'a'::text)) $$);
SELECT outcome($$ SELECT cached_query_refresh('SELECT row_to_json($1)', '1h', ROW(1, 2)) $$);
SELECT cacheable, reason, detail, consistency, key, state FROM cached_query_explain('SELECT row_to_json($1)', ROW(1, 2));
SELECT cached_query_invalidate('SELECT row_to_json($1)', ROW(1, 2));
SELECT cached_query_columns('SELECT row_to_json($1)', ROW(1, 2));
EXPLAIN (COSTS OFF) SELECT * FROM cached_query('SELECT row_to_json($1)', '1h', ROW(1, 2)) AS x(j json);
-- named ones are known everywhere
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN dpair AS pair;
CREATE TYPE prange AS RANGE (SUBTYPE = int8);
SELECT outcome($$ SELECT j FROM cached_query('SELECT row_to_json($1)', '1h', ROW(1, 'x')::pair) AS x(j json) $$) FROM generate_series(1, 2);
SELECT outcome($$ SELECT j FROM cached_query('SELECT to_json($1)', '1h', ARRAY[ROW(1, 'x')::dpair]) AS x(j json) $$) FROM generate_series(1, 2);
SELECT outcome($$ SELECT j FROM cached_query('SELECT $1', '1h', ARRAY[prange(1, 2)]) AS x(j prange[]) $$) FROM generate_series(1, 2);
-- a C string is text without a type, as a constant in quotes is
SELECT outcome($$ SELECT j FROM cached_query('SELECT $1 IS NULL', '1h', 'x'::cstring) AS x(j bool) $$);

-- --- arguments for people: text that was made with the entry ---
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE FUNCTION shown() RETURNS TABLE (query text, args text) LANGUAGE sql AS $$ SELECT query, args FROM cached_query_entries WHERE args IS NOT NULL ORDER BY query, args $$;
SELECT cached_query_clear() >= 0 AS cleared;
CALL cq_test.swept();
SELECT outcome($$ SELECT n FROM cached_query('SELECT 1 WHERE $1 IS NOT NULL', '1h', 'ok'::mood) AS x(n int) $$);
SELECT outcome($$ SELECT n FROM cached_query('SELECT 2 WHERE $1 IS NOT NULL', '1h', ROW(1, 'x')::pair) AS x(n int) $$);
SELECT outcome($$ SELECT n FROM cached_query('SELECT 3 WHERE $1 IS NOT NULL AND $2 IS NULL', '1h', ARRAY[1, 2], NULL::text) AS x(n int) $$);
SELECT outcome($$ SELECT n FROM cached_query('SELECT 4 WHERE length($1) > 0', '1h', repeat('ä', 2000)) AS x(n int) $$);
SELECT query, left(args, 40) AS args, length(args) > 500 AND length(args) < 2000 AND right(args, 2) = '..' AS cut FROM shown();
ALTER TYPE pair ALTER ATTRIBUTE a TYPE text CASCADE;
SELECT query, left(args, 40) AS args FROM shown();
DROP TYPE mood, pair, prange CASCADE;
SELECT query, left(args, 40) AS args FROM shown();
SELECT count(*) >= 0 AS works FROM cached_query_entries;

-- --- long arguments ---
SELECT outcome($$ SELECT n FROM cached_query('SELECT length($1)', '1h', repeat('x', 60000)) AS x(n int) $$) FROM generate_series(1, 2);
SELECT outcome($$ SELECT n FROM cached_query('SELECT length($1)', '1h', repeat('x', 70000)) AS x(n int) $$) FROM generate_series(1, 2);
SELECT outcome($$ SELECT n FROM cached_query('SELECT length($1) + length($2)', '1h', repeat('x', 40000), repeat('x', 40000)) AS x(n int) $$);
SELECT outcome($$ SELECT n FROM cached_query('SELECT cardinality($1)', '1h', array_fill(1, ARRAY[20000])) AS x(n int) $$);
SELECT reason, key IS NULL AS no_key, state FROM cached_query_explain('SELECT length($1)', repeat('x', 70000));
SELECT cached_query_invalidate('SELECT length($1)', repeat('x', 70000));
SELECT outcome($$ SELECT cached_query_json('SELECT length($1)', '1h', repeat('x', 70000)) $$);
-- nothing is read from the TOAST table for a key, and nothing stays allocated
CREATE TABLE big (v text);
ALTER TABLE big ALTER v SET STORAGE EXTERNAL;
INSERT INTO big SELECT repeat('x', 20000000);
SELECT outcome($$ SELECT q.n FROM big, cached_query('SELECT $1 IS NULL', '1h', big.v) AS q(n bool) $$);
SELECT max(total_bytes) < 1000000 AS small FROM pg_backend_memory_contexts WHERE name IN ('TopMemoryContext', 'CachedQueryHandle');
SELECT outcome($$ SELECT n FROM cached_query('SELECT length($1)', '1h', 'short') AS x(n int) $$);

DROP SCHEMA cq_handles CASCADE;
