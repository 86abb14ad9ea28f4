# The options of a call hold wherever the call goes: a warm start runs the query with all of them, and whether
# a result is kept as messages is decided by the call's mode, not by the session's.

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
my $node = start_node('main', "cached_query.redis_url = '" . $redis->unix_url . "'", 'cached_query.warm_start = on');

sub value { return $node->safe_psql('postgres', $_[0]); }

sub counter { return value("SELECT $_[0] FROM cached_query_stats"); }

# ---- Warm start ----

# well after CREATE EXTENSION, which is a change of what each result depends on
value('SELECT pg_sleep(0.4)');
value(q{SELECT * FROM cached_query_with('{"store": "tiered", "redis_lease": 20000}', 'SELECT 42 AS warm', '1h') AS t(v int)});
ok(wait_until(sub { counter('redis_stores') == 1 }, 20), 'the result is written to Redis');
is(counter('redis_leases'), 1, '... under a lease');
$redis->cli('FLUSHALL');
$node->restart;
ok(wait_until(sub { value(q{SELECT count(*) FROM cached_query_entries WHERE query LIKE '%warm%'}) == 1 }, 20),
	'after a clean restart its query ran again');
ok(wait_until(sub { counter('redis_stores') == 1 }, 20), '... and its result is in Redis, as the call wanted');
is(counter('redis_leases'), 1, '... and the worker took a lease for it');

# ---- Stored messages ----

# So often that a message would be stored.
sub hits
{
	my ($session, $call) = @_;
	my $many = 'SELECT i, i::text FROM generate_series(1, 100) AS i';

	value("SET cached_query.mode = $session; "
		  . "SELECT * FROM cached_query_with('{\"mode\": \"$call\"}', '$many', '1h') AS t(i int, s text); " x 6);
	return;
}

hits('on', 'refresh');
hits('on', 'read_only');
is(counter('images'), 0, 'a call in mode read_only stores no messages');
hits('read_only', 'on');
is(counter('images'), 1, 'a call in mode on does, whatever the mode of the session');

done_testing();
