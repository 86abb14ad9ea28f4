# One Redis for a primary and its standby: what one has run the other finds, until something it
# depends on changes there; a copy that was given no namespace shares nothing; nor does another
# timeline.

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
my $primary = start_node('primary', { allows_streaming => 1 },
	"cached_query.redis_url = '" . $redis->unix_url . "'",
	'cached_query.redis_namespace = shared', 'cached_query.store = tiered');

$primary->safe_psql('postgres', q{
	CREATE TABLE t AS SELECT g AS id, 'value ' || g AS v FROM generate_series(1, 1000) AS g;
	CREATE FUNCTION f() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM t'});

# The secret is made by the first look; a base backup takes it along.
my $warm = rows_of('SELECT 1', '1h', 'a int');
$primary->safe_psql('postgres', $warm);
ok(-f $primary->data_dir . '/cached_query.secret', 'there is a secret');
$primary->backup('one');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'one', has_streaming => 1);
chmod 0600, $standby->data_dir . '/cached_query.secret'; # pg_basebackup keeps the mode, the copy of it doesn't
$standby->start;

sub caught_up { $primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert')); return; }

sub call_is
{
	my ($node, $query, $columns, $expected, $name) = @_;
	my $direct = $node->safe_psql('postgres', $query);
	my ($outcome, $rows) = outcome_of($node, rows_of($query, '1h', $columns));

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($outcome, $expected, $name);
	is($rows, $direct, "$name: rows");
	return;
}

my @list = ('SELECT * FROM t ORDER BY id', 'id int, v text');
my @count = ('SELECT f()', 'n bigint');

caught_up();
# what is older than a server's start it can't judge
$standby->safe_psql('postgres', 'SELECT pg_sleep(0.3)');
call_is($primary, @list, 'miss_cold', 'the primary runs it');
ok(settled($primary), 'written');
call_is($standby, @list, 'redis_hit', 'the standby finds it');
call_is($standby, @list, 'hit', 'and keeps it');
call_is($standby, @count, 'miss_cold', 'the standby runs another');
ok(settled($standby), 'written by the standby');
call_is($primary, @count, 'redis_hit', 'the primary finds it');

# A change of definition, seen by each when it has it.
$primary->safe_psql('postgres', q{CREATE OR REPLACE FUNCTION f() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT 1000 + count(*) FROM t'});
caught_up();
call_is($standby, @count, 'miss_invalidated', 'replaced: the standby does not believe its own');
ok(settled($standby), 'written');
my ($outcome, $rows) = outcome_of($primary, rows_of($count[0], '1h', $count[1]));
is($rows, '2000', "nor does the primary serve the old one ($outcome)");
$primary->safe_psql('postgres', 'TRUNCATE t');
caught_up();
call_is($standby, @list, 'miss_invalidated', 'truncated: not on the standby');
call_is($primary, @list, 'miss_invalidated', 'nor on the primary');

# A promoted standby is on another timeline.
ok(settled($primary), 'written');
call_is($primary, 'SELECT 7', 'a int', 'miss_cold', 'the primary runs one more');
ok(settled($primary), 'written');
$primary->stop;
$standby->promote;
$standby->safe_psql('postgres', 'SELECT pg_sleep(0.3)');
call_is($standby, 'SELECT 7', 'a int', 'miss_cold', 'not found on another timeline');

# A copy without a namespace of its own shares nothing.
my $heads = () = grep { !/^cached_query:shared:/ } split /\n/, $redis->cli('--raw', 'KEYS', 'cached_query:*');
is($heads, 0, 'all is in the namespace so far');
$standby->append_conf('postgresql.conf', "cached_query.redis_namespace = ''");
$standby->restart;
call_is($standby, 'SELECT 7', 'a int', 'miss_cold', 'without the namespace nothing is found');
ok(settled($standby), 'written');
$heads = () = grep { !/^cached_query:shared:/ } split /\n/, $redis->cli('--raw', 'KEYS', 'cached_query:*');
is($heads, 1, 'and written elsewhere');
store_is_idle($standby, 'nothing is pinned');
log_is_quiet($standby, 'no warning');
$standby->stop;
done_testing();
