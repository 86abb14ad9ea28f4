# CachedQueryTest.pm - what the TAP tests share: servers with the library, looking into the store,
# counting outcomes, and a client that sends a query and reads the answer later, or not at all.

package CachedQueryTest;

use strict;
use warnings;
use feature 'state';

use Exporter 'import';
use FindBin;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(start_node add_extension store_state store_is_idle outcomes outcome_of rows_of
  session_pid answers wait_until recovers log_is_quiet complaints same_bytes image_hits
  slow_functions executions_since using_objects start_node_at_xid check_exact
  run_regress begin_oids);

# A running server with the library, and the extension in database postgres.  Further settings are
# lines for postgresql.conf; the first argument after the name may be a hash for init().
sub start_node
{
	my ($name, @lines) = @_;
	my %init = ref $lines[0] ? %{ shift @lines } : ();
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(%init);
	$node->append_conf('postgresql.conf', join("\n",
		"shared_preload_libraries = 'cached_query'",
		"cached_query.memory = 32MB",
		"autovacuum = off",
		@lines));
	$node->start;
	add_extension($node, 'postgres');
	return $node;
}

# Like start_node(), with a counter of transaction ids that stands at this number (less than 2 to the 32nd).
# The way there goes in steps, as the server wants all of its ids within 2 to the 31st.
sub start_node_at_xid
{
	my ($name, $xid, @lines) = @_;
	my %init = ref $lines[0] ? %{ shift @lines } : ();
	my $node = PostgreSQL::Test::Cluster->new($name);
	my $at = 0;

	$node->init(%init);
	$node->append_conf('postgresql.conf', "autovacuum = off\nfsync = off");
	while ($at < $xid)
	{
		freeze_all($node);
		$at = $at + 1_500_000_000 < $xid ? $at + 1_500_000_000 : $xid;
		empty_clog($node, $at);
		system_or_bail('pg_resetwal', '-f', '-x', $at, '-u', $at - 1000, $node->data_dir);
	}
	freeze_all($node);
	$node->append_conf('postgresql.conf', join("\n",
		"shared_preload_libraries = 'cached_query'",
		"cached_query.memory = 32MB",
		@lines));
	$node->start;
	add_extension($node, 'postgres');
	return $node;
}

# Nothing in the cluster has an old id any more.
sub freeze_all
{
	my ($node) = @_;

	$node->start;
	$node->safe_psql('postgres', q{UPDATE pg_database SET datallowconn = true WHERE datname = 'template0'});
	$node->command_ok([ 'vacuumdb', '--all', '--freeze', '--quiet' ], 'ids are frozen');
	$node->safe_psql('postgres', q{UPDATE pg_database SET datallowconn = false WHERE datname = 'template0'; CHECKPOINT});
	$node->stop;
	return;
}

# The segment of pg_xact that this id lies in.
sub empty_clog
{
	my ($node, $xid) = @_;
	my $file = sprintf '%s/pg_xact/%04X', $node->data_dir, $xid / (1024 * 1024);

	open my $out, '>', $file or die "$file: $!";
	binmode $out;
	print $out "\0" x (256 * 1024);
	close $out;
	return;
}

# OIDs of this server begin here, as in some tests of sql/: which objects share a slot depends on them.
sub begin_oids
{
	my ($node, $oids) = @_;

	$node->safe_psql('postgres', "\\set oids $oids\n\\i $FindBin::RealBin/../../sql/parts/same_oids.sql\n");
	return;
}

# Tests of sql/ on this server, one test here.  The database has the OID that pg_regress gives it in a server of its
# own: which objects share a slot depends on it, too.
sub run_regress
{
	my ($node, @names) = @_;
	my $top = "$FindBin::RealBin/../..";
	my $out = PostgreSQL::Test::Utils::tempdir();

	$node->safe_psql('postgres', $_) foreach
		q{CREATE DATABASE contrib_regression TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C' OID 16384},
		map { "ALTER DATABASE contrib_regression SET lc_$_ = 'C'" } qw(messages monetary numeric time);
	my $ok = system($ENV{PG_REGRESS}, '--host', $node->host, '--port', $node->port, "--inputdir=$top", "--outputdir=$out",
		'--bindir=', '--use-existing', '--dbname=contrib_regression', 'init', @names) == 0;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($ok, "regress tests: @names") or diag slurp_file("$out/regression.diffs");
	return;
}

# ---- The randomized checker of exact answers, test/fuzz/exact.c ----

# The program is built here: it needs libpq's header and a C compiler, as the extension does.
sub exact_checker
{
	state $program;

	return $program if defined $program;
	$program = PostgreSQL::Test::Utils::tempdir() . '/exact';
	my ($include, $lib) = map { chomp(my $dir = `pg_config $_`); $dir } '--includedir', '--libdir';

	# a copy of Debian's server has not all that is in these directories
	system_or_bail($ENV{CC} || 'cc', '-D_GNU_SOURCE', '-O2', '-Wall', "-I$include",
		'-I/usr/include/postgresql', "$FindBin::RealBin/../fuzz/exact.c", '-o', $program, "-L$lib", "-Wl,-rpath,$lib", '-lpq');
	return $program;
}

# Runs the checker on fresh tables, with settings of ours and options of its; its checks become ours.  Of two
# servers readers ask the second, which is a standby of the first.
sub check_exact
{
	my ($servers, $name, $settings, @options) = @_;
	my ($node, $standby) = ref $servers eq 'ARRAY' ? @$servers : ($servers);
	my $asked = $standby || $node;
	my $output = '';

	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	local $ENV{PGDATABASE} = 'postgres';
	local $ENV{PGOPTIONS} = join ' ', map { "-c cached_query.$_" } @$settings;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$node->safe_psql('postgres', slurp_file("$FindBin::RealBin/../fuzz/exact.sql"));
	if ($standby)
	{
		$node->wait_for_catchup($standby);
		push @options, '--standby', $standby->connstr('postgres');
	}
	$asked->safe_psql('postgres', 'SELECT cached_query_clear(); SELECT cached_query_stats_reset()');
	IPC::Run::run([ exact_checker(), @options ], '>', \$output, '2>&1');
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

# The extension, and in a build with CQ_DEBUG the function that recounts the store.
sub add_extension
{
	my ($node, $database) = @_;

	$node->safe_psql($database, 'CREATE EXTENSION cached_query');
	$node->safe_psql($database, q{
		DO $do$ BEGIN
			CREATE FUNCTION cached_query_check() RETURNS text AS '$libdir/cached_query' LANGUAGE C;
		EXCEPTION WHEN undefined_function THEN
			NULL; -- not an error in the log
		END $do$});
	return;
}

# Entries, units, pins and unlinked units; dies if the store contradicts itself, undef without
# CQ_DEBUG.
sub store_state
{
	my ($node, $database) = @_;
	my ($out, $err);

	$database = 'postgres' unless defined $database;
	return undef
	  if $node->safe_psql($database, q{SELECT to_regproc('cached_query_check')}) eq '';
	$node->psql($database, 'SELECT cached_query_check()', stdout => \$out, stderr => \$err);
	die "cached_query_check: $err" if $err ne '';
	return { $out =~ /(\w+) (\d+)/g };
}

# Waits for a condition; true if it came true within the seconds given.
sub wait_until
{
	my ($condition, $seconds) = @_;
	my $end = time() + ($seconds || $PostgreSQL::Test::Utils::timeout_default);

	until ($condition->())
	{
		return 0 if time() > $end;
		sleep 0.05;
	}
	return 1;
}

# How often the log says, from this offset on, that a function of slow_functions() ran.
sub executions_since
{
	my ($node, $what, $offset) = @_;

	return scalar(() = slurp_file($node->logfile, $offset) =~ /LOG:  executing \Q$what\E$/mg);
}

# SQL for functions over a table t with a column v: slow(seconds, what) takes so long, and writes a line
# to the log for each execution.  cached_query.trusted_functions must name nap.
sub slow_functions
{
	return q{
	CREATE FUNCTION nap(float8) RETURNS void LANGUAGE internal STABLE STRICT AS 'pg_sleep';
	CREATE FUNCTION slow(seconds float8, what text) RETURNS text LANGUAGE plpgsql STABLE AS $$
	BEGIN
		RAISE LOG 'executing %', what;
		PERFORM nap(seconds);
		RETURN what || ' ' || (SELECT max(v) FROM t);
	END $$;
};
}

# SQL for the extension in a schema of its own, and for objects that use it: what a dump has to carry.
sub using_objects
{
	return q{
	CREATE SCHEMA ext;
	CREATE EXTENSION cached_query SCHEMA ext;
	CREATE TABLE payment (id int PRIMARY KEY, amount numeric(10,2), note text);
	INSERT INTO payment SELECT g, g * 1.5, 'n' || g FROM generate_series(1, 100) AS g;
	CREATE VIEW totals AS SELECT * FROM ext.cached_query('SELECT count(*), sum(amount) FROM public.payment', '1h') AS t(n bigint, total numeric);
	CREATE VIEW typed AS SELECT * FROM ext.cached_query_as(NULL::payment, 'SELECT * FROM public.payment WHERE id < $1', '1h', 4);
	CREATE FUNCTION above(lower int) RETURNS SETOF int LANGUAGE sql STABLE
	AS $$ SELECT id FROM ext.cached_query('SELECT id FROM public.payment WHERE id > $1 ORDER BY 1', '1h', lower) AS t(id int) $$;
	CREATE FUNCTION atomic(lower int) RETURNS SETOF int LANGUAGE sql STABLE
	BEGIN ATOMIC SELECT id FROM ext.cached_query('SELECT id FROM public.payment WHERE id > $1 ORDER BY 1', '1h', lower) AS t(id int); END;
};
}

# Two tests: the server has restarted itself after a crash, which the log tells from an offset on.
# No client is tried before: psql that ends at once can be a broken pipe to its caller.
sub recovers
{
	my ($node, $offset) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(wait_until(sub { slurp_file($node->logfile, $offset) =~ /database system is ready/ }), 'server recovers');
	ok($node->poll_query_until('postgres', 'SELECT true'), '... and lets clients in');
	return;
}

# A test: nothing is pinned, no memory is in use that no entry owns, and the recount is right.
# A backend that was told to go may need a moment.
sub store_is_idle
{
	my ($node, $name, $database) = @_;
	my $state;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
  SKIP:
	{
		skip 'needs a build with CQ_DEBUG', 1 unless defined store_state($node, $database);
		my $idle = wait_until(
			sub {
				$state = store_state($node, $database);
				return $state->{pins} == 0 && $state->{unlinked} == 0 && $state->{filling} == 0;
			},
			20);
		ok($idle, $name) or diag explain $state;
	}
	return;
}

# Calls by reason, as a hash.
sub outcomes
{
	my ($node, $database) = @_;
	my $rows = $node->safe_psql($database || 'postgres',
		'SELECT reason, calls FROM cached_query_reasons WHERE calls > 0');

	return { map { split /\|/ } split /\n/, $rows };
}

# Runs SQL; returns how its calls were counted ("hit x2, miss_cold") and what psql printed.
sub outcome_of
{
	my ($node, $sql, $database) = @_;
	my $before = outcomes($node, $database);
	my $rows = $node->safe_psql($database || 'postgres', $sql);
	my $after = outcomes($node, $database);
	my @found;

	foreach my $reason (sort keys %$after)
	{
		my $calls = $after->{$reason} - ($before->{$reason} || 0);

		push @found, $reason . ($calls > 1 ? " x$calls" : '') if $calls != 0;
	}
	return (join(', ', @found) || 'no call', $rows);
}

# The call as a statement: rows_of("SELECT 1", "1h", "a int").
sub rows_of
{
	my ($query, $ttl, $columns, @args) = @_;
	my $list = join '', map { ", $_" } @args;

	return "SELECT * FROM cached_query(\$q\$$query\$q\$, '$ttl'$list) AS t($columns)";
}

sub session_pid
{
	my ($session) = @_;

	return $session->query_safe('SELECT pg_backend_pid()');
}

# Answers of clients that were sent something: rows or SQLSTATEs, and how often each came.
sub answers
{
	my %count;

	foreach my $client (@_)
	{
		my $answer = $client->until_ready;

		$count{ $answer->{sqlstate} || $answer->{first} }++;
	}
	return join ', ', map { "$_ x$count{$_}" } sort keys %count;
}

# Lines of the log, from an offset on, with a level that nothing of ours should reach.
sub complaints
{
	my ($node, $offset) = @_;
	my $log = slurp_file($node->logfile, $offset || 0);

	return grep { / (WARNING|PANIC|TRAP): |TRAP: |reference leak|pin leak/ } split /\n/, $log;
}

# A test: no warning, leak or failed assertion in the log.
sub log_is_quiet
{
	my ($node, $name) = @_;
	my @lines = complaints($node);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(join("\n", @lines), '', $name);
	return;
}

# ---- The bytes that a client receives ----

# Where two answers part, and what is there.
sub difference
{
	my ($want, $got) = @_;
	my $at = 0;

	$at++ while $at < length($want) && substr($want, $at, 1) eq substr($got, $at, 1);
	return map { sprintf "at %d of %d: %s\n", $at, length, unpack('H*', substr($_, $at, 40)) . ' ' . substr($_, $at, 200) =~ s/[^ -~]/./gr } $want, $got;
}

sub image_hits
{
	my ($client) = @_;

	return $client->ask('SELECT image_hits FROM cached_query_stats')->{first};
}

# A test: the answers to this statement in this session, by the query itself and four times by the
# cache, are the same bytes; how many came from an image.
sub same_bytes
{
	my ($client, $call, $formats, $name) = @_;
	my $ask = sub { return defined $formats ? $client->raw_extended($call, $formats) : $client->raw($call) };
	my $images = image_hits($client);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$client->ask('SET cached_query.mode = off');
	my $want = $ask->();
	$client->ask('RESET cached_query.mode');
	my @got = map { $ask->() } 1 .. 5;
	my $wrong = grep { $_ ne $want } @got;

	ok($wrong == 0 && length($want) > 0, "$name: the bytes") or diag "$wrong of 5 differ, the first here:\n", difference($want, $got[0]);
	return image_hits($client) - $images;
}

# ---- A client that speaks just enough of the protocol to stop reading ----

package CachedQueryTest::Deaf;

use Errno;
use IO::Socket::UNIX;
use Time::HiRes;

# Older minor releases of 16 have no raw_connect() of their own.
sub connect
{
	my ($class, $node, $database) = @_;
	my $path = $node->host . '/.s.PGSQL.' . $node->port;
	my $self = bless { socket => IO::Socket::UNIX->new(Peer => $path) || die "$path: $!" }, $class;
	my $user = $ENV{PGUSER} || getpwuid($>);
	my $body = pack('N', 196608) . "user\0$user\0database\0" . ($database || 'postgres') . "\0\0";

	$self->{socket}->syswrite(pack('N', length($body) + 4) . $body);
	$self->until_ready;
	return $self;
}

sub exactly
{
	my ($self, $length) = @_;
	my $data = '';

	while (length($data) < $length)
	{
		my $got = $self->{socket}->sysread($data, $length - length($data), length($data));

		# a child that is stopped is a signal, too
		next if !defined $got && $!{EINTR};
		return undef unless $got;
	}
	return $data;
}

# Type and body of the next message; nothing when the server has hung up.
sub message
{
	my ($self) = @_;
	my $head = $self->exactly(5);

	return unless defined $head;
	my ($type, $length) = unpack 'aN', $head;
	my $body = $length > 4 ? $self->exactly($length - 4) : '';

	$self->{pid} = unpack 'N', $body if $type eq 'K';
	return ($type, $body);
}

# The columns of a row as psql -At prints them.
sub row_text
{
	my ($body) = @_;
	my ($count, $at) = (unpack('n', $body), 2);
	my @columns;

	foreach (1 .. $count)
	{
		my $length = unpack 'l>', substr($body, $at, 4);

		push @columns, $length < 0 ? '' : substr($body, $at + 4, $length);
		$at += 4 + ($length < 0 ? 0 : $length);
	}
	return join '|', @columns;
}

# Reads to the end of the answer; a count of the messages of each type, the first row as text, and
# the SQLSTATEs.
sub until_ready
{
	my ($self) = @_;
	my %seen = (sqlstate => '', rows => 0, first => '');

	while (my ($type, $body) = $self->message)
	{
		$seen{$type}++;
		$seen{first} = row_text($body) if $type eq 'D' && $seen{rows} == 0;
		$seen{rows}++ if $type eq 'D' || $type eq 'd';
		$seen{sqlstate} .= $1 if $type eq 'E' && $body =~ /C(\w{5})\0/;
		last if $type eq 'Z';
	}
	return \%seen;
}

sub send
{
	my ($self, $query) = @_;

	$self->{socket}->syswrite('Q' . pack('N', length($query) + 5) . "$query\0");
	return;
}

sub ask
{
	my ($self, $query) = @_;

	$self->send($query);
	return $self->until_ready;
}

# The bytes of everything up to the end of the answer.
sub raw_until_ready
{
	my ($self) = @_;
	my $bytes = '';

	while (my ($type, $body) = $self->message)
	{
		$bytes .= $type . pack('N', length($body) + 4) . $body;
		last if $type eq 'Z';
	}
	return $bytes;
}

# The bytes of the answer to a simple query.
sub raw
{
	my ($self, $query) = @_;

	$self->send($query);
	return $self->raw_until_ready;
}

sub put
{
	my ($self, $type, $body) = @_;

	$self->{out} .= $type . pack('N', length($body) + 4) . $body;
	return;
}

# Parse (the query is kept under this name), to be sent with the next sync().
sub prepare
{
	my ($self, $name, $query) = @_;

	$self->put('P', "$name\0$query\0" . pack('n', 0));
	return;
}

# Bind with result formats, Describe and Execute with limits of rows, one after the other.
sub execute
{
	my ($self, $name, $formats, @limits) = @_;

	$self->put('B', "\0$name\0" . pack('nn', 0, 0) . pack('n*', scalar @$formats, @$formats));
	$self->put('D', "P\0");
	$self->put('E', "\0" . pack('N', $_)) foreach @limits ? @limits : (0);
	return;
}

sub sync
{
	my ($self) = @_;

	$self->put('S', '');
	$self->{socket}->syswrite($self->{out});
	$self->{out} = '';
	return;
}

# The bytes of the answer to a statement by the extended protocol.
sub raw_extended
{
	my ($self, $query, $formats, @limits) = @_;

	$self->prepare('', $query);
	$self->execute('', $formats, @limits);
	$self->sync;
	return $self->raw_until_ready;
}

sub pid { return $_[0]->{pid}; }

sub close
{
	my ($self) = @_;

	$self->{socket}->close;
	return;
}

1;
