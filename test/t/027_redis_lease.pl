# One execution per answer over servers that share a Redis: with cached_query.redis_lease one of them
# runs the query and the others wait, but never for long for one that died, failed or found nothing
# to keep; and nobody waits where waiting is no use.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use IO::Select;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RedisTest;
use Test::More;
use Time::HiRes qw(sleep time);

$SIG{PIPE} = 'IGNORE';

# ---- A primary and two standbys ----

my $redis = start_redis();
my $a = start_node('a', { allows_streaming => 1 },
	'max_connections = 130',
	'log_statement = none',
	"cached_query.redis_url = '" . $redis->unix_url . "'",
	'cached_query.redis_namespace = shared',
	'cached_query.store = tiered',
	'cached_query.redis_retry_interval = 100ms',
	'cached_query.redis_timeout = 4s',
	"cached_query.trusted_functions = 'public.nap'");

# What ran is counted by the servers' logs: each execution writes a line.
$a->safe_psql('postgres', q{
	CREATE TABLE t (v int);
	INSERT INTO t VALUES (1);
	} . slow_functions() . q{
	CREATE FUNCTION failing(seconds float8, what text) RETURNS text LANGUAGE plpgsql STABLE AS $$
	BEGIN
		RAISE LOG 'executing %', what;
		PERFORM nap(seconds);
		RETURN 1 / ((SELECT max(v) FROM t) * 0);
	END $$;
	CREATE FUNCTION long(seconds float8, what text) RETURNS text LANGUAGE plpgsql STABLE AS $$
	BEGIN
		RAISE LOG 'executing %', what;
		PERFORM nap(seconds);
		RETURN what || repeat('.', 3000);
	END $$});
$a->safe_psql('postgres', rows_of('SELECT 1', '1h', 'a int')); # makes the secret
$a->backup('base');

sub standby
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init_from_backup($a, 'base', has_streaming => 1);
	chmod 0600, $node->data_dir . '/cached_query.secret'; # the copy of a backup doesn't keep the mode
	$node->start;
	return $node;
}

my ($b, $c) = map { standby($_) } qw(b c);
my @nodes = ($a, $b, $c);

$a->wait_for_catchup($_, 'replay', $a->lsn('insert')) foreach $b, $c;
# what is older than a server's start it can't judge
sleep 0.5;

# ---- Helpers ----

my (%log_start, %before);

sub counter { return $_[0]->safe_psql('postgres', "SELECT $_[1] FROM cached_query_stats"); }

my @counters = qw(redis_skipped redis_dropped fills coalesced redis_hits redis_leases redis_lease_waits errors stale_hits);

sub begin_counting
{
	foreach my $node (@nodes)
	{
		$log_start{ $node->name } = -s $node->logfile;
		@{ $before{ $node->name } }{@counters} = split /\|/, counter($node, join ', ', @counters);
	}
	return;
}

# How much it has grown, on all servers or on some.
sub counted
{
	my ($what, @which) = @_;
	my $sum = 0;

	$sum += counter($_, $what) - $before{ $_->name }{$what} foreach @which ? @which : @nodes;
	return $sum;
}

sub executions
{
	my ($what, @which) = @_;
	my $sum = 0;

	foreach my $node (@which ? @which : @nodes)
	{
		$sum += executions_since($node, $what, $log_start{ $node->name });
	}
	return $sum;
}

my $lease = "SET cached_query.redis_lease = '20s'";

sub connected
{
	my ($node, $number, @settings) = @_;
	my @clients = map { CachedQueryTest::Deaf->connect($node) } 1 .. $number || 1;

	foreach my $client (@clients)
	{
		$client->ask($_) foreach @settings;
	}
	return wantarray ? @clients : $clients[0];
}

sub close_all { $_->close foreach @_; return; }

sub call
{
	my ($function, $seconds, $what, $ttl) = @_;

	return "SELECT v FROM cached_query('SELECT $function($seconds, ''$what'')', '" . ($ttl || '1h') . "') AS t(v text)";
}

sub slow { return call('slow', @_); }

sub leases
{
	my $out = $redis->cli('--raw', 'KEYS', 'cached_query:shared:*:lease');

	return scalar split /\n/, $out;
}

# Everything that was to be carried to Redis is there.
sub written
{
	my ($node) = @_;

	return wait_until(sub { $node->safe_psql('postgres', 'SELECT queued = 0 FROM cached_query_redis') eq 't' && leases() == 0 }, 20);
}

sub lease_is_taken { return wait_until(sub { leases() == 1 }, 20); }

# No lease is left, and no mark that an answer can't be kept.
sub no_lease_is_left
{
	my ($name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(wait_until(sub { leases() == 0 }, 10), "$name: no lease is left");
	return;
}

# A client of one server has the lease and runs; those of others wait for it.
sub waiting_for
{
	my ($call, $leader, @waiters) = @_;

	begin_counting();
	$leader->send($call);
	ok(lease_is_taken(), 'the lease is taken');
	$_->send($call) foreach @waiters;
	return;
}

sub waits { my ($n) = @_; return wait_until(sub { counted('redis_lease_waits') >= $n }, 20); }

sub seconds_until
{
	my ($client) = @_;
	my $start = time();
	my $answer = $client->until_ready;

	return ($answer, time() - $start);
}

# ---- A stampede ----

foreach my $store (qw(tiered redis))
{
	foreach my $with (0, 1)
	{
		my $what = "stampede $store $with";
		my @crowd = map { connected($_, 10, "SET cached_query.store = $store", $with ? $lease : ()) } @nodes;

		begin_counting();
		$_->send(slow(0.7, $what)) foreach @crowd;
		is(answers(@crowd), "$what 1 x30", "$what: all get the answer");
		if ($with)
		{
			is(executions($what), 1, "$what: one execution over all");
			is(counted('fills'), 1, "$what: one fill");
			is(counted('redis_leases') >= 1, 1, "$what: by a lease");
			is(counted('redis_lease_waits'), 2, "$what: for which two servers have waited");
			is(counted('coalesced'), 29, "$what: 29 calls were answered by another's fill");
		}
		else
		{
			is(executions($what, $_), 1, "$what: one execution on " . $_->name) foreach @nodes;
			is(counted('redis_lease_waits') + counted('redis_leases'), 0, "$what: no lease");
		}
		no_lease_is_left($what);
		close_all(@crowd);
	}
}

# The option does what the setting does.
{
	my @crowd = map { connected($_, 2) } @nodes;
	my $call = slow(0.5, 'option') =~ s/cached_query\(/cached_query_with('{"redis_lease": 20000}', /r;

	begin_counting();
	$_->send($call) foreach @crowd;
	is(answers(@crowd), 'option 1 x6', 'option: all get the answer');
	is(executions('option'), 1, 'option: one execution over all');
	close_all(@crowd);
}

# ---- The one who has the lease fails ----

my ($one, $two, $three) = map { scalar connected($_, 1, $lease) } @nodes;
my $other = connected($a, 1, $lease);

waiting_for(call('failing', 1.5, 'failing'), $one, $two);
ok(waits(1), 'fails: another waits');
is($one->until_ready->{sqlstate}, '22012', 'fails: it gets its error');
my ($answer, $seconds) = seconds_until($two);
is($answer->{sqlstate}, '22012', 'fails: the other one its own');
cmp_ok($seconds, '<', 2.2, 'fails: having begun at once');
is(executions('failing'), 2, 'fails: each has run it');
no_lease_is_left('fails');

waiting_for(slow(1, 'cancelled'), $one, $two);
ok(waits(1), 'cancelled: another waits');
$a->safe_psql('postgres', 'SELECT pg_cancel_backend(' . $one->pid . ')');
is($one->until_ready->{sqlstate}, '57014', 'cancelled');
($answer, $seconds) = seconds_until($two);
is($answer->{first}, 'cancelled 1', 'cancelled: the other one takes over');
cmp_ok($seconds, '<', 1.7, 'cancelled: at once');
no_lease_is_left('cancelled');

waiting_for(slow(1, 'terminated'), $one, $two);
ok(waits(1), 'terminated: another waits');
$a->safe_psql('postgres', 'SELECT pg_terminate_backend(' . $one->pid . ')');
($answer, $seconds) = seconds_until($two);
is($answer->{first}, 'terminated 1', 'terminated: the other one takes over');
cmp_ok($seconds, '<', 1.7, 'terminated: at once');
no_lease_is_left('terminated');
$one->close;
$one = connected($a, 1, $lease);

# ---- What can't be kept makes no queue ----

foreach my $case ([ 'too large', 'long', "SET cached_query.max_entry_size = '2kB'" ], [ 'too cheap', 'slow', "SET cached_query.min_fill_time = '1h'" ])
{
	my ($what, $function, @setting) = @$case;
	my @crowd = map { connected($_, 4, $lease, @setting) } @nodes;
	my $start = time();

	begin_counting();
	$_->send(call($function, 1, $what)) foreach @crowd;
	answers(@crowd);
	cmp_ok(time() - $start, '<', 3.5, "$what: nobody waits twice");
	is(executions($what), 12, "$what: each runs it");
	no_lease_is_left($what);
	close_all(@crowd);
}

# ---- Who waits can be stopped ----

waiting_for(slow(6, 'stopped'), $one, $two, $three);
ok(waits(2), 'stopped: two servers wait');
my $start = time();
$b->safe_psql('postgres', 'SELECT pg_cancel_backend(' . $two->pid . ')');
is($two->until_ready->{sqlstate}, '57014', 'a waiter is cancelled');
cmp_ok(time() - $start, '<', 0.7, '... at once');
$two->ask('SET statement_timeout = 300');
($answer, $seconds) = ($two->ask(slow(6, 'stopped')), 0);
is($answer->{sqlstate}, '57014', 'a waiter has a statement_timeout');
cmp_ok(time() - $start, '<', 1.7, '... which acts');
$c->safe_psql('postgres', 'SELECT pg_terminate_backend(' . $three->pid . ')');
$three->until_ready;
cmp_ok(time() - $start, '<', 2.4, 'a waiter is terminated');
$three->close;
$three = connected($c, 1, $lease, "SET cached_query.wait_timeout = '400ms'");
is($three->ask(slow(0.1, 'another'))->{first}, 'another 1', 'another key is not concerned');
$three->close;
$one->until_ready;
$two->ask('RESET statement_timeout');

# A wait is no longer than wait_timeout; then the query is run without the lease.
$two->ask("SET cached_query.wait_timeout = '400ms'");
waiting_for(slow(2, 'impatient'), $one, $two);
($answer, $seconds) = seconds_until($two);
is($answer->{first}, 'impatient 1', 'wait_timeout: it runs the query itself');
cmp_ok($seconds, '>', 2.2, 'wait_timeout: ... after it has waited');
is(executions('impatient', $b), 1, 'wait_timeout: once there');
$one->until_ready;
$two->ask('SET cached_query.wait_timeout = 0');
waiting_for(slow(1, 'never'), $one, $two);
$two->until_ready;
is(counted('redis_lease_waits'), 0, 'wait_timeout 0: nobody waits');
is(executions('never'), 2, '... and both run it');
$one->until_ready;
$two->ask('RESET cached_query.wait_timeout');

# A query that takes longer than the lease: another server runs it, too, and nothing else happens.
$one->ask("SET cached_query.redis_lease = '500ms'");
waiting_for(slow(2, 'too long'), $one, $two);
is(answers($one, $two), 'too long 1 x2', 'longer than the lease: both get their answer');
is(executions('too long'), 2, '... by two executions');
no_lease_is_left('too long');
$one->ask($lease);

# ---- Who does not wait ----

foreach my $case (
	[ 'repeatable read', "BEGIN ISOLATION LEVEL REPEATABLE READ; %s; COMMIT" ],
	[ 'refresh', "SET LOCAL cached_query.mode = refresh; %s" ],
	[ 'memory', "SET LOCAL cached_query.store = memory; %s" ])
{
	my ($what, $frame) = @$case;

	waiting_for(slow(1, $what), $one, ());
	$two->ask(sprintf $frame, slow(1, $what));
	is(counted('redis_lease_waits'), 0, "$what: does not wait");
	is(executions($what, $b), 1, "$what: runs the query");
	$one->until_ready;
	no_lease_is_left($what);
}
begin_counting();
$one->ask('SET cached_query.consistency = exact');
$one->ask(slow(0.1, 'exact'));
is(counted('redis_leases'), 0, 'exact: no lease');
is(executions('exact'), 1, 'exact: run');
$one->ask('RESET cached_query.consistency');

# Somebody on the same server waits for the session that waits for the lease.
waiting_for(slow(1.5, 'both'), $two, $one);
ok(waits(1), 'a session waits for another server');
$other->send(slow(1.5, 'both'));
is(answers($one, $two, $other), 'both 1 x3', 'one of the same server waits for it');
is(executions('both'), 1, '... and is served by the same execution');

# ---- Stale answers ----

my @stale = ($lease, "SET cached_query.stale_for = '1h'");
my ($renewer, $taker) = (scalar(connected($a, 1, @stale)), scalar(connected($b, 1, @stale)));
my $call = slow(1, 'stale', '300ms');

$renewer->ask($call);
ok(written($a), 'written');
$taker->ask($call);
$a->safe_psql('postgres', 'UPDATE t SET v = 2');
$a->wait_for_catchup($_, 'replay', $a->lsn('insert')) foreach $b, $c;
sleep 0.4;
waiting_for($call, $renewer, ());
$start = time();
is($taker->ask($call)->{first}, 'stale 1', 'renewed elsewhere: the stale answer is served');
cmp_ok(time() - $start, '<', 0.5, '... at once');
is(counted('stale_hits', $b), 1, '... and counted');
is(executions('stale', $b), 0, '... and nothing run');
is($renewer->until_ready->{first}, 'stale 2', 'the other server has the new one');
no_lease_is_left('renewed');
is(executions('stale'), 1, 'one execution over all');

# A worker leaves it to the other server, and then fetches it.
$call = slow(1.5, 'worker', '4s');
$renewer->ask($call);
ok(written($a), 'written');
$taker->ask($_) foreach 'SET cached_query.refresh = background', $call;
$a->safe_psql('postgres', 'UPDATE t SET v = 3');
$a->wait_for_catchup($_, 'replay', $a->lsn('insert')) foreach $b, $c;
sleep 4;
waiting_for($call, $renewer, ());
is($taker->ask($call)->{first}, 'worker 2', 'background: the stale answer is served');
ok(wait_until(sub { counter($b, 'refreshes_skipped') >= 1 }, 10), 'the worker finds the lease taken, and skips');
is($renewer->until_ready->{first}, 'worker 3', 'the other server has the new answer');
ok(written($a), 'written');
ok(wait_until(sub { $taker->ask($call)->{first} eq 'worker 3' }, 10), 'and then this one');
is(executions('worker'), 1, '... by one execution over all');
no_lease_is_left('worker');

# What a worker has renewed goes where the call wants it.
$call = slow(0.1, 'passed on', '300ms');
$taker->ask($call);
$a->safe_psql('postgres', 'UPDATE t SET v = 3');
$a->wait_for_catchup($b, 'replay', $a->lsn('insert'));
sleep 0.4;
ok(written($b), 'written');
my $stores = counter($b, 'redis_stores');
$taker->ask($call);
ok(wait_until(sub { counter($b, 'redis_stores') > $stores }, 10), 'a worker passes on to Redis what it has renewed');
close_all($renewer, $taker);
no_lease_is_left('passed on');

# ---- Redis in trouble ----

waiting_for(slow(2, 'hangs'), $one, $two);
ok(waits(1), 'hangs: another waits');
$redis->pause;
$start = time();
is($two->until_ready->{first}, 'hangs 3', 'Redis hangs: a waiter runs the query');
cmp_ok(time() - $start, '<', 8, '... after one timeout at most');
is($one->until_ready->{first}, 'hangs 3', '... and who had the lease has its answer');
$redis->resume;
foreach my $node (@nodes)
{
	my $asked = 0;

	ok(wait_until(sub {
		$node->safe_psql('postgres', rows_of('SELECT 100 + ' . $asked++, '1h', 'a int'));
		return $node->safe_psql('postgres', 'SELECT state FROM cached_query_redis') eq 'closed'; }, 20), 'Redis is used again on ' . $node->name);
}

# A lease that nobody will end, as of a session whose last job was lost, or anybody else's rubbish.
$redis->cli('FLUSHALL');
waiting_for(slow(1, 'forgotten'), $one, ());
my ($key) = split /\n/, $redis->cli('--raw', 'KEYS', 'cached_query:shared:*:lease');
$one->until_ready;
ok(written($a), 'written');
no_lease_is_left('forgotten');
foreach my $case ([ 'x' x 16, 1, 'a foreign lease: waits no longer than it may' ], [ 'rubbish', 0, 'rubbish: does not wait' ])
{
	my ($value, $waits, $name) = @$case;
	(my $head = $key) =~ s/:lease$//;

	$redis->cli('DEL', $head);
	$redis->cli('SET', $key, $value);
	$a->safe_psql('postgres', 'SELECT cached_query_clear()');
	ok(written($a), 'cleared');
	$redis->cli('SET', $key, $value);
	begin_counting();
	$one->ask("SET cached_query.wait_timeout = '500ms'");
	is($one->ask(slow(1, 'forgotten'))->{first}, 'forgotten 3', $name);
	is(counted('redis_lease_waits'), $waits, '... counted');
	$redis->cli('DEL', $key);
}
$one->ask('RESET cached_query.wait_timeout');
$redis->cli('CONFIG', 'SET', 'maxmemory', '1');
begin_counting();
$_->send(slow(0.5, 'full')) foreach $one, $two;
is(answers($one, $two), 'full 3 x2', 'Redis is full: each server runs the query');
is(counted('redis_leases') + counted('redis_lease_waits'), 0, '... without a lease');
$redis->cli('CONFIG', 'SET', 'maxmemory', '0');

# ---- A storm of cancels and terminations ----

my $seed = $ENV{CQ_STORM_SEED} || time() * 1000 % 1_000_000;
my $storm_seconds = $ENV{CQ_STORM_SECONDS} || 6;
my %seen;

diag "seed $seed";
srand $seed;

my @settings = ($lease, "SET cached_query.wait_timeout = '2s'");
my (%node_of, %client_of);
my $select = IO::Select->new;

sub enter
{
	my ($node) = @_;
	my $client = connected($node, 1, @settings, 'SET cached_query.store = ' . (rand() < 0.5 ? 'redis' : 'tiered'));

	$client_of{ $client->{socket} } = $client;
	$node_of{ $client->{socket} } = $node;
	$select->add($client->{socket});
	return $client;
}

sub storm_statement
{
	my $query = "SELECT v FROM cached_query('SELECT slow(0.02, ''storm '' || \$1)', '40ms', " . int(rand 3) . ') AS t(v text)';
	my $dice = rand;

	return "SET LOCAL statement_timeout = '15ms'; $query" if $dice < 0.1;
	return "SET LOCAL cached_query.min_fill_time = '1h'; $query" if $dice < 0.15;
	return "SET LOCAL cached_query.stale_for = '100ms'; $query" if $dice < 0.3;
	return "SET LOCAL cached_query.redis_lease = '30ms'; $query" if $dice < 0.4;
	return "SELECT v FROM cached_query('SELECT failing(0.01, ''storm'')', '1s') AS t(v text)" if $dice < 0.45;
	return $query;
}

sub answered
{
	my ($client) = @_;
	my $answer = $client->until_ready;

	$seen{ $answer->{sqlstate} || ($answer->{first} =~ /^storm \d 3$/ ? 'ok' : "wrong: $answer->{first}") }++;
	return $client if $answer->{Z};
	my $node = delete $node_of{ $client->{socket} };
	$select->remove($client->{socket});
	delete $client_of{ $client->{socket} };
	$client->close;
	return enter($node);
}

foreach my $node (@nodes)
{
	enter($node) foreach 1 .. 5;
}
begin_counting();
my ($end, $next_shot, $sent) = (time() + $storm_seconds, time(), 0);
my %killer = map { $_->name => scalar connected($_) } @nodes;
$_->send(storm_statement()) foreach values %client_of;
while (time() < $end)
{
	foreach my $socket ($select->can_read(0.005))
	{
		answered($client_of{$socket})->send(storm_statement());
		$sent++;
	}
	next if time() < $next_shot;
	$next_shot = time() + 0.02;
	my @all = values %client_of;
	my $client = $all[ rand @all ];
	my $function = rand() < 0.8 ? 'pg_cancel_backend' : 'pg_terminate_backend';
	$killer{ $node_of{ $client->{socket} }->name }->ask("SELECT $function(" . $client->pid . ')');
}
$start = time();
answered($_) foreach values %client_of;
cmp_ok(time() - $start, '<', 4, 'storm: all come to an end');
note join ', ', "sent $sent", map { "$_ x$seen{$_}" } sort keys %seen;
is(join(' ', grep { !/^(ok|57014|57P01|22012)$/ } keys %seen), '', 'storm: right rows, and no error but those on purpose');
cmp_ok($seen{$_} || 0, '>', 0, "storm: $_ happened") foreach qw(ok 57014 57P01 22012);
cmp_ok(counted('redis_lease_waits'), '>', 0, 'storm: servers have waited for one another');
no_lease_is_left('storm');
close_all(values %client_of, values %killer);
# (A standby's answers are as old as the last commit, and this server was told to forget such.)
$a->safe_psql('postgres', 'UPDATE t SET v = 3');
$a->wait_for_catchup($_, 'replay', $a->lsn('insert')) foreach $b, $c;
begin_counting();
{
	my @crowd = map { connected($_, 2, $lease) } @nodes;

	$_->send(slow(0.5, 'after the storm')) foreach @crowd;
	is(answers(@crowd), 'after the storm 3 x6', 'after the storm: all get the answer');
	is(executions('after the storm'), 1, 'after the storm: by one execution')
	  or note join '; ', map { my $node = $_; $node->name . ': ' . join ', ', 'executions ' . executions('after the storm', $node), map { "$_ " . counted($_, $node) } @counters } @nodes;
	close_all(@crowd);
}

# ---- A server dies ----

foreach my $client ($one, $two, $three)
{
	$client->close;
}
$one = connected($a, 1, $lease);
$two = connected($c, 1, "SET cached_query.redis_lease = '2s'");
waiting_for(slow(30, 'dead'), $two, ());
$one->send(slow(30, 'dead'));
ok(waits(1), 'dies: another server waits');
$start = time();
@nodes = ($a, $b);
$c->stop('immediate');
ok(wait_until(sub { executions('dead', $a) == 1 }, 10), 'dies: the other takes over');
cmp_ok(time() - $start, '<', 3.5, 'dies: within the life of the lease');
$a->safe_psql('postgres', 'SELECT pg_cancel_backend(' . $one->pid . ')');
is($one->until_ready->{sqlstate}, '57014', 'and can be cancelled');
no_lease_is_left('dead');
$one->close;

foreach my $node (@nodes)
{
	store_is_idle($node, 'nothing is pinned: ' . $node->name);
	log_is_quiet($node, 'nothing to complain about: ' . $node->name);
}
$b->stop;
$a->stop;
done_testing();
