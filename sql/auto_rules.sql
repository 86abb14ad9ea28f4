--
-- The table cached_query_rules: what a hint would say, for statements that nobody can change.
--
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS cq_rules CASCADE;
DROP ROLE IF EXISTS cq_rules_bi, cq_rules_other;
DELETE FROM cached_query_rules;
CREATE SCHEMA cq_rules;
SET search_path = cq_rules, public;
CREATE TABLE counted (reasons jsonb);
INSERT INTO counted VALUES ('{}');
\i sql/parts/told.sql
-- one statement, three times, and what became of it
CREATE FUNCTION thrice(sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text;
BEGIN
	PERFORM told();
	SET LOCAL cached_query.auto_nested = on;
	FOR i IN 1..3 LOOP EXECUTE sql INTO r; END LOOP;
	SET LOCAL cached_query.auto_nested = off;
	RETURN r || ': ' || told();
END $$;
CREATE TABLE t AS SELECT g AS id, g % 3 AS k FROM generate_series(1, 100) AS g;
CREATE TABLE other AS SELECT 1 AS id;
CREATE TABLE quiet AS SELECT 1 AS id;
CREATE VIEW v AS SELECT id FROM t WHERE k = 1;
CREATE ROLE cq_rules_bi;
CREATE ROLE cq_rules_other;
RESET client_min_messages;
SET cached_query.auto_min_time = 0;

-- Bad rules are refused.
\set VERBOSITY terse
INSERT INTO cached_query_rules (action) VALUES ('on');
INSERT INTO cached_query_rules (role) VALUES ('cq_rules_bi');
INSERT INTO cached_query_rules (role, action) VALUES ('nobody_here', 'exact');
INSERT INTO cached_query_rules (relation, action) VALUES ('no_such_table', 'exact');
INSERT INTO cached_query_rules (relation, action) VALUES ('a.b.c.d', 'exact');
INSERT INTO cached_query_rules (query, action) VALUES ('SELECT FROM WHERE', 'exact');
INSERT INTO cached_query_rules (query, action) VALUES ('SELECT 1; SELECT 2', 'exact');
INSERT INTO cached_query_rules (query, action) VALUES ('DELETE FROM t', 'off');
-- such as are always run
\set VERBOSITY default
INSERT INTO cached_query_rules (query, action) VALUES ('WITH x AS (DELETE FROM t RETURNING id) SELECT id FROM x', 'exact');
INSERT INTO cached_query_rules (query, action) VALUES ('SELECT id INTO x FROM t UNION SELECT 1', 'exact');
INSERT INTO cached_query_rules (query, action) VALUES ('SELECT * FROM (SELECT id FROM t FOR SHARE) AS s', 'exact');
INSERT INTO cached_query_rules (query, action) VALUES ('SELECT (SELECT max(id) FROM t)', 'exact');
\set VERBOSITY terse
INSERT INTO cached_query_rules (query, queryid, action) VALUES ('SELECT 1 FROM t', 1, 'off');
INSERT INTO cached_query_rules (action, ttl) VALUES ('ttl', NULL);
INSERT INTO cached_query_rules (action, ttl) VALUES ('ttl', '-1s');
INSERT INTO cached_query_rules (action, ttl) VALUES ('exact', '1s');
INSERT INTO cached_query_rules (action, tag) VALUES ('exact', '');
INSERT INTO cached_query_rules (action, tag) VALUES ('off', 'x');
INSERT INTO cached_query_rules (action) SELECT 'off' FROM generate_series(1, 2);
INSERT INTO cached_query_rules (queryid, action) SELECT g, 'off' FROM generate_series(1, 1001) AS g;
SELECT cached_query_rule_trigger();
SELECT count(*) FROM cached_query_rules;

-- Off: rules are not asked.
INSERT INTO cached_query_rules (action) VALUES ('exact');
SELECT thrice('SELECT count(*) FROM t');
DELETE FROM cached_query_rules;

-- Hinted: those with a rule only. By relation; a name without schema is given one.
SET cached_query.auto = hinted;
SELECT thrice('SELECT count(*) FROM t');
INSERT INTO cached_query_rules (relation, action, tag) VALUES ('t', 'exact', 'ruled') RETURNING relation;
SELECT thrice('SELECT count(*) FROM t');
SELECT thrice('SELECT count(*) FROM v');
SELECT thrice('SELECT count(*) FROM other');
SELECT query, tag FROM cached_query_entries WHERE database = current_database() AND tag = 'ruled' ORDER BY query;
-- the name counts: a table that is made again, or has another name
DROP TABLE other;
ALTER TABLE t RENAME TO t2;
SELECT thrice('SELECT count(*) FROM t2');
ALTER TABLE t2 RENAME TO t;
SELECT thrice('SELECT count(*) FROM t');
DELETE FROM cached_query_rules;
SELECT thrice('SELECT count(*) FROM t');

-- By statement: spaces, comments, case and values make no difference, names as they are written do.
INSERT INTO cached_query_rules (query, action) VALUES ('SELECT sum(id) FROM t WHERE k = 1', 'exact');
SELECT thrice('select SUM(id)  from t /* any */ where k = 2');
SELECT thrice('SELECT sum(id) FROM cq_rules.t WHERE k = 1');
SELECT thrice('SELECT sum(id) FROM t WHERE k = 1 AND id > 0');
PREPARE p(int) AS SELECT sum(id) FROM t WHERE k = $1;
EXECUTE p(0); EXECUTE p(0); EXECUTE p(0);
SELECT told();
-- it acts on what is prepared: at once when it says off, from the second run on when it says otherwise
UPDATE cached_query_rules SET action = 'off';
EXECUTE p(0); EXECUTE p(0);
SELECT told();
UPDATE cached_query_rules SET action = 'exact';
EXECUTE p(0); EXECUTE p(0); EXECUTE p(0);
SELECT told();
TRUNCATE cached_query_rules;
EXECUTE p(0); EXECUTE p(0);
SELECT told();

-- By query identifier.
SET compute_query_id = on;
DO $$
DECLARE line json;
BEGIN
	EXECUTE 'EXPLAIN (VERBOSE, FORMAT json) SELECT max(id) FROM t WHERE k = 1' INTO line;
	INSERT INTO cached_query_rules (queryid, action) VALUES ((line -> 0 ->> 'Query Identifier')::bigint, 'exact');
END $$;
SELECT thrice('SELECT max(id) FROM t WHERE k = 2');
SELECT thrice('SELECT min(id) FROM t WHERE k = 2');
RESET compute_query_id;
TRUNCATE cached_query_rules;

-- By role, and the more specific rule applies; then the stricter one.
GRANT USAGE ON SCHEMA cq_rules TO PUBLIC;
GRANT ALL ON ALL TABLES IN SCHEMA cq_rules TO PUBLIC;
INSERT INTO cached_query_rules (role, relation, query, action) VALUES
	('cq_rules_bi', NULL, NULL, 'exact'), (NULL, 't', NULL, 'off'), (NULL, NULL, 'SELECT count(*), 1 FROM t', 'exact');
SET ROLE cq_rules_bi;
SELECT thrice('SELECT 7 FROM quiet');
SELECT thrice('SELECT count(*) FROM t');
SELECT thrice('SELECT count(*), 2 FROM t');
SET ROLE cq_rules_other;
SELECT thrice('SELECT 8 FROM quiet');
SELECT thrice('SELECT count(*), 3 FROM t');
-- only the owner writes them
INSERT INTO cached_query_rules (action) VALUES ('off');
SELECT * FROM cached_query_rules;
RESET ROLE;
TRUNCATE cached_query_rules;
CREATE TABLE other AS SELECT 1 AS id;
INSERT INTO cached_query_rules (relation, action) VALUES ('t', 'off'), ('other', 'exact');
SELECT thrice('SELECT count(*) FROM t, other');
SELECT thrice('SELECT count(*) FROM other');

-- A hint says more than a rule, and a rule what a hint leaves open.
SELECT thrice('/* cached_query: exact */ SELECT count(*), 4 FROM t');
SELECT thrice('/* cached_query: off */ SELECT count(*), 5 FROM other');
SELECT thrice('/* cached_query: tag=of_hint */ SELECT count(*), 6 FROM other');

-- Exact: a rule is needed for off, and for a tag.
SET cached_query.auto = exact;
SELECT thrice('SELECT count(*), 9 FROM t');
SELECT thrice('SELECT count(*), 9 FROM v');
SELECT thrice('SELECT count(*), 9 FROM quiet');
-- within a ttl: own changes are seen, and others' later
INSERT INTO cached_query_rules (query, action, ttl) VALUES ('SELECT count(*), 15 FROM quiet', 'ttl', '1 h');
SELECT thrice('SELECT count(*), 15 FROM quiet');
INSERT INTO quiet VALUES (2);
SELECT thrice('SELECT count(*), 15 FROM quiet');
SELECT thrice('/* cached_query: exact */ SELECT count(*), 15 FROM quiet');
SET cached_query.auto = ttl;
UPDATE cached_query_rules SET action = 'exact', ttl = NULL WHERE query IS NOT NULL;
INSERT INTO quiet VALUES (3);
SELECT thrice('SELECT count(*), 15 FROM quiet');
DELETE FROM cached_query_rules WHERE query IS NOT NULL;
-- observe: all is looked at
SET cached_query.auto = observe;
SELECT thrice('SELECT count(*), 10 FROM t');

-- Changes of this transaction act, and end with it.
SET cached_query.auto = hinted;
BEGIN;
UPDATE cached_query_rules SET action = 'exact' WHERE relation = 'cq_rules.t';
SELECT thrice('SELECT count(*), 11 FROM t');
ROLLBACK;
SELECT thrice('SELECT count(*), 12 FROM t');
-- anybody's table of that name is none
CREATE TABLE cq_rules.cached_query_rules (LIKE public.cached_query_rules);
INSERT INTO cq_rules.cached_query_rules (action) VALUES ('exact');
SELECT thrice('SELECT count(*), 14 FROM quiet');

-- A rule for one role leaves another role's kept plan alone.
TRUNCATE public.cached_query_rules;
INSERT INTO public.cached_query_rules (role, action) VALUES ('cq_rules_bi', 'off');
SET plan_cache_mode = force_generic_plan;
SET cached_query.auto = off;
PREPARE kept AS SELECT count(*), 16 FROM t;
EXECUTE kept;
SET cached_query.auto = exact;
PREPARE new AS SELECT count(*), 17 FROM t;
SELECT told();
SET ROLE cq_rules_bi;
EXECUTE kept; EXECUTE kept; EXECUTE kept;
EXECUTE new; EXECUTE new;
SELECT told();
RESET ROLE;
EXECUTE new; EXECUTE new; EXECUTE new;
SELECT told();
EXECUTE kept; EXECUTE kept; EXECUTE kept;
SELECT told();
SET ROLE cq_rules_bi;
EXECUTE new; EXECUTE kept;
SELECT told();
RESET ROLE;
RESET plan_cache_mode;

-- The table under another name is the same; if it was changed so that nobody knows what the rules say, slow
-- statements are run.
ALTER TABLE public.cached_query_rules RENAME TO rules_of_ours;
INSERT INTO public.rules_of_ours (relation, action) VALUES ('quiet', 'off');
SELECT thrice('SELECT count(*), 18 FROM quiet');
ALTER TABLE public.rules_of_ours RENAME TO cached_query_rules;
BEGIN;
ALTER TABLE public.cached_query_rules DROP COLUMN tag;
SELECT thrice('SELECT count(*), 18 FROM quiet');
SELECT thrice('SELECT count(*), 18 FROM t');
SELECT candidate, reason, detail FROM cached_query_explain_statement('SELECT count(*), 18 FROM t');
ROLLBACK;
SELECT thrice('SELECT count(*), 18 FROM quiet');
BEGIN;
ALTER TABLE public.cached_query_rules ALTER queryid TYPE numeric;
SELECT thrice('SELECT count(*), 18 FROM t');
SELECT detail FROM cached_query_explain_statement('SELECT count(*), 18 FROM t');
ROLLBACK;
ALTER TABLE public.cached_query_rules DISABLE TRIGGER cached_query_rules_changed;
SELECT thrice('SELECT count(*), 18 FROM t');
SELECT reason, detail FROM cached_query_explain_statement('SELECT count(*), 18 FROM t');
EXECUTE new; EXECUTE new;
SELECT told();
-- a trigger of the same names in its place tells nobody
CREATE FUNCTION cached_query_rule_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR TRUNCATE ON public.cached_query_rules FOR EACH STATEMENT EXECUTE FUNCTION cached_query_rule_trigger();
SELECT reason, detail FROM cached_query_explain_statement('SELECT count(*), 18 FROM t');
DROP FUNCTION cached_query_rule_trigger() CASCADE;
ALTER TABLE public.cached_query_rules ENABLE ALWAYS TRIGGER cached_query_rules_changed;
SELECT thrice('SELECT count(*), 18 FROM t');
SELECT thrice('SELECT count(*), 18 FROM quiet');

-- The trigger's function takes for granted what the table is: it is for no other one, and not for everybody.
SET cached_query.auto = off;
SELECT has_function_privilege('cq_rules_bi', 'cached_query_rule_trigger()', 'EXECUTE');
CREATE TABLE wrong (role bigint, query bigint, relation bigint);
CREATE TRIGGER x BEFORE INSERT ON wrong FOR EACH ROW EXECUTE FUNCTION cached_query_rule_trigger();
INSERT INTO wrong (role) VALUES (4096);
CREATE TABLE parts (a int) PARTITION BY RANGE (a);
CREATE TRIGGER x AFTER INSERT ON parts FOR EACH STATEMENT EXECUTE FUNCTION cached_query_rule_trigger();
INSERT INTO parts SELECT 1 WHERE false;
CREATE TRIGGER x BEFORE INSERT ON cached_query_rules FOR EACH ROW EXECUTE FUNCTION cached_query_rule_trigger();
INSERT INTO cached_query_rules (action) VALUES ('exact');
-- nor does its owner's ALTER TABLE do harm
BEGIN;
ALTER TABLE public.cached_query_rules ALTER role TYPE bigint USING 4096;
INSERT INTO public.cached_query_rules (role, action) VALUES (4096, 'off');
ROLLBACK;
BEGIN;
ALTER TABLE public.cached_query_rules DROP COLUMN role;
INSERT INTO public.cached_query_rules (action) VALUES ('off');
ROLLBACK;

TRUNCATE public.cached_query_rules;
SELECT cached_query_stats_reset();
SET client_min_messages = warning;
DROP SCHEMA cq_rules CASCADE;
DROP ROLE cq_rules_bi, cq_rules_other;
