# Queries that take as long as their callers like keep the cache from nobody: all fills together hold no more than a
# quarter of the memory, free or not, and a small share of good answers' room, whether their sizes are known or
# not; others go on. However a fill ends, what it held is counted no more.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', 'cached_query.memory = 32MB', 'max_parallel_workers_per_gather = 0', 'restart_after_crash = on');
my $rows = 3200;

sub sql { return $node->safe_psql('postgres', @_) }

sql(q{CREATE TABLE pace (seconds int); INSERT INTO pace VALUES (0)});

# About 3.5 MB each, nearly as much as an answer may have; before its last row it takes its time.
sub call
{
	my ($number) = @_;

	return "SELECT count(*), sum(g), min(length(x)) FROM cached_query('SELECT g, repeat(md5((g + \$1)::text), 32) FROM generate_series(1, $rows) AS g "
	  . "WHERE g < $rows OR pg_sleep((SELECT seconds FROM pace)) IS NOT NULL', '1h', $number) AS t(g int, x text)";
}

my $right = join '|', $rows, $rows * ($rows + 1) / 2, 1024;

sub start
{
	my ($seconds, @numbers) = @_;
	my @clients;

	sql("UPDATE pace SET seconds = $seconds");
	foreach my $number (@numbers)
	{
		my $client = CachedQueryTest::Deaf->connect($node);

		$client->ask('SET cached_query.nondeterministic = cache');
		$client->send(call($number));
		push @clients, $client;
	}
	return @clients;
}

sub sleepers { return sql(q{SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE '%FROM pace%'}) }

sub all_sleep
{
	my ($count) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(wait_until(sub { sleepers() == $count }, 180), "$count queries are under way");
	return;
}

# Memory that belongs to no answer that others find, as a part of all.
sub unpublished
{
	my $state = store_state($node);
	my ($total) = sql('SELECT memory_total / 256 FROM cached_query_stats');

	return defined $state ? $state->{unlinked} / $total : 0;
}

# Calls for $count answers of $length bytes and a few hundred more, numbers from $from on.
sub fill
{
	my ($from, $count, $length) = @_;

	return "SELECT count(*) FROM generate_series($from, $from + $count - 1) AS g, "
	  . "LATERAL cached_query('SELECT repeat(chr(65 + \$1 % 26), $length)', '1h', g) AS t(x text)";
}

sub small { return sql('SELECT count(*) FROM cached_query_entries WHERE rows = 1') }

sub cancel
{
	sql(q{SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE query LIKE '%FROM pace%' AND pid <> pg_backend_pid()});
	foreach my $client (@_)
	{
		$client->until_ready;
		$client->close;
	}
	return;
}

# --- an empty cache ------------------------------------------------------------------------------------
my @clients = start(1000, 1 .. 10);
all_sleep(10);
cmp_ok(unpublished(), '<', 0.27, 'ten fills hold a quarter of an empty cache');
is((outcome_of($node, fill(1, 100, 500)))[0], 'miss_cold x100', 'others fill');
is((outcome_of($node, fill(1, 100, 500)))[0], 'hit x100', '... and find it');
my $large = "SELECT count(*), sum(g) FROM cached_query('SELECT g, repeat(md5(g::text), 32) FROM generate_series(1, $rows) AS g', '1h') AS t(g int, x text)";
is((outcome_of($node, $large))[0], 'miss_cold', 'a large answer is kept, too');
is((outcome_of($node, $large))[0], 'hit', '... and found');
is(small(), 100, 'nothing was evicted for that');

# one ends by FATAL, one by SIGINT
sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%FROM pace%' AND pid <> pg_backend_pid() LIMIT 1});
ok(wait_until(sub { sleepers() == 9 }), 'one is terminated');
cancel(@clients);
store_is_idle($node, 'nothing is held after cancels and a termination');

# --- they end well ------------------------------------------------------------------------------------------
sql('SELECT cached_query_clear()');
@clients = start(3, 11 .. 18);
is_deeply([ map { $_->until_ready->{first} } @clients ], [ ($right) x 8 ], 'eight at once have all their rows');
$_->close foreach @clients;
store_is_idle($node, 'nothing is held after them');
cmp_ok(sql("SELECT count(*) FROM cached_query_entries WHERE rows = $rows"), '>=', 6, 'and are kept, those that were spilled as well');

# --- sizes that are known, a cache full of good answers -------------------------------------------------------
sql('UPDATE pace SET seconds = 0');
is(sql('SET cached_query.nondeterministic = cache; ' . call($_)), $right, "size of $_ is known") foreach 21 .. 28;
sql('SELECT cached_query_clear()');
sql(fill(1001, 7500, 4500));
my $good = small();
cmp_ok($good, '>', 5000, "$good good answers fill the cache");
@clients = start(1000, 21 .. 28);
all_sleep(8);
my $left = small();
cmp_ok($left, '>', $good * 7 / 8 - 200, "of $good good answers $left are there yet");
cmp_ok(unpublished(), '<', 0.27, 'what is under way has a quarter of the memory at most');
is((outcome_of($node, fill(20001, 100, 500)))[0], 'miss_cold x100', 'others fill');
is((outcome_of($node, fill(20001, 100, 500)))[0], 'hit x100', '... and find it');
cancel(@clients);
store_is_idle($node, 'nothing is held any more');

# again and again: what is lost is lost once
foreach my $round (1 .. 3)
{
	@clients = start(1000, 21 .. 28);
	all_sleep(8);
	cancel(@clients);
}
cmp_ok(small(), '>', $good * 7 / 8 - 300, 'rounds of them evict no more than one');

# --- one inside the other -----------------------------------------------------------------------------------------
sql(q{CREATE FUNCTION nested(n int) RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN
	IF n = 0 THEN PERFORM pg_sleep(0.01); RETURN 0; END IF;
	RETURN (SELECT max(s) FROM cached_query('SELECT repeat(''x'', 400), CASE WHEN g = 100 THEN nested($1) ELSE 0 END FROM generate_series(1, 100) AS g', '1h', n - 1) AS t(x text, s bigint)) + 1;
END $$});
is(sql('SET cached_query.nondeterministic = cache; SELECT nested(20)'), '20', 'twenty fills in each other');
store_is_idle($node, 'nothing is held after them');

# --- a crash ------------------------------------------------------------------------------------------------------
@clients = start(1000, 31 .. 36);
all_sleep(6);
my $offset = -s $node->logfile;
kill 'KILL', $clients[0]->pid;
recovers($node, $offset);
$_->close foreach @clients;
store_is_idle($node, 'after a crash nothing is held');
is((outcome_of($node, $large))[0], 'miss_cold', 'fills go on');
is((outcome_of($node, $large))[0], 'hit', '... and are found');
$node->stop;
done_testing();
