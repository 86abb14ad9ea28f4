# The Redis client and TLS: the certificate and the name in it are verified, always.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use CachedQueryTest;
use RedisTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $dir = PostgreSQL::Test::Utils::tempdir();

sub openssl
{
	my (@words) = @_;
	my ($out, $err);

	IPC::Run::run([ 'openssl', @words ], '>', \$out, '2>', \$err) or die "openssl @words: $err";
	return;
}

# A certificate authority, and a certificate of it for these names.
sub make_ca
{
	my ($ca) = @_;

	openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', "$dir/$ca.key", '-out',
		"$dir/$ca.crt", '-subj', "/CN=$ca", '-days', '2');
	return "$dir/$ca.crt";
}

sub make_certificate
{
	my ($ca, $name, $names) = @_;

	openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', "$dir/$name.key", '-out', "$dir/$name.csr",
		'-subj', "/CN=$name");
	append_to_file("$dir/$name.ext", "subjectAltName=$names\n");
	openssl('x509', '-req', '-in', "$dir/$name.csr", '-CA', "$dir/$ca.crt", '-CAkey', "$dir/$ca.key",
		'-CAcreateserial', '-out', "$dir/$name.crt", '-days', '2', '-extfile', "$dir/$name.ext");
	return { ca => "$dir/$ca.crt", cert => "$dir/$name.crt", key => "$dir/$name.key" };
}

my $ca = make_ca('authority');
my $other_ca = make_ca('other');
my $redis = start_redis(tls => make_certificate('authority', 'good', 'IP:127.0.0.1,DNS:localhost'));
my $wrong = start_redis(tls => make_certificate('authority', 'wrong', 'IP:127.0.0.2,DNS:example.com'));
my $plain = start_redis();
my $node = start_node('tls', 'cached_query.redis_retry_interval = 100ms', "cached_query.redis_tls_ca_file = '$ca'");

plan skip_all => 'needs a build with CQ_DEBUG' unless defined store_state($node);
add_redis_functions($node);

sub error_of
{
	my ($url, %settings) = @_;

	redis_setting($node, redis_url => $url, %settings);
	$node->restart;
	my $answer = redis_command($node, 'PING');
	return $answer ne '' ? $answer : redis_status($node)->{last};
}

foreach my $host ('127.0.0.1', 'localhost')
{
	my $url = "rediss://$host:$redis->{port}";

	is(error_of($url), 'PONG', "$url, verified");
	is($node->safe_psql('postgres', q{SELECT cached_query_redis_command(ARRAY['SET', 'big', repeat('0123456789abcdef', 65536)])}),
		'OK', 'SET of 1 MB');
	is($node->safe_psql('postgres', q{SELECT cached_query_redis_many('{GET,big}', 20, 4)}), 20 * 1048576, 'GET of 20 x 1 MB');
	is($node->safe_psql('postgres', q{SELECT cached_query_redis_many(ARRAY['ECHO', repeat('x', 1000000)], 10, 10)}), 10 * 1000000, 'both ways at a time');
	is($node->safe_psql('postgres', q{SELECT cached_query_redis_many('{ECHO,12345}', 5000, 500)}), 25000, 'many small ones');
}
my $session = $node->background_psql('postgres');
redis_command($session, 'SET', 'a', 'one');
$redis->cli('CLIENT', 'KILL', 'TYPE', 'normal');
is(redis_command($session, 'GET', 'a'), 'one', 'a connection that the server closed is opened again');
$session->quit;

like(error_of("rediss://127.0.0.1:$wrong->{port}"), qr/IP address mismatch/, 'an address that is not in the certificate');
like(error_of("rediss://localhost:$wrong->{port}"), qr/hostname mismatch/i, 'a name that is not in the certificate');
like(error_of("rediss://127.0.0.1:$redis->{port}", redis_tls_ca_file => $other_ca), qr/unable to get local issuer|self.signed certificate/,
	'a certificate of another authority');
like(error_of("rediss://127.0.0.1:$redis->{port}", redis_tls_ca_file => ''), qr/unable to get local issuer|self.signed certificate/,
	'an authority that the system does not know');
like(error_of("rediss://127.0.0.1:$redis->{port}", redis_tls_ca_file => "$dir/nothing"), qr/could not load the certificate authorities/,
	'no such file');
like(error_of("rediss://127.0.0.1:$plain->{port}", redis_tls_ca_file => $ca), qr/TLS handshake failed|closed the connection|timeout while setting up TLS/,
	'a server without TLS');
like(error_of("redis://127.0.0.1:$redis->{port}"), qr/closed the connection|protocol error|reset by peer/, 'TLS where the URL has none');

# A server that hangs in the handshake.
is(error_of("rediss://127.0.0.1:$redis->{port}"), 'PONG', 'all is well');
$redis->pause;
$session = $node->background_psql('postgres');
my $began = time;
is(redis_command($session, 'PING'), '', 'a server that hangs in the handshake');
cmp_ok(time - $began, '<', 0.9, 'costs the time for connecting and no more');
like(redis_status($node)->{last}, qr/timeout while setting up TLS/, 'and is said to');
$redis->resume;
ok(wait_until(sub { redis_command($session, 'PING') eq 'PONG' }, 20), 'then it is used again');
$session->quit;

log_is_quiet($node, 'no warning');
$node->stop;
done_testing();
