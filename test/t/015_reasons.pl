# Reasons that need another session, a worker or a foreign server to come about: each is counted, and
# the answer is the query's.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main');
my $call = rows_of('SELECT v FROM t', '1h', 'v int');

$node->safe_psql('postgres', 'CREATE TABLE t (v int); INSERT INTO t VALUES (1)');

# An entry that is newer than the snapshot of a REPEATABLE READ transaction.
my $old = $node->background_psql('postgres', on_error_stop => 1);

$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM t');
$node->safe_psql('postgres', 'UPDATE t SET v = 2');
$node->safe_psql('postgres', $call);
my $before = outcomes($node)->{newer_than_snapshot} || 0;
is($old->query_safe($call), '1', 'newer entry: the transaction keeps its snapshot');
is(outcomes($node)->{newer_than_snapshot} || 0, $before + 1, 'newer entry: newer_than_snapshot');
$old->query_safe('COMMIT');
is($old->query_safe($call), '2', 'newer entry: a hit afterwards');
$old->quit;

# A parallel worker, which gets to call us only when a function was declared what it is not.
my $parallel = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;'
  . ' SET parallel_leader_participation = off;';

$node->safe_psql('postgres', 'CREATE TABLE many AS SELECT g AS v FROM generate_series(1, 1000) AS g; ANALYZE many;'
	  . 'ALTER FUNCTION cached_query_json(text, interval) PARALLEL SAFE');
my ($outcome, $rows) = outcome_of($node, "$parallel SELECT count(*) FROM many"
	  . " WHERE v = 7 AND cached_query_json('SELECT v FROM t')::text = '[{\"v\":2}]'");
is($rows, '1', 'parallel worker: right');
like($outcome, qr/\bparallel_worker\b/, 'parallel worker: counted, once a worker');
$node->safe_psql('postgres', 'ALTER FUNCTION cached_query_json(text, interval) PARALLEL RESTRICTED');

# A foreign table: within a ttl as any other, never exact.
SKIP:
{
	skip 'needs file_fdw', 4 unless -e $node->config_data('--pkglibdir') . '/file_fdw.so';
	my $file = $node->basedir . '/foreign.csv';
	my $foreign = rows_of('SELECT v FROM f', '1h', 'v int');

	append_to_file($file, "10\n");
	$node->safe_psql('postgres', "CREATE EXTENSION file_fdw; CREATE SERVER s FOREIGN DATA WRAPPER file_fdw;"
		  . " CREATE FOREIGN TABLE f (v int) SERVER s OPTIONS (filename '$file')");
	is_deeply([ outcome_of($node, "$foreign; $foreign") ], [ 'hit, miss_cold', "10\n10" ], 'foreign table: ttl');
	append_to_file($file, "11\n");
	is_deeply([ outcome_of($node, "SET cached_query.consistency = exact; $foreign") ],
		[ 'dep_foreign_table', "10\n11" ], 'foreign table: exact runs the query');
	is($node->safe_psql('postgres', "SELECT reason, detail, consistency FROM cached_query_explain('SELECT v FROM f')"),
		'dep_foreign_table|relation f|ttl', 'foreign table: explained');
	is((outcome_of($node, $foreign))[0], 'hit', 'foreign table: ttl still');
}

# An answer that is kept around another depends on all that the inner one does, whether that was
# filled or found: here on its tag.
$node->safe_psql('postgres', q{CREATE FUNCTION inner_answer() RETURNS int LANGUAGE plpgsql STABLE AS
	$$ BEGIN RETURN (SELECT v FROM cached_query_with('{"tag": "inside"}', 'SELECT v FROM t', '1h') AS c(v int)); END $$});
my $outer = rows_of('SELECT inner_answer()', '1h', 'v int');

foreach my $inner ('filled', 'found')
{
	$node->safe_psql('postgres', 'SELECT cached_query_clear()');
	$node->safe_psql('postgres', q{SELECT * FROM cached_query_with('{"tag": "inside"}', 'SELECT v FROM t', '1h') AS c(v int)})
	  if $inner eq 'found';
	$node->safe_psql('postgres', $outer);
	is((outcome_of($node, $outer))[0], 'hit', "inner answer $inner: the outer one is kept");
	$node->safe_psql('postgres', q{SELECT cached_query_invalidate_tag('inside')});
	isnt((outcome_of($node, $outer))[0], 'hit', "inner answer $inner: its tag voids the outer one");
}

store_is_idle($node, 'nothing pinned, nothing lost');
log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
