--
-- cached_query.auto: statements that don't know of the cache.
--
-- What was counted since the last time is told by a function that is called without FROM, so that it is no
-- candidate itself.
--
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS cq_auto CASCADE;
DROP ROLE IF EXISTS cq_auto_a, cq_auto_b;
RESET client_min_messages;
CREATE SCHEMA cq_auto;
SET search_path = cq_auto, public;
CREATE TABLE counted (reasons jsonb);
INSERT INTO counted VALUES ('{}');
\i sql/parts/told.sql

CREATE TABLE t AS SELECT g AS id, g % 3 AS k, 'x' || g AS v FROM generate_series(1, 100) AS g;
CREATE TABLE other AS SELECT 1 AS a;
ANALYZE t;
SELECT told() IS NOT NULL AS counted;

-- Off is the default.
SHOW cached_query.auto;
SELECT count(*) FROM t;
SELECT told();

-- The first run leaves a ghost, the second is kept, then there are hits.
SET cached_query.auto = exact;
SET cached_query.auto_min_time = 0;
SELECT k, count(*) AS n, min(v) FROM t GROUP BY k ORDER BY max(id) DESC;
SELECT told();
SELECT k, count(*) AS n, min(v) FROM t GROUP BY k ORDER BY max(id) DESC;
SELECT told();
SELECT k, count(*) AS n, min(v) FROM t GROUP BY k ORDER BY max(id) DESC;
SELECT told();
-- spaces and comments are no part of it, names are what they mean
/* a */ SELECT k, count(*) AS n, min(v)
	FROM cq_auto.t GROUP BY 1 ORDER BY max(id) DESC -- b
	;
SELECT told();
SELECT query, args, rows, relation_names, consistency, origin FROM cached_query_entries WHERE database = current_database() AND origin = 'auto' AND query LIKE '% AS n,%';
SELECT told();

-- A change, here and by another transaction that is rolled back.
UPDATE t SET v = 'y' WHERE id = 1;
SELECT k, count(*) AS n, min(v) FROM t GROUP BY k ORDER BY max(id) DESC;
SELECT k, count(*) AS n, min(v) FROM t GROUP BY k ORDER BY max(id) DESC;
SELECT k, count(*) AS n, min(v) FROM t GROUP BY k ORDER BY max(id) DESC;
SELECT told();
BEGIN;
DELETE FROM t WHERE k = 0;
SELECT k, count(*) AS n, min(v) FROM t GROUP BY k ORDER BY max(id) DESC;
ROLLBACK;
SELECT k, count(*) AS n, min(v) FROM t GROUP BY k ORDER BY max(id) DESC;
SELECT told();
-- what has nothing to do with it leaves it alone
INSERT INTO other VALUES (2);
SELECT k, count(*) AS n, min(v) FROM t GROUP BY k ORDER BY max(id) DESC;
SELECT told();
-- definitions
ALTER TABLE t ADD COLUMN extra int;
SELECT k, count(*) AS n, min(v) FROM t GROUP BY k ORDER BY max(id) DESC LIMIT 1;
SELECT k, count(*) AS n, min(v) FROM t GROUP BY k ORDER BY max(id) DESC;
SELECT told();
SELECT * FROM t WHERE id = 2;
SELECT * FROM t WHERE id = 2;
ALTER TABLE t DROP COLUMN extra;
SELECT * FROM t WHERE id = 2;
SELECT * FROM t WHERE id = 2;
SELECT * FROM t WHERE id = 2;
SELECT told();
-- by hand
SELECT cached_query_invalidate_relation('t');
SELECT * FROM t WHERE id = 2;
SELECT told();

-- No rows, all columns and subqueries.
SELECT v FROM t WHERE false OR id < 0;
SELECT v FROM t WHERE false OR id < 0;
SELECT v FROM t WHERE false OR id < 0;
WITH c AS MATERIALIZED (SELECT k FROM t), d AS (SELECT max(k) AS m FROM c) SELECT (SELECT m FROM d) AS m, count(*) FILTER (WHERE k < (SELECT avg(k) FROM c)) FROM c;
WITH c AS MATERIALIZED (SELECT k FROM t), d AS (SELECT max(k) AS m FROM c) SELECT (SELECT m FROM d) AS m, count(*) FILTER (WHERE k < (SELECT avg(k) FROM c)) FROM c;
WITH c AS MATERIALIZED (SELECT k FROM t), d AS (SELECT max(k) AS m FROM c) SELECT (SELECT m FROM d) AS m, count(*) FILTER (WHERE k < (SELECT avg(k) FROM c)) FROM c;
SELECT told();
SELECT a.id FROM t AS a JOIN t AS b USING (id) WHERE a.id < 3 UNION ALL (SELECT a FROM other ORDER BY a LIMIT 1) ORDER BY id;
SELECT a.id FROM t AS a JOIN t AS b USING (id) WHERE a.id < 3 UNION ALL (SELECT a FROM other ORDER BY a LIMIT 1) ORDER BY id;
SELECT a.id FROM t AS a JOIN t AS b USING (id) WHERE a.id < 3 UNION ALL (SELECT a FROM other ORDER BY a LIMIT 1) ORDER BY id;
SELECT told();

-- Prepared statements: the values are in the key, with generic and with custom plans.
PREPARE p(int, text) AS SELECT count(*), min(v) FROM t WHERE k = $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE p(1, 'a');
EXECUTE p(1, 'b');
EXECUTE p(1, 'c');
EXECUTE p(2, 'a');
SELECT told();
SET plan_cache_mode = force_custom_plan;
EXECUTE p(1, 'a');
EXECUTE p(2, 'a');
EXECUTE p(2, 'a');
SELECT told();
UPDATE t SET v = 'z' WHERE id = 1;
EXECUTE p(1, 'a');
EXECUTE p(1, 'a');
EXECUTE p(1, 'a');
SELECT told();
RESET plan_cache_mode;
-- a plan without a plan below, whose answer has gone
PREPARE q AS SELECT sum(id) FROM t;
EXECUTE q;
EXECUTE q;
CALL cq_test.swept();
SELECT cached_query_clear();
DISCARD PLANS;
EXECUTE q;
EXECUTE q;
EXECUTE q;
DISCARD PLANS;
EXECUTE q;
UPDATE t SET id = id;
EXECUTE q;
EXECUTE q;
EXECUTE q;
SELECT told();
-- the setting acts on what is prepared
SET cached_query.auto = off;
EXECUTE q;
SELECT told();
SET cached_query.auto = exact;
EXECUTE q;
SET cached_query.mode = off;
EXECUTE q;
SET cached_query.mode = refresh;
EXECUTE q;
SET cached_query.mode = read_only;
EXECUTE q;
EXECUTE p(0, '');
RESET cached_query.mode;
SELECT told();

-- Slow ones only.  A kept plan gets its node when its statement is known to be slow.
SET cached_query.auto_min_time = '50ms';
PREPARE slow AS SELECT count(*) FROM t, (SELECT pg_sleep(0.1) OFFSET 0) AS s;
PREPARE calm AS SELECT count(*) FROM t AS fast;
EXECUTE calm;
EXECUTE calm;
SELECT told();
SET cached_query.auto_min_time = 0;
DEALLOCATE ALL;

-- What is no SELECT alone, goes elsewhere or can go back.
SELECT v FROM t WHERE id = 3 FOR UPDATE;
SELECT v FROM t WHERE id = 3 FOR UPDATE;
CREATE TABLE made AS SELECT v FROM t WHERE id = 3;
INSERT INTO made SELECT v FROM t WHERE id = 3;
COPY (SELECT v FROM t WHERE id = 3) TO STDOUT;
WITH w AS (INSERT INTO made VALUES ('w') RETURNING v) SELECT * FROM w;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id FROM t WHERE id < 4 ORDER BY id;
FETCH ALL c;
FETCH BACKWARD 2 c;
DECLARE d CURSOR WITH HOLD FOR SELECT id FROM t WHERE id < 4 ORDER BY id;
FETCH 1 d;
COMMIT;
FETCH ALL d;
CLOSE d;
SELECT 1;
SELECT told();

-- What can't be exact.
SELECT count(*) >= 0 FROM t WHERE random() < 2;
SELECT count(*) FROM t WHERE now() > '2000-01-01';
SELECT count(*) > 0 FROM pg_class;
SELECT min(ctid) FROM t;
SELECT ROW(1, a) FROM other LIMIT 1;
SELECT count(*) FROM t TABLESAMPLE SYSTEM (100);
CREATE TEMP TABLE temporary AS SELECT 1 AS a;
SELECT a FROM temporary;
DROP TABLE temporary;
SELECT count(*) FROM t WHERE current_setting('work_mem') = 'x' OR pg_backend_pid() < 0;
SELECT told();
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT sum(id) FROM t;
COMMIT;
SELECT told();

-- A savepoint, an error while rows are kept, and a row that can't be shown.
SELECT 1 / (id - 50) AS x FROM t ORDER BY id;
SELECT 1 / (id - 50) AS x FROM t ORDER BY id;
SELECT told();
BEGIN;
SAVEPOINT s;
SELECT 1 / (id - 50) AS x FROM t ORDER BY id;
ROLLBACK TO s;
SELECT sum(id) FROM t;
SELECT sum(id) FROM t;
SELECT sum(id) FROM t;
COMMIT;
SELECT told();

-- Inside functions only with auto_nested.
CREATE FUNCTION inside(int) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE n bigint;
BEGIN
	SELECT count(*) INTO n FROM t WHERE k = $1;
	RETURN n;
END $$;
SELECT inside(1), inside(1);
SELECT told();
SET cached_query.auto_nested = on;
SELECT inside(1), inside(1), inside(1), inside(2);
SELECT told();
CREATE FUNCTION loop() RETURNS int LANGUAGE plpgsql AS $$
DECLARE r record; n int := 0;
BEGIN
	FOR r IN SELECT id FROM t WHERE id <= 20 ORDER BY id LOOP
		BEGIN
			n := n + r.id / (r.id - 5);
		EXCEPTION WHEN division_by_zero THEN
			n := n + 1;
		END;
	END LOOP;
	RETURN n;
END $$;
SELECT loop(), loop(), loop();
-- writes between the rows
CREATE FUNCTION changing() RETURNS int LANGUAGE plpgsql AS $$
DECLARE r record; n int := 0;
BEGIN
	FOR r IN SELECT id FROM t WHERE id <= 30 ORDER BY id LOOP
		UPDATE t SET v = v || '.' WHERE id = r.id;
		n := n + 1;
	END LOOP;
	RETURN n;
END $$;
SELECT changing();
SELECT changing();
SELECT changing();
SELECT count(*) FROM t WHERE v LIKE '%...';
RESET cached_query.auto_nested;

-- Code of users is judged as for the functions.
CREATE FUNCTION stable_one(int) RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT count(*) FROM other WHERE a <> $1 $$;
CREATE FUNCTION stable_two(int) RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT count(*) FROM other WHERE a <> $1); END $$;
CREATE FUNCTION volatile_one(int) RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN RETURN $1; END $$;
SELECT told() IS NOT NULL AS counted;
SELECT id, stable_one(id), stable_two(id) FROM t WHERE id < 3 ORDER BY id;
SELECT id, stable_one(id), stable_two(id) FROM t WHERE id < 3 ORDER BY id;
SELECT id, stable_one(id), stable_two(id) FROM t WHERE id < 3 ORDER BY id;
SELECT told();
INSERT INTO other VALUES (3);
SELECT id, stable_one(id), stable_two(id) FROM t WHERE id < 3 ORDER BY id;
SELECT id, stable_one(id), stable_two(id) FROM t WHERE id < 3 ORDER BY id;
-- the sweeper may have been first
SELECT replace(told(), 'miss_invalidated', 'miss_cold') AS told;
CREATE OR REPLACE FUNCTION stable_two(int) RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN -1; END $$;
SELECT id, stable_one(id), stable_two(id) FROM t WHERE id < 3 ORDER BY id;
SELECT id, stable_one(id), stable_two(id) FROM t WHERE id < 3 ORDER BY id;
SELECT id, stable_one(id), stable_two(id) FROM t WHERE id < 3 ORDER BY id;
SELECT told();
SELECT volatile_one(id) FROM t WHERE id = 1;
SELECT told();

-- Who asks: rights are checked for each, policies are in the tree, current_user in the key.
CREATE ROLE cq_auto_a;
CREATE ROLE cq_auto_b;
GRANT USAGE ON SCHEMA cq_auto TO PUBLIC;
CREATE TABLE secret AS SELECT * FROM (VALUES ('cq_auto_a', 1), ('cq_auto_b', 2), ('cq_auto_b', 3)) AS s(who, v);
ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secret USING (who = current_user);
GRANT SELECT ON secret TO cq_auto_a, cq_auto_b;
PREPARE secrets AS SELECT v FROM secret ORDER BY v;
SET ROLE cq_auto_a;
EXECUTE secrets;
EXECUTE secrets;
EXECUTE secrets;
SELECT v FROM secret ORDER BY v;
SET ROLE cq_auto_b;
EXECUTE secrets;
EXECUTE secrets;
EXECUTE secrets;
SELECT v FROM secret ORDER BY v;
RESET ROLE;
EXECUTE secrets;
EXECUTE secrets;
EXECUTE secrets;
SELECT told();
GRANT SELECT ON t TO cq_auto_a;
SET ROLE cq_auto_a;
SELECT sum(id) FROM t;
SELECT sum(id) FROM t;
SET ROLE cq_auto_b;
SELECT sum(id) FROM t;
RESET ROLE;
REVOKE SELECT ON t FROM cq_auto_a;
SET ROLE cq_auto_a;
SELECT sum(id) FROM t;
RESET ROLE;
CREATE VIEW seen AS SELECT id FROM t WHERE id < 3;
GRANT SELECT ON seen TO cq_auto_b;
SET ROLE cq_auto_b;
SELECT * FROM seen ORDER BY id;
SELECT * FROM seen ORDER BY id;
SELECT * FROM seen ORDER BY id;
RESET ROLE;
REVOKE SELECT ON seen FROM cq_auto_b;
SET ROLE cq_auto_b;
SELECT * FROM seen ORDER BY id;
RESET ROLE;
SELECT told() IS NOT NULL AS counted;

-- Settings that the query shows are in the key.
SELECT v, '2001-02-03'::date::text FROM secret ORDER BY v LIMIT 1;
SELECT v, '2001-02-03'::date::text FROM secret ORDER BY v LIMIT 1;
SET datestyle = german;
SELECT v, '2001-02-03'::date::text FROM secret ORDER BY v LIMIT 1;
RESET datestyle;
-- names mean other things on another path
CREATE SCHEMA cq_auto_2;
CREATE TABLE cq_auto_2.other AS SELECT 100 AS a;
SELECT max(a) FROM other;
SELECT max(a) FROM other;
SELECT max(a) FROM other;
SET search_path = cq_auto_2, cq_auto, public;
SELECT max(a) FROM other;
SELECT max(a) FROM other;
SELECT max(a) FROM other;
SET search_path = cq_auto, public;
SELECT max(a) FROM other;
DROP SCHEMA cq_auto_2 CASCADE;

-- Partitions are seen when the rows are kept.
CREATE TABLE part (k int, v int) PARTITION BY LIST (k);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2);
INSERT INTO part VALUES (1, 1), (2, 2);
SELECT told() IS NOT NULL AS counted;
SELECT sum(v) FROM part;
SELECT sum(v) FROM part;
SELECT sum(v) FROM part;
SELECT told();
INSERT INTO part_2 VALUES (2, 20);
SELECT sum(v) FROM part;
TRUNCATE part_1;
SELECT sum(v) FROM part;
CREATE TABLE part_3 PARTITION OF part FOR VALUES IN (3);
INSERT INTO part VALUES (3, 300);
SELECT sum(v) FROM part;
SELECT sum(v) FROM part;
SELECT sum(v) FROM part;
ALTER TABLE part DETACH PARTITION part_3;
SELECT sum(v) FROM part;
BEGIN;
INSERT INTO part_1 VALUES (1, 5);
SELECT sum(v) FROM part;
ROLLBACK;
SELECT sum(v) FROM part;
SELECT told();

-- EXPLAIN shows the plan; only with ANALYZE something is looked up.
SELECT sum(v) FROM part;
SELECT sum(v) FROM part;
SELECT told() IS NOT NULL AS counted;
EXPLAIN (COSTS OFF) SELECT sum(v) FROM part_2;
EXPLAIN (COSTS OFF) SELECT sum(v) FROM part_2 AS p ORDER BY count(*);
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT sum(v) FROM part_2;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT sum(v) FROM part_2;
EXPLAIN (ANALYZE, VERBOSE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT sum(v) FROM part_2;
SELECT told();

-- What workers run isn't watched: with user's code in a parallel plan nothing is kept.
CREATE FUNCTION in_worker(int) RETURNS int STABLE PARALLEL SAFE LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT told() IS NOT NULL AS counted;
SELECT sum(in_worker(id)) FROM t;
SELECT sum(in_worker(id)) FROM t;
SELECT sum(in_worker(id)) FROM t;
SELECT told();
SET max_parallel_workers_per_gather = 0;
SELECT sum(in_worker(id)) FROM t;
SELECT sum(in_worker(id)) FROM t;
SELECT told();
RESET max_parallel_workers_per_gather;
RESET min_parallel_table_scan_size;
RESET parallel_tuple_cost;
RESET parallel_setup_cost;

-- Others that share a lock, a savepoint, a snapshot: REPEATABLE READ locks what the entry read.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT sum(v) FROM part;
SELECT relation::regclass FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation IN ('part'::regclass, 'part_1'::regclass, 'part_2'::regclass) ORDER BY relation::regclass::text;
COMMIT;
SELECT told();

RESET cached_query.auto;
SET client_min_messages = warning;
DROP SCHEMA cq_auto CASCADE;
DROP ROLE cq_auto_a, cq_auto_b;
