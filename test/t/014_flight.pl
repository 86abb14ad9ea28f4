# One execution per answer: callers that miss the same key wait for the one that computes it, go on
# when that one fails or goes away, and never wait where PostgreSQL would not have waited for ever.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use IO::Select;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

$SIG{PIPE} = 'IGNORE';

my $node = start_node('main',
	'max_connections = 130',
	'deadlock_timeout = 200ms',
	'log_min_messages = warning',
	'log_statement = none',
	"cached_query.trusted_functions = 'public.nap'",
	'restart_after_crash = on',
	'max_parallel_workers = 8');

# What ran is counted by the server's log: each execution writes a line.  Exact answers need a
# pg_sleep() that isn't volatile.
$node->safe_psql('postgres', q{
	CREATE TABLE t (v int);
	INSERT INTO t VALUES (1);
	CREATE TABLE t2 (v int);
	INSERT INTO t2 VALUES (10);
	CREATE TABLE many AS SELECT g AS v FROM generate_series(1, 10000) AS g;
	ANALYZE;
	CREATE FUNCTION nap(float8) RETURNS void LANGUAGE internal STABLE STRICT AS 'pg_sleep';
	CREATE FUNCTION slow(seconds float8, what text) RETURNS text LANGUAGE plpgsql STABLE AS $$
	BEGIN
		RAISE LOG 'executing %', what;
		PERFORM nap(seconds);
		RETURN what;
	END $$;
	CREATE FUNCTION slow_then_t2(seconds float8, what text) RETURNS int LANGUAGE plpgsql STABLE AS $$
	BEGIN
		RAISE LOG 'executing %', what;
		PERFORM pg_sleep(seconds);
		RETURN (SELECT v FROM t2);
	END $$});

my $monitor = CachedQueryTest::Deaf->connect($node);

sub value { return $monitor->ask($_[0])->{first}; }

sub connected { return map { CachedQueryTest::Deaf->connect($node) } 1 .. $_[0]; }

sub close_all { $_->close foreach @_; return; }

sub event_of
{
	my ($client) = @_;

	return value('SELECT wait_event_type || \' \' || wait_event FROM pg_stat_activity WHERE pid = ' . $client->pid);
}

# Sends, and waits until the server has come to pg_sleep() there.
sub send_and_run
{
	my ($client, $sql) = @_;

	$client->send($sql);
	wait_until(sub { event_of($client) eq 'Timeout PgSleep' }, 20) or die "does not run: $sql";
	return;
}

# Sends to all, and waits until they wait for another session's fill.
sub send_and_wait
{
	my ($sql, @clients) = @_;
	my $pids = join ', ', map { $_->pid } @clients;

	$_->send($sql) foreach @clients;
	wait_until(
		sub {
			value("SELECT count(*) FROM pg_stat_activity WHERE pid IN ($pids) AND wait_event_type = 'Extension'") == @clients;
		}, 20) or die "does not wait: $sql";
	return;
}

my $marks = {};

# Since begin_counting(): lines of the log, and differences of the counters.
sub counters
{
	my @names = qw(fills coalesced hits errors);
	my %counters;

	@counters{@names} = split /\|/, value('SELECT ' . join(', ', @names) . ' FROM cached_query_stats');
	return \%counters;
}

sub begin_counting
{
	value('SELECT cached_query_clear()');
	$marks = { log => -s $node->logfile, start => time(), counters => counters() };
	return;
}

sub executions { return executions_since($node, $_[0], $marks->{log}); }

sub counted
{
	my ($name) = @_;

	return counters()->{$name} - $marks->{counters}{$name};
}

sub seconds { return time() - $marks->{start}; }

# The call for slow() as a text and its row.
sub slow
{
	my ($seconds, $what, $ttl) = @_;

	return rows_of("SELECT slow($seconds, '$what')", $ttl || '1h', 'v text');
}

# ---- A stampede ----

my @crowd = connected(100);

begin_counting();
$_->send(slow(0.5, 'stampede')) foreach @crowd;
is(answers(@crowd), 'stampede x100', 'stampede: 100 equal answers, no error');
is(executions('stampede'), 1, 'stampede: one execution');
is(counted('fills'), 1, 'stampede: one fill');
is(counted('hits'), 99, 'stampede: the others are hits');
cmp_ok(counted('coalesced'), '>', 0, 'stampede: and have waited');

begin_counting();
$_->send("SET cached_query.wait_timeout = 0; " . slow(0.5, 'everybody')) foreach @crowd;
is(answers(@crowd), 'everybody x100', 'wait_timeout = 0: 100 equal answers');
cmp_ok(executions('everybody'), '>', 1, 'wait_timeout = 0: everybody executes');
is(counted('coalesced'), 0, 'wait_timeout = 0: nobody waits');
$_->ask('RESET cached_query.wait_timeout') foreach @crowd;

begin_counting();
$_->send(slow(0.3, 'by option') =~ s/cached_query\(/cached_query_with('{"wait_timeout": 0}', /r) foreach @crowd[ 0 .. 9 ];
is(answers(@crowd[ 0 .. 9 ]), 'by option x10', 'option wait_timeout: equal answers');
cmp_ok(executions('by option'), '>', 1, 'option wait_timeout: goes before the setting');

# Short ones: who has looked in vain when the answer comes must not execute it again, nor who wakes
# up when the one he waited for leads another flight already.
begin_counting();
foreach my $round (1 .. 20)
{
	my $seconds = $round % 2 == 0 ? 0 : 0.005;

	$_->send(join '; ', map { slow($seconds, "short $round.$_") } 1 .. 3) foreach @crowd;
	$_->until_ready foreach @crowd;
}
is(counted('fills'), 60, 'short queries: one execution of each');
is(counted('hits'), 60 * 99, 'short queries: all others are hits');
is(counted('errors'), 0, 'short queries: no error');

# A ttl below the execution time: who came too late for one answer shares the next.
begin_counting();
foreach my $client (@crowd[ 0 .. 39 ])
{
	$client->send(slow(0.6, 'short-lived', '200ms'));
	sleep 0.01;
}
is(answers(@crowd[ 0 .. 39 ]), 'short-lived x40', 'short ttl: equal answers');
cmp_ok(executions('short-lived'), '<=', 4, 'short ttl: few executions');

# Refreshing calls want an answer of after their call.
begin_counting();
send_and_run($crowd[0], slow(0.5, 'refreshed'));
$_->send("SELECT cached_query_refresh(\$q\$SELECT slow(0.5, 'refreshed')\$q\$, '1h')") foreach @crowd[ 1 .. 5 ];
answers(@crowd[ 0 .. 5 ]);
is(executions('refreshed'), 6, 'refresh never takes the answer of another call');
close_all(@crowd);

# ---- The leader fails ----

my ($leader, @waiters) = connected(9);
my $failing = "SELECT slow(1.2, 'failing') || 1 / v FROM t";

value('UPDATE t SET v = 0');
begin_counting();
send_and_run($leader, rows_of($failing, '1h', 'v text'));
value('UPDATE t SET v = 1');
send_and_wait(rows_of($failing, '1h', 'v text'), @waiters);
is(answers($leader), '22012 x1', 'failed leader: gets its error');
is(answers(@waiters), 'failing1 x8', 'failed leader: those who wait do not');
is(executions('failing'), 2, 'failed leader: one other execution');
is(counted('errors'), 1, 'failed leader: one error');

value('UPDATE t SET v = 0');
begin_counting();
$_->send(rows_of($failing, '1h', 'v text')) foreach $leader, @waiters;
is(answers($leader, @waiters), '22012 x9', 'a query that fails: does so for all');
cmp_ok(seconds(), '<', 9 * 1.2, 'a query that fails: not one after the other');

# ---- The leader is stopped ----

foreach my $case (
	[ 'cancelled', '57014', '', 'pg_cancel_backend' ],
	[ 'terminated', '57P01', '', 'pg_terminate_backend' ],
	[ 'timed out', '57014', "SET statement_timeout = '700ms'; " ])
{
	my ($name, $sqlstate, $before, $function) = @$case;
	my $what = "leader $name";

	begin_counting();
	send_and_run($leader, $before . slow(1, $what));
	send_and_wait(slow(1, $what), @waiters);
	value("SELECT $function(" . $leader->pid . ')') if $function;
	is(answers($leader), "$sqlstate x1", "$what: told so");
	$marks->{start} = time();
	is(answers(@waiters), "$what x8", "$what: the others get their answers");
	cmp_ok(seconds(), '<', 1.9, "$what: and at once");
	is(executions($what), 2, "$what: from one other execution");
	is(counted('coalesced'), 7, "$what: which the others share");
	store_is_idle($node, "$what: leaves nothing");
	$leader->close;
	($leader) = connected(1);
}

# ---- One who waits is stopped ----

begin_counting();
send_and_run($leader, slow(2, 'unperturbed'));
$waiters[0]->send("SET statement_timeout = '300ms'; " . slow(2, 'unperturbed'));
is(answers($waiters[0]), '57014 x1', 'waiting: statement_timeout acts');
cmp_ok(seconds(), '<', 1.5, 'waiting: at once');
send_and_wait(slow(2, 'unperturbed'), @waiters[ 1, 2 ]);
value('SELECT pg_cancel_backend(' . $waiters[1]->pid . ')');
is(answers($waiters[1]), '57014 x1', 'waiting: a cancel acts');
value('SELECT pg_terminate_backend(' . $waiters[2]->pid . ')');
is(answers($waiters[2]), '57P01 x1', 'waiting: a termination acts');
cmp_ok(seconds(), '<', 1.9, 'waiting: at once');
$waiters[3]->send("SET lock_timeout = '50ms'; SET deadlock_timeout = '20ms'; " . slow(2, 'unperturbed'));
is(answers($leader, $waiters[3]), 'unperturbed x2', 'waiting: lock_timeout is for locks');
is(executions('unperturbed'), 1, 'waiting: nobody else executed it');

begin_counting();
send_and_run($leader, slow(2, 'impatient'));
$waiters[4]->send("SET cached_query.wait_timeout = '200ms'; " . slow(2, 'impatient'));
wait_until(sub { event_of($waiters[4]) eq 'Timeout PgSleep' }, 20) or die;
cmp_ok(seconds(), '<', 1.5, 'wait_timeout: goes on by itself');
is(answers($leader, $waiters[4]), 'impatient x2', 'wait_timeout: both get the answer');
is(executions('impatient'), 2, 'wait_timeout: of two executions');

# An error caught inside a function ends the flight, too, and so does one caught around the wait.
value('UPDATE t SET v = 0');
begin_counting();
send_and_run($leader, "DO \$\$ BEGIN PERFORM * FROM cached_query('$failing', '1h') AS t(v text); EXCEPTION WHEN division_by_zero THEN PERFORM pg_sleep(3); END \$\$"
	=~ s/'failing'/''failing''/r);
value('UPDATE t SET v = 1');
$waiters[4]->ask('RESET cached_query.wait_timeout');
send_and_wait(rows_of($failing, '1h', 'v text'), $waiters[4]);
is(answers($waiters[4]), 'failing1 x1', 'caught error: the next goes on');
cmp_ok(seconds(), '<', 3.9, 'caught error: without waiting for the end of the transaction');
answers($leader);
close_all($leader, @waiters);

# ---- Too large to be kept ----

($leader, @waiters) = connected(9);
$_->ask("SET cached_query.max_entry_size = '100kB'") foreach $leader, @waiters;
foreach my $case (
	[ 'too large at first', "SELECT repeat('x', 200000) UNION ALL SELECT slow(0.7, 'too large at first')", 1.35 ],
	[ 'too large at last', "SELECT slow(0.7, 'too large at last') UNION ALL SELECT repeat('x', 200000)", 2.8 ])
{
	my ($what, $query, $limit) = @$case;

	begin_counting();
	$_->send("SELECT count(*) FROM (" . rows_of($query, '1h', 'v text') . ') AS s') foreach $leader, @waiters;
	is(answers($leader, @waiters), '2 x9', "$what: answers are complete");
	cmp_ok(seconds(), '<', $limit, "$what: not one after the other");
	is(executions($what), 9, "$what: everybody executes");
}
begin_counting();
$_->send("SELECT length(cached_query_json(\$q\$SELECT slow(0.7, 'large json'), repeat('x', 200000)\$q\$, '1h')::text)") foreach $leader, @waiters;
like(answers($leader, @waiters), qr/^2000\d\d x9$/, 'too large for JSON: answers are complete');
cmp_ok(seconds(), '<', 2.8, 'too large for JSON: not one after the other');
store_is_idle($node, 'too large: leaves nothing');
close_all($leader, @waiters);

# ---- Deadlocks that the server's detector cannot see ----

($leader, @waiters) = connected(3);
my $locking = rows_of("SELECT slow_then_t2(0.7, 'locking')", '1h', 'v int');

begin_counting();
send_and_run($leader, $locking);
$waiters[0]->ask('BEGIN; LOCK TABLE t2 IN ACCESS EXCLUSIVE MODE');
send_and_wait($locking, $waiters[0]);
is(answers($waiters[0]), '10 x1', 'leader wants a lock of one who waits: that one goes on');
cmp_ok(seconds(), '<', 4, 'leader wants a lock of one who waits: soon');
$waiters[0]->ask('COMMIT');
is(answers($leader), '10 x1', 'leader wants a lock of one who waits: and goes on itself');

# The same with the lock held by a third, who waits for a flight of the one who waits for ours.
my $crossed = rows_of("SELECT slow_then_t2(0.7, 'crossed')", '1h', 'v int');

# The first look into the function locks its tables; here it is the leader's run that shall wait for one.
$waiters[0]->ask("SELECT cacheable FROM cached_query_explain(\$q\$SELECT slow_then_t2(0.7, 'crossed')\$q\$)");
begin_counting();
send_and_run($leader, $crossed);
$waiters[0]->ask('BEGIN; SELECT pg_advisory_xact_lock(77)');
$waiters[1]->ask('BEGIN; LOCK TABLE t2 IN ACCESS EXCLUSIVE MODE');
send_and_wait($crossed, $waiters[0]);
$waiters[1]->send('SELECT pg_advisory_xact_lock(77)');
is(answers($waiters[0]), '40P01 x1', 'a circle through a flight: becomes one of locks, which the server ends');
is(answers($waiters[1]), ' x1', 'a circle through a flight: the third has its lock');
cmp_ok(seconds(), '<', 6, 'a circle through a flight: soon');
$_->ask('ROLLBACK') foreach @waiters;
is(answers($leader), '10 x1', 'a circle through a flight: and the leader its answer');

# A worker of the leader's wants the lock.  Only functions of the server's own run in workers here.
my $sum = q{SELECT sum(CASE v WHEN 9000 THEN length(pg_sleep(2)::text) + pg_relation_size('t2') ELSE 0 END) FROM many};
my $parallel = rows_of($sum, '1h', 'v numeric');

$_->ask(q{SET cached_query.nondeterministic = cache; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
	SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off;
	SET max_parallel_workers_per_gather = 2}) foreach $leader, $waiters[0];
begin_counting();
$leader->send($parallel);
wait_until(
	sub {
		value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND leader_pid = " . $leader->pid) > 0;
	}, 20) or die 'no parallel worker';
$waiters[0]->ask('BEGIN; LOCK TABLE t2 IN ACCESS EXCLUSIVE MODE');
send_and_wait($parallel, $waiters[0]);
is(answers($waiters[0]), '8192 x1', "a worker wants a lock of one who waits for its leader: that one goes on");
cmp_ok(seconds(), '<', 8, "a worker wants a lock of one who waits for its leader: soon");
$waiters[0]->ask('COMMIT');
is(answers($leader), '8192 x1', "a worker wants a lock of one who waits for its leader: and goes on itself");
close_all($leader, @waiters);

# ---- A cached query inside a cached query ----

$node->safe_psql('postgres', q{
	CREATE FUNCTION outer_of(what text, inner_query text) RETURNS text LANGUAGE plpgsql STABLE AS $$
	BEGIN
		RAISE LOG 'executing %', what;
		PERFORM pg_sleep(0.3);
		RETURN what || ' ' || v FROM cached_query(inner_query, '1h') AS t(v text);
	END $$;
	CREATE FUNCTION twice() RETURNS int LANGUAGE plpgsql STABLE AS $$
	DECLARE
		stack text;
	BEGIN
		GET DIAGNOSTICS stack = PG_CONTEXT;
		IF stack ~ 'function twice.*function twice' THEN
			PERFORM pg_sleep(0.3);
			RETURN 1;
		END IF;
		RETURN (SELECT 1 + v FROM cached_query('SELECT twice()', '1h') AS t(v int));
	END $$});
my $inner = q{SELECT slow(0.5, 'inner')};
my $outer = "SELECT outer_of('outer', \$i\$$inner\$i\$)";

@crowd = connected(20);
begin_counting();
$crowd[$_]->send(rows_of($_ % 2 == 0 ? $outer : $inner, '1h', 'v text')) foreach 0 .. 19;
is(answers(@crowd), 'inner x10, outer inner x10', 'nested: right answers');
cmp_ok(seconds(), '<', 3, 'nested: nobody waits for long');
is(executions('outer'), 1, 'nested: one execution of the outer query');
cmp_ok(executions('inner'), '<=', 2, 'nested: two at most of the inner one');

# Each waits for the other's, were it allowed to.
my $one = "SELECT outer_of('one', \$i\$SELECT outer_of('two', \$j\$SELECT 'end'::text\$j\$)\$i\$)";
my $two = "SELECT outer_of('two', \$j\$SELECT 'end'::text\$j\$)";

begin_counting();
$crowd[$_]->send(rows_of($_ % 2 == 0 ? $one : $two, '1h', 'v text')) foreach 0 .. 19;
is(answers(@crowd), 'one two end x10, two end x10', 'nested three times: right answers');
cmp_ok(seconds(), '<', 3, 'nested three times: nobody waits for long');

begin_counting();
$_->send(rows_of('SELECT twice()', '1h', 'v int')) foreach @crowd;
like(answers(@crowd), qr/^(1 x\d+, )?2 x\d+$/, 'the same call inside itself: comes to an end');
cmp_ok(seconds(), '<', 3, 'the same call inside itself: nobody waits for long');
store_is_idle($node, 'nested: leaves nothing');
close_all(@crowd);

# ---- Snapshots ----

($leader, @waiters) = connected(4);
my $reading = "SELECT slow(1.5, 'reading') || v FROM t";
my $exact = 'SET cached_query.consistency = exact; ';

value('UPDATE t SET v = 1');
begin_counting();
$waiters[0]->ask('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
value('UPDATE t SET v = 2');
send_and_run($leader, rows_of($reading, '1h', 'v text'));
send_and_wait(rows_of($reading, '1h', 'v text'), $waiters[0], $waiters[1]);
is(answers($leader, $waiters[1]), 'reading2 x2', 'REPEATABLE READ: a newer snapshot shares');
is(answers($waiters[0]), 'reading1 x1', 'REPEATABLE READ: an older snapshot gets an answer of its own');
is(executions('reading'), 2, 'REPEATABLE READ: by executing the query');
$waiters[0]->ask('COMMIT');

$_->ask($exact) foreach $leader, @waiters;
begin_counting();
send_and_run($leader, rows_of($reading, '1h', 'v text'));
send_and_wait(rows_of($reading, '1h', 'v text'), @waiters[ 0, 1 ]);
is(answers($leader, @waiters[ 0, 1 ]), 'reading2 x3', 'exact: equal snapshots');
is(executions('reading'), 1, 'exact: share');

begin_counting();
send_and_run($leader, rows_of($reading, '1h', 'v text'));
$waiters[0]->send(rows_of($reading, '1h', 'v text'));
wait_until(sub { event_of($waiters[0]) =~ /^Extension/ }, 20) or die;
value('UPDATE t SET v = 3');
send_and_wait(rows_of($reading, '1h', 'v text'), @waiters[ 1, 2 ]);
is(answers($leader, $waiters[0]), 'reading2 x2', 'exact, changed meanwhile: a snapshot of before');
is(answers(@waiters[ 1, 2 ]), 'reading3 x2', 'exact, changed meanwhile: snapshots of after');

# One that led for reads by ttl leaves an answer that exact reads do not take.
begin_counting();
$leader->ask('RESET cached_query.consistency');
send_and_run($leader, rows_of($reading, '1h', 'v text'));
send_and_wait(rows_of($reading, '1h', 'v text'), @waiters);
is(answers($leader, @waiters), 'reading3 x4', 'exact behind ttl: right answers');
is(executions('reading'), 2, 'exact behind ttl: one execution for all exact reads');

# What one who waits has changed itself, others' answers do not show.
begin_counting();
send_and_run($leader, rows_of($reading, '1h', 'v text'));
$waiters[0]->ask('RESET cached_query.consistency; BEGIN; UPDATE t SET v = 4');
is($waiters[0]->ask(rows_of($reading, '1h', 'v text'))->{first}, 'reading4', 'own change: own answer');
$waiters[0]->ask('ROLLBACK');
is(answers($leader), 'reading3 x1', 'own change: nobody else sees it');
close_all($leader, @waiters);

# ---- Flights of unequal keys ----

@crowd = connected(30);
begin_counting();
$crowd[$_]->send(slow(0.5, 'flight ' . $_ % 10)) foreach 0 .. 29;
is(answers(@crowd), join(', ', map { "flight $_ x3" } 0 .. 9), 'ten keys: right answers');
cmp_ok(seconds(), '<', 1.5, 'ten keys: at the same time');
is(counted('fills'), 10, 'ten keys: one execution of each');
begin_counting();
send_and_run($crowd[0], slow(2, 'long'));
is($crowd[1]->ask(slow(0.01, 'other'))->{first}, 'other', 'another key: right answer');
cmp_ok(seconds(), '<', 1, 'another key: does not wait');
answers($crowd[0]);
close_all(@crowd);

# ---- A storm of cancels and terminations ----

my $seed = $ENV{CQ_STORM_SEED} || time() * 1000 % 1_000_000;
my $storm_seconds = $ENV{CQ_STORM_SECONDS} || 8;
my %seen;

diag "seed $seed";
srand $seed;

sub storm_statement
{
	my $key = int(rand 4);
	my $query = "SELECT count(*) FROM cached_query('SELECT slow(0.02, ''storm'') UNION ALL SELECT repeat(''x'', \$1 * 40000)', '30ms', $key) AS t(v text)";
	my $dice = rand;

	return "SET LOCAL statement_timeout = '10ms'; $query" if $dice < 0.1;
	return "SET LOCAL cached_query.max_entry_size = '50kB'; $query" if $dice < 0.2;
	return "SET LOCAL cached_query.consistency = exact; $query" if $dice < 0.4;
	return "BEGIN ISOLATION LEVEL REPEATABLE READ; $query; $query; COMMIT" if $dice < 0.5;
	return "SELECT count(*) FROM cached_query(\$o\$$query\$o\$, '30ms') AS t(n bigint)" if $dice < 0.6;
	return "SELECT cached_query_clear()" if $dice < 0.63;
	return $query;
}

@crowd = connected(16);
my $end = time() + $storm_seconds;
my $select = IO::Select->new(map { $_->{socket} } @crowd);
my %client_of = map { $_->{socket} => $_ } @crowd;
my $sent = 0;
my $next_shot = time();

sub answered
{
	my ($client) = @_;
	my $answer = $client->until_ready;

	$seen{ $answer->{sqlstate} || 'ok' }++;
	if (!$answer->{Z})
	{
		$select->remove($client->{socket});
		delete $client_of{ $client->{socket} };
		$client->close;
		$client = CachedQueryTest::Deaf->connect($node);
		$client_of{ $client->{socket} } = $client;
		$select->add($client->{socket});
	}
	elsif ($answer->{sqlstate})
	{
		$client->ask('ROLLBACK');
	}
	return $client;
}

begin_counting();
$_->send(storm_statement()) foreach @crowd;
while (time() < $end)
{
	foreach my $socket ($select->can_read(0.005))
	{
		my $client = answered($client_of{$socket});

		$client->send(storm_statement());
		$sent++;
	}
	next if time() < $next_shot;
	$next_shot = time() + 0.01;
	my @all = values %client_of;
	my $function = rand() < 0.8 ? 'pg_cancel_backend' : 'pg_terminate_backend';
	value("SELECT $function(" . $all[ rand @all ]->pid . ')');
}
my $stop = time();
answered($_) foreach values %client_of;
cmp_ok(time() - $stop, '<', 1, 'storm: all come to an end within a second');
note join ', ', "sent $sent", map { "$_ x$seen{$_}" } sort keys %seen;
is(join(' ', grep { !/^(ok|57014|57P01|25P02)$/ } keys %seen), '', 'storm: no error but those on purpose');
cmp_ok($seen{$_} || 0, '>', 0, "storm: $_ happened") foreach qw(ok 57014 57P01);
cmp_ok(counted('coalesced'), '>', 0, 'storm: calls have waited');
begin_counting();
foreach my $client (values %client_of)
{
	$client->ask("SELECT count(*) FROM cached_query('SELECT slow(0.02, ''storm'') UNION ALL SELECT repeat(''x'', \$1 * 40000)', '1h', $_) AS t(v text)")
	  foreach 0 .. 3;
}
cmp_ok(seconds(), '<', 1, 'storm: no flight is left');
is(counted('fills'), 4, 'storm: and answers are kept again');
store_is_idle($node, 'storm: leaves nothing');
close_all(values %client_of);

# ---- The leader is killed, and with it the server ----

($leader, @waiters) = connected(3);
send_and_run($leader, slow(20, 'killed'));
send_and_wait(slow(20, 'killed'), @waiters);
my $offset = -s $node->logfile;
is(PostgreSQL::Test::Utils::system_log('pg_ctl', 'kill', 'KILL', $leader->pid), 0, 'leader is killed');
recovers($node, $offset);
close_all($monitor, $leader, @waiters);
$monitor = CachedQueryTest::Deaf->connect($node);
begin_counting();
is(value(slow(0.1, 'killed') =~ s/0\.1/20 * 0.005/r), 'killed', 'no flight has survived');
cmp_ok(seconds(), '<', 2, 'nobody waits for it');
$monitor->close;

my @complaints = grep { !/terminating connection|WARNING:  .*shared memory|WARNING:  there is (no|already a) transaction|WARNING:  PID \d+ is not a PostgreSQL backend process/ } complaints($node);
is(join("\n", @complaints), '', 'nothing to complain about');
$node->stop;
done_testing();
