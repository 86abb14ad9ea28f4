# Background refresh is for all: who keeps the queue full makes nobody's answers old.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

$SIG{PIPE} = 'IGNORE';

my $node = start_node('main',
	'max_connections = 60',
	'log_min_messages = warning',
	'log_statement = none',
	'cached_query.refresh_workers = 1');

$node->safe_psql('postgres', q{
	CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE carol LOGIN;
	CREATE TABLE ran (who text, at timestamptz DEFAULT clock_timestamp());
	CREATE FUNCTION slow(seconds float8, what text) RETURNS text LANGUAGE plpgsql STABLE AS $$
	BEGIN PERFORM pg_sleep(seconds); RETURN what || extract(epoch FROM clock_timestamp()); END $$});

sub value { return $node->safe_psql('postgres', $_[0]); }

sub session
{
	my ($role, @settings) = @_;
	my $client = CachedQueryTest::Deaf->connect($node);

	$client->ask("SET SESSION AUTHORIZATION $role");
	$client->ask("SET $_") foreach 'cached_query.refresh = background', "cached_query.stale_for = '300s'", @settings;
	return $client;
}

sub counter { return value("SELECT $_[0] FROM cached_query_stats"); }

# The age of an answer that tells when it was computed.
sub age
{
	my ($client, $call) = @_;
	my $answer = $client->ask($call);

	die $answer->{sqlstate} if $answer->{sqlstate};
	return time() - ($answer->{first} =~ /([0-9.]+)$/)[0];
}

# alice has a hundred answers that are old as soon as they are there, and asks for all of them, always
my @flood = map { session('alice') } 1 .. 4;
my @calls = map { rows_of("SELECT slow(0.05, '$_ ')", '1ms', 'v text') } 1 .. 100;
$flood[0]->ask($_) foreach @calls;

my %one = (
	bob => session('bob'),
	carol => session('carol'));
my %call = map { $_ => rows_of("SELECT slow(0.01, '$_ ')", '1s', 'v text') } keys %one;
age($one{$_}, $call{$_}) foreach keys %one;

my %oldest = (bob => 0, carol => 0);
my $skipped = counter('refreshes_skipped');
my $refreshes = counter('refreshes');
my $end = time() + 10;
my $n = 0;
while (time() < $end)
{
	$_->send($calls[ $n++ % @calls ]) foreach @flood;
	foreach my $role (keys %one)
	{
		my $age = age($one{$role}, $call{$role});
		$oldest{$role} = $age if $age > $oldest{$role};
	}
	$_->until_ready foreach @flood;
}
# ttl 1 s, a second until it is the caller's, the age at which it was asked for, and a busy machine
cmp_ok($oldest{$_}, '<', 6, "$_: no answer grew old") foreach sort keys %oldest;
cmp_ok(counter('refreshes'), '>', $refreshes + 5, 'workers renewed answers');
is(value("SELECT count(*) > 0 FROM cached_query_entries WHERE role = 'alice' AND state = 'stale'"), 't', 'what is past its ttl is shown as stale');
is(value("SELECT string_agg(DISTINCT state, ',') FROM cached_query_entries WHERE role = 'alice' AND state IN ('fresh', 'expired')"), '', '... and not as fresh');

# Workers change sides: with time enough for the callers, all of bob's refreshes are a worker's.
my $slow = rows_of("SELECT slow(2, 'bob ')", '1s', 'v text');
$one{bob}->ask($slow);
$end = time() + 12;
my $worst = 0;
my $slowest = 0;
while (time() < $end)
{
	$_->send($calls[ $n++ % @calls ]) foreach @flood;
	my $start = time();
	my $age = age($one{bob}, $slow);
	$worst = $age if $age > $worst;
	$slowest = time() - $start if time() - $start > $slowest;
	$_->until_ready foreach @flood;
}
cmp_ok($slowest, '<', 1.5, 'a worker renews the slow one, and bob never waits');
cmp_ok($worst, '<', 12, '... nor is it old');

$_->close foreach @flood, values %one;
ok(wait_until(sub { value(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'cached_query refresh worker'}) == 0 }, 30), 'workers go when nobody asks');
store_is_idle($node, 'nothing is left');
log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
