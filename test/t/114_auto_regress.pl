# The tests of sql/ with cached_query.auto: all their statements, those inside functions too, are answered
# from the cache where they can be, and the results are the expected ones.  Once as it is, and once with each
# answer filled first and taken from the entry.  Left out are tests that count what is in the cache.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', { extra => [ '--encoding=UTF8', '--locale=C' ] }, 'cached_query.memory = 64MB', 'max_prepared_transactions = 10',
	'track_functions = none', 'jit = off', 'fsync = off', 'cached_query.auto = exact', 'cached_query.auto_min_time = 0', 'cached_query.auto_nested = on');

plan skip_all => 'needs a build with CQ_DEBUG=1' unless defined store_state($node);

# slots of what definitions creates and auto_invalidate invalidates may meet those of what they keep, by the numbers
# that objects get
my %counting = map { $_ => 1 } qw(init auto auto_explain auto_hints auto_invalidate auto_observe auto_rules auto_track auto_ttl basic objects pruned stats definitions);
my @tests = grep { !$counting{$_} } map { m{([^/]+)\.sql$} } sort glob("$FindBin::RealBin/../../sql/*.sql");

foreach my $filled ('off', 'on')
{
	$node->append_conf('postgresql.conf', "cached_query.debug_auto_hide = on\ncached_query.debug_auto_fill_first = $filled");
	$node->restart;
	run_regress($node, @tests);
	cmp_ok($node->safe_psql('postgres', q{SELECT statements FROM cached_query_reasons WHERE reason = 'hit'}), '>', $filled eq 'on' ? 500 : 50,
		"filled first $filled: there were hits");
	store_is_idle($node, "filled first $filled: nothing is left pinned");
	$node->safe_psql('postgres', 'DROP DATABASE IF EXISTS contrib_regression');
}

unlike(slurp_file($node->logfile), qr/TRAP: |PANIC: |terminated by signal|cached_query .* leak/, 'no crash, no leak');
$node->stop;
done_testing();
