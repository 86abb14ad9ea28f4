# Logical replication writes into tables with exact answers on the subscriber: inserts, updates,
# deletes, partitions, triggers, TRUNCATE, and transactions in two phases.  Into tracked tables, too: by key if the trigger
# is an ALWAYS one.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tables = q{
	CREATE TABLE t (id int PRIMARY KEY, v int);
	CREATE TABLE p (id int PRIMARY KEY, v int);
	CREATE TABLE trunc (id int PRIMARY KEY, v int);
	CREATE TABLE two (id int PRIMARY KEY, v int);
	CREATE TABLE k (id int PRIMARY KEY, tenant int, v int);
	CREATE TABLE origin (id int PRIMARY KEY, tenant int, v int);
	CREATE TABLE late (id int PRIMARY KEY, tenant int, v int);
};
my $publisher = PostgreSQL::Test::Cluster->new('publisher');

$publisher->init(allows_streaming => 'logical');
$publisher->append_conf('postgresql.conf', 'max_prepared_transactions = 10');
$publisher->start;
$publisher->safe_psql('postgres', "$tables INSERT INTO t VALUES (1, 1); INSERT INTO trunc VALUES (1, 1);
	CREATE PUBLICATION pub FOR TABLE t, p, trunc; CREATE PUBLICATION pub2 FOR TABLE two;
	INSERT INTO late SELECT g, g % 10, g FROM generate_series(1, 30) AS g; CREATE PUBLICATION pub3 FOR TABLE late");
$publisher->safe_psql('postgres', "INSERT INTO $_ SELECT g, g % 10, g FROM generate_series(1, 30) AS g; ALTER PUBLICATION pub ADD TABLE $_") foreach 'k', 'origin';

my $node = start_node('subscriber', { allows_streaming => 'logical' }, "max_prepared_transactions = 10\nmax_logical_replication_workers = 8");
$node->safe_psql('postgres', $tables =~ s/CREATE TABLE p [^;]*;//r . q{
	CREATE TABLE p (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
	CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100);
	CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200);
	CREATE TABLE audit (v int);
	CREATE TABLE other (v int);
	INSERT INTO other VALUES (1);
	CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN INSERT INTO public.audit VALUES (NEW.v); RETURN NULL; END';
	CREATE TRIGGER audit AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION audit();
	ALTER TABLE t ENABLE ALWAYS TRIGGER audit;
	SELECT cached_query_track(c, '{tenant,id}') FROM unnest('{k,origin,late}'::regclass[]) AS c;
	ALTER TABLE origin ENABLE TRIGGER cached_query_track});

my $from = $publisher->connstr . ' dbname=postgres';
$node->safe_psql('postgres', "CREATE SUBSCRIPTION sub CONNECTION '$from' PUBLICATION pub");
$node->safe_psql('postgres', "CREATE SUBSCRIPTION sub2 CONNECTION '$from' PUBLICATION pub2 WITH (two_phase = on)");
$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_subscription_rel WHERE srsubstate NOT IN ('r', 's')})
  or die 'tables are not synchronized';
$node->poll_query_until('postgres', q{SELECT bool_and(subtwophasestate IN ('d', 'e')) FROM pg_subscription})
  or die 'two_phase does not start';

# Outcome and rows of an exact read of one value.
sub read_exact
{
	my ($query) = @_;

	return outcome_of($node, 'SET cached_query.consistency = exact; ' . rows_of("SELECT ($query)::text", '1h', 'x text'));
}

# What the publisher does changes the subscriber's answer, and no answer about another table.
sub applied
{
	my ($name, $write, $query, $want, @more) = @_;
	my ($outcome, $rows);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	read_exact($_) foreach $query, $query, 'SELECT sum(v) FROM other';
	is((read_exact($query))[0], 'hit', "$name: cached");
	$publisher->safe_psql('postgres', $write);
	$publisher->wait_for_catchup($_) foreach 'sub', 'sub2';
	($outcome, $rows) = read_exact($query);
	is($outcome, 'miss_invalidated', "$name: outcome") unless @more;
	is($rows, $want, "$name: rows");
	is((read_exact('SELECT sum(v) FROM other'))[0], 'hit', "$name: another table");
	return;
}

my $t = q{SELECT count(*) || '/' || sum(v) FROM t};

applied('INSERT', 'INSERT INTO t VALUES (2, 2)', $t, '2/3');
applied('a trigger', 'INSERT INTO t VALUES (3, 3)', 'SELECT count(*) FROM audit', 3);
applied('UPDATE', 'UPDATE t SET v = 10 WHERE id = 1', $t, '3/15');
applied('DELETE', 'DELETE FROM t WHERE id = 1', $t, '2/5');
applied('routed INSERT', 'INSERT INTO p VALUES (1, 1)', 'SELECT sum(v) FROM p', 1);
applied('routed INSERT, by the leaf', 'INSERT INTO p VALUES (2, 1)', 'SELECT sum(v) FROM p1', 2);
applied('UPDATE that moves a row', 'UPDATE p SET id = 150 WHERE id = 1', 'SELECT coalesce(sum(v), 0) FROM p2', 1);
applied('TRUNCATE', 'TRUNCATE trunc', 'SELECT count(*) FROM trunc', 0);
applied('a large transaction', 'BEGIN; INSERT INTO t SELECT g, 1 FROM generate_series(10, 2000) AS g; SAVEPOINT s;
	DELETE FROM t WHERE id < 10; ROLLBACK TO s; UPDATE t SET v = 2 WHERE id = 10; COMMIT', $t, '1993/1997');

# Tracked tables: answers of tenants 7 and 8.
sub tenants
{
	my ($table) = @_;

	return map { "SELECT coalesce(sum(v), 0) FROM $table WHERE tenant = $_" } 7, 8;
}

# What the publisher does to tenant 7 voids its answer, and tenant 8's or not.
sub told
{
	my ($name, $table, $write, $want, $other) = @_;
	my ($seven, $eight) = tenants($table);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	read_exact($_) foreach $seven, $seven, $eight, $eight;
	is((read_exact($_))[0], 'hit', "$name: cached") foreach $seven, $eight;
	$publisher->safe_psql('postgres', $write);
	$publisher->wait_for_catchup('sub');
	is_deeply([ read_exact($seven) ], [ 'miss_invalidated', $want ], "$name: its tenant");
	is((read_exact($eight))[0], $other, "$name: another tenant");
	return;
}

told('tracked UPDATE', 'k', 'UPDATE k SET v = v + 1 WHERE id = 7', 52, 'hit');
told('tracked INSERT', 'k', 'INSERT INTO k VALUES (100, 7, 100)', 152, 'hit');
told('tracked DELETE', 'k', 'DELETE FROM k WHERE id = 100', 52, 'hit');
told('a row that leaves', 'k', 'UPDATE k SET tenant = 6 WHERE id = 17', 35, 'hit');
told('a row that goes to tenant 8', 'k', 'UPDATE k SET tenant = 8 WHERE id = 7', 27, 'miss_invalidated');
told('several', 'k', 'BEGIN; UPDATE k SET v = 0 WHERE id = 27; SAVEPOINT s; UPDATE k SET v = 0 WHERE id = 28; ROLLBACK TO s; COMMIT', 0, 'hit');
told('tracked TRUNCATE', 'k', 'TRUNCATE k; INSERT INTO k VALUES (7, 7, 7)', 7, 'miss_invalidated');
told('a trigger that does not fire', 'origin', 'UPDATE origin SET v = v + 1 WHERE id = 7', 52, 'miss_invalidated');

# Rows that another worker copies at the beginning.
read_exact($_) foreach (tenants('late')) x 2;
is_deeply([ read_exact($_) ], [ 'hit', 0 ], 'nothing yet') foreach tenants('late');
$node->safe_psql('postgres', "CREATE SUBSCRIPTION sub3 CONNECTION '$from' PUBLICATION pub3");
$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_subscription_rel WHERE srsubstate NOT IN ('r', 's')})
  or die 'table is not synchronized';
is_deeply([ map { (read_exact($_))[1] } tenants('late') ], [ 51, 54 ], 'copied');

# In two phases the worker runs no statement at COMMIT PREPARED.
my $two = 'SELECT coalesce(sum(v), 0) FROM two';

applied('PREPARE TRANSACTION', q{BEGIN; INSERT INTO two VALUES (1, 1); PREPARE TRANSACTION 'x'}, $two, 0, 'no change');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_prepared_xacts'), '1', 'it is prepared here');
applied('COMMIT PREPARED', q{COMMIT PREPARED 'x'}, $two, 1);
applied('ROLLBACK PREPARED', q{BEGIN; INSERT INTO two VALUES (2, 2); PREPARE TRANSACTION 'x'; ROLLBACK PREPARED 'x'},
	$two, 1, 'no change');

# An applied TRUNCATE is a definition, and prepared ones hold answers up until they are over.
read_exact($two) foreach 1 .. 3;
$publisher->safe_psql('postgres', q{BEGIN; TRUNCATE two; INSERT INTO two VALUES (5, 5); PREPARE TRANSACTION 'x'; COMMIT PREPARED 'x'});
$publisher->wait_for_catchup('sub2');
is((read_exact($two))[1], '5', 'prepared TRUNCATE, applied');
read_exact($two);
is_deeply([ read_exact($two) ], [ 'hit', '5' ], 'hits again');

# The subscriber crashes between the phases.
$publisher->safe_psql('postgres', q{BEGIN; UPDATE two SET v = 6; PREPARE TRANSACTION 'x'});
$publisher->wait_for_catchup('sub2');
$node->stop('immediate');
$node->start;
is_deeply([ map { (read_exact($two))[1] } 1 .. 2 ], [ 5, 5 ], 'prepared, over a crash');
is((read_exact($two))[0], 'hit', 'and cached');
$publisher->safe_psql('postgres', q{COMMIT PREPARED 'x'});
$publisher->wait_for_catchup('sub2');
is((read_exact($two))[1], '6', 'COMMIT PREPARED after the crash');
read_exact($two);
is_deeply([ read_exact($two) ], [ 'hit', '6' ], 'hits again');

is(join("\n", grep { !/terminating|wrong|origin/ } complaints($node)), '', 'nothing to complain about');
$node->stop;
$publisher->stop;
done_testing();
