--
-- cached_query.auto = ttl: statements that make no call are answered with results not older than
-- cached_query.default_ttl.
--
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS cq_auto_ttl CASCADE;
DROP ROLE IF EXISTS cq_auto_ttl_a, cq_auto_ttl_b;
RESET client_min_messages;
CREATE SCHEMA cq_auto_ttl;
SET search_path = cq_auto_ttl, public;
CREATE TABLE t AS SELECT g AS id, g % 3 AS k FROM generate_series(1, 9) AS g;
ANALYZE t;
-- how a statement is answered
CREATE FUNCTION outcome(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	cache text := 'no node';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
		IF line ~ 'Cache:' THEN cache := substring(line FROM 'Cache: (\w+)'); END IF;
		IF line ~ 'Kept:' THEN cache := cache || ', kept: ' || substring(line FROM 'Kept: (\w+)'); END IF;
	END LOOP;
	RETURN cache;
END $$;
SET cached_query.auto_min_time = 0;

-- With exact mode a change is seen, and now() is not kept.
SET cached_query.auto = exact;
SET cached_query.auto_nested = on;
SELECT outcome('SELECT sum(id) FROM t') FROM generate_series(1, 3);
SELECT outcome('SELECT count(*) FROM t WHERE now() > ''2000-01-01''') FROM generate_series(1, 3);

-- An exact result is good within a ttl; a change doesn't matter until it is too old.
SET cached_query.auto = ttl;
SELECT outcome('SELECT sum(id) FROM t');
UPDATE t SET id = id + 100 WHERE id = 1;
SELECT sum(id) FROM t;
SELECT outcome('SELECT sum(id) FROM t');
SELECT outcome('SELECT count(*) FROM t WHERE now() > ''2000-01-01''') FROM generate_series(1, 3);
SELECT consistency, origin FROM cached_query_entries WHERE database = current_database() AND query LIKE '%now() > ''2000%' AND origin = 'auto';
-- what is exact is asked for anew, and is not shown what is only good within a ttl
SET cached_query.auto = exact;
SELECT sum(id) FROM t;
SELECT outcome('SELECT sum(id) FROM t') FROM generate_series(1, 2);
SET cached_query.auto = ttl;

-- The transaction's own changes are seen, whether they have come before or after the result.
SELECT count(*) FROM t WHERE k = 1;
SELECT count(*) FROM t WHERE k = 1;
SELECT count(*) FROM t WHERE k = 1;
BEGIN;
DELETE FROM t WHERE id = 4;
SELECT count(*) FROM t WHERE k = 1;
SELECT outcome('SELECT count(*) FROM t WHERE k = 1');
SAVEPOINT s;
INSERT INTO t VALUES (1001, 1), (1002, 1);
SELECT count(*) FROM t WHERE k = 1;
ROLLBACK TO s;
SELECT count(*) FROM t WHERE k = 1;
ROLLBACK;
SELECT count(*) FROM t WHERE k = 1;
SELECT outcome('SELECT count(*) FROM t WHERE k = 1');

-- Not newer than the snapshot of REPEATABLE READ, and none in SERIALIZABLE.
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT outcome('SELECT count(*) FROM t WHERE k = 1');
COMMIT;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT outcome('SELECT count(*) FROM t WHERE k = 1');
COMMIT;

-- A changed definition counts at once.
ALTER TABLE t ALTER COLUMN k TYPE bigint;
SELECT outcome('SELECT count(*) FROM t WHERE k = 1');

-- Too old: one that was asked for is kept anew at once, others begin with a ghost.
SET cached_query.default_ttl = '2s';
SELECT outcome('SELECT max(id) FROM t') FROM generate_series(1, 3);
SELECT outcome('SELECT min(id) FROM t') FROM generate_series(1, 2);
SELECT outcome('SELECT max(k) FROM t') FROM generate_series(1, 3);
SET cached_query.default_ttl = '0';
SELECT outcome('SELECT max(k) FROM t');
SET cached_query.default_ttl = '2s';
SELECT pg_sleep(2.1);
SELECT outcome('SELECT max(id) FROM t') FROM generate_series(1, 2);
SELECT outcome('SELECT min(id) FROM t') FROM generate_series(1, 3);
-- with stale_for it could be handed out; who can lead computes it, and own changes are seen
SET cached_query.stale_for = '1min';
BEGIN;
UPDATE t SET k = 77 WHERE id = 2;
SELECT max(k) FROM t;
SELECT outcome('SELECT max(k) FROM t');
ROLLBACK;
SELECT outcome('SELECT max(k) FROM t') FROM generate_series(1, 2);
RESET cached_query.stale_for;
RESET cached_query.default_ttl;

-- Hints: a ttl in any mode but off, exact in ttl mode.
SET cached_query.auto = hinted;
/* cached_query: ttl=60s, tag=hint */ SELECT count(*) AS hinted FROM t;
/* cached_query: ttl=60s, tag=hint */ SELECT count(*) AS hinted FROM t;
INSERT INTO t VALUES (500, 1);
/* cached_query: ttl=60s, tag=hint */ SELECT count(*) AS hinted FROM t;
SELECT count(*) AS hinted FROM t;
SELECT tag, consistency, hits FROM cached_query_entries WHERE database = current_database() AND query LIKE '%AS hinted%' AND origin = 'auto';
-- another hint of the same statement has the same result, as long as it is good for it
/* cached_query: exact */ SELECT count(*) AS hinted FROM t;
/* cached_query: exact */ SELECT count(*) AS hinted FROM t;
/* cached_query: ttl=0.5ms */ SELECT count(*) AS hinted FROM t;
SET cached_query.auto = ttl;
/* cached_query: exact */ SELECT count(*) AS hinted FROM t;
DELETE FROM t WHERE id = 500;
/* cached_query: exact */ SELECT count(*) AS hinted FROM t;
-- one that isn't understood
/* cached_query: ttl=0 */ SELECT count(*) AS wrong FROM t;
/* cached_query: ttl=-1 */ SELECT count(*) AS wrong FROM t;
/* cached_query: ttl=soon */ SELECT count(*) AS wrong FROM t;
/* cached_query: ttl=99999999d */ SELECT count(*) AS wrong FROM t;
SELECT count(*) FROM cached_query_entries WHERE query LIKE '%AS wrong%' AND query LIKE '/*%';

-- Rights and policies are those of the caller, as long as the result lives.
CREATE ROLE cq_auto_ttl_a;
CREATE ROLE cq_auto_ttl_b;
GRANT USAGE ON SCHEMA cq_auto_ttl TO cq_auto_ttl_a, cq_auto_ttl_b;
CREATE TABLE secrets (owner name, s text);
INSERT INTO secrets VALUES ('cq_auto_ttl_a', 'of a'), ('cq_auto_ttl_b', 'of b');
GRANT SELECT ON secrets TO cq_auto_ttl_a, cq_auto_ttl_b;
ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secrets USING (owner = current_user);
SET ROLE cq_auto_ttl_a;
SELECT s FROM secrets;
SELECT s FROM secrets;
SELECT s FROM secrets;
SET ROLE cq_auto_ttl_b;
SELECT s FROM secrets;
SELECT s FROM secrets;
SELECT s FROM secrets;
RESET ROLE;
REVOKE SELECT ON secrets FROM cq_auto_ttl_a;
SET ROLE cq_auto_ttl_a;
SELECT s FROM secrets;
RESET ROLE;

-- Prepared statements with parameters; volatile functions, temporary tables and catalogs.
PREPARE p(int) AS SELECT count(*) FROM t WHERE id > $1;
EXECUTE p(3); EXECUTE p(3); EXECUTE p(3);
INSERT INTO t VALUES (600, 1);
EXECUTE p(3); EXECUTE p(4);
SELECT outcome('SELECT count(*) FROM t WHERE random() >= 0') FROM generate_series(1, 3);
CREATE TEMP TABLE mine AS SELECT 1 AS a;
SELECT outcome('SELECT * FROM mine') FROM generate_series(1, 3);
SELECT outcome('SELECT count(*) FROM pg_class WHERE relname = ''t''') FROM generate_series(1, 3);

RESET cached_query.auto;
RESET cached_query.auto_nested;
RESET cached_query.auto_min_time;
SET client_min_messages = warning;
DROP SCHEMA cq_auto_ttl CASCADE;
DROP ROLE cq_auto_ttl_a, cq_auto_ttl_b;
