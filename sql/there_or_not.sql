--
-- What one session has and another one doesn't: settings that somebody had set once, those of libraries that were
-- loaded, and text search parsers by their names.
--
CREATE SCHEMA cq_there;
SET search_path = cq_there, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
CREATE FUNCTION dynamic(name text) RETURNS text STABLE LANGUAGE plpgsql AS $$ DECLARE r text; BEGIN EXECUTE format('SELECT coalesce(current_setting(%L, true), ''null'')', name) INTO r; RETURN r; END $$;
CREATE FUNCTION of_expression(name text) RETURNS text STABLE LANGUAGE sql AS $$ SELECT coalesce(current_setting('cq_' || name, true), 'null') $$;
CREATE OPERATOR ?? (LEFTARG = text, RIGHTARG = bool, FUNCTION = current_setting);
CREATE TABLE queries (query text);
INSERT INTO queries VALUES ($$SELECT coalesce(current_setting('cq_app.' || 'x', true), 'null')$$), ($$SELECT dynamic('cq_app.x')$$), ($$SELECT of_expression('app.x')$$),
	($$SELECT coalesce('cq_app.x'::text ?? true, 'null')$$), ($$SELECT coalesce(current_setting('cq_app.x', true), 'null')$$),
	($$SELECT coalesce(x, 'null') FROM (VALUES ('cq_app.x')) AS v(name), LATERAL current_setting(name, true) AS x$$);

-- it is unknown; then it is known, and empty again
SELECT query, c.outcome, c.rows, cq_test.rows(query) = c.rows AS same FROM queries, cq_test.call(cq_test.statement(query)) AS c ORDER BY query COLLATE "C";
BEGIN;
SET LOCAL cq_app.x = '1';
COMMIT;
SELECT query, c.outcome, c.rows, cq_test.rows(query) = c.rows AS same FROM queries, cq_test.call(cq_test.statement(query)) AS c ORDER BY query COLLATE "C";
SELECT query, c.outcome, c.rows, cq_test.rows(query) = c.rows AS same FROM queries, cq_test.call(cq_test.statement(query)) AS c ORDER BY query COLLATE "C";
-- another session
\c
SET search_path = cq_there, public;
SELECT query, c.outcome, c.rows, cq_test.rows(query) = c.rows AS same FROM queries, cq_test.call(cq_test.statement(query)) AS c ORDER BY query COLLATE "C";

-- text search parsers
CREATE SCHEMA s1;
CREATE SCHEMA s2;
CREATE TEXT SEARCH PARSER s1.myp (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype);
TRUNCATE queries;
INSERT INTO queries VALUES ($$SELECT * FROM ts_parse('myp', 'a b')$$), ($$SELECT count(*) FROM ts_token_type('myp')$$);
SET search_path = s1, cq_there, public;
SELECT outcome, cardinality(rows) FROM queries, generate_series(1, 2) AS g, cq_test.call(cq_test.statement(query || left('', g)));
SET search_path = s2, cq_there, public;
SELECT outcome, code FROM queries, cq_test.fails(cq_test.statement(query));

SET client_min_messages = warning;
DROP SCHEMA s1, s2, cq_there CASCADE;
