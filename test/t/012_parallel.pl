# Parallel plans inside and around, and JIT: the same rows as without.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', 'max_parallel_workers_per_gather = 2', 'max_worker_processes = 12', 'max_parallel_workers = 8');
my $version = $node->safe_psql('postgres', 'SHOW server_version_num');
my $force = $version >= 160000 ? 'debug_parallel_query' : 'force_parallel_mode';
my $parallel = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off;';
my $jit = 'SET jit = on; SET jit_above_cost = 0; SET jit_inline_above_cost = 0; SET jit_optimize_above_cost = 0;';

$node->safe_psql('postgres', q{
	CREATE TABLE t (id int, v int, x text);
	INSERT INTO t SELECT g, g % 10, repeat('x', 50) || g FROM generate_series(1, 5000) AS g;
	CREATE TABLE small (id int); INSERT INTO small SELECT generate_series(1, 50);
	ANALYZE;
	CREATE FUNCTION sum_of(n int) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT sum(id) FROM t WHERE v = n'});

my $inner = 'SELECT v, count(*), sum(id) FROM t GROUP BY v ORDER BY v';
my $columns = 'v int, n bigint, s bigint';
my $direct = $node->safe_psql('postgres', $inner);

# Queries around a call: its own rows, filters, joins with tables, aggregates, both functions paths.
my %around = (
	'rows' => rows_of($inner, '1h', $columns),
	'filter' => rows_of($inner, '1h', $columns) . ' WHERE v > 3 AND s % 2 = 0',
	'join' => 'SELECT small.id, n FROM small JOIN (' . rows_of($inner, '1h', $columns) . ') AS c ON c.v = small.id % 10 ORDER BY 1, 2',
	'scan of a table beside it' => 'SELECT count(*), sum(t.id) FROM t WHERE v IN (SELECT v FROM (' . rows_of($inner, '1h', $columns) . ') AS c WHERE n > 0)',
	'correlated' => 'SELECT id, (SELECT n FROM cached_query(\'SELECT count(*) FROM t WHERE v = $1\', \'1h\', small.id % 10) AS c(n bigint)) FROM small ORDER BY 1',
	'whole row' => 'SELECT c FROM cached_query($q$' . $inner . '$q$, \'1h\') AS c(' . $columns . ')',
	'json' => 'SELECT cached_query_json($q$' . $inner . '$q$, \'1h\')',
	'aggregate' => 'SELECT sum(n), max(s) FROM (' . rows_of($inner, '1h', $columns) . ') AS c',
	'cursor' => 'BEGIN; DECLARE c CURSOR FOR ' . rows_of($inner, '1h', $columns) . '; FETCH 3 FROM c; FETCH ALL FROM c; COMMIT');
my %plain;

$plain{$_} = $node->safe_psql('postgres', "SET max_parallel_workers_per_gather = 0; SET cached_query.mode = off; $around{$_}")
  foreach sort keys %around;
is($plain{rows}, $direct, 'off: same rows as the query');

foreach my $case ([ 'parallel', $parallel ], [ 'forced parallel', "SET $force = on;" ], [ 'both', "$parallel SET $force = on;" ],
	[ 'JIT', $jit ], [ 'JIT and parallel', "$jit $parallel" ])
{
	my ($name, $settings) = @$case;

	foreach my $around (sort keys %around)
	{
		$node->safe_psql('postgres', 'SELECT cached_query_clear()');
		is($node->safe_psql('postgres', "$settings $around{$around}; $around{$around}"), "$plain{$around}\n$plain{$around}",
			"$name: $around, miss and hit");
		is($node->safe_psql('postgres', "$settings SET cached_query.consistency = exact; $around{$around}; $around{$around}"),
			"$plain{$around}\n$plain{$around}", "$name: $around, exact");
	}
}

# The inner query runs in parallel when it is filled.
like($node->safe_psql('postgres', "$parallel EXPLAIN (COSTS OFF) SELECT count(*) FROM t"), qr/Workers Planned/, 'a parallel query');
SKIP:
{
	skip 'needs auto_explain', 2 unless -e $node->config_data('--pkglibdir') . '/auto_explain.so';
	$node->safe_psql('postgres', "$parallel LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0;"
		  . 'SET auto_explain.log_nested_statements = on; SET auto_explain.log_analyze = on;'
		  . rows_of('SELECT count(*) FROM t', '1h', 'n bigint'));
	like(slurp_file($node->logfile), qr/Workers Launched: [12]/, 'a fill is parallel, too');
	is((outcome_of($node, rows_of('SELECT count(*) FROM t', '1h', 'n bigint')))[0], 'hit', 'and is kept');
}

# In a worker the cache can't be used, which nobody is told to do: the functions are restricted.
my $plan = $node->safe_psql('postgres', "$parallel EXPLAIN (COSTS OFF) SELECT t.id, c.n FROM t JOIN (" . rows_of($inner, '1h', $columns) . ') AS c ON c.v = t.v');
like($plan, qr/Gather/, 'parallel plan around it');
unlike($plan, qr/Gather.*\n(?:\s+.*\n)*?\s+(?:->\s+)?Parallel Custom Scan/, 'the scan itself is not parallel');

# Row estimate of an entry that is there.
like($node->safe_psql('postgres', 'EXPLAIN ' . rows_of($inner, '1h', $columns)), qr/rows=10 /, 'estimate of an entry');

store_is_idle($node, 'nothing pinned, nothing lost');
log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
