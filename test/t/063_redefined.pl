# A reader waits for the lock of somebody who empties and fills a table again, and sees what a statement of its
# own would see; settings that are switched within one statement.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main');
my %call = (
	direct => 'SELECT count(*) FROM etl',
	rows => q{SELECT n FROM cached_query('SELECT count(*) FROM etl', '1h') AS t(n bigint)},
	json => q{SELECT cached_query_json('SELECT count(*) AS n FROM etl', '1h')});

$node->safe_psql('postgres', 'CREATE TABLE etl AS SELECT generate_series(1, 5) AS a');
foreach my $consistency ('ttl', 'exact')
{
	foreach my $kind ('direct', 'rows', 'json')
	{
		$node->safe_psql('postgres', 'TRUNCATE etl; INSERT INTO etl SELECT generate_series(1, 5)');
		my $writer = $node->background_psql('postgres');
		my $reader = $node->background_psql('postgres');
		$reader->query_safe("SET cached_query.consistency = $consistency");
		$reader->query_safe($call{$kind});    # a handle is kept
		$writer->query_safe('BEGIN');
		$writer->query_safe('TRUNCATE etl');
		$writer->query_safe('INSERT INTO etl SELECT generate_series(1, 1000)');
		$reader->query_until(qr/begun/, "\\echo begun\n$call{$kind};\n\\echo ended\n");
		ok(wait_until(sub { $node->safe_psql('postgres', q{SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'etl'::regclass}) == 1 }, 30), "$consistency, $kind: the reader waits");
		$writer->query_safe('COMMIT');
		my $seen = $reader->query_until(qr/ended/, '');
		like($seen, qr/1000/, "$consistency, $kind: it sees what was loaded");
		$_->quit foreach $writer, $reader;
	}
}

# Rows that were written while they weren't counted.
$node->safe_psql('postgres', q{
	CREATE TABLE counted (v int);
	CREATE FUNCTION adds() RETURNS int LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM set_config('track_counts', 'off', true);
		INSERT INTO counted VALUES (1);
		PERFORM set_config('track_counts', 'on', true);
		RETURN 1;
	END $$});
my $exact = q{SET cached_query.consistency = exact; SELECT n FROM cached_query('SELECT count(*) FROM counted', '1h') AS t(n bigint)};
is($node->safe_psql('postgres', $exact), '0', 'nothing yet');
is($node->safe_psql('postgres', $exact), '0', 'a hit');
$node->safe_psql('postgres', 'SELECT adds()');
is($node->safe_psql('postgres', $exact), '1', 'a row that was not counted');
log_is_quiet($node, 'the log is quiet');
done_testing();
