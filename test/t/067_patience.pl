# Nobody waits for another session's run longer than it is worth, and those who don't wait any more
# share one run of theirs.  And what is not kept streams: no temporary file, as soon as the query has rows.

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
	'max_connections = 60',
	'log_min_messages = warning',
	'log_statement = none',
	'max_parallel_workers_per_gather = 0');

$node->safe_psql('postgres', q{
	CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN;
	CREATE TABLE pace (seconds float8);
	INSERT INTO pace VALUES (0.2);
	CREATE FUNCTION paced(what text) RETURNS text LANGUAGE plpgsql STABLE AS $$
	BEGIN
		RAISE LOG 'executing %', what;
		PERFORM pg_sleep(seconds) FROM pace;
		RETURN what;
	END $$;
	CREATE TABLE a AS SELECT g AS v FROM generate_series(1, 60000) AS g;
	CREATE TABLE big AS SELECT g AS v, repeat('x', 90) AS pad FROM generate_series(1, 200000) AS g;
	ANALYZE;
	GRANT SELECT ON pace, a TO alice, bob});

sub value { return $node->safe_psql('postgres', $_[0]); }

sub executions { return executions_since($node, $_[0], $_[1]); }

sub session
{
	my ($role, @settings) = @_;
	my $client = CachedQueryTest::Deaf->connect($node);

	$client->ask("SET ROLE $role") if $role;
	$client->ask("SET $_") foreach @settings;
	return $client;
}

sub seconds_of
{
	my ($client, $sql) = @_;
	my $start = time();
	my $answer = $client->ask($sql);

	die $answer->{sqlstate} if $answer->{sqlstate};
	return time() - $start;
}

# ---- A leader with a plan of its own ----

my $join = rows_of('SELECT count(*) FROM a AS x JOIN a AS y USING (v)', '100ms', 'n bigint');
my @slow_plan = ('enable_hashjoin = off', 'enable_mergejoin = off', 'enable_material = off', 'enable_memoize = off');

# Nobody has run it before, and then as a query that is known.
foreach my $name ('unknown', 'known')
{
	my $slow = session('alice', @slow_plan);
	my $fast = session('bob');

	$slow->send($join);
	wait_until(sub { value("SELECT count(*) FROM pg_stat_activity WHERE pid = " . $slow->{pid} . " AND state = 'active' AND query LIKE '%JOIN%'") });
	sleep 1;
	cmp_ok(seconds_of($fast, $join), '<', 5, "slow leader, $name: the other role doesn't wait for it");
	is(value('SELECT count(*) FROM pg_stat_activity WHERE pid = ' . $slow->{pid} . " AND state = 'active'"), 1, "slow leader, $name: which still runs");
	value('SELECT pg_cancel_backend(' . $slow->{pid} . ')');
	is($slow->until_ready->{sqlstate}, '57014', "slow leader, $name: and is cancelled");
	$_->close foreach $slow, $fast;
	sleep 0.2;
}

# ---- A leader that is slow for reasons of its own, and a crowd ----

my $call = rows_of("SELECT paced('crowd')", '100ms', 'v text');
my @crowd = map { session() } 1 .. 40;
my $leader = session();

$leader->ask($call);
sleep 0.2;
value('UPDATE pace SET seconds = 20');
$leader->send($call);
wait_until(sub { value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") });
value('UPDATE pace SET seconds = 0.2');

my $offset = -s $node->logfile;
my $start = time();
$_->send(rows_of("SELECT paced('crowd')", '1h', 'v text')) foreach @crowd;
is(answers(@crowd), 'crowd x40', 'crowd: all get the answer');
cmp_ok(time() - $start, '<', 5, 'crowd: soon, as the query is known to take a fifth of a second');
cmp_ok(executions('crowd', $offset), '<=', 3, 'crowd: and hardly anybody ran it');
value('SELECT pg_cancel_backend(' . $leader->{pid} . ')');
$leader->until_ready;

# The same with other arguments: the query is known, the key isn't.
my $other = "SELECT * FROM cached_query('SELECT paced(\$1)', '1h', 'one'::text) AS t(v text)";
$leader->ask($other =~ s/one/two/r);
value('UPDATE pace SET seconds = 20');
$leader->send($other);
wait_until(sub { value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") });
value('UPDATE pace SET seconds = 0.2');
cmp_ok(seconds_of($crowd[0], $other), '<', 6, 'other arguments: as the query is known');
value('SELECT pg_cancel_backend(' . $leader->{pid} . ')');
$leader->until_ready;

# All are slow: they run it one after the other with longer and longer pauses, not all at once.
value('UPDATE pace SET seconds = 4');
$offset = -s $node->logfile;
$_->send(rows_of("SELECT paced('crowd')", '10ms', 'v text')) foreach @crowd;
is(answers(@crowd), 'crowd x40', 'slower than known: all get the answer');
cmp_ok(executions('crowd', $offset), '<=', 6, 'slower than known: few ran it');
$_->close foreach @crowd, $leader;

# ---- Rows while the query runs ----

$node->safe_psql('postgres', "ALTER SYSTEM SET temp_file_limit = '1MB'; ALTER SYSTEM SET work_mem = '1MB'; SELECT pg_reload_conf()");
$node->poll_query_until('postgres', "SELECT current_setting('work_mem') = '1MB'");

my $rows = rows_of('SELECT v, pad FROM big', '1h', 'v int, pad text');

sub streams
{
	my ($name, $set) = @_;

	is(value("$set; SELECT count(*), sum(v) FROM ($rows) AS s"), '200000|20000100000', "$name: all rows, without a temporary file");
	is(value("$set; BEGIN; DECLARE c CURSOR FOR $rows; FETCH 1 FROM c; MOVE ALL FROM c; COMMIT") =~ /^1\|x/ ? 'one' : 'other', 'one', "$name: a cursor, too");

	# the direct query and the call in turn: FETCH 1 doesn't pay for all rows
	my %took;
	my $client = session('', split /; /, $set =~ s/SET //gr);
	foreach (1 .. 7)
	{
		foreach my $query ([ 'first', $rows, 1 ], [ 'all', $rows, 'ALL' ])
		{
			$client->ask("BEGIN; DECLARE c NO SCROLL CURSOR FOR $query->[1]");
			push @{ $took{ $query->[0] } }, seconds_of($client, "MOVE $query->[2] FROM c");
			$client->ask('COMMIT');
		}
	}
	my ($first, $all) = map { (sort { $a <=> $b } @{ $took{$_} })[3] } qw(first all);
	cmp_ok($first, '<', $all / 5, "$name: the first row takes a fraction of all");
	$client->close;
	return;
}

streams('mode off', 'SET cached_query.mode = off');
streams('too large', q{SET cached_query.max_entry_size = '64kB'});
$node->safe_psql('postgres', 'ALTER SYSTEM SET cached_query.enabled = off; SELECT pg_reload_conf()');
$node->poll_query_until('postgres', "SELECT NOT current_setting('cached_query.enabled')::bool");
streams('enabled off', 'SET cached_query.mode = on');

store_is_idle($node, 'nothing is left');
log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
