--
-- cached_query in every place where a set-returning function may stand: the Custom Scan where it
-- can be, the function elsewhere, and the same rows from both, as miss and as hit.
--
CREATE SCHEMA cq_scan;
SET search_path = cq_scan, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
CREATE TABLE t (id int, g int, v text);
INSERT INTO t SELECT i, i % 3, 'v' || i FROM generate_series(1, 12) AS i;
ANALYZE t;
SET enable_memoize = off;
SET max_parallel_workers_per_gather = 0;

-- each statement has $Q$ where the relation stands: cached_query or the query in parentheses; run
-- as a miss (the text has a number of its own) and as a hit
CREATE SEQUENCE nr;
CREATE FUNCTION place(stmt text, query text DEFAULT 'SELECT id, g, v FROM t ORDER BY id',
					  list text DEFAULT 'id int, g int, v text') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	-- in each key, and does nothing here
	number text := set_config('gin_fuzzy_search_limit', nextval('nr')::text, true);
	call text := replace(stmt, '$Q$', format('cached_query(%L, ''1h'') AS q(%s)', query, list));
	direct text[] := cq_test.rows(replace(stmt, '$Q$', format('(%s) AS q', query)));
	a record := cq_test.call(call);
	b record := cq_test.call(call);
	line text;
	custom bool := false;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || call LOOP
		custom := custom OR line LIKE '%Custom Scan%';
	END LOOP;
	RETURN format('%s, then %s%s, %s rows', a.outcome, b.outcome, CASE WHEN custom THEN ', Custom Scan' END, cardinality(direct))
		|| coalesce(': miss ' || cq_test.compare(direct, a.rows), '') || coalesce(': hit ' || cq_test.compare(direct, b.rows), '');
END $$;
SELECT stmt, place(stmt) FROM (VALUES
	('SELECT * FROM $Q$'), ('SELECT v FROM $Q$'), ('SELECT count(*) FROM $Q$'), ('SELECT 1 FROM $Q$'),
	('SELECT id + g AS x FROM $Q$ WHERE id > 3 AND v <> ''v7'''), ('SELECT g, sum(id), array_agg(v ORDER BY v) FROM $Q$ GROUP BY g ORDER BY g'),
	('SELECT g FROM $Q$ GROUP BY g HAVING count(*) > 3 ORDER BY g DESC'), ('SELECT DISTINCT g FROM $Q$ ORDER BY 1'),
	('SELECT * FROM $Q$ ORDER BY v DESC LIMIT 3'), ('SELECT * FROM $Q$ OFFSET 5 LIMIT 2'),
	('SELECT id, lag(id) OVER (PARTITION BY g ORDER BY id) FROM $Q$ ORDER BY id'), ('SELECT * FROM $Q$ WHERE false'),
	('SELECT q FROM $Q$'), ('SELECT q::text FROM $Q$'), ('SELECT row_to_json(q) FROM $Q$'), ('SELECT q.* FROM $Q$ WHERE q IS NOT NULL'),
	('SELECT (q).v FROM $Q$'), ('SELECT count(q) FROM $Q$'), ('SELECT * FROM (SELECT * FROM $Q$ OFFSET 0) AS s WHERE g = 1'),
	('WITH w AS (SELECT * FROM $Q$) SELECT a.id, b.v FROM w AS a JOIN w AS b USING (id) ORDER BY id'),
	('WITH w AS MATERIALIZED (SELECT * FROM $Q$) SELECT count(*) FROM w WHERE g = 2'),
	('SELECT id FROM t WHERE id IN (SELECT id FROM $Q$ WHERE g = 1) ORDER BY id'),
	('SELECT id FROM t WHERE NOT EXISTS (SELECT FROM $Q$ WHERE q.id = t.id + 6) ORDER BY id'),
	('SELECT id, (SELECT q.v FROM $Q$ WHERE q.id = t.id) FROM t ORDER BY id'),
	('SELECT id FROM t WHERE id > ALL (SELECT g * 3 FROM $Q$) ORDER BY id'), ('SELECT ARRAY(SELECT v FROM $Q$)'),
	('SELECT t.id, q.v FROM t JOIN $Q$ ON q.id = t.g ORDER BY 1'), ('SELECT t.id, q.v FROM t LEFT JOIN $Q$ ON q.id = t.id AND q.g = 0 ORDER BY 1'),
	('SELECT t.id, q.id FROM t FULL JOIN $Q$ ON q.id = t.id + 2 ORDER BY 1, 2'), ('SELECT t.id, q.id FROM t, $Q$ WHERE q.id < t.id ORDER BY 1, 2'),
	('SELECT a.v FROM t AS a, LATERAL (SELECT * FROM $Q$ WHERE q.id = a.id LIMIT 1) AS l ORDER BY a.id'),
	('SELECT id FROM $Q$ UNION SELECT 100 ORDER BY 1'), ('SELECT id FROM t EXCEPT SELECT id FROM $Q$ WHERE g = 0 ORDER BY 1'),
	('SELECT id FROM $Q$ UNION ALL SELECT g FROM t ORDER BY 1'), ('SELECT * FROM $Q$ WHERE id = (SELECT max(id) FROM t)'),
	('SELECT generate_series(1, q.g) FROM $Q$ ORDER BY 1')) AS s(stmt);
-- join methods: rescans of an inner side, mark and restore, hashing, materialization
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off;
SELECT place('SELECT t.id, q.id FROM t JOIN $Q$ ON q.g = t.g ORDER BY 1, 2'), place('SELECT t.id, q.id FROM t LEFT JOIN $Q$ ON q.id > t.id ORDER BY 1, 2');
SET enable_nestloop = off; SET enable_mergejoin = on; SET enable_sort = on;
SELECT place('SELECT t.id, q.id FROM t JOIN $Q$ ON q.g = t.g ORDER BY 1, 2');
SET enable_mergejoin = off; SET enable_hashjoin = on;
SELECT place('SELECT t.id, q.id FROM t JOIN $Q$ ON q.g = t.g ORDER BY 1, 2');
RESET enable_hashjoin; RESET enable_mergejoin; RESET enable_material; RESET enable_nestloop; RESET enable_sort;

-- two of one text in a statement: one fill, if the first is done, and no wait for oneself
SELECT * FROM cq_test.call($$ SELECT a.x, b.x FROM cached_query('SELECT 1001', '1h') AS a(x int), cached_query('SELECT 1001', '1h') AS b(x int) $$);

-- what only the function path does
SELECT * FROM cq_test.call($$ SELECT * FROM ROWS FROM (cached_query('SELECT v FROM t ORDER BY id LIMIT 2', '1h') AS (v text)) WITH ORDINALITY AS q(v, n) $$);
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query_as(NULL::t, 'SELECT * FROM t ORDER BY id LIMIT 2', '1h') WITH ORDINALITY AS q $$);
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query_as(NULL::t, 'SELECT * FROM t ORDER BY id LIMIT 2', '1h') WITH ORDINALITY AS q $$);
SELECT * FROM cq_test.call($$ SELECT * FROM ROWS FROM (cached_query('SELECT id FROM t ORDER BY id LIMIT 2', '1h') AS (id int), generate_series(1, 3)) AS q(id, n) $$);
SELECT * FROM cq_test.call($$ SELECT * FROM ROWS FROM (cached_query('SELECT id FROM t ORDER BY id LIMIT 2', '1h') AS (id int), generate_series(1, 3)) AS q(id, n) $$);
SELECT * FROM cq_test.call($$ SELECT cached_query_as(NULL::t, 'SELECT * FROM t ORDER BY id LIMIT 2', '1h') $$);
SELECT * FROM cq_test.call($$ SELECT (cached_query_as(NULL::t, 'SELECT * FROM t ORDER BY id LIMIT 2', '1h')).* $$);
SELECT * FROM cq_test.call($$ SELECT cached_query_as(NULL::text, 'SELECT v FROM t ORDER BY id LIMIT 2', '1h') $$);
SELECT * FROM cq_test.call($$ SELECT cached_query('SELECT id, v FROM t ORDER BY id LIMIT 2', '1h') $$);

-- arguments from outside: LATERAL, correlated, per row of the outer side
SELECT * FROM cq_test.call($$ SELECT t.id, q.v FROM t, cached_query('SELECT v FROM t WHERE id = $1', '1h', t.g + 1) AS q(v text) WHERE t.id < 6 ORDER BY 1 $$);
SELECT * FROM cq_test.call($$ SELECT t.id, q.v FROM t, cached_query('SELECT v FROM t WHERE id = $1', '1h', t.g + 1) AS q(v text) WHERE t.id < 6 ORDER BY 1 $$);
SELECT * FROM cq_test.call($$ SELECT t.id, q.v FROM t LEFT JOIN LATERAL cached_query('SELECT v FROM t WHERE id = $1', '1h', t.id + 11) AS q(v text) ON true ORDER BY 1 LIMIT 3 $$);
SELECT * FROM cq_test.call($$ SELECT id, (SELECT q.n FROM cached_query('SELECT count(*) FROM t WHERE g = $1', '1h', t.g) AS q(n bigint)) FROM t ORDER BY id LIMIT 4 $$);
SELECT * FROM cq_test.call($$ SELECT x.q, c.a FROM (VALUES ('SELECT 1'), ('SELECT 2'), ('SELECT 1')) AS x(q), cached_query(x.q, '1h') AS c(a int) $$);

-- EXPLAIN
EXPLAIN (COSTS OFF) SELECT * FROM cached_query('SELECT id FROM t ORDER BY id', '1h') AS q(id int);
EXPLAIN (COSTS OFF) SELECT * FROM cached_query('SELECT id FROM t ORDER BY id', '1h') AS q(id int) WHERE id > 3;
EXPLAIN (COSTS OFF) SELECT t.id, q.v FROM t, cached_query('SELECT v FROM t WHERE id = $1', '1h', t.g) AS q(v text);
EXPLAIN (COSTS OFF) SELECT q FROM cached_query('SELECT id FROM t ORDER BY id', '1h') AS q(id int);
EXPLAIN (VERBOSE, COSTS OFF) SELECT v FROM cached_query_as(NULL::t, 'SELECT * FROM t', '1h');
-- EXPLAIN alone runs and counts nothing
SELECT (cq_test.call($$ EXPLAIN SELECT * FROM cached_query('SELECT 1 / count(*)::int FROM t WHERE false', '1h') AS q(id int) $$)).outcome;
SELECT (cq_test.call($$ EXPLAIN (ANALYZE) SELECT * FROM cached_query('SELECT 1 / 1', '1h') AS q(id int) $$)).outcome;
SELECT (cq_test.call($$ EXPLAIN (ANALYZE) SELECT * FROM cached_query('SELECT 1 / 1', '1h') AS q(id int) $$)).outcome;
-- the number of rows of an existing entry is the planner's estimate
CREATE FUNCTION estimate(stmt text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE plan json; BEGIN EXECUTE 'EXPLAIN (FORMAT JSON) ' || stmt INTO plan; RETURN plan -> 0 -> 'Plan' -> 'Plan Rows'; END $$;
SELECT count(*) FROM cached_query('SELECT g FROM generate_series(1, 777) AS g', '1h') AS q(g int);
SELECT estimate($$ SELECT * FROM cached_query('SELECT g FROM generate_series(1, 777) AS g', '1h') AS q(g int) $$);

-- into tables, out of views, functions and rules
CREATE TABLE copy AS SELECT * FROM cached_query('SELECT id, v FROM t ORDER BY id', '1h') AS q(id int, v text);
INSERT INTO copy SELECT * FROM cached_query('SELECT id, v FROM t ORDER BY id', '1h') AS q(id int, v text);
SELECT count(*), count(DISTINCT v) FROM copy;
UPDATE copy SET v = q.v || '!' FROM cached_query('SELECT id, v FROM t ORDER BY id', '1h') AS q(id int, v text) WHERE q.id = copy.id AND q.id < 3;
DELETE FROM copy USING cached_query('SELECT id, v FROM t ORDER BY id', '1h') AS q(id int, v text) WHERE q.id = copy.id AND q.id > 3;
SELECT * FROM copy ORDER BY id;
CREATE VIEW cv AS SELECT * FROM cached_query('SELECT id, g, v FROM cq_scan.t ORDER BY id', '1h') AS q(id int, g int, v text);
SELECT * FROM cq_test.call('SELECT count(*) FROM cv WHERE g = 0');
SELECT * FROM cq_test.call('SELECT count(*) FROM cv WHERE g = 0');
SELECT * FROM cq_test.call('SELECT count(*) FROM cv AS a JOIN cv AS b USING (id)');
CREATE FUNCTION cf(int) RETURNS TABLE (id int, v text) LANGUAGE sql STABLE AS $$ SELECT * FROM cached_query('SELECT id, v FROM t WHERE g = $1 ORDER BY id', '1h', $1) AS q(id int, v text) $$;
SELECT * FROM cq_test.call('SELECT * FROM cf(1)');
SELECT * FROM cq_test.call('SELECT * FROM cf(1) LIMIT 1');
SELECT * FROM cq_test.call('SELECT f.id FROM t, cf(t.g) AS f WHERE t.id < 4 ORDER BY 1');
CREATE MATERIALIZED VIEW cm AS SELECT * FROM cv;
REFRESH MATERIALIZED VIEW cm;
SELECT count(*) FROM cm;
MERGE INTO copy USING cached_query('SELECT id, v FROM t ORDER BY id', '1h') AS q(id int, v text) ON copy.id = q.id
	WHEN MATCHED THEN UPDATE SET v = q.v WHEN NOT MATCHED THEN DO NOTHING;
COPY (SELECT * FROM cached_query('SELECT id, v FROM t ORDER BY id', '1h') AS q(id int, v text) LIMIT 2) TO STDOUT;

-- parallel plans around it: the call itself stays in the leader
RESET max_parallel_workers_per_gather;
CREATE TABLE many AS SELECT i AS id, i % 12 + 1 AS k FROM generate_series(1, 20000) AS i;
ANALYZE many;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
SELECT place('SELECT q.g, count(*), sum(many.id) FROM many JOIN $Q$ ON q.id = many.k GROUP BY q.g ORDER BY 1');
SELECT place('SELECT count(*) FROM many WHERE k IN (SELECT id FROM $Q$ WHERE g = 1)');
-- and inside it
SELECT place('SELECT * FROM $Q$', 'SELECT k, count(*) FROM many GROUP BY k ORDER BY k', 'k int, n bigint');
SELECT cached_query_clear() > 0 AS cleared;

DROP SCHEMA cq_scan CASCADE;
