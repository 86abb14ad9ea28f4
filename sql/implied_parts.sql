--
-- What no node of the query names, but its types and aggregates: how a range, an index or a partition key compares
-- its values, what a domain over a row type checks when a function returns one, and the text that an aggregate begins
-- with.  Each answer equals the direct one.
--
CREATE SCHEMA cq_implied;
SET search_path = cq_implied, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();

\i sql/parts/verdict.sql
CREATE FUNCTION compared(query text, OUT outcome text, OUT same bool) LANGUAGE plpgsql AS $$
DECLARE
	c record := cq_test.call(cq_test.statement(query));
BEGIN
	outcome := c.outcome;
	same := c.rows = cq_test.rows(query);
END $$;

-- an operator class of users'
CREATE FUNCTION c(int, int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN btint4cmp($1, $2); END';
CREATE FUNCTION reads(int, int) RETURNS int STABLE LANGUAGE plpgsql AS 'BEGIN IF current_setting(''application_name'') = ''backwards'' THEN RETURN btint4cmp($2, $1); END IF; RETURN btint4cmp($1, $2); END';
CREATE FUNCTION clock(int, int) RETURNS int STABLE LANGUAGE plpgsql AS 'BEGIN IF now() < ''2000-01-01''::timestamptz THEN RETURN 0; END IF; RETURN btint4cmp($1, $2); END';
CREATE OPERATOR CLASS oc FOR TYPE int4 USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 c(int, int);
CREATE OPERATOR CLASS oc_reads FOR TYPE int4 USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 reads(int, int);
CREATE OPERATOR CLASS oc_clock FOR TYPE int4 USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 clock(int, int);
CREATE TYPE r AS RANGE (subtype = int4, subtype_opclass = oc, multirange_type_name = mr);
CREATE TYPE r_reads AS RANGE (subtype = int4, subtype_opclass = oc_reads);
CREATE TYPE r_clock AS RANGE (subtype = int4, subtype_opclass = oc_clock);
CREATE DOMAIN d AS r;
CREATE TYPE row_of AS (v r);
CREATE TABLE t (v r, m mr, d d, a r[], w row_of, x r_reads, y r_clock);
INSERT INTO t VALUES ('[1,5]', '{[1,5]}', '[1,5]', ARRAY['[1,5]'::r], ROW('[1,5]'), '[1,5]', '[1,5]');
SELECT query, v.* FROM (VALUES ('SELECT v @> 3 FROM t'), ('SELECT m @> 3 FROM t'), ('SELECT d @> 3 FROM t'), ('SELECT a[1] @> 3 FROM t'), ('SELECT x @> 3 FROM t'), ('SELECT y @> 3 FROM t')) AS q(query), verdict(query) AS v;
CREATE TABLE queries (query text);
INSERT INTO queries VALUES ('SELECT v @> 3 FROM t'), ('SELECT m @> 3 FROM t'), ('SELECT d @> 3 FROM t'), ('SELECT a[1] @> 3 FROM t'), ('SELECT (w).v @> 3 FROM t'), ('SELECT v * ''[2,9]'' FROM t'), ('SELECT v < ''[2,9]'' FROM t');
SET cached_query.consistency = exact;
SELECT query, b.* FROM queries, generate_series(1, 2) AS g, compared(query || left('', g)) AS b ORDER BY query COLLATE "C", g;
CREATE OR REPLACE FUNCTION c(int, int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN -1; END';
SELECT query, b.* FROM queries, generate_series(1, 2) AS g, compared(query || left('', g)) AS b ORDER BY query COLLATE "C", g;
RESET cached_query.consistency;
SELECT b.* FROM compared('SELECT x @> 3 FROM t') AS b;
SET application_name = 'backwards';
SELECT b.* FROM compared('SELECT x @> 3 FROM t') AS b;
RESET application_name;
CREATE OR REPLACE FUNCTION c(int, int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN btint4cmp($1, $2); END';

-- a default operator class for a built-in type that has none
CREATE FUNCTION point_less(point, point) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1[0] < $2[0]; END';
CREATE FUNCTION point_same(point, point) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1[0] = $2[0]; END';
CREATE FUNCTION point_cmp(point, point) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN btfloat8cmp($1[0], $2[0]); END';
CREATE OPERATOR <<< (LEFTARG = point, RIGHTARG = point, FUNCTION = point_less);
CREATE OPERATOR === (LEFTARG = point, RIGHTARG = point, FUNCTION = point_same);
CREATE OPERATOR CLASS points DEFAULT FOR TYPE point USING btree AS OPERATOR 1 <<<, OPERATOR 3 ===, FUNCTION 1 point_cmp(point, point);
CREATE TABLE points AS SELECT ARRAY[point(1, 1)] AS a, ARRAY[point(1, 2)] AS b;
SELECT b.* FROM generate_series(1, 2) AS g, compared('SELECT a < b, a = b FROM points' || left('', g)) AS b;
CREATE OR REPLACE FUNCTION point_cmp(point, point) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN -1; END';
CREATE OR REPLACE FUNCTION point_same(point, point) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN false; END';
SELECT b.* FROM generate_series(1, 2) AS g, compared('SELECT a < b, a = b FROM points' || left('', g)) AS b;

-- of an index, and of a partition key
CREATE TABLE indexed (v int);
INSERT INTO indexed SELECT generate_series(1, 10);
CREATE INDEX ON indexed (v oc);
CREATE TABLE parts (v int) PARTITION BY RANGE (v oc);
CREATE TABLE parts1 PARTITION OF parts FOR VALUES FROM (1) TO (5);
CREATE TABLE parts2 PARTITION OF parts FOR VALUES FROM (5) TO (9);
INSERT INTO parts SELECT generate_series(1, 8);
CREATE TABLE listed (v int) PARTITION BY LIST (v oc_clock);
CREATE TABLE listed1 PARTITION OF listed FOR VALUES IN (1, 2);
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT query, v.* FROM (VALUES ('SELECT v FROM indexed WHERE v = 3'), ('SELECT v FROM parts WHERE v > 5'), ('SELECT v FROM listed WHERE v = 1')) AS q(query), verdict(query) AS v;
SELECT b.* FROM generate_series(1, 2) AS g, compared('SELECT v FROM indexed WHERE v = 3' || left('', g)) AS b;
SELECT b.* FROM generate_series(1, 2) AS g, compared('SELECT v FROM parts WHERE v > 5' || left('', g)) AS b;
CREATE OR REPLACE FUNCTION c(int, int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN -1; END';
SELECT outcome FROM cq_test.call(cq_test.statement('SELECT v FROM indexed WHERE v = 3'));
SELECT outcome FROM cq_test.call(cq_test.statement('SELECT v FROM parts WHERE v > 5'));
RESET enable_seqscan;
SET enable_bitmapscan = on;
SET enable_indexscan = off;
SET enable_indexonlyscan = off;
CREATE OR REPLACE FUNCTION c(int, int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN btint4cmp($1, $2); END';
SET enable_seqscan = off;
SELECT outcome FROM generate_series(1, 2) AS g, cq_test.call(cq_test.statement('SELECT v FROM indexed WHERE v = 3 OR v = 4' || left('', g)));
CREATE OR REPLACE FUNCTION c(int, int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN btint4cmp($1, $2) ; END';
SELECT outcome FROM cq_test.call(cq_test.statement('SELECT v FROM indexed WHERE v = 3 OR v = 4'));
RESET enable_seqscan;
RESET enable_bitmapscan;
RESET enable_indexscan;
RESET enable_indexonlyscan;

-- domains over row types
CREATE TYPE pair AS (a int);
CREATE DOMAIN checked AS pair CHECK ((VALUE).a IS NULL OR current_setting('application_name') <> 'bad');
CREATE DOMAIN timed AS pair CHECK ((VALUE).a IS NULL OR now() > '2000-01-01'::timestamptz);
CREATE FUNCTION of_row() RETURNS checked STABLE LANGUAGE plpgsql AS 'BEGIN RETURN ROW(5); END';
CREATE FUNCTION of_variable() RETURNS checked STABLE LANGUAGE plpgsql AS 'DECLARE p pair; BEGIN p.a := 5; RETURN p; END';
CREATE FUNCTION of_record() RETURNS checked STABLE LANGUAGE plpgsql AS 'DECLARE p record; BEGIN SELECT 5 AS a INTO p; RETURN p; END';
CREATE FUNCTION of_sql() RETURNS checked STABLE LANGUAGE sql AS 'SELECT ROW(5)::pair';
CREATE FUNCTION of_field(p checked) RETURNS int STABLE LANGUAGE plpgsql AS 'BEGIN p.a := 7; RETURN p.a; END';
CREATE FUNCTION at_times() RETURNS timed STABLE LANGUAGE plpgsql AS 'BEGIN RETURN ROW(5); END';
CREATE FUNCTION next_times() RETURNS SETOF timed STABLE LANGUAGE plpgsql AS 'BEGIN RETURN NEXT ROW(5)::pair; END';
CREATE FUNCTION field_times(p timed) RETURNS int STABLE LANGUAGE plpgsql AS 'BEGIN p.a := 7; RETURN p.a; END';
SELECT query, v.* FROM (VALUES ('SELECT (of_row()).a'), ('SELECT (of_variable()).a'), ('SELECT (of_record()).a'), ('SELECT (of_sql()).a'), ('SELECT of_field(NULL)'),
	('SELECT (at_times()).a'), ('SELECT a FROM next_times()'), ('SELECT field_times(NULL)')) AS q(query), verdict(query) AS v;
TRUNCATE queries;
INSERT INTO queries VALUES ('SELECT (of_row()).a'), ('SELECT (of_variable()).a'), ('SELECT (of_record()).a'), ('SELECT (of_sql()).a'), ('SELECT of_field(NULL)');
SELECT query, b.* FROM queries, compared(query) AS b;
SET application_name = 'bad';
SELECT query, c.code, d.code AS direct FROM queries, cq_test.fails(cq_test.statement(query)) AS c, cq_test.fails(query) AS d;
RESET application_name;

-- the text that an aggregate begins with
CREATE DOMAIN dated AS timestamptz CHECK (VALUE < now() + interval '1 day');
CREATE FUNCTION later(dated, timestamptz) RETURNS dated IMMUTABLE LANGUAGE sql AS 'SELECT timestamptz_larger($1, $2)::dated';
CREATE AGGREGATE agg_now(timestamptz) (SFUNC = timestamptz_larger, STYPE = timestamptz, INITCOND = 'now');
CREATE AGGREGATE agg_then(timestamptz) (SFUNC = timestamptz_larger, STYPE = timestamptz, INITCOND = '2000-01-01');
CREATE AGGREGATE agg_today(date) (SFUNC = date_larger, STYPE = date, INITCOND = 'today');
CREATE AGGREGATE agg_domain(timestamptz) (SFUNC = later, STYPE = dated, INITCOND = '2000-01-01');
CREATE AGGREGATE agg_list(timestamptz) (SFUNC = array_append, STYPE = timestamptz[], INITCOND = '{now}');
CREATE AGGREGATE agg_any(anycompatible) (SFUNC = array_append, STYPE = anycompatiblearray, INITCOND = '{}');
CREATE AGGREGATE agg_any_now(anycompatible) (SFUNC = array_append, STYPE = anycompatiblearray, INITCOND = '{now}');
CREATE SCHEMA s1;
CREATE SCHEMA s2;
CREATE TABLE s1.named ();
CREATE TABLE s2.named ();
SET search_path = cq_implied, s1, public;
CREATE FUNCTION same_class(regclass, int) RETURNS regclass IMMUTABLE LANGUAGE sql AS 'SELECT $1';
CREATE AGGREGATE agg_class(int) (SFUNC = same_class, STYPE = regclass, INITCOND = 'named');
SET search_path = cq_implied, public;
CREATE AGGREGATE agg_sum(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE AGGREGATE agg_moving(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0', MSFUNC = int4pl, MINVFUNC = int4mi, MSTYPE = int, MINITCOND = '0');
CREATE AGGREGATE agg_moving_now(timestamptz) (SFUNC = timestamptz_larger, STYPE = timestamptz, MSFUNC = timestamptz_larger, MINVFUNC = timestamptz_larger, MSTYPE = timestamptz, MINITCOND = 'now');
CREATE FUNCTION in_body() RETURNS timestamptz STABLE LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT agg_now(i) FROM moments); END';
CREATE TABLE moments AS SELECT '2000-01-01'::timestamptz AS i, 1 AS n;
SELECT query, v.* FROM (VALUES ('SELECT agg_now(i) FROM moments'), ('SELECT agg_then(i) FROM moments'), ('SELECT agg_today(i::date) FROM moments'), ('SELECT agg_domain(i) FROM moments'), ('SELECT agg_list(i) FROM moments'),
	('SELECT agg_any(i) FROM moments'), ('SELECT agg_any(i) OVER () FROM moments'), ('SELECT agg_any_now(i) FROM moments'), ('SELECT agg_any_now(i) OVER () FROM moments'), ('SELECT agg_any_now(n::text) FROM moments'),
	('SELECT agg_now(i) OVER () FROM moments'), ('SELECT agg_moving_now(i) OVER () FROM moments'), ('SELECT agg_moving(n) OVER () FROM moments'), ('SELECT agg_sum(n) FROM moments'), ('SELECT in_body()')) AS q(query), verdict(query) AS v;
SET search_path = s1, cq_implied, public;
SELECT a.* FROM compared('SELECT agg_class(n)::oid FROM cq_implied.moments') AS a;
SET search_path = s2, cq_implied, public;
SELECT a.* FROM compared('SELECT agg_class(n)::oid FROM cq_implied.moments') AS a;
SET search_path = cq_implied, public;

SET client_min_messages = warning;
DROP SCHEMA s1, s2, cq_implied CASCADE;
