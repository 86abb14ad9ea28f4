--
-- cached_query_invalidate() of statements without a call: of all values and roles, as the query is recognised.
--
\set oids 30000
\i sql/parts/same_oids.sql
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS cq_inval CASCADE;
DROP ROLE IF EXISTS cq_inval_bi, cq_inval_other;
RESET client_min_messages;
CREATE SCHEMA cq_inval;
SET search_path = cq_inval, public;
CREATE TABLE t AS SELECT g AS id, g % 3 AS k FROM generate_series(1, 30) AS g;
CREATE ROLE cq_inval_bi;
GRANT USAGE ON SCHEMA cq_inval TO cq_inval_bi;
GRANT SELECT ON t TO cq_inval_bi;
-- from 18 on the text of what is prepared is that of the statement alone
CREATE VIEW kept AS SELECT regexp_replace(query, '^PREPARE .* AS SELECT', 'SELECT') AS query, state FROM cached_query_entries
	WHERE database = current_database() AND origin = 'auto' AND query ~ 'inval_[0-9]' ORDER BY regexp_replace(query, '^PREPARE .* AS SELECT', 'SELECT') COLLATE "C";
SET cached_query.auto_min_time = 0;

SET cached_query.auto = exact;
SELECT count(*) AS inval_1 FROM t;
SELECT count(*) AS inval_1 FROM t;
SELECT count(*) AS inval_2 FROM t WHERE k = 1;
SELECT count(*) AS inval_2 FROM t WHERE k = 1;
PREPARE p(int) AS SELECT count(*) AS inval_3 FROM t WHERE k = $1;
EXECUTE p(1); EXECUTE p(1);
EXECUTE p(2); EXECUTE p(2);
SET ROLE cq_inval_bi;
SELECT count(*) AS inval_4 FROM t WHERE current_user <> '';
SELECT count(*) AS inval_4 FROM t WHERE current_user <> '';
RESET ROLE;
SET cached_query.auto = off;
SELECT count(*) FROM kept WHERE state = 'fresh';
SELECT cached_query_invalidate('select COUNT(*) as inval_1 from t;') AS invalidated;
SELECT query, state FROM kept WHERE state = 'fresh';
-- another constant is another query
SELECT cached_query_invalidate('SELECT count(*) AS inval_2 FROM t WHERE k = 2') AS invalidated;
SELECT cached_query_invalidate('SELECT count(*) AS inval_2 FROM t WHERE k = 1') AS invalidated;
-- all values, with and without arguments
SELECT cached_query_invalidate('SELECT count(*) AS inval_3 FROM t WHERE k = $1') AS invalidated;
SELECT query FROM kept WHERE state = 'fresh';
SET cached_query.auto = exact;
EXECUTE p(1); EXECUTE p(1);
SET cached_query.auto = off;
SELECT cached_query_invalidate('SELECT count(*) AS inval_3 FROM t WHERE k = $1', 7) > 0 AS invalidated;
-- of another role; when the transaction commits
BEGIN;
SELECT cached_query_invalidate($$SELECT count(*) AS inval_4 FROM t WHERE current_user <> ''$$) AS invalidated;
ROLLBACK;
SELECT query FROM kept WHERE state = 'fresh';
SELECT cached_query_invalidate($$SELECT count(*) AS inval_4 FROM t WHERE current_user <> ''$$) AS invalidated;
SELECT query FROM kept WHERE state = 'fresh';
-- who may run the query may have it computed anew for all; how many results others have is not told to him
CREATE ROLE cq_inval_other;
GRANT USAGE ON SCHEMA cq_inval TO cq_inval_other;
GRANT SELECT ON t TO cq_inval_other;
GRANT pg_read_all_stats TO cq_inval_bi;
CREATE POLICY own ON t TO PUBLIC USING (id > 0);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
SET ROLE cq_inval_bi;
SET cached_query.auto = exact;
SELECT count(*) AS inval_6 FROM t;
SELECT count(*) AS inval_6 FROM t;
SET cached_query.auto = off;
RESET ROLE;
SELECT query FROM kept WHERE state = 'fresh' AND query ~ 'inval_6';
SET ROLE cq_inval_other;
SELECT cached_query_invalidate('SELECT count(*) AS inval_6 FROM t') AS invalidated;
SELECT cached_query_invalidate('SELECT count(*) AS never_run FROM t') AS invalidated;
RESET ROLE;
SELECT query FROM kept WHERE state = 'fresh' AND query ~ 'inval_6';
-- its own calls' result is counted as before
SET ROLE cq_inval_other;
SELECT * FROM cached_query('SELECT count(*) AS inval_6 FROM t', '1h') AS c(n bigint);
SELECT cached_query_invalidate('SELECT count(*) AS inval_6 FROM t') AS invalidated;
SET cached_query.auto = exact;
SELECT count(*) AS inval_7 FROM t;
SELECT count(*) AS inval_7 FROM t;
SET cached_query.auto = off;
SET ROLE cq_inval_bi;
SELECT cached_query_invalidate('SELECT count(*) AS inval_7 FROM t') AS invalidated;
RESET ROLE;
-- who may not run it can't
REVOKE SELECT ON t FROM cq_inval_other;
SET ROLE cq_inval_other;
SELECT cached_query_invalidate('SELECT count(*) AS inval_6 FROM t') AS invalidated;
RESET ROLE;
ALTER TABLE t DISABLE ROW LEVEL SECURITY;
-- nothing else, and a call's results as before
SELECT * FROM cached_query('SELECT count(*) AS inval_5 FROM t', '1h') AS c(n bigint);
SELECT cached_query_invalidate('SELECT count(*) AS inval_5 FROM t') AS invalidated;
SELECT cached_query_invalidate('SELECT count(*) AS inval_1 FROM t') IS NOT NULL AS invalidated;
SET client_min_messages = warning;
DROP SCHEMA cq_inval CASCADE;
DROP ROLE cq_inval_bi, cq_inval_other;
