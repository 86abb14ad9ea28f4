--
-- What is asked for before anything is run has a bound, and leaves nothing behind
--
SELECT cached_query_clear() >= 0 AS empty;
CREATE SCHEMA bounds;
SET search_path = bounds, public;

-- More parameters than a client can send: an error at once, not an array of them
SELECT cached_query_columns('SELECT $100000000');
SELECT * FROM cached_query_explain('SELECT $65536');
SELECT cached_query_invalidate('SELECT $2147483647');
SELECT * FROM cached_query('SELECT $65536', '1h') AS t(a text);
SELECT cached_query_json('SELECT $65536', '1h', 'x');
SELECT length(cached_query_columns('SELECT $65535'));
SELECT * FROM cached_query('SELECT 1', '1h', VARIADIC array_fill('x'::text, ARRAY[65536])) AS t(a int);
SELECT cached_query_refresh('SELECT 1', '1h', VARIADIC array_fill(1, ARRAY[65536]));

-- A text that is longer than a key may be is run, and nothing of it is kept
CREATE TABLE l AS SELECT 7 AS a;
CREATE FUNCTION kept() RETURNS bigint LANGUAGE sql AS
	$$SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'CachedQueryHandle'$$;
CREATE TABLE before AS SELECT kept();
SELECT * FROM cached_query('SELECT a FROM l /*' || repeat('x', 100000) || '*/', '1h') AS t(a int);
SELECT cached_query_json('SELECT a FROM l /*' || repeat('x', 100000) || '*/', '1h');
SELECT cached_query_refresh('SELECT a + $1 FROM l /*' || repeat('x', 100000) || '*/', '1h', 1);
SELECT reason, cacheable, columns FROM cached_query_explain('SELECT a FROM l /*' || repeat('x', 100000) || '*/');
SELECT * FROM cached_query_with('{"mode": "off"}', 'SELECT a FROM l /*' || repeat('x', 100000) || '*/') AS t(a int);
SELECT kept() = (SELECT kept FROM before) AS nothing_kept;
DROP TABLE l;
\set VERBOSITY sqlstate
SELECT * FROM cached_query('SELECT a FROM l /*' || repeat('x', 100000) || '*/', '1h') AS t(a int);
\set VERBOSITY default

-- The schema of temporary objects is not made by a look-up
CREATE FUNCTION shown(text) RETURNS TABLE (direct text, cached text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE 'SELECT (' || $1 || ')::text' INTO direct;
	EXECUTE format('SELECT * FROM cached_query(%L, ''1h'') AS t(a text)', 'SELECT (' || $1 || ')::text') INTO cached;
	direct := regexp_replace(direct, '_temp_\d+', '_temp_N');
	cached := regexp_replace(cached, '_temp_\d+', '_temp_N');
	RETURN NEXT;
END $$;
CREATE FUNCTION own(int) RETURNS int STABLE LANGUAGE sql AS 'SELECT $1 + 1';
SET search_path = pg_temp, bounds, public;
SELECT * FROM cached_query('SELECT own(1)', '1h') AS t(a int);
SELECT * FROM cached_query('SELECT own(1)', '1h') AS t(a int);
SELECT cached_query_json('SELECT own(1) AS a', '1h');
SELECT reason IS NULL AS cacheable FROM cached_query_explain('SELECT own(1)');
SELECT pg_my_temp_schema();

-- ... and where the path names it is in the key
SET search_path = bounds, public;
SELECT * FROM bounds.shown('current_schema');
SET search_path = pg_temp, bounds, public;
SELECT * FROM bounds.shown('current_schema');
SELECT * FROM bounds.shown('current_schemas(true)');
SET search_path = bounds, pg_temp, public;
SELECT * FROM bounds.shown('current_schema');
SELECT * FROM bounds.shown('current_schemas(true)');
SET search_path = bounds, public, pg_temp;
SELECT * FROM bounds.shown('current_schemas(true)');
SET search_path = bounds, public;

-- Planning a call runs no code of its arguments
CREATE FUNCTION says(int) RETURNS bool LANGUAGE plpgsql AS $$BEGIN RAISE NOTICE 'checked'; RETURN true; END$$;
CREATE DOMAIN d AS int CHECK (says(value));
EXPLAIN (COSTS OFF) SELECT * FROM cached_query('SELECT $1::d', '1h', '5') AS t(a int);
EXPLAIN (COSTS OFF) SELECT * FROM cached_query('SELECT ($1::d[])[1]', '1h', '{5}') AS t(a int);
SELECT * FROM cached_query('SELECT $1::d', '1h', '5') AS t(a int);

SET client_min_messages = warning;
DROP SCHEMA bounds CASCADE;
