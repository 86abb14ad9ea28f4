--
-- Rights, continued: views and their owners, SECURITY DEFINER callers, EXECUTE on functions inside
-- the query and on cached_query itself (both the function and the Custom Scan path), whose query
-- texts the views show, and who may invalidate.
--
CREATE ROLE regress_cq_owner;
CREATE ROLE regress_cq_alice;
CREATE ROLE regress_cq_bob;
CREATE SCHEMA cq_sec AUTHORIZATION regress_cq_owner;
GRANT USAGE ON SCHEMA cq_sec TO PUBLIC;
SET search_path = cq_sec, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();

SET ROLE regress_cq_owner;
CREATE TABLE secret (id int, who name);
INSERT INTO secret VALUES (1, 'regress_cq_alice'), (2, 'regress_cq_bob'), (3, 'regress_cq_owner');
CREATE VIEW open_view AS SELECT id FROM secret;
CREATE VIEW own_view AS SELECT id FROM secret WHERE who = current_user;
CREATE VIEW invoker_view WITH (security_invoker) AS SELECT id FROM secret;
CREATE VIEW barrier_view WITH (security_barrier) AS SELECT id FROM secret WHERE id < 3;
GRANT SELECT ON open_view, own_view, invoker_view, barrier_view TO regress_cq_alice, regress_cq_bob;
RESET ROLE;

-- the view's owner may read the table, the caller may not
SELECT view, cq_test.as_role(r, format($$SELECT * FROM cached_query('SELECT id FROM cq_sec.%I ORDER BY id', '1h') AS t(id int)$$, view)) AS first,
		cq_test.as_role(r, format($$SELECT * FROM cached_query('SELECT id FROM cq_sec.%I ORDER BY id', '1h') AS t(id int)$$, view)) AS second
	FROM unnest(ARRAY['open_view', 'own_view', 'invoker_view', 'barrier_view']) WITH ORDINALITY AS v(view, i),
		unnest(ARRAY['regress_cq_owner', 'regress_cq_alice', 'regress_cq_bob']) WITH ORDINALITY AS u(r, n) ORDER BY i, n;
-- what the view's owner loses, its readers lose
REVOKE SELECT ON secret FROM regress_cq_owner;
SELECT cq_test.as_role('regress_cq_alice', $$SELECT * FROM cached_query('SELECT id FROM cq_sec.open_view ORDER BY id', '1h') AS t(id int)$$);
SET ROLE regress_cq_owner;
GRANT SELECT ON secret TO regress_cq_owner;
RESET ROLE;
SELECT cq_test.as_role('regress_cq_alice', $$SELECT * FROM cached_query('SELECT id FROM cq_sec.open_view ORDER BY id', '1h') AS t(id int)$$);

-- a view over cached_query runs it as its caller, as PostgreSQL runs every function in a view
SET ROLE regress_cq_owner;
CREATE VIEW cached_view AS SELECT * FROM cached_query('SELECT id FROM cq_sec.secret ORDER BY id', '1h') AS t(id int);
GRANT SELECT ON cached_view TO regress_cq_alice;
RESET ROLE;
SELECT cq_test.as_role('regress_cq_owner', 'SELECT * FROM cq_sec.cached_view');
SELECT cq_test.as_role('regress_cq_alice', 'SELECT * FROM cq_sec.cached_view');

-- SECURITY DEFINER: the effective role decides, in both directions
SET ROLE regress_cq_owner;
CREATE FUNCTION definer_read() RETURNS SETOF int LANGUAGE plpgsql SECURITY DEFINER SET search_path = cq_sec, public AS $$
BEGIN
	RETURN QUERY SELECT * FROM cached_query('SELECT id FROM cq_sec.secret WHERE who = current_user ORDER BY id', '1h') AS t(id int);
END $$;
RESET ROLE;
SELECT cq_test.as_role('regress_cq_alice', 'SELECT cq_sec.definer_read()') AS first,
	cq_test.as_role('regress_cq_bob', 'SELECT cq_sec.definer_read()') AS second;
SELECT cq_test.as_role('regress_cq_alice', $$SELECT * FROM cached_query('SELECT id FROM cq_sec.secret WHERE who = current_user ORDER BY id', '1h') AS t(id int)$$);
-- a SECURITY DEFINER function inside the query
SET ROLE regress_cq_owner;
CREATE FUNCTION definer_count() RETURNS bigint LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$ BEGIN RETURN (SELECT count(*) FROM cq_sec.secret); END $$;
RESET ROLE;
SELECT cq_test.as_role(r, $$SELECT * FROM cached_query('SELECT cq_sec.definer_count()', '1h') AS t(n bigint)$$)
	FROM unnest(ARRAY['regress_cq_alice', 'regress_cq_bob', 'regress_cq_alice']) WITH ORDINALITY AS u(r, n) ORDER BY n;

-- EXECUTE on a function inside: the hit checks what the executor would
SET ROLE regress_cq_owner;
CREATE FUNCTION inner_fn(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN $1 + 1; END $$;
CREATE FUNCTION sql_fn(int) RETURNS int LANGUAGE sql STABLE AS $$ SELECT cq_sec.inner_fn($1) * 2 $$;
CREATE TABLE nums AS SELECT g AS id FROM generate_series(1, 2) AS g;
GRANT SELECT ON nums TO PUBLIC;
RESET ROLE;
SELECT $$SELECT * FROM cached_query('SELECT cq_sec.inner_fn(id) FROM cq_sec.nums ORDER BY 1', '1h') AS t(n int)$$ AS f,
	$$SELECT * FROM cached_query('SELECT cq_sec.sql_fn(id) FROM cq_sec.nums ORDER BY 1', '1h') AS t(n int)$$ AS g \gset
SELECT cq_test.as_role('regress_cq_alice', :'f') AS f, cq_test.as_role('regress_cq_alice', :'g') AS g;
SELECT cq_test.as_role('regress_cq_bob', :'f') AS f, cq_test.as_role('regress_cq_bob', :'g') AS g;
REVOKE EXECUTE ON FUNCTION inner_fn FROM PUBLIC;
GRANT EXECUTE ON FUNCTION inner_fn TO regress_cq_alice;
SELECT cq_test.as_role('regress_cq_alice', :'f') AS f, cq_test.as_role('regress_cq_alice', :'g') AS g;
SELECT cq_test.as_role('regress_cq_bob', :'f') AS f, cq_test.as_role('regress_cq_bob', :'g') AS g;
SELECT cq_test.as_role('regress_cq_alice', :'f') AS f;
-- an operator's function, an aggregate, a cast and an output function count as well
SET ROLE regress_cq_owner;
CREATE FUNCTION plus_fn(int, int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN $1 + $2; END $$;
CREATE OPERATOR cq_sec.<+> (LEFTARG = int, RIGHTARG = int, FUNCTION = plus_fn);
CREATE AGGREGATE agg(int) (SFUNC = plus_fn, STYPE = int, INITCOND = '0');
RESET ROLE;
SELECT $$SELECT * FROM cached_query('SELECT id OPERATOR(cq_sec.<+>) 1 FROM cq_sec.nums ORDER BY 1', '1h') AS t(n int)$$ AS f,
	$$SELECT * FROM cached_query('SELECT cq_sec.agg(id) FROM cq_sec.nums', '1h') AS t(n int)$$ AS g \gset
SELECT cq_test.as_role('regress_cq_alice', :'f') AS f, cq_test.as_role('regress_cq_alice', :'g') AS g;
REVOKE EXECUTE ON FUNCTION plus_fn FROM PUBLIC;
SELECT cq_test.as_role('regress_cq_bob', :'f') AS f;
GRANT EXECUTE ON FUNCTION plus_fn TO PUBLIC;
REVOKE EXECUTE ON FUNCTION agg FROM PUBLIC;
SELECT cq_test.as_role('regress_cq_bob', :'f') AS f, cq_test.as_role('regress_cq_bob', :'g') AS g;

-- EXECUTE on cached_query itself: refused in the Custom Scan too
SELECT oid::regprocedure AS fn FROM pg_proc WHERE proname = 'cached_query' AND pronargs = 2 \gset
SELECT $$SELECT * FROM cached_query('SELECT id FROM cq_sec.nums ORDER BY id', '1h') AS t(id int)$$ AS f,
	$$SELECT t FROM cached_query('SELECT id FROM cq_sec.nums ORDER BY id', '1h') AS t(id int)$$ AS g \gset
SELECT cq_test.as_role('regress_cq_alice', :'f') AS f, cq_test.as_role('regress_cq_alice', :'g') AS g;
REVOKE EXECUTE ON FUNCTION :fn FROM PUBLIC;
SELECT cq_test.as_role('regress_cq_alice', :'f') AS f, cq_test.as_role('regress_cq_alice', :'g') AS g;
-- the plan of a prepared statement was made while it was allowed
GRANT EXECUTE ON FUNCTION :fn TO PUBLIC;
SET ROLE regress_cq_alice;
PREPARE p AS SELECT * FROM cached_query('SELECT id FROM cq_sec.nums ORDER BY id', '1h') AS t(id int);
EXECUTE p;
RESET ROLE;
REVOKE EXECUTE ON FUNCTION :fn FROM PUBLIC;
SET ROLE regress_cq_alice;
EXECUTE p;
RESET ROLE;
GRANT EXECUTE ON FUNCTION :fn TO PUBLIC;
SET ROLE regress_cq_alice;
EXECUTE p;
DEALLOCATE p;
RESET ROLE;

-- texts and args of other roles' entries are hidden, their figures are not
SET ROLE regress_cq_alice;
SELECT * FROM cached_query('SELECT 4711 + $1', '1h', 1) AS t(n int);
SET ROLE regress_cq_bob;
SELECT * FROM cached_query('SELECT 4712 + $1', '1h', 2) AS t(n int);
SELECT role, query, args, rows FROM cached_query_entries WHERE role = 'regress_cq_bob' ORDER BY query;
SELECT count(*) > 0 AS others, count(*) FILTER (WHERE query LIKE '%471%') AS seen, count(args) AS args
	FROM cached_query_entries WHERE role <> 'regress_cq_bob';
SELECT DISTINCT query FROM cached_query_entries WHERE role = 'regress_cq_alice';
RESET ROLE;
GRANT pg_read_all_stats TO regress_cq_bob;
SET ROLE regress_cq_bob;
SELECT role, query, args FROM cached_query_entries WHERE query LIKE 'SELECT 471_ +%' ORDER BY query;
RESET ROLE;

-- invalidation by query is everybody's, but only of what he could hit; the rest is not
SELECT cq_test.as_role('regress_cq_alice', sql) FROM (VALUES
	($$SELECT cached_query_invalidate('SELECT 4711 + $1', 1)$$), ($$SELECT cached_query_invalidate_tag('x')$$),
	($$SELECT cached_query_invalidate_relation('cq_sec.nums')$$), ($$SELECT cached_query_clear()$$),
	($$SELECT cached_query_stats_reset()$$)) AS v(sql);
-- a role that may not read the table doesn't learn whether an entry exists
SELECT cq_test.as_role('regress_cq_owner', $$SELECT * FROM cached_query('SELECT id + 5 FROM cq_sec.secret ORDER BY id', '1h') AS t(id int)$$);
SELECT cq_test.as_role('regress_cq_alice', $$SELECT cached_query_invalidate('SELECT id + 5 FROM cq_sec.secret ORDER BY id')$$);
SELECT cq_test.as_role('regress_cq_owner', $$SELECT * FROM cached_query('SELECT id + 5 FROM cq_sec.secret ORDER BY id', '1h') AS t(id int)$$);
-- settings that are not a session's own
SELECT cq_test.as_role('regress_cq_alice', sql) FROM (VALUES ($$SELECT set_config('cached_query.enabled', 'off', false)$$),
	($$SELECT set_config('cached_query.max_entry_size', '1GB', false)$$),
	($$SELECT set_config('cached_query.trusted_functions', 'x', false)$$),
	($$SELECT set_config('cached_query.mode', 'on', false)$$)) AS v(sql);

DROP SCHEMA cq_sec CASCADE;
DROP ROLE regress_cq_owner, regress_cq_alice, regress_cq_bob;
