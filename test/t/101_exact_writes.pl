# Every way in which data change: the next exact read of another session sees it and was a miss
# because of it, while the answer about another table stays a hit.  And what is no change leaves
# hits alone.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', 'max_prepared_transactions = 10', 'max_connections = 20');
my $path = 'SET search_path = cq_fuzz, public; SET client_min_messages = error;';

# Tables share slots by the hash of their OIDs: with these, `still` and the tables that are written do not.
$node->safe_psql('postgres', 'CREATE DOMAIN cq_shift AS int; CREATE DOMAIN cq_shift2 AS int');
$node->safe_psql('postgres', slurp_file("$FindBin::RealBin/../fuzz/exact.sql"));
$node->safe_psql('postgres', "$path CREATE TABLE late (v int); CREATE SEQUENCE seq");

# Outcome and rows of an exact read by a session of its own.
sub read_exact
{
	my ($query) = @_;

	return outcome_of($node, "$path SET cached_query.consistency = exact; "
		  . rows_of($query, '1h', 'x text'));
}

sub direct
{
	my ($query) = @_;

	return $node->safe_psql('postgres', "$path $query");
}

# The write's effect on the answer to the query, and on that to a query of another table.  If the query means
# something else then (another type, another view, another function's body) it has another key, and the miss is a cold one.
sub written
{
	my ($name, $write, $query, @more) = @_;
	my %expected = (outcome => 'miss_invalidated', other => 'hit', @more);
	my $other = 'SELECT sum(v)::text FROM still';
	my ($before, $after, $outcome, $rows);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	read_exact($_) foreach $query, $other;
	($outcome, $before) = read_exact($query);
	is($outcome, 'hit', "$name: cached");
	$node->safe_psql('postgres', "$path $write");
	($outcome, $rows) = read_exact($query);
	$after = direct($query);
	is($rows, $after, "$name: rows");
	isnt($after, $before, "$name: the direct answer has changed") unless $expected{same};
	like($outcome, qr/^$expected{outcome}$/, "$name: outcome");
	is((read_exact($other))[0], $expected{other}, "$name: another table");
	return;
}

my $acc = "SELECT count(*) || '/' || sum(v) FROM acc";
my $child = "SELECT count(*) || '/' || sum(v) FROM child";
my $part = "SELECT count(*) || '/' || coalesce(sum(v * k), 0) FROM part";
my $leaf = "SELECT count(*) || '/' || coalesce(sum(v), 0) FROM part_2";
my $trunc = "SELECT count(*) || '/' || coalesce(sum(v), 0) FROM trunc";
my $mat = "SELECT string_agg(grp || ':' || v, ',' ORDER BY grp) FROM mat";
my $joins = "SELECT count(*) || '/' || coalesce(sum(v), 0) FROM joins";

# rows
written('INSERT', 'INSERT INTO acc VALUES (100, 1, 1)', $acc);
written('UPDATE', 'UPDATE acc SET v = v + 1 WHERE id = 100', $acc);
written('DELETE', 'DELETE FROM acc WHERE id = 100', $acc);
written('ON CONFLICT', 'INSERT INTO acc VALUES (1, 1, 1) ON CONFLICT (id) DO UPDATE SET v = 77', $acc);
written('MERGE', 'MERGE INTO acc USING (VALUES (2), (200)) AS s(id) ON acc.id = s.id
	WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.id, 2, 22)', $acc);
written('modifying WITH', 'WITH w AS (UPDATE acc SET v = 3 WHERE id = 200 RETURNING v) SELECT * FROM w', $acc);
written('COPY', "COPY acc FROM STDIN;\n300\t3\t3\n\\.\n", $acc);
written('a cursor', 'BEGIN; DECLARE c CURSOR FOR SELECT * FROM acc WHERE id = 300 FOR UPDATE; FETCH c;
	UPDATE acc SET v = 33 WHERE CURRENT OF c; COMMIT', $acc);
written('cascade of DELETE', 'DELETE FROM acc WHERE id = 3', $child);
written('cascade of UPDATE', 'UPDATE acc SET id = 400 WHERE id = 4', "SELECT max(aid)::text FROM child");
written('a trigger', 'INSERT INTO fire VALUES (2)', 'SELECT count(*)::text FROM audit');
written('a deferred trigger', 'INSERT INTO fire VALUES (3)', 'SELECT count(*)::text FROM audit');
written('a procedure with COMMIT', 'CALL work(10)', 'SELECT sum(id * v)::text FROM acc');
written('a function', q{DO $$ BEGIN UPDATE acc SET v = 5 WHERE id = 300; END $$}, $acc);
written('a subtransaction', 'BEGIN; SAVEPOINT s; UPDATE acc SET v = 6 WHERE id = 300; RELEASE s; COMMIT', $acc);
written('what remains of a subtransaction', 'BEGIN; UPDATE acc SET v = 7 WHERE id = 300; SAVEPOINT s;
	UPDATE acc SET v = 8 WHERE id = 300; ROLLBACK TO s; COMMIT', $acc);
written('asynchronous commit', 'SET synchronous_commit = off; UPDATE acc SET v = 9 WHERE id = 300', $acc);
written('replica role', "SET session_replication_role = replica; UPDATE acc SET v = 10 WHERE id = 300", $acc);
written('SERIALIZABLE', 'BEGIN ISOLATION LEVEL SERIALIZABLE; UPDATE acc SET v = 11 WHERE id = 300; COMMIT', $acc);
written('COMMIT PREPARED', q{BEGIN; UPDATE acc SET v = 12 WHERE id = 300; PREPARE TRANSACTION 'x'; COMMIT PREPARED 'x'}, $acc);
written('through a view', 'UPDATE look SET v = 13 WHERE id = 10', $acc);
written('read through a view', 'UPDATE acc SET v = 14 WHERE id = 10', "SELECT sum(v)::text FROM look");
written('read in a function', 'UPDATE acc SET v = 15 WHERE id = 10', 'SELECT fread()');
written('read in a policy', 'DELETE FROM allowed WHERE grp = 4',
	'SELECT ((SELECT count(*) FROM sec) + (SELECT count(*) FROM allowed))::text');

# partitions
written('routed INSERT', 'INSERT INTO part VALUES (2, 2)', $part);
written('routed INSERT, by the leaf', 'INSERT INTO part VALUES (2, 3)', $leaf);
written('INSERT into a leaf, by the root', 'INSERT INTO part_1 VALUES (1, 1)', $part);
written('UPDATE that moves a row, by the target', 'UPDATE part SET k = 2 WHERE k = 1', $leaf);
written('UPDATE that moves a row, by the root', 'UPDATE part SET k = 3 WHERE k = 2', $part);
written('COPY into partitions', "COPY part FROM STDIN;\n2\t9\n\\.\n", $leaf);
written('new partition', 'CREATE TABLE part_4 PARTITION OF part FOR VALUES IN (4); INSERT INTO part VALUES (4, 4)', $part,
	outcome => 'miss_(cold|invalidated)');
written('DETACH', 'ALTER TABLE joins DETACH PARTITION joins_2', $joins, outcome => 'miss_(cold|invalidated)');
written('ATTACH', 'ALTER TABLE joins ATTACH PARTITION joins_2 FOR VALUES IN (2)', $joins);
written('DETACH CONCURRENTLY', 'ALTER TABLE joins DETACH PARTITION joins_2 CONCURRENTLY', $joins);
written('NO INHERIT', 'ALTER TABLE inh_child NO INHERIT inh', 'SELECT count(*)::text FROM inh',
	outcome => 'miss_(cold|invalidated)');
written('INHERIT', 'ALTER TABLE inh_child INHERIT inh', 'SELECT count(*)::text FROM inh');

# A backend's first temporary table, which REFRESH CONCURRENTLY has, may make a schema for its number,
# and a new schema voids everything: from 17 on the next session has another number.
my @sessions = map { CachedQueryTest::Deaf->connect($node) } 1 .. $node->safe_psql('postgres', 'SHOW max_connections') - 2;
$_->ask('CREATE TEMP TABLE once ()') foreach @sessions;
$_->close foreach @sessions;

# whole tables, definitions
written('TRUNCATE', 'TRUNCATE trunc', $trunc);
written('TRUNCATE and INSERT', 'BEGIN; TRUNCATE trunc; INSERT INTO trunc VALUES (1, 1); COMMIT', $trunc);
written('TRUNCATE of all partitions', 'TRUNCATE part', $leaf);
written('REFRESH', 'REFRESH MATERIALIZED VIEW mat', $mat);
$node->safe_psql('postgres', "$path UPDATE acc SET v = v + 1");
written('REFRESH CONCURRENTLY', 'REFRESH MATERIALIZED VIEW CONCURRENTLY mat', $mat);
written('rewrite', 'ALTER TABLE rew ALTER v TYPE int USING v + 1', 'SELECT sum(v)::text FROM rew', outcome => 'miss_cold');
written('another rewrite', 'ALTER TABLE rew ALTER v TYPE int USING v + 2', 'SELECT sum(v)::text FROM rew');
written('CLUSTER', 'CLUSTER rew USING rew_pkey', 'SELECT sum(v)::text FROM rew', same => 1, outcome => 'hit');
written('new column', 'ALTER TABLE addc ADD COLUMN c int DEFAULT 5', "SELECT string_agg(a::text, ',' ORDER BY id) FROM addc AS a",
	outcome => 'miss_cold');
written('CREATE OR REPLACE VIEW', 'CREATE OR REPLACE VIEW look AS SELECT id, v + 1 AS v FROM acc', 'SELECT sum(v)::text FROM look',
	outcome => 'miss_cold');
written('DROP and CREATE', 'DROP TABLE dropped; CREATE TABLE dropped AS SELECT 5 AS v', 'SELECT sum(v)::text FROM dropped',
	outcome => 'miss_(cold|invalidated)');
written('CREATE OR REPLACE FUNCTION', q{CREATE OR REPLACE FUNCTION fread() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'new'::text $$},
	'SELECT fread()', outcome => 'miss_cold');
written('inlined function', q{CREATE OR REPLACE FUNCTION fsql() RETURNS text LANGUAGE sql STABLE AS $$ SELECT '1'::text $$},
	'SELECT fsql()', outcome => 'miss_cold');
written('folded function', q{CREATE OR REPLACE FUNCTION fimm() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT '1'::text $$},
	'SELECT fimm()', outcome => 'miss_(cold|invalidated)');

# uncounted rows, very many tables: every exact answer goes
written('track_counts off', 'SET track_counts = off; UPDATE acc SET v = 16 WHERE id = 300', $acc, other => 'miss_invalidated');
written('track_counts off at first', 'BEGIN; SET LOCAL track_counts = off; UPDATE acc SET v = 17 WHERE id = 300;
	SET LOCAL track_counts = on; COMMIT', $acc, other => 'miss_invalidated');
written('COPY with track_counts off', "SET track_counts = off; COPY acc FROM STDIN;\n301\t3\t3\n\\.\n", $acc,
	other => 'miss_invalidated');
foreach ([ 70, 'hit' ], [ 270, 'miss_invalidated' ])
{
	my ($tables, $other) = @$_;

	written("$tables tables", qq{DO \$\$ BEGIN FOR i IN 1..$tables LOOP EXECUTE format('INSERT INTO cq_fuzz.many_%s VALUES (1)', i); END LOOP; END \$\$},
		'SELECT sum(v)::text FROM many_37', other => $other);
}
is($node->safe_psql('postgres', "$path SET track_counts = off; SET cached_query.consistency = ttl;
	SELECT x FROM cached_query('SELECT sum(v)::text FROM still', '1h') AS t(x text)"), '210',
	'a ttl read without counting');

# explicit
written('invalidation', "SELECT cached_query_invalidate_relation('acc')", $acc, same => 1,
	outcome => 'miss_(cold|invalidated)');

# what changes nothing
my @nothing = (
	'an UPDATE of no row' => 'UPDATE acc SET v = 0 WHERE false',
	'a rollback' => 'BEGIN; UPDATE acc SET v = 0; ROLLBACK',
	'a savepoint rolled back' => 'BEGIN; SAVEPOINT s; DELETE FROM child; UPDATE acc SET v = 0; ROLLBACK TO s;
		INSERT INTO late VALUES (1); COMMIT',
	'a TRUNCATE rolled back' => 'BEGIN; TRUNCATE acc CASCADE; ROLLBACK',
	'a function rolled back' => 'BEGIN; CREATE OR REPLACE FUNCTION fsql() RETURNS text LANGUAGE sql STABLE AS $$ SELECT \'2\'::text $$; ROLLBACK',
	'row locks' => 'BEGIN; SELECT * FROM acc FOR UPDATE; COMMIT',
	'a table lock' => 'BEGIN; LOCK TABLE acc; COMMIT',
	'ANALYZE' => 'ANALYZE late',
	'nextval' => q{SELECT nextval('seq')},
	'another table' => 'INSERT INTO late VALUES (2)',
	'another partition' => 'INSERT INTO part_3 VALUES (3, 3)',
	'a temporary table' => 'CREATE TEMP TABLE acc AS SELECT 1 AS v; UPDATE acc SET v = 2; DROP TABLE acc',
	'an invalidation rolled back' => q{BEGIN; SELECT cached_query_invalidate_relation('acc'), cached_query_clear(); ROLLBACK},
	'ROLLBACK PREPARED' => q{BEGIN; INSERT INTO late VALUES (3); PREPARE TRANSACTION 'x'; ROLLBACK PREPARED 'x'},
	'a write in another database' => "\\c template1\nCREATE TABLE acc (v int); INSERT INTO acc VALUES (1); DROP TABLE acc");
while (my ($name, $statements) = splice @nothing, 0, 2)
{
	# A new object's number may lead to a slot that an answer looks at, by chance: about one in a
	# thousand does.  The next object of the same kind has another number.
	my $tries = $statements =~ /CREATE (TEMP )?TABLE/ ? 3 : 1;
	my $outcomes;

	do
	{
		read_exact($_) foreach $acc, $leaf;
		$node->safe_psql('postgres', "$path $statements");
		$outcomes = join ' ', map { (read_exact($_))[0] } $acc, $leaf;
	} while ($outcomes ne 'hit hit' && --$tries > 0);
	is($outcomes, 'hit hit', "$name changes nothing");
}

log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
