--
-- Hints in a comment before or behind a statement, and cached_query.auto = hinted.
--
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS cq_hints CASCADE;
CREATE SCHEMA cq_hints;
SET search_path = cq_hints, public;
CREATE TABLE counted (reasons jsonb);
INSERT INTO counted VALUES ('{}');
\i sql/parts/told.sql
CREATE TABLE t AS SELECT g AS id, g % 3 AS k FROM generate_series(1, 100) AS g;
SELECT told() IS NOT NULL AS counted;
-- psql strips comments before a statement: EXECUTE keeps them
CREATE FUNCTION run(sql text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE r text; BEGIN EXECUTE sql INTO r; RETURN r; END $$;
SET cached_query.auto_nested = on;

-- Off: hints are comments.
SELECT run('/* cached_query: exact */ SELECT count(*) FROM t');
SELECT told();

-- Hinted: only statements with a hint, however short they take.
SET cached_query.auto = hinted;
SET cached_query.auto_min_time = '1d';
SELECT run('SELECT count(*) FROM t'), run('SELECT count(*) FROM t'), run('SELECT count(*) FROM t');
SELECT told();
SELECT run('/* cached_query: exact */ SELECT count(*) FROM t'), run('/* cached_query: exact */ SELECT count(*) FROM t'), run('/* cached_query: exact */ SELECT count(*) FROM t');
SELECT told();
-- behind it, in other words, and beside other comments; the same answer
SELECT run('SELECT count(*) FROM t /*CACHED_QUERY:EXACT*/'), run(E'SELECT count(*)\n FROM t /* trace 17 */ /* cached_query: exact */ ; '),
	run('-- a' || E'\n/* trace */ /* cached_query: exact */ SELECT count(*) FROM t');
SELECT told();
SELECT run('/* cached_query: off */ SELECT count(*) FROM t'), run('/* cached_query: exact, off */ SELECT count(*) FROM t');
SELECT told();
-- a tag
SELECT run('/* cached_query: exact, tag = report */ SELECT sum(id) FROM t'), run('/* cached_query: exact, tag = report */ SELECT sum(id) FROM t'), run('/* cached_query: exact, tag = report */ SELECT sum(id) FROM t');
SELECT query, tag FROM cached_query_entries WHERE database = current_database() AND tag = 'report';
SELECT told();
SELECT cached_query_invalidate_tag('report') > 0 AS invalidated;
SELECT run('/* cached_query: exact, tag = report */ SELECT sum(id) FROM t');
-- the sweeper may have been first
SELECT replace(told(), 'miss_invalidated', 'miss_cold') AS told;

-- What is not understood: said once, counted each time, and the statement runs.
SET client_min_messages = notice;
SELECT run('/* cached_query: ttl=soon */ SELECT count(*) FROM t');
SELECT run('/* cached_query: exact, tag= */ SELECT count(*) FROM t'), run('/* cached_query: */ SELECT count(*) FROM t');
SELECT told();
-- no hints
SELECT run('/* about cached_query: exact */ SELECT count(*) FROM t'), run('SELECT count(*) /* cached_query: exact */ FROM t'), run($q$SELECT count(*) FROM t WHERE '/* cached_query: exact */' <> ''$q$);
SELECT told();

-- Exact: a hint is needed for off, for tags and for short statements only.
SET cached_query.auto = exact;
SELECT run('SELECT max(id) FROM t'), run('/* cached_query: exact */ SELECT max(id) FROM t'), run('/* cached_query: exact */ SELECT max(id) FROM t'), run('/* cached_query: exact */ SELECT max(id) FROM t');
SELECT told();
SET cached_query.auto_min_time = 0;
SELECT run('/* cached_query: off */ SELECT min(id) FROM t'), run('/* cached_query: off */ SELECT min(id) FROM t');
SELECT told();
-- what can't be exact isn't by a hint
SELECT run('/* cached_query: exact */ SELECT count(*) FROM t WHERE random() < 2');
SELECT told();

RESET cached_query.auto;
SET client_min_messages = warning;
DROP SCHEMA cq_hints CASCADE;
