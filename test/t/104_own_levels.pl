# A transaction of thousands of savepoints that wrote many tables each: a call that reads hundreds of relations takes
# about as long as the query, and can be stopped.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $levels = 3000;
my $tables = 20;
my $node = start_node('main', 'max_locks_per_transaction = 1000', 'fsync = off');

$node->safe_psql('postgres', q{
	CREATE TABLE parts (a int) PARTITION BY RANGE (a);
	DO $$ BEGIN FOR i IN 1 .. 800 LOOP
		EXECUTE format('CREATE TABLE part%s PARTITION OF parts FOR VALUES FROM (%s) TO (%s)', i, i, i + 1);
	END LOOP; END $$;
	DO $$ BEGIN FOR i IN 1 .. 20 LOOP EXECUTE format('CREATE TABLE w%s (a int)', i); END LOOP; END $$;
	CREATE FUNCTION write_all() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
		} . join('', map { "INSERT INTO w$_ VALUES (1); " } 1 .. $tables) . q{ END $$;
	CREATE FUNCTION reads() RETURNS SETOF bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM parts';
});

my $call = rows_of('SELECT count(*) FROM parts', '1h', 'n bigint');
my $session = CachedQueryTest::Deaf->connect($node);

sub took
{
	my ($sql) = @_;
	my $start = time;
	my $answer = $session->ask($sql);

	return (time - $start, $answer);
}

is($session->ask($call)->{first}, '0', 'kept');
is((outcome_of($node, $call))[0], 'hit', 'and found');

my $written = time;
$session->ask('BEGIN');
$session->ask(join(';', map { "SAVEPOINT s$_; SELECT write_all()" } $_ * 100 + 1 .. $_ * 100 + 100)) foreach 0 .. $levels / 100 - 1;
$written = time - $written;

my ($plain) = took('SELECT count(*) FROM parts');

# Without a bound each of these is 48 million steps: seconds, where writing took about one.
foreach my $what (['a hit', $call], ['a fill', rows_of('SELECT count(*) + 1 FROM parts', '1h', 'n bigint')],
	['a function', rows_of('SELECT * FROM reads()', '1h', 'n bigint')], ['a hit again', $call])
{
	my ($seconds, $answer) = took($what->[1]);

	like($answer->{first}, qr/^[01]$/, "$what->[0]: rows");
	cmp_ok($seconds, '<', 5 * $plain + 0.7, "$what->[0]: about as long as the query") or diag "plain $plain, written in $written";
}
is($session->ask(rows_of('SELECT count(*) FROM w7', '1h', 'n bigint'))->{first}, $levels, 'own rows are seen');
$session->ask('ROLLBACK TO s2000');
is($session->ask(rows_of('SELECT count(*) FROM w7', '1h', 'n bigint'))->{first}, 1999, '... and not those that were taken back');
$session->ask('ROLLBACK');
is($session->ask(rows_of('SELECT count(*) FROM w7', '1h', 'n bigint'))->{first}, 0, '... nor any after the end');
$session->close;
log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
