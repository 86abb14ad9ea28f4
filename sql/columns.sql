--
-- The caller's column list against the query's columns: what needs no conversion of the values is accepted, and gives
-- what a cast of the query's column would give; the rest is an error that says what the query returns.
--
CREATE SCHEMA cq_columns;
SET search_path = cq_columns, public;
SELECT cached_query_clear() >= 0 AS empty;
CREATE DOMAIN posint AS int CHECK (VALUE > 0);
CREATE DOMAIN small AS posint CHECK (VALUE < 100);
CREATE DOMAIN short AS varchar(5);
CREATE DOMAIN label AS text COLLATE "C";
CREATE DOMAIN ints AS int[];
CREATE TYPE pair AS (a int, b text);
CREATE TYPE pair2 AS (a int, b text);
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN pairs AS pair CHECK ((VALUE).a > 0);
-- as citext has them
CREATE TYPE mytext;
SET client_min_messages = warning;
CREATE FUNCTION mytextin(cstring) RETURNS mytext LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION mytextout(mytext) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
RESET client_min_messages;
CREATE TYPE mytext (INPUT = mytextin, OUTPUT = mytextout, LIKE = text, COLLATABLE = true);
CREATE CAST (mytext AS text) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (text AS mytext) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (mytext AS bytea) WITHOUT FUNCTION; -- explicit only

-- accepted: the same rows as the cast, of the listed type, as a miss and as a hit; refused: the SQLSTATE
CREATE FUNCTION listed(expr text, type text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	query text := format('SELECT %s AS x', expr);
	call text := format('SELECT x::text, pg_typeof(x) FROM cached_query(%L, ''1h'') AS t(x %s)', query, type);
	direct text[];
	one text[];
	two text[];
BEGIN
	one := cq_test.rows(call);
	two := cq_test.rows(call);
	direct := cq_test.rows(format('SELECT x::text, pg_typeof(x) FROM (SELECT %s::%s AS x) AS t', expr, regexp_replace(type, ' COLLATE.*', '')));
	IF one = direct AND two = direct THEN RETURN 'accepted'; END IF;
	RETURN format('accepted, but %s, %s for %s', one, two, direct);
EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE;
END $$;
SELECT expr, type, listed(expr, type) FROM (VALUES
	-- collations: the caller's label counts outside
	('''b''::text COLLATE "C"', 'text'), ('''b''::text', 'text COLLATE "C"'), ('''b''::text COLLATE "C"', 'text COLLATE "POSIX"'), ('current_user::text', 'text'),
	('(SELECT relname::text FROM pg_class WHERE oid = 1259)', 'text'), ('ARRAY[''a'' COLLATE "C"]', 'text[]'), ('''x''::label', 'text'), ('''x''::name', 'name'),
	-- types that a cast relabels
	('''abc''::varchar(20)', 'text'), ('''abc''::text', 'varchar'), ('''abc''::varchar', 'text'), ('''abc''::mytext', 'text'), ('''abc''::text', 'mytext'),
	('''10.0.0.0/8''::cidr', 'inet'), ('B''101''::bit(3)', 'varbit'), ('1259::oid', 'int'), ('1259', 'oid'), ('''pg_class''::regclass', 'oid'), ('1259::oid', 'regclass'), ('1259::oid', 'regtype'),
	('''<a/>''::xml', 'text'), ('''a''::"char"', '"char"'), ('''abc''::text', 'bpchar'),
	-- ... and such as convert
	('''abc''::char(5)', 'text'), ('''abc''::text', 'char(5)'), ('''abc''::name', 'text'), ('1', 'bigint'), ('1::bigint', 'int'), ('1', 'text'), ('''<a/>''::text', 'xml'), ('1.5', 'float8'),
	('''{}''::json', 'jsonb'), ('''{}''::json', 'text'), ('''2020-01-01''::date', 'timestamp'), ('now()::timestamp', 'timestamptz'), ('''abc''::mytext', 'bytea'), ('''abc''::varchar', 'mytext'), ('''10.0.0.1''::inet', 'cidr'),
	('''sad''::mood', 'text'), ('true', 'int'),
	-- domains: what they promise holds for the base, not the other way round
	('5::posint', 'int'), ('5::posint', 'posint'), ('5::small', 'posint'), ('5::small', 'int'), ('5', 'posint'), ('5::posint', 'small'), ('5::posint', 'oid'), ('5::posint', 'bigint'), ('''abc''::short', 'varchar'),
	('''abc''::short', 'text'), ('''abc''::short', 'varchar(5)'), ('''abc''::short', 'varchar(9)'), ('''abc''::short', 'varchar(4)'), ('''abc''::varchar(5)', 'short'), ('''{1,2}''::ints', 'int[]'), ('''{1,2}''::int[]', 'ints'),
	-- arrays and composite types: the same only
	('''{a}''::varchar[]', 'text[]'), ('''{a}''::text[]', 'varchar[]'), ('''{1}''::posint[]', 'int[]'), ('ROW(1,''a'')::pair', 'pair'), ('ROW(1,''a'')::pair', 'pair2'), ('ROW(1,''a'')::pair', 'pairs'), ('ROW(1,''a'')::pairs', 'pair'),
	('ROW(1,''a'')::pair', 'record'), ('int4range(1,2)', 'int8range'),
	-- type modifiers: left out, the same, or wider
	('''abc''::varchar(20)', 'varchar'), ('''abc''::varchar(20)', 'varchar(20)'), ('''abc''::varchar(20)', 'varchar(21)'), ('''abc''::varchar(20)', 'varchar(19)'), ('''abc''::varchar', 'varchar(20)'), ('''abc''::text', 'varchar(20)'),
	('''{abc}''::varchar(20)[]', 'varchar(30)[]'), ('''{abc}''::varchar(20)[]', 'varchar(3)[]'),
	('''abc''::char(5)', 'char(5)'), ('''abc''::char(5)', 'bpchar'), ('''abc''::char(5)', 'char(6)'), ('''abc''::char(5)', 'char(4)'), ('B''101''::bit(3)', 'bit(4)'), ('B''101''::varbit(3)', 'varbit(4)'), ('B''101''::varbit(3)', 'varbit(2)'),
	('1.25::numeric(10,2)', 'numeric'), ('1.25::numeric(10,2)', 'numeric(10,2)'), ('1.25::numeric(10,2)', 'numeric(12,2)'), ('1.25::numeric(10,2)', 'numeric(9,2)'), ('1.25::numeric(10,2)', 'numeric(12,3)'), ('1.25::numeric(10,2)', 'numeric(12,1)'),
	('1.25', 'numeric(10,2)'), ('1200::numeric(4,-2)', 'numeric(6,-2)'), ('1200::numeric(4,-2)', 'numeric(6,2)'),
	('''12:00:01.123456''::time(3)', 'time(4)'), ('''12:00:01.123456''::time(3)', 'time(2)'), ('''12:00:01.123456''::time', 'time(6)'), ('''12:00:01.123456''::time', 'time(5)'), ('''2020-01-01 12:00:01.12''::timestamp(1)', 'timestamp(3)'),
	('''2020-01-01 12:00:01.12''::timestamptz(1)', 'timestamptz'), ('''1 day 2 hours''::interval', 'interval'), ('''1 day 2 hours''::interval day', 'interval'), ('''1 day 2 hours''::interval', 'interval day'), ('''1.234 s''::interval(2)', 'interval(3)')
	) AS s(expr, type);
-- the error has the list, and the hint too; a list that no list can be says what to do
DO $$ BEGIN PERFORM * FROM cached_query('SELECT 1 AS a, ''x''::varchar(3) AS b', '1h') AS t(a int, b varchar(2));
EXCEPTION WHEN OTHERS THEN DECLARE d text; h text; BEGIN GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT; RAISE NOTICE '% | % | %', SQLSTATE, d, h; END; END $$;
DO $$ BEGIN PERFORM * FROM cached_query('SELECT pg_sleep(0) AS v, 1 AS a', '1h') AS t(a int, b text);
EXCEPTION WHEN OTHERS THEN DECLARE d text; h text; BEGIN GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT; RAISE NOTICE '% | % | %', SQLSTATE, d, h; END; END $$;
-- lists that are handed out are lists that are taken
SELECT cached_query_columns('SELECT pg_sleep(0) AS v, 1 AS a');
SELECT cached_query_columns('SELECT most_common_vals FROM pg_stats');
SELECT cached_query_columns('SELECT most_common_vals::text FROM pg_stats');
SELECT cached_query_columns('SELECT ROW(1, 2) AS r');
SELECT columns IS NULL AS none, cacheable FROM cached_query_explain('SELECT most_common_vals FROM pg_stats');
SELECT cached_query('EXPLAIN SELECT 1', '1h');
DO $$ BEGIN PERFORM * FROM cached_query('EXPLAIN SELECT 1', '1h') AS t(a int); EXCEPTION WHEN OTHERS THEN DECLARE d text; BEGIN GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL; RAISE NOTICE '%', d; END; END $$;
DO $$ BEGIN PERFORM * FROM cached_query('CREATE TABLE x ()', '1h') AS t(a int); EXCEPTION WHEN OTHERS THEN DECLARE d text; BEGIN GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL; RAISE NOTICE '%', d; END; END $$;

-- where a collation is listed it is the caller's
CREATE TABLE words (w text COLLATE "C", v varchar(10));
INSERT INTO words VALUES ('b', 'b'), ('A', 'A'), ('a', 'a');
SELECT pg_collation_for(w), w < 'B' COLLATE "C" FROM cached_query('SELECT w FROM words ORDER BY w', '1h') AS t(w text COLLATE "C");
SELECT pg_collation_for(w) FROM cached_query('SELECT w FROM words ORDER BY w LIMIT 1', '1h') AS t(w text COLLATE "POSIX");
-- row types: what the query returns may be narrower
CREATE TYPE wide AS (w text, v varchar(20));
SELECT * FROM cached_query_as(NULL::wide, 'SELECT * FROM words ORDER BY w', '1h');
SELECT cached_query_as(NULL::wide, 'SELECT * FROM words ORDER BY w', '1h');
ALTER TABLE words ALTER v TYPE varchar(100); -- callers who list no modifier, or a larger one, go on
SELECT count(*) FROM cached_query('SELECT v FROM words', '1h') AS t(v varchar);
SELECT count(*) FROM cached_query('SELECT v FROM words', '1h') AS t(v varchar(100));
SELECT count(*) FROM cached_query('SELECT v FROM words', '1h') AS t(v varchar(10));

-- several callers of one answer, each with types of its own; their images are their own, too
SELECT n, x FROM generate_series(1, 1) AS n, cached_query('SELECT 1259::oid FROM generate_series(1, 9)', '1h') AS t(x regclass) LIMIT 1;
SELECT * FROM cached_query('SELECT 1259::oid FROM generate_series(1, 9)', '1h') AS t(x oid) LIMIT 1;
SELECT * FROM cached_query('SELECT 1259::oid FROM generate_series(1, 9)', '1h') AS t(x oid);
SELECT * FROM cached_query('SELECT 1259::oid FROM generate_series(1, 9)', '1h') AS t(x oid);
SELECT * FROM cached_query('SELECT 1259::oid FROM generate_series(1, 9)', '1h') AS t(x regclass);
SELECT * FROM cached_query('SELECT 1259::oid FROM generate_series(1, 9)', '1h') AS t(x int);
SELECT * FROM cached_query('SELECT (-1)::int FROM generate_series(1, 9)', '1h') AS t(x int);
SELECT * FROM cached_query('SELECT (-1)::int FROM generate_series(1, 9)', '1h') AS t(x int);
SELECT * FROM cached_query('SELECT (-1)::int FROM generate_series(1, 9)', '1h') AS t(x int);
SELECT * FROM cached_query('SELECT (-1)::int FROM generate_series(1, 9)', '1h') AS t(x oid);
SELECT * FROM cached_query('SELECT (-1)::int FROM generate_series(1, 9)', '1h') AS t(x oid);

-- domains over row types: their constraints hold for each row
SELECT * FROM cached_query_as(NULL::pairs, 'SELECT 1, ''a''::text', '1h');
SELECT * FROM cached_query_as(NULL::pairs, 'SELECT -1, ''a''::text', '1h');
SELECT * FROM cached_query_as(NULL::pairs, 'SELECT -1, ''a''::text', '1h');
SELECT cached_query_as(NULL::pairs, 'SELECT g, ''a''::text FROM generate_series(2, 0, -1) AS g', '1h');
SELECT * FROM cached_query_as(NULL::pairs, 'SELECT g, ''a''::text FROM generate_series(2, 1, -1) AS g', '1h') WITH ORDINALITY;
SELECT * FROM cached_query_as(NULL::posint, 'SELECT -1', '1h');
SELECT * FROM cached_query_as(NULL::posint, 'SELECT 1::posint', '1h');
CREATE DOMAIN pairs2 AS pairs CHECK ((VALUE).b <> 'a');
SELECT * FROM cached_query_as(NULL::pairs2, 'SELECT 1, ''a''::text', '1h');
SELECT * FROM cached_query_as(NULL::pairs2, 'SELECT -1, ''b''::text', '1h');
DROP DOMAIN pairs2;
ALTER TYPE pair DROP ATTRIBUTE b;
SELECT * FROM cached_query_as(NULL::pairs, 'SELECT 1', '1h');
SELECT * FROM cached_query_as(NULL::pairs, 'SELECT 0', '1h');

-- parameters that nothing but a cast tells about
SELECT * FROM cached_query('SELECT pg_typeof($1)::text, $1::text', '1h', 'x') AS t(a text, b text);
SELECT * FROM cached_query('SELECT pg_typeof($1)::text, $1::text', '1h', 'x'::text) AS t(a text, b text);
SELECT * FROM cached_query('SELECT pg_typeof($1)::text, $1::int', '1h', '7') AS t(a text, b int);
SELECT * FROM cached_query('SELECT pg_typeof($1)::text, $2 + 1', '1h', 'x', '2') AS t(a text, b int);
SELECT * FROM cached_query('SELECT $1 || $2, pg_typeof($2)::text', '1h', 'x', 'y') AS t(a text, b text);

SET client_min_messages = warning;
DROP SCHEMA cq_columns CASCADE;
