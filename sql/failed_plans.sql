-- What an error in planning a query leaves behind: nothing, however many texts and by which way they came.
\set VERBOSITY terse
CREATE SCHEMA cq_failed_plans;
SET search_path = cq_failed_plans, public;
CREATE TABLE kept (a int);
CREATE FUNCTION folded(text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE 'not %', $1; END $$;

CREATE FUNCTION session_memory() RETURNS bigint LANGUAGE sql VOLATILE SECURITY DEFINER AS $$ SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts $$;
-- Calls with so many texts: how many of them failed, and what the session takes more than before.
CREATE FUNCTION growth(call text, query text, texts int) RETURNS TABLE (failed int, grown bigint) LANGUAGE plpgsql AS $$
DECLARE
	before bigint;
BEGIN
	failed := 0;
	FOR i IN -50 .. texts LOOP
		IF i = 1 THEN
			before := session_memory();
			failed := 0;
		END IF;
		BEGIN
			EXECUTE format(call, format(query, i));
		EXCEPTION WHEN division_by_zero OR raise_exception OR insufficient_privilege OR query_canceled THEN
			failed := failed + 1;
		END;
	END LOOP;
	grown := session_memory() - before;
	RETURN NEXT;
END $$;

CREATE TABLE calls (n serial, call text);
INSERT INTO calls (call) VALUES
	('SELECT cached_query_json(%L, ''1h'')'), ('SELECT FROM cached_query(%L, ''1h'') AS q(n int)'),
	('SELECT cached_query_columns(%L)'), ('SELECT cached_query_explain(%L)'), ('SELECT cached_query_refresh(%L, ''1h'')'),
	('SELECT cached_query_invalidate(%L)');
-- A fold, a fold by a function, one in a subquery; all in planning.
CREATE TABLE queries (n serial, query text);
INSERT INTO queries (query) VALUES
	('SELECT 1/0 + %s'), ('SELECT cq_failed_plans.folded(''%s'')'), ('SELECT a FROM cq_failed_plans.kept WHERE a IN (SELECT 1/0 FROM cq_failed_plans.kept WHERE a < %s)');

SET cached_query.handle_memory = '64kB';
SELECT c.n AS call, q.n AS query, g.failed, CASE WHEN g.grown < 512 * 1024 THEN 'bounded' ELSE pg_size_pretty(g.grown) END AS memory
FROM calls AS c, queries AS q, growth(c.call, q.query, 400) AS g ORDER BY 1, 2;

-- Rights that are missing are found after planning: what is kept then counts.
CREATE ROLE cq_failed_plans_user;
GRANT USAGE ON SCHEMA cq_failed_plans TO cq_failed_plans_user;
SET ROLE cq_failed_plans_user;
SELECT CASE WHEN g.grown < 512 * 1024 THEN 'bounded' ELSE pg_size_pretty(g.grown) END AS memory, failed
FROM growth('SELECT cached_query_json(%L, ''1h'')', 'SELECT a FROM cq_failed_plans.kept WHERE a = %s', 400) AS g;
RESET ROLE;

-- A handle that is good yet outlives an error of another text, and one of its own run.
RESET cached_query.handle_memory;
SELECT cached_query_json('SELECT 10 / $1 AS q', '1h', 5);
SELECT cached_query_json('SELECT 10 / $1 AS q', '1h', 0);
SELECT cached_query_json('SELECT 1/0', '1h');
SELECT cached_query_json('SELECT 10 / $1 AS q', '1h', 5);
-- The definition that failed is mended: the next call is right.
SELECT cached_query_json('SELECT folded(''a'') AS q', '1h');
CREATE OR REPLACE FUNCTION folded(text) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT 7 $$;
SELECT cached_query_json('SELECT folded(''a'') AS q', '1h');

SET client_min_messages = warning;
DROP SCHEMA cq_failed_plans CASCADE;
DROP ROLE cq_failed_plans_user;
