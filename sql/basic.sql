--
-- Every SQL function and view once, with and without args: does it do what its name says, and
-- is it declared and documented as it should be?
--
CREATE SCHEMA cq_basic;
SET search_path = cq_basic, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
CREATE TABLE item (id int PRIMARY KEY, name text, price numeric(8,2));
INSERT INTO item SELECT g, 'item ' || g, g * 1.5 FROM generate_series(1, 5) AS g;

-- cached_query: miss, then hit, also after the table has changed
SELECT * FROM cq_test.call($$
	SELECT * FROM cached_query('SELECT id, name, price FROM item WHERE id < 3 ORDER BY id DESC', '1h')
		AS t(id int, name text, price numeric(8,2)) $$);
INSERT INTO item VALUES (0, 'late', 0);
SELECT * FROM cq_test.call($$
	SELECT * FROM cached_query('SELECT id, name, price FROM item WHERE id < 3 ORDER BY id DESC', '1h')
		AS t(id int, name text, price numeric(8,2)) $$);
DELETE FROM item WHERE id = 0;
-- plain statements, not through a helper
SELECT * FROM cached_query('SELECT count(*) FROM item') AS t(n bigint);
INSERT INTO item VALUES (0, 'late', 0);
SELECT * FROM cached_query('SELECT count(*) FROM item') AS t(n bigint);
DELETE FROM item WHERE id = 0;
-- ttl NULL is the default, '0' runs and stores, an age over ttl is expired
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query('SELECT count(*) FROM item', NULL) AS t(n bigint) $$);
INSERT INTO item VALUES (0, 'late', 0);
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query('SELECT count(*) FROM item', '0') AS t(n bigint) $$);
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query('SELECT count(*) FROM item', '1h') AS t(n bigint) $$);
SELECT pg_sleep(0.1);
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query('SELECT count(*) FROM item', '50ms') AS t(n bigint) $$);
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query('SELECT count(*) FROM item', '100 years') AS t(n bigint) $$);
DELETE FROM item WHERE id = 0;
-- named arguments, VALUES, TABLE and WITH, a semicolon and comments around the text
SELECT * FROM cached_query(ttl => '1h', query => 'VALUES (1, ''x''), (2, NULL)') AS t(a int, b text);
SELECT count(*) FROM cached_query('TABLE item') AS t(id int, name text, price numeric);
SELECT * FROM cached_query('WITH w AS (SELECT max(id) AS m FROM item) SELECT m FROM w;') AS t(m int);
SELECT * FROM cached_query(E'-- head\n /* a /* nested */ comment */ SELECT 1; -- tail') AS t(m int);
SELECT * FROM cached_query('(SELECT 1) UNION ALL (SELECT 2) ORDER BY 1') AS t(m int);

-- args
SELECT * FROM cq_test.call($$
	SELECT * FROM cached_query('SELECT name FROM item WHERE id = $1 OR name = $2', '1h', 2, 'item 3'::text)
		AS t(name text) $$);
SELECT * FROM cq_test.call($$
	SELECT * FROM cached_query('SELECT name FROM item WHERE id = $1 OR name = $2', '1h', 2, 'item 3'::text)
		AS t(name text) $$);
SELECT * FROM cq_test.call($$
	SELECT * FROM cached_query('SELECT name FROM item WHERE id = $1 OR name = $2', '1h', 2, 'item 4'::text)
		AS t(name text) $$);

-- cached_query_as
SELECT * FROM cq_test.call($$
	SELECT * FROM cached_query_as(NULL::item, 'SELECT * FROM item WHERE id > 3 ORDER BY id', '1h') $$);
SELECT * FROM cq_test.call($$
	SELECT * FROM cached_query_as(NULL::item, 'SELECT * FROM item WHERE id > 3 ORDER BY id', '1h') $$);
SELECT name FROM cached_query_as(NULL::item, 'SELECT * FROM item WHERE id = $1', '1h', 4);
SELECT name FROM cached_query_as(NULL::item, 'SELECT * FROM item WHERE id = $1', '1h', VARIADIC ARRAY['5']);
SELECT * FROM cached_query_as(NULL::int, 'SELECT max(id) FROM item', '1h');
SELECT name FROM cached_query_as(NULL::item, 'SELECT * FROM item WHERE id = 1');
-- one entry serves both shapes: the answer is the same
SELECT * FROM cq_test.call($$
	SELECT * FROM cached_query('SELECT * FROM item WHERE id > 3 ORDER BY id', '1h')
		AS t(id int, name text, price numeric(8,2)) $$);

-- cached_query_json
SELECT * FROM cq_test.call($$ SELECT cached_query_json('SELECT id, price, NULL AS x FROM item WHERE id <= 2 ORDER BY id', '1h') $$);
SELECT * FROM cq_test.call($$ SELECT cached_query_json('SELECT id, price, NULL AS x FROM item WHERE id <= 2 ORDER BY id', '1h') $$);
SELECT cached_query_json('SELECT id FROM item WHERE false');
SELECT cached_query_json('SELECT name FROM item WHERE id = $1', '1h', 3);
SELECT cached_query_json('SELECT name FROM item WHERE id = $1', '1h', VARIADIC ARRAY['3']);
SELECT pg_typeof(cached_query_json('SELECT 1 AS a'));
SELECT cached_query_json('SELECT id, ARRAY[id] AS a, ROW(id, name) AS r, ''{"k": [1]}''::jsonb AS j,
		''2024-01-02 03:04:05''::timestamp AS ts, true AS b, ''q"uo\te''::text AS "a ""b"""
	FROM item WHERE id = 1')::jsonb
	= (SELECT json_agg(q) FROM (SELECT id, ARRAY[id] AS a, ROW(id, name) AS r, '{"k": [1]}'::jsonb AS j,
		'2024-01-02 03:04:05'::timestamp AS ts, true AS b, 'q"uo\te'::text AS "a ""b"""
	FROM item WHERE id = 1) AS q)::jsonb AS same;
-- usable in a predicate and element by element
SELECT e ->> 'name' FROM json_array_elements(cached_query_json('SELECT name FROM item ORDER BY id')) AS e LIMIT 2;

-- cached_query_columns: a list that can be pasted
SELECT cached_query_columns('SELECT id, name, price, price * 2 AS "Twice ""it""", ARRAY[id], name COLLATE "C" AS c FROM item');
SELECT cached_query_columns('SELECT $1 + id AS a, $2 || name AS b FROM item');
SELECT cached_query_columns('SELECT $1 AS a', 1.5);
SELECT cached_query_columns('SELECT $1 AS a', VARIADIC ARRAY['x']);

-- cached_query_with
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query_with('{"tag": "basic"}', 'SELECT 10 * $1', '1h', 7) AS t(a int) $$);
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query_with('{}', 'SELECT 10 * $1', '1h', 7) AS t(a int) $$);
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query_with('{"mode": "refresh"}', 'SELECT 10 * $1', '1h', 7) AS t(a int) $$);
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query_with('{"mode": "off"}', 'SELECT 10 * $1', '1h', 7) AS t(a int) $$);
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query_with('{"mode": "read_only"}', 'SELECT 11 * $1', '1h', 7) AS t(a int) $$);
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query_with('{"mode": "only_cached"}', 'SELECT 10 * $1', '1h', 7) AS t(a int) $$);
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query_with('{"consistency": "exact", "min_fill_time": "0"}', 'SELECT 12') AS t(a int) $$);
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query_with('{"tag": "basic"}', 'SELECT 13 * $1', '1h', VARIADIC ARRAY['2']) AS t(a int) $$);

-- cached_query_refresh
INSERT INTO item VALUES (6, 'item 6', 9);
SELECT * FROM cq_test.call($$ SELECT cached_query_refresh('SELECT count(*) FROM item', '1h') $$);
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query('SELECT count(*) FROM item', '1h') AS t(n bigint) $$);
SELECT cached_query_refresh('SELECT id FROM item WHERE id > $1', '1h', 2);
SELECT cached_query_refresh('SELECT id FROM item WHERE id > $1', '1h', VARIADIC ARRAY['2']);
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query('SELECT id FROM item WHERE id > $1', '1h', 2) AS t(id int) $$);

-- cached_query_explain
SELECT cacheable, reason, consistency, relations, key IS NOT NULL AS has_key, state, rows, bytes > 0 AS bytes,
		age >= '0' AND age < '1min' AS age, expires_in > '50min' AS expires_in, columns
	FROM cached_query_explain('SELECT count(*) FROM item');
SELECT cacheable, reason, consistency, relations, state, tier, age, expires_in, rows, bytes, columns
	FROM cached_query_explain('SELECT id, price FROM item WHERE id = $1', 77);
SELECT cacheable, reason, state FROM cached_query_explain('SELECT id FROM item WHERE id > $1', VARIADIC ARRAY['2']);
-- explaining neither runs nor counts
SELECT * FROM cq_test.call($$ SELECT reason FROM cached_query_explain('SELECT 1 / count(*) FROM item WHERE false') $$);

-- invalidation: how many match
SELECT cached_query_invalidate('SELECT count(*) FROM item');
CALL cq_test.swept();
SELECT * FROM cq_test.call($$ SELECT * FROM cached_query('SELECT count(*) FROM item', '1h') AS t(n bigint) $$);
SELECT cached_query_invalidate('SELECT id FROM item WHERE id > $1', 2);
CALL cq_test.swept();
SELECT cached_query_invalidate('SELECT id FROM item WHERE id > $1', VARIADIC ARRAY['2']);
CALL cq_test.swept();
SELECT cached_query_invalidate_tag('basic');
CALL cq_test.swept();
SELECT cached_query_invalidate_relation('item') > 3 AS several;
SELECT cached_query_clear() > 0 AS several;
SELECT count(*) FROM cached_query_entries WHERE state = 'fresh';

-- the views
SELECT * FROM cached_query_with('{"tag": "seen"}', 'SELECT id FROM item WHERE name <> $1 ORDER BY id', '1h', 'item 1'::text) AS t(id int);
SELECT * FROM cached_query_with('{"tag": "seen"}', 'SELECT id FROM item WHERE name <> $1 ORDER BY id', '1h', 'item 1'::text) AS t(id int) LIMIT 1;
SELECT database = current_database() AS database, role = current_user AS role, query, args, tag, tier, consistency,
		relations = ARRAY['item'::regclass::oid] AS relations, relation_names, rows, bytes > 0 AS bytes,
		created <= now() AS created, expires - created AS lives, hits, last_hit <= clock_timestamp() AS last_hit,
		fill_ms >= 0 AS fill_ms, saved_ms >= 0 AS saved_ms, state
	FROM cached_query_entries WHERE tag = 'seen';
SELECT count(*), count(reason), count(DISTINCT reason) = count(*) AS unique, bool_and(length(description) > 5) AS described
	FROM cached_query_reasons;
SELECT reason FROM cached_query_reasons WHERE reason !~ '^[a-z_]+$';
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
	WHERE attrelid = 'cached_query_stats'::regclass AND attnum > 0 AND attname NOT LIKE 'redis%' ORDER BY attnum;
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
	WHERE attrelid = 'cached_query_entries'::regclass AND attnum > 0 ORDER BY attnum;
-- the same for people
SELECT * FROM cached_query(E'\n\tSELECT 1 AS one,\n\t\t2 AS two\n', '1h') AS t(one int, two int);
SELECT * FROM cached_query(E'\n\tSELECT 1 AS one,\n\t\t2 AS two\n', '1h') AS t(one int, two int);
SELECT length(x) FROM cached_query('SELECT ''a long text in a row that is not shown in full'' || $1', '1h', '!') AS t(x text);
SELECT hits, saved < '1min' AS saved, size ~ '^[0-9]+ bytes$' AS size, age BETWEEN '0' AND '1min' AS age, state,
	left(role, 13) = left(current_user, 13) AS role, query FROM cached_query_top WHERE query ~ '^SELECT (1 AS one|''a long)' ORDER BY hits;
SELECT count(*) FROM (SELECT saved, lag(saved) OVER () AS previous FROM cached_query_top) AS t WHERE saved > previous;
SELECT attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum) IS NOT NULL AS described FROM pg_attribute
	WHERE attrelid = 'cached_query_top'::regclass AND attnum > 0 ORDER BY attnum;
SELECT count(*) FROM cached_query_stats;
-- each call has one outcome, so that hits and misses add up
SELECT cached_query_stats_reset();
SELECT * FROM cached_query('SELECT 41', '1h') AS t(a int);
SELECT * FROM cached_query('SELECT 41', '1h') AS t(a int);
SELECT * FROM cached_query('SELECT 41', '1h') AS t(a int);
SELECT hits, stale_hits, misses, fills, stores, coalesced, bypasses, errors, entries > 0 AS entries,
		memory_used > 0 AND memory_used < memory_total AS memory, saved_ms >= 0 AS saved_ms,
		stats_reset <= clock_timestamp() AS stats_reset
	FROM cached_query_stats;
SELECT reason, calls FROM cached_query_reasons WHERE calls > 0 ORDER BY 1;

DROP SCHEMA cq_basic CASCADE;
