--
-- What a function's body hides from the walkers of the query: a STABLE PL/pgSQL function may call
-- now() or pg_backend_pid() itself, which no parse tree and no nested executor shows.  The answer
-- must still be the caller's own.
--
CREATE SCHEMA cq_hidden;
SET search_path = cq_hidden, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
CREATE FUNCTION f_time() RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN now(); END $$;
CREATE FUNCTION f_session() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN pg_backend_pid(); END $$;
CREATE FUNCTION f_role() RETURNS name LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN current_user; END $$;
CREATE FUNCTION f_custom() RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN current_setting('app.x', true); END $$;
CREATE FUNCTION f_zone() RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN to_char('2024-01-01 00:00+00'::timestamptz, 'HH24'); END $$;
CREATE FUNCTION f_path() RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN current_schema(); END $$;

-- time: in exact mode the one of this transaction
SET cached_query.consistency = exact;
SELECT v = now() AS same FROM cached_query('SELECT f_time()', '1h') AS t(v timestamptz);
SELECT v = now() AS same FROM cached_query('SELECT f_time()', '1h') AS t(v timestamptz);
RESET cached_query.consistency;
-- in ttl mode the one of the fill
SELECT v <= now() AS past FROM cached_query('SELECT f_time()', '1h') AS t(v timestamptz);
-- the session
SELECT v = pg_backend_pid() AS same FROM cached_query('SELECT f_session()', '1h') AS t(v int);
\c
SET search_path = cq_hidden, public;
SELECT f_time() IS NOT NULL AS loaded;
SELECT v = pg_backend_pid() AS same FROM cached_query('SELECT f_session()', '1h') AS t(v int);
-- roles, settings of extensions and applications, regional settings, the search path
CREATE ROLE regress_cq_hidden;
GRANT USAGE ON SCHEMA cq_hidden TO regress_cq_hidden;
SELECT v = current_user AS same FROM cached_query('SELECT f_role()', '1h') AS t(v name);
SET ROLE regress_cq_hidden;
SELECT v = current_user AS same FROM cached_query('SELECT f_role()', '1h') AS t(v name);
RESET ROLE;
SET app.x = 'one';
SELECT * FROM cached_query('SELECT f_custom()', '1h') AS t(v text);
SET app.x = 'two';
SELECT * FROM cached_query('SELECT f_custom()', '1h') AS t(v text);
SET timezone = 'UTC';
SELECT * FROM cached_query('SELECT f_zone()', '1h') AS t(v text);
SET timezone = 'Asia/Tokyo';
SELECT * FROM cached_query('SELECT f_zone()', '1h') AS t(v text);
RESET timezone;
SELECT * FROM cached_query('SELECT cq_hidden.f_path()', '1h') AS t(v text);
SET search_path = public, cq_hidden;
SELECT * FROM cached_query('SELECT cq_hidden.f_path()', '1h') AS t(v text);
SET search_path = cq_hidden, public;
-- the same in SQL functions, which are inlined or not
CREATE FUNCTION s_time() RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT now() $$;
CREATE FUNCTION s_session() RETURNS SETOF int LANGUAGE sql STABLE AS $$ SELECT pg_backend_pid() $$;
SET cached_query.consistency = exact;
SELECT v = now() AS same FROM cached_query('SELECT s_time()', '1h') AS t(v timestamptz);
SELECT v = now() AS same FROM cached_query('SELECT s_time()', '1h') AS t(v timestamptz);
RESET cached_query.consistency;
SELECT v = pg_backend_pid() AS same FROM cached_query('SELECT * FROM s_session()', '1h') AS t(v int);
SELECT v = pg_backend_pid() AS same FROM cached_query('SELECT s_session()', '1h') AS t(v int);
\c
SET search_path = cq_hidden, public;
SELECT f_time() IS NOT NULL AS loaded;
SELECT v = pg_backend_pid() AS same FROM cached_query('SELECT * FROM s_session()', '1h') AS t(v int);
SELECT v = pg_backend_pid() AS same FROM cached_query('SELECT s_session()', '1h') AS t(v int);

-- loading a library defines its settings; that is no reason for another entry
CREATE FUNCTION f_plain() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN 1; END $$;
\c
SET search_path = cq_hidden, public;
SELECT cq_test.counts() AS before \gset
SELECT * FROM cached_query('SELECT f_plain()', '1h') AS t(v int);
SELECT * FROM cached_query('SELECT f_plain()', '1h') AS t(v int);
SELECT cq_test.since(:'before');

DROP OWNED BY regress_cq_hidden;
DROP ROLE regress_cq_hidden;
DROP SCHEMA cq_hidden CASCADE;
