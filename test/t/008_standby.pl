# On a hot standby: ttl works and an age counts from the last replayed commit, exact sees replayed writes (130 and 131 test it),
# invalidation acts at once, replayed DDL is noticed, and promotion takes nothing stale along.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = start_node('primary', { allows_streaming => 1 });
my $call = rows_of('SELECT a FROM t', '1h', 'a int');
my $exact = 'SET cached_query.consistency = exact;';

$primary->safe_psql('postgres', 'CREATE TABLE t (a int); INSERT INTO t VALUES (1)');
$primary->backup('base');
is($primary->safe_psql('postgres', "$call; $call"), "1\n1", 'primary has something cached');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'hot_standby_feedback = on');
$standby->start;
$primary->wait_for_catchup($standby);

sub replicate
{
	my ($sql) = @_;

	$primary->safe_psql('postgres', $sql);
	$primary->wait_for_catchup($standby);
	return;
}

is_deeply([ outcome_of($standby, $call) ], [ 'miss_cold', '1' ], 'standby: a miss');
is_deeply([ outcome_of($standby, $call) ], [ 'hit', '1' ], 'standby: a hit');
is_deeply([ outcome_of($standby, "$exact $call") ], [ 'miss_not_exact', '1' ], 'exact: not by the answer of a call within a ttl');
is($standby->safe_psql('postgres', q{SELECT cacheable, state FROM cached_query_explain('SELECT a FROM t')}),
	't|fresh', 'explain works');

replicate('UPDATE t SET a = 2');
is_deeply([ outcome_of($standby, $call) ], [ 'hit', '1' ], 'ttl: the old answer after a replayed write');
is_deeply([ outcome_of($standby, "$exact $call") ], [ 'miss_invalidated', '2' ], 'exact: the new one');
is($standby->safe_psql('postgres', q{SELECT cached_query_invalidate('SELECT a FROM t')}), '1', 'invalidate works in recovery');
is((outcome_of($standby, $call))[1], '2', 'and acts at once');
is_deeply([ outcome_of($standby, $call) ], [ 'hit', '2' ], 'then a hit');
replicate('UPDATE t SET a = 3');
$standby->safe_psql('postgres', q{SELECT cached_query_invalidate_relation('t')});
is((outcome_of($standby, $call))[1], '3', 'invalidate_relation, too');
replicate('UPDATE t SET a = 4');
$standby->safe_psql('postgres', 'SELECT cached_query_clear()');
is((outcome_of($standby, $call))[1], '4', 'and clear');
$standby->safe_psql('postgres', "SET cached_query.tag = 'x'; SET cached_query.mode = refresh; $call");
replicate('UPDATE t SET a = 5');
$standby->safe_psql('postgres', q{SELECT cached_query_invalidate_tag('x')});
is((outcome_of($standby, $call))[1], '5', 'and invalidate_tag');
replicate('UPDATE t SET a = 6');
# (There is no commit to wait for: a ROLLBACK doesn't take it back.)
like((outcome_of($standby, "BEGIN; DO 'BEGIN PERFORM cached_query_clear(); END'; ROLLBACK; $call"))[1],
	qr/^[56]$/, 'clear and ROLLBACK');
is($standby->safe_psql('postgres', q{SELECT cached_query_refresh('SELECT a FROM t')}), '1', 'refresh works in recovery');
is_deeply([ outcome_of($standby, $call) ], [ 'hit', '6' ], 'and its answer is served');

# Age: the last commit that was replayed is some time ago, and so are the rows.  (Nothing else
# writes: autovacuum is off.)
sleep 3;
my $age = $standby->safe_psql('postgres',
	"SET cached_query.mode = refresh; $call; SELECT extract(epoch FROM age) FROM cached_query_explain('SELECT a FROM t')");
cmp_ok((split /\n/, $age)[1], '>=', 2.9, 'an age counts from the last replayed commit');
is_deeply([ outcome_of($standby, rows_of('SELECT a FROM t', '2s', 'a int')) ], [ 'miss_expired', '6' ],
	'so a short ttl is never satisfied then');
is_deeply([ outcome_of($standby, $call) ], [ 'hit', '6' ], 'and a long one is');

# Replay stopped: what the standby shows stays the same, and it says how old it is.
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
$primary->safe_psql('postgres', 'UPDATE t SET a = 7');
is((outcome_of($standby, $call))[1], '6', 'replay paused');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
$primary->wait_for_catchup($standby);

# Replayed DDL is noticed.
replicate('ALTER TABLE t ADD COLUMN b int DEFAULT 42; UPDATE t SET a = 8');
my $star = 'SELECT * FROM t';
is($standby->safe_psql('postgres', rows_of($star, '1h', 'a int, b int') . ';' . rows_of($star, '1h', 'a int, b int')),
	"8|42\n8|42", 'after ALTER TABLE');
replicate('ALTER TABLE t ALTER COLUMN b TYPE text USING b::text');
is($standby->safe_psql('postgres', rows_of($star, '1h', 'a int, b text')), '8|42', 'after a change of type');
my $err;
$standby->psql('postgres', rows_of($star, '1h', 'a int, b int'), stderr => \$err);
like($err, qr/ERROR/, 'the old column list is refused');
replicate('DROP TABLE t; CREATE TABLE t (a int); INSERT INTO t VALUES (9)');
is((outcome_of($standby, $call))[1], '9', 'a table made anew under the same name');
replicate('CREATE ROLE reader; REVOKE ALL ON t FROM PUBLIC');
$standby->psql('postgres', "SET ROLE reader; $call", stderr => \$err);
like($err, qr/permission denied for table t/, 'privileges');
replicate(q{
	CREATE VIEW v AS SELECT 1 AS a;
	CREATE FUNCTION f() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
	CREATE TABLE secret (owner text, a int);
	INSERT INTO secret VALUES ('reader', 1), ('nobody', 2);
	ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
	CREATE POLICY p ON secret USING (true);
	GRANT SELECT ON secret TO reader});
my $view = rows_of('SELECT a FROM v', '1h', 'a int');
my $function = rows_of('SELECT f()', '1h', 'a int');
my $secret = 'SET ROLE reader; ' . rows_of('SELECT a FROM secret ORDER BY a', '1h', 'a int');
$standby->safe_psql('postgres', "$view; $function; $secret");
is_deeply([ outcome_of($standby, "$view; $function; $secret") ], [ 'hit x3', "1\n1\n1\n2" ], 'view, function and policy: hits');
replicate(q{
	CREATE OR REPLACE VIEW v AS SELECT 2 AS a;
	CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2';
	ALTER POLICY p ON secret USING (owner = current_user)});
is((outcome_of($standby, $view))[1], '2', 'a replaced view');
is((outcome_of($standby, $function))[1], '2', 'a replaced function');
is((outcome_of($standby, $secret))[1], '1', 'an altered policy acts on a hit as on the query');

# REPEATABLE READ.
replicate('UPDATE t SET a = 11');
like($standby->safe_psql('postgres', "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT a FROM t; $call; COMMIT"),
	qr/^11\n(9|11)$/, 'REPEATABLE READ works');
my $session = $standby->background_psql('postgres');
$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT a FROM t');
replicate('UPDATE t SET a = 12');
$standby->safe_psql('postgres', "SET cached_query.mode = refresh; $call");
is($session->query_safe($call), '11', 'a hit is never newer than the transaction');
$session->query_safe('COMMIT');
is($session->query_safe($call), '12', 'the next transaction has it');

# Promotion.
$standby->safe_psql('postgres', $call);
$standby->promote;
is($standby->safe_psql('postgres', 'SELECT pg_is_in_recovery()'), 'f', 'promoted');
is((outcome_of($standby, $call))[1], '12', 'ttl after promotion');
$standby->safe_psql('postgres', 'UPDATE t SET a = 13');
is($session->query_safe("$exact $call"), '13', 'exact in a session from before the promotion');
is_deeply([ outcome_of($standby, "$exact $call; $call") ], [ 'hit x2', "13\n13" ], 'exact: hits');
$standby->safe_psql('postgres', 'UPDATE t SET a = 14');
is($standby->safe_psql('postgres', "$exact $call; $call"), "14\n14", 'exact: a write is noticed');
$session->quit;

foreach my $node ($primary, $standby)
{
	store_is_idle($node, 'nothing pinned, nothing lost: ' . $node->name);
	log_is_quiet($node, 'nothing to complain about: ' . $node->name);
	$node->stop;
}
done_testing();
