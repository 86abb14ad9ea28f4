--
-- What writes make void, and which call of cached_query_track() would help: the hint in cached_query_candidates, and
-- what is predicted of tables that are tracked.
--
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS cq_hint CASCADE;
DROP ROLE IF EXISTS cq_hint_a, cq_hint_b;
RESET client_min_messages;
CREATE SCHEMA cq_hint;
SET search_path = cq_hint, public;
CREATE TABLE orders (tenant_id int, id int PRIMARY KEY, status text, seen int DEFAULT 0, price numeric, tags int[]);
INSERT INTO orders (tenant_id, id, status, price) SELECT g % 50, g, (ARRAY['new', 'old'])[g % 2 + 1], g FROM generate_series(1, 1000) AS g;
CREATE TABLE "Odd ""table'" ("the ""key\" int, other int);
INSERT INTO "Odd ""table'" SELECT g % 10, g FROM generate_series(1, 100) AS g;
CREATE TABLE part (tenant_id int, day int) PARTITION BY RANGE (day);
CREATE TABLE part_1 (day int, gone int, tenant_id int);
ALTER TABLE part_1 DROP COLUMN gone;
ALTER TABLE part ATTACH PARTITION part_1 FOR VALUES FROM (0) TO (10);
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (10) TO (20);
INSERT INTO part SELECT g % 7, g % 20 FROM generate_series(1, 200) AS g;
CREATE TABLE detail (order_id int, v int);
INSERT INTO detail SELECT g, g FROM generate_series(1, 1000) AS g;
CREATE VIEW of_setting AS SELECT * FROM orders WHERE tenant_id = current_setting('cq.tenant')::int;
CREATE FUNCTION inside(t int) RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT count(*) FROM orders WHERE tenant_id = t); END $$;
ANALYZE;
SET cq.tenant = '7';
SELECT cached_query_stats_reset();
SET cached_query.auto_min_time = 0;
SET cached_query.auto = observe;
CREATE VIEW hints AS
	SELECT substring(query from 'AS (n_[a-z_]+)') AS name, calls, would_hit, voided, voided_by, advice, hint
	  FROM cached_query_candidates WHERE database = current_database() AND query ~ 'AS n_' ORDER BY substring(query from 'AS (n_[a-z_]+)') COLLATE "C";

-- Each statement twice, with a write of another tenant between them.
CREATE TABLE q (query text);
INSERT INTO q VALUES
	('SELECT sum(price) AS n_const FROM orders WHERE tenant_id = 7'),
	('SELECT sum(price) AS n_swapped FROM orders WHERE 7 = tenant_id'),
	('SELECT sum(price) AS n_big FROM orders WHERE tenant_id = 7::bigint'),
	('SELECT sum(price) AS n_in FROM orders WHERE tenant_id IN (7, 8, 9)'),
	('SELECT sum(price) AS n_any FROM orders WHERE tenant_id = ANY (ARRAY[7, 9])'),
	('SELECT sum(price) AS n_null FROM orders WHERE tenant_id IS NULL'),
	('SELECT sum(price) AS n_setting FROM of_setting'),
	('SELECT sum(price) AS n_init FROM orders WHERE tenant_id = (SELECT min(order_id) FROM detail)'),
	('SELECT price AS n_best FROM orders WHERE status = ''new'' AND tenant_id = 7 AND tenant_id IS NULL IS FALSE'),
	('SELECT price AS n_id FROM orders WHERE tenant_id = 8 AND id = 8'),
	('SELECT sum(a.price) AS n_two FROM orders AS a, orders AS b WHERE a.tenant_id = 7 AND b.id = 9'),
	('SELECT sum(price) AS n_union FROM (SELECT price FROM orders WHERE tenant_id = 7 UNION ALL SELECT price FROM orders WHERE tenant_id = 8) AS u'),
	('SELECT sum(tenant_id) AS n_part FROM part WHERE tenant_id = 3'),
	('SELECT sum(other) AS n_odd FROM "Odd ""table''" WHERE "the ""key\" = 3'),
	-- none
	('SELECT sum(price) AS n_none_all FROM orders'),
	('SELECT sum(price) AS n_none_range FROM orders WHERE tenant_id > 3 AND tenant_id < 6'),
	('SELECT sum(price) AS n_none_or FROM orders WHERE tenant_id = 7 OR status = ''old'''),
	('SELECT sum(price) AS n_none_not FROM orders WHERE tenant_id <> 7'),
	('SELECT sum(price) AS n_none_array FROM orders WHERE tags = ARRAY[7]'),
	('SELECT sum(price) AS n_none_expression FROM orders WHERE tenant_id + 0 = 7'),
	('SELECT sum(price) AS n_none_row FROM orders, detail WHERE tenant_id = order_id'),
	('SELECT sum(a.price) AS n_none_one FROM orders AS a, orders AS b WHERE a.tenant_id = 7'),
	('SELECT sum(price) + inside(7) AS n_none_inside FROM orders WHERE tenant_id = 7');
CREATE PROCEDURE round_() LANGUAGE plpgsql AS $$
DECLARE statement text;
BEGIN
	FOR statement IN SELECT query FROM q LOOP
		EXECUTE statement;
	END LOOP;
END $$;
SET cached_query.auto_nested = on;
CALL round_();
UPDATE orders SET price = price + 1 WHERE id = 1;
UPDATE part SET day = day WHERE tenant_id = 1;
UPDATE "Odd ""table'" SET other = 0 WHERE other = 1;
CALL round_();
SELECT * FROM hints;
-- parameters
PREPARE p(int) AS SELECT sum(price) AS n_param FROM orders WHERE tenant_id = $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE p(7);
UPDATE orders SET price = price + 1 WHERE id = 1;
EXECUTE p(7);
RESET plan_cache_mode;
SELECT name, voided_by, advice, hint FROM hints WHERE name = 'n_param';

-- The call that it names is one that works, and then it isn't named any more.
SELECT substring(hint from ': (SELECT.*)$') AS call FROM hints WHERE name IN ('n_odd', 'n_part') ORDER BY name \gexec
SELECT relation, keys, quiet, state FROM cached_query_tracked ORDER BY relation::text COLLATE "C";
SELECT name, advice, hint FROM hints WHERE name IN ('n_odd', 'n_part');
-- a table that is tracked by another key keeps it, and what is quiet
SELECT cached_query_track('orders', keys => '{status}', quiet => '{seen}');
SELECT name, advice, hint FROM hints WHERE voided_by = 'orders'::regclass AND name IN ('n_const', 'n_best', 'n_two', 'n_none_all');
-- it is void by a write of any row still, and that is told
CALL round_();
UPDATE orders SET price = price + 1 WHERE id = 1;
CALL round_();
SELECT name, voided, voided_by, hint FROM hints WHERE name IN ('n_best', 'n_const', 'n_none_all');
SELECT substring(hint from ': (SELECT.*)$') AS call FROM hints WHERE name = 'n_const' \gexec
SELECT relation, keys, quiet, state FROM cached_query_tracked WHERE relation = 'orders'::regclass;

-- What is predicted goes by keys: another tenant's write voids nothing that reads one tenant.
CALL round_();
SELECT cached_query_stats_reset();
UPDATE orders SET price = price + 1 WHERE id = 1;
CALL round_();
SELECT name, would_hit, voided, voided_by, advice, hint FROM hints WHERE name IN ('n_const', 'n_setting', 'n_in', 'n_init', 'n_none_all', 'n_none_range');
UPDATE orders SET price = price + 1 WHERE tenant_id = 7;
CALL round_();
SELECT name, would_hit, voided, voided_by, advice, hint FROM hints WHERE name IN ('n_const', 'n_setting', 'n_in', 'n_init', 'n_none_all', 'n_none_range');
-- and so do the results that are kept
SET cached_query.auto = exact;
CALL round_();
UPDATE orders SET price = price + 1 WHERE id = 1;
CALL round_();
SELECT granularity FROM cached_query_entries WHERE origin = 'auto' AND query ~ 'AS n_const' AND query !~ 'cached_query';
SET cached_query.auto = observe;

-- What was noted of a table is told of what it is now.
ALTER TABLE orders RENAME COLUMN id TO number;
ALTER TABLE orders RENAME TO purchases;
SELECT name, voided_by, hint FROM hints WHERE name = 'n_none_all' OR hint IS NOT NULL;
SELECT cached_query_untrack('purchases');
SELECT sum(price) AS n_again FROM purchases WHERE tenant_id = 7;
UPDATE purchases SET price = price + 1 WHERE tenant_id = 1;
SELECT sum(price) AS n_again FROM purchases WHERE tenant_id = 7;
SET search_path = public;
SELECT hint FROM cq_hint.hints WHERE name = 'n_again';
SET search_path = cq_hint, public;
DROP VIEW of_setting;
ALTER TABLE purchases ALTER tenant_id TYPE int[] USING ARRAY[tenant_id];
SELECT voided_by, advice, hint FROM hints WHERE name = 'n_again';
ALTER TABLE purchases DROP COLUMN tenant_id;
SELECT voided_by, advice, hint FROM hints WHERE name = 'n_again';
DROP TABLE purchases;
SELECT advice, hint FROM hints WHERE name = 'n_again';

-- Temporary tables are none.
CREATE TEMP TABLE mine AS SELECT 1 AS k, 2 AS v;
SET cached_query.auto = ttl;
SELECT sum(v) AS n_temp FROM mine WHERE k = 1;
UPDATE mine SET v = 3;
SELECT sum(v) AS n_temp FROM mine WHERE k = 1;
SELECT hint FROM hints WHERE name = 'n_temp';
SET cached_query.auto = observe;

-- Who may not see the text of a statement sees no name of what it reads.
CREATE ROLE cq_hint_a;
CREATE ROLE cq_hint_b;
GRANT USAGE ON SCHEMA cq_hint TO PUBLIC;
GRANT SELECT ON detail, hints TO PUBLIC;
SET ROLE cq_hint_a;
SELECT sum(v) AS n_role FROM detail WHERE order_id = 7;
RESET ROLE;
UPDATE detail SET v = 1 WHERE order_id = 1;
SET ROLE cq_hint_a;
SELECT sum(v) AS n_role FROM detail WHERE order_id = 7;
SET cached_query.auto = off;
SELECT voided, voided_by, hint FROM cached_query_candidates WHERE role = 'cq_hint_a' AND voided > 0;
SET ROLE cq_hint_b;
SELECT voided, query, voided_by, hint FROM cached_query_candidates WHERE role = 'cq_hint_a' AND voided > 0;
RESET ROLE;
SELECT cached_query_stats_reset();
SET client_min_messages = warning;
DROP SCHEMA cq_hint CASCADE;
DROP ROLE cq_hint_a, cq_hint_b;
