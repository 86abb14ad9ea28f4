--
-- Settings of output act when the rows are sent: they don't split the key and a hit shows the
-- current ones.  Settings that the query itself can see (casts to and from text, to_char,
-- literals, search configuration) do: such a query never gives an answer made under others.
--
CREATE SCHEMA cq_output;
SET search_path = cq_output, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
SET datestyle = 'ISO, MDY';
SET timezone = 'UTC';
SET intervalstyle = 'postgres';
CREATE TABLE ev (id int, d date, ts timestamp, tz timestamptz, i interval, b bytea, f float8, m money);
INSERT INTO ev VALUES (1, '2024-02-01', '2024-02-01 03:04:05', '2024-02-01 03:04:05+00', '1 day 02:03:04', '\x00ff', 0.1::float8 + 0.2, '5.25');

-- one fill, many forms
SELECT * FROM cached_query('SELECT id, d, ts, tz, i, b, f FROM ev', '1h')
	AS t(id int, d date, ts timestamp, tz timestamptz, i interval, b bytea, f float8);
SET datestyle = 'SQL, DMY';
SET timezone = 'Asia/Kolkata';
SET intervalstyle = 'iso_8601';
SET bytea_output = 'escape';
SET extra_float_digits = 0;
SELECT cq_test.counts() AS before \gset
SELECT id, d, ts, tz, i, b, f FROM ev;
SELECT * FROM cached_query('SELECT id, d, ts, tz, i, b, f FROM ev', '1h')
	AS t(id int, d date, ts timestamp, tz timestamptz, i interval, b bytea, f float8);
SET datestyle = 'German';
SET timezone = 'America/New_York';
SET intervalstyle = 'sql_standard';
SELECT id, d, ts, tz, i, b, f FROM ev;
SELECT * FROM cached_query('SELECT id, d, ts, tz, i, b, f FROM ev', '1h')
	AS t(id int, d date, ts timestamp, tz timestamptz, i interval, b bytea, f float8);
SELECT cq_test.since(:'before');
-- settings that change no answer don't split the key either
SET work_mem = '1MB';
SET enable_seqscan = off;
SET application_name = 'cq';
SET statement_timeout = '10min';
SET client_min_messages = warning;
SET lock_timeout = '5min';
SELECT (cq_test.call($$ SELECT id FROM cached_query('SELECT id, d, ts, tz, i, b, f FROM ev', '1h')
	AS t(id int, d date, ts timestamp, tz timestamptz, i interval, b bytea, f float8) $$)).outcome;
RESET ALL;
SET search_path = cq_output, public;

-- What the query sees: each query is run under each of two settings, twice, beside itself run
-- directly.  The table of pairs says where the text must be filled anew.
CREATE FUNCTION under(setting text, one text, other text, query text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	old text := current_setting(setting);
	outcomes text[] := '{}';
	problem text;
	direct text[];
	got record;
	value text;
BEGIN
	FOREACH value IN ARRAY ARRAY[one, one, other, other, one] LOOP
		PERFORM set_config(setting, value, false);
		direct := cq_test.rows(query);
		got := cq_test.call(cq_test.statement(query));
		outcomes := outcomes || got.outcome;
		problem := coalesce(problem, cq_test.compare(direct, got.rows));
	END LOOP;
	PERFORM set_config(setting, old, false);
	RETURN array_to_string(outcomes, ', ') || coalesce(': ' || problem, '');
END $$;

SELECT query, under('datestyle', 'ISO, MDY', 'ISO, DMY', query) FROM (VALUES
	($$ SELECT '01/02/2024'::date AS d $$),
	($$ SELECT date '01/02/2024' AS d FROM ev $$),
	($$ SELECT id FROM ev WHERE d = '01/02/2024' $$),
	($$ SELECT ('01/02/' || extract(year FROM d)::int)::date AS d FROM ev $$),
	($$ SELECT to_date('2024', 'YYYY') - d AS n FROM ev $$),
	($$ SELECT ARRAY['01/02/2024']::date[] AS d $$),
	($$ SELECT * FROM json_to_record('{"d": "01/02/2024"}') AS r(d date) $$),
	($$ SELECT daterange('01/02/2024', '05/03/2024') AS r $$)) AS v(query);
SELECT query, under('datestyle', 'ISO, MDY', 'German', query) FROM (VALUES
	($$ SELECT d::text AS d FROM ev $$),
	($$ SELECT 'on ' || d AS d FROM ev $$),
	($$ SELECT concat(d, ts) AS d FROM ev $$),
	($$ SELECT format('%s', d) AS d FROM ev $$),
	($$ SELECT ROW(d)::text AS d FROM ev $$),
	($$ SELECT ARRAY[d]::text AS d FROM ev $$),
	($$ SELECT array_to_string(ARRAY[d], ',') AS d FROM ev $$),
	($$ SELECT string_agg(d::text, ',') AS d FROM ev $$),
	($$ SELECT md5(e::text) AS d FROM ev AS e $$),
	($$ SELECT d::varchar(4) AS d FROM ev $$)) AS v(query);
SELECT query, under('timezone', 'UTC', 'Asia/Kolkata', query) FROM (VALUES
	($$ SELECT tz::text AS a FROM ev $$),
	($$ SELECT tz::date AS a FROM ev $$),
	($$ SELECT tz::timestamp AS a FROM ev $$),
	($$ SELECT ts::timestamptz AS a FROM ev $$),
	($$ SELECT '2024-02-01 00:00'::timestamptz AS a $$),
	($$ SELECT date_trunc('day', tz) AS a FROM ev $$),
	($$ SELECT extract(hour FROM tz) AS a FROM ev $$),
	($$ SELECT to_char(tz, 'HH24:MI') AS a FROM ev $$),
	($$ SELECT to_json(tz)::text AS a FROM ev $$),
	($$ SELECT jsonb_build_object('t', tz) AS a FROM ev $$),
	($$ SELECT row_to_json(e) ->> 'tz' AS a FROM ev AS e $$),
	($$ SELECT id FROM ev WHERE tz >= '2024-02-01' AND tz < '2024-02-02' $$),
	($$ SELECT tz + '1 day' AS a FROM ev $$),
	($$ SELECT d::timestamptz - tz AS a FROM ev $$),
	($$ SELECT make_timestamptz(2024, 2, 1, 0, 0, 0) AS a $$),
	($$ SELECT d = tz AS a FROM ev $$)) AS v(query);
SELECT query, under('intervalstyle', 'postgres', 'iso_8601', query) FROM (VALUES
	($$ SELECT i::text AS a FROM ev $$), ($$ SELECT (ts - d)::text AS a FROM ev $$)) AS v(query);
SELECT query, under('intervalstyle', 'postgres', 'sql_standard', query) FROM (VALUES
	($$ SELECT '-1 2:03'::interval AS a $$)) AS v(query);
SELECT query, under('bytea_output', 'hex', 'escape', query) FROM (VALUES
	($$ SELECT b::text AS a FROM ev $$), ($$ SELECT encode(b, 'hex') AS a FROM ev $$), ($$ SELECT b || '' AS a FROM ev $$),
	($$ SELECT ARRAY[b]::text AS a FROM ev $$), ($$ SELECT concat(b) AS a FROM ev $$), ($$ SELECT b::varchar(3) AS a FROM ev $$)) AS v(query);
SELECT query, under('extra_float_digits', '1', '-5', query) FROM (VALUES
	($$ SELECT f::text AS a FROM ev $$), ($$ SELECT to_json(f)::text AS a FROM ev $$),
	($$ SELECT round(f::numeric, 20) AS a FROM ev $$), ($$ SELECT f::float4::text AS a FROM ev $$), ($$ SELECT point(f, f)::text AS a FROM ev $$),
	($$ SELECT box(point(f, 0), point(0, f))::text AS a FROM ev $$), ($$ SELECT circle(point(f, f), f)::text AS a FROM ev $$),
	($$ SELECT 'f ' || f AS a FROM ev $$), ($$ SELECT ARRAY[f]::text AS a FROM ev $$), ($$ SELECT ROW(f)::text AS a FROM ev $$)) AS v(query);
SELECT query, under('default_text_search_config', 'english', 'simple', query) FROM (VALUES
	($$ SELECT to_tsvector('the running cats') AS a $$), ($$ SELECT plainto_tsquery('the cats') AS a $$)) AS v(query);
SELECT query, under('transform_null_equals', 'off', 'on', query) FROM (VALUES
	($$ SELECT count(*) AS a FROM ev WHERE d = NULL $$), ($$ SELECT id = NULL AS a FROM ev $$)) AS v(query);
SELECT query, under('array_nulls', 'on', 'off', query) FROM (VALUES
	($$ SELECT ('{a,' || CASE WHEN id = 1 THEN 'NULL' END || '}')::text[] AS a FROM ev $$),
	($$ SELECT '{NULL}'::text[] AS a $$)) AS v(query);
SELECT query, under('app.color', 'red', 'blue', query) FROM (VALUES
	($$ SELECT current_setting('app.color') AS a $$), ($$ SELECT current_setting('app.' || 'color', true) AS a $$),
	($$ SELECT 1 AS a $$)) AS v(query) WHERE set_config('app.color', 'green', false) = 'green';

-- 'today' and 'now' in a literal are the moment of the fill, and say so
SELECT query, v.* FROM (VALUES ($$ SELECT 'today'::date AS a $$), ($$ SELECT 'now'::timestamptz AS a $$),
	($$ SELECT 'tomorrow'::text::date AS a $$), ($$ SELECT 'infinity'::date AS a $$)) AS q(query),
	cq_test.verdict(query) AS v;

-- and of this fill, not of the first one in this session
SELECT a AS first FROM cached_query('SELECT ''now''::timestamptz', '0') AS t(a timestamptz) \gset
SELECT pg_sleep(0.01);
SELECT a > :'first' AS later FROM cached_query('SELECT ''now''::timestamptz', '0') AS t(a timestamptz);
SELECT a AS first FROM cached_query('SELECT now() - ''epoch''', '0') AS t(a interval) \gset
SELECT pg_sleep(0.01);
SELECT a > :'first' AS later FROM cached_query('SELECT now() - ''epoch''', '0') AS t(a interval);

-- JSON is text: its output settings are in the key
SET datestyle = 'ISO';
SET timezone = 'UTC';
SELECT * FROM cq_test.call($$ SELECT cached_query_json('SELECT tz FROM ev', '1h') $$);
SET timezone = 'Asia/Kolkata';
SELECT * FROM cq_test.call($$ SELECT cached_query_json('SELECT tz FROM ev', '1h') $$);
SELECT * FROM cq_test.call($$ SELECT cached_query_json('SELECT tz FROM ev', '1h') $$);
SET timezone = 'UTC';
SELECT * FROM cq_test.call($$ SELECT cached_query_json('SELECT tz FROM ev', '1h') $$);
RESET timezone;
RESET datestyle;

-- client_encoding never matters for what is kept
SET client_encoding = 'UTF8';
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query('SELECT chr(233) || ''t'' || chr(233)', '1h') AS t(a text) $$);
SET client_encoding = 'LATIN1';
SELECT (cq_test.call($$ SELECT * FROM cached_query('SELECT chr(233) || ''t'' || chr(233)', '1h') AS t(a text) $$)).outcome;
RESET client_encoding;

DROP FUNCTION under;
DROP SCHEMA cq_output CASCADE;
