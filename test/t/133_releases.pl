# What one release of the library leaves for another one to read, it does not read: values in Redis, the file of a warm
# start, and what a primary tells its standbys.  Both could mean something else there.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RedisTest;
use StandbyTest;
use Test::More;

my $redis = start_redis();
my $url = $redis->unix_url;
my $primary = start_node('primary', { allows_streaming => 1 }, "cached_query.redis_url = '$url'", 'cached_query.store = tiered', 'cached_query.redis_namespace = shared',
	'cached_query.warm_start = on', 'cached_query.tell_standbys = on', 'log_min_messages = log', 'fsync = off');

if (!defined store_state($primary))
{
	$primary->stop;
	plan skip_all => 'needs a build with CQ_DEBUG=1';
}
$primary->append_conf('postgresql.conf', 'cached_query.debug_release = 0');
$primary->safe_psql('postgres', q{
	CREATE TABLE k (id int PRIMARY KEY, tenant int, v int);
	INSERT INTO k SELECT g, g % 4, g FROM generate_series(1, 40) AS g;
	SELECT cached_query_track('k', '{tenant}');
	VACUUM ANALYZE k; SELECT pg_sleep(0.3)});

# The same server, or the other one, as this release; its log begins anew.
sub restart_as
{
	my ($node, $release) = @_;

	$node->stop;
	$node->adjust_conf('postgresql.conf', 'cached_query.debug_release', $release);
	unlink $node->logfile;
	$node->start;
	return;
}

# ---- Redis, and the file of a warm start ----

my $call = rows_of('SELECT sum(v) FROM k', '1h', 'v bigint');
my $warmed = q{SELECT count(*) FROM cached_query_entries WHERE query = 'SELECT sum(v) FROM k'};
my $ignored = qr/ignoring file "pg_stat\/cached_query\.queries": it is of another version of cached_query/;

foreach my $case ([0, 0], [0, 1], [1, 1], [1, 0])
{
	my ($writer, $reader) = @$case;
	my $what = "written by $writer, found by $reader";

	restart_as($primary, $writer);
	# what no snapshot has seen complete before the restart seems to have changed at the start
	$primary->safe_psql('postgres', 'SELECT cached_query_clear(), pg_sleep(0.4)');
	$primary->safe_psql('postgres', $call);
	ok(settled($primary), "$what: written to Redis");
	restart_as($primary, $reader);
	if ($writer == $reader)
	{
		ok(wait_until(sub { $primary->safe_psql('postgres', $warmed) eq '1' }, 20), "$what: warm start");
		unlike(slurp_file($primary->logfile), $ignored, "$what: nothing ignored");
	}
	else
	{
		is((outcome_of($primary, $call))[0], 'miss_cold', "$what: no use of the value in Redis");
		ok(wait_until(sub { slurp_file($primary->logfile) =~ $ignored }, 20), "$what: nor of the file");
	}
}
# What was cleared as the other release counts for all of before.
sleep 2;
$call = rows_of('SELECT max(v) FROM k', '1h', 'v int');
$primary->safe_psql('postgres', $call);
ok(settled($primary), 'written to Redis once more');
$primary->stop;
$primary->adjust_conf('postgresql.conf', 'cached_query.warm_start', 'off');
$primary->start;
is((outcome_of($primary, $call))[0], 'redis_hit', 'the same release uses the value in Redis');

# ---- A standby ----

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
chmod 0600, $standby->data_dir . '/cached_query.secret'; # pg_basebackup keeps the mode, the copy of it doesn't
$standby->append_conf('postgresql.conf', 'cached_query.store = memory');
$standby->start;
ask_on($primary, $standby, { k1 => 'SELECT sum(v)::text FROM k WHERE tenant = 1', k2 => 'SELECT sum(v)::text FROM k WHERE tenant = 2' });
voids('the same release is understood', 'UPDATE k SET v = v + 1 WHERE tenant = 1', 'k1');
forget_session($standby);
restart_as($standby, 1);
voids('of another one each message means the table', 'UPDATE k SET v = v + 1 WHERE tenant = 1', 'k1 k2');

# ---- What is invalidated explicitly ----

# Who doesn't know the other's slots takes all of its results for void.
my $tag = rows_of('SELECT 1 AS of_standby', '1h', 'v int');
$standby->adjust_conf('postgresql.conf', 'cached_query.store', 'tiered');
foreach my $release (0, 1)
{
	forget_session($standby);
	restart_as($standby, $release);
	sleep 1;
	# a standby's rows are as old as the last commit that it has replayed, as far as it knows
	$primary->safe_psql('postgres', 'UPDATE k SET v = v WHERE id = 1');
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
	$standby->safe_psql('postgres', $tag);
	is((outcome_of($standby, $tag))[0], 'hit', "release $release: a hit");
	$primary->safe_psql('postgres', q{SELECT cached_query_invalidate_tag('something else')});
	my $void = wait_until(sub { (outcome_of($standby, $tag))[0] eq 'miss_invalidated' }, $release == 0 ? 3 : 10);
	is($void ? 'void' : 'hit', $release == 0 ? 'hit' : 'void', "release $release: another tag was invalidated by release 0");
}

end_of($standby);
end_of($primary);
$redis->stop;
done_testing();
