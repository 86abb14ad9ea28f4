# The Redis client against a cluster: finding the node, a slot that moves while it is used, a node
# that dies and whose replica takes over.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use CachedQueryTest;
use RedisTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = start_node('cluster', 'cached_query.redis_retry_interval = 300ms');

plan skip_all => 'needs a build with CQ_DEBUG' unless defined store_state($node);
add_redis_functions($node);
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION get_all(n int) RETURNS text LANGUAGE sql VOLATILE AS $$
  SELECT count(*) FILTER (WHERE cached_query_redis_command(ARRAY['GET', 'key' || i]) = i::text)
  FROM generate_series(1, n) i
$$;
SQL

my @nodes = start_cluster(3, 1);
my %by_port = map { $_->{port} => $_ } @nodes;
my $seeds = 'redis://' . join ',', map { "127.0.0.1:$_->{port}" } @nodes[ 0 .. 2 ];

# The master of a slot as the cluster tells it now, asking one that lives.
sub master_of
{
	my ($slot, $asked) = @_;

	foreach my $line (split /\n/, $asked->cli('CLUSTER', 'NODES'))
	{
		my ($id, $address, $flags, @rest) = split ' ', $line;

		next unless $flags =~ /master/ && $flags !~ /fail/;
		foreach my $range (@rest[ 5 .. $#rest ])
		{
			my ($first, $last) = $range =~ /^(\d+)(?:-(\d+))?$/ or next;

			next if $slot < $first || $slot > (defined $last ? $last : $first);
			my ($port) = $address =~ /:(\d+)@/;
			return ($by_port{$port}, $id);
		}
	}
	return;
}

sub errors { return redis_status($node)->{errors}; }

# ---- Finding the node ----

foreach my $url ($seeds, $nodes[1]->tcp_url, $nodes[4]->tcp_url)
{
	redis_setting($node, redis_url => $url);
	my $session = $node->background_psql('postgres');
	my $good = 0;

	foreach my $i (1 .. 60) { $good++ if redis_command($session, 'SET', "key$i", $i) eq 'OK'; }
	is($good, 60, "SET through $url");
	is($session->query_safe('SELECT get_all(60)'), 60, 'GET');
	$session->quit;
}
is(redis_status($node)->{errors}, 0, 'a redirection is no failure');
my @sizes = map { $_->cli('DBSIZE') } @nodes[ 0 .. 2 ];
cmp_ok((sort { $a <=> $b } @sizes)[0], '>', 0, "keys are on all masters: @sizes");

# ---- A slot that moves, while it is used ----

redis_setting($node, redis_url => $seeds);
my $session = $node->background_psql('postgres');
my $slot = $nodes[0]->cli('CLUSTER', 'KEYSLOT', '{tag}');
my ($from, $from_id) = master_of($slot, $nodes[0]);
my ($to) = grep { $_ != $from } @nodes[ 0 .. 2 ];
my $to_id = $to->cli('CLUSTER', 'MYID');

redis_command($session, 'SET', "{tag}$_", "value$_") foreach 1 .. 8;
is($to->cli('CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $from_id), 'OK', 'the slot begins to move');
is($from->cli('CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $to_id), 'OK', 'from its node');
$from->cli('MIGRATE', '127.0.0.1', $to->{port}, '', '0', '5000', 'KEYS', map { "{tag}$_" } 1 .. 4);
is(redis_command($session, 'GET', "{tag}$_"), "value$_", "a key while its slot moves: $_") foreach 1 .. 8;
is(redis_command($session, 'SET', '{tag}new', 'x'), 'OK', 'a new key while its slot moves');
is($session->query_safe(q|SELECT cached_query_redis_many(ARRAY['GET', '{tag}1'], 10, 4)|), 60, 'a pipeline that is redirected at each command');
my $long = $session->query_safe(q|SELECT cached_query_redis_many(ARRAY['GET', '{tag}1'], 100, 4)|);
is($long, 600, 'and a long one');
is(redis_command($session, 'MGET', '{tag}1', '{tag}8'), '', 'keys that are on both nodes: not available, in bounded time');
$from->cli('MIGRATE', '127.0.0.1', $to->{port}, '', '0', '5000', 'KEYS', map { "{tag}$_" } 5 .. 8);
foreach my $one ($to, $from, grep { $_ != $to && $_ != $from } @nodes[ 0 .. 2 ])
{
	$one->cli('CLUSTER', 'SETSLOT', $slot, 'NODE', $to_id);
}
ok(wait_until(sub { redis_command($session, 'GET', '{tag}8') eq 'value8' }, 20), 'the slot has moved');
is(redis_command($session, 'GET', "{tag}$_"), "value$_", "a key that has moved: $_") foreach 1 .. 8;
is($session->query_safe(q|SELECT cached_query_redis_many(ARRAY['GET', '{tag}1'], 100, 4)|), 600, 'a pipeline there');
is((master_of($slot, $to))[0], $to, 'it is on the other node indeed');

# ---- Resharding while several clients read and write ----

$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION busy(ms int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  ends timestamptz := clock_timestamp() + ms * interval '1ms';
  i int := 0;
  bad int := 0;
  none int := 0;
  key text;
  set text;
  got text;
BEGIN
  WHILE clock_timestamp() < ends LOOP
    i := i + 1;
    key := 'busy' || pg_backend_pid() || '.' || i % 500;
    set := cached_query_redis_command(ARRAY['SET', key, i::text]);
    got := cached_query_redis_command(ARRAY['GET', key]);
    IF set IS DISTINCT FROM 'OK' OR coalesce(got, '') = '' THEN none := none + 1; ELSIF got <> i::text THEN bad := bad + 1; END IF;
  END LOOP;
  RETURN format('%s calls, %s none, %s bad', i, none, bad);
END $$;
SQL
# on a busy machine a second's delay is no failure
redis_setting($node, redis_timeout => '5s');
my @clients = map { CachedQueryTest::Deaf->connect($node) } 1 .. 2;
$_->send('SELECT busy(6000)') foreach @clients;
my ($log_out, $log_err);
IPC::Run::run([ $RedisTest::cli_program, '--cluster', 'reshard', "127.0.0.1:$to->{port}", '--cluster-from', $to_id,
	'--cluster-to', $from_id, '--cluster-slots', '300', '--cluster-yes' ], '>', \$log_out, '2>', \$log_err, IPC::Run::timeout(60));
foreach my $client (@clients)
{
	my $seen = $client->until_ready;

	note $seen->{first};
	like($seen->{first}, qr/^\d{2,} calls, 0 none, 0 bad$/, 'resharding while in use: each answer is there and right');
	$client->close;
}

redis_setting($node, redis_timeout => '1s');

# ---- Answers are spread, found, and cleared everywhere ----

sub values_of { return scalar grep { /^cached_query:/ } split /\n/, $_[0]->cli('--raw', 'KEYS', '*'); }

my @answers = map { rows_of("SELECT $_ AS n FROM generate_series(1, 3)", '1h', 'n int') } 1 .. 60;
redis_setting($node, redis_url => $nodes[2]->tcp_url, store => 'redis', redis_namespace => 'spread');
$node->safe_psql('postgres', join ';', @answers);
ok(settled($node), 'answers are written');
my @masters = grep { values_of($_) > 0 && $_->cli('ROLE') =~ /^master/ } @nodes;
cmp_ok(scalar(@masters), '==', 3, '... to all masters');
is((outcome_of($node, join ';', @answers))[0], 'redis_hit x60', '... and found there');
# a new Redis writer, which was not told yet that this is a cluster
$node->restart;
$node->safe_psql('postgres', 'SELECT cached_query_clear()');
ok(wait_until(sub { !grep { $_->cli('--raw', 'KEYS', 'cached_query:*{*') =~ /\S/ } @masters }, 20), 'cleared on all masters');
redis_setting($node, redis_url => $seeds, store => 'memory', redis_namespace => '');
$session->quit;
$session = $node->background_psql('postgres');

# ---- A node dies, its replica takes over ----

my ($victim) = master_of($nodes[0]->cli('CLUSTER', 'KEYSLOT', 'key1'), $nodes[0]);
my ($alive) = grep { $_ != $victim } @nodes[ 0 .. 2 ];
my $log = -s $node->logfile;
$session->query_safe('SELECT get_all(60)');
$victim->kill9;
my $began = time;
ok(wait_until(sub { $session->query_safe('SELECT get_all(60)') eq '60' }, 30), 'a node died: all keys can be read again');
note sprintf 'after %.1f s', time - $began;
is($node->safe_psql('postgres', 'SELECT get_all(60)'), 60, 'by a new session, too, with the dead node first in the URL')
  if $victim == $nodes[0];
redis_setting($node, redis_url => 'redis://' . join ',', map { "127.0.0.1:$_->{port}" } $victim, $alive);
is($node->safe_psql('postgres', 'SELECT get_all(60)'), 60, 'a dead node in the URL does not matter');
$session->quit;

# ---- A node hangs ----

$victim->start;
wait_until(sub { $victim->cli('CLUSTER', 'INFO') =~ /cluster_state:ok/ && $victim->cli('INFO', 'replication') =~ /master_link_status:up/ }, 30);
# Redis 7.0's new master can stay in state "fail" for good when the old one comes back at once with what
# it knew of moved slots; handing over to it, as an operator would, makes all agree.
my $agreed = sub { return !grep { $_->cli('CLUSTER', 'INFO') !~ /cluster_state:ok/ } @nodes; };
unless (wait_until($agreed, 5))
{
	note 'handing over: ' . $victim->cli('CLUSTER', 'FAILOVER');
	wait_until($agreed, 20);
}
redis_setting($node, redis_url => $seeds);
$session = $node->background_psql('postgres');
is($session->query_safe('SELECT get_all(60)'), 60, 'all is well again');
($victim) = master_of($nodes[0]->cli('CLUSTER', 'KEYSLOT', 'key1'), $nodes[0]);
$victim->pause;
ok(wait_until(sub { $session->query_safe('SELECT get_all(60)') eq '60' }, 30), 'a node hangs: all keys can be read when its replica has taken over');
$victim->resume;
$session->quit;

log_is_quiet($node, 'no warning');
$node->stop;
done_testing();
