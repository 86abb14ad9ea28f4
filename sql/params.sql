--
-- Parameters: every way to give them, their types and values as parts of the key, and the counts.
--
CREATE SCHEMA cq_par;
SET search_path = cq_par, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
CREATE TABLE t (id int, n numeric, s text, d date, arr int[]);
INSERT INTO t VALUES (1, 1.0, 'one', '2024-01-01', '{1,2}'), (2, 2.50, 'two', '2024-02-02', NULL), (3, NULL, NULL, NULL, '{}');
CREATE TYPE pair AS (a int, b text);

-- the same through PREPARE .. EXECUTE and through cached_query
CREATE FUNCTION with_args(types text, query text, args text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('PREPARE direct(%s) AS %s', types, query);
	result := cq_test.check(query, ', ' || args, format('EXECUTE direct(%s)', args));
	DEALLOCATE direct;
	RETURN result;
END $$;
SELECT query, args, with_args(types, query, args) FROM (VALUES
	('int', 'SELECT * FROM t WHERE id = $1', '2'),
	('int', 'SELECT * FROM t WHERE id = $1', 'NULL::int'),
	('bigint', 'SELECT * FROM t WHERE id = $1', '2::bigint'),
	('smallint', 'SELECT * FROM t WHERE id = $1', '2::smallint'),
	('text, int', 'SELECT id FROM t WHERE s = $1 OR id = $2 ORDER BY id', '''one''::text, 3'),
	('unknown', 'SELECT s FROM t WHERE id = $1', '''2'''),
	('unknown', 'SELECT id FROM t WHERE s = $1', '''two'''),
	('unknown', 'SELECT id FROM t WHERE d = $1', '''2024-02-02'''),
	('unknown', 'SELECT id FROM t WHERE s = $1', 'NULL'),
	('text', 'SELECT id FROM t WHERE $1 IS NULL', 'NULL::text'),
	('int[]', 'SELECT id FROM t WHERE id = ANY ($1) ORDER BY id', 'ARRAY[1,3]'),
	('int[]', 'SELECT $1', '''[0:1]={5,6}''::int[]'),
	('int[]', 'SELECT $1[1], cardinality($1)', '''{}''::int[]'),
	('pair', 'SELECT ($1).a, ($1).b, $1', 'ROW(1, ''x'')::pair'),
	('pair[]', 'SELECT $1', 'ARRAY[ROW(1, ''x'')::pair, NULL]'),
	('jsonb, json', 'SELECT $1 -> ''a'', $2 -> ''a''', '''{"a": 1}''::jsonb, ''{"a":  1}''::json'),
	('numeric', 'SELECT $1', '1.0'), ('numeric', 'SELECT $1', '1.00'), ('numeric', 'SELECT $1', '''NaN''::numeric'),
	('float8', 'SELECT $1', '0::float8'), ('float8', 'SELECT $1', '''-0''::float8'),
	('char(5), int', 'SELECT $1, length($1), $2', '''ab''::char(5), 1'), ('char(3), int', 'SELECT $1, $2', '''ab''::char(3), 1'),
	('bytea', 'SELECT $1', '''\x00''::bytea'), ('text', 'SELECT $1', 'repeat(''long '', 10000)'),
	('int, int', 'SELECT $2 - $1', '1, 5'), ('int', 'SELECT $1 + $1', '4'),
	('date, interval', 'SELECT $1 + $2', '''2024-01-31''::date, ''1 mon''::interval'))
	AS v(types, query, args) ORDER BY query, args;

-- same text, different types: entries of their own
SELECT arg, c.*
	FROM (VALUES ('1'), ('1::bigint'), ('1::smallint'), ('1::numeric'), ('1.0'), ('1.00'), ('1::text'),
		('true'), ('NULL::int'), ('NULL::bigint'), ('1'), ('1.0'), ('1.00'), ('NULL::int')) AS v(arg),
		cq_test.call(format('SELECT * FROM cached_query(''SELECT $1::text'', ''1h'', %s) AS t(a text)', arg)) AS c;
SELECT pg_typeof(a) FROM cached_query('SELECT $1', '1h', 1) AS t(a int);
SELECT pg_typeof(a) FROM cached_query('SELECT $1', '1h', 1::bigint) AS t(a bigint);
-- values that could run into one another
SELECT arg, c.*
	FROM (VALUES ('''ab''::text, ''c''::text'), ('''a''::text, ''bc''::text'), ('''''::text, ''abc''::text'),
		('NULL::text, ''abc''::text'), ('''abc''::text, NULL::text'), ('''ab''::text, ''c''::text')) AS v(arg),
		cq_test.call(format('SELECT * FROM cached_query(''SELECT $1 || ''''|'''' || $2'', ''1h'', %s) AS t(a text)', arg)) AS c;
-- a toasted and a short form of one value are one value
CREATE TABLE big AS SELECT repeat('v', 60000) AS v;
SELECT * FROM cq_test.call($$ SELECT q.l FROM big, cached_query('SELECT length($1)', '1h', v) AS q(l int) $$);
SELECT * FROM cq_test.call($$ SELECT l FROM cached_query('SELECT length($1)', '1h', repeat('v', 60000)) AS t(l int) $$);
SELECT * FROM cq_test.call($$ SELECT l FROM (SELECT DISTINCT s FROM t WHERE id = 1) AS x, cached_query('SELECT length($1)', '1h', x.s) AS t(l int) $$);
SELECT * FROM cq_test.call($$ SELECT l FROM cached_query('SELECT length($1)', '1h', 'one'::text) AS t(l int) $$);

-- text[]: what a driver with untyped parameters sends; types come from the query
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query('SELECT id, s FROM t WHERE id = $1 AND d > $2', '1h', VARIADIC ARRAY['2', '2024-01-15']) AS t(id int, s text) $$);
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query('SELECT id, s FROM t WHERE id = $1 AND d > $2', '1h', VARIADIC ARRAY['2', '2024-01-15']) AS t(id int, s text) $$);
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query('SELECT id, s FROM t WHERE id = $1 AND d > $2', '1h', VARIADIC ARRAY['2', NULL]) AS t(id int, s text) $$);
SELECT * FROM cached_query('SELECT id FROM t WHERE id = ANY ($1) ORDER BY 1', '1h', VARIADIC ARRAY['{1,2}']) AS t(id int);
SELECT * FROM cached_query('SELECT 1', '1h', VARIADIC ARRAY[]::text[]) AS t(id int);
SELECT * FROM cached_query('SELECT $1', '1h', VARIADIC ARRAY['x']) AS t(a text);
-- all literals unknown: the query infers; one typed: "any"
SELECT * FROM cached_query('SELECT id FROM t WHERE id = $1 AND s = $2', '1h', '1', 'one') AS t(id int);
SELECT * FROM cached_query('SELECT id FROM t WHERE id = $1 AND s = $2', '1h', 1, 'one') AS t(id int);
SELECT * FROM cached_query('SELECT id FROM t WHERE id = $1 AND s = $2', '1h', '1', 'one'::text) AS t(id int);
-- (typed as text alone is the text[] form, too: its type comes from the query)
SELECT pg_typeof(a) FROM cached_query('SELECT $1 + 1', '1h', '1'::text) AS t(a int);
-- as a driver: untyped parameters of a prepared statement
PREPARE d AS SELECT * FROM cached_query('SELECT id FROM t WHERE id = $1 AND s = $2', '1h', $1, $2) AS t(id int);
EXECUTE d('1', 'one');
EXECUTE d('2', 'one');
DEALLOCATE d;
-- VARIADIC array of another type gives its elements
SELECT * FROM cached_query('SELECT $1 + $2', '1h', VARIADIC ARRAY[1, 2]) AS t(a int);
SELECT * FROM cached_query('SELECT $1 + $2', '1h', VARIADIC ARRAY[1, NULL]) AS t(a int);
SELECT * FROM cached_query('SELECT ($1).b', '1h', VARIADIC ARRAY[ROW(1, 'x')::pair]) AS t(a text);
-- an array as one value, next to another argument
SELECT * FROM cached_query('SELECT $1[2], $2', '1h', ARRAY['a', 'b'], 7) AS t(a text, b int);

-- PREPARE with typed parameters, generic and custom plans
PREPARE q(int, text) AS SELECT * FROM cached_query('SELECT id, s FROM t WHERE id = $1 OR s = $2 ORDER BY id', '1h', $1, $2) AS t(id int, s text);
SET plan_cache_mode = force_generic_plan;
SELECT * FROM cq_test.call($$ EXECUTE q(1, 'two') $$);
SET plan_cache_mode = force_custom_plan;
SELECT * FROM cq_test.call($$ EXECUTE q(1, 'two') $$);
SELECT * FROM cq_test.call($$ EXECUTE q(NULL, 'two') $$);
SELECT * FROM cq_test.call($$ EXECUTE q(1, NULL) $$);
RESET plan_cache_mode;
DEALLOCATE q;
-- the query itself as a parameter, and the ttl
PREPARE r(text, interval) AS SELECT * FROM cached_query($1, $2) AS t(a int);
EXECUTE r('SELECT 5', '1h');
EXECUTE r('SELECT 6', NULL);
DEALLOCATE r;
-- from columns of a table
SELECT t.id, q.* FROM t, LATERAL cached_query('SELECT s, $1 * 2 FROM t WHERE id = $1', '1h', t.id) AS q(s text, twice int) ORDER BY 1;

-- wrong counts and types
\set VERBOSITY sqlstate
SELECT * FROM cached_query('SELECT $1', '1h') AS t(a int);
SELECT * FROM cached_query('SELECT $1', '1h', 1, 2) AS t(a int);
SELECT * FROM cached_query('SELECT $2', '1h', 1) AS t(a int);
SELECT * FROM cached_query('SELECT $3 + $1', '1h', 1, 2, 3) AS t(a int);
SELECT * FROM cached_query('SELECT 1', '1h', 1) AS t(a int);
SELECT * FROM cached_query('SELECT $1 + $2', '1h', VARIADIC ARRAY['1']) AS t(a int);
SELECT * FROM cached_query('SELECT $1 + 1', '1h', VARIADIC ARRAY['x']) AS t(a int);
SELECT * FROM cached_query('SELECT $1 + 1', '1h', 'x'::text) AS t(a int);
SELECT * FROM cached_query('SELECT $1', '1h', VARIADIC NULL::text[]) AS t(a text);
SELECT * FROM cached_query('SELECT $1', '1h', VARIADIC NULL::int[]) AS t(a int);
SELECT * FROM cached_query('SELECT $0', '1h', 1) AS t(a int);
SELECT * FROM cached_query('SELECT $70000', '1h', 1) AS t(a int);
SELECT cached_query_json('SELECT $1', '1h');
SELECT cached_query_invalidate('SELECT $1');
SELECT * FROM cached_query('SELECT $1', '1h', VARIADIC ARRAY[['1', '2'], ['3', '4']]) AS t(a text);
\set VERBOSITY default
SELECT cached_query_columns('SELECT $1 + id, $2 FROM t');

DROP SCHEMA cq_par CASCADE;
