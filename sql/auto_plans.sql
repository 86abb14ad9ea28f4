--
-- cached_query.auto: what only a plan tells.
--
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS cq_plans CASCADE;
RESET client_min_messages;
CREATE SCHEMA cq_plans;
SET search_path = cq_plans, public;

-- A statement that reads more tables than a kept result may depend on is not run as one that is kept, over and over.
CREATE TABLE m (k int, v int) PARTITION BY LIST (k);
DO $$ BEGIN
	FOR i IN 1 .. 1001 LOOP
		EXECUTE format('CREATE TABLE m_%s PARTITION OF m FOR VALUES IN (%s)', i, i);
	END LOOP;
END $$;
INSERT INTO m SELECT g, g FROM generate_series(1, 1001) AS g;
CREATE TABLE before (fills bigint);
CREATE FUNCTION fills() RETURNS bigint LANGUAGE sql AS 'SELECT fills FROM cached_query_stats';
SET cached_query.auto = exact;
SET cached_query.auto_min_time = 0;
INSERT INTO before SELECT fills();
SELECT count(*), sum(v) FROM m;
SELECT count(*), sum(v) FROM m;
SELECT count(*), sum(v) FROM m;
SELECT fills() - (SELECT fills FROM before) AS fills;
-- some of them are fine
SELECT count(*), sum(v) FROM m WHERE k < 900;
SELECT count(*), sum(v) FROM m WHERE k < 900;
SELECT count(*), sum(v) FROM m WHERE k < 900;
SELECT fills() - (SELECT fills FROM before) AS fills;
RESET cached_query.auto;
SELECT DISTINCT reason FROM cached_query_candidates WHERE query = 'SELECT count(*), sum(v) FROM m';

-- An index that calls functions of a user: the first run that is kept shows it, and the next has them in its key.
CREATE FUNCTION compare(a int, b int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN btint4cmp(a, b); END';
CREATE OPERATOR CLASS slow_ops FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 compare(int, int);
CREATE TABLE indexed AS SELECT g AS a FROM generate_series(1, 100) AS g;
CREATE INDEX indexed_a ON indexed (a slow_ops);
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS off) SELECT * FROM indexed WHERE a = 7;
SET cached_query.auto = exact;
SELECT * FROM indexed WHERE a = 7;
SELECT * FROM indexed WHERE a = 7;
SELECT * FROM indexed WHERE a = 7;
SELECT * FROM indexed WHERE a = 7;
SELECT * FROM indexed WHERE a = 7;
SELECT * FROM indexed WHERE a = 7;
SELECT * FROM indexed WHERE a = 7;
SELECT * FROM indexed WHERE a = 7;
RESET cached_query.auto;
SELECT calls, hits > 0 AS hits FROM cached_query_candidates WHERE query = 'SELECT * FROM indexed WHERE a = 7';
-- and depends on them
CREATE OR REPLACE FUNCTION compare(a int, b int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 1; END';
SET cached_query.auto = exact;
SELECT * FROM indexed WHERE a = 7;
RESET cached_query.auto;
SELECT * FROM indexed WHERE a = 7;
SET client_min_messages = warning;
DROP SCHEMA cq_plans CASCADE;
