# Without shared_preload_libraries the extension can be created and its functions say what to do;
# with it they work.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
my ($out, $err);

$node->init;
$node->start;

$node->psql('postgres', 'CREATE EXTENSION cached_query; CREATE TABLE t (a int)', stderr => \$err);
like($err, qr/WARNING:  cached_query must be loaded at server start\nHINT:  Put shared_preload_libraries = 'cached_query'/,
	'CREATE EXTENSION warns without preloading');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_extension WHERE extname = 'cached_query'}),
	'1', 'extension can be created without preloading');

my %calls = (
	'cached_query' => q{SELECT * FROM cached_query('SELECT 1', '1min') AS t(a int)},
	'cached_query, args' => q{SELECT * FROM cached_query('SELECT $1', '1min', 1) AS t(a int)},
	'cached_query, text args' => q{SELECT * FROM cached_query('SELECT $1::int', '1min', '1') AS t(a int)},
	'cached_query in the select list' => q{SELECT cached_query_as(NULL::t, 'SELECT 1', '1min')},
	'cached_query_with' => q{SELECT * FROM cached_query_with('{}', 'SELECT 1', '1min') AS t(a int)},
	'cached_query_as' => q{SELECT * FROM cached_query_as(NULL::t, 'SELECT 1')},
	'cached_query_json' => q{SELECT cached_query_json('SELECT 1')},
	'cached_query_refresh' => q{SELECT cached_query_refresh('SELECT 1')},
	'cached_query_columns' => q{SELECT cached_query_columns('SELECT 1')},
	'cached_query_explain' => q{SELECT * FROM cached_query_explain('SELECT 1')},
	'cached_query_explain_statement' => q{SELECT * FROM cached_query_explain_statement('SELECT 1')},
	'cached_query_invalidate' => q{SELECT cached_query_invalidate('SELECT 1')},
	'cached_query_invalidate_relation' => q{SELECT cached_query_invalidate_relation('t')},
	'cached_query_invalidate_tag' => q{SELECT cached_query_invalidate_tag('x')},
	'cached_query_clear' => q{SELECT cached_query_clear()},
	'cached_query_stats_reset' => q{SELECT cached_query_stats_reset()},
	'cached_query_stats' => q{SELECT * FROM cached_query_stats},
	'cached_query_reasons' => q{SELECT * FROM cached_query_reasons},
	'cached_query_entries' => q{SELECT * FROM cached_query_entries});

foreach my $name (sort keys %calls)
{
	$node->psql('postgres', "\\set VERBOSITY verbose\n$calls{$name}", stderr => \$err);
	like($err, qr/ERROR:  55000: .*HINT:  Put shared_preload_libraries = 'cached_query' into/s,
		"$name says what to do");
}
$node->psql('postgres', "EXPLAIN $calls{cached_query}; SET cached_query.mode = 'off'; SELECT 1",
	stdout => \$out, stderr => \$err);
unlike($err, qr/FATAL|server closed/, 'EXPLAIN and settings do no harm');
$node->psql('postgres', "LOAD 'cached_query'; $calls{cached_query}", stderr => \$err);
like($err, qr/must be loaded at server start/, 'LOAD is not preloading');

# The hint's own line.
my ($line) = $err =~ /Put (shared_preload_libraries = \S+) into/;
is($line, "shared_preload_libraries = 'cached_query'", 'hint has the line');
$node->append_conf('postgresql.conf', $line || '');
$node->restart;
is($node->safe_psql('postgres', $calls{cached_query}), '1', 'works when preloaded');
foreach my $name (sort keys %calls)
{
	my $sql = $calls{$name} =~ s/'SELECT 1'/'SELECT 1 AS a'/r;

	is($node->psql('postgres', $sql), 0, "$name works when preloaded");
}
is($node->safe_psql('postgres', 'SHOW cached_query.memory'), '128MB', 'memory has its default');
is($node->safe_psql('postgres', 'SELECT memory_total > 120 << 20 FROM cached_query_stats'),
	't', 'and nearly all of it is for entries');
$node->psql('postgres', 'SET cached_query.no_such_thing = 1', stderr => \$err);
like($err, qr/invalid configuration parameter name/, 'prefix is reserved');

# With other libraries, whatever the order.
SKIP:
{
	skip 'needs auto_explain', 2 unless -e $node->config_data('--pkglibdir') . '/auto_explain.so';
	foreach my $libraries ('cached_query, auto_explain', 'auto_explain, cached_query')
	{
		$node->append_conf('postgresql.conf',
			"shared_preload_libraries = '$libraries'\nauto_explain.log_min_duration = 0");
		$node->restart;
		my ($outcome, $rows) = outcome_of($node, "$calls{cached_query}; $calls{cached_query}");
		is("$outcome: $rows", "hit, miss_cold: 1\n1", "works with $libraries");
	}
}

is(join("\n", grep { !/WARNING:  cached_query must be loaded at server start/ } complaints($node)), '', 'nothing to complain about');
$node->stop;
done_testing();
