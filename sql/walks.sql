--
-- What a query calls is followed through functions and types.  However many there are, however deep
-- they nest: that takes little time and little stack, and what is beyond a bound isn't understood.
--
CREATE SCHEMA cq_walks;
SET search_path = cq_walks, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
SET cached_query.consistency = exact;

-- a chain of functions, longer than what is followed; the last one is for nobody else
CREATE FUNCTION chain(prefix text, length int, language text, pattern text, last text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	SET LOCAL check_function_bodies = off;
	EXECUTE format('CREATE FUNCTION %s%s() RETURNS int LANGUAGE %s STABLE AS %L', prefix, length, language, format(pattern, last));
	FOR i IN REVERSE length - 1 .. 1 LOOP
		EXECUTE format('CREATE FUNCTION %s%s() RETURNS int LANGUAGE %s STABLE AS %L', prefix, i, language, format(pattern, prefix || i + 1 || '()'));
	END LOOP;
END $$;
SELECT chain('p', 2000, 'plpgsql', 'BEGIN RETURN %s; END', '1');
SELECT chain('s', 2000, 'sql', 'SELECT %s', '1');
SELECT chain('short_', 50, 'plpgsql', 'BEGIN RETURN %s; END', '1');
SET statement_timeout = '20s';
SELECT cacheable, reason, detail FROM cached_query_explain('SELECT p1()');
SELECT cacheable, reason, detail FROM cached_query_explain('SELECT s1()');
SELECT cacheable, reason, detail FROM cached_query_explain('SELECT short_1()');
-- each function calls two of the next rank: 2^40 ways
DO $$ BEGIN
	SET LOCAL check_function_bodies = off;
	FOR i IN 1 .. 40 LOOP
		EXECUTE format('CREATE FUNCTION two_%s(int) RETURNS int LANGUAGE sql STABLE AS $f$ SELECT two_%s($1) + two_%s($1 + 1) $f$', i, i + 1, i + 1);
	END LOOP;
	CREATE FUNCTION two_41(int) RETURNS int LANGUAGE sql STABLE AS $f$ SELECT $1 $f$;
END $$;
SELECT cacheable, reason, detail FROM cached_query_explain('SELECT two_35(1)');
-- recursive ones
CREATE FUNCTION even(n int) RETURNS bool LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN n = 0 OR odd(n - 1); END $$;
CREATE FUNCTION odd(n int) RETURNS bool LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN n <> 0 AND even(n - 1); END $$;
SELECT cacheable, reason FROM cached_query_explain('SELECT even(10)');
SELECT * FROM cached_query('SELECT even(10)', '1h') AS t(v bool);

-- row types of row types: 2^19 ways to the last one
CREATE TYPE r0 AS (a timestamptz, b float8);
DO $$ BEGIN
	FOR i IN 1 .. 19 LOOP
		EXECUTE format('CREATE TYPE r%s AS (a r%s, b r%s)', i, i - 1, i - 1);
	END LOOP;
END $$;
SELECT cacheable, reason FROM cached_query_explain('SELECT NULL::r19 AS v');
SELECT cacheable, reason FROM cached_query_explain('SELECT $1::text::r19 AS v', VARIADIC ARRAY['']);
SELECT cacheable, reason FROM cached_query_explain('SELECT * FROM json_populate_record(NULL::r19, ''{}'')');
SELECT v IS NULL AS a FROM cached_query('SELECT NULL::r19', '1h') AS t(v r19);
SELECT * FROM cached_query('SELECT NULL::r19', '1h') AS t(v r19);
SELECT * FROM cached_query('SELECT NULL::r19', '1h') AS t(v r19);
-- a long chain of domains over arrays of domains, and of row types
CREATE DOMAIN d0 AS timestamptz;
DO $$ BEGIN
	FOR i IN 1 .. 400 LOOP
		EXECUTE format('CREATE DOMAIN d%s AS d%s[]', i, i - 1);
	END LOOP;
END $$;
SELECT cacheable, reason FROM cached_query_explain('SELECT NULL::d400 AS v');
SELECT cacheable, reason FROM cached_query_explain('SELECT $1::text::d400 AS v', VARIADIC ARRAY['']);
SELECT * FROM cached_query('SELECT NULL::d400', '1h') AS t(v d400);
SELECT * FROM cached_query('SELECT NULL::d400', '1h') AS t(v d400);

-- more tables than an answer may depend on
CREATE TABLE parts (k int) PARTITION BY LIST (k);
DO $$ BEGIN
	FOR i IN 1 .. 1100 LOOP
		EXECUTE format('CREATE TABLE part_%s PARTITION OF parts FOR VALUES IN (%s)', i, i);
	END LOOP;
END $$;
SELECT (cq_test.call($$ SELECT * FROM cached_query('SELECT count(*) FROM parts', '1h') AS t(n bigint) $$)).*;
RESET statement_timeout;
SET client_min_messages = warning;
DO $$ BEGIN
	FOR i IN 1 .. 1100 LOOP
		EXECUTE format('DROP TABLE part_%s', i);
		IF i % 100 = 0 THEN COMMIT; END IF;
	END LOOP;
END $$;
DROP SCHEMA cq_walks CASCADE;
