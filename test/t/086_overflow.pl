# What one session does in one database leaves the answers of others alone, however much it is: definitions
# prepared and never ended, thousands of tables, queries and tags.  Where it is too much for the places that keep
# these apart, it is all of that database, and not longer than it lasts.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', 'max_prepared_transactions = 40', 'max_locks_per_transaction = 1000', 'cached_query.memory = 64MB');

# Databases with numbers that have different stripes of slots.
$node->safe_psql('postgres', 'CREATE ROLE u LOGIN');
foreach my $database ([ 'a', 70001 ], [ 'b', 70002 ])
{
	$node->safe_psql('postgres', "CREATE DATABASE $database->[0] OID = $database->[1]");
	add_extension($node, $database->[0]);
	$node->safe_psql($database->[0], q{GRANT CREATE ON SCHEMA public TO u;
		CREATE FUNCTION plain(int) RETURNS int LANGUAGE sql STABLE AS $$SELECT $1 + 1$$;
		CREATE FUNCTION late() RETURNS int LANGUAGE plpgsql STABLE AS $$DECLARE n int; BEGIN EXECUTE 'SELECT 1' INTO n; RETURN n; END$$;
		SELECT format('CREATE TABLE many_%s AS SELECT generate_series(1, 1000) AS v', g),
			format('CREATE FUNCTION plain_%s(int) RETURNS int LANGUAGE sql STABLE AS $$SELECT $1 + 1$$', g) FROM generate_series(1, 20) AS g \gexec
		GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC});
}
$node->safe_psql('a', q{SET ROLE u;
	SELECT format('CREATE TABLE t%s (v int)', g) FROM generate_series(1, 1500) g \gexec
	CREATE TABLE parts (v int) PARTITION BY LIST (v);
	SELECT format('CREATE TABLE part%s PARTITION OF parts FOR VALUES IN (%s)', g, g) FROM generate_series(1, 300) g \gexec});

# 200 ttl and 200 exact answers, of 20 tables and functions: how many are found?  Some of these share slots with what is
# changed, which of them depends on OIDs.
my $number = 0;
sub found
{
	my ($database) = @_;
	my $sql = join "\n", map {
		"SET cached_query.consistency = $_; "
		  . q{DO $$DECLARE n bigint; BEGIN FOR i IN 1 .. 200 LOOP
			PERFORM set_config('cached_query.tag', 'tag ' || i, true);
			EXECUTE format('SELECT x FROM cached_query(%L, ''1h'', VARIADIC ARRAY[%L]::text[]) AS t(x bigint)',
				format('SELECT count(plain_%1$s(v)) FROM many_%1$s WHERE v <> $1::int', i % 20 + 1), i) INTO n; END LOOP; END$$;}
	} 'ttl', 'exact';
	my ($outcome) = outcome_of($node, $sql, $database);

	return $outcome =~ /\bhit(?: x(\d+))?/ ? $1 || 1 : 0;
}

# Fresh answers are stored and found, so nothing objects now.
sub new_ones_in
{
	my ($database) = @_;
	my $call = rows_of("SELECT plain(" . ++$number . ")", '1h', 'x int');

	return (outcome_of($node, "$call; $call", $database))[0];
}

sub alone_in
{
	my ($what, @databases) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	foreach my $database (@databases)
	{
		is(found($database), 400, "$what: all answers of $database are found");
		is(new_ones_in($database), 'hit, miss_cold', "$what: new ones of $database are kept");
	}
	return;
}

sub of_u { $node->safe_psql('a', "SET ROLE u; $_[0]"); return; }

found($_), found($_) foreach 'a', 'b';
alone_in('at first', 'a', 'b');

# more definitions than 256, prepared; of a partitioned table, committed
of_u("BEGIN;\nSELECT format('ALTER TABLE t%s ADD w int', g) FROM generate_series(1, 300) g \\gexec\nPREPARE TRANSACTION 'many'");
is(found('b'), 400, '300 definitions prepared: all of b are found');
is(new_ones_in('b'), 'hit, miss_cold', '... and new ones kept');
cmp_ok(found('a'), '>', 200, '... and most of a');
of_u(q{COMMIT PREPARED 'many'});
found('a');
alone_in('300 definitions committed', 'b', 'a');
of_u('ALTER TABLE parts ADD w int');
alone_in('a table of 300 partitions', 'b');

# more than can be told apart
of_u("BEGIN;\nSELECT format('ALTER TABLE t%s ADD w2 int', g) FROM generate_series(1, 1500) g \\gexec\nPREPARE TRANSACTION 'more'");
alone_in('1500 definitions prepared', 'b');
is(found('a'), 0, '... and a has to wait');
of_u(q{ROLLBACK PREPARED 'more'});
found('a');
alone_in('1500 definitions rolled back', 'b', 'a');

# more transactions in one place than it has room for: each makes a name, which late() might look up
my $late = rows_of('SELECT late()', '1h', 'x int');
sub late_in { return (outcome_of($node, "$late; $late", $_[0]))[0]; }
late_in('a'), late_in('b');
foreach my $round (1, 2)
{
	of_u("BEGIN; CREATE DOMAIN d${round}_$_ AS int; PREPARE TRANSACTION 'd$_'") foreach 1 .. 14;
	alone_in("round $round: 14 domains prepared", 'b', 'a');
	is(late_in('b'), 'hit x2', '... code in b is cached');
	unlike(late_in('a'), qr/hit/, '... code in a that looks up names is not');
	of_u(join ' ', map { "COMMIT PREPARED 'd$_';" } 1 .. 13);
	of_u(q{ROLLBACK PREPARED 'd14'});
	late_in('a');
	is(late_in('a'), 'hit x2', '... until they are ended');
	alone_in("round $round: ended", 'b', 'a');
}

# dead ones fill the place: the next finds room
of_u("BEGIN; CREATE DOMAIN e$_ AS int; PREPARE TRANSACTION 'e$_'; COMMIT PREPARED 'e$_'") foreach 1 .. 30;
of_u(q{BEGIN; CREATE DOMAIN e AS int; PREPARE TRANSACTION 'e'});
alone_in('one prepared after thirty', 'b', 'a');
is(late_in('b'), 'hit x2', '... code in b is cached');
of_u(q{COMMIT PREPARED 'e'});

# rows of many tables, and with statistics off
of_u(join ';', map { "INSERT INTO t$_ (v) VALUES (1)" } 1 .. 1500);
alone_in('rows of 1500 tables', 'b');
of_u("BEGIN;\nSELECT format('INSERT INTO t%s (v) VALUES (1)', g) FROM generate_series(1, 1500) g \\gexec\nCOMMIT");
alone_in('rows of 1500 tables at once', 'b');
$node->safe_psql('a', 'SET track_counts = off; INSERT INTO t1 (v) VALUES (1)');
alone_in('rows that are not counted', 'b');

# explicit invalidation: of a query those results, too, that a statement without a call would get, so two slots each
found('a');
foreach my $many (400, 3000)
{
	of_u("SELECT count(cached_query_invalidate('SELECT ' || g)) FROM generate_series(1, $many) g");
	alone_in("$many queries invalidated", 'b');
	cmp_ok(found('a'), '>', 200, '... and most of a are found') if $many == 400;
	$node->safe_psql('a', "SELECT count(cached_query_invalidate_tag('u ' || g)) FROM generate_series(1, $many) g");
	alone_in("$many tags invalidated", 'b');
}
found('a');
$node->safe_psql('a', q{BEGIN; SELECT count(cached_query_invalidate('SELECT ' || g)) FROM generate_series(1, 3000) g; SELECT cached_query_clear(); COMMIT});
is(found('b'), 0, 'clear() after many voids everything all the same');

# a savepoint takes back what it asked for, and nothing else
found('a');
$node->safe_psql('a', q{BEGIN; SAVEPOINT s; SELECT count(cached_query_invalidate('SELECT ' || g)) FROM generate_series(1, 3000) g;
	ROLLBACK TO s; SELECT cached_query_invalidate_tag('tag 7'); COMMIT});
cmp_ok(found('a'), '>=', 390, 'rolled back');
$node->stop;
done_testing();
