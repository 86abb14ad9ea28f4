# The randomized checker of exact answers with tracked tables (cached_query_track): writes void by key.  With lies about
# what was told it has to find mismatches.
#
# CQ_FUZZ_SECONDS is how long the first run takes (5), CQ_FUZZ_SEED the seed (1).

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', 'max_prepared_transactions = 50', 'max_connections = 60', 'fsync = off', 'log_min_messages = warning',
	'cached_query.auto_min_time = 0');

plan skip_all => 'needs a build with CQ_DEBUG=1' unless defined store_state($node);

my @options = ('--track', '--seed', $ENV{CQ_FUZZ_SEED} || 1);
my $seconds = $ENV{CQ_FUZZ_SECONDS} || 5;

check_exact($node, 'tracked', [], @options, '--seconds', $seconds);
cmp_ok($node->safe_psql('postgres', 'SELECT sum(tracked) FROM cached_query_tracked'), '>', 0, 'writes were announced by key');
cmp_ok($node->safe_psql('postgres', 'SELECT sum(untracked) FROM cached_query_tracked'), '>', 0, '... and some for the table');
if ($ENV{CQ_FUZZ_SECONDS})
{
	check_exact($node, 'room for one', ['debug_room=1'], @options, '--seconds', $seconds);
	check_exact($node, 'statements', [], @options, '--auto', '--seconds', $seconds);
}
check_exact($node, 'keys of old rows not told', ['debug_track_lie=1'], @options, '--seconds', 3, '--expect-mismatches');
check_exact($node, 'counts not compared', ['debug_track_lie=2'], @options, '--seconds', 3, '--expect-mismatches');

check_exact($node, 'own keys not compared', ['debug_track_lie=3'], @options, '--seconds', 3, '--expect-mismatches');
check_exact($node, 'a level of nodes not told', ['debug_track_lie=4'], @options, '--seconds', 3, '--expect-mismatches');

store_is_idle($node, 'nothing is left pinned');
my $log = slurp_file($node->logfile);
unlike($log, qr/TRAP: |PANIC: |terminated by signal/, 'no crash');
$node->stop;
done_testing();
