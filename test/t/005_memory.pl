# A fill takes memory once, in the shared store: the backend has no second copy, whatever the size,
# and neither has a hit.  What is too large is passed through, right and within bounds, too.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

plan skip_all => 'needs /proc' unless -r '/proc/self/status';

my $node = start_node('main',
	'cached_query.memory = 1GB',
	"cached_query.max_entry_size = '900MB'",
	'work_mem = 4MB',
	'max_parallel_workers_per_gather = 0');
my $megabytes = 300;
my $rows = $megabytes * 1000;

# 1,000 bytes a row that compress badly enough to stay as they are.
my $query = "SELECT g, repeat(md5(g::text), 32) FROM generate_series(1, $rows) AS g";
my $sum = "count(*), sum(g::bigint), sum(length(x)), max(x)";
my $direct = $node->safe_psql('postgres', "SELECT $sum FROM ($query) AS t(g, x)");

sub cached
{
	my ($what) = @_;

	return "SELECT $what FROM cached_query(\$q\$$query\$q\$, '1h') AS t(g int, x text)";
}

# Runs a statement in a new session; its result, and the highest amount of private memory, in MB,
# that its backend had meanwhile (RssAnon: shared memory is not counted).
sub run_watched
{
	my ($statement) = @_;
	my $client = CachedQueryTest::Deaf->connect($node);
	my $child = fork();
	my $peak = 0;

	die 'fork failed' unless defined $child;
	if ($child == 0)
	{
		my $answer = $client->ask($statement);

		POSIX::_exit($answer->{sqlstate} eq '' ? 0 : 1);
	}
	while (waitpid($child, POSIX::WNOHANG()) == 0)
	{
		my ($kilobytes) = eval { slurp_file('/proc/' . $client->pid . '/status') } =~ /^RssAnon:\s+(\d+)/m;

		$peak = $kilobytes if defined $kilobytes && $kilobytes > $peak;
		sleep 0.01;
	}
	is($?, 0, 'statement succeeds');
	$client->close;
	return $peak / 1024;
}

# The floor is what the query itself needs.
my $floor = run_watched("SELECT $sum FROM ($query) AS t(g, x)");
note sprintf 'direct %.1f MB', $floor;

foreach my $case (
	[ 'fill', cached($sum), 'miss_cold' ],
	[ 'hit', cached($sum), 'hit' ],
	[ 'hit sent to a client', cached('*'), 'hit' ],
	[ 'hit sorted', cached('*') . ' ORDER BY x DESC LIMIT 3', 'hit' ],
	[ 'hit in the function path', "SELECT $sum FROM ROWS FROM (cached_query(\$q\$$query\$q\$, '1h') AS (g int, x text)) WITH ORDINALITY AS t(g, x, n)", 'hit' ],
	[ 'refresh', "SELECT cached_query_refresh(\$q\$$query\$q\$, '1h')", 'miss_refresh' ],
	[ 'too large', "SET cached_query.max_entry_size = '20MB'; SET cached_query.mode = refresh; " . cached($sum), 'too_large' ],
	[ 'not kept', 'SET cached_query.mode = off; ' . cached('*'), 'mode_off' ])
{
	my ($name, $statement, $reason) = @$case;
	my $before = outcomes($node);

	my $peak = run_watched($statement);
	my $after = outcomes($node);

	is($after->{$reason}, ($before->{$reason} || 0) + 1, "$name: counted as $reason");
	cmp_ok($peak, '<', $floor + 16, sprintf('%s: %.1f MB of private memory', $name, $peak));
}

is($node->safe_psql('postgres', cached($sum)), $direct, 'hit has the right rows');
is($node->safe_psql('postgres', "SET cached_query.max_entry_size = '20MB'; SET cached_query.mode = refresh; " . cached($sum)),
	$direct, 'too large a result has the right rows');
is($node->safe_psql('postgres', "SELECT rows, bytes > $rows * 1000, bytes < $rows * 1000 * 1.15, bytes <= memory_used FROM cached_query_entries, cached_query_stats WHERE rows > 1000"),
	"$rows|t|t|t", 'the entry takes little more than its rows');

# A second one needs the first one's place, and more than a whole cache does not fit.
is($node->safe_psql('postgres', cached($sum) =~ s/generate_series\(1/generate_series(0+1/r),
	$direct, 'a second entry of this size');
foreach my $start (2 .. 4)
{
	$node->safe_psql('postgres', cached('count(*)') =~ s/generate_series\(1/generate_series($start/r);
}
is($node->safe_psql('postgres', 'SELECT memory_used <= memory_total, evictions > 0 FROM cached_query_stats'),
	't|t', 'older ones are evicted for new ones');
$node->append_conf('postgresql.conf', "cached_query.memory = 64MB\ncached_query.max_entry_size = '900MB'");
$node->restart;
is_deeply([ outcome_of($node, cached($sum)) ], [ 'no_memory', $direct ],
	'a result larger than the whole cache is passed through');
store_is_idle($node, 'and leaves nothing');
log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
