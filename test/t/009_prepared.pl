# Two-phase commit: what a prepared transaction wrote is not seen through the cache before COMMIT
# PREPARED and is seen at once after it, also when the server was restarted or crashed in between.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', 'max_prepared_transactions = 10');
my $call = rows_of('SELECT sum(a) FROM t', '1h', 'a bigint');
my $exact = 'SET cached_query.consistency = exact;';

$node->safe_psql('postgres', 'CREATE TABLE t (a int); INSERT INTO t VALUES (1)');

sub sum_is
{
	my ($want, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($node->safe_psql('postgres', "$exact $call; $call; SELECT sum(a) FROM t"), "$want\n$want\n$want", $name);
	return;
}

foreach my $restart ('', 'fast', 'immediate')
{
	my $how = $restart eq '' ? 'no restart' : "restart, $restart";
	my $base = 1;

	$node->safe_psql('postgres', 'TRUNCATE t; INSERT INTO t VALUES (1)');
	sum_is(1, "$how: before");
	$node->safe_psql('postgres', q{BEGIN; INSERT INTO t VALUES (10); PREPARE TRANSACTION 'p1'});
	sum_is(1, "$how: prepared");
	$node->safe_psql('postgres', q{BEGIN; INSERT INTO t VALUES (100); PREPARE TRANSACTION 'p2'});
	if ($restart ne '')
	{
		$node->stop($restart);
		$node->start;
	}
	sum_is(1, "$how: prepared, twice");
	is($node->safe_psql('postgres', $call), '1', "$how: ttl, prepared");
	$node->safe_psql('postgres', q{COMMIT PREPARED 'p1'});
	sum_is(11, "$how: one committed");
	$node->safe_psql('postgres', 'UPDATE t SET a = 2 WHERE a = 1');
	sum_is(12, "$how: another write meanwhile");
	$node->safe_psql('postgres', q{ROLLBACK PREPARED 'p2'});
	sum_is(12, "$how: the other rolled back");
	my ($outcome) = outcome_of($node, "$exact $call");
	is($outcome, 'hit', "$how: hits then");

	# DDL, which ttl depends on, too
	$node->safe_psql('postgres', 'DROP VIEW IF EXISTS v; CREATE VIEW v AS SELECT 1 AS a');
	my $view = rows_of('SELECT a FROM v', '1h', 'a int');
	is($node->safe_psql('postgres', "$view; $view"), "1\n1", "$how: view");
	$node->safe_psql('postgres', q{BEGIN; CREATE OR REPLACE VIEW v AS SELECT 2 AS a; PREPARE TRANSACTION 'p3'});
	if ($restart ne '')
	{
		$node->stop($restart);
		$node->start;
	}
	is($node->safe_psql('postgres', "SET lock_timeout = '100ms'; " . rows_of('SELECT 1', '1h', 'a int')), '1',
		"$how: other queries work while DDL is prepared");
	$node->safe_psql('postgres', q{COMMIT PREPARED 'p3'});
	is($node->safe_psql('postgres', "$view; $view"), "2\n2", "$how: view replaced");

	# invalidation waits for the commit, as the writes do
	$node->safe_psql('postgres', q{BEGIN; UPDATE t SET a = 1000; SELECT cached_query_invalidate('SELECT sum(a) FROM t'); PREPARE TRANSACTION 'p4'});
	is($node->safe_psql('postgres', $call), '12', "$how: invalidation prepared");
	if ($restart ne '')
	{
		$node->stop($restart);
		$node->start;
		is($node->safe_psql('postgres', "$call; $call"), "12\n12", "$how: filled again");
	}
	$node->safe_psql('postgres', q{COMMIT PREPARED 'p4'});
	is($node->safe_psql('postgres', $call), '2000', "$how: invalidation committed");
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_prepared_xacts'), '0', 'none left');
store_is_idle($node, 'nothing pinned, nothing lost');
log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
