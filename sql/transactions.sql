--
-- Transactions: own writes are seen and never stored, rollbacks leave nothing, isolation levels
-- keep their promises, and cursors, loops and procedures read hits and fill like any query.
--
CREATE SCHEMA cq_xact;
SET search_path = cq_xact, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
CREATE TABLE t (id int PRIMARY KEY, v int);
INSERT INTO t VALUES (1, 10), (2, 20);
SELECT $$SELECT * FROM cached_query('SELECT sum(v) FROM t', '1h') AS t(s bigint)$$ AS q,
	$$SELECT * FROM cached_query('SELECT g FROM generate_series(1, 1000) AS g', '1h') AS t(a int)$$ AS g \gset

-- own writes: before and after a hit; rolled back, nothing of it stays
SELECT * FROM cq_test.call(:'q');
BEGIN;
SELECT * FROM cq_test.call(:'q');
INSERT INTO t VALUES (3, 100);
SELECT * FROM cq_test.call(:'q');
SELECT * FROM cq_test.call(:'q');
ROLLBACK;
SELECT * FROM cq_test.call(:'q');
-- committed: ttl mode may still give the old answer, exact may not
BEGIN;
INSERT INTO t VALUES (3, 100);
SELECT * FROM cq_test.call(:'q');
COMMIT;
SELECT * FROM cq_test.call(:'q');
SET cached_query.consistency = exact;
SELECT * FROM cq_test.call(:'q');
SELECT * FROM cq_test.call(:'q');
RESET cached_query.consistency;
-- writes to another table don't matter
CREATE TABLE other (a int);
BEGIN;
INSERT INTO other VALUES (1);
SELECT * FROM cq_test.call(:'q');
ROLLBACK;
-- update, delete, truncate, copy, a data-modifying WITH, a trigger and a cascade are own writes too
CREATE TABLE ref (id int PRIMARY KEY, tid int REFERENCES t ON DELETE CASCADE);
INSERT INTO ref VALUES (1, 1);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE t SET v = v + 1000 WHERE id = 1; RETURN NULL; END $$;
CREATE TRIGGER touch AFTER INSERT ON other EXECUTE FUNCTION touch();
SELECT $$SELECT * FROM cached_query('SELECT count(*) FROM ref', '1h') AS t(n bigint)$$ AS r \gset
SELECT * FROM cq_test.call(:'r');
SELECT * FROM cq_test.call(:'q');
BEGIN; UPDATE t SET v = 0; SELECT * FROM cq_test.call(:'q'); ROLLBACK;
BEGIN; DELETE FROM t WHERE id = 1; SELECT * FROM cq_test.call(:'q'); SELECT * FROM cq_test.call(:'r'); ROLLBACK;
BEGIN; TRUNCATE ref; SELECT * FROM cq_test.call(:'r'); ROLLBACK;
BEGIN; COPY t FROM STDIN;
9	900
\.
SELECT * FROM cq_test.call(:'q'); ROLLBACK;
BEGIN; WITH w AS (UPDATE t SET v = 1 RETURNING 1) SELECT count(*) FROM w; SELECT * FROM cq_test.call(:'q'); ROLLBACK;
BEGIN; INSERT INTO other VALUES (1); SELECT * FROM cq_test.call(:'q'); ROLLBACK;
BEGIN; ALTER TABLE t ADD COLUMN x int; SELECT * FROM cq_test.call(:'q'); ROLLBACK;
SELECT * FROM cq_test.call(:'q');
-- nothing uncommitted is stored under a text of its own either
BEGIN; UPDATE t SET v = -1;
SELECT * FROM cq_test.call($$SELECT * FROM cached_query('SELECT sum(v), 1 FROM t', '1h') AS t(s bigint, n int)$$);
COMMIT;
UPDATE t SET v = id * 10;
SELECT * FROM cq_test.call($$SELECT * FROM cached_query('SELECT sum(v), 1 FROM t', '1h') AS t(s bigint, n int)$$);

-- savepoints
SELECT cached_query_clear() > 0 AS cleared;
CALL cq_test.swept();
SELECT * FROM cq_test.call(:'q');
BEGIN;
SAVEPOINT a;
INSERT INTO t VALUES (50, 5000);
SELECT * FROM cq_test.call(:'q');
ROLLBACK TO a;
SELECT rows FROM cq_test.call(:'q');
RELEASE a;
SAVEPOINT b;
SELECT * FROM cq_test.call($$SELECT * FROM cached_query('SELECT sum(v) + 1 FROM t', '1h') AS t(s bigint)$$);
ROLLBACK TO b;
SELECT rows FROM cq_test.call($$SELECT * FROM cached_query('SELECT sum(v) + 1 FROM t', '1h') AS t(s bigint)$$);
-- an error during the call, and the call after it
SAVEPOINT c;
SELECT * FROM cached_query('SELECT 1 / (v - 10) FROM t', '1h') AS t(a int);
ROLLBACK TO c;
SELECT rows FROM cq_test.call(:'q');
COMMIT;
SELECT * FROM cq_test.fails($$SELECT * FROM cached_query('SELECT 1 / (v - 10) FROM t', '1h') AS t(a int)$$);
SELECT count(*) FROM cached_query_entries WHERE query LIKE 'SELECT 1 / (v%';
-- an error above the scan after some rows
SELECT * FROM cq_test.fails($$SELECT 1 / (a - 500) FROM cached_query('SELECT g FROM generate_series(1, 1000) AS g', '1h') AS t(a int)$$);
SELECT (cq_test.call(:'g')).outcome;

-- SERIALIZABLE runs the query
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT * FROM cq_test.call(:'q');
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY;
SELECT * FROM cq_test.call(:'q');
COMMIT;
-- REPEATABLE READ: hits, and one answer through the transaction
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM cq_test.call(:'q');
UPDATE t SET v = v + 1;
SELECT * FROM cq_test.call(:'q');
ROLLBACK;
BEGIN TRANSACTION READ ONLY;
SELECT * FROM cq_test.call($$SELECT * FROM cached_query('SELECT sum(v) + 2 FROM t', '1h') AS t(s bigint)$$);
SELECT * FROM cq_test.call($$SELECT * FROM cached_query('SELECT sum(v) + 2 FROM t', '1h') AS t(s bigint)$$);
COMMIT;
-- cursors: part of a miss fills all of it
SELECT cached_query_clear() > 0 AS cleared;
CALL cq_test.swept();
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM cached_query('SELECT g FROM generate_series(1, 1000) AS g', '1h') AS t(a int);
FETCH 2 FROM c;
SELECT (cq_test.call(:'g')).outcome;
FETCH 2 FROM c;
SELECT cached_query_clear() > 0 AS cleared;
FETCH 2 FROM c;
CLOSE c;
COMMIT;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT * FROM cached_query('SELECT g FROM generate_series(1, 1000) AS g', '1h') AS t(a int);
FETCH 3 FROM c;
FETCH BACKWARD 2 FROM c;
FETCH LAST FROM c;
FETCH PRIOR FROM c;
FETCH ABSOLUTE 5 FROM c;
FETCH RELATIVE -2 FROM c;
FETCH FIRST FROM c;
MOVE FORWARD ALL FROM c;
FETCH BACKWARD 1 FROM c;
COMMIT;
BEGIN;
DECLARE h CURSOR WITH HOLD FOR SELECT * FROM cached_query('SELECT g FROM generate_series(1, 1000) AS g', '1h') AS t(a int);
FETCH 1 FROM h;
COMMIT;
SELECT cached_query_clear() > 0 AS cleared;
FETCH 2 FROM h;
CLOSE h;
-- a cursor of a savepoint that is rolled back, and one that outlives it
BEGIN;
DECLARE k CURSOR FOR SELECT * FROM cached_query('SELECT g FROM generate_series(1, 1000) AS g', '1h') AS t(a int);
FETCH 1 FROM k;
SAVEPOINT s;
DECLARE l CURSOR FOR SELECT * FROM cached_query('SELECT g FROM generate_series(1, 1000) AS g', '1h') AS t(a int);
FETCH 1 FROM l;
FETCH 1 FROM k;
ROLLBACK TO s;
FETCH 1 FROM k;
COMMIT;

-- LIMIT stops early and the entry is whole
SELECT cached_query_clear() >= 0 AS cleared;
CALL cq_test.swept();
SELECT * FROM cq_test.call($$SELECT a FROM cached_query('SELECT g FROM generate_series(1, 1000) AS g', '1h') AS t(a int) LIMIT 2$$);
SELECT * FROM cq_test.call($$SELECT count(*), sum(a) FROM cached_query('SELECT g FROM generate_series(1, 1000) AS g', '1h') AS t(a int)$$);
SELECT * FROM cq_test.call($$SELECT EXISTS (SELECT FROM cached_query('SELECT g FROM generate_series(1, 1001) AS g', '1h') AS t(a int))$$);
SELECT * FROM cq_test.call($$SELECT count(*), sum(a) FROM cached_query('SELECT g FROM generate_series(1, 1001) AS g', '1h') AS t(a int)$$);

-- PL/pgSQL: loops, early exit, exception blocks, RETURN QUERY
CREATE FUNCTION walk(stop int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE r record; n int := 0;
BEGIN
	FOR r IN SELECT * FROM cached_query('SELECT g FROM generate_series(1, 1002) AS g', '1h') AS t(a int) LOOP
		EXIT WHEN r.a > stop;
		BEGIN
			n := n + 1000 / (r.a - 3);
		EXCEPTION WHEN division_by_zero THEN
			n := n + 1;
		END;
	END LOOP;
	RETURN n;
END $$;
SELECT * FROM cq_test.call('SELECT walk(5)');
SELECT * FROM cq_test.call('SELECT walk(2000)');
SELECT * FROM cq_test.call('SELECT walk(5)');
DO $$
DECLARE before jsonb := cq_test.counts(); n bigint; r record;
BEGIN
	FOR i IN 1 .. 5 LOOP
		UPDATE t SET v = v + 1 WHERE id = 1;
		SELECT s INTO n FROM cached_query('SELECT sum(v) + 3 FROM t', '1h') AS t(s bigint);
		COMMIT;
	END LOOP;
	FOR r IN SELECT a FROM cached_query('SELECT g FROM generate_series(1, 3) AS g', '1h') AS t(a int) LOOP
		COMMIT;
	END LOOP;
	FOR r IN SELECT a FROM cached_query('SELECT g FROM generate_series(1, 3) AS g', '1h') AS t(a int) LOOP
		INSERT INTO other VALUES (r.a);
		ROLLBACK;
	END LOOP;
	RAISE NOTICE '%', cq_test.since(before);
END $$;

-- DISCARD ALL, and a plan invalidated by it
SELECT * FROM cq_test.call(:'q');
DISCARD ALL;
SET search_path = cq_xact, public;
SELECT * FROM cq_test.call(:'q');
DISCARD PLANS;
SELECT * FROM cq_test.call(:'q');

DROP SCHEMA cq_xact CASCADE;

-- what now() says is as old as the transaction, whatever the snapshot
BEGIN;
SELECT pg_sleep(0.3);
SELECT count(*) FROM cached_query('SELECT now()', '250ms') AS t(x timestamptz);
COMMIT;
SELECT now() - x < '250ms' AS young FROM cached_query('SELECT now()', '250ms') AS t(x timestamptz);
