# What a session keeps was made under other definitions or settings than there are now: plans and compiled
# functions of PL/pgSQL, cached expressions, the planned constraints of domains, literals that were read.  It may
# go on using it, but what it publishes is for all: so an answer must be what a new session's query says.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main');
# 19 has neither this setting nor a literal that it is for
my $is_19 = $node->safe_psql('postgres', 'SHOW server_version_num') >= 190000;
unless ($is_19)
{
	$node->append_conf('postgresql.conf', 'escape_string_warning = off');
	$node->reload;
}

# Each: name, what is there before, what the old session does, what somebody else changes, what the old session
# does then, the query (one column, text), what a new session sets.
my @cases;
sub case { my ($name, %how) = @_; push @cases, { name => $name, %how }; return; }

# A function of one expression in PL/pgSQL.
sub plpgsql
{
	my ($type, $value, $declare) = @_;
	return "CREATE FUNCTION w.f() RETURNS $type STABLE LANGUAGE plpgsql AS \$f\$ " . ($declare // '') . " BEGIN RETURN $value; END \$f\$;";
}

# ---- definitions ----

my $checked = q{CREATE FUNCTION w.ok(int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1 < 10'; CREATE DOMAIN w.d AS int CHECK (w.ok(value)); CREATE TABLE w.t AS SELECT 5 AS a;};
my $tighter = q{CREATE OR REPLACE FUNCTION w.ok(int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1 < 2'};

case('a constraint that was inlined', setup => $checked, old => 'SELECT 5::w.d', change => $tighter,
	query => 'SELECT a::w.d::text FROM w.t');
case('... of a domain over a domain', setup => "$checked CREATE DOMAIN w.e AS w.d CHECK (value > 0);", old => 'SELECT 5::w.e', change => $tighter,
	query => 'SELECT a::w.e::text FROM w.t');
case('... of an array over a domain', setup => $checked, old => q{SELECT '{5}'::w.d[]}, change => $tighter,
	query => 'SELECT ARRAY[a]::w.d[]::text FROM w.t');
case('... in a function', setup => $checked . plpgsql('text', 'x', 'DECLARE x w.d := (SELECT a FROM w.t);'), old => 'SELECT w.f()', change => $tighter,
	query => 'SELECT w.f()');
case('an argument of a domain', setup => $checked . q{CREATE FUNCTION w.f(w.d) RETURNS text STABLE LANGUAGE sql AS 'SELECT $1::text';}, old => 'SELECT w.f(5)', change => $tighter,
	query => 'SELECT w.f(a) FROM w.t');

# ---- literals that constraints are asked about when they are analysed ----

my $limited = q{CREATE TABLE w.lim AS SELECT 10 AS l; CREATE FUNCTION w.ok(int) RETURNS bool STABLE LANGUAGE sql AS 'SELECT $1 < max(l) FROM w.lim';
	CREATE DOMAIN w.d AS int CHECK (w.ok(value)); CREATE TYPE w.c AS (a w.d);
	CREATE TYPE w.r AS RANGE (SUBTYPE = w.d);};
my $lower = 'UPDATE w.lim SET l = 3';
my %literals = (
	'an array over a domain' => q{('{5}'::w.d[])::int[]::text},
	'a row with a domain' => q{(('(5)'::w.c).a)::text},
	'an array of rows' => q{('{(5)}'::w.c[])::text},
	'a range over a domain' => q{('[5,6]'::w.r)::text},
	'an array that is compared' => q{(ARRAY[5] <@ ANY (ARRAY['{5}'::w.d[]]::int[][]))::text},
);
foreach my $what (sort keys %literals)
{
	my $value = $literals{$what};
	next if $what =~ /compared/;
	case("literal: $what", setup => $limited, change => $lower, query => "SELECT $value", exact => 1);
	case("literal in a function: $what", setup => $limited . plpgsql('text', $value), old => 'SELECT w.f()', change => $lower, query => 'SELECT w.f()', exact => 1);
}
my $by_setting = q{CREATE DOMAIN w.d AS int CHECK (value < current_setting('app.lim')::int);};
case('literal: a constraint that reads a setting', setup => $by_setting, before => 'SET app.lim = 10', old => q{SELECT '{5}'::w.d[]},
	then => 'SET app.lim = 3', query => q{SELECT ('{5}'::w.d[])::text}, new => 'SET app.lim = 3');
case('literal in a function: a constraint that reads a setting', setup => $by_setting . plpgsql('text', q{'{5}'::w.d[]}), before => 'SET app.lim = 10', old => 'SELECT w.f()',
	then => 'SET app.lim = 3', query => 'SELECT w.f()', new => 'SET app.lim = 3');

# ---- settings ----

my $day = sub { return plpgsql('date', 'd', 'DECLARE d date := ' . $_[0] . ';') };
my $dmy = q{SET datestyle = 'ISO, DMY'};
my $mdy = q{SET datestyle = 'ISO, MDY'};
my $slashes = q{'01/02/2020'::date};
my $digits = '(1/3.0::float8)::text';
my %settings = (
	'datestyle' => [ plpgsql('date', $slashes), $dmy, $mdy ],
	'datestyle, a query' => [ plpgsql('date', 'd', 'DECLARE d date;') =~ s/BEGIN/BEGIN SELECT $slashes INTO d;/r, $dmy, $mdy ],
	'datestyle, a default' => [ $day->($slashes), $dmy, $mdy ],
	'timezone' => [ plpgsql('text', q{extract(epoch FROM '2020-01-01 00:00'::timestamptz)::text}), q{SET timezone = 'Asia/Tokyo'}, q{SET timezone = 'UTC'} ],
	'extra_float_digits' => [ plpgsql('text', $digits), 'SET extra_float_digits = -10', 'RESET extra_float_digits' ],
	'transform_null_equals' => [ plpgsql('text', q{((SELECT count(*) FROM w.one WHERE x = NULL))::text}), 'SET transform_null_equals = on', 'RESET transform_null_equals' ],
	'array_nulls' => [ plpgsql('text', q{(('{NULL}'::text[])[1] IS NULL)::text}), 'SET array_nulls = off', 'RESET array_nulls' ],
	'bytea_output' => [ plpgsql('text', q{'\\x4142'::bytea::text}), 'SET bytea_output = escape', 'RESET bytea_output' ],
	'intervalstyle' => [ plpgsql('text', q{extract(epoch FROM '-1 2:00'::interval)::text}), 'SET intervalstyle = sql_standard', 'RESET intervalstyle' ],
	'standard_conforming_strings' => [ plpgsql('text', q{length('a\\b')::text}), 'SET standard_conforming_strings = off', 'RESET standard_conforming_strings' ],
	'xmloption' => [ plpgsql('text', q{('<a/>'::xml)::text}), 'SET xmloption = document', 'RESET xmloption' ],
	'lc_monetary' => [ plpgsql('text', q{(12.5::money)::text}), q{SET lc_monetary = 'C'}, 'RESET lc_monetary' ],
	'timezone_abbreviations' => [ plpgsql('text', q{extract(epoch FROM '2020-01-01 00:00 EST'::timestamptz)::text}), q{SET timezone_abbreviations = 'Australia'}, 'RESET timezone_abbreviations' ],
	'search_path of a declaration' => [ q{CREATE SCHEMA w2; CREATE DOMAIN w2.small AS numeric(5, 1); CREATE DOMAIN w.small AS numeric(5, 2);} . plpgsql('text', 'x', 'DECLARE x small := 1.25;'), 'SET search_path = w2, public', 'SET search_path = w, public' ],
);
delete $settings{standard_conforming_strings} if $is_19;
foreach my $name (sort keys %settings)
{
	my ($setup, $first, $then) = @{ $settings{$name} };
	$setup = "CREATE TABLE w.one AS SELECT 1 AS x; $setup";
	case($name, setup => $setup, before => $first, old => 'SELECT w.f()', then => $then, query => 'SELECT w.f()::text', new => $then);
	case("$name, in a view", setup => "$setup CREATE VIEW w.v AS SELECT w.f()::text AS v;", before => $first, old => 'SELECT * FROM w.v', then => $then, query => 'SELECT v FROM w.v', new => $then);
	case("$name, changed and set back", setup => $setup, before => "SELECT v FROM cached_query('SELECT 1::text', '1h') AS t(v text); $then; SELECT * FROM cached_query('SELECT w.f() WHERE false', '1h') AS t(v " . ($setup =~ /RETURNS date/ ? 'date' : 'text') . "); $first", old => 'SELECT w.f()', then => $then, query => 'SELECT w.f()::text', new => $then);
}
my ($setup, $first, $then) = @{ $settings{datestyle} };
my @ways = (
	[ 'SET LOCAL', 'BEGIN; SET LOCAL datestyle = \'ISO, DMY\'; SELECT w.f(); SELECT w.f(); COMMIT' ],
	[ 'SET that is rolled back', 'BEGIN; SET datestyle = \'ISO, DMY\'; SELECT w.f(); SELECT w.f(); ROLLBACK' ],
	[ 'set_config()', 'SELECT set_config(\'datestyle\', \'ISO, DMY\', false), w.f(); SELECT w.f()' ],
	[ 'SET in a function', 'DO $$ BEGIN SET datestyle = \'ISO, DMY\'; PERFORM w.f(); PERFORM w.f(); END $$' ],
	[ 'a SET clause', 'SELECT w.g(); SELECT w.g()' ],
	[ 'a SET clause in a cached query', q{SELECT v FROM cached_query('SELECT w.g()', '1h') AS t(v date)} ],
	[ 'a prepared statement', "$first; PREPARE p AS SELECT w.f(); EXECUTE p; EXECUTE p" ],
);
foreach my $way (@ways)
{
	case("datestyle: $way->[0]", setup => "$setup CREATE FUNCTION w.g() RETURNS date STABLE LANGUAGE plpgsql SET datestyle = 'ISO, DMY' AS 'BEGIN RETURN w.f(); END';",
		before => $mdy, old => $way->[1], then => $mdy, query => 'SELECT w.f()::text', new => $mdy);
}
case('a constraint', setup => "CREATE DOMAIN w.d AS int CHECK (length($digits) > value);", before => 'SET extra_float_digits = -10', old => 'SELECT 1::w.d', then => 'RESET extra_float_digits',
	query => 'SELECT 10::w.d::text');
case('a function in a constraint', setup => plpgsql('date', $slashes) . "CREATE DOMAIN w.d AS date CHECK (value >= w.f());", before => $dmy, old => q{SELECT '2021-01-01'::w.d}, then => $mdy,
	query => q{SELECT '2020-01-15'::date::w.d::text}, new => $mdy);
case('a cast of a variable', setup => q{CREATE TYPE w.c AS (a int); CREATE FUNCTION w.k(w.c) RETURNS text IMMUTABLE LANGUAGE sql AS $k$ SELECT '01/02/2020'::date::text $k$; CREATE CAST (w.c AS text) WITH FUNCTION w.k(w.c) AS ASSIGNMENT;}
	. plpgsql('text', 'y', 'DECLARE x w.c := ROW(1); y text := x;'), before => $dmy, old => 'SELECT w.f()', then => $mdy, query => 'SELECT w.f()', new => $mdy);
case('dynamic SQL', setup => $setup . q{CREATE FUNCTION w.g() RETURNS text STABLE LANGUAGE plpgsql AS $g$ DECLARE r text; BEGIN EXECUTE 'SELECT w.f()' INTO r; RETURN r; END $g$;},
	before => $dmy, old => 'SELECT w.g()', then => $mdy, query => 'SELECT w.g()', new => $mdy);

# ---- types of declarations ----

my $typed = q{CREATE TABLE w.t (c numeric(5, 1));};
my $altered = 'ALTER TABLE w.t ALTER COLUMN c TYPE numeric(5, 2)';
my %declared = (
	'%TYPE' => 'DECLARE x w.t.c%TYPE := 1.25; BEGIN RETURN x; END',
	'%TYPE in a block' => 'BEGIN DECLARE y w.t . c % type := 1.25; BEGIN RETURN y; END; END',
	'%ROWTYPE' => 'DECLARE r w.t%ROWTYPE; BEGIN r.c := 1.25; RETURN r.c; END',
	'%TYPE of a variable' => 'DECLARE y w.t.c%TYPE; x y%TYPE := 1.25; BEGIN RETURN x; END',
	'%TYPE of what is not read' => 'DECLARE y w.t.c%TYPE; BEGIN y := 123.4; RETURN 1; EXCEPTION WHEN OTHERS THEN RETURN 0; END',
);
foreach my $how (sort keys %declared)
{
	case($how, setup => "$typed CREATE FUNCTION w.f() RETURNS text STABLE LANGUAGE plpgsql AS \$f\$ $declared{$how} \$f\$;",
		old => 'SELECT w.f()', change => $how =~ /not read/ ? 'ALTER TABLE w.t ALTER COLUMN c TYPE numeric(3, 2)' : $altered, query => 'SELECT w.f()');
}
case('a type that takes the name', setup => q{CREATE SCHEMA w2; CREATE DOMAIN w.small AS numeric(5, 1);} . plpgsql('text', 'x', 'DECLARE x small := 1.25;'), before => 'SET search_path = w2, w, public', old => 'SELECT w.f()',
	change => 'CREATE DOMAIN w2.small AS numeric(5, 2)', query => 'SELECT w.f()', new => 'SET search_path = w2, w, public');
case('a table that takes the name', setup => q{CREATE SCHEMA w2; CREATE TABLE w.t (c numeric(5, 1));} . plpgsql('text', 'x', 'DECLARE x t.c%TYPE := 1.25;'), before => 'SET search_path = w2, w, public', old => 'SELECT w.f()',
	change => 'CREATE TABLE w2.t (c numeric(5, 2))', query => 'SELECT w.f()', new => 'SET search_path = w2, w, public');

# ---- the comparison ----

# Rows, or the SQLSTATE.
sub told
{
	my ($output, $error) = @_;
	return $error =~ /ERROR:\s+(\w{5})/ ? $1 : $output =~ s/\n+$//r;
}

sub in_new_session
{
	my ($settings, $statement) = @_;
	my ($code, $output, $error) = $node->psql('postgres', "SET datestyle = 'ISO'; $settings; $statement", extra_params => [ '-v', 'VERBOSITY=sqlstate', '-q' ]);
	return told($output, $error);
}

my $answers = 0;
foreach my $case (@cases)
{
	foreach my $consistency ('ttl', 'exact')
	{
		my $cached = "SELECT v FROM cached_query(\$q\$$case->{query}\$q\$, '1h') AS t(v text)";
		my $settings = "SET cached_query.consistency = $consistency; " . ($case->{new} // 'SELECT');
		$node->safe_psql('postgres', "SET client_min_messages = error; SET check_function_bodies = off; SELECT cached_query_clear(); DROP SCHEMA IF EXISTS w, w2 CASCADE; CREATE SCHEMA w; $case->{setup}");
		my $old = $node->background_psql('postgres', on_error_stop => 0);
		$old->query("SET datestyle = 'ISO'; SET cached_query.consistency = $consistency");
		$old->query($case->{before}) if $case->{before};
		# PL/pgSQL keeps a plan from the second run on
		$old->query("$case->{old};") foreach $case->{old} ? 1 .. 2 : ();
		$old->query("$cached;") if !$case->{old} || $case->{twice};
		$node->safe_psql('postgres', $case->{change}) if $case->{change};
		$old->query("$case->{then};") if $case->{then};
		$old->query("$cached;") if $consistency eq 'exact' || $case->{old};
		my $hit = in_new_session($settings, $cached);
		my $direct = in_new_session($settings, $case->{query});
		# within a ttl an answer may be as old as that, if nothing but rows changed
		is($hit, $direct, "$case->{name}, $consistency") unless $case->{exact} && $consistency eq 'ttl' && !$case->{old};
		$answers++ if $hit eq $direct;
		my $kept = told($old->query("$cached;"), $old->{stderr} // '');
		$old->quit;
	}
}

# ---- errors that are caught ----

my $caught = sub {
	my ($work, $condition) = @_;
	return "CREATE OR REPLACE FUNCTION w.f() RETURNS text STABLE LANGUAGE plpgsql AS \$f\$ BEGIN $work; RETURN 'done'; EXCEPTION WHEN $condition THEN RETURN 'caught'; END \$f\$;";
};
my $sum = 'PERFORM count(*) FROM generate_series(1, 3000000)';
my @errors = (
	[ 'statement_timeout', $caught->($sum, 'query_canceled'), 'SET statement_timeout = 30' ],
	[ 'max_stack_depth', 'CREATE OR REPLACE FUNCTION w.deep(n int) RETURNS int STABLE LANGUAGE plpgsql AS $d$ BEGIN IF n = 0 THEN RETURN 0; END IF; RETURN w.deep(n - 1) + 1; END $d$;'
		. $caught->('PERFORM w.deep(300)', 'statement_too_complex'), 'SET max_stack_depth = 150' ],
	[ 'temp_file_limit', $caught->('PERFORM count(*) FROM (SELECT g FROM generate_series(1, 300000) AS g ORDER BY -g) AS x', 'OTHERS'), 'SET temp_file_limit = 64; SET work_mem = 64' ],
	[ 'statement_timeout, deeper', $caught->($sum, 'query_canceled') =~ s/w\.f/w.inner/r . q{CREATE OR REPLACE FUNCTION w.f() RETURNS text STABLE LANGUAGE sql AS 'SELECT w.inner()';}, 'SET statement_timeout = 30' ],
);
foreach my $error (@errors)
{
	my ($name, $function, $limit) = @$error;
	foreach my $consistency ('ttl', 'exact')
	{
		foreach my $query ('SELECT w.f()', 'SELECT v FROM w.v')
		{
			my $cached = "SELECT v FROM cached_query('$query', '1h') AS t(v text)";
			$node->safe_psql('postgres', "SET client_min_messages = error; SELECT cached_query_clear(); DROP SCHEMA IF EXISTS w, w2 CASCADE; CREATE SCHEMA w; $function CREATE VIEW w.v AS SELECT w.f() AS v");
			is(in_new_session("SET cached_query.consistency = $consistency; $limit", $cached), 'caught', "$name, $query, $consistency: is caught");
			is(in_new_session("SET cached_query.consistency = $consistency", $cached), 'done', "$name, $query, $consistency: and not kept");
		}
	}
}

# Errors that tell of the data are the function's answer.
foreach my $work (q{PERFORM 1 / length('')}, q{PERFORM 'x'::int}, q{RAISE EXCEPTION 'mine'}, q{RAISE EXCEPTION 'mine' USING ERRCODE = 'UE001'})
{
	$node->safe_psql('postgres', 'SELECT cached_query_clear();' . $caught->($work, 'OTHERS'));
	my $cached = q{SELECT v FROM cached_query('SELECT w.f()', '1h') AS t(v text)};
	is(in_new_session('SELECT', $cached), 'caught', "$work: is caught");
	my $before = outcomes($node)->{hit} // 0;
	is(in_new_session('SELECT', $cached), 'caught', "$work: again");
	is(outcomes($node)->{hit} // 0, $before + 1, "$work: a hit");
}
# ---- expressions that can't be analysed before they run ----

# A record of two shapes: which one it has, only a run shows.
$node->safe_psql('postgres', q{SET client_min_messages = error; DROP SCHEMA IF EXISTS w CASCADE; CREATE SCHEMA w;
	CREATE FUNCTION w.f(n int) RETURNS int STABLE LANGUAGE plpgsql AS $f$
	DECLARE r record;
	BEGIN
		IF n = 1 THEN SELECT 1 AS a INTO r; ELSE SELECT 2 AS b INTO r; END IF;
		RETURN r.b * 0 + pg_backend_pid();
	END $f$});
foreach my $consistency ('ttl', 'exact')
{
	my $call = q{SELECT v - pg_backend_pid() FROM cached_query('SELECT w.f(2)', '1h') AS t(v int)};
	my $old = $node->background_psql('postgres');
	$old->query_safe("SET cached_query.consistency = $consistency; SELECT w.f(2); SELECT w.f(2)");
	is($old->query_safe($call), '0', "$consistency: a function of the session's in it, kept plans");
	is($node->safe_psql('postgres', "SET cached_query.consistency = $consistency; $call"), '0', "$consistency: ... in another session");
	is($old->query_safe($call), '0', "$consistency: ... and again");
	$old->quit;
}

# ---- what is run and not kept ----

# A function in SQL is put into the plan that the session keeps of the query.
$node->safe_psql('postgres', q{CREATE FUNCTION w.day() RETURNS date STABLE LANGUAGE sql AS $f$ SELECT '01/02/2020'::date $f$});
foreach my $query ('SELECT w.day() FROM (SELECT random()) AS r(v) WHERE v < 2', 'SELECT w.day() FROM pg_class LIMIT 1')
{
	my $call = "SELECT v FROM cached_query('$query', '1h') AS t(v date)";
	is($node->safe_psql('postgres', "SET client_min_messages = error; SET cached_query.consistency = exact; SET datestyle = 'ISO, DMY'; $call; $call; SET datestyle = 'ISO, MDY'; $call"), "2020-02-01\n2020-02-01\n2020-01-02", "$query: by the settings of now");
}

# ---- a function that runs while it is to be compiled again ----

$node->safe_psql('postgres', q{SET client_min_messages = error; CREATE TABLE w.t (c numeric(5, 1));
	CREATE FUNCTION w.recurs(n int) RETURNS text STABLE LANGUAGE plpgsql AS $f$
	DECLARE x w.t.c%TYPE := 1.25;
	BEGIN
		IF n = 0 THEN RETURN x; END IF;
		RETURN (SELECT v FROM cached_query(format('SELECT w.recurs(%s)', n - 1), '1h') AS t(v text)) || '/' || x;
	END $f$});
{
	my $old = $node->background_psql('postgres');
	is($old->query_safe('SELECT w.recurs(3)'), '1.3/1.3/1.3/1.3', 'a function below itself');
	$node->safe_psql('postgres', 'ALTER TABLE w.t ALTER COLUMN c TYPE numeric(5, 2)');
	$old->query_safe('SELECT w.recurs(3)');
	is($old->query_safe("SELECT v FROM cached_query('SELECT w.recurs(2)', '1h') AS t(v text)"), '1.25/1.25/1.25', '... when a type of its was changed');
	is($node->safe_psql('postgres', "SELECT v FROM cached_query('SELECT w.recurs(2)', '1h') AS t(v text)"), '1.25/1.25/1.25', '... in another session');
	my $memory = q{SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'PL/pgSQL function'};
	$old->query_safe("SET datestyle = 'ISO, " . ($_ % 2 ? 'DMY' : 'MDY') . "'; SELECT cached_query_invalidate_relation('w.t'); SELECT w.recurs(2)") foreach 1 .. 10;
	my $before = $old->query_safe($memory);
	$old->query_safe("SET datestyle = 'ISO, " . ($_ % 2 ? 'DMY' : 'MDY') . "'; SELECT cached_query_invalidate_relation('w.t'); SELECT w.recurs(2)") foreach 1 .. 20;
	is($old->query_safe($memory), $before, '... and nothing is left of it in memory');
	$old->quit;
}
log_is_quiet($node, 'the log is quiet');
done_testing();
