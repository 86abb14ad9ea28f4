# Whom a call waits for that wants what another one computes: the log tells with log_lock_waits.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', 'deadlock_timeout = 100ms', 'log_lock_waits = on', 'cached_query.trusted_functions = nap', 'log_min_messages = log');
$node->safe_psql('postgres', slow_functions() . 'CREATE TABLE t (v int); INSERT INTO t VALUES (1)');
my @clients = map { CachedQueryTest::Deaf->connect($node) } 1 .. 2;
my $call = rows_of(q{SELECT slow(2, 'x')}, '1h', 'v text');

foreach my $setting ('on', 'off')
{
	my $offset = -s $node->logfile;

	$_->ask("SET log_lock_waits = $setting") foreach @clients;
	$node->safe_psql('postgres', 'SELECT cached_query_clear()');
	$clients[0]->send($call);
	ok(wait_until(sub { return slurp_file($node->logfile, $offset) =~ /executing x/; }, 10), 'one computes');
	$clients[1]->send($call);
	is($_->until_ready->{first}, 'x 1', 'an answer') foreach @clients;
	my @lines = slurp_file($node->logfile, $offset) =~ /process (\d+) still waits for a result that process (\d+) computes/g;
	is_deeply(\@lines, $setting eq 'on' ? [ $clients[1]{pid}, $clients[0]{pid} ] : [], "log_lock_waits = $setting: what the log says");
}
$node->stop;
done_testing();
