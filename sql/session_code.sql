--
-- What a body can see of its session: cursors, which are found by name, large objects, locks, and errors that
-- tell of these.  Such an answer is nobody else's.  A cursor of the function's own is no hindrance.
--
CREATE SCHEMA cq_session;
SET search_path = cq_session, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
CREATE TABLE t (id int, v text);
INSERT INTO t VALUES (1, 'one'), (2, 'two');

\i sql/parts/verdict.sql

-- one of the session's: by its name
CREATE FUNCTION named() RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE c refcursor := 'mycur'; x int; BEGIN IF false THEN OPEN c FOR SELECT 1; END IF; FETCH c INTO x; RETURN x; END $$;
CREATE FUNCTION renamed() RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE c refcursor; x int; BEGIN OPEN c FOR SELECT 1; c := 'mycur'; FETCH c INTO x; RETURN x; END $$;
CREATE FUNCTION renamed_bound() RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE c CURSOR FOR SELECT 1; x int; BEGIN c := 'mycur'; OPEN c; FETCH c INTO x; CLOSE c; RETURN x; END $$;
CREATE FUNCTION into_name() RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE c refcursor; x int; BEGIN OPEN c FOR SELECT 1; SELECT 'mycur' INTO c; FETCH c INTO x; RETURN x; END $$;
CREATE FUNCTION into_two() RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE c refcursor; x int; BEGIN OPEN c FOR SELECT 1; SELECT 1, 'mycur' INTO x, c; FETCH c INTO x; RETURN x; END $$;
CREATE FUNCTION looped_name() RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE c refcursor; x int; BEGIN OPEN c FOR SELECT 1; FOR c IN SELECT 'mycur' LOOP FETCH c INTO x; END LOOP; RETURN x; END $$;
CREATE FUNCTION each_name() RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE c refcursor; x int; BEGIN OPEN c FOR SELECT 1; FOREACH c IN ARRAY ARRAY['mycur'] LOOP FETCH c INTO x; END LOOP; RETURN x; END $$;
CREATE FUNCTION told_name() RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE c refcursor; x int; BEGIN RAISE 'mycur'; EXCEPTION WHEN OTHERS THEN OPEN c FOR SELECT 1; GET STACKED DIAGNOSTICS c = MESSAGE_TEXT; FETCH c INTO x; RETURN x; END $$;
CREATE FUNCTION argument(c refcursor) RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE x int; BEGIN IF false THEN OPEN c FOR SELECT 1; END IF; FETCH c INTO x; RETURN x; END $$;
CREATE FUNCTION in_and_out(INOUT c refcursor, OUT x int) LANGUAGE plpgsql STABLE AS $$ BEGIN IF false THEN OPEN c FOR SELECT 1; END IF; FETCH c INTO x; END $$;
CREATE FUNCTION closes() RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE c refcursor := 'mycur'; BEGIN CLOSE c; RETURN 1; END $$;
CREATE FUNCTION moves() RETURNS bool LANGUAGE plpgsql STABLE AS $$ DECLARE c refcursor := 'mycur'; BEGIN MOVE c; RETURN FOUND; END $$;
CREATE FUNCTION opens() RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE c refcursor := 'mycur'; BEGIN OPEN c FOR SELECT 1; CLOSE c; RETURN 0; EXCEPTION WHEN duplicate_cursor THEN RETURN -1; END $$;
CREATE FUNCTION opens_in_loop() RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE c CURSOR FOR SELECT 1; BEGIN c := 'mycur'; FOR r IN c LOOP NULL; END LOOP; RETURN 0; EXCEPTION WHEN OTHERS THEN RETURN -1; END $$;
-- and what it is called is the session's
CREATE FUNCTION shows() RETURNS text LANGUAGE plpgsql STABLE AS $$ DECLARE c refcursor; BEGIN OPEN c FOR SELECT 1; RETURN c; END $$;
CREATE FUNCTION shows_text() RETURNS text LANGUAGE plpgsql STABLE AS $$ DECLARE c refcursor; BEGIN OPEN c FOR SELECT 1; RETURN upper(c::text); END $$;
CREATE FUNCTION shows_next() RETURNS SETOF text LANGUAGE plpgsql STABLE AS $$ DECLARE c refcursor; BEGIN OPEN c FOR SELECT 1; RETURN NEXT c; END $$;
CREATE FUNCTION shows_out(OUT a int, OUT c refcursor) LANGUAGE plpgsql STABLE AS $$ BEGIN a := 1; OPEN c FOR SELECT 1; END $$;
CREATE FUNCTION shows_raised() RETURNS text LANGUAGE plpgsql STABLE AS $$ DECLARE c refcursor; BEGIN OPEN c FOR SELECT 1; RAISE '%', c; EXCEPTION WHEN raise_exception THEN RETURN SQLERRM; END $$;
-- a bound one may have its variable's name, which is open to the session
CREATE FUNCTION bound_closed() RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE c CURSOR FOR SELECT 1; BEGIN CLOSE c; RETURN 1; END $$;
CREATE FUNCTION bound_branch(b bool) RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE c CURSOR FOR SELECT 1; x int; BEGIN IF b THEN OPEN c; END IF; FETCH c INTO x; CLOSE c; RETURN x; END $$;
CREATE FUNCTION bound_caught() RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE c CURSOR FOR SELECT 1; x int; BEGIN BEGIN OPEN c; EXCEPTION WHEN OTHERS THEN NULL; END; FETCH c INTO x; CLOSE c; RETURN x; END $$;
SELECT query, v.* FROM (VALUES ('SELECT named()'), ('SELECT renamed()'), ('SELECT renamed_bound()'), ('SELECT into_name()'), ('SELECT into_two()'), ('SELECT looped_name()'), ('SELECT each_name()'), ('SELECT told_name()'),
	('SELECT argument(''mycur'')'), ('SELECT x FROM in_and_out(''mycur'')'), ('SELECT closes()'), ('SELECT moves()'), ('SELECT opens()'), ('SELECT opens_in_loop()'),
	('SELECT shows()'), ('SELECT shows_text()'), ('SELECT shows_next()'), ('SELECT a FROM shows_out()'), ('SELECT shows_raised()')) AS q(query), verdict(query) AS v;
-- PostgreSQL 16 and later give a bound one no name, and these raise an error
SELECT query, v.ttl <> 'yes' OR current_setting('server_version_num')::int >= 160000 AS refused
	FROM (VALUES ('SELECT bound_closed()'), ('SELECT bound_branch(false)'), ('SELECT bound_caught()')) AS q(query), verdict(query) AS v;

-- the function's own
CREATE FUNCTION unnamed() RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE c refcursor; x int; BEGIN OPEN c FOR SELECT id FROM t ORDER BY id; MOVE c; FETCH c INTO x; CLOSE c; RETURN x; END $$;
CREATE FUNCTION either(b bool) RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE c refcursor; x int; BEGIN IF b THEN OPEN c FOR SELECT min(id) FROM t; ELSE OPEN c FOR SELECT max(id) AS min FROM t; END IF; FETCH c INTO x; RETURN x; END $$;
CREATE FUNCTION several(b bool) RETURNS text LANGUAGE plpgsql STABLE AS $$ DECLARE c refcursor; x text; BEGIN IF b THEN OPEN c FOR SELECT now() AS a; ELSE OPEN c FOR SELECT v AS a FROM t ORDER BY 1; END IF; FETCH c INTO x; RETURN x; END $$;
CREATE FUNCTION bound() RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE c CURSOR (n int) FOR SELECT id FROM t WHERE id >= n; x int; s int := 0; BEGIN OPEN c(1); LOOP FETCH c INTO x; EXIT WHEN NOT FOUND; s := s + x; END LOOP; CLOSE c; FOR r IN c(2) LOOP s := s + r.id; END LOOP; RETURN s; END $$;
CREATE FUNCTION only_text(c refcursor) RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN upper(c::text); END $$;
SELECT query, v.* FROM (VALUES ('SELECT unnamed()'), ('SELECT either(true)'), ('SELECT several(true)'), ('SELECT bound()'), ('SELECT only_text(''x'')')) AS q(query), verdict(query) AS v;

-- a cursor that is in the way: as without a cache
CREATE FUNCTION caught() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN bound(); EXCEPTION WHEN duplicate_cursor THEN RETURN -1; END $$;
SELECT * FROM cached_query('SELECT bound()', '1h') AS q(n int);
SELECT * FROM cached_query('SELECT caught()', '1h') AS q(n int);
BEGIN;
DECLARE c CURSOR FOR SELECT 42 FROM generate_series(1, 9);
SELECT q.n = caught() AS same FROM cached_query('SELECT caught()', '1h') AS q(n int);
SELECT (SELECT rows FROM cq_test.call('SELECT caught()')) = (SELECT rows FROM cq_test.call(cq_test.statement('SELECT caught()'))) AS same;
SELECT (cq_test.fails('SELECT bound()')).code IS NOT DISTINCT FROM (cq_test.fails(cq_test.statement('SELECT bound()'))).code AS same;
ROLLBACK;
SELECT outcome, rows FROM cq_test.call(cq_test.statement('SELECT caught()'));
SELECT outcome, rows FROM cq_test.call(cq_test.statement('SELECT bound()'));
-- and nothing that was made of the session's cursor is kept
BEGIN;
DECLARE mycur CURSOR FOR SELECT 42 FROM generate_series(1, 9);
SELECT query, c.* FROM (VALUES ('SELECT named()'), ('SELECT renamed()'), ('SELECT moves()'), ('SELECT opens()'), ('SELECT argument(''mycur'')'), ('SELECT closes()')) AS q(query), cq_test.call(cq_test.statement(query)) AS c;
ROLLBACK;
SELECT query, code FROM (VALUES ('SELECT named()'), ('SELECT renamed()'), ('SELECT moves()'), ('SELECT argument(''mycur'')'), ('SELECT closes()')) AS q(query), cq_test.fails(cq_test.statement(query));
SELECT outcome, rows FROM cq_test.call(cq_test.statement('SELECT opens()'));

-- errors that a dynamic statement raises: of data, and of what the session has
CREATE FUNCTION raises(statement text) RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN EXECUTE statement; RETURN 'none'; EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE; END $$;
SELECT statement, g, c.* FROM (VALUES ('SELECT 1/0'), ('SELECT nothing'), ('SELECT * FROM nothing'), ('SELECT ''x''::int'), ('MOVE nocursor'), ('EXECUTE nostatement')) AS s(statement),
	generate_series(1, 2) AS g, cq_test.call(cq_test.statement(format('SELECT raises(%L)', statement), target => left('*', g))) AS c ORDER BY statement, g;
CREATE FUNCTION raises_code(code text) RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RAISE 'x' USING ERRCODE = code; EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE; END $$;
SELECT code, count(*) FILTER (WHERE c.outcome = 'hit') AS kept FROM (VALUES ('22012'), ('23514'), ('42501'), ('42704'), ('42883'), ('P0001'), ('U0001'),
	('24000'), ('26000'), ('34000'), ('42804'), ('42P03'), ('42P05'), ('55000'), ('40001'), ('XX000')) AS v(code), generate_series(1, 2) AS g,
	cq_test.call(cq_test.statement(format('SELECT raises_code(%L)', code), target => left('*', g))) AS c GROUP BY code ORDER BY code COLLATE "C";

-- other things that a session has: descriptors of large objects, locks, slots
CREATE FUNCTION reads_object() RETURNS bytea LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN loread(0, 10); END $$;
CREATE FUNCTION object_place() RETURNS int LANGUAGE sql STABLE AS $$ SELECT lo_tell(0) $$;
CREATE FUNCTION takes_lock() RETURNS bool LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN pg_try_advisory_xact_lock(42); END $$;
CREATE FUNCTION slot_changes() RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT count(*) FROM pg_logical_slot_peek_changes('none', NULL, NULL)); END $$;
SELECT query, v.* FROM (VALUES ('SELECT reads_object()'), ('SELECT object_place()'), ('SELECT takes_lock()'), ('SELECT slot_changes()'),
	('SELECT loread(0, 10)'), ('SELECT pg_try_advisory_lock(42)')) AS q(query), verdict(query) AS v;

SET client_min_messages = warning;
DROP SCHEMA cq_session CASCADE;
