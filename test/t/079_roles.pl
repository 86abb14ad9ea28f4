# Every pair of roles with every kind of object that has rights: whoever filled the cache, each reader gets
# the answer or the error that the query itself gives.  Also with row security off, in exact mode, and
# after each kind of change to roles and rights, committed or rolled back.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', { extra => [ '--encoding=UTF8', '--locale=C' ] }, 'log_statement = none', 'log_min_error_statement = panic', 'log_min_messages = fatal');
my $has_file_fdw = -e $node->config_data('--pkglibdir') . '/file_fdw.so';
my $file = $node->basedir . '/foreign.csv';

append_to_file($file, "1\n2\n");
$node->safe_psql('postgres', q{
	CREATE ROLE owner; CREATE ROLE granted; CREATE ROLE stranger; CREATE ROLE super SUPERUSER; CREATE ROLE bypass BYPASSRLS;
	CREATE ROLE member IN ROLE granted; CREATE ROLE outside NOINHERIT IN ROLE granted; CREATE ROLE monitor IN ROLE pg_monitor;
	GRANT CREATE ON SCHEMA public TO owner;
	CREATE SCHEMA priv AUTHORIZATION owner; GRANT USAGE ON SCHEMA priv TO granted;
	SELECT lo_from_bytea(4711, 'large'); GRANT SELECT ON LARGE OBJECT 4711 TO granted;
	SET ROLE owner;
	CREATE TABLE t (a int PRIMARY KEY, b int, who name); INSERT INTO t VALUES (1, 10, 'granted'), (2, 20, 'stranger'), (3, 30, 'owner'), (4, 40, 'bypass');
	CREATE TABLE tc AS SELECT * FROM t;
	CREATE TABLE tp AS SELECT * FROM t; CREATE TABLE tf AS SELECT * FROM t; CREATE TABLE ts AS SELECT * FROM t;
	CREATE TABLE priv.hidden AS SELECT * FROM t; CREATE TABLE secret AS SELECT * FROM t;
	CREATE TABLE part (a int, b int) PARTITION BY LIST (a); CREATE TABLE part1 PARTITION OF part FOR VALUES IN (1); INSERT INTO part VALUES (1, 1);
	CREATE TABLE parent (a int); CREATE TABLE child () INHERITS (parent); INSERT INTO child VALUES (1);
	CREATE TABLE doc (v tsvector); INSERT INTO doc VALUES ('fat cat');
	CREATE SEQUENCE seq; CREATE TYPE pair AS (a int, b int); CREATE DOMAIN dom AS int;
	ALTER TABLE tp ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON tp USING (who = current_user); CREATE POLICY more ON tp TO granted USING (a = 3);
	ALTER TABLE tf ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY own ON tf USING (who = current_user);
	ALTER TABLE ts ENABLE ROW LEVEL SECURITY; CREATE POLICY tenant ON ts USING (b = current_setting('app.tenant', true)::int);
	CREATE VIEW v AS SELECT a FROM secret; CREATE VIEW v_own AS SELECT a FROM secret WHERE who = current_user; CREATE VIEW v_policy AS SELECT a FROM tp;
	CREATE VIEW v_invoker WITH (security_invoker) AS SELECT a FROM t; CREATE VIEW v_invoker_policy WITH (security_invoker) AS SELECT a FROM tp; CREATE VIEW v_barrier WITH (security_barrier) AS SELECT a FROM secret WHERE a < 3;
	CREATE MATERIALIZED VIEW m AS SELECT a FROM secret;
	CREATE FUNCTION f_sql(x int) RETURNS int LANGUAGE sql STABLE AS 'SELECT x + 1'; CREATE FUNCTION f_imm(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x + 1';
	CREATE FUNCTION f_pl(x int) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN x + 1; END'; CREATE FUNCTION f_set() RETURNS SETOF int LANGUAGE sql STABLE AS 'SELECT a FROM secret';
	CREATE FUNCTION f_invoker() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT count(*) FROM t); END'; CREATE FUNCTION f_policy() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT count(*) FROM tp); END';
	CREATE FUNCTION f_tenant() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT count(*) FROM ts); END';
	CREATE FUNCTION f_definer() RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT count(*) FROM secret'; CREATE FUNCTION f_who() RETURNS text LANGUAGE sql STABLE AS 'SELECT current_user || session_user';
	CREATE FUNCTION f_definer_who() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT current_user || session_user';
	CREATE FUNCTION f_add(x int, y int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x + y'; CREATE AGGREGATE f_agg(int) (SFUNC = f_add, STYPE = int, INITCOND = '0'); CREATE OPERATOR +# (LEFTARG = int, RIGHTARG = int, FUNCTION = f_add);
	CREATE FUNCTION f_check(x int) RETURNS bool LANGUAGE sql STABLE AS 'SELECT x > 0'; CREATE DOMAIN checked AS int CHECK (f_check(VALUE));
	REVOKE ALL ON FUNCTION f_sql, f_imm, f_pl, f_set, f_invoker, f_policy, f_definer, f_add, f_agg, f_check FROM PUBLIC; REVOKE ALL ON TYPE pair, dom, checked FROM PUBLIC;
	GRANT SELECT ON t, tp, tf, ts, priv.hidden, part, parent, v, v_own, v_policy, v_invoker, v_invoker_policy, v_barrier, m, seq, doc TO granted; GRANT SELECT (a) ON tc TO granted;
	GRANT SELECT ON t, tp, tf, ts, v_invoker_policy TO bypass; GRANT SELECT ON ts, v_invoker, v_policy TO stranger;
	GRANT EXECUTE ON FUNCTION f_sql, f_imm, f_pl, f_set, f_invoker, f_policy, f_definer, f_add, f_agg, f_check TO granted; GRANT EXECUTE ON FUNCTION f_invoker, f_policy TO stranger, bypass; GRANT USAGE ON TYPE pair, dom, checked TO granted;
	RESET ROLE;
	REVOKE EXECUTE ON FUNCTION pg_catalog.initcap(text) FROM PUBLIC; GRANT EXECUTE ON FUNCTION pg_catalog.initcap(text) TO granted;

	-- The rows as text, or the error.
	CREATE FUNCTION answer(sql text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		r record;
		result text := '';
	BEGIN
		FOR r IN EXECUTE sql LOOP
			result := result || r::text || ' ';
		END LOOP;
		RETURN result;
	EXCEPTION WHEN OTHERS THEN
		RETURN SQLSTATE || ' ' || SQLERRM;
	END $$;
	CREATE FUNCTION definer_answer(sql text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN answer(sql); END'; ALTER FUNCTION definer_answer OWNER TO granted;

	-- As one of the readers: a role, "definer" (a stranger, through a function of another's), "login NAME" (the session's own role).
	CREATE FUNCTION answer_as(reader text, sql text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		result text;
	BEGIN
		IF reader LIKE 'login %' THEN
			PERFORM set_config('session_authorization', split_part(reader, ' ', 2), false);
			result := answer(sql);
			RESET SESSION AUTHORIZATION;
		ELSIF reader = 'definer' THEN
			PERFORM set_config('role', 'stranger', false);
			result := definer_answer(sql);
		ELSE
			PERFORM set_config('role', reader, false);
			result := answer(sql);
		END IF;
		PERFORM set_config('role', 'none', false);
		RETURN result;
	END $$;

	CREATE TABLE readers (reader text, fills bool);
	CREATE TABLE queries (id serial, query text, columns text);
	CREATE TABLE done (n int);
	GRANT SELECT ON queries TO PUBLIC;
	CREATE SEQUENCE serial_number;

	-- One query: each reader fills an entry of its own, by a constant in the text, and all read it.
	CREATE FUNCTION check_query(q text, columns text, fresh bool) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		filler text;
		reader text;
		number bigint;
		inner_query text;
		call text;
		cached text;
		direct text;
		problem text := '';
	BEGIN
		FOR filler IN SELECT r.reader FROM readers AS r WHERE r.fills LOOP
			number := nextval('serial_number');
			inner_query := format('SELECT * FROM (%s) AS q WHERE %s = %s', q, number, number);
			call := format('SELECT * FROM cached_query(%L, ''1h'') AS t(%s)', inner_query, columns);
			PERFORM answer_as(filler, call);
			FOR reader IN SELECT r.reader FROM readers AS r LOOP
				IF fresh THEN
					DISCARD PLANS;
				END IF;
				-- The query itself comes second.  A session keeps a domain's constraint as the first role to use it
				-- has planned it, with a function inlined that another may not call; what is cached must be as in a new one.
				cached := answer_as(reader, call);
				direct := answer_as(reader, inner_query);
				IF cached IS DISTINCT FROM direct THEN
					problem := problem || format(E'%s filled, %s got %s instead of %s: %s\n', filler, reader, left(cached, 100), left(direct, 100), q);
				END IF;
			END LOOP;
		END LOOP;
		RETURN problem;
	END $$;
});
my @readers = ('owner', 'granted', 'stranger', 'super', 'bypass', 'member', 'outside', 'monitor', 'definer', 'login granted', 'login stranger');
my @queries = (
	[ 'SELECT count(*) FROM t', 'n bigint' ], [ 'SELECT a FROM tc', 'a int' ], [ 'SELECT b FROM tc', 'b int' ], [ 'SELECT 1 AS x FROM tc', 'x int' ], [ 'SELECT c.a FROM tc AS c JOIN t USING (a)', 'a int' ],
	[ 'SELECT a FROM tp', 'a int' ], [ 'SELECT a FROM tf', 'a int' ], [ 'SELECT a FROM ts', 'a int' ], [ 'SELECT a FROM priv.hidden', 'a int' ], [ 'SELECT a FROM part', 'a int' ], [ 'SELECT a FROM part1', 'a int' ], [ 'SELECT a FROM parent', 'a int' ], [ 'SELECT a FROM child', 'a int' ],
	[ 'SELECT a FROM v', 'a int' ], [ 'SELECT a FROM v_own', 'a int' ], [ 'SELECT a FROM v_policy', 'a int' ], [ 'SELECT a FROM v_invoker', 'a int' ], [ 'SELECT a FROM v_invoker_policy', 'a int' ], [ 'SELECT a FROM v_barrier', 'a int' ], [ 'SELECT a FROM m', 'a int' ],
	[ 'SELECT last_value FROM seq', 'n bigint' ], [ 'SELECT f_sql(1)', 'x int' ], [ 'SELECT f_imm(1)', 'x int' ], [ 'SELECT f_pl(1)', 'x int' ], [ 'SELECT x FROM f_set() AS x', 'x int' ], [ 'SELECT f_invoker()', 'x bigint' ], [ 'SELECT f_policy()', 'x bigint' ], [ 'SELECT f_tenant()', 'x bigint' ],
	[ 'SELECT f_definer()', 'x bigint' ], [ 'SELECT f_who()', 'x text' ], [ 'SELECT f_definer_who()', 'x text' ], [ 'SELECT f_agg(x) FROM generate_series(1, 3) AS x', 'x int' ], [ 'SELECT 1 +# x AS y FROM generate_series(1, 2) AS x', 'y int' ], [ 'SELECT 1 +# 2', 'y int' ],
	[ 'SELECT x::checked FROM generate_series(1, 2) AS x', 'x checked' ], [ 'SELECT x::dom FROM generate_series(1, 2) AS x', 'x dom' ], [ 'SELECT (1, 2)::pair', 'x pair' ], [ q{SELECT initcap(x) AS x FROM (VALUES ('a b')) AS v(x)}, 'x text' ],
	[ 'SELECT current_user::text AS a, session_user::text AS b', q{a text COLLATE "C", b text COLLATE "C"} ], [ q{SELECT has_table_privilege('t', 'SELECT')}, 'x bool' ], [ q{SELECT has_table_privilege('priv.hidden', 'SELECT')}, 'x bool' ], [ q{SELECT to_regclass('priv.hidden')::oid}, 'x oid' ], [ q{SELECT to_regclass('priv.' || x)::oid AS x FROM (VALUES ('hidden')) AS v(x)}, 'x oid' ],
	[ q{SELECT ('priv.' || x)::regclass::oid AS x FROM (VALUES ('hidden')) AS v(x)}, 'x oid' ], [ q{SELECT pg_has_role('granted', 'USAGE')}, 'x bool' ], [ q{SELECT row_security_active('tp')}, 'x bool' ], [ q{SELECT current_setting('data_directory') <> ''}, 'x bool' ], [ q{SELECT current_setting('DATA_directory') <> ''}, 'x bool' ],
	[ q{SELECT current_setting('cached_query.redis_url')}, 'x text' ], [ q{SELECT current_setting(lower(x)) <> '' AS x FROM (VALUES ('config_file')) AS v(x)}, 'x bool' ], [ q{SELECT count(*) FROM pg_settings WHERE name = 'config_file'}, 'n bigint' ], [ q{SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'}, 'n bigint' ],
	[ q{SELECT count(*) FROM information_schema.columns WHERE table_name = 'tc'}, 'n bigint' ], [ q{SELECT count(*) FROM information_schema.routines WHERE routine_name LIKE 'f\_%'}, 'n bigint' ], [ q{SELECT count(*) FROM pg_views WHERE viewname = 'v'}, 'n bigint' ], [ q{SELECT count(*) FROM pg_stats}, 'n bigint' ], [ q{SELECT count(*) FROM pg_stat_get_activity(NULL) WHERE query LIKE '%insufficient%'}, 'n bigint' ],
	[ q{SELECT table_to_xml('tp', true, false, '')::text}, 'x text' ], [ q{SELECT schema_to_xml('priv', true, false, '')::text}, 'x text' ], [ q{SELECT query_to_xml('SELECT a FROM tp', true, false, '')::text}, 'x text' ], [ q{SELECT lo_get(4711)}, 'x bytea' ], [ q{SELECT word FROM ts_stat('SELECT v FROM doc')}, 'x text' ],
	[ q{SELECT ts_rewrite('a & b'::tsquery, 'SELECT ''a''::tsquery, ''c''::tsquery FROM t LIMIT 1')::text}, 'x text' ], [ q{SELECT pg_relation_size('priv.hidden') > 0}, 'x bool' ], [ q{SELECT pg_database_size(current_database()) > 0}, 'x bool' ], [ q{SELECT n FROM cached_query('SELECT count(*) FROM tp', '1h') AS c(n bigint)}, 'n bigint' ],
	[ q{SELECT pg_get_serial_sequence('t', 'a')}, 'x text' ], [ q{SELECT EXISTS (SELECT FROM secret)}, 'x bool' ], [ q{WITH c AS (SELECT * FROM t) SELECT count(*) FROM c}, 'n bigint' ], [ q{SELECT (SELECT max(b) FROM tp)}, 'x int' ], [ q{SELECT a FROM t UNION ALL SELECT a FROM tp}, 'a int' ]);

if ($has_file_fdw)
{
	$node->safe_psql('postgres', "CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw; CREATE FOREIGN TABLE ft (v int) SERVER files OPTIONS (filename '$file'); GRANT SELECT ON ft TO granted; CREATE VIEW v_ft AS SELECT * FROM ft; GRANT SELECT ON v_ft TO stranger");
	push @queries, [ 'SELECT v FROM ft', 'v int' ], [ 'SELECT v FROM v_ft', 'v int' ];
}
my $literal = sub { "'" . $_[0] =~ s/'/''/gr . "'" };

$node->safe_psql('postgres', 'INSERT INTO readers VALUES ' . join ', ', map { '(' . $literal->($_) . ', ' . (/^(owner|granted|stranger|super|bypass|login stranger)$/ ? 'true' : 'false') . ')' } @readers);
$node->safe_psql('postgres', 'INSERT INTO queries (query, columns) VALUES ' . join ', ', map { '(' . join(', ', map { $literal->($_) } @$_) . ')' } @queries);

# Problems with these queries under these settings.
sub problems
{
	my ($settings, $fresh, $where) = @_;
	my @found = grep { $_ ne '' } split /\n/, $node->safe_psql('postgres', "$settings SELECT check_query(query, columns, $fresh) FROM queries " . ($where || '') . ' ORDER BY id');

	return join "\n", splice @found, 0, 20;
}

my %settings = (
	ttl => '', 'volatile ones, too' => 'SET cached_query.nondeterministic = cache;', exact => 'SET cached_query.consistency = exact;', 'row_security off' => 'SET row_security = off;',
	'a tenant' => q{SET app.tenant = '10';});

foreach my $name (sort keys %settings)
{
	is(problems("SET client_min_messages = error; $settings{$name}", $_), '', "$name, " . ($_ eq 'true' ? 'new plans' : 'kept plans')) foreach $name =~ /^(ttl|exact)$/ ? qw(false true) : 'false';
}
my $outcomes = outcomes($node);
cmp_ok($outcomes->{hit}, '>', 2000, 'answers came from the cache');

# All of them in one session, one setting after the other: what was kept under one must not serve another.
my $tenants = join ' ', map { "SET app.tenant = '$_'; SELECT answer_as('granted', 'SELECT * FROM cached_query(''SELECT a FROM ts'', ''1h'') AS t(a int)'), answer_as('stranger', 'SELECT * FROM cached_query(''SELECT f_tenant()'', ''1h'') AS t(a bigint)');" } 10, 20, 30, 10;
is($node->safe_psql('postgres', $tenants), "(1) |(1) \n(2) |(1) \n(3) |(1) \n(1) |(1) ", 'a policy on a setting');

# ---- Changes of rights ----

my @changes = (
	[ 'REVOKE SELECT ON t FROM granted', 'GRANT SELECT ON t TO granted' ], [ 'GRANT SELECT ON t TO stranger', 'REVOKE SELECT ON t FROM stranger' ], [ 'REVOKE SELECT (a) ON tc FROM granted', 'GRANT SELECT (a) ON tc TO granted' ], [ 'ALTER ROLE bypass NOBYPASSRLS', 'ALTER ROLE bypass BYPASSRLS' ],
	[ 'ALTER ROLE super NOSUPERUSER', 'ALTER ROLE super SUPERUSER' ], [ 'REVOKE granted FROM member', 'GRANT granted TO member' ], [ 'ALTER TABLE t OWNER TO stranger', 'ALTER TABLE t OWNER TO owner' ], [ 'ALTER TABLE tp OWNER TO stranger', 'ALTER TABLE tp OWNER TO owner' ],
	[ 'ALTER POLICY own ON tp USING (true)', 'ALTER POLICY own ON tp USING (who = current_user)' ], [ 'ALTER POLICY more ON tp TO stranger', 'ALTER POLICY more ON tp TO granted' ], [ 'CREATE POLICY strict ON tp AS RESTRICTIVE USING (a < 3)', 'DROP POLICY strict ON tp' ], [ 'ALTER TABLE tp DISABLE ROW LEVEL SECURITY', 'ALTER TABLE tp ENABLE ROW LEVEL SECURITY' ],
	[ 'ALTER TABLE tf NO FORCE ROW LEVEL SECURITY', 'ALTER TABLE tf FORCE ROW LEVEL SECURITY' ], [ 'ALTER VIEW v SET (security_invoker = true)', 'ALTER VIEW v RESET (security_invoker)' ], [ 'ALTER VIEW v_invoker SET (security_invoker = false)', 'ALTER VIEW v_invoker SET (security_invoker = true)' ], [ 'ALTER VIEW v_policy OWNER TO bypass', 'ALTER VIEW v_policy OWNER TO owner' ],
	[ 'REVOKE EXECUTE ON FUNCTION f_sql FROM granted', 'GRANT EXECUTE ON FUNCTION f_sql TO granted' ], [ 'ALTER FUNCTION f_definer SECURITY INVOKER', 'ALTER FUNCTION f_definer SECURITY DEFINER' ], [ 'ALTER FUNCTION f_invoker SECURITY DEFINER', 'ALTER FUNCTION f_invoker SECURITY INVOKER' ], [ 'REVOKE USAGE ON SCHEMA priv FROM granted', 'GRANT USAGE ON SCHEMA priv TO granted' ],
	[ 'REVOKE SELECT ON LARGE OBJECT 4711 FROM granted', 'GRANT SELECT ON LARGE OBJECT 4711 TO granted' ], [ 'REVOKE EXECUTE ON FUNCTION pg_catalog.initcap(text) FROM granted', 'GRANT EXECUTE ON FUNCTION pg_catalog.initcap(text) TO granted' ]);
my $all_readers = q{
	SELECT reader || ' gets ' || cached || ' instead of ' || direct || ': ' || query FROM readers, queries,
		LATERAL (SELECT answer_as(reader, format('SELECT * FROM cached_query(%L, ''1h'') AS t(%s)', query, columns)) AS cached, answer_as(reader, query) AS direct) AS a
	WHERE query !~ 'activity|lo_get|pg_stats' AND cached <> direct};

# What catalogs say is no definition that an answer depends on: within the ttl it may be old.
my $not_catalogs = q{ AND query !~ 'has_|row_security_active|information_schema|_to_xml'};
my (@wrong, @wrong_back);
my $kept = $node->background_psql('postgres', on_error_stop => 1);

$kept->query_safe("SET client_min_messages = error; $all_readers;");
foreach my $change (@changes)
{
	my ($do, $undo) = @$change;

	push @wrong_back, map { "$do, rolled back: $_" } grep { $_ ne '' } split /\n/, $node->safe_psql('postgres', "SET client_min_messages = error; BEGIN; $do; $all_readers; ROLLBACK; $all_readers$not_catalogs");
	$node->safe_psql('postgres', $do);
	push @wrong, map { "$do: $_" } grep { $_ ne '' } split /\n/, $kept->query_safe("$all_readers$not_catalogs;") . "\n" . $node->safe_psql('postgres', "SET client_min_messages = error; $all_readers$not_catalogs");
	$node->safe_psql('postgres', $undo);
	push @wrong, map { "$undo: $_" } grep { $_ ne '' } split /\n/, $kept->query_safe("$all_readers$not_catalogs;");
}
is(join("\n", splice @wrong, 0, 20), '', 'after each change of rights');
is(join("\n", splice @wrong_back, 0, 20), '', '... and inside and after one that is rolled back');
$kept->quit;

store_is_idle($node, 'idle');
$node->stop;
done_testing();
