--
-- Changes of definitions void the answers that use what changed, and no others.  Below, all() tells
-- which of some answers were void, and has them filled again.
--
\set oids 40000
\i sql/parts/same_oids.sql
CREATE SCHEMA cq_defs;
SET search_path = cq_defs, public;
SET client_min_messages = warning;
CREATE ROLE regress_cq_defs1;
CREATE ROLE regress_cq_defs2;
CREATE ROLE regress_cq_group;
CREATE TABLE t (a int, s text);
INSERT INTO t SELECT g, 'x' || g FROM generate_series(1, 3) AS g;
CREATE TABLE other (a int, s text);
CREATE FUNCTION atomic(x int) RETURNS int LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT x + 1; END;
CREATE FUNCTION late() RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT sum(a) FROM t); END $$;
CREATE DOMAIN pos AS int CHECK (value > 0);
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE moods (m mood);
INSERT INTO moods VALUES ('sad');
CREATE TABLE secret (who name, a int);
INSERT INTO secret VALUES ('regress_cq_defs1', 1), ('regress_cq_defs2', 2), ('regress_cq_group', 3);
ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secret USING (who = current_user);
CREATE POLICY team ON secret TO regress_cq_group USING (who = 'regress_cq_group');
GRANT USAGE ON SCHEMA cq_defs TO PUBLIC;
GRANT SELECT ON secret TO PUBLIC;
GRANT USAGE ON SCHEMA cq_test TO PUBLIC;

CREATE TABLE queries (name text, query text, role name);
INSERT INTO queries VALUES
	('table', 'SELECT count(*), sum(a) FROM t', NULL),
	('function', 'SELECT sum(atomic(a)) FROM t', NULL),
	('late', 'SELECT late()', NULL),
	('domain', 'SELECT sum(a::pos) FROM t', NULL),
	('enum', 'SELECT m::text FROM moods ORDER BY m', NULL),
	('search', $$SELECT to_tsvector('english', s) @@ to_tsquery('english', 'x1') FROM t ORDER BY a$$, NULL),
	('role1', 'SELECT sum(a) FROM secret', 'regress_cq_defs1'),
	('role2', 'SELECT sum(a) FROM secret', 'regress_cq_defs2');

CREATE FUNCTION run(q queries, OUT outcome text) LANGUAGE plpgsql AS $$
DECLARE direct text[]; got record;
BEGIN
	IF q.role IS NOT NULL THEN
		EXECUTE format('SET ROLE %I', q.role);
	END IF;
	direct := cq_test.rows(q.query);
	got := cq_test.call(cq_test.statement(q.query));
	RESET ROLE;
	outcome := got.outcome;
	IF got.rows <> direct THEN
		outcome := format('%s WRONG %s, right is %s', outcome, got.rows, direct);
	END IF;
END $$;
CREATE FUNCTION cq_defs.all() RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(name || ': ' || o, ', ' ORDER BY name), 'all hits')
	  FROM (SELECT name, run(q) AS o FROM queries AS q ORDER BY name) AS r WHERE o <> 'hit'
$$;
SELECT cq_defs.all();

-- maintenance changes no contents
ANALYZE t;
VACUUM t;
CREATE INDEX t_a ON t (a);
CREATE INDEX CONCURRENTLY t_s ON t (s);
REINDEX INDEX t_a;
REINDEX TABLE t;
REINDEX TABLE CONCURRENTLY t;
ALTER TABLE t SET (autovacuum_vacuum_scale_factor = 0.5, fillfactor = 90);
ALTER TABLE t RESET (fillfactor);
ALTER TABLE t ALTER COLUMN a SET STATISTICS 50;
ALTER TABLE t ALTER COLUMN a SET (n_distinct = 3);
ALTER TABLE t ALTER COLUMN s SET STORAGE external;
ALTER TABLE t REPLICA IDENTITY FULL;
CREATE STATISTICS t_stat ON a, s FROM t;
ALTER STATISTICS t_stat SET STATISTICS 10;
DROP STATISTICS t_stat;
SELECT cq_defs.all();
CLUSTER t USING t_a;
VACUUM FULL t;
DROP INDEX t_a;
DROP INDEX CONCURRENTLY t_s;
BEGIN;
ANALYZE t;
CREATE INDEX t_a ON t (a);
COMMIT;
SELECT cq_defs.all();
SET client_min_messages = error;
CREATE PUBLICATION cq_all FOR ALL TABLES;
SET client_min_messages = warning;
ALTER PUBLICATION cq_all SET (publish = 'insert');
DROP PUBLICATION cq_all;
COMMENT ON TABLE t IS 'a table';
SELECT cq_defs.all() AS names_only;
-- a trigger may say how the table is tracked, so making and dropping one counts; not which ones are enabled
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;
CREATE TRIGGER nothing BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION nothing();
SELECT cq_defs.all() AS trigger_made;
ALTER TABLE t DISABLE TRIGGER nothing;
SELECT cq_defs.all() AS disabled;
DROP TRIGGER nothing ON t;
SELECT cq_defs.all() AS trigger_dropped;
-- but not beside a change of contents, before it or after it
BEGIN;
ALTER TABLE t ADD COLUMN b int;
ANALYZE t;
COMMIT;
SELECT cq_defs.all();
BEGIN;
ANALYZE t;
ALTER TABLE t DROP COLUMN b;
COMMIT;
SELECT cq_defs.all();
BEGIN;
ALTER TABLE t ALTER COLUMN a SET STATISTICS 60;
SAVEPOINT s;
ALTER TABLE t ADD COLUMN b int;
ROLLBACK TO s;
COMMIT;
SELECT cq_defs.all() IS NOT NULL AS at_least_right, cq_defs.all();
ALTER TABLE t SET (fillfactor = 80), ADD COLUMN b int;
SELECT cq_defs.all();
ALTER TABLE t DROP COLUMN b;
TRUNCATE moods;
SELECT cq_defs.all();

-- new objects of the database
CREATE TYPE cq_new_type AS (a int);
CREATE DOMAIN cq_new_domain AS text;
CREATE TYPE cq_new_enum AS ENUM ('a', 'b');
CREATE TYPE cq_new_range AS RANGE (SUBTYPE = int);
CREATE FUNCTION cq_new_function(int) RETURNS int LANGUAGE sql AS 'SELECT $1';
CREATE AGGREGATE cq_new_aggregate (int) (SFUNC = int4pl, STYPE = int);
CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl);
CREATE SCHEMA cq_new_schema;
CREATE TABLE cq_new_table (a int PRIMARY KEY);
CREATE VIEW cq_new_view AS SELECT 1 AS a;
CREATE SEQUENCE cq_new_sequence;
CREATE COLLATION cq_new_collation (PROVIDER = libc, LOCALE = 'C');
CREATE EXTENSION tcn SCHEMA cq_new_schema;
SELECT cq_defs.all();
-- and away with them, and changes of some (few objects: one in some thousand shares its slot with another)
ALTER FUNCTION cq_new_function(int) STABLE;
ALTER TYPE cq_new_enum ADD VALUE 'c';
ALTER TABLE cq_new_table ADD COLUMN b int;
CREATE OR REPLACE FUNCTION cq_new_function(int) RETURNS int LANGUAGE sql AS 'SELECT $1 + 1';
SELECT cq_defs.all();
DROP OPERATOR ### (int, int);
DROP AGGREGATE cq_new_aggregate (int);
DROP FUNCTION cq_new_function(int);
DROP TABLE cq_new_table;
DROP TYPE cq_new_type;
DROP DOMAIN cq_new_domain;
DROP TYPE cq_new_range;
DROP EXTENSION tcn;
SELECT cq_defs.all();

-- what is used
CREATE OR REPLACE FUNCTION atomic(x int) RETURNS int LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT x + 2; END;
SELECT cq_defs.all();
ALTER FUNCTION atomic(int) COST 50;
SELECT cq_defs.all();
CREATE OR REPLACE FUNCTION late() RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT max(a) FROM t); END $$;
SELECT cq_defs.all();
ALTER TYPE mood RENAME VALUE 'happy' TO 'glad';
SELECT cq_defs.all();
ALTER TYPE mood ADD VALUE 'angry' BEFORE 'sad';
SELECT cq_defs.all();
ALTER DOMAIN pos DROP CONSTRAINT pos_check;
SELECT cq_defs.all();
ALTER DOMAIN pos ADD CHECK (value > -1);
SELECT cq_defs.all();
CREATE TEXT SEARCH DICTIONARY cq_dict (TEMPLATE = simple);
SELECT cq_defs.all();
DROP TEXT SEARCH DICTIONARY cq_dict;
SELECT cq_defs.all();

-- roles
CREATE ROLE regress_cq_new;
ALTER ROLE regress_cq_new SUPERUSER;
ALTER ROLE regress_cq_new RENAME TO regress_cq_newer;
DROP ROLE regress_cq_newer;
ALTER ROLE regress_cq_defs1 PASSWORD 'a' VALID UNTIL 'infinity' CONNECTION LIMIT 10;
ALTER ROLE regress_cq_defs1 SET work_mem = '5MB';
SELECT cq_defs.all() AS any_role;
GRANT regress_cq_group TO regress_cq_defs1;
SELECT cq_defs.all();
REVOKE regress_cq_group FROM regress_cq_defs1;
SELECT cq_defs.all();
CREATE ROLE regress_cq_middle IN ROLE regress_cq_group ROLE regress_cq_defs2;
SELECT cq_defs.all();
-- by way of another role
REVOKE regress_cq_group FROM regress_cq_middle;
SELECT cq_defs.all();
GRANT regress_cq_group TO regress_cq_middle;
SELECT cq_defs.all();
DROP ROLE regress_cq_middle;
SELECT cq_defs.all();
ALTER ROLE regress_cq_defs2 BYPASSRLS;
SELECT cq_defs.all();
ALTER ROLE regress_cq_defs2 NOBYPASSRLS PASSWORD 'b';
SELECT cq_defs.all();

-- temporary objects are nobody else's
SELECT cq_defs.all();
\c
SET search_path = cq_defs, public;
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE OR REPLACE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 2';
CREATE TYPE pg_temp.e AS ENUM ('a');
ALTER TYPE pg_temp.e ADD VALUE 'b';
CREATE DOMAIN pg_temp.d AS int;
CREATE TEMP TABLE tt (a int PRIMARY KEY, e pg_temp.e);
CREATE TEMP VIEW tv AS SELECT * FROM tt;
INSERT INTO tt VALUES (1);
ALTER TABLE tt ADD COLUMN b int;
TRUNCATE tt;
DROP VIEW tv;
BEGIN;
CREATE TEMP TABLE gone (a int) ON COMMIT DROP;
COMMIT;
-- while there are some, code that looks names up isn't cached
SELECT cq_defs.all();
DISCARD ALL;
SET search_path = cq_defs, public;
SELECT cq_defs.all() AS after_discard;
CREATE TEMP TABLE tt (a int);
SELECT cq_defs.all() AS while_it_is_there;
BEGIN;
DROP TABLE tt;
SELECT run(q) FROM queries AS q WHERE name = 'late';
ROLLBACK;
SELECT cq_defs.all() AS and_again;
DROP TABLE tt;
SELECT cq_defs.all() AS dropped;
CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
SELECT cq_defs.all() AS a_function_is_there;
DROP FUNCTION pg_temp.f();
SELECT cq_defs.all() AS dropped;

SET client_min_messages = warning;
DROP SCHEMA cq_defs, cq_new_schema CASCADE;
DROP ROLE regress_cq_defs1, regress_cq_defs2, regress_cq_group;
