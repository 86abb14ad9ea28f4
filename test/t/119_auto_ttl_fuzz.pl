# The randomized checker of statements that make no call, within a ttl: many sessions write and read a few
# rows, by all protocols, and note times.  No result is older than its ttl, none is newer than a snapshot of
# REPEATABLE READ, and a transaction sees its own changes; and results are older than the statement's where the
# checker is told of a shorter ttl than the statements, when it has to find some.
#
# Older than its ttl: the next version of the row was acknowledged to its writer before the statement's begin
# less the ttl.
#
# CQ_FUZZ_TTL_SECONDS is how long the first run takes (4).

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', 'max_connections = 60', 'max_worker_processes = 12', 'fsync = off', 'log_min_messages = warning',
	'log_statement = none');
my $pgbench = $node->installed_command('pgbench');
my $dir = PostgreSQL::Test::Utils::tempdir();

sub value { return $node->safe_psql('postgres', $_[0]); }

value(q{
	CREATE TABLE rows (k int PRIMARY KEY, n bigint) WITH (fillfactor = 20);
	CREATE VIEW looked AS SELECT k, n FROM rows;
	CREATE TABLE parts (k int, n bigint) PARTITION BY LIST (k);
	CREATE TABLE parts_low PARTITION OF parts FOR VALUES IN (1, 2, 3);
	CREATE TABLE parts_high PARTITION OF parts FOR VALUES IN (4, 5, 6);
	INSERT INTO rows SELECT g, 0 FROM generate_series(1, 6) AS g;
	INSERT INTO parts SELECT g, 0 FROM generate_series(1, 6) AS g;
	CREATE UNLOGGED TABLE acknowledged (k int, n bigint, at timestamptz);
	CREATE UNLOGGED TABLE seen (what text, k int, n bigint, at timestamptz, other bigint)});

# Both tables have the same numbers.
my $write = q{\set k random(1, 6)
BEGIN;
UPDATE rows SET n = n + 1 WHERE k = :k RETURNING n AS n \gset
UPDATE parts SET n = :n WHERE k = :k;
COMMIT;
INSERT INTO acknowledged VALUES (:k, :n, clock_timestamp());
\sleep 5 ms
};

# Reads by a hint, so that all else runs without the cache.
sub scripts
{
	my ($ttl_ms) = @_;
	my $hint = "/* cached_query: ttl=${ttl_ms}ms */";
	my $begin = "\\set k random(1, 6)\nSELECT clock_timestamp() AS began \\gset\n";
	my %scripts = (write => $write);

	foreach my $from ('rows', 'looked', 'parts')
	{
		$scripts{"read_$from"} = "${begin}$hint SELECT n AS got FROM $from WHERE k = :k \\gset\n"
		  . "INSERT INTO seen VALUES ('age', :k, :got, ':began');\n";
	}
	$scripts{all} = "${begin}$hint SELECT n AS got, k AS of_k FROM rows ORDER BY k OFFSET (:k) - 1 LIMIT 1 \\gset\n"
	  . "INSERT INTO seen VALUES ('age', :of_k, :got, ':began');\n";
	$scripts{own} = "${begin}BEGIN;\nUPDATE rows SET n = n + 1000000 WHERE k = :k RETURNING n AS mine \\gset\n"
	  . "$hint SELECT n AS got FROM rows WHERE k = :k \\gset\nROLLBACK;\nINSERT INTO seen VALUES ('own', :k, :got, ':began', :mine);\n";
	$scripts{snapshot} = "${begin}BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT n AS base FROM rows WHERE k = :k \\gset\n\\sleep 3 ms\n"
	  . "$hint SELECT n AS got FROM parts WHERE k = :k \\gset\nCOMMIT;\nINSERT INTO seen VALUES ('snapshot', :k, :got, ':began', :base);\n";
	foreach my $name (keys %scripts)
	{
		# a time is no number: it goes in as text
		(my $text = $scripts{$name}) =~ s/SELECT clock_timestamp\(\) AS began/SELECT extract(epoch FROM clock_timestamp()) AS began/;
		$text =~ s/':began'/to_timestamp(:began)/g;
		open my $file, '>', "$dir/$name.sql" or die "$dir: $!";
		print $file $text;
		close $file;
	}
	return map { "$dir/$_.sql" } sort keys %scripts;
}

# How many are wrong.
my %wrong = (
	age => q{SELECT count(*) FROM seen AS s JOIN acknowledged AS a ON a.k = s.k AND a.n = s.n + 1
		WHERE s.what IN ('age', 'snapshot') AND a.at < s.at - %d * interval '1 ms'},
	own => q{SELECT count(*) FROM seen WHERE what = 'own' AND n <> other},
	snapshot => q{SELECT count(*) FROM seen WHERE what = 'snapshot' AND n > other},
	impossible => q{SELECT count(*) FROM seen AS s WHERE s.n > 0 AND s.n < 1000000 AND NOT EXISTS (SELECT 1 FROM acknowledged AS a WHERE a.k = s.k AND a.n = s.n)});

sub check
{
	my ($name, $ttl_ms, $told_ms, $seconds, $settings, $expected) = @_;
	my (@handles, %found);
	my @files = scripts($ttl_ms);

	local $ENV{PGOPTIONS} = join ' ', map { "-c cached_query.$_" } 'auto=hinted', @$settings;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	value('TRUNCATE seen, acknowledged; UPDATE rows SET n = 0; UPDATE parts SET n = 0; SELECT cached_query_clear(); SELECT cached_query_stats_reset()');
	foreach my $protocol ('simple', 'extended', 'prepared')
	{
		push @handles, IPC::Run::start([ $pgbench, '-n', '-c', 4, '-T', $seconds, '-M', $protocol, '--max-tries', 1, (map { ('-f', $_) } @files), $node->connstr('postgres') ],
			'>', \my $out, '2>', \my $error);
	}
	ok((grep { $_->finish } @handles) == 3, "$name: sessions ran");
	$found{$_} = value($wrong{$_} =~ s/%d/$told_ms/r) foreach keys %wrong;
	note("$name: " . value('SELECT what, count(*) FROM seen GROUP BY 1 ORDER BY 1') . "; hits " . value('SELECT hits, stale_hits, refreshes FROM cached_query_stats'));
	is(join(' ', map { $_ . ': ' . ($found{$_} > 0 ? 'wrong' : 'right') } sort keys %found), $expected, $name) or diag explain \%found;
	cmp_ok(value(q{SELECT sum(statements) FROM cached_query_reasons WHERE reason IN ('hit', 'stale_hit')}), '>', 20, "$name: hits");
	return;
}

my $right = 'age: right impossible: right own: right snapshot: right';

check('plain', 60, 60, $ENV{CQ_FUZZ_TTL_SECONDS} || 4, [], $right);
check('stale', 30, 90, 2, [ 'stale_for=60', 'refresh=background' ], $right);
check('told of less', 400, 20, 2, [], $right =~ s/age: right/age: wrong/r);

store_is_idle($node, 'nothing is left pinned');
unlike(slurp_file($node->logfile), qr/TRAP: |PANIC: |terminated by signal/, 'no crash');
$node->stop;
done_testing();
