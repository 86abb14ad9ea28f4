--
-- What a transaction has written itself in a tracked table: exact results of other keys are used and stored, all else
-- is run.  Each answer equals the direct one.
--
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS cq_own_keys CASCADE;
RESET client_min_messages;
\set oids 70000
\i sql/parts/same_oids.sql
CREATE SCHEMA cq_own_keys;
SET search_path = cq_own_keys, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
SET cached_query.consistency = exact;

CREATE TABLE t (tenant int, id int PRIMARY KEY, v int, seen int DEFAULT 0);
CREATE TABLE plain (tenant int, id int, v int);
CREATE TABLE child (tenant int, id int REFERENCES t ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE p (tenant int, at int, v int) PARTITION BY RANGE (at);
CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM (0) TO (100);
CREATE TABLE p_2 PARTITION OF p FOR VALUES FROM (100) TO (200);
CREATE INDEX ON t (tenant);
SELECT cached_query_track('t', '{tenant,id}', '{seen}'), cached_query_track('child', '{tenant}'), cached_query_track('p', '{tenant}');
INSERT INTO t SELECT g % 10, g, g FROM generate_series(1, 200) AS g;
INSERT INTO child SELECT g % 10, g FROM generate_series(1, 200) AS g;
INSERT INTO plain SELECT g % 10, g, g FROM generate_series(1, 100) AS g;
INSERT INTO p SELECT g % 10, g, g FROM generate_series(0, 199) AS g;
ANALYZE t, plain, child, p;
CREATE FUNCTION inside(a int) RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT sum(v) FROM t WHERE tenant = a); END $$;
CREATE TABLE q (name text, query text, args text[]);
INSERT INTO q VALUES
	('seven', 'SELECT count(*), sum(v) FROM t WHERE tenant = $1', '{7}'), ('eight', 'SELECT count(*), sum(v) FROM t WHERE tenant = $1', '{8}'),
	('row8', 'SELECT v FROM t WHERE id = $1', '{8}'), ('seen7', 'SELECT sum(seen) FROM t WHERE tenant = $1', '{7}'), ('seen8', 'SELECT sum(seen) FROM t WHERE tenant = $1', '{8}'),
	('whole8', 'SELECT t FROM t WHERE id = $1', '{8}'), ('all', 'SELECT count(*), sum(v) FROM t', '{}'), ('inside', 'SELECT inside($1)', '{8}'),
	('child8', 'SELECT count(*) FROM child WHERE tenant = $1', '{8}'), ('join8', 'SELECT count(*) FROM t JOIN child USING (tenant, id) WHERE tenant = $1', '{8}'),
	('mixed8', 'SELECT count(*) FROM t JOIN plain USING (tenant, id) WHERE tenant = $1', '{8}'), ('plain8', 'SELECT count(*) FROM plain WHERE tenant = $1', '{8}'),
	('p8', 'SELECT count(*), sum(v) FROM p WHERE tenant = $1', '{8}'), ('early8', 'SELECT count(*) FROM p WHERE tenant = $1 AND at < 100', '{8}');
\i sql/parts/round.sql
-- Of each query that is no hit: the reason, and "wrong" if its rows are not the direct ones.  Nothing is asked twice.
CREATE FUNCTION once() RETURNS text LANGUAGE plpgsql AS $$
DECLARE r record; query text; got record; result text := '';
BEGIN
	FOR r IN SELECT * FROM q ORDER BY name COLLATE "C" LOOP
		query := r.query;
		FOR i IN 1 .. cardinality(r.args) LOOP query := replace(query, '$' || i, r.args[i]); END LOOP;
		got := cq_test.call(cq_test.statement(r.query, array_to_string(ARRAY[''] || r.args, ', ')));
		IF got.outcome <> 'hit' OR got.rows <> cq_test.rows(query) THEN
			result := result || format('%s%s%s; ', r.name, CASE WHEN got.outcome <> 'own_write' THEN ' ' || regexp_replace(got.outcome, '^miss_.*', 'miss') END, CASE WHEN got.rows <> cq_test.rows(query) THEN ' wrong' END);
		END IF;
	END LOOP;
	RETURN CASE WHEN result = '' THEN 'all hits' ELSE result END;
END $$;
-- From many places: the answer for tenant 8 with the direct one.
CREATE FUNCTION ask(tenant int, OUT outcome text, OUT same bool) LANGUAGE plpgsql AS $$
DECLARE got record;
BEGIN
	got := cq_test.call(cq_test.statement('SELECT count(*), sum(v) FROM t WHERE tenant = $1', ', ' || tenant));
	outcome := got.outcome;
	same := got.rows = cq_test.rows('SELECT count(*), sum(v) FROM t WHERE tenant = ' || tenant);
END $$;
SELECT round_() <> '' AS filled;
SELECT round_();

-- another key: hits; the own one is run, and nothing of it is kept when the transaction is rolled back
BEGIN; UPDATE t SET v = v + 1000 WHERE id = 7;
SELECT once();
ROLLBACK;
SELECT once();
BEGIN; INSERT INTO t VALUES (7, 207, 1);
SELECT once();
DELETE FROM t WHERE id = 207;
SELECT once();
ROLLBACK;
-- a row goes to another key and comes back
BEGIN; UPDATE t SET tenant = 8 WHERE id = 7;
SELECT once();
UPDATE t SET tenant = 7 WHERE id = 7;
SELECT once();
ROLLBACK;
BEGIN; UPDATE t SET tenant = 7 WHERE id = 18;
SELECT once();
ROLLBACK;
-- nothing changes, or a quiet column
BEGIN; UPDATE t SET v = v;
SELECT once();
UPDATE t SET seen = 5 WHERE id = 7;
SELECT once();
UPDATE t SET seen = 5 WHERE id = 8;
SELECT once();
ROLLBACK;
-- savepoints: a key that was noted stays noted
BEGIN; SAVEPOINT a; UPDATE t SET v = 0 WHERE id = 8;
SELECT once();
ROLLBACK TO a;
SELECT once();
UPDATE t SET v = 0 WHERE id = 7;
SELECT once();
ROLLBACK;
BEGIN; UPDATE t SET v = 0 WHERE id = 7; SAVEPOINT a; UPDATE t SET v = 0 WHERE id = 17; SAVEPOINT b; UPDATE t SET v = 0 WHERE id = 6;
SELECT once();
RELEASE b;
SELECT once();
ROLLBACK TO a;
SELECT once();
ROLLBACK;
-- a level that is not told of all, and is rolled back; in an outer one
BEGIN; UPDATE t SET v = 0 WHERE id = 7; SAVEPOINT a; TRUNCATE child;
SELECT once();
ROLLBACK TO a;
SELECT once();
ROLLBACK;
BEGIN; SET LOCAL session_replication_role = replica; UPDATE t SET v = 0 WHERE id = 7;
SELECT once();
ROLLBACK;
-- more levels than are looked through
CREATE FUNCTION deep(n int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE said text;
BEGIN
	UPDATE t SET v = v + 1 WHERE id = 7;
	IF n = 0 THEN RETURN (ask(8))::text; END IF;
	BEGIN said := deep(n - 1); EXCEPTION WHEN division_by_zero THEN NULL; END;
	RETURN said;
END $$;
BEGIN; SELECT deep(20); ROLLBACK;
BEGIN; SELECT deep(70); ROLLBACK;

-- inside a statement: not yet told, unless its triggers have been called
CREATE TABLE said (at text, outcome text, same bool);
CREATE FUNCTION asks() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	INSERT INTO said SELECT TG_NAME || COALESCE(' ' || new.id, ''), a.* FROM ask(8) AS a; RETURN new;
END $$;
CREATE TRIGGER a_before BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION asks();
CREATE TRIGGER a_first AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION asks();
CREATE TRIGGER z_last AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION asks();
CREATE TRIGGER z_statement AFTER UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION asks();
CREATE CONSTRAINT TRIGGER deferred AFTER UPDATE ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION asks();
SELECT round_() <> '' AS filled;
BEGIN; UPDATE t SET v = v + 1 WHERE id IN (7, 17); SET CONSTRAINTS ALL IMMEDIATE; SELECT * FROM said; ROLLBACK;
BEGIN; UPDATE t SET v = v + 1 WHERE id = 8; SET CONSTRAINTS ALL IMMEDIATE; SELECT * FROM said; ROLLBACK;
UPDATE t SET v = v + 1 WHERE id = 7;
SELECT * FROM said WHERE at LIKE 'deferred%';
DROP TRIGGER a_before ON t; DROP TRIGGER a_first ON t; DROP TRIGGER z_last ON t; DROP TRIGGER z_statement ON t; DROP TRIGGER deferred ON t;
SELECT round_() <> '' AS filled;
CREATE FUNCTION say(a int) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT ask(a)::text $$;
BEGIN; WITH w AS (UPDATE t SET v = v + 1 WHERE id = 8 RETURNING tenant) SELECT say(tenant) FROM w; ROLLBACK;
BEGIN; WITH w AS (UPDATE t SET v = v + 1 WHERE id = 7 RETURNING tenant) SELECT say(8) FROM w; ROLLBACK;
BEGIN; UPDATE t SET v = v + 1 WHERE id = 7 RETURNING say(8); SELECT say(8); ROLLBACK;
BEGIN; UPDATE t SET v = v + 1 WHERE id IN (7, 17) AND say(8) <> '' RETURNING say(8); ROLLBACK;
BEGIN; INSERT INTO t SELECT 7, 300 + g, length(say(8)) FROM generate_series(1, 2) AS g; SELECT say(8); ROLLBACK;

-- snapshots of before the write
BEGIN; DECLARE c CURSOR FOR SELECT say(8) FROM generate_series(1, 3); FETCH c;
UPDATE t SET v = v + 1 WHERE id = 7; FETCH c;
UPDATE t SET v = v + 1 WHERE id = 8; FETCH c; ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT say(8); UPDATE t SET v = v + 1 WHERE id = 7; SELECT say(8); UPDATE t SET v = v + 1 WHERE id = 8; SELECT say(8); ROLLBACK;

-- cascades, at once and deferred; the referenced row's key is the referencing row's
BEGIN; DELETE FROM t WHERE id = 17;
SELECT once();
SET CONSTRAINTS ALL IMMEDIATE;
SELECT once();
ROLLBACK;
BEGIN; UPDATE t SET id = 508 WHERE id = 8; SET CONSTRAINTS ALL IMMEDIATE;
SELECT once();
ROLLBACK;

-- TRUNCATE, COPY, replica role, a trigger that is disabled or dropped, tracked in the transaction
BEGIN; UPDATE t SET v = v + 1 WHERE id = 7; TRUNCATE t CASCADE;
SELECT once();
ROLLBACK;
BEGIN;
COPY t (tenant, id, v) FROM stdin;
7	216	1
6	226	1
\.
SELECT once();
COPY t (tenant, id, v) FROM stdin;
8	228	1
\.
SELECT once();
ROLLBACK;
BEGIN; INSERT INTO t VALUES (7, 7, 0) ON CONFLICT (id) DO UPDATE SET v = -1; INSERT INTO t VALUES (7, 7, 0) ON CONFLICT DO NOTHING;
MERGE INTO t USING (VALUES (6), (206)) AS s (id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = t.v + 1 WHEN NOT MATCHED THEN INSERT (tenant, id, v) VALUES (6, s.id, 1);
SELECT once();
ROLLBACK;
BEGIN; ALTER TABLE t DISABLE TRIGGER cached_query_track; UPDATE t SET v = v + 1 WHERE id = 8; ALTER TABLE t ENABLE ALWAYS TRIGGER cached_query_track; UPDATE t SET v = v + 1 WHERE id = 7;
SELECT once();
ROLLBACK;
BEGIN; SELECT cached_query_track('t', '{id}'); UPDATE t SET v = v + 1 WHERE id = 7;
SELECT once();
ROLLBACK;
BEGIN; UPDATE t SET v = v + 1 WHERE id = 7; SELECT cached_query_untrack('t'); UPDATE t SET v = v + 1 WHERE id = 8;
SELECT once();
ROLLBACK;
BEGIN; UPDATE t SET v = v + 1 WHERE id <= 150 AND tenant <> 8;
SELECT once();
ROLLBACK;
-- a table that is not tracked
BEGIN; UPDATE plain SET v = v + 1 WHERE tenant = 7;
SELECT once();
UPDATE t SET v = v + 1 WHERE id = 7;
SELECT once();
ROLLBACK;
-- partitions
BEGIN; UPDATE p SET v = v + 1 WHERE at = 107;
SELECT once();
UPDATE p SET at = 17 WHERE at = 107;
SELECT once();
UPDATE p SET v = v + 1 WHERE at = 108;
SELECT once();
UPDATE p SET at = 18 WHERE at = 108;
SELECT once();
ROLLBACK;

-- what such a transaction runs is stored if it is of other keys
SELECT cached_query_clear() >= 0 AS cleared;
BEGIN; UPDATE t SET v = v + 1 WHERE id = 7;
SELECT once();
SELECT once();
ROLLBACK;
SELECT once();
-- within a ttl a transaction reads what it wrote
SET cached_query.consistency = ttl;
SELECT round_() <> '' AS filled;
BEGIN; UPDATE t SET v = v + 1 WHERE id = 7;
SELECT once();
ROLLBACK;
SET cached_query.consistency = exact;
-- many tables
DO $$ BEGIN FOR i IN 1 .. 80 LOOP EXECUTE format('CREATE TABLE w%s (a int)', i); END LOOP; END $$;
SELECT round_() <> '' AS filled;
BEGIN; UPDATE t SET v = v + 1 WHERE id = 7;
DO $$ BEGIN FOR i IN 1 .. 80 LOOP EXECUTE format('INSERT INTO w%s VALUES (1)', i); END LOOP; END $$;
SELECT once();
UPDATE t SET v = v + 1 WHERE id = 8;
SELECT once();
ROLLBACK;
SELECT once();

SET client_min_messages = warning;
DROP SCHEMA cq_own_keys CASCADE;
