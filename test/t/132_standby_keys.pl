# Exact results on a hot standby that read rows with certain keys: with cached_query.tell_standbys they survive writes of
# other keys, and in all cases in which the primary has not told all keys they don't.  What users write into the WAL, other
# modules' late writes, servers that don't understand each other, prepared transactions over restarts, a promotion.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use StandbyTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $module = PostgreSQL::Test::Utils::tempdir() . '/late_writer';
is(system('cc -std=gnu11 -Wall -Werror -O1 -shared -fPIC -I$(pg_config --includedir-server)' . " $FindBin::RealBin/late_writer.c -o $module.so"),
	0, 'the late writer compiles');

my $primary = start_node('primary', { allows_streaming => 1 }, 'max_prepared_transactions = 10', 'fsync = off',
	'allow_in_place_tablespaces = on', 'cached_query.tell_standbys = on');

$primary->append_conf('postgresql.conf', "shared_preload_libraries = '$module, cached_query'");
$primary->restart;
$primary->safe_psql('postgres', q{
	CREATE TABLE k (id int PRIMARY KEY, tenant int, v int, seen int);
	INSERT INTO k SELECT g, g % 4, g, g FROM generate_series(1, 40) AS g;
	CREATE TABLE u AS SELECT 1 AS v;
	CREATE TABLE part (k int, tenant int) PARTITION BY LIST (k);
	CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
	CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2);
	INSERT INTO part SELECT 1 + g % 2, g % 4 FROM generate_series(1, 40) AS g;
	SELECT cached_query_track('k', '{tenant}', '{seen}');
	SELECT cached_query_track('part', '{tenant}');
	CREATE EXTENSION pg_walinspect;
	CREATE ROLE writer;
	GRANT SELECT, INSERT, UPDATE, DELETE ON k, u TO writer});
$primary->safe_psql('postgres', q{CREATE TABLESPACE space LOCATION ''});
$primary->backup('base');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "shared_preload_libraries = 'cached_query'\nwal_retrieve_retry_interval = 100ms\n"
	  . "hot_standby_feedback = on\nmax_standby_streaming_delay = 2s");
$standby->start;
# a standby of the standby that has another number of slots
my $cascade = PostgreSQL::Test::Cluster->new('cascade');
$cascade->init_from_backup($primary, 'base');
$cascade->enable_streaming($standby);
$cascade->set_standby_mode;
$cascade->append_conf('postgresql.conf', "shared_preload_libraries = 'cached_query'\ncached_query.key_slots = 4096");
$cascade->start;

my %query = (
	k1 => 'SELECT sum(v)::text FROM k WHERE tenant = 1',
	k2 => 'SELECT sum(v)::text FROM k WHERE tenant = 2',
	seen2 => 'SELECT max(seen)::text FROM k WHERE tenant = 2',
	all => q{SELECT count(*) || '/' || sum(v) FROM k},
	u => 'SELECT sum(v)::text FROM u',
	part1 => 'SELECT count(*)::text FROM part WHERE tenant = 1',
	part2 => 'SELECT count(*)::text FROM part WHERE tenant = 2');
my @names = sort keys %query;
my $of_k = 'k1 k2 seen2 all';

ask_on($primary, $standby, \%query);
sql($primary, 'CREATE TABLE nothing ()'); # something to replay
catch_up($standby);
asked($standby, 0, @names);
is(join('; ', asked($standby, 0, @names)), "@names; ", 'all are hits');
is($standby->safe_psql('postgres', q{SELECT string_agg(g, ' ' ORDER BY g COLLATE "C") FROM cached_query_entries, unnest(granularity) AS g}),
	'k: table (no key pinned) k: tenant k: tenant k: tenant part: table part: table part_1: tenant part_1: tenant part_2: tenant part_2: tenant u: table',
	'what they depend on is shown');

# ---- What is told ----

my $one = 'UPDATE k SET v = v + 1 WHERE id = 1'; # of tenant 1
my $two = 'UPDATE k SET v = v + 1 WHERE id = 2';

voids(@$_) foreach
  [ 'UPDATE', $one, 'k1 all' ],
  [ 'UPDATE of another one', $two, 'k2 seen2 all' ],
  [ 'of a tenant that nobody reads', 'UPDATE k SET v = v + 1 WHERE id = 3', 'all' ],
  [ 'from one to the other', 'UPDATE k SET tenant = 2 WHERE id = 5', 'k1 k2 seen2 all' ],
  [ 'DELETE', 'DELETE FROM k WHERE id = 5', 'k2 seen2 all' ],
  [ 'INSERT', 'INSERT INTO k VALUES (5, 1, 5, 5)', 'k1 all' ],
  [ 'a quiet column', 'UPDATE k SET seen = seen + 1 WHERE id = 2', 'seen2' ],
  [ 'an update that changes nothing', 'UPDATE k SET v = v', '' ],
  [ 'COPY', "COPY k FROM STDIN;\n100\t1\t1\t1\n\\.\n", 'k1 all' ],
  [ 'many rows', 'INSERT INTO k SELECT g, 1, g, g FROM generate_series(200, 900) AS g; DELETE FROM k WHERE id >= 200', 'k1 all' ],
  [ 'with a table that is not tracked', "BEGIN; $one; UPDATE u SET v = v + 1; COMMIT", 'k1 all u' ],
  [ 'a partition', 'INSERT INTO part VALUES (1, 1)', 'part1' ],
  [ 'from one partition to the other', 'UPDATE part SET k = 3 - k WHERE tenant = 2', 'part2' ],
  [ 'as a replica', "SET session_replication_role = replica; $one", 'k1 all' ],
  [ 'a savepoint kept', "BEGIN; SAVEPOINT s; $one; RELEASE s; COMMIT", 'k1 all' ],
  [ 'a savepoint rolled back, whose keys count', "BEGIN; SAVEPOINT s; $two; ROLLBACK TO s; $one; COMMIT", 'k1 k2 seen2 all' ],
  [ '200 subtransactions', in_blocks(200, 'UPDATE k SET v = i WHERE id = 1', ''), 'k1 all' ],
  [ 'ROLLBACK', "BEGIN; $one; ROLLBACK", '' ],
  [ 'an error at commit', 'CREATE TEMP TABLE IF NOT EXISTS late (v int UNIQUE DEFERRABLE INITIALLY DEFERRED); '
	  . "DO \$\$ BEGIN BEGIN $one; INSERT INTO late VALUES (1), (1); SET CONSTRAINTS ALL IMMEDIATE; EXCEPTION WHEN unique_violation THEN NULL; END; END \$\$; DROP TABLE late", '' ],
  [ 'PREPARE', "BEGIN; $one; PREPARE TRANSACTION 'a'", '' ],
  [ 'COMMIT PREPARED', "COMMIT PREPARED 'a'", 'k1 all' ],
  [ 'ROLLBACK PREPARED', "BEGIN; $one; PREPARE TRANSACTION 'a'; ROLLBACK PREPARED 'a'", '' ],
  [ 'more than a slot has room for', join(';', ($one) x 30), 'k1 all' ];

# ---- What is not ----

my $many = 'INSERT INTO k SELECT 1000 + g, 100 + g, 1, 1 FROM generate_series(1, 200) AS g; DELETE FROM k WHERE id > 1000';

voids(@$_) foreach
  [ 'too many keys', $many, $of_k ],
  [ 'without the trigger', "ALTER TABLE k DISABLE TRIGGER cached_query_track; $one; ALTER TABLE k ENABLE ALWAYS TRIGGER cached_query_track", $of_k ],
  [ 'not counted', "SET track_counts = off; $one", $of_k ],
  [ 'not counted and not told, in part', "ALTER TABLE k ENABLE TRIGGER cached_query_track; BEGIN; $one; SET LOCAL session_replication_role = replica; "
	  . "SET LOCAL track_counts = off; $two; COMMIT", $of_k ],
  [ '... and alone', "BEGIN; $one; SET LOCAL session_replication_role = replica; SET LOCAL track_counts = off; $two; COMMIT", $of_k ],
  [ '... and the trigger for all again', 'ALTER TABLE k ENABLE ALWAYS TRIGGER cached_query_track', $of_k ],
  [ 'not counted, in part', "BEGIN; $one; SET LOCAL track_counts = off; $two; COMMIT", $of_k ],
  [ 'TRUNCATE and fill', 'BEGIN; CREATE TEMP TABLE kept AS TABLE k; TRUNCATE k; INSERT INTO k TABLE kept; DROP TABLE kept; COMMIT', $of_k ],
  [ 'another file', "BEGIN; $one; ALTER TABLE k SET TABLESPACE space; $two; COMMIT", $of_k ],
  [ 'in the other file', $one, 'k1 all' ],
  [ 'VACUUM FULL', 'VACUUM FULL k', $of_k ],
  [ 'after that', $two, 'k2 seen2 all' ];

# The keys are others.
voids('tracked by another column', q{SELECT cached_query_track('k', '{id}')}, $of_k);
voids('... by which nothing is pinned', $one, $of_k);
voids('tracked anew, and written', "BEGIN; $one; SELECT cached_query_track('k', '{tenant}', '{seen}'); $one; COMMIT", $of_k);
voids('... and from then on by key', $one, 'k1 all');
voids('not tracked', "SELECT cached_query_untrack('k')", $of_k);
voids('... writes void the table', $one, $of_k);
voids('tracked again', q{SELECT cached_query_track('k', '{tenant}', '{seen}')}, $of_k);
voids('... and by key', $one, 'k1 all');

# Another module writes when all was told.
voids('a late write', "SET late_writer.sql = '$two'; $one", $of_k);
voids('a late write in a subtransaction', 'SET late_writer.sql = ' . "'DO \$x\$ BEGIN BEGIN $two; EXCEPTION WHEN division_by_zero THEN NULL; END; END \$x\$'; $one", $of_k);
voids('a late write to another table', "SET late_writer.sql = 'UPDATE u SET v = v + 1'; $one", "u $of_k");
voids('a late write that comes to nothing', "SET late_writer.sql = 'UPDATE u SET v = v + 1 WHERE false'; $one", 'k1 all');

# A user can write the same bytes into the WAL, but not as we do.
my $before = sql($primary, 'SELECT pg_current_wal_insert_lsn()');
sql($primary, "$one; CHECKPOINT");
my $payload = sql($primary, qq{SELECT substring(description FROM 'payload .*: (.*)') FROM pg_get_wal_records_info('$before', pg_current_wal_flush_lsn())
	WHERE resource_manager = 'LogicalMessage'});
like($payload, qr/^[0-9A-F ]+$/, 'there is a message');
cmp_ok(length($payload), '<', 3 * 50, '... of less than 50 bytes');
$payload =~ s/ //g;
voids('a message that a user has made',
	"SET ROLE writer; BEGIN; $one; $many; SELECT pg_logical_emit_message(false, 'cached_query', '\\x$payload'::bytea); COMMIT; RESET ROLE", $of_k);
voids('messages that mean nothing', join(';', map { "SELECT pg_logical_emit_message($_->[0], '$_->[1]', '$_->[2]')" }
	  [ 'false', 'cached_query', '' ], [ 'false', '', '' ], [ 'true', 'cached_query', 'x' ], [ 'false', 'cached_query', 'x' x 9000 ]) . "; $one", 'k1 all');

# ---- Who tells and who hears ----

sub rounds
{
	my $hits = 0;

	foreach my $tenant (0 .. 9)
	{
		sql($primary, 'UPDATE k SET v = v + 1 WHERE id = ' . (1 + $tenant % 4));
		catch_up($standby);
		$hits += split / /, (asked($standby, 0, 'k1', 'k2'))[0];
	}
	return $hits;
}

cmp_ok(rounds(), '>=', 13, 'of 20 results that could be hits, 15 or more are'); # tenants 0 and 3 are written, too
$primary->append_conf('postgresql.conf', 'cached_query.tell_standbys = off');
$primary->reload;
sql($primary, 'SELECT pg_sleep(0.1)');
is(rounds(), 0, '... and if nothing is told, none');
voids('nothing is told', $one, $of_k);
$primary->append_conf('postgresql.conf', 'cached_query.tell_standbys = on');
$primary->reload;
sql($primary, 'SELECT pg_sleep(0.1)');
voids('told again', $one, 'k1 all');

catch_up($cascade);
asked($cascade, 0, @names);
sql($primary, $one);
catch_up($cascade);
is(join('; ', asked($cascade, 0, @names)), 'part1 part2 u; ', 'a standby with another number of slots goes by tables');

# ---- Restarts ----

sub agrees
{
	my ($node, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	catch_up($node);
	is((asked($node, 0, @names))[1], '', $name);
	asked($node, 0, @names);
	return;
}

sql($primary, "BEGIN; UPDATE k SET v = v + 10 WHERE id = 1; PREPARE TRANSACTION 'over a restart'");
sql($primary, "BEGIN; UPDATE k SET v = v + 10 WHERE id = 2; PREPARE TRANSACTION 'over a crash'");
sql($primary, 'CHECKPOINT; UPDATE u SET v = v + 1');
catch_up($standby);
$standby->safe_psql('postgres', 'CHECKPOINT');
forget_session($standby);
$standby->restart;
agrees($standby, 'after a restart');
sql($primary, "COMMIT PREPARED 'over a restart'");
agrees($standby, '... a prepared transaction of before');
voids('... and from then on by key', $one, 'k1 all');

my $pid = (split /\n/, slurp_file($standby->data_dir . '/postmaster.pid'))[0];
forget_session($standby);
$standby->kill9;
wait_until(sub { !kill 0, $pid }, 20);
wait_until(sub { $standby->start(fail_ok => 1) }, 20);
agrees($standby, 'after a crash');
sql($primary, "COMMIT PREPARED 'over a crash'");
agrees($standby, '... a prepared transaction of before');
voids('... and from then on by key', $two, 'k2 seen2 all');

forget_session($primary);
$primary->adjust_conf('postgresql.conf', 'shared_preload_libraries', q{''});
$primary->restart;
voids('a primary without the library', $one, $of_k);

# ---- Promotion ----

forget_session($primary);
$primary->adjust_conf('postgresql.conf', 'shared_preload_libraries', q{'cached_query'});
$primary->restart;
sql($primary, "BEGIN; UPDATE k SET v = v + 10 WHERE id = 1; PREPARE TRANSACTION 'over the promotion'");
agrees($standby, 'before the promotion');
forget_session($primary);
$primary->stop;
$standby->promote;
is((asked($standby, 0, @names))[1], '', 'promoted');
asked($standby, 0, @names);
sql($standby, "COMMIT PREPARED 'over the promotion'");
is((asked($standby, 0, @names))[1], '', '... a prepared transaction of the standby');
asked($standby, 0, @names);
sql($standby, $one);
is(join('; ', asked($standby, 0, @names)), 'k2 part1 part2 seen2 u; ', '... and it tracks now itself');

end_of($_) foreach $standby, $cascade;
done_testing();
