# What a session and the log are told: the NOTICE about volatile functions once a session, with its
# hint, and nothing at WARNING or above over a day's work.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', 'log_statement = none');
my $volatile = rows_of('SELECT random() < 2', '1h', 'a bool');
my $err;

# ---- The notice ----

$node->psql('postgres', "$volatile; $volatile; " . rows_of('SELECT clock_timestamp() > now()', '1h', 'a bool'), stderr => \$err);
is(() = $err =~ /NOTICE:/g, 1, 'said once a session');
like($err, qr/NOTICE:  query is run, not cached: it calls a volatile function\nDETAIL:  .*random\(\).*\nHINT:  .*cached_query\.nondeterministic/,
	'with what and what to do');
$node->psql('postgres', $volatile, stderr => \$err);
is(() = $err =~ /NOTICE:/g, 1, 'and in the next session');
$node->psql('postgres', "SET client_min_messages = warning; $volatile", stderr => \$err);
is($err, '', 'not when the client asks for less');
$node->psql('postgres', "SET cached_query.nondeterministic = cache; $volatile; $volatile", stderr => \$err);
is($err, '', 'nor when they are cached');
$node->psql('postgres', "SET cached_query.nondeterministic = error; $volatile", stderr => \$err);
like($err, qr/ERROR:  cannot cache a query that calls a volatile function\nDETAIL:  .*random\(\).*\nHINT:  /, 'or refused');

# ---- A day's work ----

my $offset = -s $node->logfile;

$node->safe_psql('postgres', q{
	CREATE ROLE reader;
	CREATE TABLE t (id int PRIMARY KEY, v text);
	INSERT INTO t SELECT g, repeat('v', 100) || g FROM generate_series(1, 2000) AS g;
	GRANT SELECT ON t TO reader;
	CREATE VIEW w AS SELECT * FROM cached_query('SELECT count(*) FROM t', '1h') AS t(n bigint)});
my $rows = rows_of('SELECT * FROM t', '1h', 'id int, v text');
my @work = (
	"$rows; $rows", "SET ROLE reader; $rows", 'SELECT * FROM w; SELECT * FROM w',
	"SET cached_query.consistency = exact; $rows; $rows",
	"BEGIN ISOLATION LEVEL REPEATABLE READ; $rows; UPDATE t SET v = 'x'; $rows; COMMIT",
	"BEGIN ISOLATION LEVEL SERIALIZABLE; $rows; COMMIT",
	"BEGIN; DECLARE c CURSOR FOR $rows; FETCH 5 FROM c; COMMIT",
	"BEGIN; DECLARE c CURSOR WITH HOLD FOR $rows; COMMIT; FETCH 5 FROM c; CLOSE c",
	"PREPARE p(int) AS SELECT * FROM cached_query('SELECT id FROM t WHERE id = \$1', '1h', \$1) AS t(id int); EXECUTE p(1); EXECUTE p(1); EXECUTE p(2); EXECUTE p(3); EXECUTE p(4); EXECUTE p(5); EXECUTE p(6); EXECUTE p(1); DISCARD ALL",
	"SELECT * FROM cached_query_as(NULL::t, 'SELECT * FROM t WHERE id < 10', '1h'); SELECT cached_query_json('SELECT * FROM t WHERE id < 10', '1h')",
	"SELECT * FROM cached_query_with('{\"tag\": \"x\"}', 'SELECT 1', '1h') AS t(a int); SELECT cached_query_invalidate_tag('x')",
	"SELECT cached_query_refresh('SELECT * FROM t'); SELECT cached_query_invalidate('SELECT * FROM t'); SELECT cached_query_invalidate_relation('t')",
	'SELECT cached_query_columns(\'SELECT * FROM t\'); SELECT * FROM cached_query_explain(\'SELECT * FROM t\')',
	'SELECT * FROM cached_query_stats; SELECT * FROM cached_query_reasons; SELECT * FROM cached_query_entries',
	"EXPLAIN ANALYZE $rows", "EXPLAIN (VERBOSE) $rows", 'VACUUM ANALYZE t', 'REINDEX TABLE t', 'CLUSTER t USING t_pkey',
	"ALTER TABLE t ADD COLUMN b int; ALTER TABLE t DROP COLUMN b; $rows", 'TRUNCATE t; SELECT * FROM w',
	"SET temp_buffers = '1MB'; CREATE TEMP TABLE tmp (a int); " . rows_of('SELECT a FROM tmp', '1h', 'a int'),
	"SET cached_query.max_entry_size = '1kB'; SET cached_query.mode = refresh; " . rows_of('SELECT g FROM generate_series(1, 1000) AS g', '1h', 'a int'),
	'CREATE DATABASE other; DROP DATABASE other', 'DROP VIEW w; DROP TABLE t; DROP ROLE reader',
	'SELECT cached_query_stats_reset(); SELECT cached_query_clear()', 'DROP EXTENSION cached_query CASCADE', 'CREATE EXTENSION cached_query', 'CHECKPOINT');
foreach my $work (@work)
{
	is($node->psql('postgres', $work, stderr => \$err), 0, substr($work, 0, 60)) or diag $err;
	is($err, '', 'client is told nothing') if $work !~ /^DROP EXTENSION|TEMP TABLE/;
}
$node->reload;
$node->stop;
$node->start;
$node->safe_psql('postgres', 'SELECT 1');
is(join("\n", grep { / (WARNING|ERROR|FATAL|PANIC): |TRAP:|leak/ } split /\n/, slurp_file($node->logfile, $offset)),
	'', 'log: no WARNING, ERROR or FATAL');
# the server says of each background process that it has ended, also of its own
is(join("\n", grep { /LOG:  (?!listening on).*cached/i && !/"cached_query sweeper" \(PID \d+\) exited with exit code 1$/ } split /\n/, slurp_file($node->logfile, $offset)), '', 'log: nothing about the cache at all');

# Errors of the query are the query's own: one message, with a CONTEXT.
$node->psql('postgres', rows_of('SELECT 1 / 0', '1h', 'a int'), stderr => \$err);
is(() = $err =~ /ERROR:/g, 1, 'an error is said once');
like($err, qr/ERROR:  division by zero\nCONTEXT:  SQL statement "SELECT 1 \/ 0"/, 'with the query as CONTEXT');
$node->stop;
done_testing();
