--
-- The counters: each call is counted once, sums agree between the views, nothing is counted for
-- what is not a call; and the memory figures agree with the entries, also when the cache is full.
--
CREATE SCHEMA cq_stats;
SET search_path = cq_stats, public;
SET client_min_messages = warning;
CREATE TABLE t (v int);
INSERT INTO t VALUES (1);
CREATE FUNCTION agree() RETURNS TABLE (hits bool, misses bool, bypasses bool) LANGUAGE sql AS $$
	SELECT s.hits + s.stale_hits = sum(outcomes) FILTER (WHERE kind = 'hit'),
		s.misses = sum(outcomes) FILTER (WHERE kind = 'miss'),
		s.bypasses = sum(outcomes) FILTER (WHERE kind = 'bypass')
	FROM cached_query_stats AS s, (SELECT calls + statements, CASE WHEN reason IN ('hit', 'stale_hit', 'redis_hit') THEN 'hit'
		WHEN reason LIKE 'miss\_%' OR reason LIKE 'nested\_%' OR reason IN ('changed_during_fill', 'too_large', 'no_memory', 'over_quota',
			'too_many_dependencies', 'cheap', 'ghost', 'would_hit', 'parallel_function') THEN 'miss' ELSE 'bypass' END
		FROM cached_query_reasons) AS r(outcomes, kind) GROUP BY s.hits, s.stale_hits, s.misses, s.bypasses $$;
SELECT cached_query_clear() >= 0 AS cleared;
CALL cq_test.swept();
SELECT * FROM agree();
SELECT cached_query_stats_reset();
SELECT hits, stale_hits, misses, fills, stores, bypasses, evictions, expirations, invalidations, errors, saved_ms, stats_reset > now() - interval '1min' AS reset
	FROM cached_query_stats;
SELECT count(*) FROM cached_query_reasons WHERE calls > 0;

-- one of each kind
SELECT * FROM cached_query('SELECT v FROM t', '1h') AS t(v int);
SELECT * FROM cached_query('SELECT v FROM t', '1h') AS t(v int);
SELECT * FROM cached_query('SELECT random() > 2', '1h') AS t(v bool);
SELECT * FROM cached_query('SELECT v FROM t', '0') AS t(v int);
SELECT cached_query_refresh('SELECT v FROM t', '1h');
SELECT cached_query_json('SELECT v FROM t', '1h');
SELECT * FROM cached_query('SELECT v / 0 FROM t', '1h') AS t(v int);
SELECT * FROM cached_query('SELECT v FROM nowhere', '1h') AS t(v int);
SELECT reason, calls FROM cached_query_reasons WHERE calls > 0 ORDER BY 1;
SELECT hits, misses, fills, stores, bypasses, errors FROM cached_query_stats;
SELECT * FROM agree();
-- rescans of one scan are one call, each row of an outer one that changes the arguments is another
SELECT cached_query_stats_reset();
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off; SET enable_memoize = off;
SELECT count(*) FROM generate_series(1, 5) AS g, cached_query('SELECT v FROM t', '1h') AS t(v int) WHERE t.v < g;
SELECT reason, calls FROM cached_query_reasons WHERE calls > 0;
SELECT cached_query_stats_reset();
SELECT count(*) FROM generate_series(1, 5) AS g, cached_query('SELECT v + $1 FROM t', '1h', g % 2) AS t(v int);
SELECT reason, calls FROM cached_query_reasons WHERE calls > 0 ORDER BY 1;
RESET enable_hashjoin; RESET enable_mergejoin; RESET enable_material; RESET enable_memoize;
-- hits of an entry, and the time they saved
SELECT cached_query_clear() > 0 AS cleared;
CALL cq_test.swept();
SELECT count(*) FROM cached_query('SELECT count(*) FROM generate_series(1, 300000) AS g', '1h') AS t(n bigint);
SELECT count(*) FROM cached_query('SELECT count(*) FROM generate_series(1, 300000) AS g', '1h') AS t(n bigint);
SELECT count(*) FROM cached_query('SELECT count(*) FROM generate_series(1, 300000) AS g', '1h') AS t(n bigint);
SELECT hits, rows, last_hit >= created AS last_hit, fill_ms > 0 AS fill_ms, saved_ms > 0 AS saved_ms, saved_ms <= 2 * fill_ms AS bound
	FROM cached_query_entries WHERE query LIKE '%300000%';

-- memory: what entries take is given back, whatever the order
SELECT cached_query_clear() > 0 AS cleared;
CALL cq_test.swept();
SELECT entries, memory_used FROM cached_query_stats;
SELECT sum(n) FROM generate_series(1, 200) AS g, cached_query('SELECT length(repeat(''x'', $1)), repeat(''x'', $1)', '1h', g * 137) AS t(n int, x text);
SELECT entries, memory_used >= (SELECT sum(bytes) FROM cached_query_entries) AS used, memory_used < memory_total AS below FROM cached_query_stats;
SELECT count(*), sum(rows), bool_and(bytes > 0) FROM cached_query_entries;
-- (other entries may share a slot with one of these)
SELECT count(*) FROM (SELECT cached_query_invalidate('SELECT length(repeat(''x'', $1)), repeat(''x'', $1)', g * 137) AS n FROM generate_series(1, 200, 3) AS g) AS s WHERE n >= 1;
SELECT count(*) BETWEEN 100 AND 133 AS rest FROM cached_query_entries WHERE state = 'fresh';
SELECT cached_query_clear() > 0 AS cleared;
CALL cq_test.swept();
SELECT entries, memory_used FROM cached_query_stats;

-- full: the oldest or the cheapest go, new ones are taken, answers stay right
SELECT cached_query_stats_reset();
SELECT count(*), bool_and(length(x) = 1000000) FROM generate_series(1, 150) AS g, cached_query('SELECT repeat(chr(64 + $1 % 60), 1000000)', '1h', g) AS t(x text);
SELECT evictions > 0 AS evicted, entries BETWEEN 1 AND 149 AS some, memory_used <= memory_total AS below, stores FROM cached_query_stats;
SELECT reason, calls FROM cached_query_reasons WHERE calls > 0;
SELECT * FROM cq_test.call($$ SELECT left(x, 1) FROM cached_query('SELECT repeat(chr(64 + $1 % 60), 1000000)', '1h', 150) AS t(x text) $$);
SELECT * FROM agree();
-- open cursors on more than fits: what they read doesn't keep others from filling
SELECT cached_query_clear() > 0 AS cleared;
CALL cq_test.swept();
SET cached_query.max_entry_size = '1GB';
BEGIN;
DO $$ BEGIN FOR i IN 1 .. 80 LOOP
	EXECUTE format('DECLARE c%s CURSOR FOR SELECT length(x) FROM cached_query(%L, %L, %s) AS t(x text)', i, 'SELECT repeat(''y'', 1000000) FROM generate_series(1, 2) WHERE $1 > 0', '1h', i);
	EXECUTE format('MOVE 1 FROM c%s', i);
END LOOP; END $$;
SELECT memory_used <= memory_total AS below FROM cached_query_stats;
FETCH 1 FROM c1; FETCH 1 FROM c80;
COMMIT;
SELECT count(*) = 0 AS kept FROM cached_query_reasons WHERE reason = 'no_memory' AND calls > 0;
RESET cached_query.max_entry_size;
SELECT cached_query_clear() > 0 AS cleared;
CALL cq_test.swept();
SELECT entries, memory_used FROM cached_query_stats;

DROP SCHEMA cq_stats CASCADE;
