--
-- Settings as current_setting() shows them, and literals that mean something else another day
--
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
CREATE SCHEMA shown;
SET search_path = shown, public;

-- Where any setting may be read, ours are among them
SET cached_query.tag = 'aa';
SELECT * FROM cached_query($$SELECT current_setting('cached_query.' || 'tag')$$, '1h') AS t(a text);
SET cached_query.tag = 'bb';
SELECT * FROM cached_query($$SELECT current_setting('cached_query.' || 'tag')$$, '1h') AS t(a text);
SET cached_query.wait_timeout = '3s';
SELECT * FROM cached_query($$SELECT setting FROM pg_settings WHERE name = 'cached_query.wait_timeout'$$, '1h') AS t(a text);
CREATE FUNCTION any_setting(text) RETURNS text STABLE LANGUAGE plpgsql AS $$
DECLARE r text;
BEGIN
	EXECUTE format('SELECT current_setting(%L)', 'cached_query.' || $1) INTO r;
	RETURN r;
END $$;
SELECT * FROM cached_query($$SELECT any_setting('wait_timeout')$$, '1h') AS t(a text);
SET cached_query.wait_timeout = '4s';
SELECT * FROM cached_query($$SELECT setting FROM pg_settings WHERE name = 'cached_query.wait_timeout'$$, '1h') AS t(a text);
SELECT * FROM cached_query($$SELECT any_setting('wait_timeout')$$, '1h') AS t(a text);
RESET cached_query.wait_timeout;
RESET cached_query.tag;

-- What is shown is in the key, not what is stored
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
SET seed = 0.1;
SELECT * FROM cached_query($$SELECT current_setting('seed')$$, '1h') AS t(a text);
SET seed = 0.2;
SELECT * FROM cached_query($$SELECT current_setting('seed')$$, '1h') AS t(a text);
SELECT count(*) FROM cached_query_entries WHERE query LIKE '%seed%';

-- A time with no date has the offset of the day
SELECT consistency, reason FROM cached_query_explain($$SELECT '12:00'::timetz$$);
SELECT consistency, reason FROM cached_query_explain($$SELECT '{12:00}'::timetz[]$$);
CREATE DOMAIN at AS timetz;
CREATE TYPE slot AS (a int, at at);
SELECT consistency, reason FROM cached_query_explain($$SELECT '12:00'::at$$);
SELECT consistency, reason FROM cached_query_explain($$SELECT '(1,12:00)'::slot$$);
CREATE FUNCTION noon() RETURNS timetz STABLE LANGUAGE sql AS $$SELECT '12:00'::timetz$$;
CREATE FUNCTION pl_noon() RETURNS timetz STABLE LANGUAGE plpgsql AS $$BEGIN RETURN '12:00'::timetz; END$$;
SELECT consistency, reason FROM cached_query_explain('SELECT noon()');
SELECT consistency, reason FROM cached_query_explain('SELECT pl_noon()');
SELECT consistency, reason FROM cached_query_explain($$SELECT '12:00'::time, '2020-01-01 12:00'::timestamptz$$);

-- A literal of the same type elsewhere hides nothing
CREATE FUNCTION this_day() RETURNS date STABLE LANGUAGE sql AS $$SELECT 'today'::date$$;
CREATE FUNCTION a_day() RETURNS date STABLE LANGUAGE sql AS $$SELECT '2020-01-01'::date$$;
SELECT consistency, reason FROM cached_query_explain($$SELECT this_day(), '2020-01-01'::date$$);
SELECT consistency, reason FROM cached_query_explain($$SELECT a_day(), this_day()$$);
SELECT consistency, reason FROM cached_query_explain($$SELECT noon(), '2020-01-01 12:00'::timestamptz$$);
SELECT consistency, reason FROM cached_query_explain($$SELECT a_day(), '2020-01-01'::date$$);

SET client_min_messages = warning;
DROP SCHEMA shown CASCADE;
