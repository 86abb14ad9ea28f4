# Background processes answer in every state to whom they owe an answer: to barriers and to who wants a
# database for himself, to requests to log their memory, to cancels, terminations, reloads and shutdowns, and
# they end with the postmaster.  The states: idle, Redis that takes connections and never answers, a long
# removal of keys, a long query, a rest, a warm start that waits.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RedisTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $redis = start_redis();
my $deaf = start_proxy(undef, sub { sleep 600; });
my $node = start_node('main', "cached_query.redis_url = '" . $redis->tcp_url . "'", 'cached_query.redis_namespace = a',
	'cached_query.store = tiered', 'cached_query.redis_timeout = 60s', 'cached_query.redis_connect_timeout = 60s',
	'cached_query.refresh_workers = 4', 'cached_query.warm_start = on', 'cached_query.trusted_functions = nap',
	'max_worker_processes = 16', 'allow_in_place_tablespaces = on', 'log_min_messages = log');

sub value { return $node->safe_psql('postgres', $_[0]); }

# Pids of our processes of a kind.
sub processes
{
	my ($kind) = @_;

	return split /\n/, value("SELECT pid FROM pg_stat_activity WHERE backend_type = 'cached_query $kind'");
}

sub present
{
	my ($kind, $number) = @_;

	return wait_until(sub { processes($kind) >= ($number || 1) }, 20);
}

# What waits for all processes to answer, and what wants a database.
sub wants
{
	my ($state, $database) = @_;
	my $offset = -s $node->logfile;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	foreach my $what (
		"CREATE TABLESPACE ts LOCATION ''",
		"CREATE DATABASE copied TEMPLATE $database STRATEGY file_copy",
		'ALTER DATABASE copied SET TABLESPACE ts',
		'ALTER DATABASE copied SET TABLESPACE pg_default',
		'DROP TABLESPACE ts',
		'DROP DATABASE copied',
		"DROP DATABASE $database")
	{
		my $start = time;

		is($node->psql('postgres', $what), 0, "$state: $what");
		cmp_ok(time - $start, '<', 3, '... without a wait');
	}
	unlike(slurp_file($node->logfile, $offset), qr/still waiting for backend/, "$state: nobody was waited for");
	return;
}

sub logs_memory
{
	my ($state, $kind) = @_;
	my ($pid) = processes($kind);
	my $offset = -s $node->logfile;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(value("SELECT pg_log_backend_memory_contexts($pid)"), 't', "$state: $kind is asked for its memory");
	ok(wait_until(sub { slurp_file($node->logfile, $offset) =~ /logging memory contexts of PID $pid/ }, 5), '... and logs it');
	return;
}

sub takes_cancel
{
	my ($state, $kind) = @_;
	my ($pid) = processes($kind);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	value("SELECT pg_cancel_backend($pid)");
	sleep 0.3;
	is((processes($kind))[0], $pid, "$state: a cancel does not end $kind");
	return;
}

sub terminates
{
	my ($state, $kind) = @_;
	my ($pid) = processes($kind);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(value("SELECT pg_terminate_backend($pid, 3000)"), 't', "$state: a termination ends $kind");
	return;
}

sub database
{
	my ($name) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $name");
	add_extension($node, $name);
	$node->safe_psql($name, slow_functions() . 'CREATE TABLE t (v int); INSERT INTO t VALUES (1)');
	return;
}

# A worker in this database that runs a query for so long.  The first call fills the answer, by itself.
sub worker_runs
{
	my ($database, $seconds) = @_;
	my $call = rows_of("SELECT slow($seconds * v, 'work') FROM t", '1ms', 'v text');
	my $set = "SET cached_query.stale_for = '1h'; SET cached_query.refresh = 'background'";

	$node->safe_psql($database, "UPDATE t SET v = 0; $set; $call; SELECT pg_sleep(0.01); UPDATE t SET v = 1");
	$node->safe_psql($database, "$set; $call");
	return;
}

sub url
{
	my ($url) = @_;

	redis_setting($node, redis_url => $url);
	return;
}

# ---- Idle ----

value(rows_of('SELECT 1', '1h', 'a int'));
ok(present('redis writer'), 'the Redis writer is there');
database('idle');
worker_runs('idle', 0);
ok(present('refresh worker'), 'a refresh worker is there');
logs_memory('idle', 'redis writer');
logs_memory('idle', 'refresh worker') if processes('refresh worker');
takes_cancel('idle', 'redis writer');
worker_runs('idle', 0);
wants('idle', 'idle');
terminates('idle', 'redis writer');
ok(present('redis writer'), '... and it comes again');

# ---- A long query ----

database('busy');
worker_runs('busy', 600);
ok(wait_until(sub { value(q{SELECT count(*) FROM pg_stat_activity WHERE datname = 'busy' AND query LIKE '%slow%' AND state = 'active'}) eq '1' }, 10),
	'a refresh worker runs a query');
logs_memory('busy', 'refresh worker');
value('CREATE ROLE other LOGIN CREATEDB');
isnt($node->psql('postgres', 'SET ROLE other; DROP DATABASE busy'), 0, 'who does not own the database may not drop it');
is(scalar(processes('refresh worker')), 1, '... and sends nobody away');
wants('busy', 'busy');

# ---- Removal of many keys, from a Redis that takes its time ----

my $slow = start_proxy($redis, sub { my ($client, $server) = @_; alarm 600; RedisTest::pass_on($client, $server, sub { sleep 0.01; return ($_[0], 0); }); });
url($slow->url);
$redis->cli('EVAL', q{for i = 1, 300000 do redis.call('SET', 'cached_query:a:{' .. i .. '}', 'x') end}, '0');
database('purge');
value('SELECT cached_query_clear()');
ok(wait_until(sub { $redis->cli('DBSIZE') < 299000 }, 20), 'keys are being removed');
wants('removal', 'purge');
logs_memory('removal', 'redis writer');
cmp_ok($redis->cli('DBSIZE'), '>', 1000, '... all of this during the removal');
terminates('removal', 'redis writer');
ok(present('redis writer'), '... and it comes again');

# ---- Redis that never answers ----

database('deaf');
url($deaf->url);
my $offset = -s $node->logfile;
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->{stdin} .= rows_of('SELECT 2', '1h', 'a int') . ";\n";
$session->{run}->pump_nb;
sleep 1.5;
logs_memory('deaf', 'redis writer');
takes_cancel('deaf', 'redis writer');
wants('deaf', 'deaf');
terminates('deaf', 'redis writer');
ok(present('redis writer'), '... and it comes again');
sleep 1.2;
my $start = time;
$node->stop('fast');
cmp_ok(time - $start, '<', 5, 'deaf: a fast shutdown does not wait');
$session->{run}->kill_kill;

# ---- A warm start that waits, and workers at rest ----

$node->append_conf('postgresql.conf', "cached_query.redis_url = ''");
$node->append_conf('postgresql.auto.conf', "cached_query.redis_url = ''");
$node->start;
database('warm');
$node->safe_psql('warm', "SET cached_query.trusted_functions = 'nap'; "
	  . join ';', map { rows_of("SELECT slow(0.05 * v, 'w$_') FROM t", '1h', 'a text') } 1 .. 40);
$node->safe_psql('warm', 'UPDATE t SET v = 40');
$node->stop;
$node->start;
ok(present('warm start'), 'the warm start waits for the workers');
logs_memory('warm start', 'warm start');
takes_cancel('warm start', 'warm start');
wants('warm start', 'warm');
$start = time;
$node->stop('fast');
cmp_ok(time - $start, '<', 5, 'warm start: a fast shutdown does not wait');

# ---- Without the postmaster ----

$node->append_conf('postgresql.auto.conf', "cached_query.redis_url = '" . $deaf->url . "'");
$node->start;
database('orphan');
worker_runs('orphan', 2);
my @pids = (processes('redis writer'), processes('refresh worker'));
cmp_ok(scalar(@pids), '>=', 1, 'there are processes');
$node->kill9;
ok(wait_until(sub { kill(0, @pids) == 0 }, 10), '... that end with the postmaster');

done_testing();
