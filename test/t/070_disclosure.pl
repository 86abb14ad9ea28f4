# Secrets are in files that nobody else can read, and a password is for the servers that were configured.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use IO::Socket::INET;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RedisTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $password = 'pass-0123456789-word';
my $secret = 'secret-0123456789-text';
my $redis = start_redis(lines => ["requirepass $password", 'user alice on >alices-pass ~* +@all']);
my $node = start_node('main', 'log_min_messages = warning', 'cached_query.store = redis', 'cached_query.redis_retry_interval = 10ms');

plan skip_all => 'needs a build with CQ_DEBUG' unless defined store_state($node);
add_redis_functions($node);

sub put_file
{
	my ($name, $mode, $text) = @_;
	my $path = $node->data_dir . "/$name";

	unlink $path;
	open my $file, '>', $path or die "$path: $!";
	print $file $text;
	close $file;
	chmod $mode, $path;
	return;
}

sub ping
{
	my $reply;

	wait_until(sub { ($reply = redis_command($node, 'PING')) =~ /PONG/ }, 3);
	return $reply =~ /PONG/ ? 'PONG' : 'no';
}

# ---- The password of Redis ----

put_file('redis.password', 0600, "$password\n");
redis_setting($node, redis_url => $redis->tcp_url, redis_password_file => 'redis.password');
is(ping(), 'PONG', 'password file: one line is the password');
put_file('redis.user', 0400, "alice\nalices-pass\n");
redis_setting($node, redis_password_file => 'redis.user');
is(ping(), 'PONG', 'password file: two lines are user and password');
is(redis_command($node, 'ACL', 'WHOAMI') =~ /alice/ ? 'alice' : 'other', 'alice', '... of that user');
foreach my $case ([ 0640, 'read by the group' ], [ 0604, 'read by others' ], [ 0620, 'written by the group' ])
{
	my ($mode, $name) = @$case;

	put_file('open.password', $mode, "$password\n");
	redis_setting($node, redis_password_file => 'open.password');
	is(ping(), 'no', "password file: $name: not used");
	like(redis_status($node)->{last}, qr/redis_password_file: it must belong to the server's user with mode 0600/, '... and why');
	redis_setting($node, redis_password_file => 'redis.password');
	is(ping(), 'PONG', '... and it goes on with a good one');
}
redis_setting($node, redis_password_file => 'no such file');
is(ping(), 'no', 'password file: missing: not used');
like(redis_status($node)->{last}, qr/redis_password_file: could not open the file: No such file/, '... and why');
symlink '/etc/passwd', $node->data_dir . '/link.password';
redis_setting($node, redis_password_file => 'link.password');
is(ping(), 'no', 'password file: one that all can read, by a link: not used');
redis_setting($node, redis_password_file => 'redis.password');
is(ping(), 'PONG', 'password file: and again');

# ---- The secret ----

my $call = rows_of('SELECT 7', '1h', 'v int');

sub outcome { my ($outcome) = outcome_of($node, $call); settled($node); return $outcome; }

put_file('redis.secret', 0600, "$secret\n");
redis_setting($node, redis_secret_file => 'redis.secret');
$node->restart;
# what is written within 100 ms of the start counts as older than what changed before it, after another start
sleep 0.3;
is(outcome(), 'miss_cold', 'secret file: a value is written');
is(outcome(), 'redis_hit', 'secret file: and read');
redis_setting($node, redis_secret_file => '');
$node->append_conf('postgresql.conf', "cached_query.redis_secret = '$secret'");
$node->restart;
is(outcome(), 'redis_hit', 'the same text as a setting is the same secret');
put_file('other.secret', 0600, "another-$secret");
redis_setting($node, redis_secret_file => 'other.secret');
isnt(outcome(), 'redis_hit', 'the file comes before the setting');
put_file('open.secret', 0644, $secret);
redis_setting($node, redis_secret_file => 'open.secret');
isnt(outcome(), 'redis_hit', 'secret file: read by others: not used');
like(slurp_file($node->logfile), qr/cached_query does not use Redis: file of "cached_query.redis_secret_file": it must belong/, '... which is logged');
put_file('short.secret', 0600, "short\n");
redis_setting($node, redis_secret_file => 'short.secret');
outcome();
like(slurp_file($node->logfile), qr/redis_secret_file": it has less than 16 bytes/, 'secret file: too short');

# What is in files stands nowhere else.
$node->adjust_conf('postgresql.conf', 'cached_query.redis_secret', undef);
redis_setting($node, redis_secret_file => 'other.secret');
unlike(slurp_file($node->logfile), qr/\Q$password\E|alices-pass|another-\Q$secret\E/, 'no password and no secret of a file in the log');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_file_settings AS f WHERE f::text ~ '$password|another-$secret'"), '0', '... nor in pg_file_settings');

# ---- A redirection may lead anywhere ----

# Answers everything with a redirection, but greets those who know the password; notes what it gets.
sub start_fake
{
	my ($answer) = @_;
	my $seen = PostgreSQL::Test::Utils::tempdir() . '/seen';
	my $proxy = start_proxy(undef, sub {
		my ($client) = @_;
		my $bytes;

		while ($client->sysread($bytes, 65536))
		{
			open my $file, '>>', $seen;
			print $file $bytes;
			close $file;
			my $commands = () = $bytes =~ /^\*\d/mg;
			foreach my $command (split /^(?=\*\d)/m, $bytes)
			{
				$client->syswrite($command =~ /AUTH|SETNAME|SELECT/ ? "+OK\r\n" : $answer->($command));
			}
		}
	});

	$proxy->{seen} = $seen;
	return $proxy;
}

sub seen { my ($fake) = @_; return -e $fake->{seen} ? slurp_file($fake->{seen}) : ''; }

my $evil = start_fake(sub { "+PONG\r\n" });
my $port = $evil->{port};
foreach my $word ('MOVED', 'ASK')
{
	my $liar = start_fake(sub { $_[0] =~ /CLUSTER/ ? "-ERR no cluster\r\n" : "-$word 1 127.0.0.1:$port\r\n" });

	redis_setting($node, redis_password_file => '', redis_url => "redis://:$password\@127.0.0.1:$liar->{port}");
	redis_command($node, 'GET', 'x') foreach 1 .. 3;
	like(seen($liar), qr/AUTH/, "$word: the configured server gets the password");
	unlike(seen($evil), qr/AUTH|\Q$password\E/, "$word: another one doesn't");
	like(redis_status($node)->{last}, qr/it gets no password/, "$word: and why");
	redis_setting($node, redis_password_file => 'redis.password', redis_url => "redis://127.0.0.1:$liar->{port}");
	redis_command($node, 'GET', 'x') foreach 1 .. 3;
	unlike(seen($evil), qr/AUTH|\Q$password\E/, "$word: nor one from a file");
	$liar->stop;

	# a cluster: hosts of its map only
	my ($one, $two);
	my $own;
	$one = start_fake(sub {
		return $_[0] =~ /CLUSTER/ ? "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n\$9\r\n127.0.0.1\r\n:$own\r\n" : "-$word 1 127.0.0.1:$port\r\n" });
	$own = $one->{port};
	redis_setting($node, redis_password_file => '', redis_url => "redis://:$password\@127.0.0.1:$own,127.0.0.1:1");
	redis_command($node, 'GET', 'x') foreach 1 .. 2;
	unlike(seen($evil), qr/AUTH|\Q$password\E/, "$word: a cluster's nodes that its map doesn't know get none");
	$one->stop;
}

log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
