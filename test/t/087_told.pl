# What other servers are told of explicit invalidations: not what a savepoint took back, all of the rest, and of one
# database no more than that.

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
my $node = start_node('main', "cached_query.redis_url = '" . $redis->unix_url . "'", 'cached_query.redis_namespace = shared',
	'cached_query.store = tiered');

$node->safe_psql('postgres', "CREATE DATABASE b OID = 70003");
add_extension($node, 'b');

# Records in the stream of what was invalidated, once nothing is under way.
sub told
{
	settled($node);
	return $redis->cli('xlen', 'cached_query:shared:changes');
}

sub tells
{
	my ($sql, $name, $least, $most) = @_;
	my $before = told();
	my $count;

	$node->safe_psql('postgres', $sql);
	$count = told() - $before;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	cmp_ok($count, '>=', $least, "$name: told");
	cmp_ok($count, '<=', $most, "$name: no more");
	return;
}

# a value of b in Redis
my $call = rows_of('SELECT 5', '1h', 'x int');
my $many = q{SELECT count(cached_query_invalidate('SELECT ' || g)) FROM generate_series(1, 6000) g};

$node->safe_psql('b', $call);
ok(settled($node), 'written');
tells(q{SELECT cached_query_invalidate_tag('x')}, 'one tag', 1, 1);
tells("BEGIN; SAVEPOINT s; $many; ROLLBACK TO s; SELECT cached_query_invalidate_tag('y'); COMMIT", 'after what was rolled back', 1, 1);
tells("BEGIN; SAVEPOINT s; SELECT cached_query_invalidate_tag('z'); ROLLBACK TO s; COMMIT", 'rolled back only', 0, 0);
tells("BEGIN; SAVEPOINT s; SELECT cached_query_invalidate_tag('v'); RELEASE s; SAVEPOINT s; SELECT cached_query_invalidate_tag('w'); ROLLBACK TO s; COMMIT",
	'one kept, one not', 1, 1);
my $size = $redis->cli('dbsize');
tells("BEGIN; SAVEPOINT s; $many; RELEASE s; COMMIT", 'more than can be told apart', 1, 9000);
is((outcome_of($node, $call, 'b'))[0], 'hit', 'another database still has its answer');
is($redis->cli('dbsize'), $size, '... also in Redis');
$node->stop;
done_testing();
