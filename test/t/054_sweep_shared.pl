# What another server of the namespace has invalidated is refused by each look-up, whether or not the sweeper
# has come to it; and neither a client nor the process that talks to Redis goes over the entries.

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
my $primary = start_node('primary', { allows_streaming => 1 }, "cached_query.redis_url = '" . $redis->unix_url . "'",
	'cached_query.redis_namespace = shared', 'cached_query.store = tiered');
$primary->safe_psql('postgres', 'CREATE TABLE t AS SELECT 1 AS a; CREATE TABLE u AS SELECT 2 AS a');
$primary->safe_psql('postgres', rows_of('SELECT 1', '1h', 'a int'));
$primary->backup('one');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'one', has_streaming => 1);
chmod 0600, $standby->data_dir . '/cached_query.secret';
$standby->start;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
$standby->safe_psql('postgres', 'SELECT pg_sleep(0.3)');

my $many = 300;
my $of_t = rows_of('SELECT a FROM t', '1h', 'a int');
my $of_u = rows_of('SELECT a FROM u', '1h', 'a int');
my @processes = map { pid_of($_) } 'sweeper', 'redis writer';
my $round = 0;

END { kill 'CONT', grep { $_ } @processes; }

sub pid_of
{
	my ($name) = @_;
	my $pid = '';

	wait_until(sub { $pid = $standby->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'cached_query $name'") }, 20);
	like($pid, qr/^\d+$/, "a $name runs");
	return $pid;
}

sub value { return $standby->safe_psql('postgres', $_[0]); }
sub entries { return value('SELECT entries FROM cached_query_stats'); }

# Answers over t, and one over u, in the standby's memory only: what is void there is not found again in Redis.
# What a standby has computed counts as older than it is, by how much it may be behind: for a moment it is
# older than the last invalidation.
sub fill
{
	$round++;
	value('SELECT pg_sleep(3)') if $round > 1;
	value("SET cached_query.store = memory; SELECT count(*) FROM generate_series(1, $many) AS g, "
		  . "cached_query('SELECT a + \$1 * $round FROM t', '1h', g) AS c(a int)");
	ok(wait_until(sub { (outcome_of($standby, "SET cached_query.store = memory; $of_t; $of_u"))[0] eq 'hit x2' }, 20),
		"round $round: in memory");
	return entries();
}

# Without the sweeper.
my $filled = fill();
cmp_ok($filled, '>', $many, 'all are there');
kill 'STOP', $processes[0];
$primary->safe_psql('postgres', q{SELECT cached_query_invalidate_relation('t')});
my $outcome;
ok(wait_until(sub { ($outcome) = outcome_of($standby, "SET cached_query.store = memory; $of_t"); $outcome !~ /hit/ }, 10), 'void here, too');
is($outcome, 'miss_invalidated', 'for the reason that it is');
cmp_ok(entries(), '>=', $filled - 1, 'and nobody has swept');
is((outcome_of($standby, "SET cached_query.store = memory; $of_u"))[0], 'hit', 'another answer is not void');
kill 'CONT', $processes[0];
ok(wait_until(sub { entries() < $many }, 60), 'the sweeper does it');

# A client has to ask Redis, as nobody else does.
$filled = fill();
kill 'STOP', @processes;
my $received = value('SELECT invalidations_received FROM cached_query_redis');
$primary->safe_psql('postgres', q{SELECT cached_query_invalidate_relation('t')});
my $query = 0;
ok(wait_until(sub
{
	$query++;
	value(rows_of("SELECT $query", '1h', 'a int'));
	return value('SELECT invalidations_received FROM cached_query_redis') > $received;
}, 20), 'a client has asked');
is((outcome_of($standby, "SET cached_query.store = memory; $of_t"))[0], 'miss_invalidated', 'void here, too');
cmp_ok(entries(), '>=', $filled, 'and the client has not swept');
kill 'CONT', @processes;
ok(wait_until(sub { entries() < $many }, 60), 'the sweeper does it');
store_is_idle($standby, 'nothing is pinned');
log_is_quiet($_, 'no warning') foreach $primary, $standby;
$standby->stop;
$primary->stop;
done_testing();
