# ALTER EXTENSION cached_query UPDATE: a database that had the extension in an older version has afterwards
# what one has where it is created now: the same functions, views, comments and rights.  Until the update
# the older version's functions and views work with the new library.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'cached_query'");
$node->start;

my $current = $node->safe_psql('postgres',
	q{SELECT default_version FROM pg_available_extensions WHERE name = 'cached_query'});
my @older = split /\n/, $node->safe_psql('postgres', qq{
	SELECT version FROM pg_available_extension_versions
	WHERE name = 'cached_query' AND version <> '$current' ORDER BY version});

# All that the extension has, one thing a line.
my $members = q{
	WITH member AS (
		SELECT classid, objid FROM pg_depend
		WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
			AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'cached_query'))
	SELECT 'function ' || pg_get_functiondef(p.oid)
		|| ' acl ' || coalesce((SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(p.proacl) AS a), 'none')
		|| ' comment ' || coalesce(obj_description(p.oid, 'pg_proc'), 'none')
	FROM member JOIN pg_proc p ON classid = 'pg_proc'::regclass AND objid = p.oid
	UNION ALL
	SELECT 'view ' || c.oid::regclass || ' ' || pg_get_viewdef(c.oid)
		|| ' acl ' || coalesce((SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(c.relacl) AS a), 'none')
		|| ' comment ' || coalesce(obj_description(c.oid, 'pg_class'), 'none')
	FROM member JOIN pg_class c ON classid = 'pg_class'::regclass AND objid = c.oid
	UNION ALL
	SELECT 'column ' || c.oid::regclass || ' ' || attnum || ' ' || attname || ' '
		|| format_type(atttypid, atttypmod) || ' comment ' || coalesce(col_description(c.oid, attnum), 'none')
	FROM member JOIN pg_class c ON classid = 'pg_class'::regclass AND objid = c.oid
	JOIN pg_attribute ON attrelid = c.oid AND attnum > 0
	UNION ALL
	SELECT 'member ' || pg_describe_object(classid, objid, 0) FROM member
	ORDER BY 1};

# The views and tables among them: each can be read.
my $readable = q{
	SELECT c.oid::regclass FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND d.classid = 'pg_class'::regclass
	WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e' AND relkind IN ('v', 'r')
		AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'cached_query')};
sub read_all
{
	my ($what) = @_;
	my @names = split /\n/, $node->safe_psql('updated', $readable);
	cmp_ok(@names, '>=', 5, "$what: views");
	$node->safe_psql('updated', "SELECT * FROM $_") for @names;
	return;
}

$node->safe_psql('postgres', q{CREATE DATABASE fresh; CREATE ROLE asker});
$node->safe_psql('fresh', q{CREATE EXTENSION cached_query});
my $want = $node->safe_psql('fresh', $members);
like($want, qr/^member view cached_query_stats$/m, 'the extension has members');

ok(@older > 0, 'there is an older version');
for my $version (@older)
{
	$node->safe_psql('postgres', q{DROP DATABASE IF EXISTS updated});
	$node->safe_psql('postgres', q{CREATE DATABASE updated});
	$node->safe_psql('updated', qq{
		CREATE EXTENSION cached_query VERSION '$version';
		CREATE VIEW sums AS SELECT * FROM cached_query('SELECT 1 + 1', '1 min') AS t(sum int);
		GRANT EXECUTE ON FUNCTION cached_query_invalidate_tag(text) TO asker});
	isnt($node->safe_psql('updated', $members), $want, "$version differs from $current");
	is($node->safe_psql('updated', 'SELECT * FROM sums; SELECT * FROM sums'), "2\n2", "$version: a call");
	read_all("$version before the update");

	$node->safe_psql('updated', q{ALTER EXTENSION cached_query UPDATE});
	is($node->safe_psql('updated', q{SELECT extversion FROM pg_extension WHERE extname = 'cached_query'}),
		$current, "$version: updated");
	is($node->safe_psql('updated',
		q{SELECT has_function_privilege('asker', 'cached_query_invalidate_tag(text)', 'EXECUTE')}),
		't', "$version: rights that were granted stay");
	$node->safe_psql('updated', q{REVOKE EXECUTE ON FUNCTION cached_query_invalidate_tag(text) FROM asker});
	my $have = $node->safe_psql('updated', $members);
	is($have, $want, "$version: what is updated is what is created")
	  or diag(join "\n", grep { my $line = $_; !grep { $_ eq $line } split /\n/, $want } split /\n/, $have);
	is($node->safe_psql('updated', 'SELECT * FROM sums'), '2', "$version: a view over a function stayed");
	read_all("$version after it");
}

# Whoever may create objects in the extension's schema can't have his functions and operators called by the views: each
# name that the scripts call, with arguments of all types that could fit better.
my %called = map { $_ => 1 } map { /\b([a-z_]+)\s?\(/g } map { slurp_file($_) }
  glob($node->safe_psql('postgres', q{SELECT setting FROM pg_config WHERE name = 'SHAREDIR'}) . '/extension/cached_query--*.sql');
my @names = split /\n/, $node->safe_psql('postgres', 'SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 11 AND proname IN ('
	  . join(', ', map { "'$_'" } sort keys %called) . ')');
my @types = qw(text varchar name integer bigint smallint numeric real interval timestamptz timestamp regclass oid anyelement);
my $plant = '';

cmp_ok(@names, '>=', 8, 'functions that the scripts call');
foreach my $name (@names)
{
	my @lists = ('', @types);
	push @lists, map { my $first = $_; map { "$first, $_" } @types } @types;
	push @lists, map { my $first = $_; map { my $second = $_; map { "$first, $second, $_" } @types[0 .. 3] } @types[0 .. 3] } @types[0 .. 3];
	push @lists, 'text, text, text, text', 'text, varchar, varchar, varchar', 'text, name, name, name', 'VARIADIC text[]', 'VARIADIC anyarray';
	$plant .= "CREATE FUNCTION public.$name($_) RETURNS text LANGUAGE sql AS 'SELECT 1/0';\n" foreach @lists;
}
foreach my $operator ('*', '-', '+', '||', '=', '<>', '>', '<', '<=', '>=', '~')
{
	foreach my $left (grep { $_ ne 'anyelement' } @types)
	{
		$plant .= "CREATE OPERATOR public.$operator (FUNCTION = public.planted, LEFTARG = $left, RIGHTARG = $_);\n"
		  foreach grep { $_ ne 'anyelement' } @types;
	}
}
$plant = join "\n", (map { my $left = $_; map { "CREATE FUNCTION public.planted($left, $_) RETURNS boolean LANGUAGE sql AS 'SELECT true';" }
	  grep { $_ ne 'anyelement' } @types } grep { $_ ne 'anyelement' } @types), $plant;
$node->safe_psql('postgres', 'CREATE DATABASE planted');
$node->safe_psql('planted', "SET check_function_bodies = off; SET client_min_messages = error;\n$plant");
my $strangers = q{
	SET search_path = pg_catalog;
	SELECT pg_describe_object(d.classid, d.objid, d.objsubid) || ' uses ' || pg_describe_object(d.refclassid, d.refobjid, 0)
	FROM pg_depend d
	WHERE refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass) AND refobjid >= 16384
		AND NOT EXISTS (SELECT FROM pg_depend m WHERE m.classid = d.refclassid AND m.objid = d.refobjid
			AND m.refclassid = 'pg_extension'::regclass AND m.deptype = 'e')
		AND classid NOT IN ('pg_proc'::regclass, 'pg_operator'::regclass)};
foreach my $version ($current, @older)
{
	$node->safe_psql('planted', "CREATE EXTENSION cached_query VERSION '$version'");
	$node->safe_psql('planted', 'ALTER EXTENSION cached_query UPDATE') if $version ne $current;
	is($node->safe_psql('planted', $strangers), '', "$version: views and constraints use PostgreSQL's functions and operators");
	$node->safe_psql('planted', 'DROP EXTENSION cached_query');
}
$node->safe_psql('planted', 'CREATE VIEW fooled AS SELECT concat(1, 2)');
like($node->safe_psql('planted', $strangers), qr/fooled uses function public.concat/, 'others are found');

done_testing();
