# cached_query.auto = ttl: old results are computed anew by a worker, as the role and under the settings of
# the session, or by the session itself where no worker can; and after a clean restart they are there.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $node = start_node('main', 'max_worker_processes = 12', 'cached_query.warm_start = on',
	'log_min_messages = warning');
my $ttl = '/* cached_query: ttl=300ms */';
my $auto = 'SET cached_query.auto = ttl; SET cached_query.stale_for = 1000000; SET cached_query.refresh = background; SET cached_query.auto_nested = on';

sub value { return $node->safe_psql('postgres', $_[0]); }

sub counter { return value("SELECT $_[0] FROM cached_query_stats"); }

sub session
{
	my ($before) = @_;
	my $session = $node->background_psql('postgres');

	$session->query_safe($_) foreach "$before", $auto;
	return $session;
}

# It is a hit from its third run on; returns what it says.
sub make_hit
{
	my ($session, $query) = @_;

	return (map { $session->query_safe($query) } 1 .. 3)[2];
}

# The old result once, and the new one after a while without any run of the session's own.
sub renewed_is
{
	my ($session, $query, $old, $new, $name) = @_;
	my $refreshes = counter('refreshes');
	my $result = $session->query_safe($query);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($result, $old, "$name: the old one");
	ok(wait_until(sub { counter('refreshes') > $refreshes }, 20), "$name: a worker computes it");
	is($session->query_safe($query), $new, "$name: the new one");
	return;
}

value(q{
	CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE web_user; CREATE ROLE pooler LOGIN; GRANT web_user TO pooler;
	CREATE TABLE t (owner name, v int);
	INSERT INTO t VALUES ('alice', 1), ('bob', 1), ('web_user', 1);
	GRANT SELECT ON t TO alice, bob, web_user; ALTER TABLE t ENABLE ROW LEVEL SECURITY;
	CREATE POLICY own ON t USING (owner = current_user);
	CREATE TABLE open AS SELECT g AS id, 1 AS v, '2026-01-31'::date AS d FROM generate_series(1, 3) AS g;
	GRANT SELECT ON open TO PUBLIC;
	CREATE FUNCTION within(n int) RETURNS int LANGUAGE plpgsql AS
		$$ BEGIN RETURN (SELECT sum(v) FROM open WHERE id <= n /* cached_query: ttl=300ms */); END $$});

# ---- By a worker: roles, policies, settings, paths ----

my %query = (rows => "$ttl SELECT owner, v FROM t", date => "$ttl SELECT d::text, v FROM open WHERE id = 1");
my %session = (alice => session('SET SESSION AUTHORIZATION alice'), web => session('SET SESSION AUTHORIZATION pooler; SET ROLE web_user'),
	german => session('SET DateStyle = German'));

is(make_hit($session{alice}, $query{rows}), 'alice|1', "alice's row");
is(make_hit($session{web}, $query{rows}), 'web_user|1', 'the row of a role that was set');
is(make_hit($session{german}, $query{date}), '31.01.2026|1', 'under a setting');
value('UPDATE t SET v = 2; UPDATE open SET v = 2');
sleep 0.35;
renewed_is($session{alice}, $query{rows}, 'alice|1', 'alice|2', 'a role');
renewed_is($session{web}, $query{rows}, 'web_user|1', 'web_user|2', 'a role that was set');
renewed_is($session{german}, $query{date}, '31.01.2026|1', '31.01.2026|2', 'a setting');
is(value(q{SELECT count(*) FILTER (WHERE origin <> 'auto') FROM cached_query_entries}), '0', 'what a worker brought is a statement\'s');
is(counter('errors'), '0', 'no errors');

# ---- By the session: EXECUTE, and statements inside functions ----

my $own = session('SELECT 1');
my $refreshes;

$own->query_safe("PREPARE p(int) AS SELECT sum(v) FROM open WHERE id <= \$1 $ttl");
is(make_hit($own, 'EXECUTE p(2)'), '4', 'EXECUTE');
is(make_hit($own, 'SELECT within(3)'), '6', 'inside a function');
value('UPDATE open SET v = 3');
sleep 0.35;
$refreshes = counter('refreshes') + counter('refresh_failures');
is($own->query_safe('EXECUTE p(2)'), '6', 'EXECUTE: the session runs it');
is($own->query_safe('SELECT within(3)'), '9', 'inside a function: the session runs it');
is(counter('refreshes') + counter('refresh_failures'), $refreshes, 'no worker was asked');

# ---- Parameters of the extended protocol ----

my $pgbench = $node->installed_command('pgbench');
my $file = PostgreSQL::Test::Utils::tempdir() . '/extended.sql';

PostgreSQL::Test::Utils::append_to_file($file, "\\set id 2\n$ttl SELECT v AS got, d AS day FROM open WHERE id = :id \\gset\nINSERT INTO got VALUES (:got);\n");
value('CREATE TABLE got (v int)');
sub extended
{
	my ($times) = @_;

	local $ENV{PGOPTIONS} = '-c cached_query.auto=ttl -c cached_query.stale_for=1000000 -c cached_query.refresh=background';
	command_ok([ $pgbench, '-n', '-M', 'extended', '-t', $times, '-f', $file, $node->connstr('postgres') ], 'a client that binds parameters');
	return value('WITH d AS (DELETE FROM got RETURNING v) SELECT string_agg(v::text, \',\') FROM d');
}
is(extended(3), '3,3,3', 'parameters');
value('UPDATE open SET v = 4');
sleep 0.35;
$refreshes = counter('refreshes');
is(extended(1), '3', 'parameters: the old one');
ok(wait_until(sub { counter('refreshes') > $refreshes }, 20), 'parameters: a worker computes it');
is(extended(1), '4', 'parameters: the new one');

# ---- Rights that are gone are gone at once; a worker has them as little ----

value('REVOKE SELECT ON t FROM alice');
my ($stdout, $stderr);
$node->psql('postgres', "SET SESSION AUTHORIZATION alice; $auto; $query{rows}", stdout => \$stdout, stderr => \$stderr);
like($stderr, qr/permission denied for table t/, 'nothing for whom a right was taken');
is($stdout, '', 'no rows');
value('GRANT SELECT ON t TO alice');
# what is younger than a tenth of a second may be younger than the result
sleep 0.2;

# ---- A clean restart ----

$_->quit foreach values %session, $own;
my $exact = 'SELECT count(*) AS exactly FROM open';
is(value('SET cached_query.auto = exact; SET cached_query.auto_min_time = 0; ' . "$exact; " x 3), "3\n3\n3", 'an exact one');
value('UPDATE open SET v = 5');
$session{alice} = session('SET SESSION AUTHORIZATION alice');
is(make_hit($session{alice}, $query{rows}), 'alice|2', 'one of alice');
$session{alice}->quit;
is(value('SET cached_query.auto = exact; SET cached_query.auto_min_time = 0; ' . "$exact; " x 3), "3\n3\n3", 'an exact one again');
my $entries = q{SELECT count(DISTINCT query), count(DISTINCT query) FILTER (WHERE consistency = 'exact') FROM cached_query_entries WHERE origin = 'auto' AND query ~ 'exactly|owner'};
is(value($entries), '2|1', 'before');
$node->restart;
ok(wait_until(sub { value($entries) eq '2|1' }, 20), 'they are computed after a restart') or diag value($entries);
is(value("SET cached_query.auto = exact; SET cached_query.auto_min_time = 0; EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) $exact") =~ /Cache: (\w+)/ ? $1 : '', 'hit', 'the exact one is a hit');
$node->stop('immediate');
$node->start;
is(value(q{SELECT count(*) FROM cached_query_entries WHERE origin = 'auto'}), '0', 'nothing after a crash');

unlike(slurp_file($node->logfile), qr/TRAP: |PANIC: |terminated by signal|ERROR:  (?!permission denied for table t)/, 'no crash, no errors');
$node->stop;
done_testing();
