--
-- Names mean what they would mean if the query were run now: search_path, shadowing, drop and
-- recreate, changed columns and types, replaced functions and views, partitions.  After each DDL
-- the answer of a text that was cached before it equals the direct one, and so do statements
-- prepared before it, with generic and with custom plans.
--
CREATE SCHEMA cq_n1;
CREATE SCHEMA cq_n2;
SET search_path = cq_n1, cq_n2, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();

-- a table in an earlier schema of the path
CREATE TABLE cq_n2.t (a int);
INSERT INTO cq_n2.t VALUES (2);
SELECT cq_test.now('SELECT a FROM t') AS first, cq_test.now('SELECT a FROM t') AS second;
CREATE TABLE cq_n1.t AS SELECT 1 AS a;
SELECT cq_test.now('SELECT a FROM t');
SET search_path = cq_n2, cq_n1, public;
SELECT cq_test.now('SELECT a FROM t');
SET search_path = cq_n1, public;
SELECT cq_test.now('SELECT a FROM t');
SET search_path = cq_n1, cq_n2, public;
DROP TABLE cq_n1.t;
SELECT cq_test.now('SELECT a FROM t');
-- the path as such doesn't matter when the names mean the same
SET search_path = cq_n2, public;
SELECT cq_test.now('SELECT a FROM cq_n2.t') AS first;
SET search_path = public;
SELECT cq_test.now('SELECT a FROM cq_n2.t') AS same_text, cq_test.now('SELECT a FROM t') AS missing;
SET search_path = cq_n1, cq_n2, public;
-- a temporary table shadows it
CREATE TEMP TABLE t (a int);
INSERT INTO pg_temp.t VALUES (3);
SELECT cq_test.now('SELECT a FROM t') AS first, cq_test.now('SELECT a FROM t') AS second;
DROP TABLE pg_temp.t;
SELECT cq_test.now('SELECT a FROM t');
-- a function and an operator in an earlier schema, and a better match among overloads
CREATE FUNCTION cq_n2.f(bigint) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN 'n2 bigint'; END $$;
SELECT cq_test.now('SELECT f(1)') AS first, cq_test.now('SELECT f(1)') AS second;
CREATE FUNCTION cq_n2.f(int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN 'n2 int'; END $$;
SELECT cq_test.now('SELECT f(1)');
CREATE FUNCTION cq_n1.f(int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN 'n1 int'; END $$;
SELECT cq_test.now('SELECT f(1)');
CREATE FUNCTION cq_n1.eq(int, int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN false; END $$;
SELECT cq_test.now('SELECT 1 = 1 AS x');
CREATE OPERATOR cq_n1.= (LEFTARG = int, RIGHTARG = int, FUNCTION = cq_n1.eq);
SELECT cq_test.now('SELECT 1 = 1 AS x') AS pg_catalog_first;
SET search_path = cq_n1, pg_catalog, cq_n2, public;
SELECT cq_test.now('SELECT 1 = 1 AS x') AS own_first;
SET search_path = cq_n1, cq_n2, public;
DROP OPERATOR cq_n1.= (int, int);

-- drop and recreate, rename, swap
DROP TABLE t;
SELECT cq_test.now('SELECT a FROM t');
CREATE TABLE cq_n2.t (a int);
SELECT cq_test.now('SELECT a FROM t');
CREATE TABLE cq_n2.t_new AS SELECT 77 AS a;
BEGIN;
ALTER TABLE t RENAME TO t_old;
ALTER TABLE t_new RENAME TO t;
COMMIT;
SELECT cq_test.now('SELECT a FROM t');
ALTER SCHEMA cq_n2 RENAME TO cq_n3;
SELECT cq_test.now('SELECT a FROM t');
ALTER SCHEMA cq_n3 RENAME TO cq_n2;
SELECT cq_test.now('SELECT a FROM t');

-- columns
CREATE TABLE c (id int, v int);
INSERT INTO c VALUES (1, 10), (2, 20);
SELECT cq_test.now('SELECT * FROM c ORDER BY id') AS first, cq_test.now('SELECT * FROM c ORDER BY id') AS second;
ALTER TABLE c ADD COLUMN w text DEFAULT 'w';
SELECT cq_test.now('SELECT * FROM c ORDER BY id');
ALTER TABLE c DROP COLUMN v;
SELECT cq_test.now('SELECT * FROM c ORDER BY id');
ALTER TABLE c ALTER COLUMN id TYPE bigint;
SELECT cq_test.now('SELECT * FROM c ORDER BY id');
ALTER TABLE c ALTER COLUMN w TYPE varchar(3);
SELECT cq_test.now('SELECT * FROM c ORDER BY id');
ALTER TABLE c ALTER COLUMN w TYPE text COLLATE "C";
SELECT cq_test.now('SELECT * FROM c ORDER BY id');
ALTER TABLE c RENAME COLUMN w TO x;
SELECT cq_test.now('SELECT w FROM c') AS gone, cq_test.now('SELECT * FROM c ORDER BY id') AS star;
-- a list made for the columns of before is an error, not rubbish
SELECT * FROM cq_test.fails($$ SELECT * FROM cached_query('SELECT * FROM c ORDER BY id', '1h') AS t(id int, v int) $$);
-- rewritten and truncated tables
SELECT cq_test.now('SELECT count(*) FROM c') AS first, cq_test.now('SELECT count(*) FROM c') AS second;
TRUNCATE c;
SELECT cq_test.now('SELECT count(*) FROM c');

-- views and what they stand on
CREATE VIEW v AS SELECT 1 AS a;
CREATE VIEW vv AS SELECT a + 1 AS b FROM v;
SELECT cq_test.now('SELECT b FROM vv') AS first, cq_test.now('SELECT b FROM vv') AS second;
CREATE OR REPLACE VIEW v AS SELECT 5 AS a;
SELECT cq_test.now('SELECT b FROM vv');
CREATE MATERIALIZED VIEW mv AS SELECT count(*) AS n FROM c;
SELECT cq_test.now('SELECT n FROM mv') AS first, cq_test.now('SELECT n FROM mv') AS second;
INSERT INTO c VALUES (1, 'x');
REFRESH MATERIALIZED VIEW mv;
SELECT cq_test.now('SELECT n FROM mv');
CREATE RULE r AS ON UPDATE TO c DO INSTEAD NOTHING;
SELECT cq_test.now('SELECT id FROM c');

-- functions: body, also one that only a function calls, also inlined ones
CREATE FUNCTION fi() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN 1; END $$;
CREATE FUNCTION fo() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN fi() * 10; END $$;
CREATE FUNCTION fs() RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT 3 $$;
SELECT cq_test.now('SELECT fo(), fs()') AS first, cq_test.now('SELECT fo(), fs()') AS second;
CREATE OR REPLACE FUNCTION fi() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN 2; END $$;
SELECT cq_test.now('SELECT fo(), fs()') AS first, cq_test.now('SELECT fo(), fs()') AS second;
CREATE OR REPLACE FUNCTION fs() RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT 4 $$;
SELECT cq_test.now('SELECT fo(), fs()');
ALTER FUNCTION fs() RENAME TO fs2;
SELECT cq_test.now('SELECT fo(), fs()');
DROP FUNCTION fs2;

DROP SCHEMA cq_n1, cq_n2 CASCADE;
