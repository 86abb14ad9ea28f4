# Modules that set a hook and do not call the one they found: without shared memory the server does not start,
# or our functions say why; without ExecutorStart nothing is kept; and loaded with the server such a
# module keeps nothing from us.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RedisTest;
use Test::More;

my $redis = start_redis();
my $node = start_node('main', "cached_query.redis_url = '" . $redis->unix_url . "'", 'cached_query.redis_namespace = a',
	'cached_query.warm_start = on', 'max_prepared_transactions = 5', 'log_min_messages = log');
my $module = $node->basedir . '/dropper';

is(system('cc -std=gnu11 -Wall -Werror -O1 -shared -fPIC -I$(pg_config --includedir-server)'
	  . " $FindBin::RealBin/dropper.c -o $module.so"), 0, 'the module compiles');
$node->safe_psql('postgres', q{
	CREATE TABLE t (v int); INSERT INTO t VALUES (1);
	CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT v FROM t); END';
	CREATE FUNCTION g() RETURNS int LANGUAGE plpgsql STABLE AS 'DECLARE n int; BEGIN EXECUTE ''SELECT v FROM t'' INTO n; RETURN n; END'});
$node->stop;

sub libraries
{
	my ($libraries, $what) = @_;

	$node->append_conf('postgresql.conf', "shared_preload_libraries = '$libraries'\ndropper.what = '$what'");
	return;
}

# ---- The request for shared memory ----

libraries("cached_query, $module", 'request');
my $offset = -s $node->logfile;
ok(!$node->start(fail_ok => 1), 'without its memory requested the server does not start');
like(slurp_file($node->logfile, $offset), qr/FATAL:  cached_query could not request shared memory.*HINT:  Put cached_query after that library/s,
	'... and says what to do');
libraries("$module, cached_query", 'request');
ok($node->start(fail_ok => 1), 'in the other order it starts');
is((outcome_of($node, rows_of('SELECT f()', '1h', 'v int')))[0], 'miss_cold', '... and works');
$node->stop;

# ---- The start of shared memory ----

libraries("cached_query, $module", 'startup');
$offset = -s $node->logfile;
ok($node->start(fail_ok => 1), 'without its memory set up the server starts');
my $err;

foreach my $sql (rows_of('SELECT f()', '1h', 'v int'), 'SELECT cached_query_clear()', 'SELECT * FROM cached_query_stats')
{
	$node->psql('postgres', "\\set VERBOSITY verbose\n$sql", stderr => \$err);
	like($err, qr/ERROR:  55000: cached_query could not set up shared memory.*HINT:  Put cached_query after that library/s, 'a call says what to do');
}
is($node->safe_psql('postgres', q{
	CREATE TABLE d (a int); INSERT INTO d VALUES (1); UPDATE d SET a = 2; TRUNCATE d; DROP TABLE d;
	BEGIN; INSERT INTO t VALUES (5); SAVEPOINT s; DELETE FROM t WHERE v = 5; ROLLBACK;
	BEGIN; CREATE TABLE p (a int); PREPARE TRANSACTION 'x'; COMMIT PREPARED 'x'; DROP TABLE p;
	CREATE DATABASE d; DROP DATABASE d; DISCARD ALL; EXPLAIN SELECT f(); SELECT f()}) =~ /(\d+)$/ && $1, 1, 'everything else works');
ok($node->psql('postgres', 'SELECT pg_sleep(1.5)') == 0, 'and goes on');
unlike(slurp_file($node->logfile, $offset), qr/terminated by signal|PANIC|TRAP/, 'nothing crashes');
$node->stop;

# ---- ExecutorStart and ProcessUtility ----

foreach my $what ('executor', 'utility', 'executor utility')
{
	foreach my $libraries ("cached_query, $module", "$module, cached_query")
	{
		libraries($libraries, $what);
		$node->start;
		foreach my $function ('f()', 'g()')
		{
			my $call = rows_of("SELECT $function", '1h', 'v int');
			my $now;

			$node->safe_psql('postgres', $call);
			$node->safe_psql('postgres', "SET cached_query.consistency = exact; $call; $call");
			$node->safe_psql('postgres', 'UPDATE t SET v = v + 1');
			$now = $node->safe_psql('postgres', 'SELECT v FROM t');
			is($node->safe_psql('postgres', "SET cached_query.consistency = exact; $call"), $now, "$libraries, $what: what $function reads is seen");
			$node->safe_psql('postgres', 'ALTER TABLE t ALTER v TYPE bigint; ALTER TABLE t ALTER v TYPE int USING v + 1');
			$now++;
			is($node->safe_psql('postgres', $call), $now, "$libraries, $what: and its definition");
		}
		$node->stop;
	}
}

# loaded by a session, after the server has started
libraries('cached_query', 'executor');
$node->start;
$offset = -s $node->logfile;
my $call = rows_of('SELECT g()', '1h', 'v int');

foreach my $n (1, 2)
{
	my ($outcome, $rows) = outcome_of($node, "LOAD '$module'; $call");

	is($outcome, 'nested_uncacheable', "a session without ExecutorStart keeps nothing, call $n");
}
like(slurp_file($node->logfile, $offset), qr/another module keeps ExecutorStart from cached_query/, '... and says so');
is((outcome_of($node, $call))[0], 'miss_cold', 'others do');
log_is_quiet($node, 'nothing else to complain about');
$node->stop;

# ---- The planner: a statement whose shell has lost its entry is planned by its hooks ----

foreach my $what ('planner', 'options', 'planner options')
{
	libraries('cached_query', $what);
	$node->start;
	foreach my $how ('', "SAVEPOINT s; INSERT INTO t VALUES (7); ROLLBACK TO s;", "INSERT INTO t VALUES (7);")
	{
		my $expected = $node->safe_psql('postgres', "BEGIN; $how SELECT count(*), sum(v) FROM t; ROLLBACK");
		my $got = $node->safe_psql('postgres', "LOAD '$module'; SET cached_query.auto = exact; SET cached_query.auto_min_time = 0;
			SELECT count(*), sum(v) FROM t; SELECT count(*), sum(v) FROM t;
			BEGIN; $how SELECT count(*), sum(v) FROM t; CREATE TABLE made AS SELECT count(*), sum(v) FROM t; TABLE made; ROLLBACK");

		like($got, qr/\n\Q$expected\E\n\Q$expected\E$/, "a module that changes planning ($what) gets the statement's rows after '$how'");
	}
	cmp_ok($node->safe_psql('postgres', 'SELECT statements FROM cached_query_reasons WHERE reason = $$hit$$'), '>', 0, '... and hits');
	$node->stop;
}

# ---- A plan that is run once more, beside the hooks: also one that has an entry in place of a plan ----

libraries('cached_query', 'twin');
$node->start;
my ($out, $notices);

$node->psql('postgres', "LOAD '$module'; SET cached_query.auto = exact; SET cached_query.auto_min_time = 0;
	PREPARE p(int) AS SELECT v, f() FROM t, generate_series(1, \$1) ORDER BY v + 1;
	EXECUTE p(3); EXECUTE p(3); EXECUTE p(3); EXPLAIN (ANALYZE, COSTS off) EXECUTE p(3)", stdout => \$out, stderr => \$notices);
# ... and the plan that is made for the latter comes to the module's hook, too
cmp_ok(scalar(() = $notices =~ /twin: 3 rows/g), '>=', 5, 'a module that runs the plan of a hit by itself gets its rows');
like($out, qr/^(?:(\d+\|\d+)\n){9}Custom Scan \(Cached Statement\).*Cache: hit/s, '... and so does the client, from the cache');
unlike($notices, qr/ERROR|WARNING/, '... without an error');
$node->stop;
done_testing();
