# Everything at once in the smallest cache: sessions that check each answer against the query's own,
# results of all sizes, cursors, errors, writers, invalidation, cancels and terminations.

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

my $seconds = $ENV{CQ_STORM_SECONDS} || 20;
my $sessions = 10;
my $seed = $ENV{CQ_STORM_SEED} || time() * 1000 % 1_000_000;
my $node = start_node('main',
	'cached_query.memory = 8MB',
	'log_min_messages = warning',
	'log_statement = none',
	'log_min_error_statement = panic',
	'max_connections = 30');
my $recount = defined store_state($node);

diag "seed $seed, $seconds s";
srand $seed;

# Rows depend on the arguments alone, so that the right answer is known without any table.  The
# accounts' sum never changes, and no snapshot may see another one.
$node->safe_psql('postgres', q{
	CREATE TABLE account (id int PRIMARY KEY, v int);
	INSERT INTO account SELECT g, 100 FROM generate_series(1, 50) AS g;
	CREATE TABLE wrong (at timestamptz DEFAULT clock_timestamp(), what text);

	CREATE FUNCTION check_rows(n int, width int, path int) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		q text := 'SELECT g, repeat(chr(97 + (g + $2) % 26), $2 + g % 7) FROM generate_series(1, $1) AS g';
		want text;
		got text;
	BEGIN
		SELECT md5(string_agg(a || b, ',')) INTO want
		  FROM (SELECT g AS a, repeat(chr(97 + (g + width) % 26), width + g % 7) AS b
				  FROM generate_series(1, n) AS g) AS s;
		CASE path
		WHEN 0 THEN
			SELECT md5(string_agg(a || b, ',')) INTO got FROM cached_query(q, '1h', n, width) AS t(a int, b text);
		WHEN 1 THEN -- a whole-row reference: the function scan
			SELECT md5(string_agg((t).a || (t).b, ',')) INTO got FROM cached_query(q, '1h', n, width) AS t(a int, b text) WHERE t IS NOT NULL;
		WHEN 2 THEN -- scanned twice, the second time after a rescan
			SELECT md5(string_agg(a || b, ',')) INTO got
			  FROM (SELECT 1 UNION ALL SELECT 2) AS r(i), LATERAL (SELECT a, b, i FROM cached_query(q, '1h', n, width) AS t(a int, b text) OFFSET 0) AS s
			 WHERE s.i = 2;
		WHEN 3 THEN -- in another's fill
			SELECT md5(string_agg(a || b, ',')) INTO got
			  FROM cached_query($q$SELECT a, b FROM cached_query($p$SELECT g, repeat(chr(97 + (g + $2) % 26), $2 + g % 7) FROM generate_series(1, $1) AS g$p$, '1h', $1, $2) AS t(a int, b text)$q$, '1h', n, width) AS t(a int, b text);
		ELSE
			SELECT md5(string_agg((j ->> 'a') || (j ->> 'b'), ',')) INTO got
			  FROM json_array_elements(cached_query_json('SELECT g AS a, repeat(chr(97 + (g + $2) % 26), $2 + g % 7) AS b FROM generate_series(1, $1) AS g', '1h', n, width)) AS j;
		END CASE;
		IF got IS DISTINCT FROM want THEN
			INSERT INTO wrong (what) VALUES (format('rows %s width %s path %s', n, width, path));
			RAISE WARNING 'WRONG rows % width % path %', n, width, path;
		END IF;
	END $$;

	CREATE FUNCTION check_sum(part int) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		total bigint;
		direct bigint;
		own bigint;
	BEGIN
		-- one statement, one snapshot
		SELECT s, (SELECT sum(v) FROM account), p, (SELECT sum(v) FROM account WHERE id % 7 = part)
		  INTO total, direct, own, direct
		  FROM cached_query('SELECT sum(v) FROM account', '1h') AS t(s bigint),
			   cached_query('SELECT sum(v) FROM account WHERE id % 7 = $1', '1h', part) AS u(p bigint);
		IF total <> 5000 OR own IS DISTINCT FROM direct THEN
			INSERT INTO wrong (what) VALUES (format('sum %s, part %s: %s instead of %s', total, part, own, direct));
			RAISE WARNING 'WRONG sum %, part %: % instead of %', total, part, own, direct;
		END IF;
	END $$;

	CREATE FUNCTION transfer(a int, b int, n int) RETURNS void LANGUAGE sql
	AS 'UPDATE account SET v = v + CASE id WHEN a THEN n ELSE -n END WHERE id IN (a, b) AND a <> b';
});

# What a session does next.
sub statement
{
	my $size = int(rand 10);
	my $rows = $size < 5 ? 1 + int(rand 5) : $size < 8 ? int(rand 300) : $size < 9 ? 1000 : 3000;
	my $width = (1, 10, 200, 700)[ int(rand 4) ];
	my $path = int(rand 5);
	my ($a, $b, $n) = map { 1 + int(rand 50) } 1 .. 3;
	my $check = "SELECT check_rows($rows, $width, $path);";
	my $exact = "SET cached_query.consistency = exact;";
	my $ttl = "SET cached_query.consistency = ttl;";
	my $cursor = "DECLARE c CURSOR FOR SELECT * FROM cached_query("
	  . "'SELECT g, repeat(''k'', \$2) FROM generate_series(1, \$1) AS g', '1h', $rows, $width) AS t(a int, b text);";

	# a transaction that a termination tore apart must not go on in pieces: each is one line
	return (
		$check, $check, $check, $check,
		"$exact SELECT check_sum($a % 7);",
		"$exact SELECT check_sum($a % 7); SELECT check_sum($b % 7); $ttl",
		"$exact BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT check_sum($a % 7); SELECT pg_sleep(0.01); SELECT check_sum($a % 7); COMMIT;",
		"$exact BEGIN; SELECT check_sum($a % 7); SELECT transfer($a, $b, $n); SELECT check_sum($a % 7); COMMIT;",
		"$exact BEGIN; SELECT transfer($a, $b, $n); SELECT check_sum($b % 7); ROLLBACK; SELECT check_sum($b % 7);",
		"SELECT transfer($a, $b, $n);", "SELECT transfer($b, $a, $n);",
		"BEGIN; $cursor FETCH 3 FROM c; $check COMMIT;",
		"BEGIN; $cursor FETCH 3 FROM c; SAVEPOINT s; SELECT 1 / 0; ROLLBACK TO s; FETCH 3 FROM c; $check ROLLBACK;",
		"BEGIN; SAVEPOINT s; $cursor FETCH 1 FROM c; ROLLBACK TO s; $check COMMIT;",
		"SELECT 1 / (a - 2) FROM cached_query('SELECT g FROM generate_series(1, \$1) AS g', '1h', $rows) AS t(a int);",
		"SELECT * FROM cached_query('SELECT 1 / (g - 40) FROM generate_series(1, 100) AS g', '1h') AS t(a int);",
		"SET statement_timeout = '3ms'; SELECT check_rows(3000, 700, $path); SET statement_timeout = 0;",
		"SET work_mem = '64kB'; $check RESET work_mem;",
		"SET cached_query.max_entry_size = '" . (1 + int(rand 900)) . "kB'; $check RESET cached_query.max_entry_size;",
		"SET cached_query.mode = refresh; $check SET cached_query.mode = on;",
		"SELECT cached_query_refresh('SELECT g, repeat(chr(97 + (g + \$2) % 26), \$2 + g % 7) FROM generate_series(1, \$1) AS g', '1h', $rows, $width);",
		"SELECT cached_query_invalidate('SELECT g, repeat(chr(97 + (g + \$2) % 26), \$2 + g % 7) FROM generate_series(1, \$1) AS g', $rows, $width);",
		"SELECT cached_query_invalidate_relation('account');",
		(rand() < 0.2 ? "SELECT cached_query_clear();" : $check),
		(rand() < 0.1 ? "CREATE TABLE IF NOT EXISTS other_$a (a int); DROP TABLE IF EXISTS other_$b;" : $check),
		"DISCARD PLANS;",
		"SELECT count(*), sum(bytes) FROM cached_query_entries;",
		"SELECT * FROM cached_query_stats;",
		($recount && rand() < 0.2 ? "SELECT cached_query_check();" : $check))[ int(rand 29) ];
}

my @runs;
my @outputs = ('') x $sessions;
my $finished = 0;

sub start_session
{
	my ($i) = @_;
	my $file = "${PostgreSQL::Test::Utils::tmp_check}/storm_$i.sql";
	my @lines = map { statement() } 1 .. 400;

	# a failed transaction must not swallow what follows
	open my $handle, '>', $file or die $!;
	print $handle map { /^BEGIN|BEGIN/ ? "$_\nROLLBACK;\n" : "$_\n" } @lines;
	close $handle;
	$runs[$i] = IPC::Run::start(
		[ $node->installed_command('psql'), '-XAtq', '-d', $node->connstr('postgres'), '-f', $file ],
		'<', \undef, '>', '/dev/null', '2>', \$outputs[$i]);
	return;
}

my $failed = '';

# Errors that are part of the storm are none of the cache's.
sub take_output
{
	my ($i) = @_;

	$failed .= join '', map { "$_\n" }
	  grep { /ERROR|WARNING|FATAL|PANIC|TRAP/ }
	  grep {
		!/division by zero|canceling statement due to (user request|statement timeout)|terminating connection due to administrator command|there is no transaction in progress|deadlock detected|could not serialize access|unique constraint "pg_|current transaction is aborted|already exists|cursor "c" does not exist|savepoint "s" does not exist|can only be used in transaction blocks|tuple concurrently/
	  } split /\n/, $outputs[$i];
	$outputs[$i] = '';
	return;
}

my $killer = $node->background_psql('postgres', on_error_stop => 0, timeout => 4 * $seconds + 120);
my $end = time() + $seconds;
my $at_most = $end + 3 * $seconds;
my $happened = 'hits > 100, fills > 100, stores > 100, evictions > 10, errors > 0';

# Has all happened?  A slow machine needs longer for it.
sub is_over
{
	return 0 if time() < $end;
	return 1 if time() >= $at_most || $node->safe_psql('postgres', "SELECT $happened FROM cached_query_stats") eq 't|t|t|t|t';
	$end = time() + 5;
	return 0;
}

start_session($_) foreach 0 .. $sessions - 1;
until (is_over())
{
	foreach my $i (0 .. $sessions - 1)
	{
		$runs[$i]->pump_nb;
		next if $runs[$i]->pumpable;
		$runs[$i]->finish;
		take_output($i);
		$finished++;
		start_session($i);
	}
	my $function = rand() < 0.85 ? 'pg_cancel_backend' : 'pg_terminate_backend';
	$killer->query("SELECT $function(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1");
	sleep 0.05;
}
$killer->query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()");
foreach my $i (0 .. $sessions - 1)
{
	$runs[$i]->finish;
	take_output($i);
}
$killer->quit;

is($failed, '', 'no error but those on purpose, no wrong answer seen');
is($node->safe_psql('postgres', 'SELECT what FROM wrong'), '', 'no wrong answer recorded');
store_is_idle($node, 'store is sound, nothing pinned, nothing lost');
is($node->safe_psql('postgres', 'SELECT sum(v) FROM account'), '5000', 'the sum is the same');

my $counts = $node->safe_psql('postgres', "SELECT $happened, memory_used <= memory_total FROM cached_query_stats");
is($counts, 't|t|t|t|t|t', 'hits, fills, evictions and errors happened')
  or diag $node->safe_psql('postgres', '\x on \\\\ SELECT * FROM cached_query_stats');
my $seen = outcomes($node);
ok($seen->{$_}, "$_ happened")
  foreach qw(hit miss_cold miss_invalidated too_large own_write changed_during_fill);
note join ', ', map { "$_ $seen->{$_}" } sort keys %$seen;

# Afterwards the cache works as before.
$node->safe_psql('postgres', 'SELECT cached_query_clear()');
my ($outcome, $rows) = outcome_of($node, 'SELECT check_rows(3, 3, 0); SELECT check_rows(3, 3, 0)');
like($outcome, qr/^hit, miss_(cold|invalidated)$/, 'works afterwards');
my @complaints = grep { !/there is no transaction in progress|terminating connection/ } complaints($node);
is(join("\n", @complaints), '', 'nothing to complain about');
$node->stop;
done_testing();
