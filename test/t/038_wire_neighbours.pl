# Stored messages beside modules that look at what a client gets, or have their say in between: they
# see what they would see without, whether their hooks run outside ours or inside.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');

$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);

my $module = $node->basedir . '/neighbour';
my $compiled = system('cc -std=gnu11 -Wall -Werror -O1 -shared -fPIC -I$(pg_config --includedir-server)'
	  . " $FindBin::RealBin/neighbour.c -o $module.so");

is($compiled, 0, 'the neighbour compiles');

my $rows = 3000;
my $call = rows_of("SELECT g, repeat('x', g % 70), g / 7.0 FROM generate_series(1, $rows) AS g", '1h', 'a int, b text, c numeric');
my $json = q{SELECT cached_query_json('SELECT g, md5(g::text) FROM generate_series(1, 3000) AS g', '1h')};
my $client;

sub loud
{
	my ($query) = @_;

	return rows_of("SELECT v::text::loud, v FROM ($query) AS x(v)", '1h', 'l loud, v int');
}

foreach my $libraries ("$module, cached_query", "cached_query, $module")
{
	my $order = $libraries =~ /^cached/ ? 'loaded after' : 'loaded before';

	$node->append_conf('postgresql.conf', "shared_preload_libraries = '$libraries'\ncached_query.memory = 32MB\nautovacuum = off");
	$order eq 'loaded after' ? $node->restart : $node->start;
	if ($order eq 'loaded before')
	{
		add_extension($node, 'postgres');
		$node->safe_psql('postgres', qq{
			CREATE FUNCTION neighbour_seen() RETURNS text AS '$module' LANGUAGE C;
			CREATE FUNCTION loud_in(cstring) RETURNS loud AS '$module' LANGUAGE C IMMUTABLE STRICT;
			CREATE FUNCTION loud_out(loud) RETURNS cstring AS '$module' LANGUAGE C IMMUTABLE STRICT;
			CREATE TYPE loud (INPUT = loud_in, OUTPUT = loud_out, INTERNALLENGTH = 4, ALIGNMENT = int4, PASSEDBYVALUE);});
	}
	$client = CachedQueryTest::Deaf->connect($node);
	foreach my $look (
		[ 'wrap', "$rows " . $rows * ($rows + 1) / 2, 0 ],
		[ 'slot', "$rows " . $rows * ($rows + 1) / 2, 0 ],
		[ 'methods', qr/^$rows \d{5,}$/, 0 ],
		[ 'watch', "$rows 0", 1 ],
		[ '', '0 0', 1 ])
	{
		my ($mode, $want, $may) = @$look;

		# what it sees of each of four hits is what it sees of the query itself, images being there
		$client->ask("SET neighbour.mode = ''");
		$client->raw($call) foreach 1 .. 3;
		$client->ask("SET neighbour.mode = '$mode'");
		$client->ask('SET cached_query.mode = off');
		$client->ask('SELECT neighbour_seen()');
		my $bytes = $client->raw($call);
		my $seen = $client->ask('SELECT neighbour_seen()')->{first};
		$client->ask('RESET cached_query.mode');
		ref $want ? like($seen, $want, "$order, '$mode': of the query") : is($seen, $want, "$order, '$mode': of the query");
		my $before = image_hits($client);
		foreach my $hit (1 .. 4)
		{
			$client->ask('SELECT neighbour_seen()');
			ok($client->raw($call) eq $bytes, "$order, '$mode': the client's bytes");
			is($client->ask('SELECT neighbour_seen()')->{first}, $seen, "$order, '$mode': of a hit");
		}
		is(image_hits($client) - $before, $may ? 4 : 0, "$order, '$mode': images " . ($may ? 'used' : 'not used'));

		# nor is one made behind its back
		$client->ask('SELECT cached_query_clear()');
		cmp_ok(same_bytes($client, $call, undef, "$order, '$mode'"), $may ? '>=' : '==', $may ? 2 : 0, 'and again');
		same_bytes($client, $json, undef, "$order, '$mode', a document");
	}
	$client->ask("SET neighbour.mode = ''");

	# Trees with a part that can't be told from another one have no identity.
	$client->ask("SET neighbour.mode = 'extend'");
	my $extended = rows_of('SELECT relname FROM pg_class AS extend ORDER BY 1 LIMIT 1', '1h', 'r name');
	my $reasons = q{SELECT coalesce(sum(calls), 0) FROM cached_query_reasons WHERE reason = 'no_identity'};
	my $unknown = $client->ask($reasons)->{first};
	is($client->ask($extended)->{rows}, 1, "$order: the query runs") foreach 1 .. 2;
	is($client->ask($reasons)->{first} - $unknown, 2, "$order: no_identity");
	$client->ask("SET neighbour.mode = ''");

	# Something said between the rows is said each time, and an error ends them each time.
	cmp_ok(same_bytes($client, loud('SELECT g FROM generate_series(100, 600) AS g'), undef, "$order: quiet"), '>=', 2, 'from an image');
	is(same_bytes($client, loud('SELECT g FROM generate_series(1, 500) AS g'), $_, "$order: a NOTICE between the rows"), 0, 'no image') foreach undef, [0];
	is(same_bytes($client, loud('SELECT g FROM generate_series(100, 5000) AS g'), $_, "$order: an error in the middle"), 0, 'no image') foreach undef, [0];
	my $notice = $client->ask(loud('SELECT g FROM generate_series(1, 500) AS g'));
	is("$notice->{rows} rows, $notice->{N} notices", '500 rows, 1 notices', "$order: as expected");
	my $error = $client->ask(loud('SELECT g FROM generate_series(100, 5000) AS g'));
	is("$error->{rows} rows, $error->{sqlstate}", '566 rows, XX000', "$order: as expected");
	is(same_bytes($client, "$call; " . loud('SELECT g FROM generate_series(100, 5000) AS g') . '; SELECT 1', undef, "$order: error after an image"), 5, 'from an image');
	cmp_ok(same_bytes($client, $call, undef, "$order: after all that"), '==', 5, 'from an image');

	# FETCH of a portal by the protocol, part by part, with other things between the parts.
	foreach my $limits ([ 1, 0 ], [ 1000, 1000, 1000, 1000 ], [ 2999, 1, 1 ])
	{
		my @got;

		foreach my $mode ('off', 'on', 'on', 'on')
		{
			$client->ask("SET cached_query.mode = $mode");
			push @got, $client->raw_extended($call, [ 0, 1, 0 ], @$limits);
		}
		is(scalar(grep { $_ ne $got[0] } @got), 0, "$order: limits @$limits");
	}
	$client->ask('RESET cached_query.mode');
	store_is_idle($node, "$order: nothing pinned, nothing lost");
	$client->close;
}

# ---- auto_explain ----

SKIP:
{
	skip 'needs auto_explain', 1 if !-e `pg_config --pkglibdir` =~ s/\n//r . '/auto_explain.so';

	foreach my $libraries ('auto_explain, cached_query', 'cached_query, auto_explain')
	{
		$node->append_conf('postgresql.conf', "shared_preload_libraries = '$libraries'\nauto_explain.log_min_duration = 0\nauto_explain.log_analyze = on\nauto_explain.log_timing = off");
		$node->restart;
		$client = CachedQueryTest::Deaf->connect($node);
		cmp_ok(same_bytes($client, $call, undef, $libraries), '>=', 2, 'from an image');
		my $before = -s $node->logfile;
		my $images = image_hits($client);
		$client->ask($call);
		is(image_hits($client) - $images, 1, "$libraries: from an image");
		like(slurp_file($node->logfile, $before), qr/Custom Scan \(Cached Query\).*\(actual rows=$rows(\.00)? loops=1\)/, "$libraries: the plan's rows");
		$client->close;
	}
}
store_is_idle($node, 'nothing pinned, nothing lost');
log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
