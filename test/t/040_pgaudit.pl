# Beside pgaudit, whichever is loaded first: what is read is audited once, whether it is read or comes
# from the cache; and only where a statement is executed, not when one is planned.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', 'max_worker_processes = 8');

plan skip_all => 'needs pgaudit'
  if $node->safe_psql('postgres', q{SELECT count(*) FROM pg_available_extensions WHERE name = 'pgaudit'}) eq '0';

$node->safe_psql('postgres', q{
	CREATE TABLE t (id int, v int);
	INSERT INTO t VALUES (1, 1);
	CREATE TABLE other AS SELECT * FROM t;
	CREATE ROLE nobody_special LOGIN;
	CREATE FUNCTION total() RETURNS text LANGUAGE plpgsql STABLE AS $$
	DECLARE
		result text := cached_query_json('SELECT count(*) FROM t', '1h');
	BEGIN
		RETURN result;
	END $$;
	CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
	DECLARE
		result text := cached_query_json('SELECT count(*) FROM t', '1h');
	BEGIN
		RETURN NULL;
	END $$;
	CREATE TABLE audited (id int);
	CREATE CONSTRAINT TRIGGER late AFTER INSERT ON audited DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit()});

my $call = rows_of('SELECT count(*) FROM t', '1h', 'n bigint');
my $offset;

# The audit records of the table t since then: how many.
sub audited
{
	my ($relation) = @_;
	my $log = slurp_file($node->logfile, $offset);
	my @lines = $log =~ /AUDIT: [^\n]*READ,SELECT,TABLE,public\.$relation,/g;

	$offset = -s $node->logfile;
	return scalar @lines;
}

foreach my $libraries ('pgaudit, cached_query', 'cached_query, pgaudit')
{
	foreach my $rows ('off', 'on')
	{
		my $name = "$libraries, log_rows $rows";
		my ($out, $err);

		$node->append_conf('postgresql.conf', join("\n",
			"shared_preload_libraries = '$libraries'", "pgaudit.log = 'read, write'",
			"pgaudit.log_relation = on", "pgaudit.log_rows = $rows", "pgaudit.log_catalog = off",
			"log_statement = none", ''));
		$node->restart;
		$offset = -s $node->logfile;

		# each psql is a session of its own: the first thing that it does is to plan the call
		foreach my $want ('miss_cold', 'hit', 'hit', 'hit')
		{
			my ($outcome, $result) = outcome_of($node, $call);

			is("$outcome $result", "$want 1", "$name: $want");
			is(audited('t'), 1, "$name: audited once");
		}
		# beside another relation, neither hides the other
		is($node->safe_psql('postgres', "SELECT count(*) FROM other, cached_query('SELECT count(*) FROM t', '1h') AS q(n bigint)"), '1', "$name: joined");
		{
			my $log = slurp_file($node->logfile, $offset);

			like($log, qr/READ,SELECT,TABLE,public\.other,/, "$name: the joined one is audited");
			like($log, qr/READ,SELECT,TABLE,public\.t,/, "$name: ... and the cached one");
			$offset = -s $node->logfile;
		}
		# nothing is read
		$node->safe_psql('postgres', "EXPLAIN $call");
		$node->safe_psql('postgres', q{SELECT cacheable FROM cached_query_explain('SELECT count(*) FROM t')});
		$node->safe_psql('postgres', q{SELECT cached_query_columns('SELECT count(*) FROM t')});
		is(audited('t'), 0, "$name: planned only, not audited");
		is($node->psql('postgres', "SET ROLE nobody_special; EXPLAIN $call", stderr => \$err), 3, "$name: planning checks rights");
		is($node->psql('postgres', "SET ROLE nobody_special; $call", stderr => \$err), 3, "$name: a call does, too");
		like($err, qr/permission denied for table t/, "$name: as the query would");

		# where no executor runs around the call
		is($node->safe_psql('postgres', 'SELECT total()'), '[{"count":1}]', "$name: a plain expression of PL/pgSQL fills");
		$offset = -s $node->logfile;
		is($node->safe_psql('postgres', 'SELECT total()'), '[{"count":1}]', "$name: ... and hits");
		is(audited('t'), 1, "$name: ... audited");
		$node->safe_psql('postgres', 'INSERT INTO audited VALUES (1)');
		is(audited('t'), 1, "$name: a trigger at commit hits, audited");
		$node->safe_psql('postgres', q{DO $$ BEGIN PERFORM cached_query_refresh('SELECT count(*) FROM t', '1h'); END $$});
		is(audited('t'), 1, "$name: a refresh is a read");

		# a worker
		my $stale = q{SET cached_query.refresh = background; SET cached_query.stale_for = '1h'; SELECT * FROM cached_query('SELECT count(*) FROM t', '1ms') AS q(n bigint)};
		my $before = $node->safe_psql('postgres', 'SELECT refreshes FROM cached_query_stats');
		$node->safe_psql('postgres', $stale);
		ok(wait_until(sub { $node->safe_psql('postgres', "SELECT refreshes > $before FROM cached_query_stats") eq 't' }, 30), "$name: a worker refreshes");
		unlike(slurp_file($node->logfile), qr/terminated by signal/, "$name: nobody crashes");
	}
}
# warm start
$node->append_conf('postgresql.conf', 'cached_query.warm_start = on');
$node->restart;
# what no snapshot had seen complete before the restart seems to have changed at the start
$node->safe_psql('postgres', 'SELECT pg_sleep(0.4)');
$node->safe_psql('postgres', $call);
$node->restart;
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM cached_query_entries WHERE query = 'SELECT count(*) FROM t'}), 'a warm start with pgaudit');
unlike(slurp_file($node->logfile), qr/terminated by signal/, 'nobody crashes');
store_is_idle($node, 'nothing pinned, nothing lost');
$node->stop;
done_testing();
