# Beside pg_stat_statements, whichever is loaded first: the inner query's text, rows and queryid are
# there, a hit does not run it, and cached_query_entries.queryid joins.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main');
my ($out, $err);

plan skip_all => 'needs pg_stat_statements'
  if $node->safe_psql('postgres', q{SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_stat_statements'}) eq '0';

my $query = 'SELECT id, v FROM t WHERE id <= $1 ORDER BY id';
my $call = rows_of($query, '1h', 'id int, v text', 5);

# Without a module that wants it there is no query identifier.
$node->safe_psql('postgres', q{CREATE TABLE t (id int, v text); INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 100) AS g});
$node->safe_psql('postgres', $call);
is($node->safe_psql('postgres', q{SELECT queryid IS NULL FROM cached_query_entries WHERE query LIKE 'SELECT id, v%'}),
	't', 'no queryid without compute_query_id');

foreach my $libraries ('pg_stat_statements, cached_query', 'cached_query, pg_stat_statements')
{
	$node->append_conf('postgresql.conf',
		"shared_preload_libraries = '$libraries'\npg_stat_statements.track = all");
	$node->restart;
	$node->safe_psql('postgres', 'DROP EXTENSION IF EXISTS pg_stat_statements; CREATE EXTENSION pg_stat_statements; SELECT pg_stat_statements_reset()');
	# the third hit is sent from what the second one stored
	foreach my $want ('miss_cold', 'hit', 'hit', 'hit')
	{
		my ($outcome, $rows) = outcome_of($node, $call);

		is($outcome, $want, "$libraries: $want");
		is($rows, "1|v1\n2|v2\n3|v3\n4|v4\n5|v5", "$libraries: rows of a $want");
	}
	is($node->safe_psql('postgres', q{SELECT calls, rows FROM pg_stat_statements WHERE query LIKE 'SELECT id, v FROM t%' AND NOT toplevel}),
		'1|5', "$libraries: the query ran once");
	is($node->safe_psql('postgres', q{SELECT sum(calls), sum(rows) FROM pg_stat_statements WHERE query LIKE 'SELECT * FROM cached_query(%' AND toplevel}),
		'4|20', "$libraries: the call four times, with its rows");
	is($node->safe_psql('postgres', 'SELECT image_hits FROM cached_query_stats'), '1', "$libraries: one hit by stored messages");
	is($node->safe_psql('postgres', q{SELECT e.rows, e.hits, s.calls FROM cached_query_entries AS e JOIN pg_stat_statements AS s USING (queryid) WHERE e.query LIKE 'SELECT id, v%'}),
		'5|3|1', "$libraries: queryid joins");
	is($node->psql('postgres', $call =~ s/, 5\)/, 1 \/ 0)/r, stderr => \$err), 3, "$libraries: an error passes");
	like($err, qr/division by zero/, "$libraries: as itself");
	is($node->safe_psql('postgres', $call), "1|v1\n2|v2\n3|v3\n4|v4\n5|v5", "$libraries: works after it");
}
store_is_idle($node, 'nothing pinned, nothing lost');
log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
