# Rows are as old as the snapshot that they are read by: a portal's is taken when it is made (Bind), and
# its Execute may come much later.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = start_node('main', 'log_min_messages = warning');

$node->safe_psql('postgres', 'CREATE TABLE t (v int); INSERT INTO t VALUES (0)');

my $client = CachedQueryTest::Deaf->connect($node);
my $other = CachedQueryTest::Deaf->connect($node);
my $n = 0;

# Bind now, and Execute after the table was changed: what a caller with a short ttl gets then.
sub late
{
	my ($name, $portal, $begin, $bind_only_after) = @_;
	my $query = 'SELECT v, ' . ++$n . ' FROM t';
	my $call = rows_of($query, '1h', 'v int, n int');

	$other->ask('UPDATE t SET v = 0');
	$client->ask($begin);
	$client->put('P', "\0$call\0" . pack('n', 0));
	sleep 1 if $bind_only_after;
	$client->put('B', "$portal\0\0" . pack('nnn', 0, 0, 0));
	$client->sync;
	$client->until_ready;
	$other->ask('UPDATE t SET v = 1');
	sleep 2.5;
	$client->put('E', "$portal\0" . pack('N', 0));
	$client->sync;
	is($client->until_ready->{first}, "0|$n", "$name: the portal shows the moment of its Bind");
	$client->ask('COMMIT');

	my $age = $other->ask("SELECT extract(epoch FROM clock_timestamp() - created) FROM cached_query_entries WHERE query = '$query'")->{first};
	cmp_ok($age, '>=', 2.4, "$name: the entry is as old as that");
	is($other->ask(rows_of($query, '2s', 'v int, n int'))->{first}, "1|$n", "$name: a caller with a ttl of 2 s gets newer rows");
	return;
}

late('unnamed portal', '', 'BEGIN');
late('named portal', 'p', 'BEGIN');
late('REPEATABLE READ', '', 'BEGIN ISOLATION LEVEL REPEATABLE READ');
late('after a while', '', 'BEGIN', 1);

# Nothing was changed: rows of an old snapshot are as new as any.
my $call = rows_of('SELECT v FROM t', '1h', 'v int');
$client->ask('BEGIN');
$client->put('P', "\0$call\0" . pack('n', 0));
$client->put('B', "\0\0" . pack('nnn', 0, 0, 0));
$client->sync;
$client->until_ready;
sleep 1.5;
$client->put('E', "\0" . pack('N', 0));
$client->sync;
$client->until_ready;
$client->ask('COMMIT');
cmp_ok($other->ask("SELECT extract(epoch FROM clock_timestamp() - created) FROM cached_query_entries WHERE query = 'SELECT v FROM t'")->{first}, '<', 1.4, 'nothing was changed: of now');

log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
