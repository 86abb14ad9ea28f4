# A plan node of another module: what it reads can't be known, unless the administrator says so.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main');

if ($node->config_data('--version') =~ /(\d+)/ && $1 >= 19)
{
	$node->stop;
	plan skip_all => 'the planner hook of the module is that of 15 to 18';
}
# Of statements, by reason.
sub auto_outcomes
{
	return $node->safe_psql('postgres', q{SELECT string_agg(reason || ' ' || statements, ', ' ORDER BY reason) FROM cached_query_reasons WHERE statements > 0});
}

my $module = $node->basedir . '/wrapped_scan';
my $compiled = system('cc -std=gnu11 -Wall -Werror -O1 -shared -fPIC -I' . $node->config_data('--includedir-server') . " $FindBin::RealBin/wrapped_scan.c -o $module.so");

is($compiled, 0, 'the module compiles');
$node->safe_psql('postgres', 'CREATE TABLE t (v int); INSERT INTO t VALUES (1); CREATE ROLE other; GRANT SELECT ON t TO other;'
	  . q{ CREATE FUNCTION inside() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT max(v) FROM t); END $$});

my $begin = "LOAD '$module'; SET wrapped_scan.wrap = on; ";
my $exact = 'SET cached_query.consistency = exact; ';
my $call = rows_of('SELECT v FROM t', '1h', 'v int');
my $inside = rows_of('SELECT inside()', '1h', 'v int');

like($node->safe_psql('postgres', "$begin EXPLAIN SELECT v FROM t"), qr/Wrapped Scan/, 'the node is in the plan');
is_deeply([ outcome_of($node, "$begin $call; $call") ], [ 'hit, miss_cold', "1\n1" ], 'cached within a ttl');
is((outcome_of($node, "$begin SET ROLE other; $call"))[0], 'miss_cold', '... for a role');
is((outcome_of($node, "$begin $exact $call"))[0], 'untrusted_scan', 'never exact');
is((outcome_of($node, "$begin $exact $inside; $inside"))[0], 'nested_uncacheable, untrusted_scan', 'never exact inside a function');
like((outcome_of($node, "$begin $inside; $inside; $inside"))[0], qr/\bhit\b/, '... but cached within a ttl, once it is known');
is($node->safe_psql('postgres', "$begin SELECT reason, detail FROM cached_query_explain('SELECT v FROM t')"), 'untrusted_scan|plan node Wrapped Scan', 'explained');

# Named by the administrator it is like PostgreSQL's own; changed in one session, plans are looked at again.
my $trust = "SET cached_query.trusted_scans = 'OtherScan, \"Wrapped Scan\"'; ";

is((outcome_of($node, "$begin $exact $call; $trust $call; $call"))[0], 'hit, miss_cold, untrusted_scan', 'trusted: exact');
is((outcome_of($node, "$begin $trust $exact UPDATE t SET v = 2; $call"))[1], '2', '... and right');
is((outcome_of($node, "$exact $call; $call"))[1], "2\n2", 'without the module: right, too');

# A table that only the plan names is no reason against keeping a statement without a call; its changes count.
$node->safe_psql('postgres', 'CREATE TABLE beside (v int); CREATE TABLE plain (v int); INSERT INTO plain VALUES (7)');
my $auto = "LOAD '$module'; SET wrapped_scan.also = beside; SET cached_query.auto = exact; SET cached_query.auto_min_time = 0; ";
my $plain = 'SELECT v FROM plain; ';

is((outcome_of($node, $auto . $plain x 4))[1], "7\n7\n7\n7", 'a plan that reads another table');
like(auto_outcomes(), qr/^ghost 1, hit 2, miss_cold 1$/, '... is kept');
$node->safe_psql('postgres', 'INSERT INTO beside VALUES (1)');
is((outcome_of($node, $auto . $plain))[1], '7', '... runs when that one has changed');
like(auto_outcomes(), qr/^ghost 2, hit 2, miss_cold 1$/, '... and is a ghost again');
my ($ret, $out, $err) = $node->psql('postgres', "SET cached_query.trusted_scans = 'a b,'");
like($err, qr/invalid value for parameter "cached_query.trusted_scans"/, 'a list that is none');

log_is_quiet($node, 'quiet');
$node->stop;
done_testing();
