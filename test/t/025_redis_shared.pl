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

# with no more rights in Redis than docs/redis.md says
my ($rights) = slurp_file("$FindBin::RealBin/../../docs/redis.md") =~ /^ACL SETUSER cq on >password (~.*)$/m
  or die 'docs/redis.md does not say which rights are needed';
my $redis = start_redis(lines => ["user cq on >pw $rights"]);
(my $url = $redis->unix_url) =~ s{//}{//cq:pw\@};
my $primary = start_node('primary', { allows_streaming => 1 },
	"cached_query.redis_url = '$url'",
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
my @least = ('SELECT min(id) FROM t', 'id int');

caught_up();
# what is older than a server's start it can't judge
$standby->safe_psql('postgres', 'SELECT pg_sleep(0.3)');
call_is($primary, @list, 'miss_cold', 'the primary runs it');
ok(settled($primary), 'written');
call_is($standby, @list, 'redis_hit', 'the standby finds it');
call_is($standby, @list, 'hit', 'and keeps it');
ok(wait_until(sub { $standby->safe_psql('postgres', 'SELECT lag_ms < 3000 FROM cached_query_redis') eq 't' }, 10),
	'the standby knows how far behind it is');
call_is($standby, @count, 'miss_cold', 'the standby runs another');
ok(settled($standby), 'written by the standby');
call_is($primary, @count, 'redis_hit', 'the primary finds it');

# A change of definition, seen by each when it has it.
$primary->safe_psql('postgres', q{CREATE OR REPLACE FUNCTION f() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT 1000 + count(*) FROM t'});
caught_up();
# what the body means is in the key
call_is($standby, @count, 'miss_cold', 'replaced: the standby does not believe its own');
ok(settled($standby), 'written');
my ($outcome, $rows) = outcome_of($primary, rows_of($count[0], '1h', $count[1]));
is($rows, '2000', "nor does the primary serve the old one ($outcome)");
$primary->safe_psql('postgres', 'ALTER FUNCTION f() COST 7');
caught_up();
call_is($standby, @count, 'miss_invalidated', 'altered: the standby does not believe its own');
ok(settled($standby), 'written');
# for the primary one that the standby doesn't renew in the shared tier
call_is($primary, @least, 'miss_cold', 'the primary runs a third');
ok(settled($primary), 'written');
$primary->safe_psql('postgres', 'TRUNCATE t');
caught_up();
call_is($standby, @list, 'miss_invalidated', 'truncated: not on the standby');
call_is($primary, @least, 'miss_invalidated', 'nor on the primary');

# ---- What is invalidated here is void there, too, a moment later ----

sub tagged
{
	my ($query, $columns, $tag) = @_;

	return "SELECT * FROM cached_query_with('{\"tag\": \"$tag\"}', \$q\$$query\$q\$, '1h') AS t($columns)";
}

sub void_soon
{
	my ($node, $call, $name) = @_;
	my $outcome;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_until(sub { ($outcome) = outcome_of($node, $call); $outcome !~ /hit/ }, 10);
	like($outcome, qr/^miss/, $name);
	ok(settled($node), 'written');
	return;
}

# Both get the answer into memory.  One that was made at the same moment as the last invalidation can
# be taken for older than that.
sub in_both
{
	my ($call) = @_;
	my @outcomes;

	wait_until(sub
	{
		$_->safe_psql('postgres', $call), settled($_) foreach $primary, $standby;
		@outcomes = map { (outcome_of($_, $call))[0] } $primary, $standby;
		return "@outcomes" eq 'hit hit';
	}, 10);
	return \@outcomes;
}

$primary->safe_psql('postgres', q{CREATE TABLE u AS SELECT 1 AS a; CREATE TABLE other AS SELECT 2 AS a});
caught_up();
my $u = tagged('SELECT a FROM u', 'a int', 'mine');
my $other = tagged('SELECT a FROM other', 'a int', 'its');
foreach my $case (
	[ 'relation', $primary, "cached_query_invalidate_relation('u')" ],
	[ 'relation, on the standby', $standby, "cached_query_invalidate_relation('u')" ],
	[ 'tag', $primary, "cached_query_invalidate_tag('mine')" ],
	[ 'query', $primary, "cached_query_invalidate('SELECT a FROM u')" ],
	[ 'everything', $primary, 'cached_query_clear()' ],
	[ 'everything, on the standby', $standby, 'cached_query_clear()' ])
{
	my ($name, $where, $call) = @$case;

	is_deeply(in_both($other), [ 'hit', 'hit' ], "$name: another answer is in both");
	is_deeply(in_both($u), [ 'hit', 'hit' ], "$name: both have the answer");
	$where->safe_psql('postgres', "SELECT $call");
	# who calls refuses at once; what it finds next can only be of the other
	void_soon($where == $primary ? $standby : $primary, $u, "$name: void on the other server");
	is((outcome_of($standby, $other))[0], 'hit', "$name: and only that")
	  if $where == $primary && $name ne 'everything';
}
is($primary->safe_psql('postgres', 'SELECT invalidations_sent >= 4, invalidations_received >= 2, heard_ms < 3000, lag_ms FROM cached_query_redis'),
	't|t|t|0', 'the view tells, on the primary');
is($standby->safe_psql('postgres', 'SELECT invalidations_sent >= 2, invalidations_received >= 4, heard_ms < 3000, lag_ms < 4000 FROM cached_query_redis'),
	't|t|t|t', '... and on the standby');

# Rolled back, it says nothing; while Redis is away it is said later.
my $sent = $primary->safe_psql('postgres', 'SELECT invalidations_sent FROM cached_query_redis');
$primary->safe_psql('postgres', q{BEGIN; SELECT cached_query_invalidate_relation('u'); ROLLBACK});
is_deeply(in_both($u), [ 'hit', 'hit' ], 'both have it again');
$redis->pause;
$primary->safe_psql('postgres', q{SELECT cached_query_invalidate_relation('u')});
sleep 2;
$primary->safe_psql('postgres', q{
	DO $$ BEGIN FOR i IN 1 .. 3000 LOOP PERFORM cached_query_invalidate_tag('t' || i % 5); COMMIT; END LOOP; END $$});
# (one may be on its way at a moment, which does not count)
ok(wait_until(sub { $primary->safe_psql('postgres', 'SELECT queued FROM cached_query_redis') eq '6' }, 10),
	'however many there are, each waits once');
is($primary->safe_psql('postgres', 'SELECT invalidations_sent FROM cached_query_redis'), $sent,
	'nothing was sent while Redis hangs, nor of what was rolled back');
is((outcome_of($standby, $u))[0], 'hit', 'who can not be told serves what it has');
$redis->resume;
void_soon($standby, $u, 'told when Redis is back');

# A server whose place in the stream was cut off does not believe anything of before.
is_deeply(in_both($u), [ 'hit', 'hit' ], 'both have it once more');
$redis->cli('DEL', 'cached_query:shared:changes');
$primary->safe_psql('postgres', q{SELECT cached_query_invalidate_relation('other')});
void_soon($standby, $u, 'a gap in what was told voids all');

# ---- A standby that is behind ----

$primary->safe_psql('postgres', 'CREATE TABLE w AS SELECT 0 AS a');
caught_up();
my $w = 'SELECT max(a) FROM w';
sub ask { return outcome_of($_[0], rows_of($w, $_[1], 'a int')); }
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
$primary->safe_psql('postgres', 'INSERT INTO w VALUES (1)');
sleep 5;
is_deeply([ ask($standby, '1h') ], [ 'miss_cold', '0' ], 'behind: the standby computes old rows');
ok(settled($standby), 'written');
is_deeply([ ask($primary, '4s') ], [ 'miss_cold', '1' ], '... which the primary knows to be too old');
ok(settled($primary), 'written');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
caught_up();

# A restart finds what was shared at once.  Definitions that are replayed once more count as new, so
# nothing is left to replay.
$primary->safe_psql('postgres', 'CHECKPOINT');
caught_up();
$standby->safe_psql('postgres', 'CHECKPOINT');
is((outcome_of($primary, rows_of('SELECT a + 1 FROM u', '1h', 'a int')))[0], 'miss_cold', 'one more');
ok(settled($primary), 'written');
sleep 1;
$standby->restart;
ok(wait_until(sub { $standby->safe_psql('postgres', 'SELECT writer_pid IS NOT NULL FROM cached_query_redis') eq 't' }, 10),
	'the Redis writer runs from the start');
is((outcome_of($standby, rows_of('SELECT a + 1 FROM u', '1h', 'a int')))[0], 'redis_hit', 'found after a restart');

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
unlike($redis->cli('--raw', 'ACL', 'LOG'), qr{\S}, 'nothing was refused for want of a right');
store_is_idle($standby, 'nothing is pinned');
log_is_quiet($standby, 'no warning');
$standby->stop;
done_testing();
