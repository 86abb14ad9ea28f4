--
-- What IMMUTABLE and trusted code is made of: it is believed to read nothing, but what it calls, the
-- types that it has and what its names mean can be defined anew.  Each answer equals the direct one,
-- stays exact, and comes from the cache as long as nothing of it changes.
--
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
CREATE SCHEMA believed;
SET search_path = believed, public;
SET cached_query.consistency = 'exact';

CREATE FUNCTION g() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION g2() RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
CREATE FUNCTION plus(int, int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + $2';
CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = plus);
CREATE TYPE pair AS (a int);
CREATE FUNCTION of_pair(pair) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT ($1).a::text';
CREATE CAST (pair AS text) WITH FUNCTION of_pair(pair);
CREATE TYPE e AS ENUM ('a', 'b');
CREATE DOMAIN d AS int;
CREATE FUNCTION ok(int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1 < 10';
CREATE DOMAIN checked AS int CHECK (ok(value));
CREATE TABLE vals (a int);
INSERT INTO vals VALUES (5);

CREATE FUNCTION pl_calls() RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN believed.g(); END';
CREATE FUNCTION sql_calls() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT believed.g()';
CREATE FUNCTION atomic_calls() RETURNS int IMMUTABLE LANGUAGE sql RETURN believed.g();
CREATE FUNCTION twice() RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN believed.sql_calls() + believed.g2(); END';
CREATE FUNCTION by_operator(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
	'BEGIN RETURN $1 OPERATOR(believed.###) 1; END';
CREATE FUNCTION by_cast(int) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT ROW($1)::believed.pair::text';
CREATE FUNCTION of_enum() RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT enum_range('a'::believed.e)::text$$;
CREATE FUNCTION of_domain(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1::believed.d';
CREATE FUNCTION of_checked(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'DECLARE x believed.checked := $1; BEGIN RETURN x; END';
CREATE FUNCTION given(int DEFAULT believed.g()) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION uses_default() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT believed.given()';
CREATE FUNCTION by_name() RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN named(); END';
CREATE FUNCTION public.named() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION trusted() RETURNS int VOLATILE LANGUAGE plpgsql AS 'BEGIN RETURN believed.g(); END';
CREATE FUNCTION stable_calls() RETURNS int STABLE LANGUAGE plpgsql AS 'BEGIN RETURN believed.pl_calls(); END';
SET cached_query.trusted_functions = 'believed.trusted';

-- The direct and the cached answer of each, and what became of the call
CREATE FUNCTION answers() RETURNS TABLE (what text, direct text, cached text, reason text) LANGUAGE plpgsql AS $$
DECLARE
	q text;
	before jsonb;
BEGIN
	FOREACH what IN ARRAY ARRAY['pl_calls()', 'sql_calls()', 'atomic_calls()', 'twice()', 'by_operator(a)', 'by_cast(a)',
		'of_enum()', 'of_domain(a)', 'of_checked(a)', 'uses_default()', 'by_name()', 'trusted()', 'stable_calls()']
	LOOP
		q := format('SELECT (%s)::text FROM vals', what);
		BEGIN
			EXECUTE q INTO direct;
		EXCEPTION WHEN check_violation THEN
			direct := SQLSTATE;
		END;
		SELECT jsonb_object_agg(r.reason, r.calls) INTO before FROM cached_query_reasons r;
		BEGIN
			EXECUTE format('SELECT * FROM cached_query(%L, ''1h'') AS t(a text)', q) INTO cached;
		EXCEPTION WHEN check_violation THEN
			cached := SQLSTATE;
		END;
		SELECT string_agg(r.reason, ' ' ORDER BY r.reason) INTO reason FROM cached_query_reasons r
		WHERE r.calls > coalesce((before ->> r.reason)::bigint, 0);
		RETURN NEXT;
	END LOOP;
END $$;
SELECT * FROM answers() WHERE direct IS DISTINCT FROM cached OR reason <> 'miss_cold';
SELECT * FROM answers() WHERE direct IS DISTINCT FROM cached OR reason <> 'hit';

CREATE OR REPLACE FUNCTION g() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 2';
SELECT what, direct, cached FROM answers();
CREATE OR REPLACE FUNCTION g2() RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN 10; END';
SELECT * FROM answers() WHERE direct IS DISTINCT FROM cached;
CREATE OR REPLACE FUNCTION plus(int, int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + $2 + 100';
SELECT * FROM answers() WHERE direct IS DISTINCT FROM cached;
CREATE OR REPLACE FUNCTION of_pair(pair) RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT 'pair ' || ($1).a$$;
SELECT * FROM answers() WHERE direct IS DISTINCT FROM cached;
ALTER TYPE e ADD VALUE 'c';
SELECT * FROM answers() WHERE direct IS DISTINCT FROM cached;
CREATE OR REPLACE FUNCTION ok(int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1 < 2';
\c -
SET search_path = believed, public;
SET cached_query.consistency = 'exact';
SET cached_query.trusted_functions = 'believed.trusted';
SELECT * FROM answers() WHERE direct IS DISTINCT FROM cached;
ALTER DOMAIN d ADD CHECK (value > 10);
\c -
SET search_path = believed, public;
SET cached_query.consistency = 'exact';
SET cached_query.trusted_functions = 'believed.trusted';
SELECT what, direct, cached FROM answers();
CREATE FUNCTION believed.named() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 2';
SELECT * FROM answers() WHERE direct IS DISTINCT FROM cached;
SELECT direct, cached FROM answers() WHERE what = 'by_name()';

-- Names in the text of rows: neither exact nor kept over a new name
RESET cached_query.consistency;
CREATE TABLE o AS SELECT 'vals'::regclass AS c;
SELECT consistency, reason FROM cached_query_explain('SELECT ROW(c)::text FROM o');
SELECT * FROM cached_query('SELECT ROW(c)::text FROM o', '1h') AS t(a text);
ALTER TABLE vals RENAME TO others;
SELECT * FROM cached_query('SELECT ROW(c)::text FROM o', '1h') AS t(a text);
SELECT ROW(c)::text FROM o;

SET client_min_messages = warning;
DROP FUNCTION public.named();
DROP SCHEMA believed CASCADE;
