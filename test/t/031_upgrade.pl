# pg_upgrade from each older server of this machine that has the extension: views and functions
# that use it work as before, and what the old cluster kept in Redis is not read by the new one, not
# even with the old secret.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use File::Copy ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RedisTest;
use Test::More;

my ($major) = `pg_config --version` =~ /(\d+)/;
my @older = grep { m{/(\d+)$} && $1 < $major && $1 >= 15 && -x "$_/bin/postgres" && -e "$_/lib/cached_query.so" }
  sort glob($ENV{OLD_SERVERS} || '/usr/lib/postgresql/*');

plan skip_all => 'no older server with the extension' if !@older;

my $redis = start_redis();

# As a configuration that is copied to the new cluster.
sub configure
{
	my ($node) = @_;

	$node->append_conf('postgresql.conf', join("\n",
		"shared_preload_libraries = 'cached_query'",
		"cached_query.memory = 32MB",
		"cached_query.store = tiered",
		"cached_query.redis_url = '" . $redis->unix_url . "'",
		"cached_query.redis_namespace = 'upgraded'"));
	return;
}

my $ask = q{
	SELECT * FROM totals; SELECT * FROM typed; SELECT * FROM above(98); SELECT * FROM atomic(98);
	SELECT * FROM kept};

sub upgrade
{
	my ($home) = @_;
	my ($from) = $home =~ m{/(\d+)$};
	my $old = PostgreSQL::Test::Cluster->new("from_$from", install_path => $home);
	my $new = PostgreSQL::Test::Cluster->new("to_$major");

	$old->init;
	configure($old);
	$old->start;
	$old->safe_psql('postgres', q{
		} . using_objects() . q{
		ALTER DATABASE postgres SET cached_query.default_ttl = '5min';
		GRANT EXECUTE ON FUNCTION ext.cached_query_invalidate_relation(regclass) TO pg_monitor;
		CREATE MATERIALIZED VIEW kept AS SELECT * FROM totals});

	my $want = $old->safe_psql('postgres', $ask);
	my $stored = q{SELECT redis_stores > 0 AND queued = 0 FROM ext.cached_query_stats, ext.cached_query_redis};
	ok($old->poll_query_until('postgres', $stored), "$from: answers are in Redis");
	my $keys = $redis->cli('DBSIZE');
	isnt($keys, '0', "$from: there are keys");
	ok(-f $old->data_dir . '/cached_query.secret', "$from: and a secret");

	is($old->safe_psql('postgres', "SET cached_query.store = redis; $ask"), $want, "$from: and found");
	cmp_ok($old->safe_psql('postgres', 'SELECT redis_hits FROM ext.cached_query_stats'), '>', 0, "$from: the old cluster reads them");
	$old->stop;

	$new->init(extra => $major >= 18 ? ['--no-data-checksums'] : []);
	configure($new);
	my @upgrade = ('pg_upgrade', '--no-sync', '-d', $old->data_dir, '-D', $new->data_dir,
		'-b', "$home/bin", '-B', $new->config_data('--bindir'),
		'-s', $new->host, '-p', $old->port, '-P', $new->port);
	chdir $PostgreSQL::Test::Utils::tmp_check or die;
	command_ok([ @upgrade, '--check' ], "$from: pg_upgrade --check");
	my $done = run_log(\@upgrade);
	my $logs = join '', map { slurp_file($_) } glob $new->data_dir . '/pg_upgrade_output.d/*/log/*';

  SKIP:
	{
		# minor releases: what 17.12 writes, 18.6 does not know
		skip 'the new server does not understand what the old one dumps', 1
		  if !$done && $logs =~ /ERROR:  unrecognized parameter "pg_/;
		ok($done, "$from: pg_upgrade") or diag $logs;
	}
	return if !$done;
	ok(!-e $new->data_dir . '/cached_query.secret', "$from: the secret stays behind, and pg_upgrade needs none");

	# The worst that can be done: the old secret, with the same namespace.  What has changed
	# meanwhile would not be seen by a server that believed the old values.
	File::Copy::copy($old->data_dir . '/cached_query.secret', $new->data_dir . '/cached_query.secret');
	chmod 0600, $new->data_dir . '/cached_query.secret';
	$new->start;
	is($new->safe_psql('postgres', $ask), $want, "$from to $major: same answers");
	is($new->safe_psql('postgres', 'SELECT redis_hits FROM ext.cached_query_stats'), '0',
		"$from to $major: none of them from the old cluster's values");
	ok($new->poll_query_until('postgres', $stored), "$from to $major: they are stored anew");
	is($new->safe_psql('postgres', 'SET cached_query.store = redis; ' . $ask), $want, "$from to $major: and found");
	cmp_ok($new->safe_psql('postgres', 'SELECT redis_hits FROM ext.cached_query_stats'), '>', 0, "$from to $major: in Redis");

	is($new->safe_psql('postgres', q{SELECT extversion, nspname FROM pg_extension JOIN pg_namespace AS n ON n.oid = extnamespace WHERE extname = 'cached_query'}),
		$new->safe_psql('postgres', q{SELECT default_version, 'ext' FROM pg_available_extensions WHERE name = 'cached_query'}),
		"$from to $major: extension with its schema");
	is($new->safe_psql('postgres', q{SELECT has_function_privilege('pg_monitor', 'ext.cached_query_invalidate_relation(regclass)', 'EXECUTE'), has_function_privilege('pg_monitor', 'ext.cached_query_clear()', 'EXECUTE')}),
		't|f', "$from to $major: privileges");
	is($new->safe_psql('postgres', 'SHOW cached_query.default_ttl'), '5min', "$from to $major: settings of the database");
	is($new->psql('postgres', 'ALTER EXTENSION cached_query UPDATE'), 0, "$from to $major: ALTER EXTENSION UPDATE");
	is($new->safe_psql('postgres', $ask), $want, "$from to $major: works afterwards");
	$new->safe_psql('postgres', q{
		DROP EXTENSION cached_query CASCADE;
		CREATE EXTENSION cached_query;
		SELECT * FROM cached_query('SELECT 1', '1h') AS t(a int)});
	log_is_quiet($new, "$from to $major: nothing to complain about");
	$new->stop;
	return;
}

upgrade($_) foreach @older;
$redis->stop;
done_testing();
