--
-- consistency = exact: a hit is what the query would return under this snapshot.  Each kind of
-- write that PostgreSQL has, after which the cached answer must be the direct one at once; and what
-- is no write must leave the hit alone.
--
\set oids 50000
\i sql/parts/same_oids.sql
CREATE SCHEMA cq_exact;
SET search_path = cq_exact, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
SET cached_query.consistency = exact;
CREATE TABLE a (id int PRIMARY KEY, v int);
CREATE TABLE b (id int PRIMARY KEY, aid int REFERENCES a ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE p (k int, v int) PARTITION BY LIST (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
CREATE TABLE other (x int);
CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM a;
CREATE UNIQUE INDEX ON m (n);
CREATE UNLOGGED TABLE u (x int);
CREATE FUNCTION f() RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT sum(v) FROM a); END $$;
CREATE FUNCTION trig() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE a SET v = v + 1; RETURN NULL; END $$;
CREATE TRIGGER trig AFTER INSERT ON other EXECUTE FUNCTION trig();
INSERT INTO a SELECT g, g FROM generate_series(1, 5) AS g;
INSERT INTO b SELECT g, g FROM generate_series(1, 5) AS g;

-- the queries: a plain table, one by a function, a join, partitions by root and leaf, a matview
CREATE TABLE q (name text, query text);
INSERT INTO q VALUES ('a', 'SELECT count(*), sum(v) FROM a'), ('fn', 'SELECT f()'), ('join', 'SELECT count(*) FROM a JOIN b ON a.id = b.aid'),
	('p', 'SELECT count(*), sum(v), sum(k) FROM p'), ('p1', 'SELECT count(*), sum(v) FROM p1'), ('m', 'SELECT n FROM m'), ('u', 'SELECT count(*) FROM u'),
	('const', 'SELECT 1');
-- outcome of each, twice; says "wrong" where the rows are not the direct ones
CREATE FUNCTION round_() RETURNS text LANGUAGE plpgsql AS $$
DECLARE r record; direct text[]; got record; result text := ''; stmt text;
BEGIN
	FOR r IN SELECT * FROM q ORDER BY name COLLATE "C" LOOP
		stmt := cq_test.statement(r.query);
		direct := cq_test.rows(r.query);
		got := cq_test.call(stmt);
		IF got.outcome <> 'hit' OR got.rows <> direct THEN
			result := result || format('%s %s%s; ', r.name, got.outcome, CASE WHEN got.rows <> direct THEN ' wrong' END);
		END IF;
		got := cq_test.call(stmt);
		IF got.outcome <> 'hit' OR got.rows <> direct THEN
			result := result || format('%s again %s%s; ', r.name, got.outcome, CASE WHEN got.rows <> direct THEN ' wrong' END);
		END IF;
	END LOOP;
	RETURN CASE WHEN result = '' THEN 'all hits' ELSE result END;
END $$;
SELECT round_();
SELECT round_();
SELECT DISTINCT consistency, state FROM cached_query_entries WHERE query IN (SELECT query FROM q);

-- rows
INSERT INTO a VALUES (6, 6);
SELECT round_();
UPDATE a SET v = 60 WHERE id = 6;
SELECT round_();
UPDATE a SET v = 61 WHERE id = 6;
UPDATE a SET v = 60 WHERE id = 6;
SELECT round_();
DELETE FROM a WHERE id = 6;
SELECT round_();
DELETE FROM a WHERE id = 5;
SELECT round_();
UPDATE a SET id = 50 WHERE id = 4;
SELECT round_();
INSERT INTO a VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET v = 100;
SELECT round_();
MERGE INTO a USING (VALUES (1), (7)) AS s(id) ON a.id = s.id WHEN MATCHED THEN UPDATE SET v = 0 WHEN NOT MATCHED THEN INSERT VALUES (s.id, 7);
SELECT round_();
WITH w AS (DELETE FROM a WHERE id = 7 RETURNING *) SELECT count(*) FROM w;
SELECT round_();
COPY a FROM STDIN;
8	8
9	9
\.
SELECT round_();
INSERT INTO other VALUES (1);
SELECT round_();
DO $$ BEGIN INSERT INTO a VALUES (10, 10); COMMIT; INSERT INTO u VALUES (1); COMMIT; END $$;
SELECT round_();
DO $$ BEGIN BEGIN INSERT INTO a VALUES (11, 11); RAISE 'x'; EXCEPTION WHEN OTHERS THEN NULL; END; INSERT INTO u VALUES (2); END $$;
SELECT round_();
-- partitions: routed, moved, direct
INSERT INTO p VALUES (1, 10), (2, 20);
SELECT round_();
UPDATE p SET k = 2 WHERE k = 1;
SELECT round_();
INSERT INTO p1 VALUES (1, 5);
SELECT round_();
INSERT INTO p2 VALUES (2, 5);
SELECT round_();
-- whole tables
TRUNCATE u;
SELECT round_();
TRUNCATE p;
SELECT round_();
REFRESH MATERIALIZED VIEW m;
SELECT round_();
ALTER TABLE a ALTER v TYPE bigint;
SELECT round_();
CREATE TABLE p3 PARTITION OF p FOR VALUES IN (3);
SELECT round_();
CREATE TABLE p4 (k int, v int);
INSERT INTO p4 VALUES (4, 4);
ALTER TABLE p ATTACH PARTITION p4 FOR VALUES IN (4);
SELECT round_();
ALTER TABLE p DETACH PARTITION p4;
SELECT round_();
-- two phases
BEGIN;
INSERT INTO a VALUES (20, 20);
PREPARE TRANSACTION 'cq_exact';
SELECT round_();
COMMIT PREPARED 'cq_exact';
SELECT round_();
BEGIN;
INSERT INTO a VALUES (21, 21);
PREPARE TRANSACTION 'cq_exact';
SELECT round_();
ROLLBACK PREPARED 'cq_exact';
SELECT count(*) FROM a;
SELECT round_() LIKE '%wrong%' AS wrong;

-- no writes: reads, locks, an update of no row, a rollback, a savepoint rolled back, another table, statistics
SELECT round_();
SELECT count(*) FROM a;
BEGIN; SELECT id FROM a WHERE id = 1 FOR UPDATE; COMMIT;
SELECT round_();
UPDATE a SET v = 0 WHERE false;
SELECT round_();
BEGIN; UPDATE a SET v = 0; ROLLBACK;
SELECT round_();
BEGIN; SAVEPOINT s; DELETE FROM b; ROLLBACK TO s; INSERT INTO u VALUES (1); COMMIT;
SELECT round_();
ALTER TABLE other DISABLE TRIGGER trig;
INSERT INTO other VALUES (2);
SELECT round_();
VACUUM a;
SELECT round_() LIKE '%wrong%' AS wrong;

-- REPEATABLE READ: the answer of its own snapshot
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT round_();
SELECT round_();
INSERT INTO b VALUES (100, 1);
SELECT round_();
COMMIT;
SELECT round_();

-- an answer that ttl filled doesn't pass for exact unless it is; and the other way about
SET cached_query.consistency = ttl;
SELECT * FROM cq_test.call($$SELECT * FROM cached_query('SELECT sum(v) + 1 FROM a', '1h') AS t(n numeric)$$);
UPDATE a SET v = v + 1 WHERE id = 1;
SELECT * FROM cq_test.call($$SELECT * FROM cached_query('SELECT sum(v) + 1 FROM a', '1h') AS t(n numeric)$$);
SET cached_query.consistency = exact;
SELECT * FROM cq_test.call($$SELECT * FROM cached_query('SELECT sum(v) + 1 FROM a', '1h') AS t(n numeric)$$);
SET cached_query.consistency = ttl;
SELECT * FROM cq_test.call($$SELECT * FROM cached_query('SELECT sum(v) + 1 FROM a', '1h') AS t(n numeric)$$);

-- writes while track_counts is off can't be told apart: all exact answers go, none is wrong
SET cached_query.consistency = exact;
SELECT round_() LIKE '%wrong%' AS wrong;
SET client_min_messages = error;
SET track_counts = off;
UPDATE a SET v = v + 1 WHERE id = 1;
RESET track_counts;
RESET client_min_messages;
SELECT round_() LIKE '%wrong%' AS wrong;
SELECT round_();
-- this one makes temporary tables, after which this session doesn't cache queries with functions
INSERT INTO a VALUES (112, 12);
REFRESH MATERIALIZED VIEW CONCURRENTLY m;
SELECT round_();
RESET cached_query.consistency;

-- an access method that may not count its writes: ttl only
CREATE ACCESS METHOD cq_other_heap TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE by_method (v int) USING cq_other_heap;
SELECT cacheable, reason, detail, consistency FROM cached_query_explain('SELECT v FROM by_method');
SET cached_query.consistency = exact;
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query('SELECT v FROM by_method', '1h') AS t(v int) $$);
-- explain tells what a call of this session would meet; with ttl a write is no reason to run again
CREATE TABLE written (v int);
SELECT * FROM cached_query('SELECT v FROM written', '1h') AS t(v int);
SELECT state FROM cached_query_explain('SELECT v FROM written');
INSERT INTO written VALUES (1);
SELECT state FROM cached_query_explain('SELECT v FROM written');
SET cached_query.consistency = ttl;
SELECT state FROM cached_query_explain('SELECT v FROM written');
SELECT * FROM cached_query('SELECT v FROM written', '1h') AS t(v int);
SET cached_query.consistency = exact;
SELECT * FROM cached_query('SELECT v FROM written', '1h') AS t(v int);
DROP TABLE written;

RESET cached_query.consistency;
DROP TABLE by_method;
DROP ACCESS METHOD cq_other_heap;

DROP SCHEMA cq_exact CASCADE;
