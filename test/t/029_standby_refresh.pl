# stale_for and refresh on a hot standby: callers and workers renew as on a primary, but only when
# something was replayed since: an answer can't be younger than the last commit that came.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $primary = start_node('primary', { allows_streaming => 1 }, "cached_query.trusted_functions = 'public.nap'");

$primary->safe_psql('postgres', q{
	CREATE TABLE t (v int);
	INSERT INTO t VALUES (1);
	CREATE ROLE reader LOGIN;
	GRANT SELECT ON t TO reader;
	CREATE FUNCTION nap(float8) RETURNS void LANGUAGE internal STABLE STRICT AS 'pg_sleep';
	CREATE FUNCTION slow(seconds float8) RETURNS int LANGUAGE plpgsql STABLE AS $$
	BEGIN
		PERFORM nap(seconds);
		RETURN (SELECT max(v) FROM t);
	END $$});
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

sub write_and_replay
{
	$primary->safe_psql('postgres', "UPDATE t SET v = $_[0]");
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
	return;
}

sub counter { return $standby->safe_psql('postgres', "SELECT $_[0] FROM cached_query_stats"); }

sub session
{
	my (@settings) = @_;
	my $session = CachedQueryTest::Deaf->connect($standby);

	$session->ask("SET $_") foreach "cached_query.stale_for = '1h'", @settings;
	return $session;
}

sub first { my ($session, $call) = @_; my $answer = $session->ask($call); return $answer->{sqlstate} || $answer->{first}; }

# ---- By a caller ----

my $call = rows_of('SELECT slow(0.7)', '200ms', 'v int');
my ($one, $two) = (session(), session());

write_and_replay(2);
is(first($one, $call), 2, 'caller: filled');
write_and_replay(3);
sleep 0.3;
$one->send($call);
sleep 0.2;
my $start = time();
is(first($two, $call), 2, 'caller: another one takes the stale rows');
cmp_ok(time() - $start, '<', 0.5, '... at once');
is($one->until_ready->{first}, 3, '... while one renews them');
is(first($two, $call), 3, '... for all');

# Nothing was written since, so nothing can be newer: the primary is idle, not the answer old.
sleep 1;
my ($fills, $stale) = (counter('fills'), counter('stale_hits'));
is(first($two, $call), 3, 'idle: the same rows') foreach 1 .. 5;
is(counter('fills') - $fills, 0, '... are not computed again');
is(counter('stale_hits') - $stale, 5, '... and said to be stale');
write_and_replay(4);
is(first($two, $call), 4, 'written: renewed');

# ---- By a worker ----

$_->ask('SET cached_query.refresh = background') foreach $one, $two;
my $background = rows_of('SELECT max(v) FROM t', '200ms', 'v int');
is(first($one, $background), 4, 'background: filled');
write_and_replay(5);
sleep 0.3;
my $refreshes = counter('refreshes');
is(first($one, $background), 4, 'background: the stale rows at once');
ok(wait_until(sub { first($two, $background) eq '5' }, 20), '... renewed by a worker');
cmp_ok(counter('refreshes') - $refreshes, '>=', 1, '... of the standby');
sleep 0.3;
$refreshes = counter('refreshes');
is(first($one, $background), 5, 'idle: the same rows') foreach 1 .. 5;
sleep 0.5;
is(counter('refreshes') - $refreshes, 0, '... and no worker is asked');

# As the role that asked, which loses its rights by replay.
my $reader = session('cached_query.refresh = background');
$reader->ask('SET SESSION AUTHORIZATION reader');
is(first($reader, $background), 5, 'another role has the same answer');
$primary->safe_psql('postgres', 'REVOKE SELECT ON t FROM reader');
write_and_replay(6);
sleep 0.3;
is(first($reader, $background), '42501', 'no longer: it lost its rights');
ok(wait_until(sub { first($two, $background) eq '6' }, 20), 'who has them gets the new rows');

# ---- Promotion ----

$standby->promote;
$standby->safe_psql('postgres', 'UPDATE t SET v = 7');
sleep 0.3;
ok(wait_until(sub { first($two, $background) eq '7' }, 20), 'promoted: refreshed by a worker');
$two->ask('SET cached_query.refresh = caller');
$standby->safe_psql('postgres', 'UPDATE t SET v = 8');
sleep 0.3;
is(first($two, $call), 8, 'promoted: and by a caller');

$_->close foreach $one, $two, $reader;
store_is_idle($standby, 'nothing is pinned');
log_is_quiet($standby, 'nothing to complain about');
$standby->stop;
$primary->stop;
done_testing();
