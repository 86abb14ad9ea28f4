# Beside the modules that servers run with: each loaded before us and after us, and all of them together.
# Calls of every form, workers, EXPLAIN, writes and definitions give what they give without, and nothing
# crashes.  A module that is not installed is left out (test/run installs them).

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

# What each of them does when it is asked to do all it can.
my %modules = (
	pgaudit => "pgaudit.log = 'all'\npgaudit.log_catalog = on\npgaudit.log_relation = on\npgaudit.log_parameter = on\npgaudit.role = auditor",
	pg_stat_statements => "pg_stat_statements.track = all\npg_stat_statements.track_planning = on\ncompute_query_id = on",
	auto_explain => "auto_explain.log_min_duration = 0\nauto_explain.log_analyze = on\nauto_explain.log_nested_statements = on\nauto_explain.log_verbose = on\nauto_explain.log_buffers = on\nauto_explain.log_triggers = on",
	pg_wait_sampling => "pg_wait_sampling.profile_period = 1\npg_wait_sampling.history_period = 1",
	plprofiler => "plprofiler.enabled = on\nplprofiler.collect_interval = 1");

my $node = start_node('main', 'max_worker_processes = 20', 'cached_query.warm_start = on', 'cached_query.refresh_workers = 2',
	'max_prepared_transactions = 5', 'track_io_timing = on', 'log_min_messages = log',
	'min_parallel_table_scan_size = 0', 'parallel_setup_cost = 0', 'parallel_tuple_cost = 0');
my $dir = $node->config_data('--pkglibdir');
my @present = grep { -e "$dir/$_.so" } sort keys %modules;

$node->safe_psql('postgres', q{
	CREATE ROLE auditor;
	CREATE ROLE alice LOGIN;
	CREATE TABLE t (id int PRIMARY KEY, v int, note text);
	CREATE VIEW w AS SELECT id, v FROM t WHERE v > 10;
	CREATE TABLE guarded (id int, owner name);
	INSERT INTO guarded VALUES (1, 'alice'), (2, 'postgres');
	ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
	CREATE POLICY p ON guarded USING (owner = current_user);
	GRANT SELECT ON t, w, guarded TO alice, auditor;
	GRANT INSERT, UPDATE ON t TO auditor;
	CREATE FUNCTION total(int) RETURNS bigint LANGUAGE plpgsql STABLE AS
	$$DECLARE n bigint; BEGIN SELECT sum(v) INTO n FROM t WHERE id <= $1; RETURN n; END$$;
	CREATE FUNCTION rows_of(int) RETURNS SETOF t LANGUAGE sql STABLE AS 'SELECT * FROM t WHERE id < $1 ORDER BY id';
	CREATE FUNCTION by_cache(n int) RETURNS SETOF t LANGUAGE plpgsql STABLE AS $$BEGIN
		RETURN QUERY SELECT * FROM cached_query_as(NULL::t, 'SELECT * FROM t WHERE id < $1 ORDER BY id', '1h', n); END$$;
	CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
		PERFORM cached_query_invalidate_relation('t'); RETURN NULL; END$$;
	CREATE TABLE other (v int);
	CREATE TRIGGER told AFTER INSERT ON other EXECUTE FUNCTION told()});

# Calls, each of which is asked three times: a miss, a hit and one more.
my @calls = (
	q{SELECT * FROM cached_query('SELECT id, v, note FROM t ORDER BY id LIMIT 50', '1h') AS x(a int, b int, c text)},
	q{SELECT * FROM cached_query('SELECT count(*), sum(v) FROM t WHERE id < $1 AND note <> $2', '1h', 50, 'x'::text) AS x(a bigint, b bigint)},
	q{SELECT * FROM cached_query('SELECT v FROM t WHERE id = ANY ($1) ORDER BY v', '1h', VARIADIC ARRAY['{1,2,3}']) AS x(v int)},
	q{SELECT * FROM cached_query_as(NULL::t, 'SELECT * FROM t WHERE id < 20 ORDER BY id', '1h')},
	q{SELECT cached_query_json('SELECT id, v FROM w ORDER BY id', '1h')},
	q{SELECT cached_query_as(NULL::t, 'SELECT * FROM t WHERE id < 5 ORDER BY id', '1h')},
	q{SELECT * FROM cached_query('SELECT total(30)', '1h') AS x(a bigint)},
	q{SELECT * FROM cached_query('SELECT id FROM rows_of(9)', '1h') AS x(a int)},
	q{SELECT * FROM by_cache(7)},
	q{SELECT * FROM cached_query('SELECT count(*) FROM cached_query(''SELECT id FROM t'', ''1h'') AS y(id int)', '1h') AS x(a bigint)},
	q{SELECT x.a, t.v FROM cached_query('SELECT id FROM t', '1h') AS x(a int) JOIN t ON t.id = x.a ORDER BY 1 LIMIT 7},
	q{SET cached_query.consistency = exact; SELECT * FROM cached_query('SELECT sum(v) FROM t', '1h') AS x(a bigint)},
	q{SET ROLE alice; SELECT * FROM cached_query('SELECT id FROM guarded', '1h') AS x(a int)},
	q{BEGIN; DECLARE c CURSOR FOR SELECT * FROM cached_query('SELECT id FROM t ORDER BY id', '1h') AS x(a int); FETCH 3 FROM c; MOVE 5 IN c; FETCH 2 FROM c; COMMIT},
	q{PREPARE p(int) AS SELECT * FROM cached_query('SELECT v FROM t WHERE id = $1', '1h', $1) AS x(a int); EXECUTE p(3); EXECUTE p(4)},
	q{SELECT cacheable FROM cached_query_explain('SELECT count(*) FROM t')},
	q{SET cached_query.mode = off; SELECT * FROM cached_query('SELECT count(*) FROM t', '1h') AS x(a bigint)},
	q{SELECT count(*) > 0 FROM cached_query_stats},
	q{SELECT count(*) >= 0 FROM cached_query_entries});

# Everything that changes something, and calls that have to see it.
my @changes = (
	q{INSERT INTO t SELECT g, g * 3, 'note ' || g FROM generate_series(1001, 1100) AS g},
	q{UPDATE t SET v = v + 1 WHERE id % 3 = 0},
	q{DELETE FROM t WHERE id BETWEEN 40 AND 45},
	q{ALTER TABLE t ADD COLUMN extra int DEFAULT 5},
	q{CREATE OR REPLACE FUNCTION total(int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT -sum(v) FROM t WHERE id <= $1'},
	q{ALTER TABLE t DROP COLUMN extra},
	q{INSERT INTO other VALUES (1)},
	q{BEGIN; UPDATE t SET v = 0 WHERE id = 1; SAVEPOINT s; TRUNCATE t; ROLLBACK TO s; COMMIT},
	q{BEGIN; UPDATE t SET v = v + 5 WHERE id = 2; PREPARE TRANSACTION 'x'; COMMIT PREPARED 'x'},
	q{CREATE TEMP TABLE own AS SELECT * FROM t; DROP TABLE own});
my $exact = q{SET cached_query.consistency = exact; SELECT * FROM cached_query('SELECT count(*), sum(v), total(1100) FROM t', '1h') AS x(a bigint, b bigint, c bigint)};
my $explained = q{EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT * FROM cached_query('SELECT id FROM t', '1h') AS x(a int)};

sub value { return $node->safe_psql('postgres', $_[0]); }

# Everything, from the same beginning; what came out as lines.
sub work_out
{
	my @out;

	value(q{TRUNCATE t; INSERT INTO t SELECT g, g * 7 % 1000, 'note ' || g FROM generate_series(1, 1000) AS g;
		CREATE OR REPLACE FUNCTION total(int) RETURNS bigint LANGUAGE plpgsql STABLE AS
		$$DECLARE n bigint; BEGIN SELECT sum(v) INTO n FROM t WHERE id <= $1; RETURN n; END$$;
		SELECT cached_query_clear()});
	foreach my $call (@calls)
	{
		push @out, map { "$call: " . value($call) } 1 .. 3;
	}
	foreach my $change (@changes)
	{
		value($change);
		push @out, map { "after $change: " . value($exact) } 1 .. 2;
		push @out, "after $change: " . value($_) foreach @calls[ 6, 8 ];
	}
	push @out, map { "explain $_: " . (value($explained) =~ s/Buffers.*//rg) } 1 .. 2;
	push @out, 'refused: ' . $node->psql('postgres', q{SET ROLE auditor; SELECT * FROM cached_query('SELECT * FROM other', '1h') AS x(a int)});
	return @out;
}

# A worker renews an answer: what was asked for in the background is there after a while.
sub refreshes
{
	my $set = q{SET cached_query.stale_for = '1h'; SET cached_query.refresh = 'background'};
	my $call = "$set; " . rows_of('SELECT v, total(3) > 0 FROM t WHERE id = 3 -- stale', '20ms', 'v int, b bool');

	value($call);
	value('UPDATE t SET v = v + 1000 WHERE id = 3');
	sleep 0.05;
	my $now = value('SELECT v FROM t WHERE id = 3');
	return wait_until(sub { return value($call) =~ /^$now\|/; }, 20)
	  && value('SELECT sum(refreshes) > 0 FROM cached_query_stats') eq 't';
}

my @expected = work_out();
ok(refreshes(), 'a worker refreshes');
is(scalar(grep { /^refused: [^0]/ } @expected), 1, 'what is not allowed is refused');

foreach my $neighbours ((map { [$_] } @present), @present > 1 ? [@present] : ())
{
	my $list = join ', ', @$neighbours;
	my @late = grep { $_ ne 'plprofiler' } @$neighbours;
	my @early = grep { $_ eq 'plprofiler' } @$neighbours;

	# plprofiler has to be before all others
	foreach my $libraries (join(', ', @early, @late, 'cached_query'), @late ? join(', ', @early, 'cached_query', @late) : ())
	{
		my $offset = -s $node->logfile;

		$node->append_conf('postgresql.conf', join "\n", "shared_preload_libraries = '$libraries'", map { $modules{$_} } @$neighbours);
		$node->restart;
		value("CREATE EXTENSION IF NOT EXISTS $_") foreach grep { -e $node->config_data('--sharedir') . "/extension/$_.control" } @$neighbours;
		my @got = work_out();
		my @wrong = grep { $got[$_] ne $expected[$_] } 0 .. $#expected;

		ok(@wrong == 0, "$libraries: the same answers") or diag map { "expected $expected[$_]\ngot $got[$_]\n" } @wrong;
		ok(refreshes(), "$libraries: a worker refreshes");
		$node->restart;
		ok(wait_until(sub { return value('SELECT count(*) FROM cached_query_entries') > 0; }, 20), "$libraries: a warm start");
		store_is_idle($node, "$libraries: nothing is left pinned");
		my $log = slurp_file($node->logfile, $offset);

		unlike($log, qr/terminated by signal|PANIC:|TRAP:|pin leak|reference leak/, "$libraries: no crash, no leak");
		like($log, qr/AUDIT: SESSION/, "$libraries: it audits") if $list =~ /pgaudit/;
		value("DROP EXTENSION IF EXISTS $_") foreach @$neighbours;
	}
}

# ---- The one that does not leave us our memory ----

SKIP:
{
	skip 'needs plprofiler', 2 unless grep { $_ eq 'plprofiler' } @present;
	my $offset = -s $node->logfile;

	$node->stop;
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'cached_query, plprofiler'");
	if ($node->start(fail_ok => 1))
	{
		# from 4.2.5 on it calls the hook of those that were loaded before
		like($node->safe_psql('postgres', 'SHOW shared_preload_libraries'), qr/plprofiler/, 'cached_query, plprofiler: the server starts');
		is((outcome_of($node, rows_of('SELECT 5', '1h', 'five int') . ';' . rows_of('SELECT 5', '1h', 'five int')))[0], 'hit, miss_cold', '... and caches');
	}
	else
	{
		pass('cached_query, plprofiler: the server does not start');
		like(slurp_file($node->logfile, $offset), qr/FATAL:  cached_query could not request shared memory.*HINT:  Put cached_query after that library/s,
			'... and says what to do');
	}
}
done_testing();
