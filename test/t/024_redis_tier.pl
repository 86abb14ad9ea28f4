# Redis as a second store: answers come back from it after a restart and in mode `redis`, never
# when something they depend on has changed, when they are too old, damaged, or exact and of
# another start; without Redis the query runs.

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
my $node = start_node('main', "cached_query.redis_url = '" . $redis->unix_url . "'",
	'cached_query.store = tiered', 'cached_query.redis_retry_interval = 200ms',
	'max_prepared_transactions = 5');

sub counter { return $node->safe_psql('postgres', "SELECT $_[0] FROM cached_query_stats"); }

sub heads { return grep { !/\}:/ } split /\n/, $redis->cli('--raw', 'KEYS', 'cached_query:*'); }

# Calls it once, as a new session; the outcome must be the expected one, and the rows the query's own.
sub call_is
{
	my ($query, $columns, $expected, $name, $before) = @_;
	my $direct = $node->safe_psql('postgres', "SELECT md5(coalesce(string_agg(q::text, ';'), '')) FROM ($query) AS q");
	my ($outcome, $rows) = outcome_of($node, ($before || '') .
		"SELECT md5(coalesce(string_agg(t::text, ';'), '')) FROM (" . rows_of($query, '1h', $columns) . ") AS t");

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($outcome, $expected, $name);
	is($rows, $direct, "$name: rows");
	return;
}

$node->safe_psql('postgres', q{
	CREATE TABLE t (id int PRIMARY KEY, v text, n numeric(10,2));
	INSERT INTO t SELECT g, CASE WHEN g % 7 <> 0 THEN 'value ' || g END, g / 3.0 FROM generate_series(1, 5) AS g;
	CREATE TABLE big AS SELECT g AS id, md5(g::text) || repeat('x', 60) AS v, now() AS at FROM generate_series(1, 30000) AS g;
	CREATE FUNCTION f() RETURNS int LANGUAGE sql STABLE AS 'SELECT count(*)::int FROM t';
	VACUUM ANALYZE t, big; SELECT pg_sleep(0.3)});
my @small = ('SELECT * FROM t ORDER BY id', 'id int, v text, n numeric(10,2)');
my @big = ('SELECT * FROM big ORDER BY id', 'id int, v text, at timestamptz');
my @none = ('SELECT * FROM t WHERE id < 0', 'id int, v text, n numeric(10,2)');
my @func = ('SELECT f()', 'n int');

# ---- Tiered, and a restart ----

foreach my $query (\@small, \@big, \@none, \@func)
{
	call_is(@$query, 'miss_cold', "$query->[0]: first call");
	call_is(@$query, 'hit', "$query->[0]: from memory");
}
ok(settled($node), 'written to Redis');
is(scalar heads(), 4, 'as many heads');
is(counter('redis_stores'), 4, 'counted');
$node->restart;
foreach my $query (\@small, \@big, \@none, \@func)
{
	call_is(@$query, 'redis_hit', "$query->[0]: after a restart, from Redis");
	call_is(@$query, 'hit', "$query->[0]: then from memory");
}
is(counter('fills'), 0, 'nothing was run');
is($node->safe_psql('postgres', q{BEGIN ISOLATION LEVEL REPEATABLE READ; } . rows_of($none[0], '1h', $none[1]) .
	q{; COMMIT; SELECT calls FROM cached_query_reasons WHERE reason = 'newer_than_snapshot'}), '1',
	'REPEATABLE READ does not take an answer from elsewhere');

# ---- What changed ----

foreach my $change ('CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql STABLE AS \'SELECT 100 + count(*)::int FROM t\'',
	'TRUNCATE big', 'ALTER TABLE t ALTER v TYPE varchar(30)')
{
	$node->safe_psql('postgres', $change);
}
$node->restart;
sleep 1;
call_is(@func, 'miss_cold', 'a function was replaced before the restart');
call_is(@big, 'miss_cold', 'a table was truncated before the restart');
ok(settled($node), 'written again');
$node->restart;
call_is(@func, 'redis_hit', 'its answer is good again');
$node->safe_psql('postgres', q{CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql STABLE AS 'SELECT 200 + count(*)::int FROM t'});
# what a body means is in the key; what else there is of a function is not
call_is(@func, 'miss_cold', 'replaced after the restart');
$node->safe_psql('postgres', 'ALTER FUNCTION f() COST 7');
call_is(@func, 'miss_invalidated', 'altered after the restart');

# A crash leaves nothing that tells what changed.
my @plain = ('SELECT id FROM t ORDER BY id', 'id int');
call_is(@plain, 'miss_cold', 'one more');
ok(settled($node), 'written');
$node->stop('immediate');
$node->start;
call_is(@plain, 'miss_cold', 'after a crash nothing of before is believed');
ok(settled($node), 'written');

# Nor does a start without the library, even if the file is there.
$node->stop;
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->start;
$node->safe_psql('postgres', 'ALTER TABLE t ADD COLUMN extra int; ALTER TABLE t DROP COLUMN extra');
$node->stop;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'cached_query'");
$node->start;
call_is(@plain, 'miss_cold', 'after a start without the library nothing of before is believed');

# ---- Explicit invalidation ----

ok(settled($node), 'written');
my $before = () = heads();
is($node->safe_psql('postgres', "SELECT cached_query_invalidate('$plain[0]')"), '1', 'invalidated');
ok(wait_until(sub { my $now = () = heads(); return $now == $before - 1; }, 10), 'and removed from Redis');
call_is(@plain, 'miss_cold', 'run again');
ok(settled($node), 'written');
$node->safe_psql('postgres', "SELECT pg_sleep(0.3); SELECT cached_query_refresh('$plain[0]', '1h')"); # surely after it
ok(settled($node), 'written');
$node->safe_psql('postgres', "BEGIN; SELECT cached_query_invalidate('$plain[0]'); ROLLBACK");
$node->restart;
call_is(@plain, 'redis_hit', 'a rollback invalidates nothing');
$node->safe_psql('postgres', "SELECT cached_query_invalidate_relation('t')");
call_is(@plain, 'miss_cold', 'by relation: refused at once');
ok(settled($node), 'written');
$node->safe_psql('postgres', "SELECT cached_query_invalidate_relation('t')");
$node->restart;
call_is(@plain, 'miss_cold', 'by relation: also after a restart');
ok(settled($node), 'written');
$node->safe_psql('postgres', 'SELECT cached_query_clear()');
ok(wait_until(sub { return $redis->cli('--raw', 'DBSIZE') =~ /^0/; }, 10), 'clear empties the namespace');

# ---- Mode redis ----

my $only = 'SET cached_query.store = redis; ';
my $misses = counter('redis_misses');
call_is(@plain, 'miss_cold', 'mode redis: first call', $only);
is(counter('redis_misses'), $misses + 1, 'which has looked into Redis once');
ok(settled($node), 'written');
is($node->safe_psql('postgres', 'SELECT entries FROM cached_query_stats'), '0', 'and not kept in memory');
call_is(@plain, 'redis_hit', 'mode redis: second call', $only);
call_is(@plain, 'redis_hit', 'third call', $only);
is($node->safe_psql('postgres', $only . "SELECT state, tier, rows FROM cached_query_explain('$plain[0]')"), 'fresh|redis|5', 'explain names the tier');
like($node->safe_psql('postgres', $only . 'EXPLAIN (ANALYZE) ' . rows_of($plain[0], '1h', $plain[1])), qr/Cache: redis_hit\n.*Age: /, 'so does EXPLAIN');
is($node->safe_psql('postgres', "SELECT * FROM cached_query_with('{\"store\": \"redis\"}', '$plain[0] LIMIT 1', '1h') AS t(id int)"), '1', 'as an option');

# Own writes, and exact answers.
is($node->safe_psql('postgres', $only . 'BEGIN; INSERT INTO t VALUES (6); SELECT count(*) FROM (' . rows_of($plain[0], '1h', $plain[1]) . ') AS q; ROLLBACK'), '6', 'own writes are seen');
my $exact = $only . 'SET cached_query.consistency = exact; ';
$node->safe_psql('postgres', 'SELECT cached_query_clear()');
ok(wait_until(sub { return $redis->cli('--raw', 'DBSIZE') =~ /^0/; }, 10), 'cleared');
call_is(@plain, 'miss_cold', 'exact: first call', $exact);
ok(settled($node), 'written');
call_is(@plain, 'redis_hit', 'exact: from Redis', $exact);
$node->safe_psql('postgres', 'INSERT INTO t VALUES (7)');
call_is(@plain, 'miss_cold', 'exact: not after a write', $exact);
ok(settled($node), 'written');
call_is(@plain, 'redis_hit', 'exact: the new one', $exact);
$node->restart;
call_is(@plain, 'miss_cold', 'exact: never of another start', $exact);

# ---- What is not to be believed ----

ok(settled($node), 'written');
my $offset = -s $node->logfile;
my ($head) = heads();
my $length = $redis->cli('--raw', 'STRLEN', $head);
chomp $length;
$redis->cli('SETRANGE', $head, $length - 3, 'X');
call_is(@plain, 'miss_cold', 'a damaged value is not used', $only);
ok(settled($node), 'written');
call_is(@plain, 'redis_hit', 'and replaced', $only);
$redis->cli('PEXPIRE', $head, 36000000);
call_is(@plain, 'miss_cold', 'nor one whose life was prolonged', $only);
ok(settled($node), 'written');
$redis->cli('PERSIST', $head);
call_is(@plain, 'miss_cold', 'nor one that never ends', $only);
ok(settled($node), 'written');
my $rejected = counter('redis_rejected');
cmp_ok($rejected, '>=', 3, 'counted');
is(scalar(() = slurp_file($node->logfile, $offset) =~ /a value in Redis was not used/g), 1, 'and said once, not by each session');
$node->append_conf('postgresql.conf', "cached_query.redis_secret = 'another secret of enough bytes'");
$node->restart;
call_is(@plain, 'miss_cold', 'nor one signed with another secret', $only);

# ---- Compression, and a chunk that is missing ----

$redis->cli('FLUSHALL'); # the namespace is another one with another secret
foreach my $method ('lz4', 'zstd')
{
	$node->append_conf('postgresql.conf', "cached_query.redis_compression = $method");
	$node->restart;
	$node->safe_psql('postgres', 'SELECT cached_query_clear(); TRUNCATE big; INSERT INTO big SELECT g, md5(g::text) || repeat(\'x\', 60), now() FROM generate_series(1, 30000) AS g');
	ok(wait_until(sub { return $redis->cli('--raw', 'DBSIZE') =~ /^0/; }, 10), "$method: cleared");
	call_is(@big, 'miss_cold', "$method: first call", $only);
	ok(settled($node), 'written');
	call_is(@big, 'redis_hit', "$method: many chunks", $only);
}
my ($chunk) = grep { /\}:.*:1$/ } split /\n/, $redis->cli('--raw', 'KEYS', 'cached_query:*');
ok(defined $chunk, 'there are chunks');
my $keys = $redis->cli('--raw', 'DBSIZE');
$redis->cli('DEL', $chunk);
call_is(@big, 'miss_cold', 'a value with a missing chunk is not used', $only);
ok(settled($node), 'written');
call_is(@big, 'redis_hit', 'and replaced', $only);
ok(wait_until(sub { return $redis->cli('--raw', 'DBSIZE') eq $keys; }, 10), 'the chunks of the old one are removed') or diag "$keys keys before, now ", $redis->cli('--raw', 'KEYS', '*');

# ---- Without Redis ----

$redis->stop;
call_is(@plain, 'miss_cold', 'no Redis: the query runs', $only) for 1 .. 5;
is($node->safe_psql('postgres', 'SELECT state FROM cached_query_redis'), 'open', 'the breaker is open');
$redis->start;
ok(wait_until(sub {
	my ($outcome) = outcome_of($node, $only . rows_of($plain[0], '1h', $plain[1]));
	return $outcome eq 'redis_hit'; }, 20), 'it is back');
store_is_idle($node, 'nothing is pinned');
log_is_quiet($node, 'no warning');
$node->stop;
done_testing();
