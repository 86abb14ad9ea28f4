# Statements that are answered from the cache are held to its limits as calls are: quota, largest entry, memory in
# use.  Portals with a row limit go on with the result that they began with.  A role or a database that is
# dropped while a worker is to compute an old result gets nothing.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $node = start_node('main', 'cached_query.memory = 32MB', 'cached_query.auto_min_time = 0', 'log_min_messages = warning',
	'cached_query.refresh_workers = 2', 'max_parallel_workers_per_gather = 0');

sub sql { return $node->safe_psql('postgres', @_) }

sub outcomes_of
{
	return sql(q{SELECT string_agg(reason || ' ' || statements, ', ' ORDER BY reason COLLATE "C") FROM cached_query_reasons WHERE statements > 0});
}

sub reset_counters
{
	sql('SELECT cached_query_stats_reset()');
	return;
}

sub session
{
	my ($before, $database) = @_;
	my $session = CachedQueryTest::Deaf->connect($node, $database);

	$session->ask($_) foreach 'SET cached_query.auto = exact', $before;
	return $session;
}

# Of about $kb kB; $number tells it from others.
sub rows { my ($number, $kb) = @_; return "SELECT id, repeat(md5((id + $number)::text), 32) FROM t WHERE id <= $kb" }

# The first row of the last of some runs.
sub runs
{
	my ($session, $query, $times) = @_;

	return (map { $session->ask($query)->{first} } 1 .. $times)[-1];
}

sql(q{
	CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 4000) AS g;
	CREATE TABLE versions AS SELECT g AS id, 'old' AS v FROM generate_series(1, 10) AS g;
	CREATE ROLE app LOGIN; GRANT SELECT ON t, versions TO PUBLIC;
	ALTER ROLE app SET cached_query.quota = '600kB'});

# ---- Quota and the largest entry ----

my $other = session('SELECT 1');

sql(q{ALTER ROLE app SET cached_query.auto = exact});
runs($other, rows(0, 100), 3);
reset_counters();
sub as_app
{
	return $node->safe_psql('postgres', $_[0], extra_params => [ '-U', 'app' ]);
}
as_app(join '; ', map { my $query = rows($_, 100); ($query, $query, $query) } 1 .. 9);
like(outcomes_of(), qr/^ghost 9, hit \d+, miss_cold \d+/, 'nine results of a role with room for five');
my ($bytes, $entries) = split /\|/, sql(q{SELECT bytes, entries FROM cached_query_usage WHERE role = 'app'});
cmp_ok($bytes, '<=', 600 * 1024, 'take no more than its quota');
cmp_ok($entries, '>=', 3, 'and are kept up to that');
as_app(join '; ', map { rows(50, 1000) } 1 .. 3);
like(outcomes_of(), qr/over_quota [12]/, 'one that is larger is run');
reset_counters();
runs($other, rows(0, 100), 1);
is(outcomes_of(), 'hit 1', "another role's result is still there");
reset_counters();
is($other->ask('SET cached_query.max_entry_size = 64')->{sqlstate}, '', 'the largest entry');
$other->ask(rows(60, 500)) foreach 1 .. 3;
like(outcomes_of(), qr/too_large [12]/, 'one that is larger than max_entry_size is run');
$other->ask('RESET cached_query.max_entry_size');

# ---- Memory in use ----

my $pinned = rows(70, 2000);
my $whole = $other->ask($pinned);

runs($other, $pinned, 2);
reset_counters();
is($other->ask($pinned)->{rows}, 2000, 'a large result');
is(outcomes_of(), 'hit 1', 'is a hit');
$other->ask('SET cached_query.max_pinned = 100');
is_deeply([ @{ $other->ask($pinned) }{qw(rows first sqlstate)} ], [ @{$whole}{qw(rows first sqlstate)} ], 'beyond max_pinned it is the same');
is(outcomes_of(), 'hit 1, no_memory 1', 'but run');
$other->ask('RESET cached_query.max_pinned');
store_is_idle($node, 'nothing stays in use');

# ---- Portals with a row limit, within a ttl ----

my $ttl = '/* cached_query: ttl=200ms */ SELECT id, v FROM versions ORDER BY id';
my $limited = session('SET cached_query.stale_for = 1000000; SET cached_query.refresh = background');

sub refreshes { return sql('SELECT refreshes FROM cached_query_stats') }

is(runs($limited, $ttl, 3), '1|old', 'a result within a ttl');
sleep 0.25;
sql(q{UPDATE versions SET v = 'new'});
my $before = refreshes();
$limited->ask('BEGIN');
$limited->prepare('', $ttl);
$limited->execute('', [], 4);
$limited->sync;
my $part = $limited->until_ready;
is("$part->{rows} $part->{first}", '4 1|old', 'the first rows, stale');
ok(wait_until(sub { refreshes() > $before }, 20), 'a worker computes the result anew');
is(runs($other, $ttl, 1), '1|new', 'others have the new one');
$limited->put('E', "\0" . pack('N', 3));
$limited->sync;
$part = $limited->until_ready;
is("$part->{rows} $part->{first}", '3 5|old', 'the portal goes on with the old one');
$limited->put('E', "\0" . pack('N', 0));
$limited->sync;
$part = $limited->until_ready;
is("$part->{rows} $part->{first} $part->{sqlstate}", '3 8|old ', 'to its end');
$limited->ask('COMMIT');
is(runs($limited, $ttl, 1), '1|new', 'the next one is new');
store_is_idle($node, 'nothing stays in use');

# ---- A role or a database that is dropped before a worker comes ----

sub gone
{
	my ($session, $name, $drop) = @_;

	is(runs($session, $ttl, 3), '1|' . ($name eq 'role' ? 'new' : 'there'), "$name: a result");
	sleep 0.25;
	$before = refreshes();
	$drop->();
	sleep 0.3;
	is(refreshes(), $before, "$name: nothing is computed after it was dropped");
	return;
}

sql('CREATE ROLE carol LOGIN');
my $carol = session('SET cached_query.stale_for = 1000000; SET cached_query.refresh = background; SET SESSION AUTHORIZATION carol');
gone($carol, 'role', sub { sql('DROP ROLE carol'); $carol->ask($ttl) });
$carol->close;
sql('CREATE DATABASE gone');
add_extension($node, 'gone');
$node->safe_psql('gone', q{CREATE TABLE versions AS SELECT 1 AS id, 'there' AS v});
my $guest = session('SET cached_query.stale_for = 1000000; SET cached_query.refresh = background', 'gone');
my $postmaster = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
my $dropper = session('SELECT 1');
my $dropped;
gone($guest, 'database', sub {
	# the worker that is asked for can't start before the database has gone
	kill 'STOP', $postmaster;
	is($guest->ask($ttl)->{first}, '1|there', 'database: a worker is asked for');
	$guest->close;
	$dropped = $dropper->ask('DROP DATABASE gone');
	kill 'CONT', $postmaster;
});
is($dropped->{sqlstate}, '', 'the request does not keep a database');
is(sql('SELECT count(*) FROM cached_query_entries WHERE database IS NULL AND state = \'fresh\''), '0', 'nothing is left of it');

$_->close foreach $other, $limited, $dropper;
log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
