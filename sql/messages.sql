-- What the extension says about a wrong call: an SQLSTATE, and in the hint what to do.
CREATE FUNCTION cq_message(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	message = 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END $$;
CREATE TEMP TABLE wrong (number serial, statement text);
INSERT INTO wrong (statement) VALUES
	($q$SELECT * FROM cached_query('') AS t(a int)$q$),
	($q$SELECT * FROM cached_query(NULL) AS t(a int)$q$),
	($q$SELECT * FROM cached_query('SELECT 1; SELECT 2') AS t(a int)$q$),
	($q$SELECT * FROM cached_query('EXPLAIN SELECT 1') AS t(a text)$q$),
	($q$SELECT * FROM cached_query('SELECT 1 INTO t') AS t(a int)$q$),
	($q$SELECT * FROM cached_query('SELECT * FROM wrong FOR UPDATE') AS t(a int, b text)$q$),
	($q$SELECT * FROM cached_query('WITH w AS (DELETE FROM wrong RETURNING 1) TABLE w') AS t(a int)$q$),
	($q$SELECT * FROM cached_query('SELECT 1', '-1s') AS t(a int)$q$),
	($q$SELECT * FROM cached_query('SELECT $1', '1s') AS t(a int)$q$),
	($q$SELECT * FROM cached_query('SELECT 1', '1s', 2) AS t(a int)$q$),
	($q$SELECT * FROM cached_query('SELECT $99999', '1s') AS t(a int)$q$),
	($q$SELECT * FROM cached_query('SELECT 1', '1s', VARIADIC NULL::int[]) AS t(a int)$q$),
	($q$SELECT * FROM cached_query('SELECT 1', '1s', VARIADIC array_fill(1, ARRAY[65536])) AS t(a int)$q$),
	($q$SELECT * FROM cached_query('SELECT $1::int', '1s', VARIADIC ARRAY['x']) AS t(a int)$q$),
	($q$SELECT * FROM cached_query('SELECT 1') AS t(a text)$q$),
	($q$SELECT * FROM cached_query('SELECT 1') AS t(a int, b int)$q$),
	($q$SELECT * FROM cached_query('SELECT pg_sleep(0)') AS t(a text)$q$),
	($q$SELECT cached_query_columns('SELECT pg_sleep(0)')$q$),
	($q$SELECT * FROM cached_query_as(NULL::record, 'SELECT 1') AS t(a int)$q$),
	($q$SELECT * FROM cached_query_with(NULL, 'SELECT 1') AS t(a int)$q$),
	($q$SELECT * FROM cached_query_with('[]', 'SELECT 1') AS t(a int)$q$),
	($q$SELECT * FROM cached_query_with('{"modus": "on"}', 'SELECT 1') AS t(a int)$q$),
	($q$SELECT * FROM cached_query_with('{"mode": "fast"}', 'SELECT 1') AS t(a int)$q$),
	($q$SELECT * FROM cached_query_with('{"stale_for": "1s"}', 'SELECT 1') AS t(a int)$q$),
	($q$SELECT * FROM cached_query_with('{"stale_for": 1e10}', 'SELECT 1') AS t(a int)$q$),
	($q$SELECT * FROM cached_query_with('{"stale_for": -1e400}', 'SELECT 1') AS t(a int)$q$),
	($q$SELECT * FROM cached_query_with('{"redis_lease": 3600001}', 'SELECT 1') AS t(a int)$q$),
	($q$SELECT * FROM cached_query_with('{"mode": "only_cached"}', 'SELECT 1 AS never') AS t(a int)$q$);
SET cached_query.nondeterministic = error;
INSERT INTO wrong (statement) VALUES ($q$SELECT * FROM cached_query('SELECT random()') AS t(a float8)$q$);
\pset format unaligned
\pset expanded on
SELECT statement, m.* FROM wrong, cq_message(statement) AS m ORDER BY number;
\pset expanded off
SELECT count(*) AS without_hint FROM wrong, cq_message(statement) AS m WHERE hint = '';
SELECT statement, hint FROM wrong, cq_message(statement) WHERE message ~ '^[A-Z]|\.$' OR detail ~ '[^.]$' OR hint ~ '[^.)]$';
DROP FUNCTION cq_message;
