--
-- Tracked tables: keys of many types.  A write to another value leaves results alone; one to an equal value invalidates
-- them, however it is written, and whatever type the query compares it with.
--
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS cq_tracked_types CASCADE;
RESET client_min_messages;
\set oids 80000
\i sql/parts/same_oids.sql
CREATE SCHEMA cq_tracked_types;
SET search_path = cq_tracked_types, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
SET cached_query.consistency = exact;
SET timezone = 'UTC';

CREATE TABLE a (x int, t text, c text COLLATE "C", p text COLLATE "POSIX", b bytea, j jsonb, iv interval, d date, ti time);
CREATE TABLE o (x int, o oid, n name, ch "char", f4 float4, tz timetz, ts timestamp, m macaddr, l pg_lsn);
CREATE TABLE more (x int, i inet, f8 float8, n numeric(10,3), i2 int2, bo boolean, bp char(4));
SELECT cached_query_track('a', '{t,c,p,b,j,iv,d,ti}'), cached_query_track('o', '{o,n,ch,f4,tz,ts,m,l}'), cached_query_track('more', '{i,f8,n,i2,bo,bp}');
-- refused: no hash function, or not one of PostgreSQL's
CREATE TYPE pair AS (a int, b int);
CREATE TABLE refused (p point, bx box, r pair, ra int4range, x xml, bi bit(3), v varbit, tq tsquery);
DO $$ DECLARE c text; BEGIN
	FOREACH c IN ARRAY '{p,bx,r,ra,x,bi,v,tq}'::text[] LOOP
		BEGIN PERFORM cached_query_track('refused', ARRAY[c]); RAISE NOTICE '% is tracked', c; EXCEPTION WHEN feature_not_supported THEN RAISE NOTICE '%: refused', c; END;
	END LOOP; END $$;

INSERT INTO a SELECT g, 't' || g, 'c' || g, 'p' || g, ('\x0' || g)::bytea, jsonb_build_object('a', g), g * interval '1 day', '2000-01-01'::date + g, '00:00'::time + g * interval '1 minute' FROM generate_series(0, 9) AS g;
INSERT INTO o SELECT g, g, 'n' || g, (48 + g)::"char", g / 2.0, '00:00+00'::timetz + g * interval '1 minute', '2000-01-01'::timestamp + g * interval '1 day', ('08:00:2b:01:02:0' || g)::macaddr, ('0/' || g)::pg_lsn FROM generate_series(0, 9) AS g;
INSERT INTO more SELECT g, ('10.0.0.' || g)::inet, g / 2.0, g + 0.5, g, CASE WHEN g = 7 THEN true WHEN g = 3 THEN NULL ELSE false END, 'b' || g FROM generate_series(0, 9) AS g;
CREATE TABLE q (name text, query text, args text[]);
INSERT INTO q VALUES
	('a.t', 'SELECT sum(x) FROM a WHERE t = $1', ARRAY['''t7''::varchar']), ('a.t as C', 'SELECT sum(x) FROM a WHERE t COLLATE "C" = ''t7''', '{}'), ('a.c', 'SELECT sum(x) FROM a WHERE c = $1', ARRAY['''c7''::text']), ('a.p as C', 'SELECT sum(x) FROM a WHERE p COLLATE "C" = ''p7''', '{}'),
	('a.b', 'SELECT sum(x) FROM a WHERE b = $1', ARRAY['''\x07''::bytea']), ('a.j', 'SELECT sum(x) FROM a WHERE j = $1', ARRAY['''{"a": 7.0}''::jsonb']), ('a.iv', 'SELECT sum(x) FROM a WHERE iv = $1', ARRAY['''168 hours''::interval']),
	('a.d', 'SELECT sum(x) FROM a WHERE d = $1', ARRAY['''2000-01-08''::date']), ('a.ti', 'SELECT sum(x) FROM a WHERE ti = $1', ARRAY['''00:07''::time']),
	('o.o', 'SELECT sum(x) FROM o WHERE o = $1', ARRAY['7::oid']), ('o.n', 'SELECT sum(x) FROM o WHERE n = $1', ARRAY['''n7''::name']), ('o.n as text', 'SELECT sum(x) FROM o WHERE n = ''n7''::text', '{}'), ('o.ch', 'SELECT sum(x) FROM o WHERE ch = ''7''', '{}'),
	('o.f4', 'SELECT sum(x) FROM o WHERE f4 = $1', ARRAY['3.5::float4']), ('o.f4 as f8', 'SELECT sum(x) FROM o WHERE f4 = $1', ARRAY['3.5::float8']), ('o.tz', 'SELECT sum(x) FROM o WHERE tz = $1', ARRAY['''00:07+00''::timetz']),
	('o.ts', 'SELECT sum(x) FROM o WHERE ts = $1', ARRAY['''2000-01-08''::timestamp']), ('o.m', 'SELECT sum(x) FROM o WHERE m = $1', ARRAY['''08002b:010207''::macaddr']), ('o.l', 'SELECT sum(x) FROM o WHERE l = $1', ARRAY['''0/00000007''::pg_lsn']),
	('more.i', 'SELECT sum(x) FROM more WHERE i = $1', ARRAY['''10.0.0.7/32''::inet']), ('more.f8 as f4', 'SELECT sum(x) FROM more WHERE f8 = $1', ARRAY['3.5::float4']), ('more.n', 'SELECT sum(x) FROM more WHERE n = $1', ARRAY['7.50000::numeric']),
	('more.i2 as i8', 'SELECT sum(x) FROM more WHERE i2 = $1', ARRAY['7::bigint']), ('more.i2 in', 'SELECT sum(x) FROM more WHERE i2 = ANY ($1)', ARRAY['''{7,7}''::int[]']), ('z bo', 'SELECT sum(x) FROM more WHERE bo = $1', ARRAY['true']), ('more.bp', 'SELECT sum(x) FROM more WHERE bp = $1', ARRAY['''b7''::char(9)']),
	-- other operators than the key's equality: all rows count
	('z d as ts', 'SELECT sum(x) FROM a WHERE d = $1', ARRAY['''2000-01-08''::timestamp']), ('z ts as tz', 'SELECT sum(x) FROM o WHERE ts = $1', ARRAY['''2000-01-08 00:00+00''::timestamptz']), ('z pattern', 'SELECT sum(x) FROM a WHERE t LIKE ''t7''', '{}'), ('z inet', 'SELECT sum(x) FROM more WHERE i <<= ''10.0.0.7''', '{}');
\i sql/parts/round.sql
SELECT round_() <> '' AS filled;
SELECT round_();
SELECT query, granularity FROM cached_query_entries WHERE database = current_database() AND origin <> 'auto' AND relations && ARRAY['a', 'o', 'more']::regclass[]::oid[] ORDER BY query COLLATE "C", args COLLATE "C";
-- another value
UPDATE a SET x = x + 10 WHERE x = 3;
UPDATE o SET x = x + 10 WHERE x = 3;
UPDATE more SET x = x + 10 WHERE x = 3;
SELECT round_();
-- an equal one comes, in another form
INSERT INTO a VALUES (1000, 't7', 'c7', 'p7', '\007', '{"a": 7.00}', '1 week', 'January 8, 2000', '00:07:00.000');
INSERT INTO o VALUES (1000, '7', 'n7', '7', 35e-1, '02:07+02', '2000-01-08 00:00:00', '08-00-2b-01-02-07', '0/7');
INSERT INTO more VALUES (1000, '10.0.0.7', 35e-1, 7.500, 7, 'yes', 'b7  ');
SELECT round_();
-- zeros of floats, and what is no number
UPDATE q SET args = ARRAY['''-0''::float8'] WHERE name IN ('o.f4 as f8', 'more.f8 as f4');
UPDATE q SET args = ARRAY['''NaN''::numeric'] WHERE name = 'more.n';
SELECT round_() <> '' AS filled;
UPDATE o SET f4 = '0' WHERE x = 5;
UPDATE more SET f8 = '0', n = 'NaN' WHERE x = 5;
SELECT round_();

RESET timezone;
SET client_min_messages = warning;
DROP SCHEMA cq_tracked_types CASCADE;
