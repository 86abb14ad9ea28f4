--
-- Creates the extension and the helpers that the other tests compare with.
--
-- The technique is differential: a helper runs a query directly, then through cached_query()
-- twice, compares the rows with their order, and looks at the shared counters to see that the
-- first call was a miss and the second one a hit.  So nothing passes because nothing was cached.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cached_query;
DROP SCHEMA IF EXISTS cq_test CASCADE;
RESET client_min_messages;

CREATE SCHEMA cq_test;
GRANT USAGE ON SCHEMA cq_test TO PUBLIC;

-- The rows of any statement as text, in order.  The statement sees plain columns, no whole-row
-- reference, so that SELECT * FROM cached_query(..) keeps its Custom Scan.
CREATE FUNCTION cq_test.rows(sql text) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
	r record;
	result text[] := '{}';
BEGIN
	FOR r IN EXECUTE sql LOOP
		result := array_append(result, r::text);
	END LOOP;
	RETURN result;
END $$;

-- What the calls since `before` were counted as, "hit" or "miss_cold x2, volatile_function".
CREATE FUNCTION cq_test.counts() RETURNS jsonb
LANGUAGE sql AS $$ SELECT jsonb_object_agg(reason, calls) FROM cached_query_reasons $$;

CREATE FUNCTION cq_test.since(before jsonb) RETURNS text
LANGUAGE sql AS $$
	SELECT coalesce(string_agg(reason || CASE WHEN n > 1 THEN ' x' || n ELSE '' END, ', '
							   ORDER BY reason COLLATE "C"), 'no call')
	  FROM (SELECT reason, calls - coalesce((before ->> reason)::bigint, 0) AS n
			  FROM cached_query_reasons) AS c
	 WHERE n <> 0
$$;

-- Waits until the sweeper has been at what an explicit invalidation has voided: then the entries are
-- gone, their memory is free, and the next call is a cold miss.
CREATE PROCEDURE cq_test.swept()
LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. 3000 LOOP
		IF NOT EXISTS (SELECT FROM cached_query_entries WHERE state = 'invalidated') THEN
			RETURN;
		END IF;
		PERFORM pg_sleep(0.02);
	END LOOP;
	RAISE 'not swept within a minute';
END $$;

-- Runs one statement: how its calls were counted, and its rows.
CREATE FUNCTION cq_test.call(sql text, OUT outcome text, OUT rows text[])
LANGUAGE plpgsql AS $$
DECLARE
	before jsonb := cq_test.counts();
BEGIN
	rows := cq_test.rows(sql);
	outcome := cq_test.since(before);
END $$;

-- The same for an error: its SQLSTATE, and what else comes with it.
CREATE FUNCTION cq_test.fails(sql text, OUT outcome text, OUT code text, OUT has_detail bool,
							  OUT has_hint bool)
LANGUAGE plpgsql AS $$
DECLARE
	before jsonb := cq_test.counts();
	detail text;
	hint text;
BEGIN
	PERFORM cq_test.rows(sql);
	outcome := cq_test.since(before);
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, detail = PG_EXCEPTION_DETAIL,
		hint = PG_EXCEPTION_HINT;
	outcome := cq_test.since(before);
	has_detail := detail <> '';
	has_hint := hint <> '';
END $$;

-- The statement that calls cached_query() for a query, with the column list it needs.
CREATE FUNCTION cq_test.statement(query text, args text DEFAULT '', ttl text DEFAULT '1h',
								  target text DEFAULT '*') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	list text;
BEGIN
	EXECUTE format('SELECT cached_query_columns(%L%s)', query, args) INTO list;
	RETURN format('SELECT %s FROM cached_query(%L, %L%s) AS t(%s)', target, query, ttl, args, list);
END $$;

-- Is `b` the same rows in the same order as `a`?  Otherwise the first difference.
CREATE FUNCTION cq_test.compare(a text[], b text[]) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	IF a = b THEN
		RETURN NULL;
	ELSIF cardinality(a) <> cardinality(b) THEN
		RETURN format('%s rows instead of %s', cardinality(b), cardinality(a));
	END IF;
	FOR i IN 1 .. cardinality(a) LOOP
		IF a[i] IS DISTINCT FROM b[i] THEN
			RETURN format('row %s is %s instead of %s', i, left(b[i], 200), left(a[i], 200));
		END IF;
	END LOOP;
	RETURN 'different bounds';
END $$;

-- The whole comparison.  `args` is SQL text that begins with a comma; `direct` is the statement
-- to compare with, when the query has parameters.  The Custom Scan is filled and hit first, then
-- the function path is hit (a whole-row reference needs it); then, with a key of its own, by a
-- setting that is in each key and does nothing here, the function path fills and the Custom Scan hits.
CREATE FUNCTION cq_test.check(query text, args text DEFAULT '', direct text DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	expected text[];
	problem text := '';
	calls text[][] := ARRAY[['0', '*', 'miss_cold'], ['0', '*', 'hit'], ['0', 't', 'hit'],
							['1', 't', 'miss_cold'], ['1', '*', 'hit'], ['1', 't', 'hit']];
	c text[];
	got record;
	wanted text[];
BEGIN
	expected := cq_test.rows(coalesce(direct, query));
	FOREACH c SLICE 1 IN ARRAY calls LOOP
		PERFORM set_config('gin_fuzzy_search_limit', c[1], true);
		got := cq_test.call(cq_test.statement(query, args, target => c[2]));
		-- a whole-row reference is a record in a record
		wanted := CASE WHEN c[2] = '*' THEN expected
					   ELSE ARRAY(SELECT ROW(r)::text FROM unnest(expected) WITH ORDINALITY AS u(r, n)
								   ORDER BY n) END;
		IF got.outcome <> c[3] THEN
			problem := problem || format(E'\n%s of %s: counted as %s', c[3], c[2], got.outcome);
		END IF;
		IF cq_test.compare(wanted, got.rows) IS NOT NULL THEN
			problem := problem || format(E'\n%s of %s: %s', c[3], c[2],
										 cq_test.compare(wanted, got.rows));
		END IF;
	END LOOP;
	PERFORM set_config('gin_fuzzy_search_limit', '0', true);
	IF problem <> '' THEN
		RETURN concat(query, problem);
	END IF;
	RETURN format('same, %s rows', cardinality(expected));
EXCEPTION WHEN OTHERS THEN
	RETURN concat(query, ': ', SQLSTATE, ' ', SQLERRM, problem);
END $$;

-- Verdict on a query without running it.
CREATE FUNCTION cq_test.verdict(query text, args text DEFAULT '', OUT cacheable bool,
								OUT reason text, OUT consistency text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SELECT cacheable, reason, consistency FROM cached_query_explain(%L%s)',
				   query, args) INTO cacheable, reason, consistency;
END $$;

-- Direct and cached answer of one text, with how the call was counted.
CREATE FUNCTION cq_test.now(query text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	direct text[];
	got record;
	direct_state text := '00000';
	state text := '00000';
BEGIN
	BEGIN direct := cq_test.rows(query); EXCEPTION WHEN OTHERS THEN direct_state := SQLSTATE; END;
	BEGIN got := cq_test.call(cq_test.statement(query)); EXCEPTION WHEN OTHERS THEN state := SQLSTATE; END;
	IF direct_state <> state THEN
		RETURN format('%s instead of %s', state, direct_state);
	ELSIF state <> '00000' THEN
		RETURN 'error ' || state;
	END IF;
	RETURN format('%s %s', got.outcome, got.rows) || coalesce(': ' || cq_test.compare(direct, got.rows), '');
END $$;

-- Runs a statement as a role and says how it was counted, or which error came.
CREATE FUNCTION cq_test.as_role(role name, sql text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	got record;
	result text;
BEGIN
	PERFORM set_config('role', role, false);
	BEGIN
		got := cq_test.call(sql);
		result := got.outcome || ' ' || got.rows::text;
	EXCEPTION WHEN OTHERS THEN
		result := SQLSTATE || ' ' || SQLERRM;
	END;
	PERFORM set_config('role', 'none', false);
	RETURN result;
END $$;

-- The first exact read on a server makes writers publish what they write; answers of before don't
-- count as exact.  That is out of the way now.
SET cached_query.consistency = exact;
SELECT count(*) FROM cached_query('SELECT 1', '1h') AS t(a int);
SELECT count(*) FROM cached_query('SELECT 1', '1h') AS t(a int);
RESET cached_query.consistency;

-- The helpers must be able to fail: a direct query is not a call, and different rows are seen.
SELECT * FROM cq_test.call('SELECT 1 AS a UNION ALL SELECT 2 ORDER BY 1');
SELECT cq_test.compare('{a,b}', '{a,b}'), cq_test.compare('{a,b}', '{b,a}'),
	cq_test.compare('{a,b}', '{a}');
SELECT cq_test.check('SELECT g FROM generate_series(1, 3) AS g',
					 direct => 'SELECT g FROM generate_series(1, 2) AS g');
SELECT cq_test.check('SELECT g FROM generate_series(1, 4) AS g');
-- Once more: the entries are there, so that this is no miss any more.
SELECT cq_test.check('SELECT g FROM generate_series(1, 4) AS g');
