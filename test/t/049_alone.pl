# A server of pg_upgrade's and one in single-user mode serve nobody: they have no background processes, talk to
# no Redis, and leave alone what the last server has kept for the next one.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RedisTest;
use Test::More;
use Time::HiRes qw(sleep);

my $redis = start_redis();
my $callers = PostgreSQL::Test::Utils::tempdir() . '/callers';
my $listener = start_proxy($redis, sub {
	open my $out, '>>', $callers;
	print $out "x\n";
	close $out;
	RedisTest::pass_on(@_);
});
my $node = start_node('main', "cached_query.redis_url = '" . $listener->url . "'", 'cached_query.redis_namespace = a',
	'cached_query.store = tiered', 'cached_query.warm_start = on', "cached_query.stale_for = '1h'", "cached_query.refresh = 'background'",
	'cached_query.redis_lease = 1s', 'log_min_messages = log');
my $call = rows_of('SELECT v FROM t', '1h', 'v int');
my $stale = rows_of('SELECT v + 1 FROM t', '10ms', 'v int');
my @files = ('cached_query.secret', 'cached_query.changes', 'pg_stat/cached_query.queries');

sub callers { return -e $callers ? -s $callers : 0; }

sub kept { return join "\n", map { my $file = $node->data_dir . "/$_"; "$_ " . (-e $file ? slurp_file($file) : 'missing') } @files; }

$node->safe_psql('postgres', "CREATE TABLE t (v int); INSERT INTO t VALUES (1); $call; $call; $stale");
ok(wait_until(sub { return callers() > 0; }, 10), 'a server that serves talks to Redis');
$node->stop;
my $kept = kept();
unlike($kept, qr/missing/, '... and keeps files for the next one');

# ---- pg_upgrade's ----

unlink $callers;
my $offset = -s $node->logfile;
my @pg_ctl = ('pg_ctl', '-w', '-D', $node->data_dir, '-l', $node->logfile);

system_or_bail(@pg_ctl, '-o', '-b', 'start');
my @outcomes = map { (outcome_of($node, $_))[0] } $call, $call, $stale, "SELECT pg_sleep(0.1); $stale";
is($outcomes[0], 'miss_cold', 'binary upgrade: a call works');
is($outcomes[1], 'hit', '... and is answered from memory');
is($node->safe_psql('postgres', q{SELECT cached_query_invalidate_relation('t') > 0; SELECT cached_query_clear() >= 0; SELECT state FROM cached_query_redis}), "t\nt\noff",
	'... as are the other functions');
sleep 1.5;
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'cached_query%'}), '0', '... without a process of ours');
is($node->safe_psql('postgres', 'SELECT sum(v) FROM t'), '1', '... and the database is there');
$node->safe_psql('postgres', "$call; $call");
system_or_bail(@pg_ctl, '-m', 'fast', 'stop');
is(callers(), 0, '... nor a word to Redis');
is(kept(), $kept, '... and files are as they were');
unlike(slurp_file($node->logfile, $offset), qr/could not start|cached_query (does|asked|redis writer|refresh)/, '... and the log says nothing of us');

# ---- Single-user mode ----

my ($out, $err) = ('', '');
my $sql = join '', map { "$_\n" } $call, $call, 'INSERT INTO t VALUES (2)', $stale, 'CREATE TABLE other (a int)', 'ALTER TABLE other ADD b int',
  'SELECT cached_query_clear()', q{SELECT cached_query_invalidate_relation('t')}, $call;

IPC::Run::run([ 'postgres', '--single', '-D', $node->data_dir, 'postgres' ], '<', \$sql, '>', \$out, '2>', \$err, IPC::Run::timeout(60));
like($out, qr/v = "1".*v = "1".*v = "2"/s, 'single user: calls work');
unlike("$out$err", qr/could not start|PANIC|signal|ERROR/, '... without complaints');
is(callers(), 0, '... nor a word to Redis');
is(kept(), $kept, '... and files are as they were');

# ---- Again one that serves ----

$node->start;
ok(wait_until(sub { return callers() > 0; }, 10), 'the next server that serves talks to Redis');
ok(wait_until(sub { slurp_file($node->logfile) =~ /cached_query asked for 2 of 2 queries/ }, 10), '... and reads what the last one kept');
sleep 1;
is($node->safe_psql('postgres', 'SELECT count(*) FROM cached_query_entries'), '0',
	'... and computes none of it, since nobody has noted which definitions have changed');
is($node->safe_psql('postgres', $call), "1\n2", '... rows of now');
$node->stop;
done_testing();
