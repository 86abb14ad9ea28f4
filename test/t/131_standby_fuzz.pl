# The randomized checker of exact answers, test/fuzz/exact.c, with readers on a standby: cached and direct answers under
# one snapshot while the primary writes tracked tables and tells which keys it writes.  With a standby that passes over some
# records, and with a primary that does not tell the keys of old rows, it has to find mismatches.
#
# CQ_STANDBY_FUZZ_SECONDS is how long the first run takes (2); with 10 and more there are all the others, too.
# CQ_FUZZ_SEED is the seed (1).

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{CQ_STANDBY_FUZZ_SECONDS} || 2;
my $primary = start_node('primary', { allows_streaming => 1 }, 'max_prepared_transactions = 50', 'max_connections = 60', 'fsync = off',
	'log_min_messages = warning', 'log_statement = none', 'cached_query.tell_standbys = on');

plan skip_all => 'needs a build with CQ_DEBUG=1' unless defined store_state($primary);

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "hot_standby_feedback = on\nmax_standby_streaming_delay = 5s\ndeadlock_timeout = 100ms");
$standby->start;

my @seed = ('--seed', $ENV{CQ_FUZZ_SEED} || 1);

# Settings of the process that replays.
sub replays
{
	my (%settings) = @_;

	$standby->append_conf('postgresql.conf', join "\n", map { "cached_query.debug_$_ = $settings{$_}" } sort keys %settings);
	$standby->reload;
	return;
}

sub check
{
	my ($name, @options) = @_;
	my $settings = ref $options[0] ? shift @options : [];

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	check_exact([ $primary, $standby ], $name, $settings, @seed, @options);
	return;
}

replays(sleep_pre_commit => 1000, sleep_commit => 1000, room => 1);
check('slowly, room for one', '--track', '--seconds', $seconds);
if ($seconds >= 10)
{
	check('statements, slowly, room for one', '--track', '--seconds', $seconds, '--auto');
	check('not tracked, slowly, room for one', '--seconds', $seconds);
	replays(sleep_pre_commit => 0, sleep_commit => 0, room => 11);
	check('plain', '--track', '--seconds', $seconds);
	check('counts not compared', ['debug_track_lie=2'], '--track', '--seconds', 6, '--expect-mismatches');
	my %ignored = (1 => 'INSERT', 2 => 'DELETE', 4 => 'UPDATE', 16 => 'subtransactions');
	foreach my $kind (sort { $a <=> $b } keys %ignored)
	{
		replays(replay_ignores => $kind);
		check("without $ignored{$kind}", '--seconds', 6, '--expect-mismatches');
	}
}
replays(sleep_pre_commit => 0, sleep_commit => 0, room => 11);
check('keys of old rows not told', ['debug_track_lie=1'], '--track', '--seconds', 2, '--expect-mismatches');
replays(replay_ignores => 31);
check('nothing is noted', '--seconds', 2, '--expect-mismatches');

store_is_idle($standby, 'nothing is left pinned');
unlike(slurp_file($_->logfile), qr/TRAP: |PANIC: |terminated by signal/, 'no crash: ' . $_->name) foreach $primary, $standby;
$standby->stop;
$primary->stop;
done_testing();
