# The Redis client against one server: addresses, passwords, and each way in which a server can fail.
# Whatever happens, the caller waits no longer than the timeout and the next request is in step.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use CachedQueryTest;
use RedisTest;
use PostgreSQL::Test::BackgroundPsql ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = start_node('redis', 'cached_query.redis_retry_interval = 300ms');
my $log = 0;

plan skip_all => 'needs a build with CQ_DEBUG' unless defined store_state($node);
add_redis_functions($node);
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION calls(n int) RETURNS float LANGUAGE plpgsql AS $$
DECLARE
  began timestamptz := clock_timestamp();
BEGIN
  FOR i IN 1..n LOOP
    PERFORM cached_query_redis_command('{GET,a}');
  END LOOP;
  RETURN extract(epoch FROM clock_timestamp() - began) * 1000;
END $$;
CREATE FUNCTION failing_calls(n int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  failed int := 0;
BEGIN
  FOR i IN 1..n LOOP
    BEGIN
      PERFORM cached_query_redis_many('{GET,a}', -3, 3);
    EXCEPTION WHEN data_exception THEN
      failed := failed + 1;
    END;
  END LOOP;
  RETURN failed;
END $$;
SQL

sub url { redis_setting($node, redis_url => $_[0]); return; }

sub restart_client
{
	$node->restart;
	$log = -s $node->logfile;
	return;
}

# A test: one request to this URL is without an answer, within so many seconds, for this reason; then
# the breaker is as it should be.
sub is_unavailable
{
	my ($name, $url, $reason, $most) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	url($url);
	restart_client();
	my $sql = q{SELECT coalesce(cached_query_redis_command('{GET,a}'), 'none'), calls(0)};
	my $began = time;
	my $answer = $node->safe_psql('postgres', $sql);
	my $took = time - $began;
	my $status = redis_status($node);

	like($answer, qr/^none\|/, "$name: no answer");
	like($status->{last}, $reason, "$name: the reason");
	cmp_ok($took, '<', $most || 0.9, "$name: no wait for longer than needed");
	return $status;
}

sub log_lines
{
	return
	  map { s/.*LOG:  //r } grep { /cached_query (does without|uses) Redis/ } split /\n/,
	  slurp_file($node->logfile, $log);
}

# Waits until the breaker lets a request through.
sub recovers
{
	my ($name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(wait_until(sub { redis_command($node, 'PING') eq 'PONG' }, 20), $name);
	return;
}

# ---- Addresses, passwords, database ----

my $redis = start_redis();

is($node->safe_psql('postgres', q{SELECT cached_query_redis_command('{PING}') IS NULL}), 't', 'no URL, no Redis');
is(redis_status($node)->{state}, 'off', 'and the state says so');
foreach my $url ($redis->tcp_url, $redis->unix_url, $redis->tcp_url =~ s/127.0.0.1/localhost/r)
{
	url($url);
	my $session = $node->background_psql('postgres');

	is(redis_command($session, 'SET', 'a', "x'y\n{z}"), 'OK', "$url: SET");
	is(redis_command($session, 'GET', 'a'), "x'y\n{z}", "$url: GET");
	is(redis_command($session, 'GET', 'nothing'), '(nil)', "$url: nil");
	like(redis_command($session, 'INCR', 'a'), qr/^error: ERR value is not an integer/, "$url: an error reply");
	is(redis_command($session, 'RPUSH', "list$url", '1', '22'), '2', "$url: a number");
	is(redis_command($session, 'LRANGE', "list$url", '0', '-1'), '[1,22]', "$url: an array");
	is(redis_command($session, 'LRANGE', 'none', '0', '-1'), '[]', "$url: an empty array");
	my @ids = map { redis_command($session, 'CLIENT', 'ID') } 1, 2;
	is($ids[0], $ids[1], "$url: the connection is kept");
	like($redis->cli('CLIENT', 'LIST'), qr/ name=cached_query .* db=0 /, "$url: with a name");
	$session->quit;
	ok(wait_until(sub { $redis->cli('CLIENT', 'LIST') !~ /cached_query/ }, 10), "$url: and closed at exit");
}
foreach my $url ($redis->tcp_url . '/3', $redis->unix_url . '?db=3')
{
	url($url);
	is(redis_command($node, 'SET', 'where', $url), 'OK', "$url: SET");
	is($redis->cli('-n', 3, 'GET', 'where'), $url, "$url: the database");
}
is_unavailable('a database that is not there', $redis->tcp_url . '/99', qr/DB index is out of range/);

my $locked = start_redis(
	password => 'p@ss:w/rd',
	lines => [ 'requirepass "p@ss:w/rd"', 'user me on >secret%1 ~* +@all', 'user poor on >x ~* +ping +auth' ]);
url("redis://:p%40ss%3Aw%2Frd\@127.0.0.1:$locked->{port}");
is(redis_command($node, 'ACL', 'WHOAMI'), 'default', 'a password');
url("redis://me:secret%251\@127.0.0.1:$locked->{port}/2");
is(redis_command($node, 'ACL', 'WHOAMI'), 'me', 'a user and a password');
url("unix://me:secret%251\@$locked->{socket}?db=1");
is(redis_command($node, 'ACL', 'WHOAMI'), 'me', 'a user by a unix socket');
url("redis://poor:x\@127.0.0.1:$locked->{port}");
is(redis_command($node, 'PING'), 'PONG', 'a user who may not give the connection a name');
is_unavailable('a wrong password', "redis://:wrong\@127.0.0.1:$locked->{port}", qr/port $locked->{port}: WRONGPASS/);
is_unavailable('no password', "redis://127.0.0.1:$locked->{port}", qr/port $locked->{port}: NOAUTH/);
$locked->stop;

$node->safe_psql('postgres', 'CREATE ROLE somebody LOGIN');
my ($ret, $out, $err) = $node->psql('postgres', 'SET ROLE somebody; SHOW cached_query.redis_url');
isnt($ret, 0, 'the URL is not for everybody');
foreach (
	[ 'http://x', 'It must begin with redis://, rediss://, unix://, sentinel:// or sentinels://.' ],
	[ 'redis://h:0', 'A port must be a number from 1 to 65535.' ],
	[ 'redis://a,b/1', 'Several hosts are a Redis Cluster, which has database 0 only.' ])
{
	my ($bad, $detail) = @$_;

	($ret, $out, $err) = $node->psql('postgres', "ALTER SYSTEM SET cached_query.redis_url = '$bad'");
	like($err, qr/DETAIL:  \Q$detail\E/, "refused: $bad");
}

# ---- Values of some size ----

url($redis->unix_url);
is($node->safe_psql('postgres',
	q{SELECT cached_query_redis_command(ARRAY['SET', 'big', repeat('0123456789abcdef', 65536)])}),
	'OK', 'SET of 1 MB');
foreach my $url ($redis->unix_url, $redis->tcp_url)
{
	url($url);
	is($node->safe_psql('postgres', q{SELECT cached_query_redis_many('{GET,big}', 50, 4)}), 50 * 1048576, 'GET of 50 x 1 MB');
	is($node->safe_psql('postgres', q{SELECT cached_query_redis_many('{GET,big}', 20, 100)}), 20 * 1048576, 'all at a time');
	is($node->safe_psql('postgres', q{SELECT cached_query_redis_many(ARRAY['ECHO', repeat('x', 1000000)], 20, 20)}), 20 * 1000000, 'both ways at a time');
	is($node->safe_psql('postgres', q{SELECT cached_query_redis_many('{GET,where}', 20000, 1000)}), 0, 'many small ones');
	is($node->safe_psql('postgres', q{SELECT cached_query_redis_many('{ECHO,12345}', 20000, 1000)}), 100000, 'and with an answer');
}
is($redis->cli('GETRANGE', 'big', '1048560', '-1'), '0123456789abcdef', 'it arrived as it was');

# ---- An error in the middle; reconnecting ----

my $session = $node->background_psql('postgres', on_error_stop => 0);
redis_command($session, 'SET', 'a', 'one');
my $status = redis_status($node);
foreach (1 .. 3)
{
	$session->query(q{SELECT cached_query_redis_many('{GET,big}', -10, 4)});
	like($session->{stderr}, qr/the callback raises/, 'an error in the callback');
	$session->{stderr} = '';
	is(redis_command($session, 'GET', 'a'), 'one', 'in step after it');
}
is($session->query_safe('SELECT failing_calls(1200)'), 1200, '1200 errors in subtransactions');
is(redis_command($session, 'GET', 'a'), 'one', 'in step after them');
my $pid = session_pid($session);
my $files = () = glob "/proc/$pid/fd/*";
foreach (1 .. 100)
{
	$redis->cli('CLIENT', 'KILL', 'TYPE', 'normal');
	redis_command($session, 'GET', 'a') eq 'one' or last;
}
is(redis_command($session, 'GET', 'a'), 'one', 'a connection that the server closed is opened again');
is($session->query_safe('SELECT failing_calls(1200)'), 1200, '1200 more errors');
is(redis_command($session, 'GET', 'a'), 'one', 'in step');
my $files_now = () = glob "/proc/$pid/fd/*";
is($files_now, $files, 'no file descriptor is left open');
is(redis_status($node)->{errors}, $status->{errors}, 'nothing of that is a failure');
is(redis_status($node)->{state}, 'closed', 'the breaker is closed');

# ---- Error replies that are no outage ----

$redis->cli('CONFIG', 'SET', 'maxmemory', '1');
like(redis_command($session, 'SET', 'b', 'x'), qr/^error: OOM /, 'OOM is handed to the caller');
is(redis_command($session, 'GET', 'a'), 'one', 'reading goes on');
$redis->cli('CONFIG', 'SET', 'maxmemory', '0');
my $master = start_redis();
$redis->cli('REPLICAOF', '127.0.0.1', $master->{port});
wait_until(sub { $redis->cli('INFO', 'replication') =~ /master_link_status:up/ }, 20);
like(redis_command($session, 'SET', 'b', 'x'), qr/^error: READONLY /, 'READONLY is handed to the caller');
$redis->cli('REPLICAOF', 'NO', 'ONE');
$master->stop;
is(redis_status($node)->{state}, 'closed', 'the breaker is closed');

# ---- Down at start, killed, and back ----

redis_setting($node, redis_retry_interval => '300ms');
$redis->stop;
restart_client();
foreach (1 .. 10) { redis_command($node, 'GET', 'a'); }
is(redis_status($node)->{state}, 'open', 'down at start: the breaker opens');
$redis->start;
recovers('it is used again when it is there');
$redis->kill9;
foreach (1 .. 10) { redis_command($node, 'GET', 'a'); }
sleep 1;
foreach (1 .. 10) { redis_command($node, 'GET', 'a'); }
is(redis_status($node)->{state}, 'open', 'killed: the breaker opens');
$redis->start;
recovers('and it is used again');
my @lines = log_lines();
is(scalar(@lines), 4, 'one line in the log for each change') or diag explain \@lines;
like($lines[0], qr/^cached_query does without Redis: 127.0.0.1 port $redis->{port}: Connection refused/, 'with the reason');

# ---- Hanging ----

sub hanging
{
	my ($name, $clients, $calls, $warm) = @_;

	redis_setting($node, redis_retry_interval => '5s');
	restart_client();
	recovers("$name: begins with a server that answers");
	my @clients = map { CachedQueryTest::Deaf->connect($node) } 1 .. $clients;

	if ($warm) { $_->ask('SELECT calls(1)') foreach @clients; }
	$redis->pause;
	$_->send("SELECT calls($calls)") foreach @clients;
	my $sum = 0;
	foreach my $client (@clients)
	{
		my $seen = $client->until_ready;
		$sum += $seen->{first};
	}
	$redis->resume;
	cmp_ok($sum, '<', 2000, "$name: all calls together wait for less than two timeouts");
	note sprintf '%s: %.0f ms in all', $name, $sum;
	is(redis_status($node)->{timeouts}, 1, "$name: one timeout");
	my @changes = log_lines();
	is(scalar(@changes), 1, "$name: one line in the log") or diag explain \@changes;
	$_->close foreach @clients;
	return;
}

hanging('8 clients with connections', 8, 125, 1);
hanging('8 clients without connections', 8, 125, 0);

redis_setting($node, redis_retry_interval => '300ms', redis_timeout => '30s', redis_connect_timeout => '30s');
restart_client();
recovers('a server that answers');
$session = $node->background_psql('postgres');
foreach (
	[ 'cancel', "SELECT pg_cancel_backend(%d)", qr/57014/ ],
	[ 'statement_timeout', '', qr/57014/ ],
	[ 'terminate', "SELECT pg_terminate_backend(%d)", qr/57P01/ ])
{
	my ($how, $sql, $sqlstate) = @$_;
	my $client = CachedQueryTest::Deaf->connect($node);

	$client->ask('SELECT calls(1)');
	$client->ask("SET statement_timeout = '300ms'") if $how eq 'statement_timeout';
	$redis->pause;
	my $began = time;
	$client->send('SELECT calls(1)');
	$session->query_safe("SELECT pg_sleep(0.3)");
	$session->query_safe(sprintf $sql, $client->pid) if $sql;
	my $seen = $client->until_ready;
	like($seen->{sqlstate}, $sqlstate, "$how acts while Redis hangs");
	cmp_ok(time - $began, '<', 5, "$how: at once");
	$redis->resume;
	if ($how ne 'terminate')
	{
		$client->ask("SET statement_timeout = 0");
		is($client->ask(q{SELECT cached_query_redis_command('{ECHO,two}')})->{first}, 'two', "$how: then in step");
	}
	recovers("$how: and Redis is used");
	$client->close;
}
$session->quit;
redis_setting($node, redis_timeout => '1s', redis_connect_timeout => '200ms');

# ---- In a background worker, without database and transaction ----

redis_setting($node, redis_timeout => '30s', redis_connect_timeout => '30s');
restart_client();
$node->safe_psql('postgres', 'SELECT cached_query_redis_worker()');
ok(wait_until(sub { my @got = slurp_file($node->logfile, $log) =~ /the worker got PONG/g; @got == 2 }, 20), 'a background worker uses it');
ok(wait_until(sub { $redis->cli('CLIENT', 'LIST') !~ /cached_query/ }, 20), 'and leaves no connection behind');
$redis->pause;
$pid = $node->safe_psql('postgres', 'SELECT cached_query_redis_worker()');
sleep 0.3;
ok(-d "/proc/$pid", 'one that waits for a server that hangs');
kill 'TERM', $pid;    # pg_terminate_backend() wants a database
ok(wait_until(sub { !-d "/proc/$pid" }, 5), 'ends at once when told to');
$redis->resume;
redis_setting($node, redis_timeout => '1s', redis_connect_timeout => '200ms');

# A statement_timeout that is shorter than redis_timeout: a server that hangs costs one statement,
# not one after the other.
redis_setting($node, redis_retry_interval => '5s');
restart_client();
recovers('a server that answers');
my $impatient = CachedQueryTest::Deaf->connect($node);
$impatient->ask("SET statement_timeout = '300ms'");
$impatient->ask('SELECT calls(1)');
$redis->pause;
like($impatient->ask('SELECT calls(1)')->{sqlstate}, qr/57014/, 'one statement runs into its timeout');
my @after = map { $impatient->ask('SELECT calls(5)') } 1 .. 5;
is(scalar(grep { $_->{sqlstate} eq '' && $_->{first} < 200 } @after), 5, 'the following ones do not even wait');
like(redis_status($node)->{last}, qr/cancelled after it had waited/, 'and it is said why');
@lines = log_lines();
is(scalar(@lines), 1, 'once') or diag explain \@lines;
$redis->resume;
$impatient->close;
redis_setting($node, redis_retry_interval => '300ms');

# A server that is slow and answers is no failure, and others don't wait for it.
my $slow = start_proxy($redis, sub {
	my ($client, $server) = @_;

	RedisTest::pass_on($client, $server, sub { sleep 0.15; return ($_[0], 0); });
});
redis_setting($node, redis_connect_timeout => '1s');
url($slow->url);
restart_client();
foreach (1 .. 3) { is(redis_command($node, 'ECHO', 'slow'), 'slow', 'a slow server answers'); }
$status = redis_status($node);
is("$status->{state} $status->{errors}", 'closed 0', 'and that is no failure');
cmp_ok($status->{latency}, '>', 100000, 'its latency is seen');
$slow->stop;
redis_setting($node, redis_connect_timeout => '200ms');
url($redis->unix_url);

# ---- A server that answers with something else ----

sub answers
{
	my (@pieces) = @_;

	return sub {
		my ($client) = @_;
		my $setup = 1;

		while ($client->sysread(my $data, 65536))
		{
			if ($setup) { $client->syswrite("+OK\r\n"); $setup = 0; next; }
			foreach my $piece (@pieces)
			{
				if (ref $piece) { $piece->($client); }
				else { $client->syswrite($piece) or return; }
			}
		}
	};
}

sub misbehaves
{
	my ($name, $reason, $most, @pieces) = @_;
	my $proxy = start_proxy(undef, answers(@pieces));

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $seen = is_unavailable($name, $proxy->url, $reason, $most);
	$proxy->stop;
	return $seen;
}

my $hang_up = sub { shutdown $_[0], 2 };

misbehaves('rubbish', qr/protocol error/, 0.9, "HTTP/1.1 400 Bad Request\r\n\r\n");
misbehaves('zeros', qr/protocol error/, 0.9, "\0" x 1000);
misbehaves('a huge string announced', qr/a string is too long/, 0.9, "\$1000000000\r\n");
misbehaves('a length that overflows', qr/a string is too long/, 0.9, "\$18446744073709551617\r\n");
misbehaves('a negative length', qr/bad length/, 0.9, "\$-2\r\n");
misbehaves('no length', qr/bad length/, 0.9, "\$\r\n\r\n");
misbehaves('a string that is longer than it says', qr/does not end/, 0.9, "\$3\r\nabcdefgh\r\n");
misbehaves('a huge array announced', qr/protocol error/, 0.9, "*1000000000\r\n");
misbehaves('arrays of arrays', qr/protocol error/, 0.9, "*16000\r\n" x 40);
misbehaves('arrays without end', qr/protocol error/, 0.9, "*1\r\n" x 1000);
misbehaves('an endless line', qr/too large/, 0.9, '+' . 'x' x 100000);
misbehaves('two replies for one', qr/more replies/, 0.9, "+a\r\n+b\r\n");
misbehaves('RESP3', qr/protocol error/, 0.9, "%1\r\n+a\r\n+b\r\n");
misbehaves('LOADING', qr/LOADING Redis is loading/, 0.9, "-LOADING Redis is loading the dataset in memory\r\n");
misbehaves('MASTERDOWN', qr/MASTERDOWN/, 0.9, "-MASTERDOWN Link with MASTER is down\r\n");
misbehaves('a control character in an error', qr/LOADING a\?b/, 0.9, "-LOADING a\ab\r\n");
misbehaves('closing in mid-reply', qr/closed the connection|reset by peer/, 0.9, "\$100\r\nabc", $hang_up);
misbehaves('closing without a reply', qr/closed the connection|reset by peer/, 0.9, $hang_up);
$status = misbehaves('silence', qr/timeout while waiting/, 1.9);
$status = misbehaves('a reply in drops', qr/timeout while waiting/, 1.9, "\$100\r\n", map { ("x", sub { sleep 0.05 }) } 1 .. 100);
is($status->{state}, 'open', 'one timeout opens the breaker');

# Through the proxy, cut at each place of a reply of two.
url($redis->unix_url);
restart_client();
recovers('a server that answers');
redis_command($node, 'SET', 'a', 'one');
foreach my $length (1, 5, 9, 12, 17)
{
	my $left = 1000000;
	my $proxy = start_proxy($redis, sub {
		my ($client, $server) = @_;
		my $setup = 1;

		RedisTest::pass_on($client, $server, sub {
			my ($data) = @_;

			if ($setup) { $setup = 0; return ($data, 0); }
			return (substr($data, 0, $length), 1);
		});
	});
	url($proxy->url);
	restart_client();
	is($node->safe_psql('postgres', q{SELECT cached_query_redis_many('{GET,a}', 2, 2) IS NULL}), 't', "cut after $length bytes");
	$proxy->stop;
}

# ---- Names ----

SKIP:
{
	my $name = (grep { my @found = gethostbyname $_; @found && join('.', unpack 'C4', $found[4]) =~ /^127\./ }
		  (split ' ', `hostname`), 'localhost.localdomain', 'ip4-localhost', 'localhost4')[0];
	skip 'no name but localhost for a loopback address', 4 unless defined $name;
	my $address = join '.', unpack 'C4', (gethostbyname $name)[4];
	my $named = start_redis($address eq '127.0.0.1' ? () : (lines => ["bind 127.0.0.1 $address"]));

	url("redis://$name:$named->{port}");
	restart_client();
	is(redis_command($node, 'PING'), '', 'a name that was not looked up yet');
	$status = redis_status($node);
	is("$status->{state} $status->{errors}", 'closed 0', 'is no failure');
	is($node->safe_psql('postgres', 'SELECT cached_query_redis_resolve()'), 't', 'it is wanted');
	is(redis_command($node, 'PING'), 'PONG', 'and then it is known');
	$named->stop;
}
url('redis://no-such-name.invalid:6379');
restart_client();
redis_command($node, 'PING');
$node->safe_psql('postgres', 'SELECT cached_query_redis_resolve()');
redis_command($node, 'PING');
like(redis_status($node)->{last}, qr/could not be resolved/, 'a name that does not exist is a failure');

log_is_quiet($node, 'no warning');
$node->stop;
done_testing();
