--
-- Exact answers over parallel plans: a query inside a function runs without workers, in which nobody could
-- see what it reads.  (A session of its own: one with temporary objects would not cache functions.)
--
CREATE SCHEMA cq_workers;
SET search_path = cq_workers, public;
CREATE TABLE hidden_read (v int);
INSERT INTO hidden_read VALUES (10);
CREATE TABLE many AS SELECT g AS v FROM generate_series(1, 10000) AS g;
ANALYZE many;
CREATE FUNCTION read_hidden(n int) RETURNS int LANGUAGE plpgsql STABLE PARALLEL SAFE AS
	$$ BEGIN IF n = 9000 THEN RETURN (SELECT v FROM cq_workers.hidden_read); END IF; RETURN 0; END $$;
CREATE FUNCTION in_parallel() RETURNS SETOF bigint LANGUAGE plpgsql STABLE AS
	$$ BEGIN RETURN QUERY SELECT sum(cq_workers.read_hidden(v)) FROM cq_workers.many; END $$;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = off; SET cached_query.consistency = exact;
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query('SELECT in_parallel()', '1h') AS t(v bigint) $$);
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query('SELECT in_parallel()', '1h') AS t(v bigint) $$);
UPDATE hidden_read SET v = 11;
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query('SELECT in_parallel()', '1h') AS t(v bigint) $$);
RESET ALL;
SET client_min_messages = warning;
DROP SCHEMA cq_workers CASCADE;
