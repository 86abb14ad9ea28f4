# A crash or a restart leaves an empty, sound cache; nothing of a fill in progress survives.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', 'restart_after_crash = on');
my $simple = rows_of('SELECT count(*), sum(g) FROM generate_series(1, 1000) AS g', '1h', 'n bigint, s bigint');
my $rows = '1000|500500';

# Kill the backend of a session with SIGKILL, and wait for the server to come back.
sub crash_with
{
	my ($session, $statement) = @_;
	my $pid = session_pid($session);
	my $offset = -s $node->logfile;

	$session->query_until(qr/started/, "\\echo started\n$statement\n");
	$node->poll_query_until('postgres',
		"SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $pid")
	  or die 'the statement does not run';
	is(PostgreSQL::Test::Utils::system_log('pg_ctl', 'kill', 'KILL', $pid), 0, 'backend is killed');
	$session->{run}->finish;
	recovers($node, $offset);
	return;
}

sub is_empty
{
	my ($name) = @_;
	my $state = store_state($node);

	is($node->safe_psql('postgres', 'SELECT entries, memory_used, hits, stores FROM cached_query_stats'),
		'0|0|0|0', "$name: view shows an empty cache");
	is_deeply($state, { entries => 0, units => 0, pins => 0, unlinked => 0, filling => 0 }, "$name: store is empty")
	  if defined $state;
	is_deeply([ outcome_of($node, "$simple; $simple") ], [ 'hit, miss_cold', "$rows\n$rows" ],
		"$name: works");
	return;
}

$node->safe_psql('postgres', $simple);
is($node->safe_psql('postgres', $simple), $rows, 'something is cached');

# In the middle of a fill, with some pages of rows in the store already.
my $session = $node->background_psql('postgres', on_error_stop => 0);
crash_with($session, q{SET cached_query.nondeterministic = cache;
	SELECT count(*) FROM cached_query(
		'SELECT g, repeat(''x'', 1000), CASE WHEN g = 2000 THEN pg_sleep(600)::text END FROM generate_series(1, 3000) AS g',
		'1h') AS t(g int, x text, s text);});
is_empty('crash in a fill');

# While rows of a hit are read and another session has a cursor open.
$node->safe_psql('postgres', rows_of('SELECT g FROM generate_series(1, 10000) AS g', '1h', 'g int'));
my $reader = $node->background_psql('postgres', on_error_stop => 0);
$reader->query_safe('BEGIN; DECLARE c CURSOR FOR '
	  . rows_of('SELECT g FROM generate_series(1, 10000) AS g', '1h', 'g int') . '; FETCH 10 FROM c');
$session = $node->background_psql('postgres', on_error_stop => 0);
crash_with($session, 'SELECT g, CASE WHEN g = 100 THEN pg_sleep(600) END FROM ('
	  . rows_of('SELECT g FROM generate_series(1, 10000) AS g', '1h', 'g int') . ') AS s;');
$reader->{run}->finish;
is_empty('crash in a hit');

# With an invalidation published and not committed.
$node->safe_psql('postgres', 'CREATE TABLE t (a int); INSERT INTO t VALUES (1)');
my $exact = q{SET cached_query.consistency = exact; } . rows_of('SELECT a FROM t', '1h', 'a int');
$node->safe_psql('postgres', $exact);
$session = $node->background_psql('postgres', on_error_stop => 0);
crash_with($session, 'BEGIN; UPDATE t SET a = 2; SELECT cached_query_clear(); SELECT pg_sleep(600);');
is_empty('crash of a writer');
is_deeply([ outcome_of($node, "$exact; " . $exact =~ s/^.*?; //r) ], [ 'hit, miss_cold', "1\n1" ],
	'exact answers afterwards');
is($node->safe_psql('postgres', "UPDATE t SET a = 3 RETURNING a; $exact"), "3\n3",
	'and after a write');

# Clean restarts, fast and immediate.
foreach my $mode ('fast', 'immediate')
{
	$node->safe_psql('postgres', $simple);
	$node->stop($mode);
	$node->start;
	is_empty("restart, $mode");
}

is(join("\n", grep { !/terminating connection because of crash/ } complaints($node)), '',
	'nothing else to complain about');
$node->stop;
done_testing();
