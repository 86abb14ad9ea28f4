# Values in Redis are as old as the time that they were signed with says, whatever life they are given again;
# and changes of before a clean restart are as old as they are, however long the server was down.

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
my $node = start_node('main', "cached_query.redis_url = '" . $redis->unix_url . "'",
	'cached_query.store = redis', 'cached_query.redis_retry_interval = 200ms');

$node->safe_psql('postgres', q{
	CREATE TABLE t (v int);
	INSERT INTO t VALUES (1), (2);
	CREATE ROLE reader;
	GRANT SELECT ON t TO reader});

sub call
{
	my ($ttl, $role) = @_;
	my ($outcome, $rows) = outcome_of($node, ($role ? "SET ROLE $role; " : '') . rows_of('SELECT count(*) FROM t', $ttl, 'n bigint'));

	return "$outcome $rows";
}

sub head { my ($head) = grep { !/\}:/ && /^cached_query/ } split /\n/, $redis->cli('--raw', 'KEYS', 'cached_query:*'); return $head; }

# Keeps the value under another name, for ever, or puts it back with the life that it had at first.
sub keep { my ($name) = @_; $redis->cli('COPY', head(), $name, 'REPLACE'); $redis->cli('PERSIST', $name); return head(); }

sub put_back
{
	my ($name, $head, $life_ms) = @_;

	$redis->cli('COPY', $name, $head, 'REPLACE');
	$redis->cli('PEXPIRE', $head, $life_ms);
	return;
}

# ---- An old value, put back ----

is(call('2s'), 'miss_cold 2', 'a value is written');
ok(settled($node), 'it is there');
my $head = keep('old');
is(call('2s'), 'redis_hit 2', 'and read');
$node->restart;
$node->safe_psql('postgres', 'INSERT INTO t VALUES (3)');
sleep 2.2;
put_back('old', $head, 2000);
is(call('2s'), 'miss_cold 3', 'after a restart, past its ttl, with a new life: not served');
ok(settled($node), 'written again');
sleep 2.2;
put_back('old', $head, 2000);
is(call('2s'), 'miss_cold 3', 'and once more, long after');

# ---- Put back after rights have changed ----

$node->safe_psql('postgres', 'SELECT cached_query_clear()');
wait_until(sub { !defined head() }, 10);
is(call('1h', 'reader'), 'miss_cold 3', 'a reader\'s value is written');
ok(settled($node), 'it is there');
$head = keep('old');
$node->safe_psql('postgres', 'ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (v < 2); SELECT cached_query_clear()');
wait_until(sub { !defined head() }, 10);
put_back('old', $head, 3600000);
unlike(call('1h', 'reader'), qr/ 3$/, 'what a policy forbids now isn\'t put back');
put_back('old', $head, 3600000);
$node->restart;
foreach my $i (1 .. 3)
{
	put_back('old', $head, 3600000);
	unlike(call('1h', 'reader'), qr/ 3$/, "nor after a restart ($i)");
	sleep 1;
}

# ---- A good value, soon after a definition was changed ----

$redis->cli('FLUSHALL');
$node->safe_psql('postgres', 'ALTER TABLE t ADD COLUMN w int');
sleep 0.5;
is(call('1h'), 'miss_cold 3', 'written half a second after a change');
ok(settled($node), 'it is there');
$node->stop;
sleep 3;
$node->start;
is(call('1h'), 'redis_hit 3', 'and good after a clean restart that took longer');
$node->safe_psql('postgres', 'ALTER TABLE t ADD COLUMN x int');
is(call('1h'), 'miss_cold 3', 'until the next change');

log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
