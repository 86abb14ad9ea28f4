# Warm start: the most valuable queries survive a clean restart, their rows don't, and a file that
# isn't right is ignored.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $node = start_node('main', 'cached_query.warm_start = on', 'log_min_messages = log');
my $file = $node->data_dir . '/pg_stat/cached_query.queries';

sub value { return $node->safe_psql('postgres', $_[0]); }

sub entries { return value(q{SELECT count(*) FROM cached_query_entries WHERE query LIKE '%warm%'}); }

value(q{
	CREATE TABLE t (v int);
	INSERT INTO t VALUES (1);
	CREATE ROLE alice LOGIN;
	CREATE ROLE bob LOGIN;
	CREATE ROLE gone LOGIN;
	GRANT SELECT ON t TO alice, bob;
	GRANT alice TO gone;
	ALTER TABLE t ENABLE ROW LEVEL SECURITY;
	CREATE POLICY p ON t USING (current_user <> 'bob')});
$node->safe_psql('postgres', 'CREATE DATABASE lost');
add_extension($node, 'lost');
# what is younger than a tenth of a second may be younger than the result
sleep 0.3;

my $plain = q{SELECT * FROM cached_query('SELECT v AS warm1, $1::date::text, $2 FROM t', '1h', '2026-01-31'::date, NULL::int) AS t(v int, d text, n int)};
my $fill = "SET DateStyle = German; $plain";

value($fill);
value("SET SESSION AUTHORIZATION $_; SELECT * FROM cached_query('SELECT count(*) AS warm2 FROM t', '1h') AS t(n bigint)")
  foreach qw(alice bob gone);
value(q{SELECT cached_query_json('SELECT v AS warm3, ''warmrowcontent'' || v AS w FROM t', '1h')});
$node->safe_psql('lost', q{SELECT * FROM cached_query('SELECT 1 AS warm4', '1h') AS t(n int)});
value(q{SELECT * FROM cached_query('SELECT v AS warm5 FROM t', '1h') AS t(n int)});
value(q{SELECT cached_query_invalidate('SELECT v AS warm5 FROM t')});
ok(wait_until(sub { entries() == 6 }, 10), 'what is there before, when the sweeper has taken what is invalid');

value('UPDATE t SET v = 2');
# whom nobody can refill for
value('DROP ROLE gone');
$node->stop;
ok(-e $file, 'a clean shutdown leaves a file');
is(sprintf('%o', (stat $file)[2] & 07777), '600', '... that only the server may read');
unlike(slurp_file($file), qr/warmrowcontent1/, '... without rows');

$node->start;
ok(wait_until(sub { entries() >= 5 }, 20), 'after the start they are filled again');
ok(!-e $file, '... and the file is gone');
is(entries(), 5, '... but for the role that is gone');
is((outcome_of($node, $fill))[0], 'hit', 'a call finds its answer');
like(value($fill), qr/^2\|31\.01\.2026\|$/, '... with rows of now, under its settings');
is((outcome_of($node, "SET SESSION AUTHORIZATION $_->[0]; SELECT * FROM cached_query('SELECT count(*) AS warm2 FROM t', '1h') AS t(n bigint)"))[1],
	$_->[1], "row security of $_->[0]") foreach [ 'alice', 1 ], [ 'bob', 0 ];
is(value(q{SELECT count(*) FROM cached_query_entries WHERE query LIKE '%warm5%'}), 0, 'what was invalidated is not filled');
is(value('SELECT hits + misses > 0 FROM cached_query_stats'), 't', 'counters count calls');

# not clean: nothing
$node->stop('immediate');
ok(!-e $file, 'an immediate shutdown leaves no file');
$node->start;
is(entries(), 0, '... and the server starts cold');

# files that aren't right
value($fill);
$node->stop;
my $good = slurp_file($file);
my $n = 0;
foreach my $bad ('', 'x', substr($good, 0, 60), $good . 'x', 'X' . substr($good, 1), substr($good, 0, -1) . '~',
	substr($good, 0, 30) . "\xff\xff\xff\xff" . substr($good, 34))
{
	my $from = -s $node->logfile;

	open my $out, '>', $file or die;
	binmode $out;
	print $out $bad;
	close $out;
	$node->start;
	ok(wait_until(sub { slurp_file($node->logfile, $from) =~ /LOG:  ignoring file "pg_stat\/cached_query.queries": / }, 10),
		'bad file ' . $n++ . ' is ignored');
	is(entries(), 0, '... and nothing is filled');
	$node->stop;
}

# a role and a database that are gone, while the server knew nothing of the entries
open my $out, '>', $file or die;
binmode $out;
print $out $good;
close $out;
$node->append_conf('postgresql.conf', 'cached_query.refresh_workers = 0');
my $from = -s $node->logfile;
$node->start;
ok(wait_until(sub { slurp_file($node->logfile, $from) =~ /cached_query asked for 0 of \d+ queries/ }, 10), 'without workers nothing is asked for');
is(entries(), 0, '... nor filled');
store_is_idle($node, 'nothing is left pinned');
$node->stop;
done_testing();
