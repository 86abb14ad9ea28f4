# No row is older than asked, whoever computed it: a primary and a standby that replays with a delay
# share answers while a writer notes the time in a row; how old is what the primary is given?

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RedisTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $ttl = 4;
my $delay = 2;
my $redis = start_redis();
my $primary = start_node('primary', { allows_streaming => 1 },
	"cached_query.redis_url = '" . $redis->unix_url . "'",
	'cached_query.redis_namespace = shared', 'cached_query.store = redis', 'log_statement = none');

$primary->safe_psql('postgres', q{
	CREATE TABLE clock AS SELECT clock_timestamp() AS at;
	CREATE TABLE gaps (longest interval);
	CREATE TABLE stop ()});
$primary->safe_psql('postgres', rows_of('SELECT 1', '1h', 'a int'));
$primary->backup('one');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'one', has_streaming => 1);
$standby->append_conf('postgresql.conf', "recovery_min_apply_delay = '${delay}s'");
chmod 0600, $standby->data_dir . '/cached_query.secret';
$standby->start;

# The writer knows how late it was itself at the worst.
my $writer = CachedQueryTest::Deaf->connect($primary, 'postgres');
$writer->send(q{DO $$ DECLARE before timestamptz := clock_timestamp(); longest interval := '0'; BEGIN
	WHILE NOT EXISTS (SELECT FROM stop) LOOP
		UPDATE clock SET at = clock_timestamp();
		longest := greatest(longest, clock_timestamp() - before);
		before := clock_timestamp();
		COMMIT;
		PERFORM pg_sleep(0.01);
	END LOOP;
	INSERT INTO gaps VALUES (longest);
	END $$});
ok(wait_until(sub { $standby->safe_psql('postgres', 'SELECT lag_ms BETWEEN 1500 AND 4000 FROM cached_query_redis') eq 't' }, 20),
	'the standby knows its delay');
# until then the row tells only when the table was made
ok(wait_until(sub { $standby->safe_psql('postgres', "SELECT clock_timestamp() - at < '${delay}.8s' FROM clock") eq 't' }, 20),
	'it replays what the writer does');

my $call = q{SELECT extract(epoch FROM clock_timestamp() - at)::numeric(9,3) FROM cached_query('SELECT at FROM clock', '}
  . $ttl . q{s') AS t(at timestamptz)};
my %session = (primary => CachedQueryTest::Deaf->connect($primary, 'postgres'),
	standby => CachedQueryTest::Deaf->connect($standby, 'postgres'));
my %worst = (primary => 0, standby => 0);
my $end = time() + 9;
while (time() < $end)
{
	foreach my $name (rand() < 0.2 ? 'primary' : 'standby', 'standby')
	{
		my $age = $session{$name}->ask($call)->{first};

		$worst{$name} = $age if $age > $worst{$name};
	}
	sleep 0.02;
}
$primary->safe_psql('postgres', 'INSERT INTO stop DEFAULT VALUES');
$writer->until_ready;
my $gap = $primary->safe_psql('postgres', 'SELECT extract(epoch FROM longest) FROM gaps');
my $hits = $primary->safe_psql('postgres', 'SELECT redis_hits FROM cached_query_stats');
diag sprintf 'oldest row of the primary %.2f s, of the standby %.2f s, ttl %d s, delay %d s, longest pause of the writer %.2f s, %d hits',
  $worst{primary}, $worst{standby}, $ttl, $delay, $gap, $hits;
cmp_ok($hits, '>', 0, 'the primary was given answers from Redis');
cmp_ok($worst{primary}, '<', $ttl + $gap + 0.25, 'none older than asked');
cmp_ok($worst{primary}, '>', $delay, '... and some that the standby had computed');
cmp_ok($worst{standby}, '<', $ttl + $delay + $gap + 1, 'nor by more than its delay on the standby');

# Nothing is written any more: what the standby shows is of now all the same, as the primary says.
sleep $ttl + $delay;
is((outcome_of($standby, "SET cached_query.store = memory; $call; $call"))[0], 'hit, miss_cold',
	'an idle primary does not make answers old');
$_->close foreach values %session, $writer;
store_is_idle($_, 'nothing is pinned') foreach $primary, $standby;
log_is_quiet($_, 'no warning') foreach $primary, $standby;
$standby->stop;
$primary->stop;
done_testing();
