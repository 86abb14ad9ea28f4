--
-- Answers of functions whose result another session, role or setting would not get: what is cached
-- and what the query gives directly are compared in a new session, or under a new setting.
--
CREATE SCHEMA cq_code2;
SET search_path = cq_code2, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
-- cached and direct, of a query for one text
CREATE FUNCTION agree(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	cached text;
	direct text;
BEGIN
	EXECUTE format('SELECT v FROM cached_query(%L, ''1h'') AS t(v text)', query) INTO cached;
	EXECUTE query INTO direct;
	IF cached IS NOT DISTINCT FROM direct THEN
		RETURN 'same';
	END IF;
	RETURN format('cached %s, direct %s', cached, direct);
END $$;
CREATE TABLE queries (n serial, query text);

-- what belongs to the session, in code that can't be read
CREATE FUNCTION dyn_pid() RETURNS text LANGUAGE plpgsql STABLE AS $$ DECLARE p int; BEGIN EXECUTE 'SELECT pg_backend_pid()' INTO p; RETURN p; END $$;
CREATE FUNCTION dyn_app() RETURNS text LANGUAGE plpgsql STABLE AS $$ DECLARE p text; BEGIN EXECUTE 'SELECT current_setting(''application_name'')' INTO p; RETURN p; END $$;
CREATE FUNCTION dyn_calls() RETURNS text LANGUAGE plpgsql STABLE AS $$ DECLARE p text; BEGIN EXECUTE 'SELECT cq_code2.' || 'below()' INTO p; RETURN p; END $$;
CREATE FUNCTION below() RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN pg_backend_pid(); END $$;
CREATE FUNCTION dyn_view() RETURNS text LANGUAGE plpgsql STABLE AS $$ DECLARE p text; BEGIN EXECUTE 'SELECT pid FROM cq_code2.pids' INTO p; RETURN p; END $$;
CREATE VIEW pids AS SELECT pg_backend_pid() AS pid;
CREATE FUNCTION name_put_together() RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN current_setting('application' || '_name'); END $$;
CREATE FUNCTION name_in_sql(n text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT current_setting(n) $$;
CREATE FUNCTION work_memory() RETURNS text LANGUAGE plpgsql STABLE AS $$ DECLARE n text := 'work_mem'; BEGIN RETURN current_setting(n); END $$;
CREATE FUNCTION pid_default(p int DEFAULT pg_backend_pid()) RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN p; END $$;
CREATE FUNCTION pid_loop() RETURNS text LANGUAGE plpgsql STABLE AS $$ DECLARE r record; BEGIN FOR r IN SELECT pid FROM cq_code2.pids LOOP RETURN r.pid; END LOOP; END $$;
CREATE FUNCTION shown(n text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT setting FROM pg_settings WHERE name = n $$;
INSERT INTO queries (query) VALUES ('SELECT cq_code2.dyn_pid()'), ('SELECT cq_code2.dyn_app()'), ('SELECT cq_code2.dyn_calls()'), ('SELECT cq_code2.dyn_view()'), ('SELECT cq_code2.name_put_together()'),
	('SELECT cq_code2.name_in_sql(''application_name'')'), ('SELECT cq_code2.work_memory()'), ('SELECT cq_code2.pid_default()'), ('SELECT cq_code2.pid_loop()'), ('SELECT cq_code2.shown(''application_name'')'),
	('SELECT current_setting(''application'' || ''_name'')'), ('SELECT current_setting(lower(''WORK_MEM''))');
SET application_name = 'one';
SELECT query, cq_code2.agree(query) AS first, cq_code2.agree(query) AS second FROM cq_code2.queries ORDER BY n;
SET application_name = 'two';
SET work_mem = '7MB';
SELECT query, cq_code2.agree(query) AS first, cq_code2.agree(query) AS second FROM cq_code2.queries ORDER BY n;
\c
SET application_name = 'three';
SET work_mem = '6MB';
SELECT query, cq_code2.agree(query) AS first, cq_code2.agree(query) AS second FROM cq_code2.queries ORDER BY n;
SET cached_query.consistency = exact;
SELECT query, cq_code2.agree(query) AS first, cq_code2.agree(query) AS second FROM cq_code2.queries ORDER BY n;
RESET cached_query.consistency;
SET search_path = cq_code2, public;
-- what a run showed is known afterwards
SELECT outcome FROM cq_test.call($$ SELECT * FROM cached_query('SELECT cq_code2.dyn_pid()', '1h') AS t(v text) $$);
SELECT cacheable, reason FROM cached_query_explain('SELECT cq_code2.dyn_pid()');
-- the rest is cached
SELECT outcome FROM cq_test.call($$ SELECT * FROM cached_query('SELECT cq_code2.dyn_app()', '1h') AS t(v text) $$);
SELECT outcome FROM cq_test.call($$ SELECT * FROM cached_query('SELECT cq_code2.name_put_together()', '1h') AS t(v text) $$);

-- the moment, in exact mode
TRUNCATE queries;
CREATE FUNCTION time_of(t text) RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN t; END $$;
CREATE FUNCTION time_in_sql(t text) RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT t::timestamptz $$;
CREATE FUNCTION dyn_time() RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$ DECLARE p timestamptz; BEGIN EXECUTE 'SELECT now()' INTO p; RETURN p; END $$;
CREATE FUNCTION now_default(t timestamptz DEFAULT now()) RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT t $$;
CREATE FUNCTION op_now(int, int) RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT now()';
CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = op_now);
CREATE FUNCTION op_inside() RETURNS timestamptz LANGUAGE plpgsql STABLE AS 'BEGIN RETURN 1 OPERATOR(cq_code2.###) 2; END';
INSERT INTO queries (query) VALUES ('SELECT cq_code2.time_of(''now'')::text'), ('SELECT cq_code2.time_in_sql(''now'')::text'), ('SELECT cq_code2.dyn_time()::text'),
	('SELECT cq_code2.now_default()::text'), ('SELECT cq_code2.op_inside()::text');
SET cached_query.consistency = exact;
SELECT count(*) FROM queries, agree(query) WHERE agree <> 'same';
SELECT query, agree(query) FROM queries ORDER BY n;
-- volatile functions in C below
CREATE EXTENSION IF NOT EXISTS "uuid-ossp" SCHEMA cq_code2;
CREATE FUNCTION uuid_below() RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN cq_code2.uuid_generate_v4(); END $$;
CREATE FUNCTION uuid_in_sql() RETURNS text LANGUAGE sql STABLE AS $$ SELECT cq_code2.uuid_generate_v1()::text $$;
SELECT cacheable, consistency, reason FROM cached_query_explain('SELECT uuid_below()');
SELECT cacheable, consistency, reason FROM cached_query_explain('SELECT uuid_in_sql()');
SELECT outcome FROM cq_test.call($$ SELECT * FROM cached_query('SELECT uuid_below()', '1h') AS t(v text) $$);
SELECT outcome FROM cq_test.call($$ SELECT * FROM cached_query('SELECT uuid_below()', '1h') AS t(v text) $$);
-- one that is trusted, though it is declared volatile
SET cached_query.trusted_functions = 'uuid_generate_v5';
SELECT cacheable, consistency, reason FROM cached_query_explain('SELECT uuid_generate_v5(uuid_ns_url(), ''x'')');
SET cached_query.trusted_functions = 'uuid_generate_v4';
SELECT cacheable, consistency, reason FROM cached_query_explain('SELECT uuid_generate_v4()');
RESET cached_query.trusted_functions;
SELECT cacheable, consistency, reason FROM cached_query_explain('SELECT uuid_generate_v4()');
RESET cached_query.consistency;

-- settings in views and policies that only functions read; row_security
CREATE ROLE regress_cq_code;
GRANT USAGE ON SCHEMA cq_code2 TO regress_cq_code;
CREATE TABLE ten (id int, app text);
INSERT INTO ten VALUES (1, 'one'), (2, 'two');
ALTER TABLE ten ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON ten USING (app = current_setting('application_name'));
CREATE TABLE plain AS SELECT * FROM ten;
CREATE VIEW own AS SELECT * FROM plain WHERE app = current_setting('application_name');
GRANT SELECT ON ten, plain, own, queries TO regress_cq_code;
CREATE FUNCTION by_policy() RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT string_agg(id::text, ',') FROM cq_code2.ten); END $$;
CREATE FUNCTION by_policy_sql() RETURNS text LANGUAGE sql STABLE AS $$ SELECT string_agg(id::text, ',') FROM cq_code2.ten $$;
CREATE FUNCTION by_policy_atomic() RETURNS text LANGUAGE sql STABLE BEGIN ATOMIC SELECT string_agg(id::text, ',') FROM cq_code2.ten; END;
CREATE FUNCTION by_view() RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT string_agg(id::text, ',') FROM cq_code2.own); END $$;
CREATE FUNCTION by_view_nested() RETURNS text LANGUAGE sql STABLE AS $$ SELECT cq_code2.by_view() $$;
CREATE FUNCTION by_dynamic() RETURNS text LANGUAGE plpgsql STABLE AS $$ DECLARE r text; BEGIN EXECUTE 'SELECT string_agg(id::text, '','') FROM cq_code2.ten' INTO r; RETURN r; END $$;
TRUNCATE queries;
INSERT INTO queries (query) SELECT format('SELECT cq_code2.%s()', f) FROM unnest('{by_policy,by_policy_sql,by_policy_atomic,by_view,by_view_nested,by_dynamic}'::text[]) AS f;
SET ROLE regress_cq_code;
SET application_name = 'one';
SELECT query, agree(query) AS first, agree(query) AS second FROM queries ORDER BY n;
SET application_name = 'two';
SELECT query, agree(query) AS first, agree(query) AS second FROM queries ORDER BY n;
SET cached_query.consistency = exact;
SELECT query, agree(query) AS first, agree(query) AS second FROM queries ORDER BY n;
SET application_name = 'one';
SELECT query, agree(query) AS first, agree(query) AS second FROM queries ORDER BY n;
SELECT cacheable, consistency, reason FROM cached_query_explain('SELECT cq_code2.by_policy()');
RESET cached_query.consistency;
-- hidden rows are an error, hit or miss
SET row_security = off;
\set SHOW_CONTEXT never
SELECT * FROM cached_query('SELECT cq_code2.by_policy()', '1h') AS t(v text);
SELECT * FROM cached_query('SELECT cq_code2.by_policy_sql()', '1h') AS t(v text);
SELECT * FROM cached_query('SELECT cq_code2.by_policy_atomic()', '1h') AS t(v text);
SELECT * FROM cached_query('SELECT cq_code2.by_dynamic()', '1h') AS t(v text);
SELECT * FROM cached_query('SELECT cq_code2.by_view()', '1h') AS t(v text);
\set SHOW_CONTEXT errors
RESET row_security;
RESET ROLE;

-- SET clauses and SECURITY DEFINER: what a body means is what it means when it runs
CREATE SCHEMA cq_code3;
CREATE TABLE cq_code3.price AS SELECT 3 AS p;
CREATE TABLE price AS SELECT 2 AS p;
CREATE FUNCTION with_path() RETURNS text LANGUAGE plpgsql STABLE SET search_path = cq_code3 AS $$ BEGIN RETURN (SELECT p FROM price); END $$;
CREATE FUNCTION without_path() RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT p FROM price); END $$;
CREATE FUNCTION path_above() RETURNS text LANGUAGE sql STABLE SET search_path = cq_code3, cq_code2 AS $$ SELECT without_path() $$;
SET cached_query.consistency = exact;
SELECT relations FROM cached_query_explain('SELECT with_path()');
SELECT relations FROM cached_query_explain('SELECT without_path()');
SELECT relations FROM cached_query_explain('SELECT path_above()');
SELECT relations FROM cached_query_explain('SELECT path_above(), without_path()');
SELECT f, cq_code2.agree(format('SELECT cq_code2.%s()', f)) AS first, cq_code2.agree(format('SELECT cq_code2.%s()', f)) AS second
	FROM unnest('{with_path,without_path}'::text[]) AS f;
UPDATE cq_code3.price SET p = 4;
UPDATE price SET p = 5;
SELECT f, cq_code2.agree(format('SELECT cq_code2.%s()', f)) AS first, cq_code2.agree(format('SELECT cq_code2.%s()', f)) AS second
	FROM unnest('{with_path,without_path}'::text[]) AS f;
-- a table in front of the one that a body meant
\c
SET search_path = cq_code3, cq_code2, public;
SET cached_query.consistency = exact;
DROP TABLE cq_code3.price;
SELECT v FROM cached_query('SELECT cq_code2.without_path()', '1h') AS t(v text);
SELECT v FROM cached_query('SELECT cq_code2.without_path()', '1h') AS t(v text);
CREATE TABLE cq_code3.price AS SELECT 6 AS p;
\c
SET search_path = cq_code3, cq_code2, public;
SET cached_query.consistency = exact;
SELECT v FROM cached_query('SELECT cq_code2.without_path()', '1h') AS t(v text);
-- the settings of a body's SET clause are left alone
SHOW search_path;
SHOW client_min_messages;

SET client_min_messages = warning;
DROP SCHEMA cq_code2, cq_code3 CASCADE;
DROP ROLE regress_cq_code;
