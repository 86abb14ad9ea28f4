# The Redis client with Sentinel: finding the master, and the next one after a failover.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use CachedQueryTest;
use RedisTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = start_node('sentinel', 'cached_query.redis_retry_interval = 300ms');

plan skip_all => 'needs a build with CQ_DEBUG' unless defined store_state($node);
add_redis_functions($node);

my @password = ('requirepass secret', 'masterauth secret');
my $master = start_redis(password => 'secret', lines => \@password);
my $replica = start_redis(password => 'secret', lines => [ @password, "replicaof 127.0.0.1 $master->{port}" ]);
ok(wait_until(sub { $replica->cli('INFO', 'replication') =~ /master_link_status:up/ }, 20), 'a replica');
my @sentinels = start_sentinels($master, 'mymaster', 3, 'sentinel auth-pass mymaster secret');
ok(wait_until(
	sub {
		my $text = $sentinels[0]->cli('SENTINEL', 'MASTER', 'mymaster');
		return $text =~ /num-slaves\n1\b/ && $text =~ /num-other-sentinels\n2\b/;
	},
	60), 'the sentinels know each other');

sub url
{
	my ($name, @list) = @_;

	redis_setting($node, redis_url => 'sentinel://:secret@'
		  . join(',', map { "127.0.0.1:$_->{port}" } @list) . "/$name");
	return;
}

sub port_in_use
{
	my ($session) = @_;

	return (redis_command($session, 'CONFIG', 'GET', 'port') =~ /(\d+)/)[0] || 'none';
}

url('mymaster', @sentinels);
my $session = $node->background_psql('postgres');
is(port_in_use($session), $master->{port}, 'the master that the sentinels name');
is(redis_command($session, 'SET', 'a', '1'), 'OK', 'SET');
$sentinels[0]->pause;
is(port_in_use($node), $master->{port}, 'a sentinel that hangs does not matter');
$sentinels[0]->resume;
my $gone = start_redis(sentinel => 1, start => 0);
url('mymaster', $gone, @sentinels);
is(port_in_use($node), $master->{port}, 'nor one that is not there');

# ---- Failover ----

url('mymaster/0', @sentinels);
is(port_in_use($session), $master->{port}, 'before the failover');
$sentinels[0]->cli('SENTINEL', 'FAILOVER', 'mymaster');
ok(wait_until(sub { redis_command($session, 'SET', 'a', '2') eq 'OK' && port_in_use($session) == $replica->{port} }, 40),
	'an ordered failover: the new master is used');
ok(wait_until(sub { $master->cli('INFO', 'replication') =~ /role:slave/ && $master->cli('INFO', 'replication') =~ /master_link_status:up/ }, 60),
	'the old master becomes a replica');
is(redis_command($session, 'SET', 'a', '3'), 'OK', 'writing goes on');

ok(wait_until(sub { $sentinels[0]->cli('SENTINEL', 'MASTER', 'mymaster') =~ /num-slaves\n1\b/ && $sentinels[0]->cli('SENTINEL', 'MASTER', 'mymaster') =~ /flags\nmaster\n/ }, 30), 'ready for the next one');
sleep 1;
$replica->kill9;
ok(wait_until(sub { redis_command($session, 'GET', 'a') eq '3' && port_in_use($session) == $master->{port} }, 60),
	'a killed master: the new one is used') or diag redis_status($node)->{last};

# ---- What is wrong is said ----

url('nobody', @sentinels);
redis_command($node, 'PING');
like(redis_status($node)->{last}, qr/^sentinel 127.0.0.1 port \d+: it does not know the master "nobody"/, 'an unknown master');
redis_setting($node, redis_url => "sentinel://127.0.0.1:$sentinels[0]->{port}/mymaster");
wait_until(sub { redis_command($node, 'PING') eq '' && redis_status($node)->{last} =~ /NOAUTH/ }, 10);
like(redis_status($node)->{last}, qr/^127.0.0.1 port $master->{port}: NOAUTH/, 'a master that wants a password');

$session->quit;
log_is_quiet($node, 'no warning');
$node->stop;
done_testing();
