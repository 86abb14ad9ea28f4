# Redis as the second store of statements that make no call: a primary and its standby, both modes, a
# Redis that hangs.

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

my $redis = start_redis();
my $primary = start_node('primary', { allows_streaming => 1 },
	"cached_query.redis_url = '" . $redis->unix_url . "'",
	'cached_query.redis_namespace = shared', 'cached_query.store = tiered', 'cached_query.redis_retry_interval = 200ms',
	'cached_query.redis_timeout = 200ms', 'cached_query.auto_min_time = 0', 'cached_query.quota = 20MB', 'max_prepared_transactions = 5');

$primary->safe_psql('postgres', q{
	CREATE TABLE t AS SELECT g AS id, 'value ' || g AS v FROM generate_series(1, 1000) AS g;
	CREATE TABLE p (k int, v int) PARTITION BY LIST (k); CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1); INSERT INTO p VALUES (1, 10);
	SELECT * FROM cached_query('SELECT 1', '1h') AS t(a int)});
$primary->backup('one');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'one', has_streaming => 1);
chmod 0600, $standby->data_dir . '/cached_query.secret';
$standby->start;

# How runs of a statement end, by reason: "ghost, miss_cold, hit"; each is in a session of its own.
sub runs
{
	my ($node, $settings, $query, $times) = @_;
	my @found;

	for (1 .. $times || 1)
	{
		my $explained = $node->safe_psql('postgres', "$settings; EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) $query");

		push @found, $explained =~ /Cache: (\w+)/ ? $1 : 'no node';
		ok(settled($node), 'written') if $explained =~ /Kept: yes/ && $settings !~ /memory/;
	}
	return join ', ', @found;
}

sub rows { my ($node, $settings, $query) = @_; return $node->safe_psql('postgres', "$settings; $query"); }
sub caught_up { $primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert')); return; }

my $ttl = 'SET cached_query.auto = ttl';
my $exact = 'SET cached_query.auto = exact';
my $list = 'SELECT * FROM t ORDER BY id';

# something to replay: the last position before is in no record
$primary->safe_psql('postgres', 'CREATE TABLE nothing ()');
caught_up();
# what is older than a server's start it can't judge
$standby->safe_psql('postgres', 'SELECT pg_sleep(0.3)');

# ---- Two servers ----

is(runs($primary, $ttl, $list, 3), 'ghost, miss_cold, hit', 'the primary keeps it');
is(runs($standby, $ttl, $list, 2), 'redis_hit, hit', 'the standby finds it in Redis, at its first run');
is(rows($standby, $ttl, $list), rows($primary, 'SELECT 1', $list) =~ s/^1\n//r, 'the same rows');
# Rows there are as old as the last commit that was replayed, and older ones don't replace those that the primary computed.
$primary->safe_psql('postgres', 'DROP TABLE nothing');
caught_up();
is(runs($standby, $exact, $list, 3), 'ghost, miss_not_exact, hit', 'an exact one it makes for itself');
is($primary->safe_psql('postgres', q{SELECT origin FROM cached_query_entries WHERE query LIKE '%ORDER BY id'}), 'auto', 'an entry of a statement');
# what is redefined is used nowhere
$primary->safe_psql('postgres', q{ALTER TABLE t ALTER COLUMN v TYPE varchar(30); UPDATE t SET v = 'changed' WHERE id = 1});
caught_up();
like(rows($standby, $ttl, $list), qr/^1\|changed/m, 'the standby runs it after a change of the definition');
# what was computed about when a definition changed isn't used elsewhere
sleep 0.5;
# younger than asked for
is(runs($primary, $ttl, "SELECT count(*) FROM t", 2), 'ghost, miss_cold', 'another one');
sleep 0.4;
is(runs($standby, $ttl, "SELECT count(*) FROM t /* cached_query: ttl=300ms */"), 'ghost', 'too old for whom asks for less');
is(runs($standby, $ttl, "SELECT count(*) FROM t"), 'redis_hit', 'not for others');

# ---- Exact: only what this server has written since its start, and nothing has changed since ----

my $direct = "$exact; SET cached_query.store = redis";

is(runs($primary, $direct, 'SELECT sum(id) FROM t', 3), 'ghost, miss_cold, redis_hit', 'exact from Redis');
is(rows($primary, $direct, 'SELECT sum(id) FROM t'), '500500', 'its rows');
$primary->safe_psql('postgres', 'UPDATE t SET id = id + 1 WHERE id = 1000');
is(rows($primary, $direct, 'SELECT sum(id) FROM t'), '500501', 'a change is seen at once');
is(rows($primary, "$direct; BEGIN; UPDATE t SET id = 1 WHERE id = 1001", 'SELECT sum(id) FROM t'), '499501', 'an own one, too');
like(runs($primary, $direct, 'SELECT sum(id) FROM t', 4), qr/miss_cold, redis_hit/, 'kept anew');
is(rows($primary, $direct, 'SELECT sum(id) FROM t'), '500501', 'its rows');
# a writer in between whom the snapshot doesn't see
my $reader = $primary->background_psql('postgres');
$reader->query_safe($_) foreach $exact, 'SET cached_query.store = redis', 'BEGIN ISOLATION LEVEL REPEATABLE READ';
is($reader->query_safe('SELECT count(*) FROM p'), '1', 'a snapshot');
$primary->safe_psql('postgres', 'UPDATE t SET id = id + 1 WHERE id = 1001');
like(runs($primary, $direct, 'SELECT sum(id) FROM t', 4), qr/miss_cold, redis_hit/, 'kept anew by others');
is($reader->query_safe('SELECT sum(id) FROM t'), '500501', 'the snapshot does not see it');
$reader->query_safe('COMMIT');
is($reader->query_safe('SELECT sum(id) FROM t'), '500502', 'the next one does');
# a hit in REPEATABLE READ locks what the entry read
is(runs($primary, $direct, 'SELECT sum(v) FROM p', 3), 'ghost, miss_cold, redis_hit', 'a partitioned table');
$reader->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
is($reader->query_safe('SELECT sum(v) FROM p'), '10', 'a hit of a snapshot');
$primary->psql('postgres', "SET lock_timeout = '200ms'; TRUNCATE p_1");
$reader->query_safe('SET LOCAL cached_query.auto = off');
is($reader->query_safe('SELECT sum(v) FROM p'), '10', 'the query itself under the same snapshot');
$reader->query_safe('COMMIT');
$reader->quit;
# of before a restart: within a ttl only
$primary->restart;
is(runs($primary, "$exact; SET cached_query.store = redis", 'SELECT sum(v) FROM p'), 'ghost', 'not exact after a restart');
is(runs($primary, $ttl, 'SELECT sum(v) FROM p'), 'redis_hit', 'but within a ttl');

# ---- No Redis, and one that hangs ----

sub takes_less
{
	my ($seconds, $settings, $query, $name) = @_;
	my $start = time;
	my $rows = rows($primary, $settings, $query);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	cmp_ok(time - $start, '<', $seconds, $name);
	return $rows;
}

$redis->pause;
is(takes_less(3, $ttl, 'SELECT max(id) FROM t', 'a Redis that hangs'), '1002', 'the statement runs');
is(takes_less(3, $ttl, "SELECT max(id) FROM t; " x 20, 'and again'), join("\n", ('1002') x 20), 'the statements run');
is(takes_less(3, $direct, "SELECT min(id) FROM t; " x 20, 'Redis alone'), join("\n", ('1') x 20), 'the statements run');
$redis->resume;
ok(wait_until(sub { runs($primary, $direct, 'SELECT min(id) FROM t', 1) eq 'redis_hit' }, 20), 'it is used again');
$redis->stop;
is(takes_less(3, $ttl, 'SELECT min(id) AS m FROM t', 'no Redis'), '1', 'the statement runs');

store_is_idle($primary, 'nothing is left pinned');
foreach my $node ($primary, $standby)
{
	unlike(slurp_file($node->logfile), qr/TRAP: |PANIC: |terminated by signal/, $node->name . ': no crash');
	$node->stop;
}
done_testing();
