# min_fill_time = -1: a query that is cheaper to run than to look up is run, remembered, and tried
# again now and then; one that is not is kept.  What one session has learned others know.  What a hit costs is set here, in a build with CQ_DEBUG.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', 'cached_query.min_fill_time = -1');

plan skip_all => 'needs a build with CQ_DEBUG' unless defined store_state($node);

my $dear_hits = 'SET cached_query.debug_hit_cost = 100000';
my $cheap_hits = 'SET cached_query.debug_hit_cost = 0';

# Outcomes, fills and the last row of what was run in one session.
sub counted
{
	my ($sql) = @_;
	my $before = $node->safe_psql('postgres', 'SELECT fills FROM cached_query_stats');
	my ($outcome, $rows) = outcome_of($node, $sql);

	return ($outcome, $node->safe_psql('postgres', 'SELECT fills FROM cached_query_stats') - $before, (split /\n/, $rows)[-1]);
}

$node->safe_psql('postgres', q{
	CREATE FUNCTION calls(n int, query text, arg int) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		r text;
	BEGIN
		FOR i IN 1 .. n LOOP
			SELECT t.v INTO r FROM cached_query(query, '1h', arg) AS t(v text);
		END LOOP;
		RETURN r;
	END $$});

sub calls { return "SELECT calls($_[0], '" . ($_[1] || 'SELECT ($1 + 1)::text') . "', " . (defined $_[2] ? $_[2] : 1) . ')'; }

# As measured: a hit takes microseconds, this takes many.
my ($outcome, $fills, $row) = counted(calls(5, 'SELECT count(*)::text FROM generate_series(1, 100000) WHERE $1 > 0'));
is($outcome, 'hit x4, miss_cold', 'as measured, a query that works is kept');

($outcome, $fills, $row) = counted("$cheap_hits; " . calls(5, 'SELECT ($1 + 2)::text'));
is($outcome, 'hit x4, miss_cold', 'dearer to run than to look up: kept');

($outcome, $fills, $row) = counted("$dear_hits; " . calls(1));
is_deeply([ $outcome, $fills, $row ], [ 'cheap', 1, 2 ], 'cheaper to run than to look up: not kept');

($outcome, $fills, $row) = counted("$dear_hits; " . calls(65, 'SELECT ($1 + 1)::text AS b'));
is_deeply([ $outcome, $fills, $row ], [ 'cheap x65', 1, 2 ], 'then run directly 64 times, each counted');

($outcome, $fills, $row) = counted("$dear_hits; " . calls(66, 'SELECT ($1 + 1)::text AS c'));
is_deeply([ $outcome, $fills, $row ], [ 'cheap x66', 2, 2 ], '... tried again');

($outcome, $fills, $row) = counted("$dear_hits; " . calls(1000, 'SELECT ($1 + 1)::text AS d'));
is_deeply([ $outcome, $fills, $row ], [ 'cheap x1000', 5, 2 ], '... less often each time');

($outcome, $fills, $row) = counted("$dear_hits; " . calls(66, 'SELECT ($1 + 1)::text AS e') . "; $cheap_hits; " . calls(200, 'SELECT ($1 + 1)::text AS e'));
like($outcome, qr/^cheap x194, hit x71, miss_cold$/, '... until it is not cheap any more');

# Other arguments, other work: 0.3 s are more than twice what a hit costs.
my $mixed = 'SELECT pg_sleep($1 * 0.3)::text || $1';
($outcome, $fills, $row) = counted("SET cached_query.nondeterministic = cache; $dear_hits; "
	  . calls(1, $mixed, 0) . '; ' . calls(12, $mixed, 1));
is($outcome, 'cheap x7, hit x5, miss_cold', 'direct runs that take long bring the cache back');

# A session that has never run it knows of it from others, and tries again as they do.
my $shared = 'SELECT ($1 + 1)::text AS f';
($outcome, $fills) = counted("$dear_hits; " . calls(1, $shared));
is_deeply([ $outcome, $fills ], [ 'cheap', 1 ], 'found cheap by one session');
($outcome, $fills, $row) = counted("$dear_hits; " . calls(1, $shared, $_)),
  is_deeply([ $outcome, $fills, $row ], [ 'cheap', 0, $_ + 1 ], "... and known to the next one, argument $_")
  foreach 1, 2;
($outcome, $fills) = counted("$dear_hits; " . calls(66, $shared));
is_deeply([ $outcome, $fills ], [ 'cheap x66', 1 ], '... which tries again after 64 calls');
($outcome, $fills) = counted("$dear_hits; " . calls(1, 'SELECT ($1 + 1)::text AS g'));
is_deeply([ $outcome, $fills ], [ 'cheap', 1 ], 'another query is not concerned');
($outcome, $fills) = counted("$cheap_hits; SET cached_query.mode = refresh; " . calls(1, $shared));
is($outcome, 'miss_refresh', 'found dear by one session');
($outcome, $fills) = counted("$dear_hits; SET cached_query.mode = on; " . calls(2, $shared));
is($outcome, 'hit x2', '... and looked up by the next one');

# ... for a minute.  Direct runs that take long take it back for all.
($outcome, $fills) = counted("SET cached_query.nondeterministic = cache; $dear_hits; " . calls(1, "$mixed AS b", 0));
is_deeply([ $outcome, $fills ], [ 'cheap', 1 ], 'arguments that mean no work');
($outcome, $fills) = counted("SET cached_query.nondeterministic = cache; $dear_hits; " . calls(1, "$mixed AS b", 1));
is_deeply([ $outcome, $fills ], [ 'cheap', 0 ], '... and such that do, in another session');
($outcome, $fills) = counted("SET cached_query.nondeterministic = cache; $dear_hits; " . calls(2, "$mixed AS b", 1));
is_deeply([ $outcome, $fills ], [ 'hit, miss_cold', 1 ], '... which the next one keeps');

# Who asks otherwise is not concerned.
($outcome) = counted("$dear_hits; " . calls(2, 'SELECT ($1 + 8)::text') . '; SET cached_query.min_fill_time = 0; ' . calls(3, 'SELECT ($1 + 8)::text'));
is($outcome, 'cheap x2, hit x2, miss_cold', 'without -1 nothing is run directly');
($outcome) = counted("$dear_hits; " . calls(2, 'SELECT ($1 + 9)::text') . '; SET cached_query.mode = refresh; ' . calls(1, 'SELECT ($1 + 9)::text'));
is($outcome, 'cheap x3', 'mode refresh tries at once');

store_is_idle($node, 'nothing is left pinned');
$node->stop;
done_testing();
