--
-- Tracked tables: a write invalidates only the exact results that read the same values of a key.  What survives is
-- asserted, and each answer equals the direct one.
--
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS cq_tracked CASCADE;
RESET client_min_messages;
CREATE SCHEMA cq_tracked;
SET search_path = cq_tracked, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
SET cached_query.consistency = exact;

CREATE TABLE t (tenant int, id int PRIMARY KEY, v int, seen int DEFAULT 0, note text);
CREATE TABLE b (tenant int, id int, v int);
CREATE INDEX ON t (tenant);
CREATE INDEX ON b (tenant, id);
INSERT INTO t SELECT g % 10, g, g, 0, 'n' || g FROM generate_series(1, 200) AS g;
INSERT INTO b SELECT g % 10, g, g FROM generate_series(1, 100) AS g;
INSERT INTO t (tenant, id, v) VALUES (NULL, 1000, 1000);
ANALYZE t, b;
CREATE VIEW of_setting AS SELECT * FROM t WHERE tenant = current_setting('cq.tenant')::int;
CREATE FUNCTION plain(a int) RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT sum(v) FROM t WHERE tenant = a); END $$;
CREATE FUNCTION inlined(a int) RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT sum(v) FROM t WHERE tenant = a $$;

-- what can be tracked
SELECT cached_query_track('t', '{tenant,id}', '{seen}');
SELECT cached_query_track('b', ARRAY['tenant']);
SELECT relation, keys, quiet, trigger, firing, state FROM cached_query_tracked ORDER BY relation::text;
SELECT tgenabled, tgargs FROM pg_trigger WHERE tgrelid = 't'::regclass;

CREATE TABLE q (name text, query text, args text[]);
INSERT INTO q VALUES
	-- pinned
	('const', 'SELECT count(*), sum(v) FROM t WHERE tenant = 7', '{}'),
	('param', 'SELECT count(*), sum(v) FROM t WHERE tenant = $1', '{7}'),
	('other', 'SELECT count(*), sum(v) FROM t WHERE tenant = $1', '{8}'),
	('big', 'SELECT count(*), sum(v) FROM t WHERE tenant = $1', ARRAY['7::bigint']),
	('swapped', 'SELECT count(*), sum(v) FROM t WHERE $1 = tenant', '{7}'),
	('in', 'SELECT count(*), sum(v) FROM t WHERE tenant IN (7, 9)', '{}'),
	('any', 'SELECT count(*), sum(v) FROM t WHERE tenant = ANY ($1)', ARRAY['ARRAY[7, NULL, 9]']),
	('null', 'SELECT count(*), sum(v) FROM t WHERE tenant IS NULL', '{}'),
	('nothing', 'SELECT count(*), sum(v) FROM t WHERE tenant = $1', ARRAY['NULL::int']),
	('id', 'SELECT v FROM t WHERE id = $1', '{7}'),
	('both', 'SELECT v FROM t WHERE id = $1 AND tenant = $2', '{7,7}'),
	('only', 'SELECT id FROM t WHERE id = $1', '{7}'),
	('ordered', 'SELECT v FROM t WHERE tenant = $1 ORDER BY id LIMIT 3', '{7}'),
	('join', 'SELECT count(*) FROM t JOIN b USING (tenant, id) WHERE tenant = $1', '{7}'),
	('left', 'SELECT count(b.v) FROM t LEFT JOIN b ON b.tenant = t.tenant AND b.tenant = $1 AND b.id = t.id WHERE t.tenant = $1', '{7}'),
	('union', 'SELECT sum(s) FROM (SELECT sum(v) AS s FROM t WHERE tenant = $1 UNION ALL SELECT sum(v) FROM b WHERE tenant = $1) AS u', '{7}'),
	('exists', 'SELECT count(*) FROM t WHERE tenant = $1 AND EXISTS (SELECT FROM b WHERE b.tenant = t.tenant AND b.tenant = $1)', '{7}'),
	('with', 'WITH c AS (SELECT v FROM t WHERE tenant = $1) SELECT count(*), sum(v) FROM c', '{7}'),
	('setting', 'SELECT count(*), sum(v) FROM of_setting', '{}'),
	('init', 'SELECT count(*), sum(v) FROM t WHERE tenant = (SELECT max(tenant) FROM b WHERE tenant = $1)', '{7}'),
	-- not pinned
	('all', 'SELECT count(*), sum(v) FROM t', '{}'),
	('or', 'SELECT count(*), sum(v) FROM t WHERE tenant = 7 OR v = 9', '{}'),
	('range', 'SELECT count(*), sum(v) FROM t WHERE tenant >= 7 AND tenant < 8', '{}'),
	('outer', 'SELECT count(*) FROM t LEFT JOIN b ON b.id = t.id AND t.tenant = 7 AND b.tenant = 7', '{}'),
	('limit', 'SELECT count(*) FROM (SELECT tenant FROM t ORDER BY id LIMIT 50) AS l WHERE tenant = 7', '{}'),
	('loop', 'SELECT count(*) FROM b, LATERAL (SELECT v FROM t WHERE t.tenant = b.tenant LIMIT 1) AS l WHERE b.tenant = 7 AND b.id < 20', '{}'),
	('inside', 'SELECT plain(7)', '{}'),
	('function', 'SELECT inlined(7) FROM b WHERE tenant = 7 AND id = 7', '{}'),
	-- quiet columns
	('seen', 'SELECT sum(seen) FROM t WHERE tenant = $1', '{7}'),
	('whole', 'SELECT t FROM t WHERE id = 7', '{}'),
	('star', 'SELECT * FROM t WHERE id = 7', '{}'),
	('sub', 'SELECT count(*) FROM t AS a WHERE tenant = 7 AND EXISTS (SELECT FROM b WHERE b.tenant = 7 AND b.v > a.seen)', '{}'),
	('using', 'SELECT x.seen FROM (SELECT * FROM t JOIN b USING (tenant, id) WHERE tenant = 7) AS x ORDER BY id LIMIT 2', '{}');
SET cq.tenant = '7';
\i sql/parts/round.sql
SELECT round_();
SELECT round_();
SELECT query, granularity FROM cached_query_entries WHERE origin <> 'auto' AND database = current_database() AND 'cq_tracked.t'::regclass = ANY (relations) ORDER BY query COLLATE "C", args COLLATE "C";

-- another key, and the same
UPDATE t SET v = v + 1 WHERE id = 6;
SELECT round_();
UPDATE t SET v = v + 1 WHERE id = 7;
SELECT round_();
UPDATE t SET v = v + 1 WHERE id = 17;
SELECT round_();
-- a row goes to another key, and comes back
UPDATE t SET tenant = 6 WHERE id = 17;
SELECT round_();
UPDATE t SET tenant = 7 WHERE id = 17;
SELECT round_();
UPDATE t SET tenant = NULL WHERE id = 17;
SELECT round_();
BEGIN; UPDATE t SET tenant = 7 WHERE id = 17; UPDATE t SET tenant = 5 WHERE id = 17; UPDATE t SET tenant = 7 WHERE id = 17; COMMIT;
SELECT round_();
-- a row comes and goes
INSERT INTO t (tenant, id, v) VALUES (6, 206, 1);
SELECT round_();
INSERT INTO t (tenant, id, v) VALUES (7, 207, 1);
SELECT round_();
DELETE FROM t WHERE id IN (206, 207);
SELECT round_();
-- nothing changes, or a quiet column
UPDATE t SET v = v;
SELECT round_();
UPDATE t SET seen = seen + 1 WHERE id = 6;
SELECT round_();
UPDATE t SET seen = seen + 1 WHERE id = 7;
SELECT round_();
UPDATE t SET seen = seen + 1, v = v + 1 WHERE id = 6;
SELECT round_();
-- the other table
UPDATE b SET v = v + 1 WHERE tenant = 6;
SELECT round_();
UPDATE b SET v = v + 1 WHERE tenant = 7;
SELECT round_();
-- all ways to write that fire triggers
BEGIN; SAVEPOINT s; UPDATE t SET v = 0 WHERE id = 7; ROLLBACK TO s; UPDATE t SET v = v + 1 WHERE id = 6; COMMIT;
SELECT round_();
DO $$ BEGIN FOR i IN 1 .. 3 LOOP BEGIN UPDATE t SET v = v + 1 WHERE id = 6; IF i = 2 THEN RAISE 'x'; END IF; EXCEPTION WHEN raise_exception THEN NULL; END; END LOOP; END $$;
SELECT round_();
INSERT INTO t (tenant, id, v) VALUES (6, 6, 1) ON CONFLICT (id) DO UPDATE SET v = t.v + 1;
SELECT round_();
INSERT INTO t (tenant, id, v) VALUES (6, 6, 1) ON CONFLICT (id) DO NOTHING;
SELECT round_();
MERGE INTO t USING (VALUES (6), (206)) AS s (id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = t.v + 1 WHEN NOT MATCHED THEN INSERT (tenant, id, v) VALUES (6, s.id, 1);
SELECT round_();
COPY t (tenant, id, v) FROM stdin;
6	216	1
6	226	1
\.
SELECT round_();
BEGIN; UPDATE t SET v = v + 1 WHERE id = 6; PREPARE TRANSACTION 'cq_tracked';
COMMIT PREPARED 'cq_tracked';
SELECT round_();
SET session_replication_role = replica;
UPDATE t SET v = v + 1 WHERE id = 6;
RESET session_replication_role;
SELECT round_();
DELETE FROM t WHERE id > 200 AND id < 1000;
SELECT round_();

-- what the trigger is not told of voids all that read the table, also pinned ones of another key
CREATE FUNCTION by_key() RETURNS text LANGUAGE sql AS $$ SELECT round_() LIKE '%other;%param;%' $$;
ALTER TABLE t DISABLE TRIGGER cached_query_track;
SELECT round_() <> '' AS any;
UPDATE t SET v = v + 1 WHERE id = 6;
SELECT by_key() AS all_void;
ALTER TABLE t ENABLE TRIGGER cached_query_track;
SELECT firing FROM cached_query_tracked WHERE relation = 't'::regclass;
SELECT round_() <> '' AS any;
SET session_replication_role = replica;
UPDATE t SET v = v + 1 WHERE id = 6;
RESET session_replication_role;
SELECT by_key() AS all_void;
ALTER TABLE t ENABLE ALWAYS TRIGGER cached_query_track;
-- both in a transaction
SELECT round_() <> '' AS any;
BEGIN; UPDATE t SET v = v + 1 WHERE id = 6; ALTER TABLE t DISABLE TRIGGER cached_query_track; UPDATE t SET v = v + 1 WHERE id = 6;
ALTER TABLE t ENABLE ALWAYS TRIGGER cached_query_track; COMMIT;
SELECT by_key() AS all_void;
BEGIN; CREATE TABLE copy AS SELECT * FROM t; TRUNCATE t; INSERT INTO t SELECT * FROM copy; COMMIT;
SELECT by_key() AS all_void;
TRUNCATE t;
SELECT by_key() AS all_void;
INSERT INTO t SELECT * FROM copy;
SELECT round_() <> '' AS any;
-- more keys than are noted
UPDATE t SET v = v + 1 WHERE id <= 150;
SELECT by_key() AS all_void;
-- tracked by something else, in the middle of a transaction; not at all; by a trigger made by hand
BEGIN; UPDATE t SET v = v + 1 WHERE id = 6; SELECT cached_query_track('t', '{id}'); UPDATE t SET v = v + 1 WHERE id = 6; COMMIT;
SELECT by_key() AS all_void;
UPDATE t SET v = v + 1 WHERE id = 6;
SELECT by_key() AS all_void;
UPDATE t SET v = v + 1 WHERE id = 6;
SELECT round_();
SELECT cached_query_untrack('t');
SELECT round_() <> '' AS any;
UPDATE t SET v = v + 1 WHERE id = 6;
SELECT by_key() AS all_void;
SELECT cached_query_untrack('t');
CREATE TRIGGER a_when AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW WHEN (pg_trigger_depth() < 100) EXECUTE FUNCTION cached_query_tracker('tenant', '');
SELECT trigger, state FROM cached_query_tracked WHERE relation = 't'::regclass;
SELECT round_() <> '' AS any;
UPDATE t SET v = v + 1 WHERE id = 6;
SELECT by_key() AS all_void;
DROP TRIGGER a_when ON t;
CREATE TRIGGER a_keyless AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION cached_query_tracker('', '');
SELECT trigger, state FROM cached_query_tracked WHERE relation = 't'::regclass;
SELECT cached_query_track('t', '{tenant}');
SELECT trigger, state FROM cached_query_tracked WHERE relation = 't'::regclass ORDER BY trigger;
SELECT cached_query_untrack('t');
-- a column that is renamed is not there any more
SELECT cached_query_track('t', '{tenant,id}', '{seen}');
ALTER TABLE t RENAME COLUMN note TO remark;
SELECT state FROM cached_query_tracked WHERE relation = 't'::regclass;
ALTER TABLE t RENAME COLUMN seen TO last_seen;
SELECT state FROM cached_query_tracked WHERE relation = 't'::regclass;
ALTER TABLE t RENAME COLUMN last_seen TO seen;
SELECT state FROM cached_query_tracked WHERE relation = 't'::regclass;
SELECT round_() <> '' AS any;
UPDATE t SET v = v + 1 WHERE id = 6;
SELECT round_();

-- foreign keys' cascades, triggers that change the row, deferred constraints
CREATE TABLE f (tenant int, id int REFERENCES t ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED, v int);
CREATE FUNCTION to_tenant() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.tenant := new.v; RETURN new; END $$;
CREATE TRIGGER moves BEFORE INSERT ON f FOR EACH ROW EXECUTE FUNCTION to_tenant();
SELECT cached_query_track('f', '{tenant}');
INSERT INTO f SELECT 1, g, g % 10 FROM generate_series(1, 40) AS g;
DELETE FROM q;
INSERT INTO q VALUES ('f6', 'SELECT count(*) FROM f WHERE tenant = 6', '{}'), ('f7', 'SELECT count(*) FROM f WHERE tenant = 7', '{}'), ('f8', 'SELECT count(*) FROM f WHERE tenant = 8', '{}');
SELECT round_();
INSERT INTO f VALUES (8, 9, 7);
SELECT round_();
DELETE FROM t WHERE id = 16;
SELECT round_();
UPDATE t SET id = 500 WHERE id = 26;
SELECT round_();
SELECT relation, tracked > 0 AS tracked, untracked FROM cached_query_tracked WHERE relation = 'f'::regclass;

-- types: equal values of different types, and what is refused
CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN small AS int CHECK (VALUE < 1000);
CREATE TABLE types (i2 int2, i8 int8, c char(5), vc varchar(9), n numeric, f float8, u uuid, e mood, d small, ts timestamptz, bo boolean, no text COLLATE any_case, ar int[], js json);
DO $$ DECLARE c text; BEGIN
	FOREACH c IN ARRAY '{no,ar,js}'::text[] LOOP
		BEGIN PERFORM cached_query_track('types', ARRAY[c]); RAISE WARNING '% is tracked', c; EXCEPTION WHEN feature_not_supported THEN RAISE NOTICE '%', SQLERRM; END;
	END LOOP; END $$;
SELECT cached_query_track('types', '{i2,i8,c,vc,n,f,u,e}');
CREATE TABLE more_types (LIKE types);
SELECT cached_query_track('more_types', '{d,ts,bo}');
INSERT INTO types SELECT g, g, 'c' || g, 'v' || g, g, g, md5(g::text)::uuid, 'ok' FROM generate_series(0, 9) AS g;
INSERT INTO more_types (d, ts, bo) SELECT g, '2000-01-01'::timestamptz + g * interval '1 day', g % 2 = 0 FROM generate_series(0, 9) AS g;
DELETE FROM q;
INSERT INTO q VALUES
	('i2', 'SELECT count(*) FROM types WHERE i2 = 7::bigint', '{}'), ('i8', 'SELECT count(*) FROM types WHERE i8 = 7::smallint', '{}'),
	('c', 'SELECT count(*) FROM types WHERE c = $1', ARRAY['''c7''::char(5)']), ('vc', 'SELECT count(*) FROM types WHERE vc = $1', ARRAY['''v7''::text']),
	('n', 'SELECT count(*) FROM types WHERE n = 7.00', '{}'), ('f', 'SELECT count(*) FROM types WHERE f = 0::float4 * -1', '{}'),
	('u', 'SELECT count(*) FROM types WHERE u = $1', ARRAY['''8f14e45f-ceea-167a-5a36-dedd4bea2543''::uuid']),
	('sad', 'SELECT count(*) FROM types WHERE e = ''sad''', '{}'),
	('d', 'SELECT count(*) FROM more_types WHERE d = 7', '{}'), ('ts', 'SELECT count(*) FROM more_types WHERE ts = ''2000-01-08''::timestamptz', '{}');
SELECT round_();
SELECT round_();
UPDATE types SET e = e WHERE i2 = 3;
UPDATE types SET i2 = i2, js = '1' WHERE i2 = 3;
SELECT round_();
UPDATE types SET js = '1' WHERE i2 IN (0, 7);
SELECT round_();
UPDATE types SET f = '-0' WHERE i2 = 0;
SELECT round_();
UPDATE types SET n = 7.000 WHERE i2 = 7;
SELECT round_();
UPDATE types SET e = 'sad' WHERE i2 = 3;
SELECT round_();
UPDATE more_types SET js = '1' WHERE d = 7;
SELECT round_();

-- policies: a setting pins, an error in it is the query's
CREATE ROLE cq_tracked_user;
GRANT USAGE ON SCHEMA cq_tracked TO cq_tracked_user;
CREATE TABLE secret (tenant int, v int);
INSERT INTO secret SELECT g % 10, g FROM generate_series(1, 100) AS g;
ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON secret USING (tenant = current_setting('cq.tenant')::int);
GRANT SELECT ON secret TO cq_tracked_user;
SELECT cached_query_track('secret', '{tenant}');
SET ROLE cq_tracked_user;
SELECT * FROM cached_query('SELECT count(*), sum(v) FROM secret') AS r(n bigint, s bigint);
RESET ROLE;
UPDATE secret SET v = v + 1 WHERE tenant = 6;
SET ROLE cq_tracked_user;
SELECT granularity, state FROM cached_query_explain('SELECT count(*), sum(v) FROM secret');
SELECT rows, outcome FROM cq_test.call('SELECT * FROM cached_query(''SELECT count(*), sum(v) FROM secret'') AS r(n bigint, s bigint)');
RESET ROLE;
UPDATE secret SET v = v + 1 WHERE tenant = 7 AND v < 10;
SET ROLE cq_tracked_user;
SELECT rows, outcome FROM cq_test.call('SELECT * FROM cached_query(''SELECT count(*), sum(v) FROM secret'') AS r(n bigint, s bigint)');
SET cq.tenant = 'x';
SELECT * FROM cached_query('SELECT count(*), sum(v) FROM secret') AS r(n bigint, s bigint);
-- not to lock it, either
BEGIN; SELECT cached_query_track('secret', '{tenant}'); ROLLBACK;
BEGIN; SELECT cached_query_untrack('secret'); ROLLBACK;
BEGIN; SELECT cached_query_untrack('pg_class'); ROLLBACK;
RESET ROLE;

-- partitions: their triggers come and go with them
CREATE TABLE p (tenant int, at int, v int) PARTITION BY RANGE (at);
CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM (0) TO (100);
CREATE TABLE p_2 (v int, gone int, tenant int, at int);
ALTER TABLE p_2 DROP COLUMN gone;
SELECT cached_query_track('p', '{tenant}', '{v}');
ALTER TABLE p ATTACH PARTITION p_2 FOR VALUES FROM (100) TO (200);
INSERT INTO p SELECT g % 10, g, g FROM generate_series(0, 199) AS g;
DELETE FROM q;
INSERT INTO q VALUES ('p7', 'SELECT count(*) FROM p WHERE tenant = $1', '{7}'), ('p8', 'SELECT count(*) FROM p WHERE tenant = $1', '{8}'), ('p8v', 'SELECT sum(v) FROM p WHERE tenant = $1', '{8}'),
	('early8', 'SELECT count(*) FROM p WHERE tenant = $1 AND at < 100', '{8}');
SELECT round_();
UPDATE p SET tenant = 7, at = at + 0 WHERE at = 106;
SELECT round_();
UPDATE p SET at = 8 WHERE at = 106;
SELECT round_();
UPDATE p SET v = v + 1 WHERE at = 108;
SELECT round_();
INSERT INTO p_2 (tenant, at, v) VALUES (8, 150, 1);
SELECT round_();
UPDATE p_2 SET v = v + 1 WHERE at = 107;
SELECT round_();
DROP TRIGGER cached_query_track ON p;
SELECT round_() <> '' AS any;
UPDATE p SET v = v + 1 WHERE at = 105;
SELECT round_() LIKE '%p7;%' AS void;

-- refused
CREATE TEMP TABLE tmp (a int);
CREATE VIEW vw AS SELECT 1 AS a;
SELECT cached_query_track('tmp', '{a}');
SELECT cached_query_track('vw', '{a}');
SELECT cached_query_track('pg_class', '{oid}');
SELECT cached_query_track('b', '{}');
SELECT cached_query_track('b', NULL);
SELECT cached_query_track('b', '{NULL}');
SELECT cached_query_track('b', '{nope}');
SELECT cached_query_track('b', '{tenant,tenant}');
SELECT cached_query_track('b', '{tenant}', '{tenant}');
SELECT cached_query_tracker();
CREATE TRIGGER wrong BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION cached_query_tracker('tenant', '');
INSERT INTO b VALUES (1, 1, 1);
DROP TRIGGER wrong ON b;
-- a child by INHERITS that a query names beside its parent: a quiet column of it is read through the parent
CREATE TABLE parent (tenant int, id int, seen int);
CREATE TABLE child () INHERITS (parent);
INSERT INTO child SELECT g % 10, g, 0 FROM generate_series(1, 100) AS g;
SELECT cached_query_track('parent', '{tenant}', '{seen}'), cached_query_track('child', '{tenant}', '{seen}');
TRUNCATE q;
INSERT INTO q VALUES ('family', 'SELECT (SELECT sum(seen) FROM parent WHERE tenant = 7), (SELECT count(*) FROM child WHERE tenant = 7)', '{}');
SELECT round_() <> '' AS any;
SELECT round_();
UPDATE child SET seen = seen + 1 WHERE tenant = 6;
SELECT round_();
UPDATE child SET seen = seen + 1 WHERE tenant = 7;
SELECT round_();
-- a trigger whose function a superuser makes ours later: the table is tracked without a change of its own
CREATE FUNCTION other_() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TABLE later (tenant int, v int);
INSERT INTO later SELECT g % 10, g FROM generate_series(1, 100) AS g;
CREATE TRIGGER x AFTER INSERT OR UPDATE OR DELETE ON later FOR EACH ROW EXECUTE FUNCTION other_('tenant', '');
TRUNCATE q;
INSERT INTO q VALUES ('later', 'SELECT sum(v) FROM later', '{}');
SELECT round_() <> '' AS any;
CREATE OR REPLACE FUNCTION other_() RETURNS trigger LANGUAGE C AS '$libdir/cached_query', 'cached_query_tracker';
SELECT round_();
\c
SET cached_query.consistency = exact;
SET search_path = cq_tracked, public;
UPDATE later SET v = v + 1 WHERE tenant = 7;
SELECT round_();
-- a type that gets a hash operator class of users
CREATE TABLE price (m money);
CREATE OPERATOR CLASS money_hash DEFAULT FOR TYPE money USING hash AS OPERATOR 1 =, FUNCTION 1 (money, money) hashint8(bigint);
SELECT cached_query_track('price', '{m}');
DROP OPERATOR FAMILY money_hash USING hash;
-- names that need quotes
CREATE TABLE "odd, name" ("a, ""b" int, "C" int);
SELECT cached_query_track('"odd, name"', ARRAY['a, "b'], ARRAY['C']);
SELECT relation, keys, quiet, state FROM cached_query_tracked WHERE relation = '"odd, name"'::regclass;

-- what a transaction wrote itself
BEGIN;
UPDATE t SET v = v + 1 WHERE id = 6;
SELECT rows, outcome FROM cq_test.call('SELECT * FROM cached_query(''SELECT count(*) FROM t WHERE tenant = 6'') AS r(n bigint)');
ROLLBACK;

RESET ALL;
SET client_min_messages = warning;
DROP SCHEMA cq_tracked CASCADE;
DROP ROLE cq_tracked_user;
