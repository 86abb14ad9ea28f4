# What one user changes voids the answers that depend on it, and no others, however much it is: queries that are
# invalidated in one transaction, tables that are made and dropped.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use IPC::Run;

my $node = start_node('main', 'max_prepared_transactions = 10', 'max_locks_per_transaction = 1000', 'cached_query.memory = 64MB');

$node->safe_psql('postgres', q{CREATE ROLE u LOGIN;
	GRANT CREATE ON SCHEMA public TO u;
	CREATE TABLE one (v int); GRANT SELECT ON one TO PUBLIC; INSERT INTO one VALUES (1);
	CREATE FUNCTION late(int) RETURNS int LANGUAGE plpgsql STABLE AS $$BEGIN RETURN (SELECT v + $1 FROM one); END$$;
	CREATE FUNCTION tagged(tag text, q text) RETURNS text LANGUAGE plpgsql AS $$BEGIN
		PERFORM set_config('cached_query.tag', tag, true); RETURN cached_query_json(q, '1h'); END$$});

# 100 queries, ttl and exact, with and without a function that looks names up, half of them with a tag.
my $calls = join '', map {
	my $consistency = $_;
	map { "SET cached_query.consistency = $consistency; SELECT count(tagged(CASE WHEN g % 2 = 0 THEN 'tag ' || g ELSE '' END, '$_ WHERE v <> ' || -g)) FROM generate_series(1, 50) g;" }
	  'SELECT sum(v) FROM one', 'SELECT sum(late(v)) FROM one'
} 'ttl', 'exact';

sub misses
{
	my ($outcome) = outcome_of($node, $calls);
	my $hits = $outcome =~ /\bhit(?: x(\d+))?/ ? $1 || 1 : 0;

	return 200 - $hits;
}

# All are made anew: the places for single things keep the last ones for those that are there.
sub fresh
{
	$node->safe_psql('postgres', 'SELECT cached_query_clear()');
	return misses();
}

fresh();
is(misses(), 0, 'all are found');

my $of_u = sub { fresh(); return $node->safe_psql('postgres', "SET ROLE u; $_[0]") };

# ---- queries that are invalidated ----

$of_u->(q{SELECT count(cached_query_invalidate('select ' || g)) FROM generate_series(1, 3000) g});
is(misses(), 0, '3,000 queries without an entry');
$of_u->(q{SELECT count(cached_query_invalidate('select $1::int', g)) FROM generate_series(1, 5000) g});
is(misses(), 0, '5,000 arguments without an entry');
$of_u->(q{SELECT count(cached_query_json('select ' || g, '1h')) FROM generate_series(1, 1500) g;
	SELECT count(cached_query_invalidate('select ' || g)) FROM generate_series(1, 1500) g});
is(misses(), 0, '1,500 queries with an entry');
is($node->safe_psql('postgres', q{SELECT count(*) FROM cached_query_entries WHERE query ~ '^select \d+$' AND state <> 'invalidated'}), 0, '... which are all void');
$of_u->(q{BEGIN; SELECT count(cached_query_invalidate('select ' || g)) FROM generate_series(1, 2000) g; SAVEPOINT s;
	SELECT count(cached_query_invalidate('SELECT sum(v) FROM one WHERE v <> ' || -g)) FROM generate_series(1, 50) g; ROLLBACK TO s; COMMIT});
is(misses(), 0, 'what is rolled back to a savepoint is left alone');

# each of them does what it says, also beside thousands of others
$of_u->(q{SELECT cached_query_invalidate('SELECT sum(v) FROM one WHERE v <> ' || -g) FROM generate_series(1, 20) g});
cmp_ok(misses(), '>=', 20, '20 that there are');
is(misses(), 0, '... and are found again');
$of_u->(q{SELECT count(cached_query_invalidate('select ' || g)) FROM generate_series(1, 2000) g;});
$node->safe_psql('postgres', q{SELECT count(cached_query_invalidate('select ' || g)) FROM generate_series(1, 9000) g;});
$node->safe_psql('postgres', q{BEGIN; SELECT count(cached_query_invalidate('select ' || g)) FROM generate_series(1, 9000) g;
	SELECT cached_query_invalidate('SELECT sum(v) FROM one WHERE v <> -7'); COMMIT});
cmp_ok(misses(), '>=', 1, 'one behind 9,000 others');
fresh();
$node->safe_psql('postgres', q{SELECT count(cached_query_invalidate_tag('none ' || g)) FROM generate_series(1, 5000) g});
is(misses(), 0, '5,000 tags');
fresh();
$node->safe_psql('postgres', q{SELECT count(cached_query_invalidate_tag('tag ' || g)) FROM generate_series(1, 10) g});
is(misses(), 20, 'five tags that there are');

# ---- definitions ----

$of_u->(q{SELECT format('CREATE TABLE t%s (v int)', g) FROM generate_series(1, 600) g \gexec
	CREATE TABLE parts (v int) PARTITION BY LIST (v);
	SELECT format('CREATE TABLE part%s PARTITION OF parts FOR VALUES IN (%s)', g, g) FROM generate_series(1, 256) g \gexec});
is(misses(), 0, '857 tables made');
$of_u->(q{DROP TABLE parts});
is(misses(), 0, 'a table with 256 partitions dropped');
$of_u->("BEGIN;\nSELECT format('ALTER TABLE t%s ADD w int', g) FROM generate_series(1, 600) g \\gexec\nPREPARE TRANSACTION 'many'");
is(misses(), 0, '600 tables changed, prepared');
$node->safe_psql('postgres', q{COMMIT PREPARED 'many'});
is(misses(), 0, '... and committed');
$of_u->("BEGIN;\nSELECT format('DROP TABLE t%s', g) FROM generate_series(1, 600) g \\gexec\nCOMMIT");
is(misses(), 0, '600 tables dropped in a transaction');
$of_u->(q{DO $$BEGIN FOR i IN 1 .. 400 LOOP EXECUTE 'CREATE TYPE e' || i || ' AS ENUM (''a'')'; EXECUTE 'CREATE FUNCTION f' || i || '() RETURNS int LANGUAGE sql AS ''SELECT 1'''; END LOOP; END$$});
$of_u->(q{DO $$BEGIN FOR i IN 1 .. 400 LOOP EXECUTE 'DROP TYPE e' || i; EXECUTE 'DROP FUNCTION f' || i; END LOOP; END$$});
is(misses(), 0, '400 types and functions made and dropped');
$node->safe_psql('postgres', 'ALTER TABLE one ADD w int');
is(misses(), 200, 'a change of the table voids all');
is(misses(), 0, '... once');

# ---- a fill goes on while others change what it doesn't depend on ----

my $slow = q{SET cached_query.nondeterministic = cache; SELECT cached_query_json('SELECT sum(late(v)) FROM one, pg_sleep(4)', '1h');};
my $output = '';
my $run = IPC::Run::start(['psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $slow], '>', \$output, IPC::Run::timeout(120));
ok(wait_until(sub { $node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'}) == 1 }), 'a query runs');
$node->safe_psql('postgres', q{SET ROLE u; SELECT format('CREATE TABLE t%s (v int)', g), format('DROP TABLE t%s', g) FROM generate_series(1, 40) g \gexec});
$run->finish;
like($output, qr/sum/, '... and ends');
is((outcome_of($node, $slow))[0], 'hit', 'its rows were kept');

is(join("\n", complaints($node)), '', 'the log is quiet');
done_testing();
