# Open cursors don't keep the cache from others: a session has no more of it in use than
# cached_query.max_pinned, all sessions together no more than half, and rows beyond that are copied.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', 'cached_query.memory = 32MB', 'max_parallel_workers_per_gather = 0');

sub sql { return $node->safe_psql('postgres', @_) }

# About 3 MB each.
sub call
{
	my ($number) = @_;

	return "SELECT * FROM cached_query('SELECT g, repeat(md5((g + \$1)::text), 30) FROM generate_series(1, 3000) AS g ORDER BY g', '1h', $number) AS t(g int, x text)";
}

sub new_fill
{
	my ($name, $first) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	foreach my $number ($first .. $first + 2)
	{
		is((outcome_of($node, 'SELECT count(*) FROM (' . call($number) . ') AS q'))[0], 'miss_cold', $name);
	}
	return;
}

# The rest of a cursor's rows after the first one, against what the query brings.
sub right
{
	my ($client, $cursor, $number) = @_;
	my $answer = $client->ask("FETCH ALL FROM $cursor");

	return $answer->{rows} == 2999 && $answer->{first} eq $client->ask(
		"SELECT 2, repeat(md5((2 + $number)::text), 30)")->{first};
}

# --- one session, many cursors ------------------------------------------------------------------------
my $client = CachedQueryTest::Deaf->connect($node);
$client->ask('BEGIN');
foreach my $number (1 .. 10)
{
	my $answer = $client->ask("DECLARE c$number CURSOR FOR " . call($number) . "; FETCH 1 FROM c$number");

	is($answer->{sqlstate}, '', "cursor $number begins");
}
my $state = store_state($node);
cmp_ok($state->{pins}, '<=', 2, 'one or two answers are in use, of ten') if defined $state;
new_fill('others can fill', 101);
ok(right($client, 'c1', 1), 'the first cursor goes on');
ok(right($client, 'c7', 7), 'a later one, too');
$client->ask('COMMIT');

# as hits, with SCROLL
$client->ask('BEGIN');
my $scroll = 'DECLARE s SCROLL CURSOR FOR ' . call(104);
$client->ask($scroll . '; FETCH 1 FROM s; DECLARE d CURSOR FOR ' . call(101) . '; FETCH 1 FROM d; DECLARE e SCROLL CURSOR FOR ' . call(101) . '; FETCH 10 FROM e');
is($client->ask('FETCH BACKWARD 3 FROM e')->{first}, $client->ask('SELECT 9, repeat(md5((9 + 101)::text), 30)')->{first}, 'a copied answer can be read backward');
is($client->ask('MOVE ABSOLUTE 0 IN e; FETCH 1 FROM e')->{first}, $client->ask('SELECT 1, repeat(md5((1 + 101)::text), 30)')->{first}, 'and again');
$client->ask('COMMIT');
store_is_idle($node, 'nothing stays in use');

# --- a limit of one's own --------------------------------------------------------------------------------
sql(q{CREATE ROLE app LOGIN; ALTER ROLE app SET cached_query.max_pinned = '100kB'});
my (undef, undef, $error) = $node->psql('postgres', "SET cached_query.max_pinned = '1GB'", extra_params => [ '-U', 'app' ]);
like($error, qr/permission denied to set parameter/, 'only a superuser sets it');
$client->ask(q{SET cached_query.max_pinned = '100kB'; BEGIN});
$client->ask('DECLARE f CURSOR FOR ' . call(101) . '; FETCH 1 FROM f');
$state = store_state($node);
is($state->{pins}, 0, 'what is larger than the limit is copied') if defined $state;
ok(right($client, 'f', 101), 'and has all its rows');
$client->ask('COMMIT');
is((outcome_of($node, q{SET cached_query.max_pinned = '100kB'; SELECT count(*) FROM (} . call(105) . ') AS q'))[0], 'miss_cold', 'a fill beyond it is kept');
is((outcome_of($node, 'SELECT count(*) FROM (' . call(105) . ') AS q'))[0], 'hit', 'and found');
is((outcome_of($node, q{SET cached_query.max_pinned = 0; SELECT count(*) FROM (} . call(105) . ') AS q'))[0], 'hit', 'a limit of 0: every answer is copied');

# --- many sessions, each within its limit ------------------------------------------------------------------
my @clients = map { CachedQueryTest::Deaf->connect($node) } 1 .. 12;
my $number = 200;
foreach my $one (@clients)
{
	$number++;
	my $answer = $one->ask("BEGIN; DECLARE c CURSOR FOR " . call($number) . '; FETCH 1 FROM c');

	is($answer->{sqlstate}, '', "session $number has a cursor");
}
$state = store_state($node);
cmp_ok($state->{pins}, '<=', 6, 'twelve sessions with a tenth of the memory each have half of it in use') if defined $state;
new_fill('others can fill', 301);
$number = 200;
foreach my $one (@clients)
{
	$number++;
	ok(right($one, 'c', $number), "session $number goes on");
}
# the same answer in many sessions counts once
$_->ask('COMMIT') foreach @clients;
$_->ask('BEGIN; DECLARE c CURSOR FOR ' . call(101) . '; FETCH 1 FROM c') foreach @clients;
$state = store_state($node);
is($state->{pins}, 12, 'one answer may be in use by all') if defined $state;
$_->close foreach @clients;

# --- many small ones ------------------------------------------------------------------------------------------
$client->ask(q{SET cached_query.max_pinned = '200kB'; BEGIN});
foreach my $i (1 .. 100)
{
	$client->ask("DECLARE k$i CURSOR FOR SELECT * FROM cached_query('SELECT g + \$1, repeat(''x'', 4000) FROM generate_series(1, 2) AS g', '1h', $i) AS t(g int, x text); FETCH 1 FROM k$i");
}
$state = store_state($node);
cmp_ok($state->{pins}, '<=', 25, 'a hundred cursors of 8 kB have 200 kB in use') if defined $state;
is($client->ask('FETCH ALL FROM k90')->{first} =~ /^92\|/, 1, 'and the rows of each');
$client->ask('COMMIT');
$client->close;
store_is_idle($node, 'nothing stays in use');
log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
