--
-- Rows that are not kept are handed out while the query runs: no row is computed before it is asked for,
-- none is stored beside the query, and an end before the last row ends the query, too.
--
CREATE SCHEMA cq_stream;
SET search_path = cq_stream, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
SET max_parallel_workers_per_gather = 0;
CREATE TABLE t AS SELECT i AS id, repeat('x', 90) AS pad FROM generate_series(1, 30000) AS i;
ANALYZE t;
CREATE SEQUENCE computed;
-- how many rows a query has computed
CREATE FUNCTION seen(int) RETURNS int LANGUAGE sql VOLATILE AS $$ SELECT nextval('cq_stream.computed')::int * 0 + $1 $$;
CREATE FUNCTION computed() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint := nextval('computed') - 1; BEGIN PERFORM setval('computed', 1, false); RETURN n; END $$;
SELECT setval('computed', 1, false);
CREATE FUNCTION cq(text, options jsonb DEFAULT '{"mode": "off"}') RETURNS text LANGUAGE sql AS
$$ SELECT format('cached_query_with(%L, %L, ''1h'') AS q(id int)', $2, $1) $$;

-- every reason not to keep the rows: LIMIT, a cursor's first FETCH and EXISTS stop the query
CREATE FUNCTION stops(options jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	call text := cq('SELECT seen(id) FROM t', options);
	r record;
	c refcursor;
	result text;
BEGIN
	PERFORM computed();
	FOR r IN EXECUTE 'SELECT * FROM ' || call || ' LIMIT 3' LOOP END LOOP;
	result := format('LIMIT %s', computed());
	EXECUTE 'SELECT EXISTS (SELECT FROM ' || call || ')' INTO r;
	result := result || format(', EXISTS %s', computed());
	OPEN c NO SCROLL FOR EXECUTE 'SELECT * FROM ' || call;
	FETCH c INTO r;
	result := result || format(', FETCH %s: %s', computed(), r);
	CLOSE c;
	RETURN result || format(', CLOSE %s', computed());
END $$;
SET client_min_messages = warning; -- it is volatile
SELECT stops('{"mode": "off"}') AS mode_off;
SELECT stops() AS volatile;
SELECT stops('{"mode": "read_only"}') AS read_only;
BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT stops() AS serializable; COMMIT;
BEGIN; UPDATE t SET pad = pad WHERE id = 1; SELECT stops() AS own_write; ROLLBACK;
RESET client_min_messages;
SELECT outcome, cardinality(rows) FROM cq_test.call('SELECT * FROM ' || cq('SELECT seen(id) FROM t') || ' LIMIT 7');
SELECT computed();

-- a result beyond max_entry_size: what was gathered comes first, then the rest as it is computed
SET cached_query.max_entry_size = '64kB';
SELECT outcome, cardinality(rows), rows[1], rows[30000]
	FROM cq_test.call($$ SELECT id, length(pad) FROM cached_query('SELECT id, pad FROM t ORDER BY id', '1h') AS q(id int, pad text) $$);
SELECT outcome, cardinality(rows), rows[1]
	FROM cq_test.call($$ SELECT id FROM cached_query('SELECT id, pad FROM t ORDER BY id', '1h') AS q(id int, pad text) OFFSET 20000 LIMIT 3 $$);
-- all of its rows, once and in order
SELECT outcome, cardinality(rows) FROM cq_test.call($$ SELECT id, lag(id) OVER () FROM cached_query('SELECT id, pad FROM t ORDER BY id', '1h') AS q(id int, pad text) $$);
SELECT count(*), count(DISTINCT id), min(id), max(id), bool_and(id = n)
	FROM (SELECT id, row_number() OVER () AS n FROM cached_query('SELECT id, pad FROM t ORDER BY id', '1h') AS q(id int, pad text)) AS s;
-- the query is stopped where the entry is full: an error that comes later is never met
CREATE FUNCTION upto(int, int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN IF $1 > $2 THEN RAISE 'row % was computed', $1; END IF; RETURN $1; END $$;
SELECT outcome, rows FROM cq_test.call($$ SELECT id FROM cached_query('SELECT upto(id, 5000) FROM t', '1h') AS q(id int) LIMIT 2 $$);
SELECT id FROM cached_query('SELECT upto(id, 5000) FROM t', '1h') AS q(id int) OFFSET 5001;
SELECT outcome, rows FROM cq_test.call($$ SELECT cached_query_refresh('SELECT id, pad FROM t', '1h') $$);
SELECT outcome, rows FROM cq_test.call($$ SELECT length(cached_query_json('SELECT id, pad FROM t', '1h')::text) $$);
SELECT outcome, rows FROM cq_test.call($$ SELECT count(*), sum(a) FROM cached_query_as(NULL::t, 'SELECT * FROM t', '1h') WITH ORDINALITY AS q(a, b, n) $$);
RESET cached_query.max_entry_size;

-- no temporary file where the query itself needs none (work_mem is far smaller than the rows)
SET work_mem = '64kB';
SET temp_file_limit = '100kB';
SET max_parallel_workers_per_gather = 0;
SELECT count(*) FROM cached_query_with('{"mode": "off"}', 'SELECT id, pad FROM t', '1h') AS q(id int, pad text);
SET cached_query.max_entry_size = '64kB';
SELECT count(*) FROM cached_query('SELECT id, pad FROM t', '1h') AS q(id int, pad text);
SELECT length(cached_query_json('SELECT id, pad FROM t', '1h')::text) > 3000000 AS document;
RESET cached_query.max_entry_size;
SELECT length(cached_query_json('SELECT id, pad FROM t /* 2 */', '1h')::text) > 3000000 AS document;
BEGIN; -- nor for a cursor that could go back, and doesn't
DECLARE c CURSOR FOR SELECT * FROM cached_query_with('{"mode": "off"}', 'SELECT id, pad FROM t', '1h') AS q(id int, pad text);
MOVE 29999 FROM c;
FETCH 2 FROM c;
COMMIT;
RESET temp_file_limit;

-- cursors go back, as over the query itself: a hit, a query that runs, a result that is too large
-- the same steps in each, and each step must bring the same rows
CREATE FUNCTION step(step text, times int, names text[] DEFAULT '{direct,hit,running,again,large}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	name text;
	result text;
	this text;
	c refcursor;
	r record;
BEGIN
	FOREACH name IN ARRAY names LOOP
		this := '';
		c := name;
		FOR n IN 1 .. times LOOP
			CASE step
				WHEN 'next' THEN FETCH NEXT FROM c INTO r;
				WHEN 'prior' THEN FETCH PRIOR FROM c INTO r;
				WHEN 'first' THEN FETCH FIRST FROM c INTO r;
				WHEN 'last' THEN FETCH LAST FROM c INTO r;
				WHEN 'absolute' THEN FETCH ABSOLUTE 4 FROM c INTO r;
				WHEN 'relative' THEN FETCH RELATIVE -2 FROM c INTO r;
			END CASE;
			this := this || CASE WHEN found THEN r.id::text ELSE '-' END || ' ';
		END LOOP;
		IF this <> result THEN
			RETURN format('%s: %s, %s: %s', names[1], result, name, this);
		END IF;
		result := this;
	END LOOP;
	RETURN result;
END $$;
CREATE FUNCTION open_all(options text DEFAULT 'CURSOR') RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	query text := 'SELECT id FROM t WHERE id <= 6 ORDER BY id';
	wide text := 'SELECT id, repeat(pad, 20) FROM t WHERE id <= 6 ORDER BY id';
BEGIN
	EXECUTE format('DECLARE direct %s FOR SELECT * FROM (%s) AS q', options, query);
	EXECUTE format('DECLARE hit %s FOR SELECT * FROM cached_query(%L, %L) AS q(id int)', options, query, '1h');
	EXECUTE format('DECLARE running %s FOR SELECT * FROM %s', options, cq(query));
	EXECUTE format('DECLARE again %s FOR SELECT * FROM %s WHERE id > 0', options, cq('SELECT seen(id) FROM t WHERE id <= 6 ORDER BY id'));
	EXECUTE format('DECLARE large %s FOR SELECT id FROM cached_query(%L, %L) AS q(id int, pad text)', options, wide, '1h');
END $$;
SET cached_query.max_entry_size = '4kB';
SET client_min_messages = warning;
SELECT count(*) FROM cached_query('SELECT id FROM t WHERE id <= 6 ORDER BY id', '1h') AS q(id int);
BEGIN;
SELECT open_all();
SELECT step('prior', 1), step('next', 3), step('prior', 2), step('next', 4), step('prior', 9), step('next', 3), step('last', 1),
	step('relative', 1), step('first', 2), step('absolute', 2), step('next', 9), step('prior', 3), step('next', 1), step('prior', 9);
COMMIT;
BEGIN;
SELECT open_all('SCROLL CURSOR');
SELECT step('last', 1), step('prior', 3), step('next', 9), step('prior', 9), step('absolute', 1), step('relative', 1), step('next', 2);
COMMIT;
BEGIN; -- each row of the volatile one was computed once
SELECT computed() >= 0 AS reset;
SELECT open_all();
SELECT step('next', 9), step('prior', 9), step('first', 1), step('next', 9);
SELECT computed();
COMMIT;
BEGIN; -- kept beyond the transaction, in the midst
SELECT open_all('CURSOR WITH HOLD');
SELECT step('next', 2);
COMMIT;
UPDATE t SET id = -id WHERE id = 4;
SELECT step('next', 2), step('prior', 2), step('last', 1), step('first', 1), step('next', 9);
CLOSE ALL;
UPDATE t SET id = -id WHERE id = -4;
BEGIN; -- ended by other means
SELECT open_all();
SELECT step('next', 2);
SAVEPOINT s;
SELECT step('next', 1, '{direct,hit,running}');
ROLLBACK TO s; -- ends none that was opened before, though it was used inside
SELECT step('next', 1, '{again,large}');
CLOSE ALL;
COMMIT;
RESET cached_query.max_entry_size;

-- an error in the midst, and then
CREATE FUNCTION fails_late() RETURNS text LANGUAGE plpgsql AS $$
DECLARE r record; n int := 0;
BEGIN
	FOR r IN SELECT * FROM cached_query_with('{"mode": "off"}', 'SELECT 10 / (5 - id) FROM t WHERE id > 0', '1h') AS q(id int) LOOP n := n + 1; END LOOP;
	RETURN 'no error';
EXCEPTION WHEN division_by_zero THEN
	RETURN format('%s rows, then an error; %s', n, (SELECT count(*) FROM cached_query_with('{"mode": "off"}', 'SELECT id FROM t', '1h') AS q(id int)));
END $$;
SELECT fails_late(), fails_late();
SELECT * FROM cached_query_with('{"mode": "off"}', 'SELECT 10 / (5 - id) FROM t WHERE id > 0', '1h') AS q(id int) OFFSET 100;
SELECT (SELECT errors FROM cached_query_stats) > 0 AS counted;

-- loops, and COMMIT inside them
CREATE FUNCTION looped(stop int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r record; n bigint := computed();
BEGIN
	FOR r IN SELECT * FROM cached_query_with('{"mode": "off"}', 'SELECT seen(id) FROM t ORDER BY id', '1h') AS q(id int) LOOP
		EXIT WHEN r.id >= stop;
	END LOOP;
	RETURN format('%s, computed %s', r.id, (computed() - 1) / 10 * 10 + 10);
END $$;
SELECT looped(3), looped(95);
CREATE PROCEDURE committing() LANGUAGE plpgsql AS $$
DECLARE r record; n int := 0;
BEGIN
	FOR r IN SELECT * FROM cached_query_with('{"mode": "off"}', 'SELECT id FROM t WHERE id <= 100 ORDER BY id', '1h') AS q(id int) LOOP
		n := n + 1;
		IF n = 1 THEN DELETE FROM t WHERE id = 50; END IF;
		IF n % 30 = 0 THEN COMMIT; END IF;
	END LOOP;
	RAISE NOTICE '% rows', n;
END $$;
SET client_min_messages = notice;
CALL committing();

-- what it sees is the moment of its start, whatever is written while it runs
CREATE TABLE grow (id int);
INSERT INTO grow SELECT generate_series(1, 100);
INSERT INTO grow SELECT id + 1000 FROM cached_query_with('{"mode": "off"}', 'SELECT id FROM grow', '1h') AS q(id int);
SELECT count(*) FROM grow;
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM cached_query_with('{"mode": "off"}', 'SELECT id FROM grow ORDER BY id', '1h') AS q(id int);
FETCH 1 FROM c;
DELETE FROM grow;
MOVE 198 FROM c;
FETCH 2 FROM c;
TRUNCATE grow; -- refused as under any open cursor
ROLLBACK;

-- rescans: by a join, by a correlated subquery, by LATERAL with new arguments
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off;
SET client_min_messages = warning;
SELECT computed() >= 0 AS reset;
SELECT count(*), count(DISTINCT q.id) FROM generate_series(1, 5) AS g JOIN cached_query_with('{"mode": "off"}', 'SELECT seen(id) FROM t WHERE id <= 20', '1h') AS q(id int) ON q.id >= g;
SELECT computed(); -- once each
SELECT g, (SELECT sum(q.id) FROM cached_query_with('{"mode": "off"}', 'SELECT seen(id) FROM t WHERE id <= 20', '1h') AS q(id int) WHERE q.id <= g) FROM generate_series(1, 3) AS g;
SELECT computed();
SELECT g, (SELECT sum(q.id) FROM cached_query_with('{"mode": "off"}', 'SELECT id FROM t WHERE id <= 20', '1h') AS q(id int) WHERE q.id <= g) FROM generate_series(1, 4) AS g;
SELECT g, q.id FROM generate_series(1, 3) AS g, cached_query_with('{"mode": "off"}', 'SELECT id FROM t WHERE id <= $1 ORDER BY id DESC', '1h', g) AS q(id int);
SET cached_query.max_entry_size = '4kB';
SELECT g, (SELECT sum(q.id) FROM cached_query('SELECT id, pad FROM t WHERE id <= 200', '1h') AS q(id int, pad text) WHERE q.id <= g) FROM generate_series(198, 201) AS g;
SELECT count(*) FROM generate_series(1, 3) AS g JOIN cached_query('SELECT id, pad FROM t WHERE id <= 200', '1h') AS q(id int, pad text) ON q.id > g;
RESET cached_query.max_entry_size; RESET enable_hashjoin; RESET enable_mergejoin; RESET enable_material;

-- two at once, one inside the other, and one that ends while the other runs
SELECT count(*) FROM cached_query_with('{"mode": "off"}', $$ SELECT q.id FROM cached_query_with('{"mode": "off"}', 'SELECT id FROM t WHERE id < 1000', '1h') AS q(id int) $$, '1h') AS q(id int);
SELECT a.id, b.id FROM cached_query_with('{"mode": "off"}', 'SELECT id FROM t ORDER BY id', '1h') AS a(id int) JOIN LATERAL cached_query_with('{"mode": "off"}', 'SELECT id FROM t WHERE id > $1 ORDER BY id', '1h', a.id) AS b(id int) ON true LIMIT 2;
-- what is used inside a fill is known to it, though it was only begun there
SELECT outcome FROM cq_test.call($$ SELECT * FROM cached_query('SELECT * FROM cached_query_with(''{"mode": "off"}'', ''SELECT id FROM t'', ''1h'') AS q(id int) LIMIT 1', '1h') AS q(id int) $$);
SET cached_query.max_entry_size = '4kB';
SELECT outcome FROM cq_test.call($$ SELECT * FROM cached_query('SELECT id FROM cached_query(''SELECT id, pad FROM t'', ''1h'') AS q(id int, pad text) LIMIT 1', '1h') AS q(id int) $$);
RESET cached_query.max_entry_size;
DROP TABLE t; -- and no lock or reference is left
DROP TABLE grow;

-- plans with workers: one that has few rows is run at once with them, a cursor without
SET client_min_messages = warning;
RESET max_parallel_workers_per_gather;
CREATE TABLE many AS SELECT i AS id FROM generate_series(1, 20000) AS i;
ANALYZE many;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
SELECT * FROM cached_query_with('{"mode": "off"}', 'SELECT count(*) FROM many', '1h') AS q(n bigint);
SELECT count(*) FROM cached_query_with('{"mode": "off"}', 'SELECT id FROM many WHERE id % 2 = 0', '1h') AS q(id int);
BEGIN;
DECLARE c NO SCROLL CURSOR FOR SELECT * FROM cached_query_with('{"mode": "off"}', 'SELECT count(*) FROM many', '1h') AS q(n bigint);
FETCH ALL FROM c;
COMMIT;
CREATE TABLE kept AS SELECT * FROM cached_query_with('{"mode": "off"}', 'SELECT id FROM many WHERE id % 2 = 0', '1h') AS q(id int);
SELECT count(*) FROM kept;
SET cached_query.max_entry_size = '4kB';
SELECT count(*) FROM cached_query('SELECT id FROM many WHERE id % 2 = 0', '1h') AS q(id int);

-- words like 'today' are read when the query is begun
SELECT q.d = current_date FROM cached_query_with('{"mode": "off"}', $$ SELECT 'today'::date FROM generate_series(1, 2) $$, '1h') AS q(d date);

SET client_min_messages = warning;
DROP SCHEMA cq_stream CASCADE;
