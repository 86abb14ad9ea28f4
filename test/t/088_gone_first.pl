# What nobody may be served any more goes before any answer that is good, however few of it there is.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

# So few large answers fit that a search sees all of them: what follows is certain, not likely.
my $node = start_node('main', 'cached_query.memory = 8MB', 'log_min_messages = warning');
my $expired = 2;

sub sql { return $node->safe_psql('postgres', @_) }

sub sql_as_small { return $node->safe_psql('postgres', $_[0], extra_params => [ '-U', 'small' ]) }

sub fill
{
	my ($from, $to, $length, $ttl) = @_;

	return "DO \$do\$ BEGIN FOR i IN $from .. $to LOOP PERFORM FROM "
	  . "cached_query('SELECT repeat(''x'', $length) || \$1', '$ttl', i) AS t(v text); END LOOP; END \$do\$";
}

sub evictions { return split /\|/, sql('SELECT evictions, expirations FROM cached_query_stats') }

# Fills one after the other until something had to go; what went.
sub fill_until_full
{
	my ($run, $length) = @_;
	my ($good_before, $expired_before) = evictions();

	for my $number (1001 .. 1100)
	{
		$run->(fill($number, $number, $length, '1h'));

		my ($good, $expired) = evictions();

		return ($good - $good_before, $expired - $expired_before)
		  if $good + $expired > $good_before + $expired_before;
	}
	return ('nothing', 'nothing');
}

foreach my $round (1 .. 5)
{
	sql('SELECT cached_query_clear()');
	sql(fill(1, $expired, 130000, '10ms'));
	sql(fill(101, 130, 130000, '1h'));
	sleep 0.05;

	my ($good, $gone) = fill_until_full(\&sql, 130000);

	is($good, 0, "round $round: no good answer goes");
	cmp_ok($gone, '>', 0, '... but expired ones');
}

# The same within the quota of a role.
sql("CREATE ROLE small LOGIN; ALTER ROLE small SET cached_query.quota = '400kB'; SELECT cached_query_clear()");
foreach my $round (1 .. 5)
{
	sql('SELECT cached_query_clear()');
	# the answer that can't be served took longest to compute
	sql_as_small("SELECT FROM cached_query('SELECT repeat(''x'', 20000) || count(*) FROM generate_series(1, 500000)', '10ms') AS t(v text)");
	sql_as_small(fill(101, 110, 20000, '1h'));
	sleep 0.05;

	my ($good, $gone) = fill_until_full(\&sql_as_small, 20000);

	is($good, 0, "quota, round $round: no good answer goes");
	is($gone, 1, '... but the expired one');
}

store_is_idle($node, 'nothing is left pinned');
log_is_quiet($node, 'no warning');
$node->stop;
done_testing();
