# Statements that are answered from the cache, beside what stands around a server: pg_stat_statements and auto_explain, whichever
# is loaded first, each plan_cache_mode, and PgBouncer in transaction mode with the setting at the role.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', 'cached_query.auto_min_time = 0');
my $library_dir = `pg_config --pkglibdir` =~ s/\n//r;
my $query = 'SELECT k, count(*) AS beside FROM t WHERE id > 7 GROUP BY k ORDER BY k';

$node->safe_psql('postgres', q{CREATE TABLE t AS SELECT g AS id, g % 7 AS k FROM generate_series(1, 200) AS g; ANALYZE});

my $rows = $node->safe_psql('postgres', $query);

sub hits
{
	return $node->safe_psql('postgres', q{SELECT statements FROM cached_query_reasons WHERE reason = 'hit'});
}

# Each statement runs five times: the first leaves a ghost, the second is kept, and three are hits.
sub five_times
{
	my ($setup, $statement, $want, $name) = @_;
	my $before = hits();
	my @answers = split /^--\n/m, $node->safe_psql('postgres', "$setup; SET cached_query.auto = exact;\n" . join('', map { "\\echo --\n$statement;\n" } 1 .. 5)), -1;

	shift @answers;
	is(join('; ', map { s/\n+\z//r } @answers), join('; ', ($want) x 5), "$name: the same rows five times");
	is(hits() - $before, 3, "$name: three hits");
	return;
}

# ---- pg_stat_statements ----

SKIP:
{
	skip 'needs pg_stat_statements', 1 if !-e "$library_dir/pg_stat_statements.so";

	foreach my $libraries ('pg_stat_statements, cached_query', 'cached_query, pg_stat_statements')
	{
		$node->append_conf('postgresql.conf', "shared_preload_libraries = '$libraries'");
		$node->restart;
		$node->safe_psql('postgres', 'CREATE EXTENSION IF NOT EXISTS pg_stat_statements; SELECT pg_stat_statements_reset()');
		five_times('SELECT 1 WHERE false', $query, $rows, $libraries);
		is($node->safe_psql('postgres', q{SELECT calls, rows FROM pg_stat_statements WHERE query LIKE 'SELECT k, count(*) AS beside%'}),
			'5|35', "$libraries: calls and rows are counted for hits, too");
		is($node->safe_psql('postgres', q{SELECT c.calls, c.hits FROM cached_query_candidates AS c JOIN pg_stat_statements AS s USING (queryid) WHERE s.query LIKE 'SELECT k, count(*) AS beside%'}),
			'5|3', "$libraries: queryid of cached_query_candidates joins");
		is($node->safe_psql('postgres', q{SELECT e.hits, e.rows, e.origin FROM cached_query_entries AS e JOIN pg_stat_statements AS s USING (queryid) WHERE s.query LIKE 'SELECT k, count(*) AS beside%'}),
			'3|7|auto', "$libraries: and that of cached_query_entries");
	}
}

# ---- auto_explain ----

SKIP:
{
	skip 'needs auto_explain', 1 if !-e "$library_dir/auto_explain.so";

	foreach my $libraries ('auto_explain, cached_query', 'cached_query, auto_explain')
	{
		$node->append_conf('postgresql.conf', "shared_preload_libraries = '$libraries'\nauto_explain.log_analyze = on");
		$node->restart;

		my $offset = -s $node->logfile;

		five_times('SET auto_explain.log_min_duration = 0', $query, $rows, $libraries);

		# each plan begins with its statement
		my @plans = grep { /^\s*Query Text: SELECT k, count/m } split /^(?=\S.*\bduration: )/m, slurp_file($node->logfile, $offset);

		is(scalar @plans, 5, "$libraries: five plans are logged");
		is(join(' ', map { /\bCache: (\w+)/ ? $1 : 'none' } @plans[ 2 .. 4 ]), 'hit hit hit', "$libraries: the last three as hits") or diag @plans;
		is(scalar(grep { /Custom Scan \(Cached Statement\).*actual time=\S+ rows=7(\.00)? loops=1/ } @plans[ 2 .. 4 ]), 3, "$libraries: with their rows");
		is(scalar(grep { /\bCache: hit/ } @plans), 3, "$libraries: and no other");
	}
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'cached_query'");
	$node->restart;
}

# ---- plan_cache_mode ----

foreach my $mode (qw(force_generic_plan force_custom_plan auto))
{
	my $setup = "SET plan_cache_mode = $mode; PREPARE p(int, text) AS SELECT id, \$2 AS x FROM t WHERE k = \$1 ORDER BY id LIMIT 2";

	$node->safe_psql('postgres', 'SELECT cached_query_clear()');
	five_times($setup, "EXECUTE p(3, '$mode')", "3|$mode\n10|$mode", "$mode, one value");
	five_times($setup, "EXECUTE p(4, '$mode')", "4|$mode\n11|$mode", "$mode, another one");
	five_times($setup, 'EXECUTE p(4, NULL)', "4|\n11|", "$mode, NULL");

	# in one session, in turn, with a write between
	my $got = $node->safe_psql('postgres', "$setup; SET cached_query.auto = exact; EXECUTE p(5, 'a'); EXECUTE p(6, 'a'); EXECUTE p(5, 'a'); EXECUTE p(6, 'a'); EXECUTE p(5, 'a');"
		  . "UPDATE t SET k = 6 WHERE id = 5; EXECUTE p(5, 'a'); EXECUTE p(6, 'a'); UPDATE t SET k = 5 WHERE id = 5");
	is($got, join("\n", ("5|a\n12|a", "6|a\n13|a") x 2, "5|a\n12|a", "12|a\n19|a", "5|a\n6|a"), "$mode: values in turn, and a write");
}

# ---- PgBouncer: many clients on one server connection for each role ----

# What Deaf->connect() wants of a server.
{
	package Pooler;

	sub host { return $_[0]->{host}; }
	sub port { return $_[0]->{port}; }
}

my $bouncer;

END
{
	my $status = $?;

	$bouncer->kill_kill if $bouncer;
	$? = $status;
}

sub client
{
	my ($pooler, $role) = @_;

	local $ENV{PGUSER} = $role;
	return CachedQueryTest::Deaf->connect($pooler);
}

sub first
{
	my ($client, $sql) = @_;

	return $client->ask($sql)->{first};
}

SKIP:
{
	my ($program) = grep { -x } map { "$_/pgbouncer" } split(/:/, $ENV{PATH}), '/usr/sbin';

	skip 'needs pgbouncer', 1 if !$program;

	my $dir = PostgreSQL::Test::Utils::tempdir_short();
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $pooler = bless { host => $dir, port => $port }, 'Pooler';

	append_to_file("$dir/users", qq{"app" ""\n"other" ""\n});
	append_to_file("$dir/pgbouncer.ini", join("\n",
		'[databases]', '* = host=' . $node->host . ' port=' . $node->port,
		'[pgbouncer]', 'listen_addr =', "listen_port = $port", "unix_socket_dir = $dir", 'pool_mode = transaction', 'default_pool_size = 1',
		'auth_type = trust', "auth_file = $dir/users", ''));
	$node->safe_psql('postgres', 'CREATE ROLE app LOGIN; CREATE ROLE other LOGIN; GRANT SELECT, UPDATE ON t TO app, other; ALTER ROLE app SET cached_query.auto = exact');
	$bouncer = IPC::Run::start([ $program, "$dir/pgbouncer.ini" ], '>', "$dir/log", '2>&1');
	ok(wait_until(sub { -S "$dir/.s.PGSQL.$port" }, 20), 'PgBouncer listens') or diag slurp_file("$dir/log");

	my ($one, $two) = map { client($pooler, 'app') } 1, 2;
	my ($other, $again) = map { client($pooler, 'other') } 1, 2;
	my $sum = 'SELECT sum(id) AS pooled FROM t WHERE k = 1';
	my $want = $node->safe_psql('postgres', $sum);
	my $before;

	is(first($one, 'SELECT pg_backend_pid()'), first($two, 'SELECT pg_backend_pid()'), 'two clients have one server connection');
	is(first($other, 'SELECT pg_backend_pid()'), first($again, 'SELECT pg_backend_pid()'), 'so has the other role');
	$before = hits();
	is(first($_, $sum), $want, 'app: the rows') foreach $one, $two, $one, $two, $one;
	is(hits() - $before, 3, 'app: hits of both clients');
	$before = hits();
	is(first($_, $sum), $want, 'a role without the setting: the rows') foreach ($other, $again) x 3;
	is(hits() - $before, 0, '... and no hits');
	$two->ask('UPDATE t SET id = id + 1000 WHERE id = 1');
	is(first($_, $sum), $want + 1000, 'after an UPDATE: the new rows') foreach $one, $two, $other;
	$other->ask('UPDATE t SET id = id - 1000 WHERE id = 1001');
	is(first($_, $sum), $want, 'after one of the other role: the new rows') foreach $two, $one, $again;
	$before = hits();
	is(first($_, $sum), $want, 'and the same again') foreach ($one, $two) x 2;
	cmp_ok(hits() - $before, '>', 0, '... with hits');
	$_->close foreach $one, $two, $other, $again;
}

store_is_idle($node, 'nothing pinned, nothing lost');
log_is_quiet($node, 'nothing to complain about');
unlike(slurp_file($node->logfile), qr/terminated by signal/, 'no crash');
$node->stop;
done_testing();
