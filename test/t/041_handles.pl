# Handles in a refresh worker: code of the user's that evicts them there; arguments whose type changes
# between the call and the refresh.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', 'max_worker_processes = 8', 'restart_after_crash = on', 'log_statement = none',
	'cached_query.nondeterministic = cache', 'cached_query.warm_start = on');
my ($out, $err);

sub value { return $node->safe_psql('postgres', $_[0]); }
sub refreshed { my ($before) = @_; return wait_until(sub { value("SELECT refreshes + refresh_failures + refreshes_skipped > $before FROM cached_query_stats") eq 't' }, 30); }
sub total { return value('SELECT refreshes + refresh_failures + refreshes_skipped FROM cached_query_stats'); }

$node->safe_psql('postgres', q{
	CREATE TABLE t AS SELECT 1 AS id;
	-- in a worker: here it would keep the first answer from being stored
	CREATE FUNCTION drops(int) RETURNS bool LANGUAGE plpgsql AS $$
	BEGIN
		IF (SELECT backend_type <> 'client backend' FROM pg_stat_activity WHERE pid = pg_backend_pid()) THEN
			PERFORM set_config('cached_query.handle_memory', '64kB', false);
			FOR i IN 1 .. 12 LOOP
				PERFORM FROM cached_query(format('SELECT %s, id FROM t WHERE id = %s OR repeat(%L, id) = %L', i, i, repeat('x', 2000), i), '1h') AS q(a int, b int);
			END LOOP;
			RAISE LOG 'handles are evicted';
		END IF;
		RETURN true;
	END $$;
	CREATE DOMAIN d AS int CHECK (drops(VALUE));
	CREATE FUNCTION folded(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM drops($1); RETURN $1; END $$;
	CREATE TYPE pair AS (a int, b int)});

foreach my $query ('SELECT $1::d::int', 'SELECT folded(1) + $1::int FROM t')
{
	my $call = "SET cached_query.refresh = background; SET cached_query.stale_for = '1h'; SELECT * FROM cached_query('$query', '1ms', VARIADIC ARRAY['5']) AS q(n int)";

	value($call);
	my $before = total();
	value($call);
	ok(refreshed($before), "$query: a worker has tried") or diag value('SELECT reason, calls FROM cached_query_reasons WHERE calls > 0');
	is(value($call) =~ s/\D//gr > 0, 1, "$query: answers");
}

# The bytes of a composite value mean something else after ALTER TYPE: a worker would take an integer for a pointer.
my $call = q{SET cached_query.refresh = background; SET cached_query.stale_for = '1h'; SELECT n FROM cached_query('SELECT ($1).a::text || ($1).b', '1ms', ROW(2000000000, 77)::pair) AS q(n text)};
value($call);
is(value($call), '200000000077', 'a composite argument');
is(value('SELECT args FROM cached_query_entries WHERE args LIKE \'%2000000000%\''), '$1 = (2000000000,77)', '... shown as it was');
value('ALTER TYPE pair ALTER ATTRIBUTE b TYPE text');
is(value($call), '200000000077', '... of a type that was changed');
value($call);
value('SELECT count(*) FROM cached_query_entries');
$node->restart;
is(value('SELECT 1'), '1', 'a warm start leaves it out');
is(value($call), '200000000077', '... and it answers');
like(slurp_file($node->logfile), qr/handles are evicted/, 'code of the user\'s ran in a worker');
unlike(slurp_file($node->logfile), qr/terminated by signal/, 'nobody crashes');
store_is_idle($node, 'nothing pinned, nothing lost');
$node->stop;
done_testing();
