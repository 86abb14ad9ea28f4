--
-- Explicit invalidation: what it matches and how many, effect at commit and none on rollback, the
-- own transaction sees it at once; and DDL, which invalidates by itself.
--
\set oids 60000
\i sql/parts/same_oids.sql
CREATE SCHEMA cq_inv;
SET search_path = cq_inv, public;
CREATE TABLE a (v int);
CREATE TABLE b (v int);
INSERT INTO a VALUES (1);
INSERT INTO b VALUES (2);
CREATE VIEW ab AS SELECT v FROM a UNION ALL SELECT v FROM b;
SELECT $$SELECT * FROM cached_query('SELECT v FROM a', '1h') AS t(v int)$$ AS qa, $$SELECT * FROM cached_query('SELECT v FROM b', '1h') AS t(v int)$$ AS qb,
	$$SELECT * FROM cached_query('SELECT v FROM ab ORDER BY v', '1h') AS t(v int)$$ AS qab,
	$$SELECT * FROM cached_query('SELECT v + $1 FROM a', '1h', 10) AS t(v int)$$ AS q10, $$SELECT * FROM cached_query('SELECT v + $1 FROM a', '1h', 20) AS t(v int)$$ AS q20 \gset
-- all of them at once, as outcomes
CREATE FUNCTION round_(VARIADIC stmts text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text; stmt text;
BEGIN
	FOREACH stmt IN ARRAY stmts LOOP result := concat_ws(', ', result, (cq_test.call(stmt)).outcome); END LOOP;
	RETURN result;
END $$;
SELECT cached_query_clear() >= 0 AS cleared;
CALL cq_test.swept();
SELECT round_(:'qa', :'qb', :'qab', :'q10', :'q20');
SELECT round_(:'qa', :'qb', :'qab', :'q10', :'q20');

-- by query; args matter
SELECT cached_query_invalidate('SELECT v FROM a');
CALL cq_test.swept();
SELECT round_(:'qa', :'qb', :'qab', :'q10', :'q20');
SELECT cached_query_invalidate('SELECT v + $1 FROM a', 20);
CALL cq_test.swept();
SELECT round_(:'qa', :'qb', :'qab', :'q10', :'q20');
SELECT cached_query_invalidate('SELECT v + $1 FROM a', 30), cached_query_invalidate('SELECT v AS w FROM a'), cached_query_invalidate('SELECT v + $1 FROM a', 20::bigint);
CALL cq_test.swept();
SELECT round_(:'qa', :'qb', :'qab', :'q10', :'q20');
-- by relation: through views too
SELECT cached_query_invalidate_relation('b');
CALL cq_test.swept();
SELECT round_(:'qa', :'qb', :'qab', :'q10', :'q20');
SELECT cached_query_invalidate_relation('ab');
CALL cq_test.swept();
SELECT round_(:'qa', :'qb', :'qab', :'q10', :'q20');
SELECT cached_query_invalidate_relation('a');
CALL cq_test.swept();
SELECT round_(:'qa', :'qb', :'qab', :'q10', :'q20');
-- by tag
SET cached_query.tag = 'left';
SELECT cached_query_clear() > 0 AS cleared;
CALL cq_test.swept();
SELECT round_(:'qa', :'q10');
SET cached_query.tag = 'right';
SELECT round_(:'qb');
RESET cached_query.tag;
SELECT round_(:'qab', :'q20');
SELECT tag, count(*) FROM cached_query_entries WHERE state = 'fresh' GROUP BY tag ORDER BY tag;
SELECT cached_query_invalidate_tag('left'), cached_query_invalidate_tag('nobody');
CALL cq_test.swept();
SELECT round_(:'qa', :'qb', :'qab', :'q10', :'q20');
SELECT cached_query_invalidate_tag('left'), cached_query_invalidate_tag('right');
-- all
CALL cq_test.swept();
SELECT round_(:'qa', :'qb', :'qab', :'q10', :'q20');
SELECT cached_query_clear();
CALL cq_test.swept();
SELECT round_(:'qa', :'qb', :'qab', :'q10', :'q20');
SELECT cached_query_clear(), cached_query_clear() AS once_more;

-- in a transaction: the own one sees it at once, nothing happens on rollback
CALL cq_test.swept();
SELECT round_(:'qa', :'qb');
BEGIN;
SELECT cached_query_invalidate('SELECT v FROM a');
SELECT round_(:'qa', :'qb');
SELECT round_(:'qa', :'qb');
ROLLBACK;
SELECT round_(:'qa', :'qb');
BEGIN;
SELECT cached_query_clear() > 0 AS cleared;
SELECT round_(:'qa', :'qb');
ROLLBACK;
SELECT round_(:'qa', :'qb');
BEGIN;
SELECT cached_query_invalidate_relation('a'), cached_query_invalidate_tag('right');
SAVEPOINT s;
SELECT cached_query_invalidate_relation('b');
SELECT round_(:'qa', :'qb');
ROLLBACK TO s;
SELECT round_(:'qa');
COMMIT;
CALL cq_test.swept();
SELECT round_(:'qa', :'qb');
-- and with changed rows: committed together with them
BEGIN;
UPDATE a SET v = 5;
SELECT cached_query_invalidate_relation('a') > 0 AS matched;
COMMIT;
CALL cq_test.swept();
SELECT * FROM cq_test.call(:'qa');
-- twice in one transaction, and after an aborted one
BEGIN;
SELECT cached_query_invalidate('SELECT v FROM a');
SELECT cached_query_invalidate('SELECT v FROM a');
COMMIT;
CALL cq_test.swept();
SELECT round_(:'qa');
BEGIN;
SELECT cached_query_invalidate('SELECT v FROM a');
SELECT 1 / 0;
ROLLBACK;
SELECT round_(:'qa');
-- 2PC
SELECT current_setting('max_prepared_transactions')::int > 0 AS twophase \gset
\if :twophase
BEGIN;
SELECT cached_query_invalidate('SELECT v FROM a');
PREPARE TRANSACTION 'cq_inv';
SELECT round_(:'qa');
COMMIT PREPARED 'cq_inv';
\else
SELECT cached_query_invalidate('SELECT v FROM a');
\endif
SELECT cacheable, state FROM cached_query_explain('SELECT v FROM a');
SELECT round_(:'qa');

-- also in a transaction that may not write: no data changes
BEGIN READ ONLY;
SELECT cached_query_invalidate('SELECT v FROM a');
COMMIT;
CALL cq_test.swept();
SELECT round_(:'qa');

-- refresh replaces at once, also a younger answer
UPDATE a SET v = 6;
SELECT cached_query_refresh('SELECT v FROM a', '1h');
SELECT * FROM cq_test.call(:'qa');
-- an entry that is expired or invalidated says so
SELECT cached_query_invalidate_relation('a') > 0 AS matched;
CALL cq_test.swept();
SELECT state, count(*) > 0 AS some FROM cached_query_entries WHERE query = 'SELECT v FROM a' GROUP BY state;
SELECT * FROM cached_query('SELECT 4321', '20ms') AS t(v int);
SELECT pg_sleep(0.05);
SELECT state FROM cached_query_explain('SELECT 4321');
SELECT count(*) FROM cached_query_entries WHERE query = 'SELECT 4321' AND state = 'fresh';
SELECT * FROM cq_test.call($$SELECT * FROM cached_query('SELECT 4321', '20ms') AS t(v int)$$);

-- DDL invalidates in either consistency: each statement on its own, after which the next call must not hit
CREATE ROLE regress_cq_inv;
SELECT round_(:'qab');
ALTER TABLE a ADD COLUMN w int;
SELECT round_(:'qab', :'qab');
TRUNCATE b;
SELECT round_(:'qab', :'qab');
ALTER TABLE b ALTER COLUMN v SET NOT NULL;
SELECT rows FROM cq_test.call(:'qab');
GRANT SELECT ON b TO regress_cq_inv;
SELECT rows FROM cq_test.call(:'qab');
CREATE INDEX ai ON a (v);
CLUSTER a USING ai;
SELECT rows FROM cq_test.call(:'qab');
VACUUM FULL b;
SELECT rows FROM cq_test.call(:'qab');
ALTER TABLE b RENAME TO b2;
SELECT * FROM cq_test.call(:'qab');
SELECT (cq_test.fails(:'qb')).code;
DROP VIEW ab;
DROP TABLE a, b2;
SELECT (cq_test.fails(:'qa')).code;
SELECT count(*) FROM cached_query_entries WHERE query LIKE 'SELECT v FROM a%' AND state = 'fresh';

DROP ROLE regress_cq_inv;
DROP SCHEMA cq_inv CASCADE;
