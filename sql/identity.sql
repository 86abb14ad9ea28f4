--
-- One query, one entry: what counts is what a text means, not how it is written; and whatever changes the
-- meaning makes another entry.
--
CREATE SCHEMA cq_id;
CREATE SCHEMA cq_id2;
SET search_path = cq_id, public;
SET client_min_messages = warning;
SELECT cached_query_clear() >= 0 AS empty;
CREATE TABLE t (a int, b int, s text, d date);
INSERT INTO t VALUES (1, 10, 'one', '2024-01-01'), (2, 20, 'Two', '2024-02-02'), (3, NULL, 'three', NULL);
CREATE TABLE t2 (LIKE t);
CREATE TABLE cq_id2.t (LIKE t);
CREATE COLLATION k (provider = libc, locale = 'C');
CREATE COLLATION cq_id2.k (provider = libc, locale = 'POSIX');
CREATE FUNCTION cq_id2.never(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT false';
CREATE OPERATOR cq_id2.= (LEFTARG = int, RIGHTARG = int, FUNCTION = cq_id2.never);
CREATE FUNCTION cq_id2.lower(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'lower' $$;
CREATE DOMAIN num AS int;
CREATE TYPE color AS ENUM ('one', 'red');

-- The key of a text under a path.
CREATE FUNCTION key_of(query text, path text DEFAULT 'cq_id, public') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	old text := current_setting('search_path');
BEGIN
	PERFORM set_config('search_path', path, true);
	SELECT key INTO result FROM public.cached_query_explain(query);
	PERFORM set_config('search_path', old, true);
	RETURN result;
END $$;

-- --- the same query ---
CREATE TABLE same (set_ int, query text);
INSERT INTO same VALUES
	(1, 'SELECT a, b FROM t WHERE a = 1 ORDER BY b'),
	(1, 'select a, b from t where a = 1 order by b;'),
	(1, E'  SELECT\ta,\n\tb -- two\nFROM t/* here /* and */ here */WHERE (a) = 1 ORDER BY b  ; '),
	(1, 'SELECT "a", "b" FROM "cq_id"."t" WHERE a=1 ORDER BY b ASC'),
	(1, 'SELECT t.a, t.b FROM ONLY t WHERE t.a = 1 ORDER BY 2'),
	(1, 'SELECT ALL a AS a, b "b" FROM t WHERE a = +1 ORDER BY t.b USING <'),
	(2, 'SELECT CAST(''5'' AS int) + 1 AS x'), (2, 'SELECT int ''5'' + 1 AS x'), (2, 'SELECT ''5''::int4 + 1 AS x'), (2, 'SELECT ''  5 ''::integer + 1 x'),
	(3, 'SELECT count(*) FROM t WHERE s <> ''x'''), (3, 'SELECT COUNT(*) FROM t WHERE s != $$x$$'), (3, 'SELECT count(*) FROM t WHERE s <> E''\x78'''), (3, 'SELECT count(*) FROM t WHERE s <> U&''\0078'''),
	(4, 'VALUES (1, ''a''), (2, ''b'')'), (4, 'VALUES(1,''a''),(2,''b'')'),
	(5, 'TABLE t'), (5, 'SELECT * FROM t'), (5, 'SELECT a, b, s, d FROM t'), (5, 'SELECT t.* FROM t'),
	(8, 'SELECT a FROM t WHERE b IN (10)'), (8, 'SELECT a FROM t WHERE b = 10'), (9, 'SELECT a FROM t WHERE b IN (10, 11)'), (9, 'SELECT a FROM t WHERE b = ANY (ARRAY[10, 11])'),
	(6, 'WITH w AS (SELECT 1 AS x) SELECT x FROM w'), (6, E'WITH w\nAS(select 1 as "x") SELECT x FROM w /* w */'),
	(7, 'SELECT a FROM t WHERE d > date ''2024-01-01'''), (7, 'SELECT a FROM t WHERE d > ''January 1, 2024'''), (7, 'SELECT a FROM t WHERE d > ''2024-01-01''::date');
SELECT set_, count(DISTINCT key_of(query)) AS keys, min(query) FROM same WHERE set_ NOT IN (1, 7) GROUP BY set_ ORDER BY set_;
-- (an alias, ONLY, a sign or an explicit cast is something else in the tree: it may make another key, and does so for all alike)
SELECT set_, count(DISTINCT key_of(query)) < count(*) AS fewer FROM same WHERE set_ IN (1, 7) GROUP BY set_ ORDER BY set_;
SELECT key_of(a.query) = key_of(b.query) AS same, b.query FROM same AS a, same AS b WHERE a.set_ = 1 AND b.set_ = 1 AND a.query LIKE 'SELECT a, b FROM t%' AND b.query ~ '^(select|  SELECT)';

-- They are one entry, whoever of them comes first, for rows and documents.
CREATE FUNCTION outcome(call text) RETURNS text LANGUAGE sql AS $$ SELECT outcome || ' ' || rows::text FROM cq_test.call(call) $$;
SELECT cached_query_clear() >= 0 AS cleared;
SELECT outcome('SELECT * FROM cached_query(''SELECT 1'', ''1h'') AS t(x int)'), outcome('SELECT * FROM cached_query(''SELECT  1 -- x'', ''1h'') AS t(x int)'), outcome('SELECT * FROM cached_query(''select 1;'', ''1h'') AS t(x int)');
SELECT outcome('SELECT cached_query_json(''SELECT 1 AS a'', ''1h'')'), outcome('SELECT cached_query_json(''/**/ select 1 as A ;'', ''1h'')');
SELECT query FROM cached_query_entries ORDER BY query;
SELECT cached_query_invalidate(E'\n select 1');
CALL cq_test.swept();
SELECT outcome('SELECT * FROM cached_query(''SELECT 1'', ''1h'') AS t(x int)');

-- --- another query ---
-- Each edit of one query, and all of them against each other.
CREATE TABLE edit (query text, path text DEFAULT 'cq_id, public');
INSERT INTO edit (query) VALUES
	('SELECT a, lower(s) FROM t WHERE b = 10 ORDER BY s'),
	-- constants
	('SELECT a, lower(s) FROM t WHERE b = 11 ORDER BY s'), ('SELECT a, lower(s) FROM t WHERE b = -10 ORDER BY s'), ('SELECT a, lower(s) FROM t WHERE b = NULL ORDER BY s'),
	('SELECT a, lower(''s'') FROM t WHERE b = 10 ORDER BY s'), ('SELECT a, lower('''') FROM t WHERE b = 10 ORDER BY s'), ('SELECT a, lower(NULL) FROM t WHERE b = 10 ORDER BY s'),
	('SELECT a, lower('' '') FROM t WHERE b = 10 ORDER BY s'), ('SELECT a, lower(''\'') FROM t WHERE b = 10 ORDER BY s'), ('SELECT a, lower(''\\'') FROM t WHERE b = 10 ORDER BY s'), ('SELECT a, lower('' :location 3'') FROM t WHERE b = 10 ORDER BY s'),
	('SELECT a, lower('' :location 4'') FROM t WHERE b = 10 ORDER BY s'),
	-- types
	('SELECT a, lower(s) FROM t WHERE b = 10::bigint ORDER BY s'), ('SELECT a, lower(s) FROM t WHERE b = 10::numeric ORDER BY s'), ('SELECT a, lower(s) FROM t WHERE b = 10::num ORDER BY s'), ('SELECT a::bigint, lower(s) FROM t WHERE b = 10 ORDER BY s'),
	('SELECT a, lower(s)::varchar FROM t WHERE b = 10 ORDER BY s'), ('SELECT a, lower(s)::varchar(3) FROM t WHERE b = 10 ORDER BY s'), ('SELECT a, lower(s)::varchar(4) FROM t WHERE b = 10 ORDER BY s'), ('SELECT a, lower(s)::char(4) FROM t WHERE b = 10 ORDER BY s'),
	('SELECT a, s::color FROM t WHERE b = 10 ORDER BY s'),
	-- collations
	('SELECT a, lower(s) FROM t WHERE b = 10 ORDER BY s COLLATE "C"'), ('SELECT a, lower(s) FROM t WHERE b = 10 ORDER BY s COLLATE "POSIX"'), ('SELECT a, lower(s) FROM t WHERE b = 10 ORDER BY s COLLATE k'), ('SELECT a, lower(s COLLATE "C") FROM t WHERE b = 10 ORDER BY s'),
	-- operators, functions
	('SELECT a, lower(s) FROM t WHERE b <> 10 ORDER BY s'), ('SELECT a, lower(s) FROM t WHERE b OPERATOR(cq_id2.=) 10 ORDER BY s'), ('SELECT a, upper(s) FROM t WHERE b = 10 ORDER BY s'), ('SELECT a, cq_id2.lower(s) FROM t WHERE b = 10 ORDER BY s'),
	-- columns, tables
	('SELECT b, lower(s) FROM t WHERE b = 10 ORDER BY s'), ('SELECT a, lower(s) FROM t WHERE a = 10 ORDER BY s'), ('SELECT a, lower(s) FROM t2 AS t WHERE b = 10 ORDER BY s'), ('SELECT a, lower(s) FROM cq_id2.t WHERE b = 10 ORDER BY s'), ('SELECT a, lower(s) FROM ONLY t2 AS t WHERE b = 10 ORDER BY s'),
	('SELECT a, lower(s), b FROM t WHERE b = 10 ORDER BY s'), ('SELECT a AS x, lower(s) FROM t WHERE b = 10 ORDER BY s'), ('SELECT lower(s), a FROM t WHERE b = 10 ORDER BY s'),
	-- clauses
	('SELECT a, lower(s) FROM t WHERE b = 10 ORDER BY s DESC'), ('SELECT a, lower(s) FROM t WHERE b = 10 ORDER BY s NULLS FIRST'), ('SELECT a, lower(s) FROM t WHERE b = 10 ORDER BY a'), ('SELECT a, lower(s) FROM t WHERE b = 10'), ('SELECT a, lower(s) FROM t ORDER BY s'),
	('SELECT DISTINCT a, lower(s), s FROM t WHERE b = 10 ORDER BY s'), ('SELECT DISTINCT ON (s) a, lower(s) FROM t WHERE b = 10 ORDER BY s'), ('SELECT a, lower(s) FROM t WHERE b = 10 ORDER BY s LIMIT 1'), ('SELECT a, lower(s) FROM t WHERE b = 10 ORDER BY s LIMIT 2'), ('SELECT a, lower(s) FROM t WHERE b = 10 ORDER BY s OFFSET 1'), ('SELECT a, lower(s) FROM t WHERE b = 10 ORDER BY s FETCH FIRST 1 ROWS WITH TIES'),
	('SELECT a, lower(s) FROM t WHERE b = 10 AND b = 10 ORDER BY s'), ('SELECT a, lower(s) FROM t WHERE b = 10 OR b = 10 ORDER BY s'), ('SELECT a, lower(s) FROM t WHERE NOT b = 10 ORDER BY s'), ('SELECT a, lower(s) FROM t WHERE b IN (10, 11) ORDER BY s'), ('SELECT a, lower(s) FROM t WHERE b IN (11, 10) ORDER BY s'), ('SELECT a, lower(s) FROM t WHERE b IS DISTINCT FROM 10 ORDER BY s'), ('SELECT a, lower(s) FROM t WHERE b BETWEEN 10 AND 11 ORDER BY s'), ('SELECT a, lower(s) FROM t WHERE CASE b WHEN 10 THEN true END ORDER BY s'), ('SELECT a, lower(s) FROM t WHERE nullif(b, 10) IS NULL ORDER BY s'),
	('SELECT a, lower(s) FROM t TABLESAMPLE system (50) WHERE b = 10 ORDER BY s'), ('SELECT a, lower(s) FROM t JOIN t2 USING (a, b, s) WHERE b = 10 ORDER BY s'), ('SELECT a, lower(s) FROM t LEFT JOIN t2 USING (a, b, s) WHERE b = 10 ORDER BY s'), ('SELECT a, lower(s) FROM t FULL JOIN t2 USING (a, b, s) WHERE b = 10 ORDER BY s'),
	('SELECT a, lower(s) FROM t WHERE b = 10 UNION SELECT 1, ''x'' ORDER BY 2'), ('SELECT a, lower(s) FROM t WHERE b = 10 UNION ALL SELECT 1, ''x'' ORDER BY 2'), ('SELECT a, lower(s) FROM t WHERE b = 10 EXCEPT SELECT 1, ''x'' ORDER BY 2'), ('SELECT a, lower(s) FROM t WHERE b = 10 INTERSECT SELECT 1, ''x'' ORDER BY 2'),
	('SELECT sum(a), lower(s) FROM t WHERE b = 10 GROUP BY s ORDER BY s'), ('SELECT sum(a) FILTER (WHERE a > 0), lower(s) FROM t WHERE b = 10 GROUP BY s ORDER BY s'), ('SELECT sum(DISTINCT a), lower(s) FROM t WHERE b = 10 GROUP BY s ORDER BY s'), ('SELECT sum(a), lower(s) FROM t WHERE b = 10 GROUP BY ROLLUP (s) ORDER BY s'), ('SELECT sum(a), lower(s) FROM t WHERE b = 10 GROUP BY CUBE (s) ORDER BY s'), ('SELECT sum(a), lower(s) FROM t WHERE b = 10 GROUP BY s HAVING sum(a) > 0 ORDER BY s'),
	('SELECT sum(a) OVER (), lower(s) FROM t WHERE b = 10 ORDER BY s'), ('SELECT sum(a) OVER (ORDER BY a), lower(s) FROM t WHERE b = 10 ORDER BY s'), ('SELECT sum(a) OVER (ORDER BY a ROWS 1 PRECEDING), lower(s) FROM t WHERE b = 10 ORDER BY s'), ('SELECT sum(a) OVER (ORDER BY a ROWS 2 PRECEDING), lower(s) FROM t WHERE b = 10 ORDER BY s'), ('SELECT sum(a) OVER (ORDER BY a RANGE 2 PRECEDING), lower(s) FROM t WHERE b = 10 ORDER BY s'), ('SELECT sum(a) OVER (ORDER BY a GROUPS 2 PRECEDING), lower(s) FROM t WHERE b = 10 ORDER BY s'), ('SELECT sum(a) OVER (ORDER BY a ROWS 2 PRECEDING EXCLUDE TIES), lower(s) FROM t WHERE b = 10 ORDER BY s'),
	('SELECT a, (SELECT lower(s)) FROM t WHERE b = 10 ORDER BY s'), ('SELECT a, ARRAY(SELECT lower(s)) FROM t WHERE b = 10 ORDER BY s'), ('SELECT a, lower(s) FROM t WHERE b = ALL (SELECT 10) ORDER BY s'), ('SELECT a, lower(s) FROM t WHERE b = ANY (SELECT 10) ORDER BY s'), ('SELECT a, lower(s) FROM t WHERE EXISTS (SELECT 10) ORDER BY s'), ('SELECT a, lower(s) FROM t, LATERAL (SELECT b = 10 AS x) AS l WHERE x ORDER BY s'),
	('WITH w AS (SELECT * FROM t) SELECT a, lower(s) FROM w AS t WHERE b = 10 ORDER BY s'), ('WITH w AS MATERIALIZED (SELECT * FROM t) SELECT a, lower(s) FROM w AS t WHERE b = 10 ORDER BY s'), ('WITH RECURSIVE w AS (SELECT * FROM t) SELECT a, lower(s) FROM w AS t WHERE b = 10 ORDER BY s'),
	('SELECT a, lower(xmlelement(name s)::text) FROM t WHERE b = 10 ORDER BY s'), ('SELECT a, lower(xmlelement(name t)::text) FROM t WHERE b = 10 ORDER BY s'), ('SELECT a, coalesce(s, ''x'') FROM t WHERE b = 10 ORDER BY s'), ('SELECT a, greatest(s, ''x'') FROM t WHERE b = 10 ORDER BY s'), ('SELECT a, least(s, ''x'') FROM t WHERE b = 10 ORDER BY s'), ('SELECT a, s || ''x'' FROM t WHERE b = 10 ORDER BY s'), ('SELECT a, s IS NULL FROM t WHERE b = 10 ORDER BY s'), ('SELECT a, s IS NOT NULL FROM t WHERE b = 10 ORDER BY s'),
	('SELECT a, ROW(s) IS NULL FROM t WHERE b = 10 ORDER BY s'), ('SELECT a, (ARRAY[s])[1] FROM t WHERE b = 10 ORDER BY s'), ('SELECT a, (ARRAY[s])[2] FROM t WHERE b = 10 ORDER BY s'), ('SELECT a, current_user FROM t WHERE b = 10 ORDER BY s'), ('SELECT a, session_user FROM t WHERE b = 10 ORDER BY s'), ('SELECT a, current_schema FROM t WHERE b = 10 ORDER BY s'), ('SELECT a, g FROM t, generate_series(1, 2) AS g WHERE b = 10 ORDER BY s'), ('SELECT a, g FROM t, generate_series(1, 2) WITH ORDINALITY AS g WHERE b = 10 ORDER BY s'), ('SELECT a, generate_series(1, 2) FROM t WHERE b = 10 ORDER BY s');
INSERT INTO edit (query, path) VALUES
	('SELECT a, lower(s) FROM cq_id.t WHERE b = 10 ORDER BY s COLLATE k', 'cq_id2, public'),
	('SELECT a, lower(s) FROM cq_id.t WHERE b = 10 ORDER BY s', 'cq_id2, pg_catalog'),
	('SELECT a, lower(s) FROM cq_id.t WHERE CASE b WHEN 10 THEN true END ORDER BY s', 'cq_id2, pg_catalog'),
	('SELECT a, lower(s) FROM cq_id.t WHERE b IS DISTINCT FROM 10 ORDER BY s', 'cq_id2, pg_catalog'),
	('SELECT a, lower(s) FROM cq_id.t WHERE b = ANY (ARRAY[10, 11]) ORDER BY s', 'cq_id2, pg_catalog'),
	('SELECT a, lower(s) FROM cq_id.t WHERE nullif(b, 10) IS NULL ORDER BY s', 'cq_id2, pg_catalog'),
	('SELECT a, lower(s) FROM cq_id.t JOIN cq_id.t2 USING (a, b, s) WHERE b = 10 ORDER BY s', 'cq_id2, pg_catalog'),
	('SELECT a, lower(s) FROM cq_id.t WHERE b = ANY (SELECT 10) ORDER BY s', 'cq_id2, pg_catalog'),
	('SELECT a, current_schema FROM cq_id.t WHERE b = 10 ORDER BY s', 'cq_id2, public'),
	('SELECT a, current_schema FROM cq_id.t WHERE b = 10 ORDER BY s', 'nowhere'),
	('SELECT a, current_schema FROM cq_id.t WHERE b = 10 ORDER BY s', 'pg_catalog');
CREATE TABLE keyed AS SELECT query, path, key_of(query, path) AS key FROM edit;
SELECT count(*) AS edits, count(DISTINCT key) AS keys, count(key) AS known FROM keyed;
SELECT a.path, a.query, b.path, b.query AS taken_for FROM keyed AS a JOIN keyed AS b ON a.key = b.key AND (a.query, a.path) < (b.query, b.path);
-- and in another session's order of things, with handles made anew: the same keys
DISCARD PLANS;
SELECT count(*) AS other FROM keyed WHERE key <> key_of(query, path);
ANALYZE t;
SELECT count(*) AS other FROM keyed WHERE key <> key_of(query, path);

-- --- somebody else's operator, collation, schema ---
SELECT outcome($$ SELECT n FROM cached_query('SELECT count(*) FROM cq_id.t WHERE b = 10', '1h') AS x(n bigint) $$);
CREATE FUNCTION poisoned(query text) RETURNS TABLE (theirs text, ours text) LANGUAGE plpgsql AS $$
BEGIN
	SET LOCAL search_path = cq_id2, pg_catalog, public;
	theirs := cq_id.outcome(format('SELECT n FROM cached_query(%L, ''1h'') AS x(n bigint)', query));
	SET LOCAL search_path = cq_id, public;
	ours := cq_id.outcome(format('SELECT n FROM cached_query(%L, ''1h'') AS x(n bigint)', query));
	RETURN NEXT;
END $$;
SELECT q, p.* FROM unnest(ARRAY['b = 20', 'b IN (20, 21)', 'CASE b WHEN 20 THEN true END', 'b IS NOT DISTINCT FROM 20', 'b = ANY (ARRAY[20])', 'nullif(b, 20) IS NULL AND b IS NOT NULL', 'b IN (SELECT 20)']) AS q,
	poisoned('SELECT count(*) FROM cq_id.t WHERE ' || q) AS p;
SELECT * FROM poisoned('SELECT count(*) FROM cq_id.t AS x JOIN cq_id.t AS y USING (b)');
-- the same path, told in two ways, is another answer
SET search_path = 'nowhere';
SELECT public.cached_query_json('SELECT current_schema', '1h');
SET search_path = 'pg_catalog';
SELECT public.cached_query_json('SELECT current_schema', '1h');
SET search_path = 'nowhere', 'pg_catalog';
SELECT public.cached_query_json('SELECT current_schema, current_schemas(true), current_schemas(false)', '1h');
SET search_path = 'pg_catalog', 'nowhere';
SELECT public.cached_query_json('SELECT current_schema, current_schemas(true), current_schemas(false)', '1h');
-- and so is the session's schema of temporary objects, which stays when these are gone
\c
SELECT public.cached_query_json('SELECT cardinality(current_schemas(true)) AS n', '1h');
CREATE TEMP TABLE gone (a int);
DROP TABLE gone;
SELECT public.cached_query_json('SELECT cardinality(current_schemas(true)) AS n', '1h'), cardinality(current_schemas(true));
SET client_min_messages = warning;
SET search_path = cq_id, public;

-- --- literals ---
-- converted when the query is analysed: the tree has what they were converted to
SET DateStyle = 'ISO, DMY';
SELECT outcome($$ SELECT n FROM cached_query('SELECT date ''3/4/2024''', '1h') AS x(n date) $$);
SET DateStyle = 'ISO, MDY';
SELECT outcome($$ SELECT n FROM cached_query('SELECT date ''3/4/2024''', '1h') AS x(n date) $$), outcome($$ SELECT n FROM cached_query('SELECT date ''2024-04-03''', '1h') AS x(n date) $$);
RESET DateStyle;
-- words for moments: one entry for a text, whenever it was analysed
SELECT outcome($$ SELECT n FROM cached_query('SELECT timestamptz ''now'' > ''2000-01-01''', '1h') AS x(n bool) $$);
DISCARD PLANS;
SELECT outcome($$ SELECT n FROM cached_query('SELECT timestamptz ''now'' > ''2000-01-01''', '1h') AS x(n bool) $$), outcome($$ SELECT n FROM cached_query('SELECT timestamptz ''now'' > ''2000-01-02''', '1h') AS x(n bool) $$), outcome($$ SELECT n FROM cached_query('SELECT timestamptz ''today'' > ''2000-01-01''', '1h') AS x(n bool) $$);

-- --- what runs is not in the tree ---
CREATE FUNCTION tenant(text, text) RETURNS bool LANGUAGE sql STABLE AS $$ SELECT current_setting('app.tenant', true) = $2 $$;
CREATE OPERATOR ~~~ (LEFTARG = text, RIGHTARG = text, FUNCTION = tenant);
SET app.tenant = 'a';
SELECT outcome($$ SELECT n FROM cached_query('SELECT count(*) FROM t WHERE s ~~~ ''a''', '1h') AS x(n bigint) $$);
SET app.tenant = 'b';
SELECT outcome($$ SELECT n FROM cached_query('SELECT count(*) FROM t WHERE s ~~~ ''a''', '1h') AS x(n bigint) $$);
CREATE OPERATOR === (LEFTARG = text, RIGHTARG = bool, FUNCTION = pg_catalog.current_setting);
SELECT outcome($$ SELECT n FROM cached_query('SELECT ''app.tenant'' === true', '1h') AS x(n text) $$);
SET app.tenant = 'c';
SELECT outcome($$ SELECT n FROM cached_query('SELECT ''app.tenant'' === true', '1h') AS x(n text) $$);
RESET app.tenant;

-- a long text
SELECT reason, detail FROM cached_query_explain('SELECT ' || repeat(' ', 70000) || '1');
DROP SCHEMA cq_id, cq_id2 CASCADE;
