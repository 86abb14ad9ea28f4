# What can't be kept evicts nothing that is: results that turn out too large, many at once and again
# and again, cost a full cache a small share of its answers at most.  A large result that does fit is
# kept, in long pieces also where it takes the room of thousands of small ones.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main',
	'cached_query.memory = 64MB',
	'max_parallel_workers_per_gather = 0');

sub sql { return $node->safe_psql('postgres', @_) }

# $count answers of one row of $length bytes, with numbers from $from on.
sub fill_small
{
	my ($from, $count, $length) = @_;

	sql("SELECT count(*) FROM generate_series($from, $from + $count - 1) AS g, LATERAL cached_query('SELECT repeat(chr(65 + \$1 % 26), $length)', '1h', g) AS t(x text)");
	return;
}

# How many of these are there yet; asks nothing of the cache.
sub survivors
{
	return sql("SELECT count(*) FROM cached_query_entries WHERE rows = 1");
}

# A result of so many rows of about 1,000 bytes.
sub large
{
	my ($first, $rows) = @_;

	return "SELECT g, repeat(md5(g::text), 31) FROM generate_series($first, $first + $rows - 1) AS g";
}

sub cached
{
	my ($query) = @_;

	return "SELECT count(*), sum(g), md5(string_agg(x, '' ORDER BY g)) FROM cached_query(\$q\$$query\$q\$, '1h') AS t(g int, x text)";
}

# Nothing but good answers: as many as the memory holds.
fill_small(1, 1400, 48000);
my $good = survivors();
cmp_ok($good, '>', 1200, "$good good answers fill the cache");
cmp_ok(sql('SELECT memory_total - memory_used FROM cached_query_stats'), '<', 1024 * 1024, 'little is free');

# --- too large, eight at once; twice, and others ------------------------------------------------
foreach my $round (1 .. 4)
{
	my @clients = map { CachedQueryTest::Deaf->connect($node) } 1 .. 8;
	my $client = 0;
	my $shift = $round == 2 ? 1 : $round;

	$_->send(cached(large($shift * 100 + $client++, 20000))) foreach @clients;
	is_deeply([ map { $_->until_ready->{first} =~ /^(\d+)/ } @clients ], [ (20000) x 8 ],
		"round $round: eight results too large to be kept have all their rows");
	$_->close foreach @clients;
}
is(outcomes($node)->{too_large}, 32, 'all were counted as too large');
my $left = survivors();
cmp_ok($left, '>=', $good * 15 / 16 - 10, "of $good good answers $left are there yet");
is(sql('SELECT count(*) FROM cached_query_entries WHERE rows > 1'), 0, 'and nothing else');
store_is_idle($node, 'no memory is lost');

# --- too large the last time, and not any more ---------------------------------------------------
sql('CREATE TABLE shrinks AS SELECT g, repeat(md5(g::text), 31) AS x FROM generate_series(1, 20000) AS g');
my $shrinks = cached('SELECT g, x FROM shrinks');
is((outcome_of($node, $shrinks))[0], 'too_large', 'a table is too large');
sql('DELETE FROM shrinks WHERE g > 3000');
my $direct = sql("SELECT count(*), sum(g), md5(string_agg(x, '' ORDER BY g)) FROM shrinks");
# that it was too large is believed for some seconds
ok(wait_until(sub { return (outcome_of($node, $shrinks))[0] eq 'miss_cold' }, 60), 'is smaller now, and is kept');
is_deeply([ outcome_of($node, $shrinks) ], [ 'hit', $direct ], 'and found');

# --- not kept for another reason -----------------------------------------------------------------
fill_small(10001, 1400, 48000);
$good = survivors();
is((outcome_of($node, q{SET cached_query.min_fill_time = '1h'; } . cached(large(1, 7000))))[0], 'cheap', 'a result is not worth keeping');
cmp_ok(survivors(), '>=', $good * 15 / 16 - 10, 'it evicts nothing either');

# --- large and kept --------------------------------------------------------------------------------
# Memory that a large entry takes beyond its rows tells how many pieces it has: each has a head.
$node->append_conf('postgresql.conf', "cached_query.max_entry_size = '60MB'");
$node->restart;
my $rows = 50000;
sql(cached(large(1, $rows)));
my $empty = sql('SELECT bytes FROM cached_query_entries WHERE rows > 1');
$direct = sql("SELECT count(*), sum(g), md5(string_agg(x, '' ORDER BY g)) FROM (" . large(2, $rows) . ') AS t(g, x)');
sql('SELECT cached_query_clear()');
fill_small(20001, 150000, 1);
$good = survivors();
cmp_ok($good, '>', 100000, "$good small answers fill the cache");
is_deeply([ outcome_of($node, cached(large(2, $rows))) ], [ 'miss_cold', $direct ], 'a result that takes most of it is kept');
is_deeply([ outcome_of($node, cached(large(2, $rows))) ], [ 'hit', $direct ], 'and found');
my $bytes = sql('SELECT bytes FROM cached_query_entries WHERE rows > 1');
cmp_ok($bytes, '<', $empty * 1.006, "it lies in long pieces: $bytes bytes, in an empty cache $empty");
cmp_ok(survivors(), '>', 1000, 'and only what it needed is gone');
cmp_ok(sql('SELECT evictions FROM cached_query_stats'), '>', 80000, 'which counts as evicted');
store_is_idle($node, 'the store is sound');

# --- larger than all memory ----------------------------------------------------------------------
$node->append_conf('postgresql.conf', "cached_query.max_entry_size = '1GB'");
$node->restart;
fill_small(1, 1400, 48000);
$good = survivors();
is((outcome_of($node, cached(large(1, 80000))))[0], 'no_memory', 'a result larger than the cache is not kept');
cmp_ok(survivors(), '>=', $good * 15 / 16 - 10, 'and evicts little');
store_is_idle($node, 'the store is sound then, too');
log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
