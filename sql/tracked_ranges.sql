--
-- Tracked ranges: a write invalidates only the exact results whose interval it is in.  What survives is asserted, and
-- each answer equals the direct one.
--
-- An interval and a write have many slots, so by chance two share one, and then a result is void that need not be.  So there
-- are two tables of the same kind: a result survives if that of one of them does.
--
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS cq_ranges CASCADE;
RESET client_min_messages;
CREATE SCHEMA cq_ranges;
SET search_path = cq_ranges, public;
SET TimeZone = 'UTC';
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
SET cached_query.consistency = exact;

CREATE TABLE ev (tenant int, id int PRIMARY KEY, at timestamptz, d date, ts timestamp, n bigint, v int, seen int DEFAULT 0);
CREATE INDEX ON ev (at);
CREATE INDEX ON ev (n);
CREATE TABLE lim (at timestamptz);
INSERT INTO lim VALUES ('2020-02-01');
-- February is the rows 31 to 59, the year 2021 begins with 366
INSERT INTO ev SELECT g % 10, g, '2020-01-01'::timestamptz + g * interval '1 day', '2020-01-01'::date + g, '2020-01-01'::timestamp + g * interval '1 day', g * 1000, g FROM generate_series(0, 399) AS g;
INSERT INTO ev (id, v) VALUES (1000, 1);
CREATE TABLE ev_twin (LIKE ev INCLUDING ALL);
INSERT INTO ev_twin SELECT * FROM ev;
ANALYZE ev, ev_twin;
CREATE FUNCTION of_twins(statement text) RETURNS text LANGUAGE sql AS $$ SELECT regexp_replace(statement, '\m(ev|p|p_0|p_1)\M', '\1_twin', 'g') $$;
CREATE PROCEDURE twice(statement text) LANGUAGE plpgsql AS $$ BEGIN EXECUTE statement; EXECUTE of_twins(statement); END $$;

-- what can be tracked
CREATE DOMAIN moment AS timestamptz;
CREATE TABLE types (i2 int2, i4 int4, m moment, t text, f float8, num numeric, i interval, tm time, tz timetz, ts timestamp(0), ar int[]);
DO $$ DECLARE c text; BEGIN
	FOREACH c IN ARRAY '{t,f,num,i,tm,tz,ar}'::text[] LOOP
		BEGIN PERFORM cached_query_track('types', ranges => ARRAY[c]); RAISE WARNING '% is tracked', c; EXCEPTION WHEN feature_not_supported THEN RAISE NOTICE '%', SQLERRM; END;
	END LOOP; END $$;
SELECT cached_query_track('types', ranges => '{i2,i4,m,ts}');
SELECT cached_query_track('types', ranges => '{i2,i4,m,ts,t}');
SELECT cached_query_track('types', ranges => '{i2}', quiet => '{i2}');
SELECT cached_query_track('types', ranges => '{}');
SELECT cached_query_track('types');
SELECT cached_query_track('ev', '{tenant}', '{seen}', '{at,d,ts,n}'), cached_query_track('ev_twin', '{tenant}', '{seen}', '{at,d,ts,n}');
SELECT relation, keys, quiet, ranges, state FROM cached_query_tracked ORDER BY relation::text;
SELECT tgargs FROM pg_trigger WHERE tgrelid = 'ev'::regclass;

CREATE TABLE q (name text, query text, args text[]);
INSERT INTO q VALUES
	-- of February
	('feb', 'SELECT count(*), sum(v) FROM ev WHERE at >= $1 AND at < $2', ARRAY['''2020-02-01''::timestamptz', '''2020-03-01''::timestamptz']),
	('feb_between', 'SELECT count(*), sum(v) FROM ev WHERE at BETWEEN ''2020-02-01'' AND ''2020-02-29''', '{}'),
	('feb_swapped', 'SELECT count(*), sum(v) FROM ev WHERE ''2020-02-01'' <= at AND ''2020-03-01'' > at', '{}'),
	('feb_only', 'SELECT count(at) FROM ev WHERE at > ''2020-01-31 23:00'' AND at < ''2020-03-01''', '{}'),
	('feb_date', 'SELECT count(*), sum(v) FROM ev WHERE d > ''2020-01-31'' AND d < ''2020-03-01''', '{}'),
	('feb_date_ts', 'SELECT count(*), sum(v) FROM ev WHERE d >= $1 AND d <= $2', ARRAY['''2020-01-31 12:00''::timestamp', '''2020-02-29 12:00''::timestamp']),
	('feb_ts_date', 'SELECT count(*), sum(v) FROM ev WHERE ts >= $1 AND ts < $2', ARRAY['''2020-02-01''::date', '''2020-03-01''::date']),
	('feb_n', 'SELECT count(*), sum(v) FROM ev WHERE n > 30999 AND n <= $1', ARRAY['59000::bigint']),
	('feb_n_small', 'SELECT count(*), sum(v) FROM ev WHERE n >= $1 AND n < 60000', ARRAY['31000::smallint']),
	('feb_init', 'SELECT count(*), sum(v) FROM ev WHERE at >= (SELECT max(at) FROM lim) AND at < ''2020-03-01''', '{}'),
	('feb_expression', 'SELECT count(*), sum(v) FROM ev WHERE at >= date_trunc(''month'', $1) AND at < date_trunc(''month'', $1) + interval ''1 month''', ARRAY['''2020-02-10''::timestamptz']),
	('feb_tenant', 'SELECT count(*), sum(v) FROM ev WHERE at >= ''2020-02-01'' AND at < ''2020-03-01'' AND tenant = 7', '{}'),
	('feb_join', 'SELECT count(*) FROM ev AS a JOIN ev AS b USING (tenant) WHERE a.at >= ''2020-02-01'' AND a.at < ''2020-02-05'' AND b.d >= ''2020-02-05'' AND b.d < ''2020-03-01''', '{}'),
	('feb_seen', 'SELECT sum(seen) FROM ev WHERE at >= ''2020-02-01'' AND at < ''2020-03-01''', '{}'),
	('feb_day', 'SELECT v FROM ev WHERE at = ''2020-02-10''', '{}'),
	-- open at one end
	('until_march', 'SELECT count(*), sum(v) FROM ev WHERE at < ''2020-03-01''', '{}'),
	('from_2021', 'SELECT count(*), sum(v) FROM ev WHERE at >= ''2021-01-01''', '{}'),
	('from_2021_infinity', 'SELECT count(*), sum(v) FROM ev WHERE at >= ''2021-01-01'' AND at < ''infinity''', '{}'),
	('from_n', 'SELECT count(*), sum(v) FROM ev WHERE n >= 366000', '{}'),
	('page', 'SELECT v FROM ev WHERE n < $1 ORDER BY n DESC LIMIT 5', ARRAY['60000::int']),
	-- the key counts
	('key', 'SELECT count(*), sum(v) FROM ev WHERE at >= ''2020-02-01'' AND tenant = 7', '{}'),
	('key_n', 'SELECT count(*), sum(v) FROM ev WHERE n < 60000 AND tenant = 7', '{}'),
	-- no row, or those without a value
	('null', 'SELECT count(*), sum(v) FROM ev WHERE at IS NULL', '{}'),
	('nothing', 'SELECT count(*) FROM ev WHERE at > $1', ARRAY['NULL::timestamptz']),
	('empty', 'SELECT count(*) FROM ev WHERE at >= ''2020-03-01'' AND at < $1', ARRAY['''2020-02-01''::timestamptz']),
	-- no interval
	('or', 'SELECT count(*), sum(v) FROM ev WHERE at < ''2020-03-01'' OR v = 9', '{}'),
	('zone', 'SELECT count(*), sum(v) FROM ev WHERE at >= ''2020-02-01''::date AND at < ''2020-03-01''::timestamp', '{}'),
	('day', 'SELECT count(*), sum(v) FROM ev WHERE at::date = ''2020-02-10''', '{}'),
	('not', 'SELECT count(*), sum(v) FROM ev WHERE at <> ''2020-02-10''', '{}');
-- Of the queries in table q: each that is no hit on any twin, and then it is stored again; says "wrong" where the rows are not the direct ones
CREATE FUNCTION round_() RETURNS text LANGUAGE plpgsql AS $$
DECLARE r record; query text; direct text; got record; hits int; result text := ''; n int := 0;
BEGIN
	FOR r IN SELECT * FROM q ORDER BY name COLLATE "C" LOOP
		n := n + 1;
		hits := 0;
		FOREACH query IN ARRAY ARRAY[r.query, of_twins(r.query)] LOOP
			direct := query;
			FOR i IN 1 .. cardinality(r.args) LOOP
				direct := replace(direct, '$' || i, r.args[i]);
			END LOOP;
			FOR again IN 1 .. 2 LOOP
				got := cq_test.call(cq_test.statement(query, array_to_string(ARRAY[''] || r.args, ', ')));
				hits := hits + CASE WHEN again = 1 AND got.outcome = 'hit' THEN 1 ELSE 0 END;
				IF again = 2 AND got.outcome <> 'hit' THEN result := result || format('%s again %s; ', r.name, got.outcome); END IF;
				IF got.rows <> cq_test.rows(direct) THEN result := result || r.name || ' wrong; '; END IF;
			END LOOP;
		END LOOP;
		IF hits = 0 THEN result := result || r.name || '; '; END IF;
	END LOOP;
	RETURN CASE WHEN result = '' THEN format('%s hits', n) ELSE result END;
END $$;
SELECT round_();
SELECT round_();
SELECT query, granularity FROM cached_query_entries WHERE origin <> 'auto' AND database = current_database() AND 'cq_ranges.ev'::regclass = ANY (relations) ORDER BY query COLLATE "C", args COLLATE "C";

-- new rows, as those of a log
CALL twice($$INSERT INTO ev SELECT 6, 400, at + interval '1 day', d + 1, ts + interval '1 day', n + 1000, 400 FROM ev WHERE id = 399$$);
SELECT round_();
CALL twice($$INSERT INTO ev SELECT 7, 401, at + interval '1 day', d + 1, ts + interval '1 day', n + 1000, 400 FROM ev WHERE id = 400$$);
SELECT round_();
-- of January, February, March
CALL twice($$UPDATE ev SET v = v + 1 WHERE id = 10$$);
SELECT round_();
CALL twice($$UPDATE ev SET v = v + 1 WHERE id = 45$$);
SELECT round_();
CALL twice($$UPDATE ev SET v = v + 1 WHERE id = 60$$);
SELECT round_();
CALL twice($$UPDATE ev SET seen = seen + 1 WHERE id = 45$$);
SELECT round_();
CALL twice($$UPDATE ev SET seen = seen + 1 WHERE id = 60$$);
SELECT round_();
-- the borders
CALL twice($$INSERT INTO ev (id, at, v) VALUES (500, '2020-01-31 23:59:59.999999', 1)$$);
SELECT round_();
CALL twice($$INSERT INTO ev (id, at, v) VALUES (501, '2020-02-29 23:59:59.999999', 1)$$);
SELECT round_();
CALL twice($$INSERT INTO ev (id, at, v) VALUES (502, '2020-03-01', 1)$$);
SELECT round_();
CALL twice($$INSERT INTO ev (id, ts, v) VALUES (503, '2020-03-01', 1)$$);
SELECT round_();
CALL twice($$INSERT INTO ev (id, ts, v) VALUES (504, '2020-02-29 23:59:59.999999', 1)$$);
SELECT round_();
CALL twice($$INSERT INTO ev (id, n, v) VALUES (505, 30999, 1)$$);
SELECT round_();
CALL twice($$INSERT INTO ev (id, n, v) VALUES (506, 60000, 1)$$);
SELECT round_();
CALL twice($$INSERT INTO ev (id, n, v) VALUES (507, 59999, 1)$$);
SELECT round_();
-- the ends of the types
CALL twice($$INSERT INTO ev (id, at, d, ts, n, v) VALUES (510, 'infinity', 'infinity', 'infinity', 9223372036854775807, 1)$$);
SELECT round_();
CALL twice($$INSERT INTO ev (id, at, d, ts, n, v) VALUES (511, '-infinity', '-infinity', '-infinity', -9223372036854775808, 1)$$);
SELECT round_();
CALL twice($$INSERT INTO ev (id, at, d, ts, n, v) VALUES (512, '294276-12-31', '5874897-12-31', '294276-12-31', 1::bigint << 62, 1), (513, '4713-01-01 BC', '4713-01-01 BC', '4713-01-01 BC', -1, 1)$$);
SELECT round_();
CALL twice($$DELETE FROM ev WHERE id BETWEEN 500 AND 513$$);
SELECT round_() <> '' AS any;
-- a row goes elsewhere, and comes back
CALL twice($$UPDATE ev SET at = at + interval '1 year', d = d + 366, ts = ts + interval '1 year', n = n + 366000 WHERE id = 45$$);
SELECT round_();
CALL twice($$UPDATE ev SET at = at - interval '1 year', d = d - 366, ts = ts - interval '1 year', n = n - 366000 WHERE id = 45$$);
SELECT round_();
CALL twice($$UPDATE ev SET at = NULL WHERE id = 45$$);
SELECT round_();
CALL twice($$UPDATE ev SET at = ts WHERE id = 45$$);
SELECT round_();
CALL twice($$UPDATE ev SET at = '2020-02-10' WHERE id = 60; UPDATE ev SET at = ts WHERE id = 60$$);
SELECT round_();
-- not told
CALL twice($$ALTER TABLE ev DISABLE TRIGGER cached_query_track$$);
SELECT round_() <> '' AS any;
CALL twice($$UPDATE ev SET v = v + 1 WHERE id = 399$$);
SELECT round_() LIKE '%feb;%' AS all_void;
CALL twice($$ALTER TABLE ev ENABLE ALWAYS TRIGGER cached_query_track$$);
SELECT round_() <> '' AS any;
-- many rows of few hours, and of many
CALL twice($$INSERT INTO ev SELECT 6, 10000 + g, '2021-06-01'::timestamptz + g * interval '1 second', '2021-06-01', '2021-06-01'::timestamp + g * interval '1 second', 1000000, 1 FROM generate_series(1, 5000) AS g$$);
SELECT round_();
CALL twice($$UPDATE ev SET v = v + 1 WHERE id BETWEEN 100 AND 300$$);
SELECT round_() LIKE '%feb;%' AS all_void;
SELECT tracked > 0 AS tracked, untracked > 0 AS untracked FROM cached_query_tracked WHERE relation = 'ev'::regclass;

-- partitions of one table
CALL twice($$CREATE TABLE p (at date, v int) PARTITION BY HASH (v);
	CREATE TABLE p_0 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 0);
	CREATE TABLE p_1 (v int, gone int, at date);
	ALTER TABLE p_1 DROP COLUMN gone;
	SELECT cached_query_track('p', ranges => '{at}');
	ALTER TABLE p ATTACH PARTITION p_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
	INSERT INTO p SELECT '2020-01-01'::date + g, g FROM generate_series(0, 99) AS g$$);
TRUNCATE q;
INSERT INTO q VALUES ('p', 'SELECT count(*), sum(v) FROM p WHERE at BETWEEN ''2020-02-01'' AND ''2020-02-28''', '{}');
SELECT round_() <> '' AS any;
CALL twice($$INSERT INTO p SELECT '2020-06-01', g FROM generate_series(0, 9) AS g$$);
SELECT round_();
CALL twice($$UPDATE p SET at = '2020-02-28' WHERE at = '2020-06-01'$$);
SELECT round_();
SELECT granularity FROM cached_query_explain('SELECT count(*), sum(v) FROM p WHERE at BETWEEN ''2020-02-01'' AND ''2020-02-28''');
-- a column that is renamed is not there any more
ALTER TABLE p RENAME COLUMN at TO moment;
SELECT state FROM cached_query_tracked WHERE relation = 'p'::regclass;

RESET ALL;
SET client_min_messages = warning;
DROP SCHEMA cq_ranges CASCADE;
