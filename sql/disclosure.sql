--
-- What a role sees of answers that others filled: that they are there and what they cost, not what they are.
--
CREATE SCHEMA cq_disclosure;
GRANT USAGE ON SCHEMA cq_disclosure TO PUBLIC;
SET search_path = cq_disclosure, public;
SELECT cached_query_clear() >= 0 AS empty;
CREATE ROLE cq_teller; CREATE ROLE cq_member; CREATE ROLE cq_stranger; CREATE ROLE cq_monitor;
GRANT cq_teller TO cq_member; GRANT pg_read_all_stats TO cq_monitor;
CREATE TABLE patients (id int, name text);
INSERT INTO patients VALUES (1, 'x'), (2, 'y');
GRANT SELECT ON patients TO cq_teller;
CREATE FUNCTION seen() RETURNS TABLE (query text, args text, tag text, relations bool, names text[], rows bigint, bytes bool, id bool, others bool) LANGUAGE sql AS $$
	SELECT query, args, tag, relations = ARRAY['patients'::regclass::oid], relation_names, rows, bytes > 0, queryid IS NOT NULL, database = current_database() AND tier = 'memory' AND state = 'fresh' AND hits IS NOT NULL AND fill_ms IS NOT NULL FROM cached_query_entries WHERE role = 'cq_teller' $$;
SET compute_query_id = on;
SET ROLE cq_teller;
SELECT count(*) FROM cached_query_with('{"tag": "patient Miller"}', 'SELECT * FROM patients WHERE id < $1', '1h', 9) AS t(id int, name text);
RESET ROLE;
SELECT * FROM seen();
SET ROLE cq_teller; SELECT * FROM seen();
SET ROLE cq_member; SELECT * FROM seen();
SET ROLE cq_monitor; SELECT * FROM seen();
SET ROLE cq_stranger; SELECT * FROM seen();
SELECT size, query FROM cached_query_top WHERE role = 'cq_teller';
SELECT last_error FROM cached_query_redis;
-- nor by asking for the same query, which it may not read
SELECT state, rows FROM cached_query_explain('SELECT * FROM patients WHERE id < $1', '9');
RESET ROLE;
-- settings with secrets are for superusers, and not shown
SET ROLE cq_stranger;
\set VERBOSITY sqlstate
SHOW cached_query.redis_url;
SHOW cached_query.redis_secret_file;
SHOW cached_query.redis_password_file;
\set VERBOSITY default
RESET ROLE;
SELECT name, setting FROM pg_settings WHERE name ~ 'cached_query.redis_.*(file|secret)' ORDER BY name;
SET client_min_messages = warning;
DROP SCHEMA cq_disclosure CASCADE;
DROP ROLE cq_teller; DROP ROLE cq_member; DROP ROLE cq_stranger; DROP ROLE cq_monitor;
