# Two sessions: nothing uncommitted is ever stored, locks are taken as by the query, a fill whose
# tables changed meanwhile is not kept, and hits don't wait for each other.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = start_node('main', "cached_query.nondeterministic = 'cache'");
my $call = rows_of('SELECT sum(a) FROM t', '1h', 'a bigint');
my $exact = 'SET cached_query.consistency = exact;';
my $err;

$node->safe_psql('postgres', 'CREATE TABLE t (a int); INSERT INTO t VALUES (1)');
my $one = $node->background_psql('postgres', on_error_stop => 0);
my $two = $node->background_psql('postgres', on_error_stop => 0);

# A statement that will wait; its backend's number tells when it does.
sub begin_statement
{
	my ($session, $statement) = @_;

	$session->query_until(qr/started/, "\\echo started\n$statement;\n");
	return;
}

sub wait_for_event
{
	my ($session_pid, $event) = @_;

	$node->poll_query_until('postgres',
		"SELECT wait_event = '$event' OR wait_event_type = '$event' FROM pg_stat_activity WHERE pid = $session_pid")
	  or die "no $event";
	return;
}

# ---- Uncommitted work ----

$one->query_safe('BEGIN; INSERT INTO t VALUES (10)');
is($one->query_safe($call), '11', 'the writer sees its own row');
is($two->query_safe("$call; $call"), "1\n1", 'another session does not');
is($one->query_safe($call), '11', 'the writer still does');
is($two->query_safe("$exact $call"), '1', 'nor with exact');
$one->query_safe('COMMIT');
is($two->query_safe($call), '11', 'exact: after the commit it does');
is($two->query_safe('SET cached_query.consistency = ttl; ' . $call), '11', 'ttl: from the exact entry');
$one->query_safe('BEGIN; DELETE FROM t; SAVEPOINT s');
is($one->query_safe($call), '', 'the writer sees its delete');
$one->query_safe('ROLLBACK TO s; ROLLBACK');
is($one->query_safe("$exact $call"), '11', 'not after the rollback');
is($two->query_safe($call), '11', 'nobody does');

# ---- Locks ----

my ($one_pid, $two_pid) = (session_pid($one), session_pid($two));

$one->query_safe("$call; BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
$node->psql('postgres', "SET lock_timeout = '200ms'; $call", stderr => \$err);
like($err, qr/canceling statement due to lock timeout/, 'a hit waits for the lock as the query would');
begin_statement($two, $call);
wait_for_event($two_pid, 'Lock');
is($node->safe_psql('postgres', "SELECT mode FROM pg_locks WHERE pid = $two_pid AND NOT granted AND relation = 't'::regclass"),
	'AccessShareLock', 'for the same lock');
is($node->safe_psql('postgres', "SELECT pg_blocking_pids($two_pid)"), "{$one_pid}", 'behind the same session');
$one->query_safe('COMMIT');
is($two->query_until(qr/^11$/m, ''), "11\n", 'and goes on when it is released');
$two->query_safe('SELECT 1');

$two->query_safe("BEGIN; $call");
is($node->safe_psql('postgres', "SELECT mode FROM pg_locks WHERE pid = $two_pid AND relation = 't'::regclass"),
	'AccessShareLock', 'a hit holds the lock to the end of the transaction');
$node->psql('postgres', "SET lock_timeout = '200ms'; DROP TABLE t", stderr => \$err);
like($err, qr/canceling statement due to lock timeout/, 'so that DROP TABLE waits');
$two->query_safe('COMMIT');

# A deadlock is found as it is between queries.
$node->safe_psql('postgres', 'CREATE TABLE u (a int); INSERT INTO u VALUES (5)');
my $call_u = rows_of('SELECT sum(a) FROM u', '1h', 'a bigint');
$two->query_safe("SET deadlock_timeout = '10s'; BEGIN; LOCK TABLE u");
$one->query_safe("$call; BEGIN; LOCK TABLE t");
begin_statement($one, "SET LOCAL deadlock_timeout = '100ms'; $call_u");
wait_for_event($one_pid, 'Lock');
begin_statement($two, $call);
$one->query('SELECT 1');
ok(wait_until(sub { slurp_file($node->logfile) =~ /ERROR:  deadlock detected/ }), 'a deadlock is found');
$one->query('ROLLBACK');
$two->query('ROLLBACK');
$two->{stderr} = $one->{stderr} = '';

# ---- Changes during a fill ----

# The fill waits in an advisory lock, in the middle; the other session changes something.  Then the
# answer may be served or not, and if not, the next one is the new one.  Two definitions share a slot by chance, as
# the OIDs want it, and then the answer may not be served.  So some changes are tried with other tables, too.
sub change_during_fill
{
	my ($name, $query, $columns, $changes, $good, $want) = @_;
	my $statement = rows_of($query, '1h', $columns);
	my ($outcome, $rows);

	foreach my $change (ref $changes ? @$changes : $changes)
	{
		$node->safe_psql('postgres', 'SELECT cached_query_clear()');
		$one->query_safe('SELECT pg_advisory_lock(1)');
		begin_statement($two, $statement);
		wait_for_event($two_pid, 'advisory');
		$one->query_safe($change);
		$one->query_safe('SELECT pg_advisory_unlock(1)');
		$two->query('SELECT 1');
		($outcome, $rows) = outcome_of($node, $statement);
		last if $outcome eq 'hit' || $rows ne $want;
	}
	is($rows, $want, "$name: right answer");
	$good ? is($outcome, 'hit', "$name: a hit") : isnt($outcome, 'hit', "$name: no hit");
	is_deeply([ outcome_of($node, $statement) ], [ 'hit', $want ], "$name: a hit then");
	return;
}

my $waiting = q{(SELECT pg_advisory_xact_lock(1))::text};
$node->safe_psql('postgres', q{
	CREATE TABLE u1 (a int);
	CREATE TABLE u2 (a int);
	CREATE VIEW v AS SELECT 1 AS a;
	CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN 1; END'});

change_during_fill('unrelated table', "SELECT sum(a), $waiting FROM t", 'a bigint, x text',
	[ map { "ALTER TABLE $_ ADD COLUMN b int" } qw(u u1 u2) ], 1, '11|');
change_during_fill('write', "SELECT sum(a), $waiting FROM t", 'a bigint, x text',
	'INSERT INTO t VALUES (0)', 1, '11|');
change_during_fill('invalidation of its table', "SELECT sum(a), $waiting FROM t", 'a bigint, x text',
	"INSERT INTO t VALUES (100); SELECT cached_query_invalidate_relation('t')", 0, '111|');
change_during_fill('clear', "SELECT sum(a), $waiting FROM t", 'a bigint, x text',
	'INSERT INTO t VALUES (1000); SELECT cached_query_clear()', 0, '1111|');
change_during_fill('function replaced', "SELECT f(), $waiting", 'a int, x text',
	q{CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN 2; END'}, 0, '2|');
change_during_fill('right revoked', "SELECT sum(a), $waiting FROM t", 'a bigint, x text',
	[ map { "REVOKE SELECT ON $_ FROM PUBLIC" } qw(u u1 u2) ], 1, '1111|');

# Dropped by the session that fills it, in a function that it calls.
$node->psql('postgres', 'BEGIN; CREATE TABLE gone (a int); '
	  . rows_of('SELECT a FROM gone', '1h', 'a int') . '; DROP TABLE gone; COMMIT; ' . rows_of('SELECT a FROM gone', '1h', 'a int'),
	stderr => \$err);
like($err, qr/relation "gone" does not exist/, 'a dropped table');

$one->quit;
$two->quit;
store_is_idle($node, 'nothing pinned, nothing lost');
log_is_quiet($node, 'nothing to complain about');

# ---- Hits don't wait for each other ----

my $file = "${PostgreSQL::Test::Utils::tmp_check}/hit.sql";
append_to_file($file, rows_of('SELECT g, g::text FROM generate_series(1, 10) AS g', '1h', 'a int, b text') . ";\n"
	. "\\set n random(1, 20)\n" . rows_of('SELECT $1::int', '1h', 'a int', ':n') . ";\n");
my $output = '';
my $bench = IPC::Run::start(
	[ $node->installed_command('pgbench'), '-n', '-c', 4, '-j', 2, '-T', 5, '-M', 'prepared', '-f', $file, $node->connstr('postgres') ],
	'<', \undef, '>', \$output, '2>&1');
my $sampler = $node->background_psql('postgres');
my $waits = $sampler->query_safe(q{
	SET log_statement = none;
	CREATE TEMP TABLE seen (event text, n int);
	DO $$
	BEGIN
		FOR i IN 1..2000 LOOP
			PERFORM pg_sleep(0.002), pg_stat_clear_snapshot();
			INSERT INTO seen SELECT wait_event_type || ' ' || wait_event, count(*) FROM pg_stat_activity
				WHERE backend_type = 'client backend' AND application_name = 'pgbench' AND wait_event_type NOT IN ('Client', 'Timeout') GROUP BY 1;
		END LOOP;
	END $$;
	SELECT event, sum(n) FROM seen WHERE event LIKE '%CachedQuery%' OR event LIKE 'Lock %' GROUP BY 1});
$bench->finish;
$sampler->quit;
like($output, qr/number of failed transactions: 0 |number of transactions actually processed/, 'pgbench ran');
is($waits, '', 'no session was seen waiting for a lock of ours');
cmp_ok($node->safe_psql('postgres', 'SELECT hits FROM cached_query_stats'), '>', 1000, 'over many hits');

$node->stop;
done_testing();
