# pg_dump and pg_restore of a database that uses the extension; update scripts; pg_upgrade's way of
# dumping.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main');
my $dir = $node->basedir;

$node->safe_psql('postgres', 'CREATE DATABASE source');
$node->safe_psql('source', q{
	} . using_objects() . q{
	CREATE MATERIALIZED VIEW kept AS SELECT * FROM totals;
	CREATE TABLE config (id int, tag text DEFAULT current_setting('cached_query.tag'));
	ALTER DATABASE source SET cached_query.default_ttl = '5min';
	GRANT EXECUTE ON FUNCTION ext.cached_query_invalidate_relation(regclass) TO pg_monitor;
});

my $ask = q{
	SELECT * FROM totals; SELECT * FROM totals; SELECT * FROM typed; SELECT * FROM above(98);
	SELECT * FROM atomic(98); SELECT * FROM kept; SELECT pg_get_viewdef('totals')};
my $want = $node->safe_psql('source', $ask);
like($want, qr/^100\|7575\.00\n100\|7575\.00\n1\|1\.50\|n1\n/, 'database works');

# How it is dumped, and the command that restores it.
my @cases = (
	[ 'plain', [], [qw(psql -X -v ON_ERROR_STOP=1 -d DATABASE -f FILE)] ],
	[ 'custom', ['-Fc'], [qw(pg_restore -e -d DATABASE FILE)] ],
	[ 'directory', [qw(-Fd -j2)], [qw(pg_restore -e -j2 -d DATABASE FILE)] ],
	[ 'clean', [qw(-Fc --clean)], [qw(pg_restore -e --clean --if-exists -d DATABASE FILE)] ]);

foreach my $case (@cases)
{
	my ($name, $options, $restore) = @$case;
	my $target = "restored_$name";
	my @command = map { $_ eq 'DATABASE' ? $target : $_ eq 'FILE' ? "$dir/$name.dump" : $_ } @$restore;

	$node->command_ok([ 'pg_dump', @$options, '-f', "$dir/$name.dump", 'source' ], "pg_dump, $name");
	$node->safe_psql('postgres', "CREATE DATABASE $target");
	$node->command_ok(\@command, "restore, $name");
	is($node->safe_psql($target, $ask), $want, "restored, $name: same answers");
	is($node->safe_psql($target, q{SELECT extversion, nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'cached_query'}),
		$node->safe_psql('source', q{SELECT extversion, 'ext' FROM pg_extension WHERE extname = 'cached_query'}),
		"restored, $name: extension with its schema");
	is($node->safe_psql($target, q{SELECT has_function_privilege('pg_monitor', 'ext.cached_query_invalidate_relation(regclass)', 'EXECUTE'), has_function_privilege('pg_monitor', 'ext.cached_query_clear()', 'EXECUTE')}),
		't|f', "restored, $name: privileges");
}

# The dump holds CREATE EXTENSION and nothing of what it makes.
unlike(slurp_file("$dir/plain.dump"), qr/CREATE FUNCTION ext\.cached_query|CREATE VIEW ext\.cached_query/,
	'members are not dumped one by one');

# Dependencies keep the extension while something uses it.
my $err;
$node->psql('source', 'DROP EXTENSION cached_query', stderr => \$err);
like($err, qr/cannot drop extension cached_query because other objects depend on it/, 'the view depends on it');

# Updates: to the version that is there, and along every path between versions.
my $version = $node->safe_psql('source', q{SELECT default_version FROM pg_available_extensions WHERE name = 'cached_query'});
is($node->psql('source', 'ALTER EXTENSION cached_query UPDATE'), 0, 'update to the same version');
is($node->psql('source', "ALTER EXTENSION cached_query UPDATE TO '$version'"), 0, 'by its name, too');
is($node->safe_psql('source', $ask), $want, 'works afterwards');
my $shape = q{SELECT pg_describe_object(classid, objid, 0), CASE WHEN classid = 'pg_proc'::regclass THEN (SELECT concat_ws(' ', prosrc, provolatile, proparallel, prosupport, proacl) FROM pg_proc WHERE oid = objid) WHEN classid = 'pg_class'::regclass THEN pg_get_viewdef(objid) END
	FROM pg_depend JOIN pg_extension e ON refobjid = e.oid WHERE extname = 'cached_query' AND deptype = 'e' ORDER BY 1};
my $fresh = $node->safe_psql('postgres', "DROP FUNCTION IF EXISTS cached_query_check(); $shape");
foreach my $from (split /\n/, $node->safe_psql('postgres', q{SELECT version FROM pg_available_extension_versions WHERE name = 'cached_query' ORDER BY 1}))
{
	$node->safe_psql('postgres', "DROP EXTENSION cached_query; CREATE EXTENSION cached_query VERSION '$from'; ALTER EXTENSION cached_query UPDATE");
	is($node->safe_psql('postgres', $shape), $fresh, "from $from: same objects as a fresh $version");
}

# As pg_upgrade dumps: members one by one, with their OIDs, and no data.
$node->command_ok([ 'pg_dump', '--binary-upgrade', '--schema-only', '-f', "$dir/upgrade.dump", 'source' ],
	'pg_dump --binary-upgrade');

log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
