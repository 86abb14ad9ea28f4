# Every statement that changes definitions x (committed, rolled back, rolled back to a savepoint) x (ttl, exact)
# x (the same session, a new one, a kept plan of a function): what the cache says is what the query says.
# The list of statements is the server's own; one that nobody has judged fails the test.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# ICU wants an encoding
my $node = start_node('main', { extra => [ '--encoding=UTF8', '--locale=C' ] });

# Of each tag: cases, or why there are none.  A case: what is there before, a query of one column of type
# text, the change, and with a fourth element: it can't run in a transaction block.
my $none = 'changes no definition';
my $names = 'a name that no query can mean';
my $same = 'changes no answer: see sql/definitions.sql';
my $other = 'of the whole server: see sql/definitions.sql';

my $table = 'CREATE TABLE s2.t (a int, s text); INSERT INTO s2.t VALUES (1, \'b\'), (2, \'A\');';
my $count = 'SELECT count(*)::text FROM t';
my $foreign = q{CREATE FOREIGN DATA WRAPPER cq_w; CREATE SERVER cq_s FOREIGN DATA WRAPPER cq_w;};
my $late = sub { my ($body) = @_; return "CREATE FUNCTION s2.f() RETURNS text LANGUAGE plpgsql STABLE AS \$\$ BEGIN $body END \$\$;" };
my $price = 'CREATE TABLE s2.price (v int); INSERT INTO s2.price VALUES (1);';
my $reads_price = $price . $late->('RETURN (SELECT max(v) FROM price);');
my $sql_price = $price . 'CREATE FUNCTION s2.f() RETURNS text LANGUAGE sql STABLE AS \'SELECT max(v)::text FROM price\';';
my $nested = $reads_price . 'CREATE FUNCTION s2.g() RETURNS text LANGUAGE sql STABLE AS \'SELECT f()\';';
my $looped = $price . $late->(q{DECLARE r record; n int := 0; BEGIN FOR r IN SELECT v FROM price LOOP n := n + r.v; END LOOP; RETURN n; END;});
my $new_price = 'CREATE TABLE s1.price (v int)';
my $dictionary = q{CREATE TEXT SEARCH DICTIONARY s2.d (TEMPLATE = simple, ACCEPT = true);};
my $configuration = $dictionary . q{CREATE TEXT SEARCH CONFIGURATION s2.c (COPY = pg_catalog.simple);};

my %judged = (
	'ALTER AGGREGATE' => [['CREATE AGGREGATE s2.ag (int) (SFUNC = int4pl, STYPE = int);' . $table, 'SELECT ag(a)::text FROM t', 'ALTER AGGREGATE s2.ag(int) RENAME TO ah']],
	'ALTER COLLATION' => [[$table . 'CREATE COLLATION s2.k (PROVIDER = libc, LOCALE = \'C\');', 'SELECT string_agg(s, \',\' ORDER BY s COLLATE k) FROM t', 'ALTER COLLATION s2.k RENAME TO l']],
	'ALTER DOMAIN' => [
		['CREATE DOMAIN s2.d AS int CHECK (value > 0);', 'SELECT (-1)::d::text', 'ALTER DOMAIN s2.d DROP CONSTRAINT d_check'],
		['CREATE DOMAIN s2.d AS int;', 'SELECT (-1)::d::text', 'ALTER DOMAIN s2.d ADD CHECK (value > 0)'],
		['CREATE DOMAIN s2.d AS int;' . $late->('DECLARE v d := -1; BEGIN RETURN v; END;'), 'SELECT f()', 'ALTER DOMAIN s2.d ADD CHECK (value > 0)'],
		['CREATE DOMAIN s2.d AS int;', 'SELECT 1::d::text', 'ALTER DOMAIN s2.d RENAME TO e'],
	],
	'ALTER FOREIGN TABLE' => [[$foreign . 'CREATE FOREIGN TABLE s2.ft (a int) SERVER cq_s;', 'SELECT \'x\' FROM ft', 'ALTER FOREIGN TABLE s2.ft RENAME TO fu']],
	'ALTER FUNCTION' => [
		['CREATE FUNCTION s2.f() RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN current_schema(); END $$;', 'SELECT f()', 'ALTER FUNCTION s2.f() SET search_path = pg_catalog'],
		['CREATE FUNCTION s2.f() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT \'x\' $$;', 'SELECT f()', 'ALTER FUNCTION s2.f() RENAME TO g'],
		['CREATE FUNCTION s1.f() RETURNS text LANGUAGE sql AS $$ SELECT \'1\' $$; CREATE FUNCTION s2.g() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT \'2\' $$;', 'SELECT g()', 'ALTER FUNCTION s1.f() RENAME TO g'],
	],
	'ALTER MATERIALIZED VIEW' => [['CREATE MATERIALIZED VIEW s2.m AS SELECT 1 AS a;', 'SELECT a::text FROM m', 'ALTER MATERIALIZED VIEW s2.m RENAME COLUMN a TO b']],
	'ALTER OPERATOR' => [[$table . 'CREATE OPERATOR s2.### (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl);', 'SELECT (1 ### 2)::text', 'ALTER OPERATOR s2.### (int, int) SET SCHEMA public; ALTER OPERATOR public.### (int, int) SET SCHEMA s1']],
	'ALTER POLICY' => [[$table . 'ALTER TABLE s2.t ENABLE ROW LEVEL SECURITY; ALTER TABLE s2.t FORCE ROW LEVEL SECURITY; ALTER TABLE s2.t OWNER TO regress_cq_owner; CREATE POLICY p ON s2.t USING (a = 1); GRANT USAGE ON SCHEMA s1, s2 TO regress_cq_owner; CREATE VIEW s1.w AS SELECT * FROM s2.t; ALTER VIEW s1.w OWNER TO regress_cq_owner;',
			'SELECT string_agg(a::text, \',\') FROM w', 'ALTER POLICY p ON s2.t USING (a = 2)']],
	'ALTER PROCEDURE' => $names,
	'ALTER ROLE' => [[$table . 'ALTER TABLE s2.t ENABLE ROW LEVEL SECURITY; ALTER TABLE s2.t FORCE ROW LEVEL SECURITY; ALTER TABLE s2.t OWNER TO regress_cq_owner; GRANT USAGE ON SCHEMA s1, s2 TO regress_cq_owner; CREATE VIEW s1.w AS SELECT * FROM s2.t; ALTER VIEW s1.w OWNER TO regress_cq_owner;',
			'SELECT count(*)::text FROM w', 'ALTER ROLE regress_cq_owner BYPASSRLS', 0, 'ALTER ROLE regress_cq_owner NOBYPASSRLS']],
	'ALTER ROUTINE' => [['CREATE FUNCTION s2.f() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT \'x\' $$;', 'SELECT f()', 'ALTER ROUTINE s2.f() RENAME TO g']],
	'ALTER RULE' => [['CREATE VIEW s2.v AS SELECT 1 AS a;', 'SELECT a::text FROM v', 'ALTER VIEW s2.v RENAME COLUMN a TO b']],
	'ALTER SCHEMA' => [
		[$table, $count, 'ALTER SCHEMA s2 RENAME TO s3'],
		[$reads_price . 'CREATE SCHEMA s4; CREATE TABLE s4.price (v int);', 'SELECT f()', 'ALTER SCHEMA s1 RENAME TO s5; ALTER SCHEMA s4 RENAME TO s1', 0, 'DROP SCHEMA IF EXISTS s3, s4, s5 CASCADE'],
	],
	'ALTER SEQUENCE' => [['CREATE SEQUENCE s2.q;', 'SELECT last_value::text FROM q', 'ALTER SEQUENCE s2.q RENAME TO r']],
	'ALTER SERVER' => $same,
	'ALTER TABLE' => [
		[$table, 'SELECT string_agg(x::text, \',\') FROM (SELECT * FROM t) AS x', 'ALTER TABLE s2.t ADD COLUMN b int DEFAULT 7'],
		[$table, 'SELECT string_agg(s, \',\') FROM t', 'ALTER TABLE s2.t RENAME COLUMN s TO r'],
		[$table, 'SELECT string_agg(pg_typeof(a)::text, \',\') FROM t', 'ALTER TABLE s2.t ALTER COLUMN a TYPE text'],
		[$table, 'SELECT string_agg(a::text, \',\') FROM t', 'ALTER TABLE s2.t ALTER COLUMN a TYPE int USING a + 10'],
		[$table . 'CREATE TABLE s2.u (a int, s text);', $count, 'ALTER TABLE s2.t RENAME TO v; ALTER TABLE s2.u RENAME TO t'],
		[$table . 'CREATE TABLE public.t (a int);', $count, 'ALTER TABLE public.t SET SCHEMA s1', 0, 'DROP TABLE IF EXISTS public.t'],
		[$reads_price . 'CREATE TABLE s1.other (v int);', 'SELECT f()', 'ALTER TABLE s1.other RENAME TO price'],
		[$table . $late->('DECLARE x t.s%TYPE := 1; BEGIN RETURN x; END;'), 'SELECT f()', 'ALTER TABLE s2.t ALTER COLUMN s TYPE numeric(5, 2) USING 1'],
		['CREATE TABLE s2.t (a int) PARTITION BY LIST (a); CREATE TABLE s2.t1 PARTITION OF s2.t FOR VALUES IN (1); INSERT INTO s2.t VALUES (1);', $count, 'ALTER TABLE s2.t DETACH PARTITION s2.t1'],
	],
	'ALTER TEXT SEARCH CONFIGURATION' => [
		[$configuration, 'SELECT to_tsvector(\'s2.c\', \'The Cats\')::text', 'ALTER TEXT SEARCH CONFIGURATION s2.c ALTER MAPPING FOR asciiword WITH english_stem'],
		[$configuration, 'SELECT to_tsvector(\'c\', \'The Cats\')::text', 'ALTER TEXT SEARCH CONFIGURATION s2.c RENAME TO e'],
	],
	'ALTER TEXT SEARCH DICTIONARY' => [
		['CREATE TEXT SEARCH DICTIONARY s2.sy (TEMPLATE = synonym, SYNONYMS = synonym_sample);', 'SELECT ts_lexize(\'sy\', \'PoStGrEs\')::text', 'ALTER TEXT SEARCH DICTIONARY s2.sy (CASESENSITIVE = 1)'],
		[$configuration . 'ALTER TEXT SEARCH CONFIGURATION s2.c ALTER MAPPING FOR asciiword WITH s2.d;', 'SELECT to_tsvector(\'s2.c\', \'cats\')::text', 'ALTER TEXT SEARCH DICTIONARY s2.d (ACCEPT = false)'],
		[$configuration . 'ALTER TEXT SEARCH CONFIGURATION s2.c ALTER MAPPING FOR asciiword WITH s2.d;' . $late->('RETURN to_tsvector(\'s2.c\', \'cats\');'), 'SELECT f()', 'ALTER TEXT SEARCH DICTIONARY s2.d (ACCEPT = false)'],
	],
	'ALTER TYPE' => [
		['CREATE TYPE s2.e AS ENUM (\'a\', \'b\'); CREATE TABLE s2.t (v s2.e); INSERT INTO s2.t VALUES (\'b\');', 'SELECT v::text FROM t', 'ALTER TYPE s2.e RENAME VALUE \'b\' TO \'c\''],
		['CREATE TYPE s2.e AS ENUM (\'a\', \'b\'); CREATE TABLE s2.t (v s2.e); INSERT INTO s2.t VALUES (\'b\');', 'SELECT (v = \'b\')::text FROM t', 'ALTER TYPE s2.e RENAME VALUE \'b\' TO \'c\''],
		['CREATE TYPE s2.e AS ENUM (\'a\', \'b\');', 'SELECT enum_range(NULL::e)::text', 'ALTER TYPE s2.e ADD VALUE \'c\''],
		['CREATE TYPE s2.comp AS (a int);', 'SELECT ROW(1)::comp::text', 'ALTER TYPE s2.comp ADD ATTRIBUTE b int'],
		['CREATE TYPE s2.comp AS (a int);' . $late->('DECLARE c comp; BEGIN RETURN to_json(c); END;'), 'SELECT f()', 'ALTER TYPE s2.comp ADD ATTRIBUTE b int'],
		['CREATE TYPE s2.ty AS (a int);', 'SELECT \'ty\'::regtype::text', 'ALTER TYPE s2.ty RENAME TO tz'],
	],
	'ALTER VIEW' => [['CREATE VIEW s2.v AS SELECT 1 AS a;', 'SELECT a::text FROM v', 'ALTER VIEW s2.v RENAME TO w']],
	'CREATE AGGREGATE' => [[$table . 'CREATE AGGREGATE s2.ag (int) (SFUNC = int4pl, STYPE = int);', 'SELECT ag(a)::text FROM t', 'CREATE AGGREGATE s1.ag (int) (SFUNC = int4larger, STYPE = int)']],
	'CREATE CAST' => [['CREATE TYPE s2.comp AS (a int); CREATE FUNCTION s2.c(s2.comp) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT \'cast\' $$;', 'SELECT ROW(1)::comp::text', 'CREATE CAST (s2.comp AS text) WITH FUNCTION s2.c(s2.comp)'],
		['CREATE TYPE s2.comp AS (a int); CREATE FUNCTION s2.c(s2.comp) RETURNS json LANGUAGE sql IMMUTABLE AS $$ SELECT \'"cast"\'::json $$;', 'SELECT to_json(ROW(1)::comp)::text', 'CREATE CAST (s2.comp AS json) WITH FUNCTION s2.c(s2.comp)']],
	'CREATE COLLATION' => [[$table . 'CREATE COLLATION s2.k (PROVIDER = libc, LOCALE = \'C\');', 'SELECT string_agg(s, \',\' ORDER BY s COLLATE k) FROM t', 'CREATE COLLATION s1.k (PROVIDER = icu, LOCALE = \'en\')']],
	'CREATE DOMAIN' => [['CREATE DOMAIN s2.d AS int;', 'SELECT (-1)::d::text', 'CREATE DOMAIN s1.d AS int CHECK (value > 0)']],
	'CREATE EXTENSION' => [['CREATE FUNCTION s2.hstore(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT \'mine\' $$;', 'SELECT hstore(\'a\', \'b\')::text', 'CREATE EXTENSION hstore SCHEMA s1']],
	'CREATE FOREIGN TABLE' => [[$reads_price . $foreign, 'SELECT f()', 'CREATE FOREIGN TABLE s1.price (v int) SERVER cq_s']],
	'CREATE FUNCTION' => [
		['CREATE FUNCTION s2.f() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT \'old\' $$;', 'SELECT f()', 'CREATE OR REPLACE FUNCTION s2.f() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT \'new\' $$'],
		['CREATE FUNCTION s2.f() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT \'old\' $$;', 'SELECT f()', 'CREATE FUNCTION s1.f() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT \'new\' $$'],
		['CREATE FUNCTION s2.f(int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN \'int\'; END $$; CREATE FUNCTION s2.g() RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN f(1); END $$;', 'SELECT g()', 'CREATE FUNCTION s1.f(int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN \'new\'; END $$'],
		['CREATE FUNCTION s2.ok(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN true; END $$; CREATE DOMAIN s2.d AS int CHECK (s2.ok(value));', 'SELECT (-1)::d::text', 'CREATE OR REPLACE FUNCTION s2.ok(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN false; END $$'],
		['CREATE FUNCTION s2.p(int, int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN 1; END $$; CREATE OPERATOR s2.### (LEFTARG = int, RIGHTARG = int, FUNCTION = s2.p);', 'SELECT (1 ### 2)::text', 'CREATE OR REPLACE FUNCTION s2.p(int, int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN 2; END $$'],
		['CREATE FUNCTION s2.p(int, int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN 1; END $$; CREATE AGGREGATE s2.ag (int) (SFUNC = s2.p, STYPE = int);' . $table, 'SELECT ag(a)::text FROM t', 'CREATE OR REPLACE FUNCTION s2.p(int, int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN 2; END $$'],
	],
	'CREATE LANGUAGE' => $same,
	'CREATE MATERIALIZED VIEW' => [[$reads_price, 'SELECT f()', 'CREATE MATERIALIZED VIEW s1.price AS SELECT 9 AS v']],
	'CREATE OPERATOR' => [
		[$table, 'SELECT count(*)::text FROM t WHERE s = \'b\'', 'CREATE OPERATOR s1.= (LEFTARG = text, RIGHTARG = text, FUNCTION = textne)'],
		[$table, 'SELECT count(*)::text FROM t WHERE s IN (\'b\', \'c\')', 'CREATE OPERATOR s1.= (LEFTARG = text, RIGHTARG = text, FUNCTION = textne)'],
		[$table . $late->('RETURN (SELECT count(*) FROM t WHERE s = \'b\');'), 'SELECT f()', 'CREATE OPERATOR s1.= (LEFTARG = text, RIGHTARG = text, FUNCTION = textne)'],
	],
	'CREATE OPERATOR CLASS' => [['CREATE TYPE s2.comp AS (a json);' . 'CREATE FUNCTION s2.c(json, json) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT 0 $$;', 'SELECT count(*)::text FROM (SELECT DISTINCT x FROM (VALUES (\'1\'::json), (\'2\')) AS v(x)) AS d',
			'CREATE FUNCTION s2.lt(json, json) RETURNS bool LANGUAGE sql IMMUTABLE AS \'SELECT false\'; CREATE FUNCTION s2.eq(json, json) RETURNS bool LANGUAGE sql IMMUTABLE AS \'SELECT true\'; CREATE OPERATOR s2.= (LEFTARG = json, RIGHTARG = json, FUNCTION = s2.eq); CREATE OPERATOR s2.< (LEFTARG = json, RIGHTARG = json, FUNCTION = s2.lt); CREATE OPERATOR s2.> (LEFTARG = json, RIGHTARG = json, FUNCTION = s2.lt); CREATE OPERATOR CLASS s2.jo DEFAULT FOR TYPE json USING btree AS OPERATOR 1 s2.<, OPERATOR 3 s2.=, OPERATOR 5 s2.>, FUNCTION 1 s2.c(json, json)']],
	'CREATE POLICY' => [[$table . 'ALTER TABLE s2.t ENABLE ROW LEVEL SECURITY; ALTER TABLE s2.t FORCE ROW LEVEL SECURITY; ALTER TABLE s2.t OWNER TO regress_cq_owner; GRANT USAGE ON SCHEMA s1, s2 TO regress_cq_owner; CREATE VIEW s1.w AS SELECT * FROM s2.t; ALTER VIEW s1.w OWNER TO regress_cq_owner;',
			'SELECT count(*)::text FROM w', 'CREATE POLICY p ON s2.t USING (true)']],
	'CREATE RULE' => [['CREATE VIEW s2.v AS SELECT 1 AS a;', 'SELECT a::text FROM v', 'CREATE OR REPLACE RULE "_RETURN" AS ON SELECT TO s2.v DO INSTEAD SELECT 2 AS a']],
	'CREATE SCHEMA' => [[$reads_price . 'SET search_path = s3, s1, s2, public;', 'SELECT f()', 'CREATE SCHEMA s3 CREATE TABLE price (v int)', 0, 'DROP SCHEMA IF EXISTS s3 CASCADE']],
	'CREATE SEQUENCE' => [['CREATE SEQUENCE s2.q START 5;', 'SELECT last_value::text FROM q', 'CREATE SEQUENCE s1.q']],
	'CREATE TABLE' => [
		[$table, $count, 'CREATE TABLE s1.t (a int)'],
		[$reads_price, 'SELECT f()', $new_price],
		[$sql_price, 'SELECT f()', $new_price],
		[$nested, 'SELECT g()', $new_price],
		[$looped, 'SELECT f()', $new_price],
		[$price . $late->(q{DECLARE c CURSOR FOR SELECT v FROM price; n int; BEGIN OPEN c; FETCH c INTO n; CLOSE c; RETURN n; END;}), 'SELECT f()', $new_price],
		[$price . $late->(q{DECLARE n text; BEGIN EXECUTE 'SELECT max(v) FROM ' || 'price' INTO n; RETURN n; END;}), 'SELECT f()', $new_price],
		[$table, 'SELECT \'t\'::regclass::oid::regclass::text', 'CREATE TABLE s1.t (a int)'],
		[$table, 'SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = \'t\'::regclass', 'CREATE TABLE s1.t (a int)'],
	],
	'CREATE TABLE AS' => [[$table, $count, 'CREATE TABLE s1.t AS SELECT 1 AS a']],
	'CREATE TEXT SEARCH CONFIGURATION' => [[$configuration, 'SELECT to_tsvector(\'c\', \'The Cats\')::text', 'CREATE TEXT SEARCH CONFIGURATION s1.c (COPY = pg_catalog.english)'],
		['SET default_text_search_config = \'c\';' . $configuration, 'SELECT to_tsvector(\'The Cats\')::text', 'CREATE TEXT SEARCH CONFIGURATION s1.c (COPY = pg_catalog.english)']],
	'CREATE TEXT SEARCH DICTIONARY' => [[$dictionary, 'SELECT ts_lexize(\'d\', \'Cats\')::text', 'CREATE TEXT SEARCH DICTIONARY s1.d (TEMPLATE = snowball, LANGUAGE = english)']],
	'CREATE TYPE' => [['CREATE TYPE s2.e AS ENUM (\'a\');', 'SELECT enum_range(NULL::e)::text', 'CREATE TYPE s1.e AS ENUM (\'x\')']],
	'CREATE VIEW' => [['CREATE VIEW s2.v AS SELECT 1 AS a;', 'SELECT a::text FROM v', 'CREATE OR REPLACE VIEW s2.v AS SELECT 2 AS a'],
		[$reads_price, 'SELECT f()', 'CREATE VIEW s1.price AS SELECT 9 AS v']],
	'DROP AGGREGATE' => [[$table . 'CREATE AGGREGATE s2.ag (int) (SFUNC = int4pl, STYPE = int);', 'SELECT ag(a)::text FROM t', 'DROP AGGREGATE s2.ag(int)']],
	'DROP CAST' => [['CREATE TYPE s2.comp AS (a int); CREATE FUNCTION s2.c(s2.comp) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT 1 $$; CREATE CAST (s2.comp AS int) WITH FUNCTION s2.c(s2.comp);', 'SELECT ROW(1)::comp::int::text', 'DROP CAST (s2.comp AS int)'],
		['CREATE TYPE s2.comp AS (a int); CREATE FUNCTION s2.c(s2.comp) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT 1 $$; CREATE FUNCTION s2.d(s2.comp) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT 2 $$; CREATE CAST (s2.comp AS int) WITH FUNCTION s2.c(s2.comp);', 'SELECT ROW(1)::comp::int::text', 'DROP CAST (s2.comp AS int); CREATE CAST (s2.comp AS int) WITH FUNCTION s2.d(s2.comp)']],
	'DROP COLLATION' => [[$table . 'CREATE COLLATION s2.k (PROVIDER = libc, LOCALE = \'C\');', 'SELECT string_agg(s, \',\' ORDER BY s COLLATE k) FROM t', 'DROP COLLATION s2.k']],
	'DROP CONSTRAINT' => 'no statement has this tag',
	'DROP DOMAIN' => [['CREATE DOMAIN s2.d AS int;', 'SELECT 1::d::text', 'DROP DOMAIN s2.d; CREATE DOMAIN s2.d AS text']],
	'DROP EXTENSION' => [['CREATE EXTENSION hstore SCHEMA s1;', 'SELECT hstore(\'a\', \'b\')::text', 'DROP EXTENSION hstore']],
	'DROP FOREIGN TABLE' => [[$foreign . 'CREATE FOREIGN TABLE s1.t (a int) SERVER cq_s;' . $table, $count, 'DROP FOREIGN TABLE s1.t']],
	'DROP FUNCTION' => [['CREATE FUNCTION s1.f() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT \'1\' $$; CREATE FUNCTION s2.f() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT \'2\' $$;', 'SELECT f()', 'DROP FUNCTION s1.f()']],
	'DROP MATERIALIZED VIEW' => [['CREATE MATERIALIZED VIEW s1.t AS SELECT 1 AS a;' . $table, $count, 'DROP MATERIALIZED VIEW s1.t']],
	'DROP OPERATOR' => [[$table . 'CREATE OPERATOR s1.= (LEFTARG = text, RIGHTARG = text, FUNCTION = textne);', 'SELECT count(*)::text FROM t WHERE s = \'b\'', 'DROP OPERATOR s1.= (text, text)']],
	'DROP OWNED' => [[$reads_price . 'GRANT USAGE, CREATE ON SCHEMA s1 TO regress_cq_owner; CREATE TABLE s1.price (v int); ALTER TABLE s1.price OWNER TO regress_cq_owner;', 'SELECT f()', 'DROP OWNED BY regress_cq_owner']],
	'DROP POLICY' => [[$table . 'ALTER TABLE s2.t ENABLE ROW LEVEL SECURITY; ALTER TABLE s2.t FORCE ROW LEVEL SECURITY; ALTER TABLE s2.t OWNER TO regress_cq_owner; CREATE POLICY p ON s2.t USING (a = 1); GRANT USAGE ON SCHEMA s1, s2 TO regress_cq_owner; CREATE VIEW s1.w AS SELECT * FROM s2.t; ALTER VIEW s1.w OWNER TO regress_cq_owner;',
			'SELECT count(*)::text FROM w', 'DROP POLICY p ON s2.t']],
	'DROP PROCEDURE' => $names,
	'DROP ROUTINE' => [['CREATE FUNCTION s2.f() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT \'x\' $$;', 'SELECT f()', 'DROP ROUTINE s2.f()']],
	'DROP SCHEMA' => [['CREATE TABLE s1.price (v int);' . $reads_price, 'SELECT f()', 'DROP SCHEMA s1 CASCADE']],
	'DROP SEQUENCE' => [['CREATE SEQUENCE s1.q START 5; CREATE SEQUENCE s2.q;', 'SELECT last_value::text FROM q', 'DROP SEQUENCE s1.q']],
	'DROP TABLE' => [['CREATE TABLE s1.t (a int);' . $table, $count, 'DROP TABLE s1.t'], [$table, $count, 'DROP TABLE s2.t; CREATE TABLE s2.t (a int)']],
	'DROP TEXT SEARCH CONFIGURATION' => [[$configuration . 'CREATE TEXT SEARCH CONFIGURATION s1.c (COPY = pg_catalog.english);', 'SELECT to_tsvector(\'c\', \'The Cats\')::text', 'DROP TEXT SEARCH CONFIGURATION s1.c']],
	'DROP TEXT SEARCH DICTIONARY' => [[$dictionary . 'CREATE TEXT SEARCH DICTIONARY s1.d (TEMPLATE = snowball, LANGUAGE = english);', 'SELECT ts_lexize(\'d\', \'Cats\')::text', 'DROP TEXT SEARCH DICTIONARY s1.d']],
	'DROP TYPE' => [['CREATE TYPE s2.ty AS (a int);', 'SELECT typname::text FROM pg_type WHERE oid = \'ty\'::regtype', 'DROP TYPE s2.ty; CREATE TYPE s2.ty AS (b int)']],
	'DROP VIEW' => [['CREATE VIEW s1.t AS SELECT 1 AS a;' . $table, $count, 'DROP VIEW s1.t']],
	'GRANT' => [['CREATE FUNCTION s2.h() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT \'x\' $$; REVOKE EXECUTE ON FUNCTION s2.h() FROM PUBLIC; GRANT USAGE ON SCHEMA s1, s2 TO regress_cq_owner; CREATE FUNCTION s1.f() RETURNS text LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$ BEGIN RETURN s2.h(); END $$; ALTER FUNCTION s1.f() OWNER TO regress_cq_owner;', 'SELECT f()', 'GRANT EXECUTE ON FUNCTION s2.h() TO regress_cq_owner']],
	'GRANT ROLE' => [[$table . 'ALTER TABLE s2.t ENABLE ROW LEVEL SECURITY; ALTER TABLE s2.t FORCE ROW LEVEL SECURITY; ALTER TABLE s2.t OWNER TO regress_cq_owner; CREATE POLICY p ON s2.t TO regress_cq_group USING (true); GRANT USAGE ON SCHEMA s1, s2 TO regress_cq_owner; CREATE VIEW s1.w AS SELECT * FROM s2.t; ALTER VIEW s1.w OWNER TO regress_cq_owner;',
			'SELECT count(*)::text FROM w', 'GRANT regress_cq_group TO regress_cq_owner', 0, 'REVOKE regress_cq_group FROM regress_cq_owner']],
	'IMPORT FOREIGN SCHEMA' => 'needs another server; it is CREATE FOREIGN TABLE',
	'REASSIGN OWNED' => [[$table . 'ALTER TABLE s2.t ENABLE ROW LEVEL SECURITY; ALTER TABLE s2.t FORCE ROW LEVEL SECURITY; ALTER TABLE s2.t OWNER TO regress_cq_owner; GRANT USAGE, CREATE ON SCHEMA s1, s2 TO regress_cq_owner; CREATE VIEW s1.w AS SELECT * FROM s2.t; ALTER VIEW s1.w OWNER TO regress_cq_owner;',
			'SELECT count(*)::text FROM w', 'REASSIGN OWNED BY regress_cq_owner TO CURRENT_USER']],
	'REFRESH MATERIALIZED VIEW' => [[$table . 'CREATE MATERIALIZED VIEW s2.m AS SELECT count(*) AS a FROM s2.t; DELETE FROM s2.t;', 'SELECT a::text FROM m', 'REFRESH MATERIALIZED VIEW s2.m']],
	'REVOKE' => [[$table . 'ALTER TABLE s2.t OWNER TO regress_cq_owner; GRANT USAGE ON SCHEMA s1, s2 TO regress_cq_owner; CREATE FUNCTION s1.f() RETURNS text LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$ BEGIN RETURN (SELECT count(*) FROM s2.t); END $$; ALTER FUNCTION s1.f() OWNER TO regress_cq_owner;', 'SELECT f()', 'REVOKE ALL ON s2.t FROM regress_cq_owner']],
	'REVOKE ROLE' => [[$table . 'ALTER TABLE s2.t ENABLE ROW LEVEL SECURITY; ALTER TABLE s2.t FORCE ROW LEVEL SECURITY; ALTER TABLE s2.t OWNER TO regress_cq_owner; CREATE POLICY p ON s2.t TO regress_cq_group USING (true); GRANT USAGE ON SCHEMA s1, s2 TO regress_cq_owner; CREATE VIEW s1.w AS SELECT * FROM s2.t; ALTER VIEW s1.w OWNER TO regress_cq_owner; GRANT regress_cq_group TO regress_cq_owner;',
			'SELECT count(*)::text FROM w', 'REVOKE regress_cq_group FROM regress_cq_owner', 0, 'REVOKE regress_cq_group FROM regress_cq_owner']],
	'SELECT INTO' => [[$table, $count, 'SELECT 1 AS a INTO s1.t']],
	'TRUNCATE TABLE' => [[$table, $count, 'TRUNCATE s2.t']],
	'VACUUM' => [[$table, $count, 'VACUUM FULL s2.t', 1]],
);
$judged{$_} = $same foreach split /;/, 'ALTER CONVERSION;ALTER FOREIGN DATA WRAPPER;ALTER INDEX;ALTER LANGUAGE;ALTER OPERATOR CLASS;ALTER OPERATOR FAMILY;ALTER PUBLICATION;ALTER STATISTICS;ALTER TEXT SEARCH PARSER;ALTER TEXT SEARCH TEMPLATE;ALTER TRIGGER;ALTER USER MAPPING;'
	. 'ANALYZE;CLUSTER;CREATE CONVERSION;CREATE FOREIGN DATA WRAPPER;CREATE INDEX;CREATE OPERATOR FAMILY;CREATE PUBLICATION;CREATE ROUTINE;CREATE SERVER;CREATE STATISTICS;CREATE TEXT SEARCH PARSER;CREATE TEXT SEARCH TEMPLATE;CREATE TRANSFORM;CREATE TRIGGER;CREATE USER MAPPING;'
	. 'DROP CONVERSION;DROP FOREIGN DATA WRAPPER;DROP INDEX;DROP LANGUAGE;DROP OPERATOR CLASS;DROP OPERATOR FAMILY;DROP PUBLICATION;DROP RULE;DROP SERVER;DROP STATISTICS;DROP TEXT SEARCH PARSER;DROP TEXT SEARCH TEMPLATE;DROP TRANSFORM;DROP TRIGGER;DROP USER MAPPING;REINDEX;REPACK';
$judged{$_} = $other foreach split /;/, 'ALTER DATABASE;ALTER SUBSCRIPTION;ALTER SYSTEM;ALTER TABLESPACE;CREATE DATABASE;CREATE ROLE;CREATE SUBSCRIPTION;CREATE TABLESPACE;DROP DATABASE;DROP ROLE;DROP SUBSCRIPTION;DROP TABLESPACE';
$judged{$_} = $names foreach split /;/, 'ALTER ACCESS METHOD;ALTER CAST;ALTER CONSTRAINT;ALTER EVENT TRIGGER;ALTER EXTENSION;ALTER LARGE OBJECT;ALTER TRANSFORM;CREATE ACCESS METHOD;CREATE CONSTRAINT;CREATE EVENT TRIGGER;CREATE PROCEDURE;DROP ACCESS METHOD;DROP EVENT TRIGGER';
$judged{$_} = $none foreach split /;/, 'ALTER DEFAULT PRIVILEGES;BEGIN;CALL;CHECKPOINT;CLOSE;CLOSE CURSOR;CLOSE CURSOR ALL;COMMENT;COMMIT;COMMIT PREPARED;COPY;COPY FROM;DEALLOCATE;DEALLOCATE ALL;DECLARE CURSOR;DELETE;DISCARD;DISCARD ALL;DISCARD PLANS;DISCARD SEQUENCES;DISCARD TEMP;DO;EXECUTE;EXPLAIN;FETCH;INSERT;LISTEN;LOAD;LOCK TABLE;LOGIN;MERGE;MOVE;NOTIFY;PREPARE;PREPARE TRANSACTION;'
	. 'RELEASE;RESET;ROLLBACK;ROLLBACK PREPARED;SAVEPOINT;SECURITY LABEL;SELECT;SELECT FOR KEY SHARE;SELECT FOR NO KEY UPDATE;SELECT FOR SHARE;SELECT FOR UPDATE;SET;SET CONSTRAINTS;SHOW;START TRANSACTION;UNLISTEN;UPDATE;WAIT';

# ---- Are all of the server's statements judged? ----

my $headers = `pg_config --includedir-server` =~ s/\n//r;
my @tags = slurp_file("$headers/tcop/cmdtaglist.h") =~ /^PG_CMDTAG\(\w+, "([A-Z ]+)"/mg;
cmp_ok(scalar(@tags), '>', 150, 'the server lists its statements');
is(join(', ', grep { !$judged{$_} && !/^\?/ } @tags), '', 'each of them is judged');

# ---- What is compared ----

$node->safe_psql('postgres', q{
	CREATE ROLE regress_cq_owner;
	CREATE ROLE regress_cq_group;
	CREATE SCHEMA cq_try;
	GRANT USAGE ON SCHEMA cq_try TO PUBLIC;
	CREATE FUNCTION cq_try.direct(q text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE r text;
	BEGIN
		EXECUTE format('SELECT string_agg(v, ''|'') FROM (%s) AS x(v)', q) INTO r;
		RETURN coalesce(r, 'NULL');
	EXCEPTION WHEN OTHERS THEN
		RETURN SQLSTATE;
	END $$;
	CREATE FUNCTION cq_try.cached(q text, consistency text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE r text;
	BEGIN
		PERFORM set_config('cached_query.consistency', consistency, true);
		EXECUTE format('SELECT string_agg(v, ''|'') FROM cached_query(%L, ''1h'') AS t(v text)',
			format('SELECT v FROM (%s) AS x(v) WHERE %L = %L', q, consistency, consistency)) INTO r;
		RETURN coalesce(r, 'NULL');
	EXCEPTION WHEN OTHERS THEN
		RETURN SQLSTATE;
	END $$;
	CREATE FUNCTION cq_try.called() RETURNS text LANGUAGE plpgsql AS $$
	DECLARE r text;
	BEGIN
		SELECT cq_try.kept() INTO r;
		RETURN coalesce(r, 'NULL');
	EXCEPTION WHEN OTHERS THEN
		RETURN SQLSTATE;
	END $$;
	-- Each twice: the second one may be a hit.  The query itself comes second: a function's statements keep what
	-- their names meant in this session until they are planned again, as a kept answer needs them to be.
	CREATE FUNCTION cq_try.compare(place text, q text) RETURNS SETOF text LANGUAGE plpgsql AS $$
	BEGIN
		FOR i IN 1 .. 2 LOOP
			RETURN NEXT concat_ws('~', place, 'ttl', cq_try.cached(q, 'ttl'), cq_try.direct(q));
			RETURN NEXT concat_ws('~', place, 'exact', cq_try.cached(q, 'exact'), cq_try.direct(q));
			RETURN NEXT concat_ws('~', place, 'kept', cq_try.called(), cq_try.direct(q));
		END LOOP;
	END $$});

my ($compared, $moved) = (0, 0);

# The lines of a comparison that differ.
sub wrong
{
	my ($output) = @_;
	my @wrong;
	foreach my $line (grep { /~/ } split /\n/, $output)
	{
		my ($place, $kind, $cached, $direct) = split /~/, $line;
		$compared++;
		push @wrong, "$place, $kind: $cached instead of $direct" if $direct ne $cached;
	}
	return @wrong;
}

sub try_case
{
	my ($tag, $number, $how, $setup, $query, $change, $alone, $end) = @_;
	my $q = '$q$' . $query . '$q$';
	my $path = $setup =~ /SET search_path = ([^;]*);/ ? $1 : 's1, s2, public';
	my $settings = $setup =~ /(SET default_text_search_config = [^;]*;)/ ? $1 : '';
	my $first = "SET client_min_messages = error; SET search_path = $path;";
	my $compare = sub { return "SELECT cq_try.compare('$_[0]', $q);"; };
	my $changed = $alone ? "$change;"
		: $how eq 'committed' ? "BEGIN; $change; " . $compare->('inside') . ' COMMIT;'
		: $how eq 'rolled back' ? "BEGIN; $change; " . $compare->('inside') . ' ROLLBACK;'
		: "BEGIN; SAVEPOINT s; $change; " . $compare->('inside') . ' ROLLBACK TO s; ' . $compare->('behind') . ' COMMIT;';
	$setup =~ s/SET [^;]*;//;
	my $kept = 'CREATE OR REPLACE FUNCTION cq_try.kept() RETURNS text LANGUAGE plpgsql AS $k$ BEGIN RETURN (SELECT string_agg(v, \'|\') FROM cached_query('
		. "$q, '1h') AS t(v text)); END \$k\$;";
	$end = $end ? "$end;" : '';
	my $before = "SET client_min_messages = error; DROP SCHEMA IF EXISTS s1, s2, s3 CASCADE; DROP FOREIGN DATA WRAPPER IF EXISTS cq_w CASCADE; CREATE SCHEMA s1; CREATE SCHEMA s2;";
	my ($code, $same, $error) = $node->psql('postgres',
		"$before $first $setup $settings $kept " . $compare->('before') . " $changed " . $compare->('the same session'), on_error_stop => 1);
	my @wrong = (wrong($same), $error ? "ERROR $error" : ());
	my ($new) = $node->safe_psql('postgres', "$first $settings " . $compare->('a new session'));
	push @wrong, wrong($new);
	$node->safe_psql('postgres', "SET client_min_messages = error; $end");
	my ($was) = $same =~ /^before~ttl~([^~]*)/m;
	my ($is) = $new =~ /^a new session~ttl~([^~]*)/m;
	$moved++ if defined $was && defined $is && $was ne $is;
	is(join("\n", @wrong), '', "$tag $number, $how");
	return;
}

foreach my $tag (sort keys %judged)
{
	next if !ref $judged{$tag};
	my $number = 0;
	foreach my $case (@{ $judged{$tag} })
	{
		$number++;
		try_case($tag, $number, $_, @$case) foreach $case->[3] ? ('committed') : ('committed', 'rolled back', 'rolled back to a savepoint');
	}
}
cmp_ok(outcomes($node)->{hit}, '>', $compared / 20, 'there were hits');
cmp_ok($moved, '>', 60, 'most changes change an answer');
# REVOKE of what was not granted, at the end of a case, is a warning, in other words from 16 on
is(join("\n", grep { !/is not a member of role|has not been granted membership in role/ } complaints($node)), '', 'the log is quiet');
done_testing();
