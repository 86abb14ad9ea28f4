--
-- What functions do is read by PostgreSQL's own parser: defaults, conversions, operators, parts of
-- aggregates, checks of domains, system columns.  What is judged exact has nothing of these, and what
-- is given to other sessions nothing of this one.
--
CREATE SCHEMA cq_code;
SET search_path = cq_code, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
CREATE TABLE t (id int, v text);
INSERT INTO t VALUES (1, 'one'), (2, 'two');

\i sql/parts/verdict.sql

-- defaults of arguments
CREATE FUNCTION rep(ts timestamptz DEFAULT now()) RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT ts';
CREATE FUNCTION rnd(x float8 DEFAULT random()) RETURNS float8 LANGUAGE sql STABLE AS 'SELECT x';
CREATE FUNCTION pid(x int DEFAULT pg_backend_pid()) RETURNS int LANGUAGE sql STABLE AS 'SELECT x';
CREATE FUNCTION two(a int, b int DEFAULT 7, c int DEFAULT pg_backend_pid()) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN a + b + c; END';
CREATE FUNCTION calls_two() RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN two(1, 2); END';
CREATE FUNCTION calls_two_in_full() RETURNS int LANGUAGE sql STABLE AS 'SELECT two(1, 2, 3)';
CREATE FUNCTION default_calls(x int DEFAULT calls_two()) RETURNS int LANGUAGE sql STABLE AS 'SELECT x';
CREATE FUNCTION imm(x timestamptz DEFAULT now()) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS 'SELECT x';
SELECT query, v.* FROM (VALUES ('SELECT rep()'), ('SELECT rep(''2024-01-01'')'), ('SELECT rnd()'), ('SELECT rnd(1)'), ('SELECT pid()'),
	('SELECT pid(x => 1)'), ('SELECT two(1)'), ('SELECT two(1, c => 2)'), ('SELECT two(c => 2, a => 1)'), ('SELECT two(1, 2)'), ('SELECT two(1, 2, 3)'),
	('SELECT calls_two()'), ('SELECT calls_two_in_full()'), ('SELECT default_calls()'), ('SELECT default_calls(1)'), ('SELECT imm()'), ('SELECT imm(''2024-01-01'')'))
	AS q(query), verdict(query) AS v;

-- conversions of input
CREATE FUNCTION sql_cast(t text) RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT t::timestamptz';
CREATE FUNCTION declared(t text) RETURNS timestamptz LANGUAGE plpgsql STABLE AS 'DECLARE r timestamptz := t; BEGIN RETURN r; END';
CREATE FUNCTION assigned(t text) RETURNS timestamptz LANGUAGE plpgsql STABLE AS 'DECLARE r timestamptz; BEGIN r := t; RETURN r; END';
CREATE FUNCTION returned(t text) RETURNS timestamptz LANGUAGE plpgsql STABLE AS 'BEGIN RETURN t; END';
CREATE FUNCTION returned_expr(t text) RETURNS timestamptz LANGUAGE plpgsql STABLE AS 'BEGIN RETURN upper(t); END';
CREATE FUNCTION selected_into(t text) RETURNS timestamptz LANGUAGE plpgsql STABLE AS 'DECLARE r timestamptz; BEGIN SELECT t INTO r; RETURN r; END';
CREATE FUNCTION into_row(t text) RETURNS timestamptz LANGUAGE plpgsql STABLE AS 'DECLARE n int; r timestamptz; BEGIN SELECT 1, t INTO n, r; RETURN r; END';
CREATE FUNCTION looped(t text) RETURNS timestamptz LANGUAGE plpgsql STABLE AS 'DECLARE r timestamptz; BEGIN FOREACH r IN ARRAY ARRAY[t] LOOP RETURN r; END LOOP; END';
CREATE FUNCTION next_of(t text) RETURNS SETOF timestamptz LANGUAGE plpgsql STABLE AS 'BEGIN RETURN NEXT t; END';
CREATE FUNCTION out_of(t text, OUT r timestamptz) LANGUAGE plpgsql STABLE AS 'BEGIN r := t; END';
CREATE FUNCTION in_condition(t text) RETURNS bool LANGUAGE plpgsql STABLE AS 'BEGIN IF t::timestamptz > ''epoch'' THEN RETURN true; END IF; RETURN false; END';
CREATE TYPE pair AS (n int, at timestamptz);
CREATE FUNCTION field(t text) RETURNS timestamptz LANGUAGE plpgsql STABLE AS 'DECLARE p pair; BEGIN p.at := t; RETURN p.at; END';
CREATE FUNCTION row_of(t text) RETURNS timestamptz LANGUAGE plpgsql STABLE AS 'DECLARE p pair; BEGIN SELECT 1, t INTO p; RETURN p.at; END';
CREATE FUNCTION literal() RETURNS timestamptz LANGUAGE plpgsql STABLE AS 'BEGIN RETURN timestamptz ''now''; END';
CREATE FUNCTION literal_assigned() RETURNS timestamptz LANGUAGE plpgsql STABLE AS 'DECLARE r timestamptz := ''today''; BEGIN RETURN r; END';
CREATE FUNCTION known() RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN ''what is known''; END';
CREATE FUNCTION number_of(t text) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN t; END';
CREATE FUNCTION any_of(t anyelement) RETURNS timestamptz LANGUAGE plpgsql STABLE AS 'BEGIN RETURN t; END';
CREATE FUNCTION sql_any(t anyelement) RETURNS text LANGUAGE sql STABLE AS 'SELECT t::text';
SELECT query, v.* FROM (VALUES ('SELECT sql_cast(''now'')'), ('SELECT declared(''now'')'), ('SELECT assigned(''now'')'), ('SELECT returned(''now'')'),
	('SELECT returned_expr(''now'')'), ('SELECT selected_into(''now'')'), ('SELECT into_row(''now'')'), ('SELECT looped(''now'')'),
	('SELECT next_of(''now'')'), ('SELECT out_of(''now'')'), ('SELECT in_condition(''now'')'), ('SELECT field(''now'')'), ('SELECT row_of(''now'')'), ('SELECT literal()'), ('SELECT literal_assigned()'),
	('SELECT known()'), ('SELECT number_of(''1'')'), ('SELECT any_of(''now''::text)'), ('SELECT any_of(''2024-01-01''::timestamptz)'),
	('SELECT sql_any(1)'), ('SELECT sql_any(1) || sql_any(''pg_class''::regclass)')) AS q(query), verdict(query) AS v;

-- operators, aggregates, checks, casts, comparisons
CREATE FUNCTION op_now(int, int) RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT now()';
CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = op_now);
CREATE FUNCTION uses_op() RETURNS timestamptz LANGUAGE plpgsql STABLE AS 'BEGIN RETURN 1 ### 2; END';
CREATE FUNCTION step(timestamptz, int) RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT now()';
CREATE AGGREGATE last_time(int) (SFUNC = step, STYPE = timestamptz);
CREATE FUNCTION step_any(anyelement, anyelement) RETURNS anyelement LANGUAGE plpgsql AS 'BEGIN RETURN $2; END';
CREATE AGGREGATE last_any(anyelement) (SFUNC = step_any, STYPE = anyelement);
CREATE FUNCTION step_pid(state anyelement, value anyelement) RETURNS anyelement LANGUAGE plpgsql AS 'BEGIN RETURN value + pg_backend_pid(); END';
CREATE AGGREGATE pid_any(anyelement) (SFUNC = step_pid, STYPE = anyelement);
CREATE FUNCTION finish(int) RETURNS int LANGUAGE sql STABLE AS 'SELECT pg_backend_pid()';
CREATE AGGREGATE sum_pid(int) (SFUNC = int4pl, STYPE = int, FINALFUNC = finish, INITCOND = '0');
CREATE FUNCTION uses_aggregate() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT last_time(id) FROM t';
CREATE DOMAIN past AS timestamptz CHECK (VALUE < clock_timestamp());
CREATE DOMAIN of_app AS text CHECK (VALUE <> current_setting('application_name'));
CREATE DOMAIN deeper AS of_app CHECK (length(VALUE) > 0);
CREATE FUNCTION checked() RETURNS text LANGUAGE plpgsql STABLE AS 'DECLARE d deeper := ''x''; BEGIN RETURN d; END';
CREATE FUNCTION checked_null() RETURNS text LANGUAGE plpgsql STABLE AS 'DECLARE d past; BEGIN RETURN ''x''; END';
CREATE FUNCTION sql_checked(text) RETURNS text LANGUAGE sql STABLE AS 'SELECT $1::of_app::text';
SELECT query, v.* FROM (VALUES ('SELECT uses_op()'), ('SELECT 1 ### 2'), ('SELECT id FROM t GROUP BY id ORDER BY min(1 ### id), id'), ('SELECT last_time(id) FROM t'), ('SELECT uses_aggregate()'),
	('SELECT last_any(id) FROM t'), ('SELECT pid_any(id) FROM t'), ('SELECT sum_pid(id) FROM t'), ('SELECT sum_pid(id) OVER () FROM t'), ('SELECT $1::timestamptz::past'), ('SELECT v::of_app FROM t'), ('SELECT v::deeper FROM t'),
	('SELECT checked()'), ('SELECT checked_null()'), ('SELECT sql_checked(''a'')')) AS q(query),
	LATERAL (SELECT CASE WHEN query LIKE '%$1%' THEN replace(query, '$1', '''2000-01-01''') ELSE query END) AS r(text), verdict(text) AS v;

-- what a scanner of text was fooled by
CREATE FUNCTION escapes() RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN E'it\'s '||pg_backend_pid()||E' isn\'t'; END $$;
CREATE FUNCTION hides() RETURNS text LANGUAGE plpgsql STABLE AS $$ DECLARE s text; BEGIN s := E'\''; RETURN pg_backend_pid(); END $$;
CREATE FUNCTION nested_comment() RETURNS int LANGUAGE sql STABLE AS $$ SELECT /* a /* b */ ' */ pg_backend_pid() $$;
CREATE FUNCTION dollars() RETURNS text LANGUAGE sql STABLE AS $f$ SELECT $$"$$ || pg_backend_pid() $f$;
CREATE FUNCTION quoted() RETURNS int LANGUAGE sql STABLE AS $$ SELECT "pg_backend_pid" () $$;
CREATE FUNCTION unicode() RETURNS int LANGUAGE sql STABLE AS $$ SELECT U&"pg\005Fbackend_pid"() $$;
CREATE FUNCTION pid_of(t) RETURNS int LANGUAGE sql STABLE AS 'SELECT pg_backend_pid()';
CREATE FUNCTION functional() RETURNS int LANGUAGE sql STABLE AS 'SELECT t.pid_of FROM t LIMIT 1';
CREATE FUNCTION functional_plpgsql() RETURNS int LANGUAGE plpgsql STABLE AS 'DECLARE r t; BEGIN SELECT * INTO r FROM t; RETURN r.pid_of; END';
CREATE FUNCTION only_mentions() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'pg_backend_pid() and now()'::text /* random() */ $$;
CREATE FUNCTION atomic() RETURNS int LANGUAGE sql STABLE BEGIN ATOMIC SELECT pg_backend_pid(); END;
CREATE FUNCTION atomic_fine() RETURNS bigint LANGUAGE sql STABLE BEGIN ATOMIC SELECT count(*) FROM t; END;
CREATE FUNCTION atomic_two() RETURNS int LANGUAGE sql STABLE BEGIN ATOMIC SELECT now(); SELECT 1; END;
CREATE FUNCTION atomic_return() RETURNS timestamptz LANGUAGE sql STABLE RETURN now();
CREATE FUNCTION keyword() RETURNS date LANGUAGE plpgsql STABLE AS 'BEGIN RETURN current_date; END';
SELECT query, v.* FROM (VALUES ('SELECT escapes()'), ('SELECT hides()'), ('SELECT nested_comment()'), ('SELECT dollars()'), ('SELECT quoted()'), ('SELECT unicode()'),
	('SELECT functional()'), ('SELECT functional_plpgsql()'), ('SELECT only_mentions()'), ('SELECT atomic()'), ('SELECT atomic_fine()'), ('SELECT atomic_two()'), ('SELECT atomic_return()'), ('SELECT keyword()'))
	AS q(query), verdict(query) AS v;

-- system columns, samples, catalogs, sequences, volatile functions below STABLE ones
CREATE SEQUENCE s;
CREATE FUNCTION system_column() RETURNS text LANGUAGE sql STABLE AS 'SELECT xmax::text FROM t WHERE id = 1';
CREATE FUNCTION system_column_plpgsql() RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT ctid FROM t WHERE id = 1); END';
CREATE FUNCTION sample() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT count(*) FROM t TABLESAMPLE bernoulli (50)); END';
CREATE FUNCTION catalog() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT count(*) FROM pg_class); END';
CREATE FUNCTION seq() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT last_value FROM s';
CREATE FUNCTION rolls() RETURNS float8 LANGUAGE plpgsql STABLE AS 'BEGIN RETURN random(); END';
CREATE FUNCTION wall() RETURNS timestamptz LANGUAGE plpgsql STABLE AS 'BEGIN RETURN clock_timestamp(); END';
CREATE FUNCTION vol_fine(n int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN n; END';
CREATE FUNCTION over_vol() RETURNS int LANGUAGE sql STABLE AS 'SELECT vol_fine(1)';
SELECT query, v.* FROM (VALUES ('SELECT system_column()'), ('SELECT system_column_plpgsql()'), ('SELECT sample()'), ('SELECT catalog()'), ('SELECT seq()'), ('SELECT rolls() < 2'), ('SELECT wall()'), ('SELECT over_vol()'))
	AS q(query), verdict(query) AS v;

-- what isn't understood: dynamic SQL, records of several shapes, what doesn't compile, cursors from elsewhere
CREATE FUNCTION dynamic() RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE n int; BEGIN EXECUTE 'SELECT 1' INTO n; RETURN n; END $$;
CREATE FUNCTION dynamic_for() RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE r record; BEGIN FOR r IN EXECUTE 'SELECT 1 AS n' LOOP RETURN r.n; END LOOP; END $$;
CREATE FUNCTION dynamic_query() RETURNS SETOF int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN QUERY EXECUTE 'SELECT 1'; END $$;
CREATE FUNCTION dynamic_open() RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE c refcursor; n int; BEGIN OPEN c FOR EXECUTE 'SELECT 1'; FETCH c INTO n; CLOSE c; RETURN n; END $$;
CREATE FUNCTION shapes(b bool) RETURNS text LANGUAGE plpgsql STABLE AS $$ DECLARE r record; BEGIN IF b THEN SELECT 1 AS a INTO r; ELSE SELECT now() AS a INTO r; END IF; RETURN r.a; END $$;
CREATE FUNCTION one_shape() RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE r record; n int := 0; BEGIN FOR r IN SELECT id FROM t LOOP n := n + r.id; END LOOP; RETURN n; END $$;
CREATE FUNCTION record_value() RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE r record; BEGIN r := ROW(1, 'x'::text); RETURN r.f1; END $$;
CREATE FUNCTION cursors() RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE c CURSOR (n int) FOR SELECT id FROM t WHERE id >= n; r record; s int := 0; BEGIN FOR r IN c(1) LOOP s := s + r.id; END LOOP; OPEN c(2); FETCH c INTO r; CLOSE c; RETURN s + r.id; END $$;
CREATE FUNCTION foreign_cursor() RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE c refcursor := 'session_cursor'; n int; BEGIN FETCH c INTO n; RETURN n; END $$;
CREATE FUNCTION gone() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT count(*) FROM no_such_table); END $$;
CREATE FUNCTION never_run() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN IF false THEN RETURN no_such_function(); END IF; RETURN 1; END $$;
CREATE FUNCTION cases(n int) RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN CASE n WHEN 1, 2 THEN RETURN 1; WHEN 3 THEN RETURN 2; ELSE RETURN 0; END CASE; END $$;
CREATE FUNCTION catches() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN 1 / 0; EXCEPTION WHEN division_by_zero THEN RETURN 0; END $$;
CREATE FUNCTION context() RETURNS text LANGUAGE plpgsql STABLE AS $$ DECLARE c text; BEGIN GET DIAGNOSTICS c = PG_CONTEXT; RETURN c; END $$;
CREATE FUNCTION array_assign() RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE a int[]; BEGIN a[1] := 5; a[2:3] := ARRAY[1, 2]; RETURN a[1]; END $$;
CREATE FUNCTION loops() RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE n int := 0; BEGIN FOR i IN 1 .. 3 LOOP n := n + i; CONTINUE WHEN i = 2; END LOOP; WHILE n > 100 LOOP n := 0; END LOOP; LOOP EXIT; END LOOP; ASSERT n = 6, 'six'; PERFORM n; RAISE DEBUG 'n is %', n; RETURN n; END $$;
CREATE FUNCTION table_of(OUT a int, OUT b text) RETURNS SETOF record LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN QUERY SELECT id, v FROM t; a := 3; b := 'three'; RETURN NEXT; END $$;
CREATE FUNCTION variadic_sum(VARIADIC n int[]) RETURNS int LANGUAGE plpgsql STABLE AS $$ DECLARE s int := 0; i int; BEGIN FOREACH i IN ARRAY n LOOP s := s + i; END LOOP; RETURN s; END $$;
CREATE FUNCTION fact(n int) RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN IF n < 2 THEN RETURN 1; END IF; RETURN n * fact(n - 1); END $$;
CREATE FUNCTION any_sum(a anyelement, b anyelement) RETURNS anyelement LANGUAGE plpgsql STABLE AS $$ DECLARE r $0%TYPE; BEGIN r := a + b; RETURN r; END $$;
SELECT query, v.* FROM (VALUES ('SELECT dynamic()'), ('SELECT dynamic_for()'), ('SELECT dynamic_query()'), ('SELECT dynamic_open()'), ('SELECT shapes(true)'), ('SELECT one_shape()'), ('SELECT record_value()'), ('SELECT cursors()'),
	('SELECT foreign_cursor()'), ('SELECT gone()'), ('SELECT never_run()'), ('SELECT cases(1)'), ('SELECT catches()'), ('SELECT context()'), ('SELECT array_assign()'), ('SELECT loops()'), ('SELECT * FROM table_of()'), ('SELECT variadic_sum(1, 2)'),
	('SELECT fact(5)'), ('SELECT any_sum(1, 2)'), ('SELECT any_sum(1, 2) + any_sum(1.5, 2.0)::int')) AS q(query), verdict(query) AS v;
-- they are analysed without a trace
SELECT count(*) AS locks FROM pg_locks WHERE relation = 't'::regclass AND pid = pg_backend_pid();

SET client_min_messages = warning;
DROP SCHEMA cq_code CASCADE;
