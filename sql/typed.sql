--
-- An argument keeps its type: also a lone one of a type that PostgreSQL would make text of
--
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
CREATE SCHEMA typed;
SET search_path = typed, public;
CREATE DOMAIN word AS text;
CREATE TYPE row_of_text AS (a text);

-- Trailing blanks don't count for char(n), in every form and both ways
PREPARE direct(char(3)) AS SELECT $1 = 'a', pg_typeof($1);
EXECUTE direct('a');
SELECT * FROM cached_query($$SELECT $1 = 'a', pg_typeof($1)$$, '1h', 'a'::char(3)) AS t(equal bool, type regtype);
SELECT cached_query($$SELECT $1 = 'a', pg_typeof($1)$$, '1h', 'a'::char(3))::text;
SELECT * FROM cached_query_with('{}', $$SELECT $1 = 'a'$$, '1h', 'a'::char(3)) AS t(equal bool);
SELECT * FROM cached_query_as(NULL::row_of_text, $$SELECT pg_typeof($1)::text AS a$$, '1h', 'a'::char(3));
SELECT cached_query_json($$SELECT pg_typeof($1)::text AS a$$, '1h', 'a'::char(3));
SELECT cached_query_columns('SELECT $1 AS a', 'a'::char(3)), cached_query_columns('SELECT $1 AS a', 'a'::name);
SELECT columns FROM cached_query_explain('SELECT $1 AS a', 'a'::char(3));
SELECT cached_query_refresh($$SELECT $1 = 'a', pg_typeof($1)$$, '1h', 'a'::char(3));
SELECT reason = 'hit' AS kept FROM cached_query_reasons WHERE reason = 'hit' AND calls > 0;
SELECT cached_query_invalidate($$SELECT $1 = 'a', pg_typeof($1)$$, 'a'::char(3));

-- Others: name, domains; text and untyped ones beside them are inferred as ever, and so is a lone one
SELECT * FROM cached_query('SELECT pg_typeof($1), pg_typeof($2), $2 + 1', '1h', 'a'::name, '5') AS t(a regtype, b regtype, c int);
SELECT * FROM cached_query('SELECT pg_typeof($1), pg_typeof($2), $2 + 1', '1h', 'a'::name, '5'::text) AS t(a regtype, b regtype, c int);
SELECT * FROM cached_query('SELECT pg_typeof($1), $2::text', '1h', 'a'::word, NULL) AS t(a regtype, b text);
SELECT * FROM cached_query('SELECT $1 + 1', '1h', '5'::text) AS t(a int);
SELECT * FROM cached_query('SELECT $1 + 1', '1h', '5'::varchar) AS t(a int);
SELECT * FROM cached_query('SELECT $1 + 1', '1h', '5') AS t(a int);
SELECT * FROM cached_query('SELECT pg_typeof($1), $2', '1h', VARIADIC ARRAY['a'::name::text, 'b']) AS t(a regtype, b text);

-- From columns, in views, with generic plans, in functions
CREATE TABLE c (a char(3), n name);
INSERT INTO c VALUES ('a', 'b');
SELECT t.* FROM c, cached_query($$SELECT $1 = 'a', pg_typeof($1)$$, '1h', c.a) AS t(equal bool, type regtype);
CREATE VIEW v AS SELECT t.* FROM c, cached_query($$SELECT $1 = 'a'$$, '1h', c.a) AS t(equal bool);
SELECT * FROM v;
SELECT pg_get_viewdef('v');
SET plan_cache_mode = force_generic_plan;
PREPARE p(char(3)) AS SELECT * FROM cached_query($$SELECT $1 = 'a'$$, '1h', $1) AS t(equal bool);
EXECUTE p('a');
RESET plan_cache_mode;
CREATE FUNCTION f(char(3)) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN cached_query_json('SELECT pg_typeof($1)::text AS a', '1h', $1);
END $$;
SELECT f('a');
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM cached_query('SELECT $1', '1h', 'a'::name) AS t(a name);

SET client_min_messages = warning;
DROP SCHEMA typed CASCADE;
