# Arguments whose type changes between a call and its refresh in the background or after a restart.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', 'max_worker_processes = 8', 'restart_after_crash = on', 'log_statement = none',
	'cached_query.nondeterministic = cache', 'cached_query.warm_start = on');


sub value { return $node->safe_psql('postgres', $_[0]); }
$node->safe_psql('postgres', q{
	CREATE TABLE t AS SELECT 1 AS id;
	CREATE TYPE pair AS (a int, b int)});

# The bytes of a composite value mean something else after ALTER TYPE: a worker would take an integer for a pointer.
my $call = q{SET cached_query.refresh = background; SET cached_query.stale_for = '1h'; SELECT n FROM cached_query('SELECT ($1).a::text || ($1).b', '1ms', ROW(2000000000, 77)::pair) AS q(n text)};
value($call);
is(value($call), '200000000077', 'a composite argument');
is(value('SELECT args FROM cached_query_entries WHERE args LIKE \'%2000000000%\''), '$1 = (2000000000,77)', '... shown as it was');
value('ALTER TYPE pair ALTER ATTRIBUTE b TYPE text');
is(value($call), '200000000077', '... of a type that was changed');
value($call);
value('SELECT count(*) FROM cached_query_entries');
$node->restart;
is(value('SELECT 1'), '1', 'a warm start leaves it out');
is(value($call), '200000000077', '... and it answers');
unlike(slurp_file($node->logfile), qr/terminated by signal/, 'nobody crashes');
store_is_idle($node, 'nothing pinned, nothing lost');
$node->stop;
done_testing();
