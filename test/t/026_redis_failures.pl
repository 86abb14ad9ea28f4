# The failure table, through cached_query() itself: whatever Redis does, the answer is the query's, the
# wait is bounded, the log has one line per change, and it is used again when it is well.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RedisTest;
use Test::More;
use Time::HiRes qw(time);

my $redis = start_redis();
my $node = start_node('main', "cached_query.redis_url = '" . $redis->tcp_url . "'",
	'cached_query.store = redis', 'cached_query.redis_timeout = 500ms',
	'cached_query.redis_connect_timeout = 200ms', 'cached_query.redis_retry_interval = 300ms');
my @query = ("SELECT g AS id, repeat('x', 100) || g AS v FROM generate_series(1, 30000) AS g", 'id int, v text');
my $number = 0;

# One that nobody has asked before.
sub another { $number++; return ("SELECT g + $number AS id FROM generate_series(1, 5) AS g", 'id int'); }

sub right
{
	my ($name, @q) = @_;
	my $rows = $node->safe_psql('postgres', "SELECT md5(string_agg(t::text, ';')) FROM (" . rows_of($q[0], '1h', $q[1]) . ') AS t');

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($rows, $node->safe_psql('postgres', "SELECT md5(string_agg(t::text, ';')) FROM ($q[0]) AS t"), "$name: right");
	return;
}

# Seconds that a call took.
sub took
{
	my ($sql) = @_;
	my $start = time;

	$node->safe_psql('postgres', $sql);
	return time - $start;
}

sub url
{
	my ($url) = @_;

	$node->append_conf('postgresql.conf', "cached_query.redis_url = '$url'");
	$node->reload;
	ok(wait_until(sub { return $node->safe_psql('postgres', 'SHOW cached_query.redis_url') eq $url; }, 10), 'another URL');
	return;
}

sub hits_again
{
	my ($name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(wait_until(sub {
		my ($outcome) = outcome_of($node, rows_of($query[0], '1h', $query[1]));
		return $outcome eq 'redis_hit'; }, 30), "$name: used again");
	return;
}

sub log_lines
{
	my ($offset, $pattern) = @_;

	return scalar grep { /$pattern/ } split /\n/, slurp_file($node->logfile, $offset);
}

right('first', @query);
hits_again('first');

# ---- Killed, and hanging ----

my $offset = -s $node->logfile;
$redis->kill9;
right("killed, call $_", @query) for 1 .. 6;
is(log_lines($offset, qr/does without Redis/), 1, 'killed: one line');
$redis->start;
hits_again('killed');
is(log_lines($offset, qr/uses Redis again/), 1, 'killed: one line when it is back');

$offset = -s $node->logfile;
$redis->pause;
cmp_ok(took('SET cached_query.wait_timeout = 0; ' . rows_of($query[0], '1h', $query[1])), '<', 3, 'hanging: the wait is bounded');
my $sum = 0;
$sum += took(rows_of((another())[0], '1h', 'id int')) for 1 .. 10;
cmp_ok($sum, '<', 5, "hanging: ten more calls wait once or twice in all ($sum s)");
right('hanging', another());
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_safe("SET statement_timeout = '100ms'");
my $start = time;
$session->query(rows_of((another())[0], '1h', 'id int')) for 1 .. 3;
cmp_ok(time - $start, '<', 2, 'hanging: statement_timeout acts');
$session->quit;
$redis->resume;
hits_again('hanging');
cmp_ok(log_lines($offset, qr/does without Redis/), '<=', 4, 'hanging: few lines');

# ---- Full, read-only, flushed, LOADING ----

$offset = -s $node->logfile;
$redis->cli('CONFIG', 'SET', 'maxmemory', '1');
right("full, call $_", another()) for 1 .. 5;
ok(wait_until(sub { return $node->safe_psql('postgres', 'SELECT queued FROM cached_query_redis') eq '0'; }, 10), 'full: the queue empties');
is(log_lines($offset, qr/Redis refuses to store: OOM/), 1, 'full: one line');
hits_again('full, what is there');
$redis->cli('CONFIG', 'SET', 'maxmemory', '0');
right('full no longer', another());
ok(wait_until(sub { return log_lines($offset, qr/Redis stores again/) == 1; }, 10), 'full: one line when it is over');

my $master = start_redis();
$redis->cli('REPLICAOF', '127.0.0.1', $master->{port});
ok(wait_until(sub { return $redis->cli('INFO', 'replication') =~ /master_link_status:up/; }, 20), 'it is a replica now');
$offset = -s $node->logfile;
right("replica, call $_", another()) for 1 .. 5;
ok(wait_until(sub { return log_lines($offset, qr/Redis refuses to store: READONLY/) == 1; }, 10), 'replica: one line');
$redis->cli('REPLICAOF', 'NO', 'ONE');
$master->stop;
right('flushed by that', @query);
hits_again('no replica any more');
$redis->cli('FLUSHALL');
right('flushed', @query);
hits_again('flushed');

# ---- Wrong password ----

$offset = -s $node->logfile;
$redis->cli('CONFIG', 'SET', 'requirepass', 'secret');
url('redis://:wrong@127.0.0.1:' . $redis->{port});
right("wrong password, call $_", another()) for 1 .. 6;
cmp_ok(log_lines($offset, qr/does without Redis/), '<=', 2, 'wrong password: one line or two');
url('redis://:secret@127.0.0.1:' . $redis->{port});
hits_again('the right one');
$redis->{password} = 'secret';
$redis->cli('CONFIG', 'SET', 'requirepass', '');
delete $redis->{password};

# ---- Behind a proxy: slow, closing in mid-reply, rubbish, LOADING, another value ----

my %harm = (
	slow => sub { select undef, undef, undef, 0.8; return ($_[0], 0); },
	cut => sub { return (length $_[0] > 2000 ? (substr($_[0], 0, 1000), 1) : ($_[0], 0)); },
	rubbish => sub { return ("!@#%^ this is no RESP\r\n" x 3, 0); },
	announces => sub { return ("\$999999999\r\nxxx\r\n", 0); },
	loading => sub { return ("-LOADING Redis is loading the dataset in memory\r\n" x 2, 0); },
	flipped => sub { my $data = $_[0]; $data =~ s/xxxxxxxxxx/xxxxxYxxxx/; return ($data, 0); });

foreach my $harm (sort keys %harm)
{
	my $proxy = start_proxy($redis, sub { RedisTest::pass_on($_[0], $_[1], $harm{$harm}); });

	url($proxy->url);
	my $begin = time;
	right("$harm, call $_", @query) for 1 .. 3;
	cmp_ok(time - $begin, '<', 10, "$harm: the wait is bounded");
	url($redis->tcp_url);
	hits_again($harm);
	$proxy->stop;
}

# ---- A value of another key, and one of another format ----

my ($own) = grep { !/\}:/ } split /\n/, $redis->cli('--raw', 'KEYS', 'cached_query:*');
my @small = another();
right('small', @small);
ok(wait_until(sub { return $node->safe_psql('postgres', 'SELECT queued FROM cached_query_redis') eq '0'; }, 10), 'written');
my @heads = grep { !/\}:/ } split /\n/, $redis->cli('--raw', 'KEYS', 'cached_query:*');
my $rejected = $node->safe_psql('postgres', 'SELECT redis_rejected FROM cached_query_stats');
# each head gets the value of the next one
foreach my $i (0 .. $#heads - 1)
{
	$redis->cli('COPY', $heads[ $i + 1 ], $heads[$i], 'REPLACE');
}
right('values of other keys', @small);
right('values of other keys, large', @query);
cmp_ok($node->safe_psql('postgres', 'SELECT redis_rejected FROM cached_query_stats'), '>', $rejected, 'values of other keys: refused');
ok(wait_until(sub { return $node->safe_psql('postgres', 'SELECT queued FROM cached_query_redis') eq '0'; }, 10), 'written');
hits_again('values of other keys');
foreach my $head (grep { !/\}:/ } split /\n/, $redis->cli('--raw', 'KEYS', 'cached_query:*'))
{
	$redis->cli('SETRANGE', $head, 8, 'Z');
}
right('another format', @query);
hits_again('another format');

store_is_idle($node, 'nothing is pinned');
log_is_quiet($node, 'no warning');
$node->stop;
done_testing();
