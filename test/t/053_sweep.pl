# What it costs to invalidate does not depend on how much is cached, nor does the COMMIT after it, nor the
# first row of cached_query_entries; a process of its own gives the memory back, comes again when it was
# terminated, and is not missed where it can't be started.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use List::Util qw(min);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $few = 1000;
my $many = 100_000;
my $node = start_node('main', 'cached_query.memory = 256MB', 'max_wal_size = 2GB');

sub value { return $node->safe_psql('postgres', $_[0]); }

sub fill
{
	my ($from, $to, $tag) = @_;

	return value("SET cached_query.tag = '$tag'; "
		  . "SELECT count(*) FROM generate_series($from, $to) AS g, cached_query('SELECT v + \$1 FROM t', '1d', g) AS c(v int)");
}

sub entries { return value('SELECT entries FROM cached_query_stats'); }

# Two names in one slot are invalidated together: there may be fewer.
sub swept
{
	my ($most, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(wait_until(sub { entries() <= $most }, 120), $name) or diag 'entries: ' . entries();
	return;
}

# The shortest of some runs, in ms: others have the machine, too.
sub shortest
{
	my ($client, $sql) = @_;
	my $best;

	foreach (1 .. 12)
	{
		my $start = time();
		my $answer = $client->ask($sql);
		my $ms = (time() - $start) * 1000;

		die "$sql: $answer->{sqlstate}" if $answer->{sqlstate} ne '';
		$best = defined $best ? min($best, $ms) : $ms;
	}
	return $best;
}

value(q{CREATE TABLE t AS SELECT 0 AS v; CREATE TABLE empty (v int)});

my @statements = (
	[ 'query', q{SELECT cached_query_invalidate('SELECT v + $1 FROM t', -1)} ],
	[ 'tag', q{SELECT cached_query_invalidate_tag('nobody')} ],
	[ 'relation', q{SELECT cached_query_invalidate_relation('empty')} ],
	[ '200 times one tag in one transaction', q{DO $$ BEGIN FOR i IN 1 .. 200 LOOP PERFORM cached_query_invalidate_tag('nobody'); END LOOP; END $$} ],
	[ '200 tags in one transaction', q{DO $$ BEGIN FOR i IN 1 .. 200 LOOP PERFORM cached_query_invalidate_tag('n' || i); END LOOP; END $$} ],
	[ 'everything, rolled back', q{BEGIN; SELECT cached_query_clear(); ROLLBACK} ],
	[ 'the first row of the view', 'SELECT 1 FROM cached_query_entries LIMIT 1' ],
	[ 'the first row of a cursor', 'BEGIN; DECLARE c CURSOR FOR SELECT * FROM cached_query_entries; FETCH 1 FROM c; COMMIT' ],
	[ 'the totals', 'SELECT * FROM cached_query_stats' ],
	[ 'a hit', q{SELECT * FROM cached_query('SELECT v + $1 FROM t', '1d', 1) AS c(v int)} ]);

my $client = CachedQueryTest::Deaf->connect($node);
is(fill(1, $few, 'few'), $few, 'a few entries');
my %at_few = map { $_->[0] => shortest($client, $_->[1]) } @statements;
is(fill($few + 1, $many, 'many'), $many - $few, 'many entries');
is(entries(), $many, 'all are there');
foreach my $statement (@statements)
{
	my ($name, $sql) = @$statement;
	my $ms = shortest($client, $sql);

	# a hundred times as many: what looked at each took 20 to 200 times as long
	cmp_ok($ms, '<', 5 * $at_few{$name} + 1, "$name: as fast");
	note sprintf '%s: %.3f ms, %.3f ms', $name, $at_few{$name}, $ms;
}
is(entries(), $many, 'and nothing is void');

# How many there are, without looking at them.
is(value(q{SELECT cached_query_invalidate_tag('many')}), $many - $few, 'as many have the tag');
swept($few, 'they are swept');
is(value(q{SELECT cached_query_invalidate_tag('many'), cached_query_invalidate_relation('empty'), cached_query_invalidate('SELECT v + $1 FROM t', $many)} =~ s/\$many/$many/r),
	'0|0|0', 'none any more');
my $before = entries();
my $one = value(q{SELECT min(args) FROM cached_query_entries WHERE tag = 'few'}) =~ s/\D+1 = //r;
is(value("SELECT cached_query_invalidate('SELECT v + \$1 FROM t', $one)"), '1', 'one');
swept($before - 1, 'and it is swept');
my $rest = entries();
cmp_ok($rest, '>', $few * 0.9, 'all others are there');
is(value(q{BEGIN; SELECT cached_query_invalidate_relation('t'); ROLLBACK}), $rest, 'they read the table');
is(value('SELECT cached_query_clear()'), $rest, 'everything');
swept(0, 'all is swept');
is(value(q{SELECT memory_used FROM cached_query_stats}), '0', 'all memory is free');
is(value(q{SELECT cached_query_invalidate_relation('t'), cached_query_invalidate_tag('few'), cached_query_invalidate_tag('many'), cached_query_clear()}),
	'0|0|0|0', 'and nothing is counted');
cmp_ok(value('SELECT invalidations FROM cached_query_stats'), '>=', $many, 'they were invalidations');

# What is invalidated by tags meets no answer that has none, however many tags there are.
is(fill(1, 3000, ''), 3000, 'answers without a tag');
is(value(q{SELECT count(cached_query_invalidate_tag('n' || i)) FROM generate_series(1, 500) AS i}), '500', 'many tags are invalidated');
is(value(q{SELECT count(*) FROM cached_query_entries WHERE state = 'fresh'}), '3000', 'which costs no answer');
value('SELECT cached_query_clear()');
swept(0, 'they are swept');

# Who reads the view meets each entry once that is there all the time, whatever comes and goes.  What is not
# seen once is named: "ARGUMENT*TIMES".
fill(1, 3000, 'stay');
my @others = map { CachedQueryTest::Deaf->connect($node) } 1 .. 2;
my @wrong;
foreach my $round (1 .. 30)
{
	$others[0]->send("SET cached_query.tag = 'go'; SELECT count(*) FROM generate_series(1, 2000) AS g, "
		  . "cached_query('SELECT v + \$1 * $round FROM t', '1d', g) AS c(v int)");
	$others[1]->send(q{DO $$ BEGIN FOR i IN 1 .. 10 LOOP PERFORM cached_query_invalidate_tag('go'); COMMIT; PERFORM pg_sleep(0.002); END LOOP; END $$});
	my $seen = value(q{WITH seen AS MATERIALIZED
		  (SELECT args, count(*) AS times FROM cached_query_entries WHERE tag = 'stay' GROUP BY args)
		SELECT string_agg(format('%s*%s', COALESCE(args, '$1 = ' || g), COALESCE(times, 0)), ', ')
		FROM seen FULL JOIN generate_series(1, 3000) AS g ON args = '$1 = ' || g WHERE times IS DISTINCT FROM 1 OR g IS NULL});

	push @wrong, "round $round: $seen" if $seen ne '';
	$_->until_ready foreach @others;
}
is(join("\n", @wrong), '', 'each entry that stays is seen once');
value(q{SELECT cached_query_invalidate_tag('go')});
swept(3000, 'what goes is swept');

# A cursor holds nothing, and can be cancelled.
$client->ask('BEGIN');
$client->ask('DECLARE c CURSOR FOR SELECT * FROM cached_query_entries');
$client->ask('FETCH 10 FROM c');
store_is_idle($node, 'a cursor pins nothing');
value('SELECT cached_query_clear()');
swept(0, 'an open cursor is in nobody\'s way');
is($client->ask('FETCH ALL FROM c')->{rows} + 0 < 3000 ? 'fewer' : 'all', 'fewer', 'and goes on with what is left');
$client->ask('COMMIT');

# The process.
sub pid { return value(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'cached_query sweeper' AND datname IS NULL}); }
my $pid = pid();
like($pid, qr/^\d+$/, 'there is one sweeper, in no database');
is(value("SELECT pg_terminate_backend($pid)"), 't', 'terminate it');
fill(1, 500, 'x');
value('SELECT cached_query_clear()');
ok(wait_until(sub { pid() =~ /^\d+$/ && pid() ne $pid }, 60), 'it comes again');
swept(0, 'and looks at once');
store_is_idle($node, 'nothing is left');

# What only a definition has voided goes with it; what is void is not served before.
fill(1, 500, 'x');
value(q{ALTER TABLE t ADD COLUMN w int});
value(q{SELECT * FROM cached_query('SELECT 1', '1d') AS c(v int); SELECT cached_query_invalidate('SELECT 1')});
swept(0, 'what a definition has voided is swept, too');

# Without it: void entries are the first to be evicted, and everything else goes on.
$node->append_conf('postgresql.conf', "max_worker_processes = 0\ncached_query.memory = 8MB");
$node->restart;
is(pid(), '', 'no place for a sweeper');
cmp_ok(fill(1, 20_000, 'old'), '==', 20_000, 'the cache is full');
$before = value('SELECT evictions FROM cached_query_stats');
cmp_ok($before, '>', 1000, 'indeed');
value('SELECT cached_query_clear()');
$client = CachedQueryTest::Deaf->connect($node);
is($client->ask(q{SELECT v FROM cached_query('SELECT v + $1 FROM t', '1d', 20000) AS c(v int)})->{first}, '20000', 'what is void is not served');
my $held = entries();
cmp_ok($held, '>', 1000, 'but it is there');
fill(30_001, 30_500, 'new');
is(value('SELECT evictions FROM cached_query_stats'), $before, 'what is void made room');
cmp_ok(value('SELECT invalidations FROM cached_query_stats'), '>=', 400, '... which is counted');
is(value(q{SELECT count(*) FROM cached_query_entries WHERE tag = 'new' AND state = 'fresh'}), '500', 'and nothing good had to go');
store_is_idle($node, 'the store agrees');
log_is_quiet($node, 'nothing alarming in the log');

$node->stop;
done_testing();
