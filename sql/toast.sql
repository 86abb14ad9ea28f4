--
-- Large values and large results: compressed, stored out of line, both and neither; tuples that
-- cross every boundary of the store; 1,600 columns; a result of 50 MB.
--
CREATE SCHEMA cq_toast;
SET search_path = cq_toast, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();

CREATE TABLE doc (id int, body text, extra bytea);
ALTER TABLE doc ALTER extra SET STORAGE EXTERNAL;
-- 1: short; 2: compressed in line; 3: compressed out of line; 4: out of line, not compressed
INSERT INTO doc VALUES (1, 'short', '\x01'),
	(2, repeat('compressible ', 400), NULL),
	(3, (SELECT string_agg(md5(g::text), '' ORDER BY g) FROM generate_series(1, 4000) AS g), NULL),
	(4, NULL, (SELECT string_agg(decode(md5(g::text), 'hex'), '' ORDER BY g) FROM generate_series(1, 3000) AS g)),
	(5, repeat('x', 1000000), decode(repeat('ab', 300000), 'hex'));
SELECT id, pg_column_size(body) < length(body) AS compressed, length(body), length(extra) FROM doc ORDER BY id;
SELECT cq_test.check('SELECT * FROM doc ORDER BY id');
SELECT cq_test.check('SELECT body FROM doc WHERE id = 5');
SELECT cq_test.check('SELECT array_agg(body ORDER BY id), (SELECT d FROM doc AS d WHERE id = 3) FROM doc');
CREATE TYPE pack AS (body text, extra bytea);
SELECT cq_test.check('SELECT jsonb_build_object(''body'', body), ROW(body, extra)::pack, ARRAY[ROW(body, NULL)::pack] FROM doc ORDER BY id');
-- what is kept doesn't point into the table: the hit is whole after the table has lost its rows
SELECT md5(string_agg(body, '' ORDER BY id)), md5(string_agg(extra, '' ORDER BY id)) FROM doc;
SELECT md5(string_agg(body, '' ORDER BY id)), md5(string_agg(extra, '' ORDER BY id))
	FROM cached_query('SELECT id, body, extra FROM doc', '1h') AS t(id int, body text, extra bytea);
DELETE FROM doc;
SELECT reltoastrelid::regclass AS toast FROM pg_class WHERE oid = 'doc'::regclass \gset
VACUUM :toast;
SELECT * FROM cq_test.call($$
	SELECT md5(string_agg(body, '' ORDER BY id)), md5(string_agg(extra, '' ORDER BY id))
	FROM cached_query('SELECT id, body, extra FROM doc', '1h') AS t(id int, body text, extra bytea) $$);
-- and a value out of the cache can be stored again, after the entry is gone
CREATE TABLE copy AS SELECT * FROM cached_query('SELECT id, body, extra FROM doc', '1h') AS t(id int, body text, extra bytea);
SELECT cached_query_clear() > 0 AS cleared;
SELECT md5(string_agg(body, '' ORDER BY id)), md5(string_agg(extra, '' ORDER BY id)) FROM copy;

-- tuple lengths one by one across the page sizes that a store could use
SELECT cq_test.check($$ SELECT g, repeat(chr(97 + g % 26), g) FROM generate_series(1, 300) AS g ORDER BY g $$);
SELECT cq_test.check($$ SELECT g, repeat(chr(97 + g % 26), g) FROM generate_series(8000, 8400, 3) AS g ORDER BY g $$);
SELECT cq_test.check($$ SELECT g, repeat(chr(97 + g % 26), g) FROM generate_series(16300, 16400) AS g ORDER BY g $$);
SELECT cq_test.check($$ SELECT g, repeat(chr(97 + g % 26), g) FROM generate_series(32700, 32800) AS g ORDER BY g $$);
SELECT cq_test.check($$ SELECT g, repeat(chr(97 + g % 26), g) FROM generate_series(65400, 65560, 2) AS g ORDER BY g $$);
SELECT cq_test.check($$ SELECT g, repeat('x', (g * 7919) % 70000) FROM generate_series(1, 200) AS g $$);

-- 1,600 columns: the most that a column list can have
SELECT 'SELECT ' || string_agg(format('%s AS c%1$s', g), ', ' ORDER BY g) AS q,
		string_agg(format('c%s int', g), ', ' ORDER BY g) AS cols
	FROM generate_series(1, 1600) AS g \gset
SELECT * FROM cq_test.call(format('SELECT c1, c800, c1600 FROM cached_query(%L, ''1h'') AS t(%s)', :'q', :'cols'));
SELECT * FROM cq_test.call(format('SELECT c1, c800, c1600 FROM cached_query(%L, ''1h'') AS t(%s)', :'q', :'cols'));
SELECT length(cached_query_columns(:'q')) > 1600 * 8 AS columns;
-- one more is an error, the usual one
SELECT (cq_test.fails(format('SELECT 1 FROM cached_query(%L, ''1h'') AS t(%s, c1601 int)', :'q' || ', 1601', :'cols'))).code;
-- without a list the query's own limit of 1,664 counts
SELECT 'SELECT ' || string_agg(g::text, ', ' ORDER BY g) AS q FROM generate_series(1, 1665) AS g \gset
SELECT (cq_test.fails(format('SELECT cached_query_json(%L)', :'q'))).code;

-- 50 MB in 50 rows, then in 500,000; larger than max_entry_size is given but not kept
SELECT setting::bigint AS memory FROM pg_settings WHERE name = 'cached_query.memory' \gset
SET cached_query.max_entry_size = '60MB';
SELECT * FROM cq_test.call($$ SELECT count(*), sum(length(b)), min(a), max(a)
	FROM cached_query('SELECT g, repeat(chr(65 + g), 1000000) FROM generate_series(1, 50) AS g', '1h') AS t(a int, b text) $$);
SELECT * FROM cq_test.call($$ SELECT count(*), sum(length(b)), min(a), max(a)
	FROM cached_query('SELECT g, repeat(chr(65 + g), 1000000) FROM generate_series(1, 50) AS g', '1h') AS t(a int, b text) $$);
SELECT cached_query_clear() > 0 AS cleared;
CALL cq_test.swept();
SELECT * FROM cq_test.call($$ SELECT count(*), sum(a::bigint), bool_and(b = 'row ' || a)
	FROM cached_query('SELECT g, ''row '' || g FROM generate_series(1, 500000) AS g', '1h') AS t(a int, b text) $$);
SELECT * FROM cq_test.call($$ SELECT count(*), sum(a::bigint), bool_and(b = 'row ' || a)
	FROM cached_query('SELECT g, ''row '' || g FROM generate_series(1, 500000) AS g', '1h') AS t(a int, b text) $$);
SET cached_query.max_entry_size = '1MB';
SELECT * FROM cq_test.call($$ SELECT count(*), sum(a::bigint)
	FROM cached_query('SELECT g FROM generate_series(1, 100000) AS g', '1h') AS t(a int) $$);
SELECT * FROM cq_test.call($$ SELECT count(*), sum(a::bigint)
	FROM cached_query('SELECT g FROM generate_series(1, 100000) AS g', '1h') AS t(a int) $$);
-- in order, also where the result changes over from one place to the other
SELECT * FROM cq_test.call($$ SELECT count(*) FROM (SELECT a, lag(a) OVER () AS p
	FROM cached_query('SELECT g FROM generate_series(1, 100000) AS g', '1h') AS t(a int)) AS s WHERE a <> p + 1 $$);
RESET cached_query.max_entry_size;
SELECT cached_query_clear() > 0 AS cleared;

DROP SCHEMA cq_toast CASCADE;
