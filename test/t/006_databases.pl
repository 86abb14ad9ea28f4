# Answers belong to their database, role and extension: after DROP and CREATE of any of them, under
# the same name or OID, no old answer is served.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main');
my $call = rows_of('SELECT a FROM t ORDER BY a', '1h', 'a int');
my $fill = "CREATE TABLE t (a int); INSERT INTO t VALUES ";

sub entries
{
	my ($where) = @_;

	return $node->safe_psql('postgres',
		"SELECT count(*) FROM cached_query_entries WHERE $where AND state = 'fresh'");
}

# The same text in two databases.
foreach my $database ('one', 'two')
{
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	add_extension($node, $database);
	$node->safe_psql($database, "$fill (" . ($database eq 'one' ? 1 : 2) . ')');
}
is_deeply([ outcome_of($node, $call, 'one') ], [ 'miss_cold', '1' ], 'first database: a miss');
is_deeply([ outcome_of($node, $call, 'two') ], [ 'miss_cold', '2' ], 'second database: a miss of its own');
is_deeply([ outcome_of($node, $call, 'one') ], [ 'hit', '1' ], 'first database: hit');
is_deeply([ outcome_of($node, $call, 'two') ], [ 'hit', '2' ], 'second database: hit');
is($node->safe_psql('postgres', q{SELECT database, relation_names IS NULL, cardinality(relations) FROM cached_query_entries WHERE query LIKE '%FROM t %' ORDER BY 1}),
	"one|t|1\ntwo|t|1", 'the view shows both, without names from other databases');

# Templates: a copy has the tables with the same OIDs, and its answers are its own.
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE one');
$node->safe_psql('copy', 'UPDATE t SET a = 11');
is_deeply([ outcome_of($node, $call, 'copy') ], [ 'miss_cold', '11' ], 'a copied database: a miss of its own');
is_deeply([ outcome_of($node, $call, 'one') ], [ 'hit', '1' ], 'the original: hit');

# Invalidating in one database leaves the other alone.
is($node->safe_psql('one', q{SELECT cached_query_invalidate_relation('t')}), '1', 'invalidate in one database');
is_deeply([ outcome_of($node, $call, 'copy') ], [ 'hit', '11' ], 'not in its copy');
my ($outcome, $rows) = outcome_of($node, $call, 'one');
like("$outcome $rows", qr/^miss_(cold|invalidated) 1$/, 'there it was');

# DROP DATABASE, and one with the same name, the same OID and the same OID of the table.
my $oid = $node->safe_psql('two', q{SELECT oid FROM pg_database WHERE datname = 'two'});
$node->safe_psql('postgres', 'DROP DATABASE two');
is(entries("database = 'two' OR database IS NULL"), '0', 'DROP DATABASE: no entry is left to be served');
$node->safe_psql('postgres', "CREATE DATABASE two OID $oid TEMPLATE copy");
is_deeply([ outcome_of($node, $call, 'two') ], [ 'miss_cold', '11' ], 'a new database with the same OID: a miss')
  or diag explain [ outcome_of($node, $call, 'two') ];
is_deeply([ outcome_of($node, $call, 'two') ], [ 'hit', '11' ], 'then a hit');
$node->safe_psql('postgres', "DROP DATABASE two WITH (FORCE)");
$node->safe_psql('postgres', "CREATE DATABASE two OID $oid TEMPLATE one STRATEGY file_copy");
($outcome, $rows) = outcome_of($node, $call, 'two');
is($rows, '1', 'and again, with the other strategy');
unlike($outcome, qr/hit/, 'not by a hit');

# ALTER DATABASE .. RENAME keeps the database.
$node->safe_psql('postgres', 'ALTER DATABASE two RENAME TO three');
is((outcome_of($node, $call, 'three'))[1], '1', 'a renamed database');
is((outcome_of($node, $call, 'copy'))[1], '11', 'other databases have theirs');

# DROP ROLE, then a role with the same name, and one that gets the same OID: row security makes the
# answer the role's own.
$node->safe_psql('one', q{
	CREATE TABLE own (who text, a int);
	INSERT INTO own VALUES ('alice', 1), ('bob', 2);
	ALTER TABLE own ENABLE ROW LEVEL SECURITY;
	CREATE POLICY p ON own USING (who = current_user);
	GRANT SELECT ON own TO PUBLIC;
	CREATE ROLE alice; CREATE ROLE bob});
my $own = rows_of('SELECT a FROM own', '1h', 'a int');
is($node->safe_psql('one', "SET ROLE alice; $own; $own"), "1\n1", 'a role sees its rows');
is($node->safe_psql('one', "SET ROLE bob; $own; $own"), "2\n2", 'another its own');
$oid = $node->safe_psql('one', q{SELECT 'alice'::regrole::oid});
$node->safe_psql('one', 'DROP ROLE alice; CREATE ROLE alice');
is_deeply([ outcome_of($node, "SET ROLE alice; $own", 'one') ], [ 'miss_cold', '1' ], 'a new role of that name: a miss');
$node->safe_psql('one', 'DROP ROLE bob');
is($node->safe_psql('one', "SELECT count(*) FROM cached_query_entries WHERE role = 'bob' AND state = 'fresh'"),
	'0', 'an entry of a dropped role is not shown under its name');
# OIDs come around after four billion; here it takes a superuser's hand.
$node->safe_psql('one', qq{
	SET allow_system_table_mods = on;
	CREATE ROLE carol; UPDATE pg_authid SET oid = $oid WHERE rolname = 'carol'});
is((outcome_of($node, "SET ROLE carol; $own", 'one'))[1], '', 'a role that inherits the OID does not inherit the answer');

# Privileges: a hit needs what the query needs.
$node->safe_psql('one', 'REVOKE SELECT ON own FROM PUBLIC; CREATE ROLE dora');
my $err;
$node->psql('one', "SET ROLE dora; $own", stderr => \$err);
like($err, qr/permission denied for table own/, 'a role without the right gets the error');

# DROP EXTENSION and CREATE EXTENSION.
is($node->safe_psql($_, "$call; $call") ne '', 1, "filled in $_") foreach 'one', 'copy';
$node->safe_psql('one', "UPDATE t SET a = 100");
is((outcome_of($node, $call, 'one'))[1], '1', 'ttl: the old answer');
$node->safe_psql('one', 'DROP EXTENSION cached_query CASCADE; CREATE EXTENSION cached_query');
is_deeply([ outcome_of($node, $call, 'one') ], [ 'miss_invalidated', '100' ], 'not after the extension was dropped and created');
is_deeply([ outcome_of($node, $call, 'one') ], [ 'hit', '100' ], 'then a hit');
$node->safe_psql('one', 'BEGIN; DROP EXTENSION cached_query CASCADE; ROLLBACK');
is_deeply([ outcome_of($node, $call, 'one') ], [ 'hit', '100' ], 'a rolled back DROP EXTENSION changes nothing');
is((outcome_of($node, $call, 'copy'))[1], '11', 'nor does one elsewhere');

# The extension in a schema of its own, and moved.
$node->safe_psql('one', 'CREATE SCHEMA ext; CREATE SCHEMA other; ALTER EXTENSION cached_query SET SCHEMA ext');
is($node->safe_psql('one', "SET search_path = public, ext; $call; " . $call =~ s/cached_query\(/ext.cached_query(/r),
	"100\n100", 'works in another schema');
is($node->safe_psql('one', 'SELECT hits > 0 FROM ext.cached_query_stats'), 't', 'its views, too');
$node->safe_psql('one', 'DROP SCHEMA ext CASCADE; DROP FUNCTION IF EXISTS cached_query_check()');
is($node->safe_psql('one', q{SELECT count(*) FROM pg_proc WHERE proname ~ '^cached_query'}), '0', 'and is gone with it');

store_is_idle($node, 'nothing pinned, nothing lost');
log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
