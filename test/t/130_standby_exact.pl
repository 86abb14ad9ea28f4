# Exact results on a hot standby: which survive what the primary does and which do not, for each way of changing a
# table's contents; old and overflowed snapshots, transactions in flight, a cascade, a pause, crashes, a primary without
# the library, and a promotion with a prepared transaction.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use StandbyTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = start_node('primary', { allows_streaming => 1 }, 'max_prepared_transactions = 10', 'fsync = off',
	'allow_in_place_tablespaces = on', 'wal_log_hints = on');

begin_oids($primary, 70000);
$primary->safe_psql('postgres', q{
	CREATE TABLE t (id int PRIMARY KEY, v int, b text);
	INSERT INTO t SELECT g, g, 'x' FROM generate_series(1, 20) AS g;
	CREATE TABLE other AS SELECT 1 AS v;
	CREATE TABLE child (tid int REFERENCES t ON UPDATE CASCADE ON DELETE CASCADE);
	CREATE TABLE part (k int, v int) PARTITION BY LIST (k);
	CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
	CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2);
	INSERT INTO part VALUES (1, 1), (2, 2);
	CREATE MATERIALIZED VIEW mat AS SELECT sum(v) AS v FROM t;
	CREATE UNIQUE INDEX ON mat (v);
	CREATE VIEW look AS SELECT v FROM t;
	CREATE FUNCTION total() RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT sum(v) FROM t); END $$;
	CREATE SEQUENCE seq;
	CREATE UNLOGGED TABLE unlogged AS SELECT 1 AS v;
	CREATE TABLE many_1 (v int); CREATE TABLE many_2 (v int); CREATE TABLE many_3 (v int); CREATE TABLE many_4 (v int);
	CREATE TABLE many_5 (v int); CREATE TABLE many_6 (v int); CREATE TABLE many_7 (v int); CREATE TABLE many_8 (v int);
	CREATE TABLE many_9 (v int); CREATE TABLE many_10 (v int); CREATE TABLE many_11 (v int); CREATE TABLE many_12 (v int);
	CREATE TABLE many_13 (v int); CREATE TABLE many_14 (v int); CREATE TABLE many_15 (v int); CREATE TABLE many_16 (v int)});
$primary->safe_psql('postgres', q{CREATE TABLESPACE space LOCATION ''});
$primary->safe_psql('postgres', 'CREATE DATABASE beside');
$primary->safe_psql('beside', 'CREATE TABLE t (v int)');
$primary->backup('base');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "hot_standby_feedback = on\nmax_standby_streaming_delay = 2s\nwal_retrieve_retry_interval = 100ms");
$standby->start;
my $cascade = PostgreSQL::Test::Cluster->new('cascade');
$cascade->init_from_backup($primary, 'base');
$cascade->enable_streaming($standby);
$cascade->set_standby_mode;
$cascade->start;

my %query = (
	t => q{SELECT count(*) || '/' || coalesce(sum(v), 0) || '/' || md5(coalesce(string_agg(b, ',' ORDER BY id), '')) FROM t},
	other => 'SELECT sum(v)::text FROM other',
	child => 'SELECT count(*)::text FROM child',
	part => q{SELECT count(*) || '/' || sum(v) FROM part},
	leaf => q{SELECT count(*) || '/' || sum(v) FROM part WHERE k = 1},
	mat => 'SELECT v::text FROM mat',
	look => 'SELECT sum(v)::text FROM look',
	total => 'SELECT total()::text',
	none => 'SELECT 1::text');
my @names = sort keys %query;

ask_on($primary, $standby, \%query);

my $of_t = 't look total';

# Something to replay: the last position of before is in no record.
sql($primary, 'CREATE TABLE nothing ()');
catch_up($standby);
my ($hits, $wrong) = asked($standby, 0, @names);
is("$hits; $wrong", '; ', 'the first time nothing is a hit');
($hits, $wrong) = asked($standby, 0, @names);
is("$hits; $wrong", "@names; ", 'the second time all are');

# ---- Rows ----

my @rows = (
	[ 'INSERT', q{INSERT INTO t VALUES (100, 1, 'y')}, $of_t ],
	[ 'UPDATE, HOT', 'UPDATE t SET v = v + 1 WHERE id = 3', $of_t ],
	[ 'UPDATE of the key', 'UPDATE t SET id = 101 WHERE id = 100', $of_t ],
	[ 'UPDATE of all', 'UPDATE t SET v = v + 1', $of_t ],
	[ 'DELETE', 'DELETE FROM t WHERE id = 101', $of_t ],
	[ 'many rows', q{INSERT INTO t SELECT g, g, 'z' FROM generate_series(200, 900) AS g; DELETE FROM t WHERE id >= 200}, $of_t ],
	[ 'COPY', "COPY t FROM STDIN;\n300\t5\tc\n301\t6\tc\n\\.\n", $of_t ],
	[ 'ON CONFLICT', q{INSERT INTO t VALUES (300, 7, 'd') ON CONFLICT (id) DO UPDATE SET v = excluded.v}, $of_t ],
	[ 'ON CONFLICT DO NOTHING that does', q{INSERT INTO t VALUES (300, 7, 'd') ON CONFLICT DO NOTHING}, '' ],
	[ 'MERGE', q{MERGE INTO t USING (VALUES (300), (302)) AS s(id) ON t.id = s.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.id, 1, 'm')}, $of_t ],
	[ 'modifying WITH', q{WITH w AS (DELETE FROM t WHERE id > 300 RETURNING 1) SELECT count(*) FROM w}, $of_t ],
	[ 'large values', q{UPDATE t SET b = (SELECT string_agg(md5(g::text), '') FROM generate_series(1, 2000) AS g) WHERE id = 5}, $of_t ],
	[ 'cascade', q{INSERT INTO t VALUES (50, 1, 'x'); INSERT INTO child VALUES (50)}, "child $of_t" ],
	[ 'cascade of an UPDATE', 'UPDATE t SET id = 51 WHERE id = 50', "child $of_t" ],
	[ 'cascade of a DELETE', 'DELETE FROM t WHERE id = 51', "child $of_t" ],
	[ 'as a replica', 'SET session_replication_role = replica; UPDATE t SET v = 2 WHERE id = 2', $of_t ],
	[ 'not counted', 'SET track_counts = off; UPDATE t SET v = 3 WHERE id = 2', $of_t ],
	[ 'a partition', 'INSERT INTO part VALUES (2, 7)', 'part' ],
	[ 'the other partition', 'INSERT INTO part_1 VALUES (1, 7)', 'leaf part' ],
	[ 'from one to the other', 'UPDATE part SET k = 2 WHERE v = 7 AND k = 1', 'leaf part' ],
	[ 'two transactions', 'UPDATE t SET v = 5 WHERE id = 1; UPDATE other SET v = v + 1', "other $of_t" ],
	[ 'more than a slot has room for', join(';', map { "UPDATE other SET v = $_" } 1 .. 30), 'other' ]);
voids(@$_) foreach @rows;
asked($standby, 1, @names) foreach 1 .. 2; # what a statement takes is known after its first run
voids("auto: $_->[0]", $_->[1], $_->[2], auto => 1) foreach @rows[ 1, 3, 6, 17 ];

# ---- Subtransactions and prepared ones ----

voids('a savepoint kept', 'BEGIN; SAVEPOINT s; UPDATE t SET v = 6 WHERE id = 1; RELEASE s; COMMIT', $of_t);
voids('a savepoint rolled back', 'BEGIN; SAVEPOINT s; UPDATE t SET v = 6 WHERE id = 1; ROLLBACK TO s; UPDATE other SET v = 1; COMMIT', 'other');
voids('a write before a savepoint that is rolled back', 'BEGIN; UPDATE t SET v = 6 WHERE id = 1; SAVEPOINT s; UPDATE other SET v = 1; ROLLBACK TO s; COMMIT', $of_t);
voids('nested savepoints', 'BEGIN; SAVEPOINT a; SAVEPOINT b; SAVEPOINT c; UPDATE t SET v = 8 WHERE id = 1; RELEASE c; RELEASE b; COMMIT', $of_t);
voids('200 subtransactions', in_blocks(200, 'UPDATE t SET v = i WHERE id = 1', ''), $of_t);
voids('200 subtransactions, the last 10 of another table', in_blocks(200, 'IF i > 190 THEN UPDATE other SET v = i; ELSE UPDATE t SET v = i WHERE id = 1; END IF', ''), "other $of_t");
voids('200 subtransactions that all fail', in_blocks(200, 'UPDATE t SET v = i / 0 WHERE id = 1', 'UPDATE other SET v = 3;'), 'other');
voids('ROLLBACK', 'BEGIN; UPDATE t SET v = 7 WHERE id = 1; DELETE FROM other; ROLLBACK', '');
voids('PREPARE', q{BEGIN; UPDATE t SET v = 9 WHERE id = 1; SAVEPOINT s; UPDATE part SET v = v + 1 WHERE k = 1; RELEASE s; PREPARE TRANSACTION 'a'}, '');
voids('COMMIT PREPARED', q{COMMIT PREPARED 'a'}, "leaf part $of_t");
voids('ROLLBACK PREPARED', q{BEGIN; UPDATE t SET v = 9 WHERE id = 1; PREPARE TRANSACTION 'a'; ROLLBACK PREPARED 'a'}, '');
voids('more files than are remembered', 'BEGIN; ' . join(';', map { "INSERT INTO many_$_ VALUES (1)" } 1 .. 16) . '; COMMIT', "@names");
voids('more files in subtransactions', in_blocks(16, q{EXECUTE format('INSERT INTO many_%s VALUES (1)', i)}, ''), "@names");

# ---- Files, and what changes no row ----

voids('TRUNCATE', 'TRUNCATE child', 'child', again => 1);
voids('TRUNCATE and fill', q{BEGIN; TRUNCATE other; INSERT INTO other VALUES (4); COMMIT}, 'other', again => 1);
voids('a write to the new file', 'UPDATE other SET v = 5', 'other');
voids('COPY FREEZE', "BEGIN; TRUNCATE other; COPY other FROM STDIN (FREEZE);\n6\n\\.\nCOMMIT", 'other');
voids('TRUNCATE rolled back', 'BEGIN; TRUNCATE other; ROLLBACK', '');
# Code that looks names up while it runs is void by each definition that may have a name: a standby can't tell.
voids('VACUUM FULL', 'VACUUM FULL other', 'other total', again => 1);
voids('a write after VACUUM FULL', 'UPDATE other SET v = 7', 'other');
voids('CLUSTER', 'CLUSTER t USING t_pkey', $of_t, again => 1);
voids('a write after CLUSTER', 'UPDATE t SET v = 10 WHERE id = 1', $of_t);
voids('a rewrite', 'ALTER TABLE other ALTER v TYPE bigint USING v + 1', 'other total', again => 1);
voids('a write after a rewrite', 'UPDATE other SET v = 8', 'other');
voids('a column with a default', 'ALTER TABLE other ADD COLUMN w int DEFAULT 3', 'other');
voids('another tablespace', 'ALTER TABLE other SET TABLESPACE space', 'other');
voids('a write there', 'UPDATE other SET v = 9', 'other');
voids('not logged, and logged again', 'ALTER TABLE other SET UNLOGGED; UPDATE other SET v = 10; ALTER TABLE other SET LOGGED', 'other total', again => 1);
voids('a write after that', 'UPDATE other SET v = 11', 'other');
voids('REFRESH', 'REFRESH MATERIALIZED VIEW mat', 'mat total', again => 1);
voids('REFRESH CONCURRENTLY', 'UPDATE t SET v = 20 WHERE id = 2; REFRESH MATERIALIZED VIEW CONCURRENTLY mat', "mat $of_t");
voids('REFRESH CONCURRENTLY of what is the same', 'REFRESH MATERIALIZED VIEW CONCURRENTLY mat', 'mat total', again => 1);
voids('DETACH, a write, ATTACH', 'ALTER TABLE part DETACH PARTITION part_1; INSERT INTO part_1 VALUES (1, 3); ALTER TABLE part ATTACH PARTITION part_1 FOR VALUES IN (1)', 'leaf part');
voids('a table made anew', 'BEGIN; DROP TABLE other; CREATE TABLE other AS SELECT 12 AS v; COMMIT', 'other total', again => 1);
voids('a write to it', 'UPDATE other SET v = 13', 'other');
voids('row locks', 'BEGIN; SELECT FROM t WHERE id = 1 FOR UPDATE; SELECT FROM other FOR SHARE; COMMIT', '');
voids('hint bits, CHECKPOINT and VACUUM', 'CHECKPOINT; SELECT count(*) FROM t; VACUUM child; CHECKPOINT', '');
voids('sequences, large objects, messages, notifications', q{SELECT nextval('seq'); SELECT lo_from_bytea(0, 'x'); SELECT pg_logical_emit_message(true, 'a', 'b'); NOTIFY a}, '');
voids('a temporary table', 'CREATE TEMP TABLE mine AS SELECT 1 AS v; UPDATE mine SET v = 2; DROP TABLE mine', 'total', again => 1);
voids('a table that is not logged', 'UPDATE unlogged SET v = 2', '');
voids('a new table', 'CREATE TABLE fresh AS SELECT 1 AS v; UPDATE fresh SET v = 2; DROP TABLE fresh', 'total', again => 1);
voids('another database', 'INSERT INTO t VALUES (1)', '', database => 'beside');
catch_up($cascade);
($hits, $wrong) = asked($cascade, 0, @names);
is("$hits; $wrong", '; ', 'a standby of the standby has results of its own');
asked($cascade, 0, @names);
$primary->safe_psql('postgres', 'UPDATE t SET v = 21 WHERE id = 2');
catch_up($cascade);
($hits, $wrong) = asked($cascade, 0, @names);
is("$hits; $wrong", 'child leaf mat none other part; ', '... and loses those of what is written');

# ---- Snapshots ----

my $exact = 'SET cached_query.consistency = exact';
my $call = rows_of($query{t}, '1h', 'a text');
my $writer = $primary->background_psql('postgres');
my $old = $standby->background_psql('postgres');

sub now_t { return $standby->safe_psql('postgres', $query{t}); }

catch_up($standby);
my $before = now_t();
$old->query_safe($exact);
$old->query_safe("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
$primary->safe_psql('postgres', 'UPDATE t SET v = 30 WHERE id = 1');
catch_up($standby);
my $after = now_t();
isnt($before, $after, 'there are two states');
is($standby->safe_psql('postgres', "$exact; $call; $call"), "$after\n$after", 'a new snapshot has the new one');
is($old->query_safe($call), $before, 'an old one has the old one');
is($standby->safe_psql('postgres', "$exact; $call"), $after, '... and leaves nothing to the new');
$old->query_safe('COMMIT');
is($old->query_safe($call), $after, '... until it is over');

# In flight: hits go on until the commit is replayed.
$writer->query_safe('BEGIN; UPDATE t SET v = 31 WHERE id = 1');
$primary->safe_psql('postgres', 'UPDATE part SET v = v + 1');
catch_up($standby);
is_deeply([ outcome_of($standby, "$exact; $call; $call") ], [ 'hit x2', "$after\n$after" ], 'a write that is not committed voids nothing');
$writer->query_safe('COMMIT');
catch_up($standby);
$before = $after;
$after = now_t();
isnt($before, $after, 'committed');
is_deeply([ outcome_of($standby, "$exact; $call") ], [ 'miss_invalidated', $after ], '... then it does');
is_deeply([ outcome_of($standby, "$exact; $call") ], [ 'hit', $after ], '... once');

# Commits that come in another order than the ids; afterwards nothing happens, and results are kept all the same.
my @late = map { $primary->background_psql('postgres') } 1 .. 3;
$_->query_safe('BEGIN; INSERT INTO other VALUES (1)') foreach @late;
$primary->safe_psql('postgres', join(';', map { "UPDATE other SET v = $_" } 1 .. 12));
$_->query_safe('COMMIT') foreach reverse @late;
catch_up($standby);
my $other = rows_of($query{other}, '1h', 'a text');
my $sum = $standby->safe_psql('postgres', $query{other});
is((outcome_of($standby, "$exact; $other; $other; $other"))[1], "$sum\n$sum\n$sum", 'commits in another order than their ids');
is((outcome_of($standby, "$exact; $other"))[0], 'hit', '... and then an idle primary');
$_->quit foreach @late;

# More subtransactions in progress than a snapshot tells apart.
$writer->query_safe('BEGIN');
$writer->query_safe(in_blocks(200, 'UPDATE t SET v = 1000 + i WHERE id = 4', ''));
$primary->safe_psql('postgres', 'UPDATE other SET v = 2');
catch_up($standby);
$before = now_t();
is($standby->safe_psql('postgres', "$exact; $call; $call; $other"), "$before\n$before\n" . $standby->safe_psql('postgres', $query{other}), 'overflowed: right');
is((outcome_of($standby, "$exact; $call; $other"))[0], 'hit x2', 'overflowed: hits');
$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
$writer->query_safe('COMMIT');
catch_up($standby);
$after = now_t();
isnt($after, $before, 'overflowed: committed');
is($standby->safe_psql('postgres', "$exact; $call; $call"), "$after\n$after", '... new snapshots have it');
is($old->query_safe($call), $before, '... the overflowed one does not');
$old->query_safe('COMMIT');

# Replay stands still.
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
$standby->poll_query_until('postgres', q{SELECT pg_get_wal_replay_pause_state() = 'paused'});
$primary->safe_psql('postgres', 'UPDATE t SET v = 40 WHERE id = 1');
is_deeply([ outcome_of($standby, "$exact; $call") ], [ 'hit', $after ], 'replay paused: a hit');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
catch_up($standby);
is($standby->safe_psql('postgres', "$exact; $call"), now_t(), 'replay goes on: the new rows');

# ---- Restarts and crashes ----

sub agrees
{
	my ($node, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	catch_up($node);
	asked($node, 0, @names);
	(undef, $wrong) = asked($node, 0, @names);
	is($wrong, '', $name);
	return;
}

$writer->query_safe(q{BEGIN; UPDATE t SET v = 50 WHERE id = 1; PREPARE TRANSACTION 'over a restart'});
$writer->query_safe('BEGIN; UPDATE part SET v = v + 1');
$primary->safe_psql('postgres', 'UPDATE other SET v = 99'); # a commit, so that the WAL of before is written
catch_up($standby);
$old->quit;
forget_session($standby);
$standby->restart;
agrees($standby, 'after a restart');
$writer->query_safe('COMMIT');
agrees($standby, 'a transaction from before it commits');
$writer->query_safe(q{COMMIT PREPARED 'over a restart'});
agrees($standby, 'and a prepared one');

$standby->safe_psql('postgres', 'CHECKPOINT');
my $load = $primary->background_psql('postgres');
$load->{stdin} .= in_blocks(300, 'UPDATE t SET v = i WHERE id = 6; UPDATE other SET v = i', '') . ";\n" foreach 1 .. 5;
$load->{run}->pump_nb;
my $pid = (split /\n/, slurp_file($standby->data_dir . '/postmaster.pid'))[0];
forget_session($standby);
$standby->kill9;
wait_until(sub { !kill 0, $pid }, 20);
$primary->safe_psql('postgres', 'UPDATE other SET v = 100');
wait_until(sub { $standby->start(fail_ok => 1) }, 20);
agrees($standby, 'killed while it replayed');
$primary->safe_psql('postgres', 'UPDATE other SET v = 101; UPDATE t SET v = 60 WHERE id = 6');
agrees($standby, '... and what comes then');
$load->quit;

# The primary crashes, and what was in progress has no end.
$writer->query_safe('BEGIN; UPDATE t SET v = 70 WHERE id = 1; SAVEPOINT s; UPDATE other SET v = 102');
$primary->safe_psql('postgres', 'UPDATE part SET v = v + 1');
forget_session($primary);
$primary->stop('immediate');
$writer->quit;
$primary->adjust_conf('postgresql.conf', 'shared_preload_libraries', q{''});
$primary->start;
$primary->wait_for_catchup($standby);
agrees($standby, 'after a crash of the primary');
voids('a primary without the library: ' . $_->[0], $_->[1], $_->[2])
  foreach [ 'UPDATE', 'UPDATE t SET v = 71 WHERE id = 1', $of_t ],
  [ 'TRUNCATE', 'BEGIN; TRUNCATE other; INSERT INTO other VALUES (1); COMMIT', 'other' ],
  [ 'VACUUM', 'CHECKPOINT; VACUUM other', '' ],
  [ 'ANALYZE', 'ANALYZE t', $of_t ],
  [ 'COPY', "COPY other FROM STDIN;\n1\n2\n\\.\n", 'other' ];

# ---- Promotion ----

$writer = $primary->background_psql('postgres');
$writer->query_safe(q{BEGIN; UPDATE t SET v = 80 WHERE id = 1; PREPARE TRANSACTION 'over the promotion'});
agrees($standby, 'before the promotion');
$old = $standby->background_psql('postgres');
$old->query_safe($exact);
$before = $old->query_safe($call);
$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
$writer->quit;
forget_session($primary);
$primary->stop;
$standby->promote;
is($old->query_safe($call), $before, 'a transaction over the promotion');
is((asked($standby, 0, @names))[1], '', 'promoted');
is((asked($standby, 0, 't'))[0], 't', '... with hits');
$standby->safe_psql('postgres', q{COMMIT PREPARED 'over the promotion'});
$after = now_t();
isnt($after, $before, 'a prepared transaction of the standby commits');
is($standby->safe_psql('postgres', "$exact; $call; $call"), "$after\n$after", '... and is seen');
is($old->query_safe($call), $before, '... not by the old transaction');
$old->query_safe('COMMIT');
is($old->query_safe($call), $after, '... but by its next one');
$standby->safe_psql('postgres', 'UPDATE other SET v = 200');
is((asked($standby, 0, @names))[1], '', 'writes of the new primary');
$cascade->poll_query_until('postgres', 'SELECT v = 200 FROM other LIMIT 1');
is((asked($cascade, 0, @names))[1], '', 'its standby follows');
$old->quit;

end_of($_) foreach $standby, $cascade;
done_testing();
