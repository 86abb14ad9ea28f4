--
-- Partitions that the plan has not read: writes to them leave an exact answer alone, however they were pruned.
-- A write to one that was read voids it.  Each answer equals the direct one.
--
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS cq_pruned CASCADE;
RESET client_min_messages;
CREATE SCHEMA cq_pruned;
SET search_path = cq_pruned, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
SET cached_query.consistency = exact;
-- the ways of the plans
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_memoize = off;
CREATE TABLE ev (at int, v int) PARTITION BY RANGE (at);
CREATE TABLE ev_1 PARTITION OF ev FOR VALUES FROM (0) TO (100);
CREATE TABLE ev_2 PARTITION OF ev FOR VALUES FROM (100) TO (200) PARTITION BY RANGE (at);
CREATE TABLE ev_2a PARTITION OF ev_2 FOR VALUES FROM (100) TO (150);
CREATE TABLE ev_2b (v int, dropped int, at int NOT NULL);
ALTER TABLE ev_2b DROP COLUMN dropped;
ALTER TABLE ev_2 ATTACH PARTITION ev_2b FOR VALUES FROM (150) TO (200);
CREATE TABLE ev_rest PARTITION OF ev DEFAULT;
CREATE INDEX ON ev (at);
CREATE TABLE h (k int, v int) PARTITION BY HASH (k);
CREATE TABLE h_0 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE h_1 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE ids (at int);
CREATE TABLE bound (v int);
INSERT INTO ev SELECT g, g FROM generate_series(0, 299, 3) AS g;
INSERT INTO h SELECT g, g FROM generate_series(1, 8) AS g;
INSERT INTO ids VALUES (30), (60);
INSERT INTO bound VALUES (100);
ANALYZE ev, h, ids, bound;
CREATE FUNCTION whole() RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT sum(v) FROM ev); END $$;
CREATE FUNCTION of_1(a int) RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT sum(v) FROM ev WHERE at >= 0 AND at < 100 AND at <> a $$;
CREATE FUNCTION limit_of() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT max(v) FROM bound); END $$;
CREATE VIEW seen AS SELECT at, v FROM ev WHERE at < 250;

CREATE TABLE q (name text, query text, args text[]);
INSERT INTO q VALUES
	-- when it is planned: the first partition, another, the default, by a subpartition, by hash
	('const', 'SELECT count(*), sum(v) FROM ev WHERE at >= 0 AND at < 100', '{}'),
	('rest', 'SELECT count(*), sum(v) FROM ev WHERE at >= 250', '{}'),
	-- when it starts, or planned by the value
	('hash', 'SELECT count(*), sum(v) FROM h WHERE k = $1', '{3}'),
	('param', 'SELECT count(*), sum(v) FROM ev WHERE at >= 0 AND at < $1', '{100}'),
	('sub', 'SELECT count(*), sum(v) FROM ev WHERE at >= $1 AND at < $2', '{100,150}'),
	('list', 'SELECT count(*), sum(v) FROM ev WHERE at = ANY ($1)', ARRAY['ARRAY[3, 153]']),
	('setting', 'SELECT count(*), sum(v) FROM ev WHERE at >= 0 AND at < current_setting(''cq.upto'')::int', '{}'),
	('function', 'SELECT count(*), sum(v) FROM ev WHERE at >= 0 AND at < limit_of()', '{}'),
	('view', 'SELECT count(*), sum(v) FROM seen WHERE at >= 200', '{}'),
	('self', 'SELECT count(*) FROM ev AS a, ev AS b WHERE a.at >= 0 AND a.at < 100 AND b.at >= 250', '{}'),
	-- while it runs: by a value of an init plan, by rows of a join (one rescan for each), by what isn't needed
	('init', 'SELECT count(*), sum(v) FROM ev WHERE at >= 0 AND at < (SELECT v FROM bound)', '{}'),
	('loop', 'SELECT count(*), sum(l.v) FROM ids, LATERAL (SELECT v FROM ev WHERE ev.at = ids.at ORDER BY v LIMIT 2) AS l', '{}'),
	('exists', 'SELECT EXISTS (SELECT FROM ev WHERE v >= 0 AND at >= 0)', '{}'),
	('never', 'SELECT count(*) FROM ids, LATERAL (SELECT v FROM ev WHERE ev.at = ids.at ORDER BY v LIMIT 2) AS l WHERE ids.at < 0', '{}'),
	('with', 'WITH c AS MATERIALIZED (SELECT v FROM ev WHERE at >= 0 AND at < $1) SELECT count(*), sum(v) FROM c', '{100}'),
	('in', 'SELECT count(*) FROM ids WHERE at IN (SELECT at FROM ev WHERE at >= 0 AND at < $1 AND v >= 0)', '{100}'),
	('union', 'SELECT sum(n) FROM (SELECT count(*) AS n FROM ev WHERE at >= 0 AND at < $1 UNION ALL SELECT count(*) FROM h WHERE k = 3) AS u', '{100}'),
	-- no node of the plan reads what a function reads
	('inside', 'SELECT count(*), whole() FROM ev WHERE at >= 250', '{}'),
	('inlined', 'SELECT of_1($1) FROM ids WHERE at = 30', '{7}');
SET cq.upto = '100';

\i sql/parts/round.sql
SELECT round_();
SELECT round_();
\i sql/parts/pruned_writes.sql
-- the same with plans that know no value
SET plan_cache_mode = force_generic_plan;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
SELECT round_() LIKE '%wrong%' AS wrong;
\i sql/parts/pruned_writes.sql
RESET plan_cache_mode;

-- workers may read what the leader has not: with them, all that the plan names counts
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET min_parallel_index_scan_size = 0;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
SELECT round_() LIKE '%wrong%' AS wrong;
INSERT INTO ev VALUES (4, 4);
SELECT round_() LIKE '%wrong%' AS wrong;
INSERT INTO ev VALUES (155, 5);
SELECT round_() LIKE '%wrong%' AS wrong;
UPDATE ev SET at = 156 WHERE at = 4;
SELECT round_() LIKE '%wrong%' AS wrong;
UPDATE bound SET v = 200;
SELECT round_() LIKE '%wrong%' AS wrong;
DELETE FROM ev WHERE at IN (155, 156);
UPDATE bound SET v = 100;
SELECT round_() LIKE '%wrong%' AS wrong;
RESET max_parallel_workers_per_gather;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET min_parallel_index_scan_size;

-- statements without a call, with values and with a plan that knows none
CREATE TABLE counted (reasons jsonb);
INSERT INTO counted VALUES ('{}');
\i sql/parts/told.sql
SET cached_query.auto_min_time = 0;
PREPARE early(int) AS SELECT count(*), sum(v) FROM ev WHERE at >= 0 AND at < $1;
PREPARE init AS SELECT count(*), sum(v) FROM ev WHERE at >= 0 AND at < (SELECT v FROM bound);
SET plan_cache_mode = force_generic_plan;
SET cached_query.auto = exact;
EXECUTE early(100);
EXECUTE early(100);
EXECUTE init;
EXECUTE init;
SELECT told() IS NOT NULL AS counted;
EXECUTE early(100);
EXECUTE init;
SELECT told();
SET cached_query.auto = off;
INSERT INTO ev VALUES (160, 1), (260, 1);
SET cached_query.auto = exact;
EXECUTE early(100);
EXECUTE init;
SELECT told();
SET cached_query.auto = off;
INSERT INTO ev VALUES (1, 1);
SET cached_query.auto = exact;
EXECUTE early(100);
EXECUTE init;
SELECT told() LIKE '%hit%' AS hit;
-- kept by a run whose nodes are timed
\o /dev/null
EXPLAIN ANALYZE EXECUTE early(70);
EXPLAIN ANALYZE EXECUTE early(70);
\o
SELECT told() LIKE '%miss%' AS kept;
SET cached_query.auto = off;
INSERT INTO ev VALUES (161, 1), (261, 1);
SET cached_query.auto = exact;
EXECUTE early(70);
SELECT told();
SET cached_query.auto = off;
INSERT INTO ev VALUES (1, 1);
SET cached_query.auto = exact;
EXECUTE early(70);
SELECT told() LIKE '%hit%' AS hit;
-- its ghost: another partition is written all the time, and what is read is worth keeping
EXECUTE early(50);
SET cached_query.auto = off;
INSERT INTO ev VALUES (161, 1), (261, 1);
SET cached_query.auto = exact;
EXECUTE early(50);
SET cached_query.auto = off;
INSERT INTO ev VALUES (162, 1), (262, 1);
SET cached_query.auto = exact;
EXECUTE early(50);
SELECT told();
SET cached_query.auto = off;

RESET ALL;
SET client_min_messages = warning;
DROP SCHEMA cq_pruned CASCADE;
-- statements without a call have no part in the sums that another test checks
SELECT cached_query_stats_reset();
