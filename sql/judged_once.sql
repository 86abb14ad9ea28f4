--
-- The body of a function is judged once in a session, not for each text that calls it.  It is judged again when anything
-- could have changed what it tells: each text here is new to the session, and its answer is the direct one, exact if it may be.
--
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
CREATE SCHEMA once;
CREATE SCHEMA other;
SET search_path = once, public;
SET cached_query.consistency = 'exact';
SET client_min_messages = warning;

CREATE TABLE t (a int, d date);
CREATE TABLE other.t (a int, d date);
INSERT INTO t VALUES (1, '2024-02-01');
INSERT INTO other.t VALUES (10, '2024-10-01');
CREATE VIEW v AS SELECT a FROM once.t;
CREATE TABLE shape (a int);
CREATE TYPE pair AS (x int, y int);
CREATE FUNCTION in_sql(int) RETURNS int STABLE LANGUAGE sql AS 'SELECT a + $1 FROM t';
CREATE FUNCTION in_plpgsql(n int) RETURNS int STABLE LANGUAGE plpgsql AS 'DECLARE x shape.a%TYPE; BEGIN SELECT a INTO x FROM t; RETURN x + n; END';
CREATE FUNCTION of_view(int) RETURNS int STABLE LANGUAGE sql AS 'SELECT a + $1 FROM once.v';
CREATE FUNCTION of_row(int) RETURNS text STABLE LANGUAGE plpgsql AS 'DECLARE p once.pair; BEGIN p.x := $1; p.y := 2; RETURN p::text; END';
CREATE FUNCTION of_date(int) RETURNS int STABLE LANGUAGE sql AS $$SELECT count(*)::int + $1 FROM t WHERE d = '1/2/2024'$$;
CREATE FUNCTION calls(int) RETURNS int STABLE LANGUAGE sql AS 'SELECT once.in_sql($1) + once.in_plpgsql($1)';
CREATE FUNCTION down(n int) RETURNS int STABLE LANGUAGE plpgsql AS 'BEGIN IF n = 0 THEN RETURN once.in_sql(0); END IF; RETURN once.down(n - 1); END';
CREATE FUNCTION any_of(anyelement) RETURNS text STABLE LANGUAGE sql AS 'SELECT $1::text';
CREATE FUNCTION owned(int) RETURNS int STABLE SECURITY DEFINER SET search_path = other LANGUAGE sql AS 'SELECT a + $1 FROM t';

CREATE SEQUENCE number;
GRANT USAGE ON SCHEMA once, other, cq_test TO PUBLIC;
GRANT ALL ON SEQUENCE number TO PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA once, other TO PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA cq_test TO PUBLIC;
-- Two texts for each function, which this session has not seen yet; what is not as it should be
CREATE FUNCTION answers(wanted text DEFAULT 'miss_cold') RETURNS TABLE (call text, was text) LANGUAGE plpgsql AS $$
DECLARE
	calls text[] := ARRAY['in_sql(1)', 'in_plpgsql(1)', 'of_view(1)', 'of_row(1)', 'of_date(1)', 'calls(1)', 'down(2)',
		'any_of(1)', $q$any_of('a'::text)$q$, 'owned(1)'];
BEGIN
	FOR i IN 1 .. 2 LOOP
		FOREACH call IN ARRAY calls LOOP
			was := cq_test.now(format('SELECT once.%s, %s', call, nextval('once.number')));
			IF was !~ ('^' || wanted || ' [^:]*$') THEN
				RETURN NEXT;
			END IF;
		END LOOP;
	END LOOP;
END $$;
SELECT * FROM answers();

-- Names mean something else by another path, and again by the first one
SET search_path = other, once, public;
SELECT * FROM answers();
SELECT * FROM cached_query('SELECT in_sql(3), 0', '1h') AS c(a int, b int);
UPDATE other.t SET a = 20;
SELECT * FROM cached_query('SELECT in_sql(3), 0', '1h') AS c(a int, b int);
SET search_path = once, public;
SELECT * FROM answers();
SELECT * FROM cached_query('SELECT in_sql(3), 0', '1h') AS c(a int, b int);
UPDATE t SET a = 2;
SELECT * FROM cached_query('SELECT in_sql(3), 0', '1h') AS c(a int, b int);

-- Definitions: functions, views, types, columns; committed and rolled back
CREATE OR REPLACE FUNCTION in_sql(int) RETURNS int STABLE LANGUAGE sql AS 'SELECT a + $1 + 100 FROM t';
SELECT * FROM answers();
BEGIN;
CREATE OR REPLACE FUNCTION in_sql(int) RETURNS int STABLE LANGUAGE sql AS 'SELECT $1';
SELECT call, was FROM answers('own_changes') WHERE was ~ ':';
ROLLBACK;
SELECT * FROM answers();
CREATE OR REPLACE VIEW v AS SELECT a + 1000 AS a FROM once.t;
SELECT * FROM answers();
ALTER TYPE pair ADD ATTRIBUTE z text;
SELECT * FROM answers();
ALTER TABLE shape ALTER a TYPE bigint;
SELECT * FROM answers();

-- Settings: literals in bodies
SET DateStyle = 'ISO, DMY';
SELECT * FROM answers();
SELECT * FROM cached_query('SELECT of_date(0), 1', '1h') AS c(a int, b int);
SET DateStyle = 'ISO, MDY';
SELECT * FROM answers();
SELECT * FROM cached_query('SELECT of_date(0), 1', '1h') AS c(a int, b int);

-- Roles: policies
CREATE ROLE cq_once;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (a < 0);
SELECT * FROM answers();
SET ROLE cq_once;
SELECT * FROM answers();
SELECT * FROM cached_query('SELECT in_sql(3), 2', '1h') AS c(a int, b int);
RESET ROLE;
SELECT * FROM answers();
SELECT * FROM cached_query('SELECT in_sql(3), 2', '1h') AS c(a int, b int);

-- A temporary table takes the name
CREATE TEMP TABLE t (a int, d date);
INSERT INTO pg_temp.t VALUES (-1, '2024-02-01');
SELECT call, count(*), max(was) ~ 'temp_relation|names' AS temporary, bool_or(was ~ ':') AS wrong FROM answers() GROUP BY call ORDER BY call COLLATE "C";
DROP TABLE pg_temp.t;
SELECT * FROM answers();
DISCARD ALL;
SET search_path = once, public;
SET client_min_messages = warning;
SELECT * FROM answers('.*');

DROP SCHEMA once CASCADE;
DROP SCHEMA other CASCADE;
DROP ROLE cq_once;
