# The table cached_query_rules is dumped and restored with the extension, also where a role or table of a rule
# is missing, and without the library preloaded. Its rules act on a standby.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', { allows_streaming => 1 }, 'cached_query.memory = 32MB', 'cached_query.auto_min_time = 0');
my $err;

$node->safe_psql('postgres', q{
	CREATE ROLE bi;
	CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 100) AS g;
	CREATE TABLE gone (id int);
	INSERT INTO cached_query_rules (role, relation, query, queryid, action, ttl, tag) VALUES
		('bi', 't', NULL, NULL, 'exact', NULL, 'tagged'), (NULL, 'gone', NULL, NULL, 'off', NULL, NULL),
		(NULL, NULL, 'SELECT sum(id) FROM t WHERE id > 5', NULL, 'exact', NULL, NULL), (NULL, NULL, NULL, 42, 'ttl', '1 min', NULL);
	-- taken by 0.2.0, and by another version of PostgreSQL
	ALTER TABLE cached_query_rules DISABLE TRIGGER USER;
	INSERT INTO cached_query_rules (query, action) VALUES ('SELECT id FROM t FOR UPDATE', 'exact'), ('SELECT FROM WHERE', 'exact');
	ALTER TABLE cached_query_rules ENABLE TRIGGER USER});
my $rules = $node->safe_psql('postgres', 'SELECT * FROM cached_query_rules ORDER BY 1, 2, 3, 4');
my $dump = $node->basedir . '/dump.sql';

# ---- Dump and restore ----

$node->safe_psql('postgres', 'DROP TABLE gone');
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'dumped');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok([ 'psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('copy') ], 'restored');
is($node->safe_psql('copy', 'SELECT * FROM cached_query_rules ORDER BY 1, 2, 3, 4'), $rules, 'with all rules');

my $bare = PostgreSQL::Test::Cluster->new('bare');
$bare->init;
$bare->start;
$bare->psql('postgres', 'SELECT 1');
$bare->command_ok([ 'psql', '-qX', '-f', $dump, '-d', $bare->connstr('postgres') ], 'restored without the library and the role');
is($bare->safe_psql('postgres', 'SELECT * FROM cached_query_rules ORDER BY 1, 2, 3, 4'), $rules, 'with all rules, too');
isnt($bare->psql('postgres', q{INSERT INTO cached_query_rules (role, action) VALUES ('bi', 'off')}, stderr => \$err), 0, 'checked there');
like($err, qr/role "bi" does not exist/, 'by its trigger');
$bare->stop;

# ---- A standby ----

my $thrice = 'SET cached_query.auto = hinted;' . ' SELECT sum(id) FROM t WHERE id > 7;' x 3;

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$standby->safe_psql('postgres', $thrice);
my $reasons = q{SELECT string_agg(reason || ' ' || statements, ', ' ORDER BY reason COLLATE "C") FROM cached_query_reasons WHERE statements > 0};
my $told = $standby->safe_psql('postgres', $reasons);
isnt($told, '', "a rule chooses statements on a standby: $told");
$node->safe_psql('postgres', q{UPDATE cached_query_rules SET action = 'off' WHERE query LIKE '%id > 5'});
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
$standby->safe_psql('postgres', $thrice);
like($standby->safe_psql('postgres', $reasons), qr/rule_off 3/, 'a change of it acts there');
isnt($standby->psql('postgres', 'DELETE FROM cached_query_rules'), 0, 'which can not change it');
$standby->stop;

# ---- What the rules say is not known ----

$node->safe_psql('postgres', 'ALTER TABLE cached_query_rules DROP COLUMN tag');
$node->safe_psql('postgres', 'SELECT cached_query_stats_reset()');
$node->safe_psql('postgres', $thrice . $thrice);
is($node->safe_psql('postgres', $reasons), 'rules_unread 6', 'statements run when the table of rules was changed');
my @lines = slurp_file($node->logfile) =~ /LOG:  the rules of cached_query_rules cannot be applied: (.*)\n/g;
is_deeply(\@lines, ['column "tag" of type text is missing'], 'the log says so once a session');

log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
