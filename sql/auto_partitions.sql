--
-- cached_query.auto: a statement that reads more tables than a kept result may depend on is not run as one that
-- is kept, over and over.  It can be cancelled, as any other.
--
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS cq_partitions CASCADE;
RESET client_min_messages;
CREATE SCHEMA cq_partitions;
SET search_path = cq_partitions, public;
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
SET client_min_messages = warning;
DROP SCHEMA cq_partitions CASCADE;
