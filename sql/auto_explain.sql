--
-- cached_query_explain_statement(): what cached_query.auto would do with a statement, without running it.
--
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS cq_expl CASCADE;
DROP ROLE IF EXISTS cq_expl_bi;
DELETE FROM cached_query_rules;
CREATE SCHEMA cq_expl;
SET search_path = cq_expl, public;
CREATE TABLE t AS SELECT g AS id, g % 3 AS k FROM generate_series(1, 30) AS g;
CREATE TABLE secret AS SELECT 1 AS id;
CREATE ROLE cq_expl_bi;
GRANT USAGE ON SCHEMA cq_expl TO cq_expl_bi;
GRANT SELECT ON t TO cq_expl_bi;
RESET client_min_messages;
-- what becomes of it and why
CREATE FUNCTION verdict(q text) RETURNS TABLE (candidate bool, reason text, detail text, consistency text, chosen_by text, rule text, state text, slow bool)
	LANGUAGE sql AS 'SELECT candidate, reason, detail, consistency, chosen_by, rule, state, slow FROM cached_query_explain_statement(q)';
SELECT cached_query_stats_reset();

-- Off: nothing but that, and what it reads.
SELECT candidate, reason, detail, relations, chosen_by, key, state, slow FROM cached_query_explain_statement('SELECT count(*) FROM t');
SET cached_query.auto = exact;

-- Not known to be slow; then a ghost, an entry, a hit, a change.
SET cached_query.auto_min_time = '10min';
SELECT * FROM verdict('SELECT count(*) AS n FROM t');
SET cached_query.auto_min_time = 0;
SELECT * FROM verdict('SELECT count(*) AS n FROM t');
SELECT last_run, age, rows, tier, voided_by FROM cached_query_explain_statement('SELECT count(*) AS n FROM t');
SELECT count(*) AS n FROM t;
SELECT * FROM verdict('SELECT count(*) AS n FROM t');
SELECT last_run > '0' AS measured, age, tier FROM cached_query_explain_statement('SELECT count(*) AS n FROM t');
SELECT count(*) AS n FROM t;
SELECT * FROM verdict('SELECT count(*) AS n FROM t');
SELECT * FROM verdict('  select COUNT(*) as n from t; -- the same');
SELECT last_run > '0' AS measured, age < '1min' AS age, expires_in > '23h' AS expires_in, rows, bytes > 0 AS bytes, tier, ttl, stale_for, tag, voided_by
	FROM cached_query_explain_statement('SELECT count(*) AS n FROM t');
-- asking has changed nothing, and it is a hit
SELECT hits FROM cached_query_entries WHERE origin = 'auto' AND query = 'SELECT count(*) AS n FROM t' AND database = current_database();
SELECT count(*) AS n FROM t;
SELECT hits FROM cached_query_entries WHERE origin = 'auto' AND query = 'SELECT count(*) AS n FROM t' AND database = current_database();
-- this transaction's own change, and a change that is committed
BEGIN;
INSERT INTO t VALUES (31, 0);
SELECT * FROM verdict('SELECT count(*) AS n FROM t');
COMMIT;
SELECT * FROM verdict('SELECT count(*) AS n FROM t');
SELECT voided_by, age < '1min' AS age FROM cached_query_explain_statement('SELECT count(*) AS n FROM t');
SELECT count(*) AS n FROM t;
INSERT INTO t VALUES (32, 0);
SELECT voided_by FROM cached_query_explain_statement('SELECT count(*) AS n FROM t');

-- Parameters: values are part of the key, types are as given or as the statement wants them.
PREPARE p(int) AS SELECT count(*) AS m FROM t WHERE k = $1;
EXECUTE p(1); EXECUTE p(1);
SELECT state FROM cached_query_explain_statement('SELECT count(*) AS m FROM t WHERE k = $1', 1);
SELECT state FROM cached_query_explain_statement('SELECT count(*) AS m FROM t WHERE k = $1', 2);
SELECT state FROM cached_query_explain_statement('SELECT count(*) AS m FROM t WHERE k = $1', VARIADIC ARRAY['1']);
SELECT state FROM cached_query_explain_statement('SELECT count(*) AS m FROM t WHERE k = $1', 1::bigint);
SELECT candidate, state FROM cached_query_explain_statement('SELECT count(*) AS m FROM t WHERE k = $1');
\set VERBOSITY default
SELECT cached_query_explain_statement('SELECT count(*) AS m FROM t WHERE k = $1 AND id = $2', 1);

-- Texts that are no statement for it; what fails as a statement fails here.
SELECT cached_query_explain_statement(NULL);
SELECT cached_query_explain_statement('');
SELECT cached_query_explain_statement('SELECT 1 FROM t; SELECT 2 FROM t');
SELECT cached_query_explain_statement('DELETE FROM t');
SELECT cached_query_explain_statement('VACUUM t');
SELECT cached_query_explain_statement('SELECT * INTO x FROM t');
SELECT cached_query_explain_statement('SELECT * FROM t FOR UPDATE');
SELECT cached_query_explain_statement('WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x');
SELECT cached_query_explain_statement('SELECT FROM WHERE');
SELECT cached_query_explain_statement('SELECT nothing FROM t');
\set VERBOSITY terse
SELECT count(*) FROM t;

-- Why not.
SELECT * FROM verdict('SELECT 1');
SELECT * FROM verdict('SELECT FROM t');
SELECT * FROM verdict('SELECT random() FROM t');
SELECT * FROM verdict('SELECT now() FROM t');
SELECT * FROM verdict('SELECT count(*) FROM pg_class');
SELECT * FROM verdict('SELECT count(*) FROM t WHERE id IN (' || (SELECT string_agg(g::text, ',') FROM generate_series(1, 4000) AS g) || ')');
SET cached_query.mode = off;
SELECT * FROM verdict('SELECT count(*) AS n FROM t');
RESET cached_query.mode;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT * FROM verdict('SELECT count(*) AS n FROM t');
COMMIT;
SET cached_query.auto = ttl;
SELECT * FROM verdict('SELECT now() FROM t');
SELECT * FROM verdict('SELECT random() FROM t');
SET cached_query.default_ttl = 0;
SELECT * FROM verdict('SELECT now() FROM t');
RESET cached_query.default_ttl;
SET cached_query.auto = observe;
SELECT * FROM verdict('SELECT count(*) AS o FROM t');
SELECT count(*) AS o FROM t;
SELECT * FROM verdict('SELECT count(*) AS o FROM t');

-- Hints.
SET cached_query.auto = hinted;
SET cached_query.auto_min_time = '10min';
SELECT * FROM verdict('SELECT count(*) AS h FROM t');
SELECT * FROM verdict('/* cached_query: exact */ SELECT count(*) AS h FROM t');
SELECT candidate, consistency, chosen_by, ttl, stale_for, tag, slow FROM cached_query_explain_statement('SELECT now() FROM t /* cached_query: ttl=90s, tag=report */');
SET cached_query.stale_for = '5s';
SELECT ttl, stale_for FROM cached_query_explain_statement('SELECT now() FROM t /* cached_query: ttl=90s */');
RESET cached_query.stale_for;
SELECT * FROM verdict('SELECT count(*) AS h FROM t /* cached_query: off */');
SELECT * FROM verdict('SELECT count(*) AS h FROM t /* cached_query: ofen */');

-- Rules; by query identifier, too.
INSERT INTO cached_query_rules (relation, role, action, ttl, tag) VALUES ('t', current_user, 'ttl', '7s', 'ruled');
SELECT candidate, consistency, chosen_by, replace(rule, current_user, 'me') AS rule, ttl, tag, slow FROM cached_query_explain_statement('SELECT count(*) AS r FROM t');
SELECT consistency, chosen_by, replace(rule, current_user, 'me') AS rule, ttl, tag FROM cached_query_explain_statement('SELECT count(*) AS r FROM t /* cached_query: exact */');
INSERT INTO cached_query_rules (query, action) VALUES ('SELECT count(*) AS r FROM t', 'off');
SELECT * FROM verdict('SELECT count(*) AS r FROM t');
SELECT * FROM verdict('SELECT count(*) AS r, 1 AS s FROM secret');
DELETE FROM cached_query_rules;
SET compute_query_id = on;
SET cached_query.auto = observe;
SET cached_query.auto_min_time = 0;
SELECT count(*) AS by_id FROM t;
INSERT INTO cached_query_rules (queryid, action) SELECT queryid, 'exact' FROM cached_query_candidates WHERE query = 'SELECT count(*) AS by_id FROM t' AND database = current_database();
SET cached_query.auto = hinted;
SELECT candidate, chosen_by, regexp_replace(rule, '-?\d+', 'N') AS rule FROM cached_query_explain_statement('SELECT count(*) AS by_id FROM t');
SET compute_query_id = off;
SELECT candidate, chosen_by, detail FROM cached_query_explain_statement('SELECT count(*) AS by_id FROM t');
RESET compute_query_id;
DELETE FROM cached_query_rules;

-- Within a ttl: stale and expired for this session.
SET cached_query.auto = ttl;
SET cached_query.default_ttl = '1h';
SELECT count(*) AS e FROM t; SELECT count(*) AS e FROM t;
SELECT state, reason, ttl FROM cached_query_explain_statement('SELECT count(*) AS e FROM t');
SELECT FROM pg_sleep(0.01);
SELECT state, reason FROM cached_query_explain_statement('SELECT count(*) AS e FROM t /* cached_query: ttl=1ms */');
SET cached_query.stale_for = '1h';
SELECT state, reason, stale_for, expires_in FROM cached_query_explain_statement('SELECT count(*) AS e FROM t /* cached_query: ttl=1ms */');
RESET cached_query.stale_for;
SET cached_query.auto = exact;
SELECT state, reason FROM cached_query_explain_statement('SELECT count(*) AS e FROM t');
RESET cached_query.default_ttl;

-- Rights: who may not run it learns nothing; who may not read the rules is not told which one.
INSERT INTO cached_query_rules (relation, action) VALUES ('t', 'off');
SET ROLE cq_expl_bi;
SELECT cached_query_explain_statement('SELECT * FROM secret');
SELECT candidate, reason, chosen_by, rule FROM cached_query_explain_statement('SELECT count(*) AS n FROM t');
RESET ROLE;
DELETE FROM cached_query_rules;

-- EXPLAIN of a statement is that statement: it is slow if that is, and a hit.
SET cached_query.auto = exact;
SET cached_query.auto_min_time = '10min';
EXPLAIN (ANALYZE, COSTS OFF) SELECT count(*) AS x FROM t \g /dev/null
SET cached_query.auto_min_time = 0.001;
SELECT slow FROM cached_query_explain_statement('SELECT count(*) AS x FROM t');
EXPLAIN /* why */ ANALYZE SELECT count(*) AS x FROM t \g /dev/null
SELECT slow FROM cached_query_explain_statement('SELECT count(*) AS x FROM t');
SELECT count(*) AS x FROM t;
SELECT count(*) AS x FROM t;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT count(*) AS x FROM t \g | grep -oE 'Custom Scan [(][A-Za-z ]+[)]|Cache: [a-z_]+'
EXPLAIN (SELECT count(*) AS x FROM t) \g /dev/null
EXPLAIN (COSTS OFF) (SELECT count(*) AS x FROM t) \g /dev/null
SET cached_query.auto_min_time = 0;

-- It counts nothing, and leaves no ghost and no candidate.
SET cached_query.auto = exact;
SELECT cached_query_stats_reset();
SELECT state, reason FROM cached_query_explain_statement('SELECT count(*) AS never_run FROM t');
SELECT state, reason FROM cached_query_explain_statement('SELECT count(*) AS never_run FROM t');
SELECT state, reason FROM cached_query_explain_statement('SELECT count(*) AS never_run FROM t /* cached_query: what */');
SET cached_query.auto = off;
SELECT count(*) FROM cached_query_candidates WHERE query ~ 'never_run FROM t$' AND database = current_database();
SELECT statements FROM cached_query_reasons WHERE reason = 'hint_invalid';
SET client_min_messages = warning;
DROP SCHEMA cq_expl CASCADE;
DROP ROLE cq_expl_bi;
