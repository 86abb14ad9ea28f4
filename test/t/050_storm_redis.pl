# Everything at once with Redis on: databases that come and go, changes of roles and tables, invalidations here
# and in another server of the namespace, cancels and terminations.  Answers stay right, nobody's call takes
# long because of what others do, and at the end nothing is pinned and every byte is accounted for.
#
# How long calls take is told by some that only ask the cache, beside others that only say SELECT: what the
# machine does to these is not our doing.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RedisTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $seconds = $ENV{CQ_STORM_SECONDS} || 20;
my $seed = $ENV{CQ_STORM_SEED} || time() * 1000 % 1_000_000;
my $long = 0.1;
my $redis = start_redis();
my @shared = ("cached_query.redis_url = '" . $redis->unix_url . "'", 'cached_query.redis_namespace = storm');
my $node = start_node('primary', { allows_streaming => 1 }, @shared, 'cached_query.memory = 64MB', 'cached_query.store = tiered',
	'max_connections = 60', 'max_worker_processes = 20', 'fsync = off', 'log_min_messages = warning', 'log_statement = none', 'log_min_error_statement = panic');

diag "seed $seed, $seconds s";
srand $seed;
$node->safe_psql('postgres', q{
	CREATE ROLE victim LOGIN SUPERUSER;
	CREATE TABLE account (id int PRIMARY KEY, v int);
	INSERT INTO account SELECT g, 100 FROM generate_series(1, 50) AS g;
	CREATE TABLE other (a int);
	SELECT count(cached_query_json('SELECT $1 AS a', '1h', g)) FROM generate_series(1, 20000) AS g;
	SET cached_query.tag = 'many';
	SELECT count(cached_query_json('SELECT $1 AS b', '1h', g)) FROM generate_series(1, 5000) AS g;
	ALTER SYSTEM SET cached_query.redis_retry_interval = '100ms'});
$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);

# ---- Clients, each a process that writes down what it saw ----

my $dir = PostgreSQL::Test::Utils::tempdir();
my %children;

sub child
{
	my ($name, $do) = @_;
	my $pid = fork;

	die "fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		my $found = eval { $do->() } || { error => $@ || 'nothing' };

		open my $out, '>', "$dir/$name" or POSIX::_exit(1);
		print $out "$_ $found->{$_}\n" foreach sort keys %$found;
		close $out;
		POSIX::_exit(0);
	}
	$children{$name} = $pid;
	return;
}

# Asks one after the other of these until the time is over; answers that are not as they must be are wrong.
sub ask_on
{
	my ($end, @questions) = @_;
	my $client = CachedQueryTest::Deaf->connect($node);
	my %found = (calls => 0, long => 0, max => 0, wrong => 0, failed => 0);

	while (time() < $end)
	{
		foreach my $question (@questions)
		{
			my $start = time;
			my $answer = $client->ask($question->[0]);
			my $took = time() - $start;

			$found{calls}++;
			$found{max} = $took if $took > $found{max};
			$found{long}++ if $took > $long;
			$found{failed}++ if $answer->{sqlstate} ne '';
			$found{wrong}++ if $answer->{sqlstate} eq '' && $answer->{first} ne $question->[1];
			sleep 0.002;
		}
	}
	return \%found;
}

# Whoever is cancelled goes on, whoever is terminated comes again.
sub suffer
{
	my ($end) = @_;
	my %found = (calls => 0, wrong => 0, lost => 0);

	while (time() < $end)
	{
		my $client = CachedQueryTest::Deaf->connect($node);

		$client->ask("SET application_name = 'victim'; SET cached_query.stale_for = '10s'; SET cached_query.refresh = 'background'");
		while (time() < $end)
		{
			my $n = int rand 300;
			my $answer = $client->ask(q{SELECT sum(length(b)) FROM cached_query('SELECT g, repeat(''x'', $1) FROM generate_series(1, 500) AS g', '50ms', } . $n
				  . ') AS t(a int, b text)');

			if (!$answer->{Z})
			{
				$found{lost}++;
				last;
			}
			$found{calls}++;
			$found{wrong}++ if $answer->{sqlstate} eq '' && $answer->{first} ne 500 * $n;
		}
	}
	return \%found;
}

sub found
{
	my ($name) = @_;

	waitpid $children{$name}, 0;
	return { map { split / /, $_, 2 } split /\n/, slurp_file("$dir/$name") };
}

my @asked = (
	[ q{SELECT cached_query_json('SELECT sum(v) AS s FROM account', '1h')}, '[{"s":5000}]' ],
	[ q{SET cached_query.consistency = exact; SELECT * FROM cached_query('SELECT sum(v) FROM account', '1h') AS t(s bigint)}, '5000' ],
	[ q{RESET cached_query.consistency; SELECT * FROM cached_query('SELECT count(*) FROM account WHERE id <= $1', '1h', 20) AS t(n bigint)}, '20' ],
	[ q{SELECT cached_query_json('SELECT $1 AS a', '1h', 77)}, '[{"a":77}]' ]);

# ---- The storm ----

my $end = time() + $seconds;

child("cached$_", sub { return ask_on($end, @asked) }) foreach 1 .. 4;
child("control$_", sub { return ask_on($end, [ 'SELECT 1', '1' ], [ 'SELECT sum(v) FROM account', '5000' ]) }) foreach 1 .. 4;
child("victim$_", sub { srand $seed + $_; return suffer($end) }) foreach 1 .. 3;

my $boss = CachedQueryTest::Deaf->connect($node);
my $elsewhere = CachedQueryTest::Deaf->connect($standby);
my %slow;
my %done;
my $dropped = 0;

sub say_to
{
	my ($who, @statements) = @_;

	foreach my $statement (@statements)
	{
		my $start = time;
		my $answer = $who->ask($statement);

		$done{$answer->{sqlstate} || 'ok'}++;
		$slow{$statement} = time() - $start if time() - $start > 3;
	}
	return;
}

my @things = (
	sub { say_to($boss, 'CREATE DATABASE d', 'DROP DATABASE d'); $dropped++; },
	sub { say_to($boss, 'CREATE ROLE r', 'ALTER ROLE r CREATEDB', 'CREATE ROLE s', 'GRANT r TO s', q{ALTER ROLE r PASSWORD 'x'}, 'DROP ROLE r, s'); },
	sub { say_to($boss, 'GRANT SELECT ON account TO PUBLIC', 'REVOKE SELECT ON account FROM PUBLIC'); },
	sub { say_to($boss, 'ALTER TABLE other ADD b int', 'ALTER TABLE other DROP b', 'TRUNCATE other'); },
	sub { say_to($boss, 'CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS $$SELECT 1$$', 'DROP FUNCTION f()'); },
	sub { say_to($boss, 'UPDATE account SET v = v + CASE WHEN id % 2 = 0 THEN 1 ELSE -1 END'); },
	sub { say_to($boss, q{SELECT cached_query_invalidate_tag('many')}, q{SELECT cached_query_invalidate_relation('account')}); },
	sub { say_to($boss, q{SELECT cached_query_invalidate_tag('nothing' || g) FROM generate_series(1, 200) AS g}); },
	sub { say_to($elsewhere, q{SELECT cached_query_invalidate_tag('many')}, q{SELECT cached_query_invalidate_relation('account')}); },
	sub { say_to($elsewhere, q{SELECT cached_query_invalidate_tag('x' || g) FROM generate_series(1, 50) AS g}); },
	sub { say_to($elsewhere, 'SELECT cached_query_clear()') if rand() < 0.2; },
	sub { say_to($boss, 'SELECT count(*) FROM cached_query_entries'); },
	sub { say_to($boss, q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim' OR backend_type = 'cached_query refresh worker'}); },
	sub { say_to($boss, q{SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE application_name = 'victim' ORDER BY random() LIMIT 1) AS x}); },
	sub { say_to($boss, q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type LIKE 'cached_query%' AND random() < 0.3}); },
	sub { say_to($boss, q{SELECT pg_log_backend_memory_contexts(pid) FROM pg_stat_activity WHERE backend_type LIKE 'cached_query%'}) if rand() < 0.2; });

while (time() < $end)
{
	$things[ rand @things ]->();
	sleep rand 0.1;
}

# ---- What is left ----

my %sum;

foreach my $name (sort keys %children)
{
	my $found = found($name);
	(my $kind = $name) =~ s/\d//;

	is($found->{error}, undef, "$name lived");
	is($found->{wrong}, 0, "... and got right answers");
	is($found->{failed} || 0, 0, '... and no error') if $kind ne 'victim';
	$sum{$kind}{$_} += $found->{$_} foreach grep { /calls|long|lost/ } keys %$found;
	$sum{$kind}{max} = $found->{max} if defined $found->{max} && $found->{max} > ($sum{$kind}{max} || 0);
}
diag sprintf 'cached: %d calls, %d over 100 ms, longest %.0f ms; control: %d calls, %d, %.0f ms; terminated: %d; others\' statements: %s',
  $sum{cached}{calls}, $sum{cached}{long}, 1000 * $sum{cached}{max}, $sum{control}{calls}, $sum{control}{long}, 1000 * $sum{control}{max},
  $sum{victim}{lost}, join ', ', map { "$_ x$done{$_}" } sort keys %done;
cmp_ok($sum{cached}{long}, '<=', 3 + 2 * $sum{control}{long}, 'cached calls do not take long, but for what other calls suffer, too');
cmp_ok($sum{victim}{lost}, '>', 0, 'sessions were terminated');
cmp_ok($dropped, '>', 0, 'databases were dropped');
is(join("\n", %slow), '', 'nobody who changed something had to wait');
ok(wait_until(sub { return $node->safe_psql('postgres', 'SELECT queued FROM cached_query_redis') eq '0'; }, 20), 'the queue to Redis empties');
store_is_idle($_, 'nothing is left pinned') foreach $node, $standby;
is(join("\n", grep { !/autovacuum/ } complaints($node)), '', 'nothing to complain about');
is(join("\n", complaints($standby)), '', '... on the standby neither');
$_->stop foreach $standby, $node;
done_testing();
