# The randomized checker of exact answers, test/fuzz/exact.c: with room in the slots, with little and
# with none, with Redis, and with the check switched off, when it has to find mismatches.
#
# CQ_FUZZ_SECONDS is how long the first run takes (60), CQ_FUZZ_SEED the seed (1).

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RedisTest;
use Test::More;

my $fuzz = "$FindBin::RealBin/../fuzz";
my $redis = start_redis();
my $node = start_node('main', "cached_query.redis_url = '" . $redis->unix_url . "'", 'max_prepared_transactions = 50', 'max_connections = 60', 'fsync = off',
	'log_min_messages = warning');

plan skip_all => 'needs a build with CQ_DEBUG=1' unless defined store_state($node);

# The program is built here: it needs libpq's header and a C compiler, as the extension does.
sub build_checker
{
	my $program = PostgreSQL::Test::Utils::tempdir() . '/exact';
	my ($include, $lib) = map { chomp(my $dir = `pg_config $_`); $dir } '--includedir', '--libdir';

	# a copy of Debian's server has not all that is in these directories
	system_or_bail($ENV{CC} || 'cc', '-D_GNU_SOURCE', '-O2', '-Wall', "-I$include",
		'-I/usr/include/postgresql', "$fuzz/exact.c", '-o', $program, "-L$lib", "-Wl,-rpath,$lib", '-lpq');
	return $program;
}

# Runs the checker on fresh tables; its checks become ours.
sub check
{
	my ($name, $settings, @options) = @_;
	my $output;

	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	local $ENV{PGDATABASE} = 'postgres';
	local $ENV{PGOPTIONS} = join ' ', map { "-c cached_query.$_" } @$settings;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$node->safe_psql('postgres', slurp_file("$fuzz/exact.sql"));
	$node->safe_psql('postgres', 'SELECT cached_query_clear(); SELECT cached_query_stats_reset()');
	$output = run_program(@options);
	foreach my $line (split /\n/, $output)
	{
		if ($line =~ /^(not )?ok \d+ - (.*)/)
		{
			ok(!$1, "$name: $2");
		}
		elsif ($line =~ s/^# //)
		{
			note("$name: $line");
			diag($line) if $line =~ /^(MISMATCH|BROKEN|unexpected|seed)/;
		}
	}
	like($output, qr/^1\.\.\d+$/m, "$name: checker finished");
	return;
}

my $checker = build_checker();

sub run_program
{
	my $output = '';

	IPC::Run::run([ $checker, @_ ], '>', \$output, '2>&1');
	return $output;
}

my @seed = ('--seed', $ENV{CQ_FUZZ_SEED} || 1);

check('plain', [], @seed, '--seconds', $ENV{CQ_FUZZ_SECONDS} || 60);
check('room for one', ['debug_room=1'], @seed, '--seconds', 10);
check('no room', ['debug_room=0'], @seed, '--seconds', 10);
cmp_ok(outcomes($node)->{in_flight} || 0, '>', 0, 'no room: writers in flight are refused as that');
check('Redis', ['store=redis'], @seed, '--seconds', 10);
cmp_ok($node->safe_psql('postgres', 'SELECT redis_hits FROM cached_query_stats'), '>', 0, 'Redis: there were hits from it');
check('both', ['store=tiered'], @seed, '--seconds', 10);
check('never checked', ['debug_no_check=on'], @seed, '--seconds', 4, '--expect-mismatches');
check('never checked, Redis', ['debug_no_check=on', 'store=redis'], @seed, '--seconds', 4, '--expect-mismatches');

store_is_idle($node, 'nothing is left pinned');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_prepared_xacts'), '0', 'nor prepared');
my $log = slurp_file($node->logfile);
unlike($log, qr/TRAP: |PANIC: |terminated by signal/, 'no crash');
$node->stop;
done_testing();
