# RedisTest.pm - Redis servers, clusters and sentinels for the TAP tests, on free loopback ports and
# in directories of their own, and a proxy that misbehaves.  All end with the test, however it ends.

package RedisTest;

use strict;
use warnings;

use CachedQueryTest ();
use Exporter 'import';
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(start_redis start_cluster start_sentinels start_proxy add_redis_functions
  redis_command redis_status redis_setting settled);

# Programs are of Redis, or of what REDIS names: valkey.
our ($server_program, $cli_program) = map { ($ENV{REDIS} || 'redis') . "-$_" } qw(server cli);

my $owner = $$;
my %running;    # pid => 1
my $count = 0;

END
{
	if ($$ == $owner)
	{
		local $?;
		stop_process($_, 'KILL') foreach keys %running;
	}
}

# Runs a program that ends with us, even if we are killed; its output goes to a file.
sub start_process
{
	my ($log, @command) = @_;
	my $pid = fork;

	die "fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		open STDIN, '<', '/dev/null';
		open STDOUT, '>>', $log;
		open STDERR, '>&', \*STDOUT;
		exec 'setpriv', '--pdeathsig', 'KILL', '--', @command or POSIX::_exit(127);
	}
	$running{$pid} = 1;
	return $pid;
}

sub stop_process
{
	my ($pid, $signal) = @_;

	return unless delete $running{$pid};
	kill $signal, $pid;
	kill 'CONT', $pid;
	waitpid $pid, 0;
	return;
}

# ---- SQL functions of a build with CQ_DEBUG ----

sub add_redis_functions
{
	my ($node, $database) = @_;

	$node->safe_psql($database || 'postgres', <<'SQL');
CREATE FUNCTION cached_query_redis_command(text[]) RETURNS text
  AS '$libdir/cached_query' LANGUAGE C STRICT VOLATILE;
CREATE FUNCTION cached_query_redis_many(text[], times int, "window" int) RETURNS bigint
  AS '$libdir/cached_query' LANGUAGE C STRICT VOLATILE;
CREATE FUNCTION cached_query_redis_status() RETURNS text
  AS '$libdir/cached_query' LANGUAGE C STRICT VOLATILE;
CREATE FUNCTION cached_query_redis_resolve() RETURNS bool
  AS '$libdir/cached_query' LANGUAGE C STRICT VOLATILE;
CREATE FUNCTION cached_query_redis_worker() RETURNS int
  AS '$libdir/cached_query' LANGUAGE C STRICT VOLATILE;
SQL
	return;
}

# The reply to a command that PostgreSQL sends; '' when Redis is not available.  The server can be a
# node or a session.
sub redis_command
{
	my ($server, @words) = @_;
	my $list = join ', ', map { "\$r\$$_\$r\$" } @words;
	my $sql = "SELECT cached_query_redis_command(ARRAY[$list])";

	return $server->can('query_safe')
	  ? $server->query_safe($sql)
	  : $server->safe_psql('postgres', $sql);
}

# Waits until everything that was stored while all calls used Redis is there, or was given up.
sub settled
{
	my ($node) = @_;

	return CachedQueryTest::wait_until(sub {
		return $node->safe_psql('postgres', q{SELECT s.stores <= s.redis_stores + s.redis_dropped AND r.queued = 0
			FROM cached_query_stats AS s, cached_query_redis AS r}) eq 't'; }, 20);
}

# The client's state and counters as a hash; {last} is the last error.
sub redis_status
{
	my ($node) = @_;
	my $text = $node->safe_psql('postgres', 'SELECT cached_query_redis_status()');
	my ($numbers, $last) = $text =~ /^(.*?) last ?(.*)$/s or die "status: $text";

	return { (split ' ', $numbers), last => $last };
}

# Changes a setting of postgresql.conf; new sessions have it when this returns.
sub redis_setting
{
	my ($node, %settings) = @_;

	foreach my $name (sort keys %settings)
	{
		(my $value = $settings{$name}) =~ s/'/''/g;
		$node->safe_psql('postgres', "ALTER SYSTEM SET cached_query.$name = '$value'");
	}
	$node->reload;
	foreach my $name (sort keys %settings)
	{
		$node->poll_query_until('postgres', 'SELECT current_setting(' . quoted("cached_query.$name")
			  . ') = ' . quoted($settings{$name})
			  . ' OR ' . quoted($settings{$name}) . " ~ '^[0-9]+m?s\$'")
		  or die "cached_query.$name did not change";
	}
	return;
}

sub quoted
{
	my ($text) = @_;

	$text =~ s/'/''/g;
	return "'$text'";
}

# ---- One server ----

# Options: lines => [configuration lines], args => [of the program], sentinel => 1, tls => {ca, cert,
# key}, password => of the default user (for redis-cli), start => 0.
sub start_redis
{
	my (%option) = @_;
	my $number = ++$count;
	my $dir = PostgreSQL::Test::Utils::tempdir_short();
	my $self = bless {
		dir => $dir,
		socket => "$dir/s",
		port => PostgreSQL::Test::Cluster::get_free_port(),
		log => "$PostgreSQL::Test::Utils::log_path/redis_$number.log",
		%option
	}, 'RedisTest::Server';
	my @lines = ('bind 127.0.0.1', 'protected-mode no', "dir $dir", 'daemonize no', 'save ""');

	if ($option{tls})
	{
		push @lines, 'port 0', "tls-port $self->{port}", 'tls-auth-clients no',
		  "tls-ca-cert-file $option{tls}{ca}", "tls-cert-file $option{tls}{cert}",
		  "tls-key-file $option{tls}{key}";
	}
	else
	{
		push @lines, "port $self->{port}";
	}
	push @lines, "unixsocket $self->{socket}", 'unixsocketperm 700' unless $option{sentinel};
	push @lines, @{ $option{lines} || [] };
	open my $conf, '>', "$dir/redis.conf" or die "$dir: $!";
	print $conf map { "$_\n" } @lines;
	close $conf;
	$self->start unless defined $option{start} && !$option{start};
	return $self;
}

# ---- A cluster ----

# Masters, and so many replicas of each: an array of servers, masters first.
sub start_cluster
{
	my ($masters, $replicas, @lines) = @_;
	my $bus_lines = sub {
		return [
			'cluster-enabled yes', 'cluster-node-timeout 1000', 'cluster-replica-validity-factor 0',
			'cluster-port ' . PostgreSQL::Test::Cluster::get_free_port(), @lines
		];
	};
	my @nodes =
	  map { start_redis(lines => $bus_lines->()) } 1 .. $masters * (1 + ($replicas || 0));
	my $end = time() + 60;

	system_or_bail($cli_program, '--cluster', 'create', (map { "127.0.0.1:$_->{port}" } @nodes),
		'--cluster-replicas', $replicas || 0, '--cluster-yes');
	foreach my $node (@nodes)
	{
		until ($node->cli('CLUSTER', 'INFO') =~ /cluster_state:ok/)
		{
			die 'the cluster does not come up' if time() > $end;
			sleep 0.1;
		}
	}
	return @nodes;
}

# ---- Sentinels ----

# So many sentinels that watch a master under this name; they agree by majority.
sub start_sentinels
{
	my ($master, $name, $number, @lines) = @_;
	my $quorum = int($number / 2) + 1;

	return map {
		start_redis(
			sentinel => 1,
			lines => [
				"sentinel monitor $name 127.0.0.1 $master->{port} $quorum",
				"sentinel down-after-milliseconds $name 1000",
				"sentinel failover-timeout $name 5000", @lines
			])
	} 1 .. $number;
}

# ---- A proxy ----

# Listens on a loopback port and handles each connection in a process of its own by a function that
# gets the client's socket and one to the server (undef without one).
sub start_proxy
{
	my ($server, $handle) = @_;
	my $listener = IO::Socket::INET->new(
		Listen => 20,
		LocalAddr => '127.0.0.1',
		Proto => 'tcp') or die "listen: $!";
	my $pid = fork;

	die "fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		my $parent = $owner;

		$SIG{CHLD} = 'IGNORE';
		$SIG{TERM} = 'DEFAULT';
		$SIG{INT} = 'DEFAULT';
		$SIG{PIPE} = 'IGNORE';
		while (getppid == $parent)
		{
			next unless IO::Select->new($listener)->can_read(1);
			my $client = $listener->accept or next;

			if (fork)
			{
				close $client;
				next;
			}
			close $listener;
			alarm 60;
			my $to = $server
			  && IO::Socket::INET->new(
				PeerAddr => '127.0.0.1',
				PeerPort => $server->{port},
				Proto => 'tcp');
			$handle->($client, $to);
			POSIX::_exit(0);
		}
		POSIX::_exit(0);
	}
	$running{$pid} = 1;
	return bless { pid => $pid, port => $listener->sockport }, 'RedisTest::Proxy';
}

# For a proxy's function: passes on both ways.  What the server says goes through a function first,
# if given, which returns what to pass on and whether to hang up then.
sub pass_on
{
	my ($client, $server, $change) = @_;
	my $select = IO::Select->new($client, $server);

	while (my @ready = $select->can_read)
	{
		foreach my $from (@ready)
		{
			my $n = $from->sysread(my $data, 65536);
			my $last = 0;

			return unless $n;
			($data, $last) = $change->($data) if $change && $from == $server;
			my $to = $from == $server ? $client : $server;
			my $at = 0;

			while ($at < length $data)
			{
				my $written = $to->syswrite($data, length($data) - $at, $at);

				return unless $written;
				$at += $written;
			}
			return if $last;
		}
	}
	return;
}

package RedisTest::Server;

use Time::HiRes qw(sleep time);

sub start
{
	my ($self) = @_;
	my $end = time() + 30;

	$self->{pid} = RedisTest::start_process($self->{log}, $RedisTest::server_program, "$self->{dir}/redis.conf",
		$self->{sentinel} ? '--sentinel' : (), @{ $self->{args} || [] });
	until ($self->cli('PING') =~ /PONG|NOAUTH|LOADING/)
	{
		die "$RedisTest::server_program does not start, see $self->{log}" if time() > $end;
		sleep 0.02;
	}
	return;
}

sub stop { RedisTest::stop_process($_[0]->{pid}, 'TERM'); return; }
sub kill9 { RedisTest::stop_process($_[0]->{pid}, 'KILL'); return; }
sub pause { kill 'STOP', $_[0]->{pid}; return; }
sub resume { kill 'CONT', $_[0]->{pid}; return; }

sub tcp_url { return "redis://127.0.0.1:$_[0]->{port}"; }
sub unix_url { return "unix://$_[0]->{socket}"; }

# What redis-cli or valkey-cli prints.
sub cli
{
	my ($self, @words) = @_;
	my @to = ('-h', '127.0.0.1', '-p', $self->{port});

	push @to, '--tls', '--cacert', $self->{tls}{ca} if $self->{tls};
	push @to, '--no-auth-warning', '-a', $self->{password} if defined $self->{password};
	my ($out, $err) = ('', '');

	IPC::Run::run([ $RedisTest::cli_program, @to, @words ], '>', \$out, '2>', \$err, IPC::Run::timeout(30));
	chomp $out;
	return $out;
}

package RedisTest::Proxy;

sub stop { RedisTest::stop_process($_[0]->{pid}, 'KILL'); return; }
sub url { return "redis://127.0.0.1:$_[0]->{port}"; }

1;
