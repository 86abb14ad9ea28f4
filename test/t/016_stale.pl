# Answers after their ttl: one caller renews, the others take the old rows at once, for as long as
# they said and no longer, and a renewal that fails changes nothing. And renewal ahead of the end.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

$SIG{PIPE} = 'IGNORE';

my $node = start_node('main',
	'max_connections = 130',
	'log_min_messages = warning',
	'log_statement = none',
	"cached_query.trusted_functions = 'public.nap'");

# What ran is counted by the server's log: each execution writes a line.
$node->safe_psql('postgres', q{
	CREATE TABLE t (v int);
	INSERT INTO t VALUES (1);
	} . slow_functions() . q{
	CREATE FUNCTION failing(what text) RETURNS text LANGUAGE plpgsql STABLE AS $$
	BEGIN
		RAISE LOG 'executing %', what;
		PERFORM nap(0.5);
		RETURN 1 / (SELECT max(v) FROM t);
	END $$});

my $monitor = CachedQueryTest::Deaf->connect($node);
my $log_start;
my $before;

sub value { return $monitor->ask($_[0])->{first}; }

sub counters
{
	my @names = qw(fills coalesced hits stale_hits errors);
	my %counters;

	@counters{@names} = split /\|/, value('SELECT ' . join(', ', @names) . ' FROM cached_query_stats');
	return \%counters;
}

sub begin_counting
{
	$log_start = -s $node->logfile;
	$before = counters();
	return;
}

sub counted { return counters()->{ $_[0] } - $before->{ $_[0] }; }

sub executions { return executions_since($node, $_[0], $log_start); }

sub slow
{
	my ($seconds, $what, $ttl) = @_;

	return rows_of("SELECT slow($seconds, '$what')", $ttl, 'v text');
}

# ---- A stampede when a popular answer expires ----

my @crowd = map { CachedQueryTest::Deaf->connect($node) } 1 .. 100;

sub stampede
{
	my ($name, $stale_for) = @_;
	my $call = slow(1.5, $name, '1600ms');
	my ($start, $answers, $slowest);

	$_->ask("SET cached_query.stale_for = '$stale_for'") foreach @crowd;
	value('UPDATE t SET v = 1');
	$crowd[0]->ask($call);
	value('UPDATE t SET v = 2');
	sleep 1.1;
	begin_counting();
	$_->send($call) foreach @crowd;
	$start = time();
	$answers = answers(@crowd);
	diag sprintf '%s: executions %d, waits %d, stale %d, errors %d, all answered after %.2f s', $name,
	  executions($name), counted('coalesced'), counted('stale_hits'), counted('errors'), time() - $start;
	return $answers;
}

is(stampede('wait', 0), 'wait 2 x100', 'without stale_for all get the new answer');
is(executions('wait'), 1, '... of one execution');
is(counted('coalesced'), 99, '... for which the others wait');

is(stampede('stale', '1min'), 'stale 1 x99, stale 2 x1', 'with stale_for all but one get the old answer');
is(executions('stale'), 1, '... and one the new one, of one execution');
is(counted('coalesced'), 0, '... and nobody waits');
is(counted('stale_hits'), 99, '... which is counted');

# ---- How old it may be ----

my $stale = "SET cached_query.stale_for = '800ms'; ";

sub plan_of
{
	return $node->safe_psql('postgres', "SET cached_query.stale_for = '1min'; EXPLAIN (ANALYZE, COSTS OFF, TIMING ON) $_[0]");
}

# A call that leads: the flight stays in the air while others come.
sub with_leader
{
	my ($call, $code) = @_;

	$crowd[0]->ask("SET cached_query.stale_for = '1min'");
	$crowd[0]->send($call);
	wait_until(sub { value("SELECT wait_event FROM pg_stat_activity WHERE pid = " . $crowd[0]->pid) eq 'PgSleep' }, 20);
	$code->();
	$crowd[0]->until_ready;
	return;
}

my $call = slow(1.5, 'bound', '500ms');

value('UPDATE t SET v = 1');
$node->safe_psql('postgres', slow(0, 'warm', '1s'));
$crowd[0]->ask($call =~ s/1\.5/1.5/r);
value('UPDATE t SET v = 2');
# filled 1.5 s after its moment: it is past ttl + 800ms already
with_leader($call, sub {
	is($node->safe_psql('postgres', $stale . "SET cached_query.wait_timeout = 0; $call"), 'bound 2',
		'older than ttl + stale_for is not served'); });

# what is asked of these two must be answered while the leader runs
$call = slow(2, 'young', '2100ms');
value('UPDATE t SET v = 1');
$crowd[0]->ask($call);
value('UPDATE t SET v = 2');
sleep 0.2;
with_leader($call, sub {
	like(plan_of($call), qr/Cache: stale_hit.*Age: .*TTL: 2.100 s/s, 'EXPLAIN tells that the rows are stale and how old');
	is($node->safe_psql('postgres', "SELECT * FROM cached_query_with('{\"stale_for\": 60000}', \$q\$SELECT slow(2, 'young')\$q\$, '2100ms') AS t(v text)"),
		'young 1', 'the option does what the setting does'); });

# ---- Who never gets old rows ----

$call = rows_of('SELECT max(v), nap(1.5)::text FROM t', '1s', 'v int, w text');
value('UPDATE t SET v = 1');
$crowd[0]->ask($call);
value('UPDATE t SET v = 2');
sleep 0.2;
$crowd[1]->ask("SET cached_query.stale_for = '1min'");
with_leader($call, sub {
	$crowd[2]->ask("SET cached_query.stale_for = '1min'");
	is($crowd[2]->ask($call)->{first}, '1|', 'stale while another leads');
	$crowd[2]->ask("SET cached_query.consistency = 'exact'");
	is($crowd[2]->ask($call)->{first}, '2|', 'an exact read does not get stale rows');
	$crowd[2]->ask('RESET cached_query.consistency'); });

$call = rows_of('SELECT max(v), nap(0.7)::text FROM t', '300ms', 'v int, w text');
value('UPDATE t SET v = 3');
$crowd[0]->ask($call);
sleep 0.3;
with_leader($call, sub {
	$crowd[1]->ask('BEGIN');
	$crowd[1]->ask('UPDATE t SET v = 4');
	is($crowd[1]->ask($call)->{first}, '4|', 'a transaction sees its own write, not stale rows');
	$crowd[1]->ask('ROLLBACK'); });

# a snapshot of REPEATABLE READ that is older than the entry
$crowd[1]->ask('BEGIN ISOLATION LEVEL REPEATABLE READ');
$crowd[1]->ask('SELECT count(*) FROM t');
value('UPDATE t SET v = 5');
sleep 0.4;
$crowd[3]->ask("SET cached_query.stale_for = 0");
$crowd[3]->ask($call);
sleep 0.4;
with_leader($call, sub {
	is($crowd[1]->ask($call)->{first}, '3|', 'REPEATABLE READ gets no stale row newer than its snapshot');
	$crowd[1]->ask('COMMIT'); });

# invalidation
value('UPDATE t SET v = 6');
$crowd[3]->ask($call);
sleep 0.4;
with_leader($call, sub {
	value('UPDATE t SET v = 7');
	value("SELECT cached_query_invalidate_relation('t')");
	$crowd[2]->ask('SET cached_query.wait_timeout = 0');
	is($crowd[2]->ask($call)->{first}, '7|', 'what was invalidated is not served stale'); });

# ---- Modes that run nothing ----

$call = rows_of('SELECT max(v) FROM t', '200ms', 'v int');
value($call);
value('UPDATE t SET v = 8');
sleep 0.3;
is($node->safe_psql('postgres', "SET cached_query.stale_for = '1min'; SET cached_query.mode = only_cached; $call"), 7,
	'only_cached: old rows within stale_for rather than an error');
is($node->safe_psql('postgres', "SET cached_query.stale_for = '1min'; SET cached_query.mode = read_only; $call"), 7,
	'read_only: old rows within stale_for');
is($node->safe_psql('postgres', "SET cached_query.stale_for = '1min'; SET cached_query.mode = refresh; $call"), 8,
	'refresh: never');

# ---- A renewal that fails neither blocks nor extends ----

$call = rows_of("SELECT failing('fail')", '1s', 'v text');
value('UPDATE t SET v = 1');
value($call);
value('UPDATE t SET v = 0');
sleep 0.7;
begin_counting();
$_->ask("SET cached_query.stale_for = '1500ms'") foreach @crowd[0 .. 9];
$_->send($call) foreach @crowd[0 .. 9];
is(answers(@crowd[0 .. 9]), '1 x9, 22012 x1', 'the caller that renews gets the error, the others the old rows');
is(executions('fail'), 1, '... of one execution');
$crowd[0]->send($call);
is(answers($crowd[0]), '22012 x1', 'the next one tries at once');
sleep 1.2;
$_->send($call) foreach @crowd[0 .. 3];
is(answers(@crowd[0 .. 3]), '22012 x4', 'after ttl + stale_for there are no old rows, however often it failed');

# ---- Entries that stale readers want are not taken for expired ----

value('UPDATE t SET v = 1');
value('SELECT cached_query_clear()');
$call = rows_of('SELECT v FROM t', '200ms', 'v int');
$crowd[0]->ask("SET cached_query.stale_for = '1h'");
$crowd[0]->ask($call);
sleep 0.3;
is(value("SELECT state || ' ' || (expires > now() + interval '50min') FROM cached_query_entries WHERE query = 'SELECT v FROM t'"),
	'stale true', 'an entry lives to the end of the longest stale_for');

# ---- Ahead ----

value('SELECT cached_query_clear()');
$call = slow(0.05, 'ahead', '2s');
$_->ask("SET cached_query.stale_for = 0") foreach @crowd;
$_->ask("SET cached_query.refresh_ahead = on") foreach @crowd;
$crowd[0]->ask($call);
begin_counting();
my $end = time() + 6;
my $expired = outcomes($node)->{miss_expired};
while (time() < $end)
{
	$_->send($call) foreach @crowd;
	$_->until_ready foreach @crowd;
	sleep 0.01;
}
my $ahead = outcomes($node)->{miss_ahead} || 0;
diag 'ahead: ' . join ', ', "renewed early $ahead", map { "$_ " . counted($_) } qw(fills coalesced hits errors);
cmp_ok($ahead, '>=', 2, 'a popular answer is renewed before it expires');
is(executions('ahead'), counted('fills'), '... by one execution each');
cmp_ok(executions('ahead'), '<=', 10, '... no more often than needed');
is(outcomes($node)->{miss_expired} - $expired + counted('coalesced'), 0, '... so that nobody meets its end, or waits');

# nobody asks: nothing is renewed
$call = slow(0.05, 'rare', '10s');
$crowd[0]->ask($call);
begin_counting();
$crowd[0]->ask($call) foreach 1 .. 50;
is(executions('rare'), 0, 'far from its end nothing is renewed');

# ---- Cancelled and terminated while it renews ----

$call = slow(0.3, 'storm', '10ms');
$_->ask("SET cached_query.stale_for = '1h'") foreach @crowd[0 .. 29];
$crowd[0]->ask($call);
sleep 0.05;
foreach my $round (1 .. 20)
{
	$_->send($call) foreach @crowd[0 .. 19];
	sleep 0.05;
	my $pids = join ',', map { $_->pid } @crowd[0 .. 19];
	value("SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE pid IN ($pids) AND wait_event = 'PgSleep'");
	my $answers = answers(@crowd[0 .. 19]);
	like($answers, qr/storm 1 x(19|20)/, 'who does not renew is served') if $round == 1;
}
$crowd[20]->send($call);
sleep 0.1;
value('SELECT pg_terminate_backend(' . $crowd[20]->pid . ')');
$crowd[20]->until_ready;
is($crowd[21]->ask($call)->{first}, 'storm 1', 'after a termination the next one renews');

$_->close foreach @crowd;
store_is_idle($node, 'nothing is left pinned');
log_is_quiet($node, 'no warning');
$node->stop;

# ---- Eviction ----

# Within stale_for an entry is not expired: it goes when its turn comes, not before those that
# nobody may be served any more.
my $small = start_node('small', 'cached_query.memory = 8MB', 'log_min_messages = warning');
my $number = 'SELECT entries, evictions, expirations FROM cached_query_stats';

sub fifty_kilobytes
{
	my ($from, $to, $ttl) = @_;

	return "DO \$do\$ BEGIN FOR i IN $from .. $to LOOP PERFORM FROM cached_query('SELECT repeat(''x'', 50000) || \$1', '$ttl', i) AS t(v text); END LOOP; END \$do\$;";
}

$small->safe_psql('postgres', "SET cached_query.stale_for = '1h'; " . fifty_kilobytes(1, 50, '100ms'));
$small->safe_psql('postgres', fifty_kilobytes(101, 180, '100ms'));
sleep 0.3;
is($small->safe_psql('postgres', $number), '130|0|0', 'eviction: all entries are past their ttl, and there is room');
$small->safe_psql('postgres', fifty_kilobytes(201, 250, '1h'));
my ($entries, $evictions, $expirations) = split /\|/, $small->safe_psql('postgres', $number);
is($evictions, 0, 'eviction: nothing that may be served has gone');
cmp_ok($expirations, '>', 0, '... but expired entries');
my ($outcome) = outcome_of($small, "SET cached_query.stale_for = '1h'; SET cached_query.mode = only_cached; " . fifty_kilobytes(1, 50, '100ms'));
is($outcome, 'stale_hit x50', '... and stale rows are served');
store_is_idle($small, 'eviction: nothing is pinned');
$small->stop;
done_testing();
