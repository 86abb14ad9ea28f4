# The randomized checker of exact answers, test/fuzz/exact.c: with room in the slots, with little and
# with none, with Redis, and with the check switched off, when it has to find mismatches.  Without CQ_DEBUG
# there are only the first and those with Redis.
#
# CQ_FUZZ_SECONDS is how long the first run takes (60), CQ_FUZZ_SEED the seed (1).

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RedisTest;
use Test::More;

my $redis = start_redis();
my $node = start_node('main', "cached_query.redis_url = '" . $redis->unix_url . "'", 'max_prepared_transactions = 50', 'max_connections = 60', 'fsync = off',
	'log_min_messages = warning');

my $debug = defined store_state($node);

my @seed = ('--seed', $ENV{CQ_FUZZ_SEED} || 1);

check_exact($node, 'plain', [], @seed, '--seconds', $ENV{CQ_FUZZ_SECONDS} || 60);
if ($debug)
{
	check_exact($node, 'room for one', ['debug_room=1'], @seed, '--seconds', 10);
	check_exact($node, 'no room', ['debug_room=0'], @seed, '--seconds', 10);
	cmp_ok(outcomes($node)->{in_flight} || 0, '>', 0, 'no room: writers in flight are refused as that');
}
check_exact($node, 'Redis', ['store=redis'], @seed, '--seconds', 10);
cmp_ok($node->safe_psql('postgres', 'SELECT redis_hits FROM cached_query_stats'), '>', 0, 'Redis: there were hits from it');
check_exact($node, 'both', ['store=tiered'], @seed, '--seconds', 10);
if ($debug)
{
	check_exact($node, 'never checked', ['debug_no_check=on'], @seed, '--seconds', 4, '--expect-mismatches');
	check_exact($node, 'partitions that were read don\'t count', ['debug_no_scans=on'], @seed, '--seconds', 6, '--expect-mismatches');
	check_exact($node, 'never checked, Redis', ['debug_no_check=on', 'store=redis'], @seed, '--seconds', 4, '--expect-mismatches');
}

store_is_idle($node, 'nothing is left pinned');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_prepared_xacts'), '0', 'nor prepared');
my $log = slurp_file($node->logfile);
unlike($log, qr/TRAP: |PANIC: |terminated by signal/, 'no crash');
$node->stop;
done_testing();
