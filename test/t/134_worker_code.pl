# Refresh workers compute a result as the role that asked for it, later. What others have put in the place of a table, an
# index or a name since then they do not run as this role.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $node = start_node('main', 'cached_query.refresh_workers = 1', 'cached_query.warm_start = on', "cached_query.trusted_functions = 'sleeps'");

sub value { return $node->safe_psql('postgres', $_[0]); }

# Whoever runs shows() in the end says so in the log.
value(q{
	CREATE ROLE evil; CREATE SCHEMA evil AUTHORIZATION evil; CREATE SCHEMA early AUTHORIZATION evil;
	SET ROLE evil;
	CREATE FUNCTION evil.says(at text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE LOG 'code of evil ran as % by %', current_user, at; RETURN 1; END $$;
	CREATE FUNCTION evil.shows(at text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM evil.says(at); RETURN 1; END $$;
	CREATE FUNCTION evil.shows_set(at text) RETURNS int LANGUAGE plpgsql IMMUTABLE SET work_mem = '1MB' AS $$ BEGIN PERFORM evil.says(at); RETURN 1; END $$;
	CREATE FUNCTION evil.shows_sql(at text) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT evil.shows(at || ' in SQL') $$;
	CREATE FUNCTION evil.same(int, int) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT evil.says('operator') = 1 AND $1 = $2 $$;
	CREATE OPERATOR evil.=== (FUNCTION = evil.same, LEFTARG = int, RIGHTARG = int, RESTRICT = eqsel);
	CREATE FUNCTION evil.fine(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n + 1';
	CREATE FUNCTION evil.fine_too(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN n + 1; END';
	CREATE TABLE evil.stats AS SELECT g % 3 AS a FROM generate_series(1, 3000) AS g;
	ANALYZE evil.stats;
	CREATE DOMAIN evil.d AS int;
	RESET ROLE;
	CREATE ROLE app LOGIN;
	CREATE TABLE public.named (v int);
	GRANT SELECT ON named TO app;
	CREATE FUNCTION sleeps(s float) RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(s); RETURN 1; END';
	GRANT USAGE ON SCHEMA evil, early TO PUBLIC});

# The first one has a worker of another role, so it comes first.  Name, query, what evil changes after it was cached, and whether a worker computes it anyway.
my @cases = (
	[ 'a policy', 'SELECT count(*) FROM evil.t5', q{ALTER TABLE evil.t5 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY p ON evil.t5 USING (evil.shows('policy') = 1)} ],
	[ 'view for a table', 'SELECT count(*) FROM evil.t0', q{DROP TABLE evil.t0; CREATE VIEW evil.t0 AS SELECT 1 AS v WHERE evil.shows('view') = 1} ],
	[ 'with SET', 'SELECT count(*) FROM evil.t1', q{DROP TABLE evil.t1; CREATE VIEW evil.t1 AS SELECT 1 AS v WHERE evil.shows_set('view with SET') = 1} ],
	[ 'in SQL', 'SELECT count(*) FROM evil.t2', q{DROP TABLE evil.t2; CREATE VIEW evil.t2 AS SELECT 1 AS v WHERE evil.shows_sql('view') = 1} ],
	[ 'an operator', 'SELECT count(*) FROM evil.t3', q{DROP TABLE evil.t3; CREATE VIEW evil.t3 AS SELECT * FROM evil.stats WHERE a OPERATOR(evil.===) 1} ],
	[ 'an index', 'SELECT count(*) FROM evil.t4 WHERE v = 1', q{CREATE INDEX ON evil.t4 (v) WHERE evil.shows('index') = 1} ],
	[ 'a name', 'SELECT count(*) FROM named', q{CREATE VIEW early.named AS SELECT 1 AS v WHERE evil.shows('name') = 1} ],
	[ 'a name, an operator', 'SELECT count(*) AS n FROM named', q{CREATE OR REPLACE VIEW early.named AS SELECT a AS v FROM evil.stats WHERE a OPERATOR(evil.===) 1} ],
	[ 'a domain', q{SELECT '1'::evil.d AS d, count(*) FROM evil.t6}, q{ALTER DOMAIN evil.d ADD CHECK (evil.shows('domain') = 1)} ],
	[ 'nothing', 'SELECT evil.fine(1) + evil.fine_too(2), count(*) FROM evil.t7', 'SELECT', 'refreshed' ]);
value("SET ROLE evil; CREATE TABLE evil.t$_ (v int); GRANT SELECT ON evil.t$_ TO app") foreach 0 .. 7;
sleep 0.3;

my $settings = q{SET search_path = early, public; SET cached_query.refresh = background; SET cached_query.stale_for = '1h'; };

sub call
{
	my ($query, $ttl) = @_;
	my $list = $query =~ /, count/ ? 'a int, n bigint' : 'n bigint';

	return "SELECT * FROM cached_query(\$q\$$query\$q\$, '$ttl') AS t($list)";
}

# What has run since the last look.
my $looked = 0;

sub ran
{
	my $log = slurp_file($node->logfile, $looked);
	my @lines = $log =~ /LOG:  (code of evil ran as (?!evil).*)/g;

	$looked += length $log;
	return join "\n", @lines;
}

# The only worker sleeps, so each request waits while evil acts.
foreach my $case (@cases)
{
	my ($name, $query, $change, $refreshed) = @$case;
	# for a superuser there are no policies
	my $set = ($name =~ /policy/ ? 'SET SESSION AUTHORIZATION app; ' : '') . $settings;
	my $sleep = rows_of(qq{SELECT sleeps(1.0) AS "$name"}, '0.2s', 'n int');

	value($set . call($query, '0.2s'));
	value($set . $sleep);
	sleep 0.35;
	value("$set $sleep; " . call($query, '0.2s'));
	my $filled = value('SELECT max(created) FROM cached_query_entries WHERE query = $q$' . $query . '$q$');
	value("SET ROLE evil; $change");
	wait_until(sub { value('SELECT refreshes + refresh_failures + refreshes_skipped > 0 FROM cached_query_stats') eq 't'
		  && value(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'cached_query refresh worker' AND state = 'active'}) eq '0' }, 10);
	sleep 0.3;
	is(ran(), '', "$name: no code of others");
	isnt(value('SELECT max(created) FROM cached_query_entries WHERE query = $q$' . $query . '$q$'), $filled, "$name: a worker computes it")
	  if $refreshed;
	value(q{SET ROLE evil; DROP VIEW IF EXISTS early.named}) if $name =~ /name/;
}

# ---- A warm start ----

value('SELECT cached_query_clear()');
value(call('SELECT count(*) AS warm FROM evil.t7', '1h'));
value(call('SELECT count(*) AS cold FROM evil.t6', '1h'));
value(q{SET ROLE evil; DROP TABLE evil.t6; CREATE VIEW evil.t6 AS SELECT 1 AS v WHERE evil.shows('view before the restart') = 1});
$node->restart;
ok(wait_until(sub { value(q{SELECT count(*) FROM cached_query_entries WHERE query LIKE '%AS warm%'}) eq '1' }, 10), 'a warm start');
sleep 0.5;
is(ran(), '', 'a warm start runs no code of others');
value(q{SELECT count(*) FROM evil.t6});
isnt(ran(), '', 'who reads the view does');
$node->stop;
done_testing();
