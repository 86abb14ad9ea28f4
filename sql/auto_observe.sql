--
-- cached_query.auto = observe, and the view cached_query_candidates: what would be gained, for whom, what
-- changes it, and why not.
--
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS cq_observe CASCADE;
DROP ROLE IF EXISTS cq_observe_a, cq_observe_b;
RESET client_min_messages;
CREATE SCHEMA cq_observe;
SET search_path = cq_observe, public;
CREATE TABLE t AS SELECT g AS id, g % 3 AS k FROM generate_series(1, 100) AS g;
CREATE TABLE part (k int, v int) PARTITION BY LIST (k);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
INSERT INTO part VALUES (1, 10);
ANALYZE;
CREATE VIEW candidates AS
	SELECT query, calls, hits, would_hit, mean_ms > 0 AS timed, would_save_ms > 0 AS saves, voided, voided_by, reason, advice
	  FROM cached_query_candidates WHERE database = current_database() AND query ~ 'observed' ORDER BY query COLLATE "C";
SELECT cached_query_stats_reset();
SET cached_query.auto_min_time = 0;
SET cached_query.auto = observe;

-- the answer would be the same each time
SELECT count(*) AS observed_1 FROM t WHERE k = 1;
SELECT count(*) AS observed_1 FROM t WHERE k = 1;
SELECT count(*) AS observed_1 FROM t WHERE k = 1;
-- the table is written between any two of them; a partition
SELECT sum(v) AS observed_2 FROM part;
INSERT INTO part VALUES (1, 20);
SELECT sum(v) AS observed_2 FROM part;
INSERT INTO part VALUES (1, 30);
SELECT sum(v) AS observed_2 FROM part;
-- one row for all values of the parameters
PREPARE p(int) AS SELECT count(*) AS observed_3 FROM t WHERE k = $1;
EXECUTE p(0);
EXECUTE p(1);
EXECUTE p(1);
-- what can't be exact
SELECT count(*) AS observed_4 FROM t WHERE now() > '2000-01-01';
SELECT count(*) AS observed_5 FROM t WHERE random() < 2;
-- once
SELECT count(*) AS observed_6 FROM t WHERE id = 1;
SELECT * FROM candidates;
SELECT reason, statements FROM cached_query_reasons WHERE reason IN ('hit', 'miss_cold', 'would_hit');
SELECT count(*) FROM cached_query_entries WHERE database = current_database() AND query ~ 'observed';

-- Switched on: what is gained.
SET cached_query.auto = exact;
SELECT count(*) AS observed_1 FROM t WHERE k = 1;
SELECT count(*) AS observed_1 FROM t WHERE k = 1;
SELECT * FROM candidates WHERE query LIKE '%AS observed_1 %' AND query NOT LIKE '%candidates%';
-- observe again: the cache is not asked
SET cached_query.auto = observe;
SELECT count(*) AS observed_1 FROM t WHERE k = 1;
SELECT * FROM candidates WHERE query LIKE '%AS observed_1 %' AND query NOT LIKE '%candidates%';

-- Within a ttl: what is gained is not gained by exact results.
SET cached_query.auto = ttl;
SET cached_query.default_ttl = '1h';
SELECT count(*) AS observed_7 FROM t WHERE now() > '1999-01-01';
SELECT count(*) AS observed_7 FROM t WHERE now() > '1999-01-01';
SELECT count(*) AS observed_7 FROM t WHERE now() > '1999-01-01';
SELECT * FROM candidates WHERE query LIKE '%AS observed_7 %' AND query NOT LIKE '%candidates%';
-- what forbids both is no candidate for either, whichever reason comes first
SET cached_query.auto = observe;
SELECT count(*) AS observed_9, random() < 2 FROM t WHERE now() > '2000-01-01';
SELECT * FROM candidates WHERE query LIKE '%AS observed_9%' AND query NOT LIKE '%candidates%';
RESET cached_query.default_ttl;

-- Others' texts are not shown.
SET cached_query.auto = off;
CREATE ROLE cq_observe_a;
CREATE ROLE cq_observe_b;
GRANT USAGE ON SCHEMA cq_observe TO PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA cq_observe TO PUBLIC;
SET ROLE cq_observe_a;
SET cached_query.auto = observe;
SELECT count(*) AS observed_10 FROM t;
SET cached_query.auto = off;
SELECT role, query FROM cached_query_candidates WHERE role LIKE 'cq_observe%';
SET ROLE cq_observe_b;
SELECT role, query, queryid, voided_by, calls FROM cached_query_candidates WHERE role LIKE 'cq_observe%';
RESET ROLE;

-- A long text is cut.
SET cached_query.auto = observe;
SELECT 'observed_8', 'äääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääää' = '' AS x, count(*) FROM t;
SET cached_query.auto = off;
SELECT octet_length(query) BETWEEN 390 AND 400 AS cut FROM cached_query_candidates WHERE query ~ 'observed_8';

SELECT cached_query_stats_reset();
SELECT * FROM candidates;
SET client_min_messages = warning;
DROP SCHEMA cq_observe CASCADE;
DROP ROLE cq_observe_a, cq_observe_b;
