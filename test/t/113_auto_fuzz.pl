# The randomized checker of exact answers for statements that don't know of the cache, test/fuzz/exact.c
# --auto; and without the check, and with the role left out of the keys, when it has to find mismatches.  Without CQ_DEBUG there
# is only the first run.
#
# CQ_FUZZ_SECONDS is how long the first run takes (60), CQ_FUZZ_SEED the seed (1).

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', 'max_prepared_transactions = 50', 'max_connections = 60', 'fsync = off', 'log_min_messages = warning');

my $debug = defined store_state($node);

my @seed = ('--auto', '--seed', $ENV{CQ_FUZZ_SEED} || 1);
my $hits = q{SELECT statements FROM cached_query_reasons WHERE reason = 'hit'};

check_exact($node, 'plain', [], @seed, '--seconds', $ENV{CQ_FUZZ_SECONDS} || 60);
cmp_ok($node->safe_psql('postgres', $hits), '>', 1000, 'there were hits');
if ($debug)
{
	check_exact($node, 'filled first', ['debug_auto_fill_first=on'], @seed, '--seconds', 10);
	check_exact($node, 'room for one', ['debug_room=1'], @seed, '--seconds', 10);
	check_exact($node, 'never checked', ['debug_no_check=on'], @seed, '--seconds', 4, '--expect-mismatches');
	check_exact($node, 'partitions that were read don\'t count', ['debug_no_scans=on'], @seed, '--seconds', 6, '--expect-mismatches');
	check_exact($node, 'role left out', ['debug_auto_no_role=on'], @seed, '--seconds', 6, '--expect-mismatches');
}

# ---- Without the rule for REPEATABLE READ a partition is truncated between two statements of one snapshot ----

$node->safe_psql('postgres', 'CREATE TABLE p (k int, v int) PARTITION BY LIST (k); CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1); INSERT INTO p VALUES (1, 10)');
foreach my $case ($debug ? ([ 'on', 'with locks', '10' ], [ 'off', 'without locks', '' ]) : ())
{
	my ($locks, $name, $sum) = @$case;
	my $session = $node->background_psql('postgres');

	$node->safe_psql('postgres', 'TRUNCATE p; INSERT INTO p VALUES (1, 10)');
	$session->query_safe('SET cached_query.auto = exact; SET cached_query.auto_min_time = 0; SET cached_query.debug_auto_no_locks = ' . ($locks eq 'on' ? 'off' : 'on'));
	$session->query_safe('SELECT sum(v) FROM p') foreach 1 .. 3;
	$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
	is($session->query_safe('SELECT sum(v) FROM p'), '10', "$name: a hit");
	$node->psql('postgres', "SET lock_timeout = '200ms'; TRUNCATE p_1");
	$session->query_safe('SET LOCAL cached_query.auto = off');
	is($session->query_safe('SELECT sum(v) FROM p'), $sum, "$name: the query itself under the same snapshot");
	$session->query_safe('COMMIT');
	$session->quit;
}

store_is_idle($node, 'nothing is left pinned');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_prepared_xacts'), '0', 'nor prepared');
unlike(slurp_file($node->logfile), qr/TRAP: |PANIC: |terminated by signal/, 'no crash');
$node->stop;
done_testing();
