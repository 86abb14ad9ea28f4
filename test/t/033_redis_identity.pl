# Who a server is in Redis: the secret is made once and kept, its file is trusted only as far as its
# mode goes, a copy of the data directory has another namespace, a replica can be given the same.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', { allows_streaming => 1 }, 'max_connections = 30');
my $file = $node->data_dir . '/cached_query.secret';
my $declare = q{CREATE FUNCTION cached_query_redis_identity() RETURNS text AS '$libdir/cached_query' LANGUAGE C};

if (!defined store_state($node))
{
	$node->stop;
	plan skip_all => 'needs a build with CQ_DEBUG=1';
}
$node->safe_psql('postgres', $declare);

# Names and what they were made of; the hash of a key tells secrets apart.
sub identity
{
	my ($server) = @_;
	my $text = $server->safe_psql('postgres', 'SELECT cached_query_redis_identity()');
	my ($whose, $namespace, $head_length, $head, $chunk_length, $chunk) = split /\|/, $text;

	return { whose => $text } unless defined $chunk;
	return {
		whose => $whose, namespace => $namespace, head => $head, chunk => $chunk,
		hash => $head =~ /\{([0-9a-f]{32})\}/ ? $1 : undef,
		lengths_right => $head_length == length($head) && $chunk_length == length($chunk) };
}

# Sets them in postgresql.conf and waits until new sessions have them.
sub reload_with
{
	my ($server, %settings) = @_;

	foreach my $name (sort keys %settings)
	{
		my $shown = $name eq 'redis_secret' ? '********' : $settings{$name};

		$server->adjust_conf('postgresql.conf', "cached_query.$name", undef);
		$server->append_conf('postgresql.conf', "cached_query.$name = '$settings{$name}'");
		$server->reload;
		wait_until(sub { $server->safe_psql('postgres', "SHOW cached_query.$name") eq $shown }, 20)
		  or die "no $name after a reload";
	}
	return;
}

sub log_count
{
	my ($server, $pattern) = @_;
	my $log = slurp_file($server->logfile);
	my @found = $log =~ /$pattern/g;

	return scalar @found;
}

ok(!-e $file, 'no secret before somebody needs it');

# --- made once, however many need it at the same time

my $gate = $node->background_psql('postgres');
my @sessions;
$gate->query_safe('SELECT pg_advisory_lock(1)');
foreach my $number (1 .. 12)
{
	my $session = { out => '', err => '' };
	$session->{harness} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c',
			'SELECT FROM pg_advisory_lock_shared(1)', '-c', 'SELECT cached_query_redis_identity()' ],
		'>', \$session->{out}, '2>', \$session->{err});
	push @sessions, $session;
}
ok(wait_until(sub { $node->safe_psql('postgres', q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}) eq '12' }, 60),
	'twelve sessions are waiting');
$gate->query_safe('SELECT pg_advisory_unlock(1)');
$_->{harness}->finish foreach @sessions;
$gate->quit;
my %answers = map { $_->{out} => 1 } @sessions;
is(scalar keys %answers, 1, 'all sessions have the same secret');
is(log_count($node, qr/made a secret for Redis/), 1, 'it was made and logged once');
is(-s $file, 32, 'the file has 32 bytes');
is((stat $file)[2] & 07777, 0600, 'and mode 0600');
is_deeply([ glob "$file.*" ], [], 'no temporary file is left');

my $own = identity($node);
is($own->{whose}, 'own', 'the namespace is of the data directory');
like($own->{namespace}, qr/^[0-9a-f]{16}$/, 'and has 16 hex digits');
is($own->{head}, "cached_query:$own->{namespace}:{$own->{hash}}", 'name of a head');
is($own->{chunk}, "$own->{head}:" . 'ab' x 16 . ':7', 'name of a chunk');
ok($own->{lengths_right}, 'names have the length that is returned');

$node->restart;
is_deeply(identity($node), $own, 'all that survives a restart');

# --- settings

foreach my $bad ("'a b'", "'a:b'", "'{a}'", "'" . 'x' x 65 . "'", "'*'")
{
	my ($status, $out, $err) = $node->psql('postgres', "ALTER SYSTEM SET cached_query.redis_namespace = $bad");
	like($err, qr/invalid value for parameter "cached_query.redis_namespace"/, "namespace $bad is refused");
}
my ($status, $out, $err) = $node->psql('postgres', "ALTER SYSTEM SET cached_query.redis_secret = 'tooshort'");
like($err, qr/invalid value for parameter "cached_query.redis_secret"\n.*at least 16 bytes/, 'a short secret is refused');
unlike($err, qr/ERROR:.*tooshort/, 'and not shown');

reload_with($node, redis_namespace => 'shop.prod-1_' . 'x' x 52);
my $given = identity($node);
is($given->{whose}, 'given', 'a namespace is given');
is($given->{head}, 'cached_query:shop.prod-1_' . 'x' x 52 . ":{$own->{hash}}", 'of 64 characters');
ok($given->{lengths_right}, 'names have the length that is returned');

reload_with($node, redis_secret => 'correct horse battery');
my $with_secret = identity($node);
isnt($with_secret->{hash}, $own->{hash}, 'a secret that is set is used');
is($node->safe_psql('postgres', 'SHOW cached_query.redis_secret'), '********', 'and not shown');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_settings WHERE name = 'cached_query.redis_secret'}), '0', 'nor in pg_settings');
$node->safe_psql('postgres', 'CREATE ROLE nobody');
($status, $out, $err) = $node->psql('postgres', 'SET ROLE nobody; SHOW cached_query.redis_secret');
like($err, qr/must be .*superuser|permission denied/, 'others may not ask');

# A session that is open follows a change, at its next statement after the signal.
my $session = $node->background_psql('postgres');
my $before = $session->query_safe('SELECT cached_query_redis_identity()');
reload_with($node, redis_secret => 'another horse battery');
ok(wait_until(sub { $session->query_safe('SELECT cached_query_redis_identity()') ne $before }, 20),
	'an open session follows a change');
$session->quit;

$node->adjust_conf('postgresql.conf', 'cached_query.redis_secret', undef);
$node->adjust_conf('postgresql.conf', 'cached_query.redis_namespace', undef);
$node->restart;
is_deeply(identity($node), $own, 'without settings it is what it was');

# --- copies and replicas

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
is((stat $node->backup_dir . '/base/cached_query.secret')[2] & 07777, 0600, 'a base backup has the secret');
$standby->init_from_backup($node, 'base', has_streaming => 1);
chmod 0600, $standby->data_dir . '/cached_query.secret'; # init_from_backup() does not keep modes
$standby->start;
my $replica = identity($standby);
is($replica->{hash}, $own->{hash}, 'a replica has the same secret');
isnt($replica->{namespace}, $own->{namespace}, 'but a namespace of its own');
reload_with($_, redis_namespace => 'together') foreach $node, $standby;
is(identity($standby)->{head}, identity($node)->{head}, 'given the same, they share');

unlink $standby->data_dir . '/cached_query.secret';
$standby->restart;
isnt(identity($standby)->{hash}, $own->{hash}, 'a standby without the file makes one');
ok(log_count($standby, qr/made a secret for Redis.*\n.*DETAIL:  This standby was not given/), 'and says what that means');
$standby->stop;

# --- files that can't be used: no error, one message for all sessions

my $secret = slurp_file($file);

sub put_file
{
	my ($bytes, $mode) = @_;

	unlink $file;
	rmdir $file;
	open my $handle, '>', $file or die "$file: $!";
	binmode $handle;
	print $handle $bytes;
	close $handle or die "$file: $!";
	chmod $mode, $file;
	return;
}

my $messages = 0;
sub unusable
{
	my ($name, $pattern) = @_;

	$node->restart;
	is(identity($node)->{whose}, 'unusable', "$name: Redis is not used");
	identity($node) foreach 1 .. 3;
	$messages++;
	is(log_count($node, qr/cached_query does not use Redis: .*$pattern/), 1, "$name: one message");
	is(log_count($node, qr/does not use Redis: .*\n.*HINT:  The file must have/), $messages, "$name: with a hint");
	return;
}

put_file(substr($secret, 0, 31), 0600);
unusable('short', qr/does not have exactly 32 bytes/);
put_file($secret, 0604);
unusable('open to others', qr/can be read or written by others/);
unlink $file;
mkdir $file;
unusable('a directory', qr/is not a regular file/);

SKIP:
{
	skip 'root may read everything', 3 if $> == 0;
	put_file($secret, 0000);
	unusable('not readable', qr/could not open file "cached_query.secret": Permission denied/);
}

# Mended: a session that is open looks again after a while, a new one at once.
put_file($secret, 0600);
is(identity($node)->{hash}, $own->{hash}, 'mended, it is used again');
put_file(substr($secret, 0, 31), 0600);
identity($node);
is(log_count($node, qr/does not have exactly 32 bytes/), 2, 'the same problem a second time is a new message');

$node->stop;
done_testing();
