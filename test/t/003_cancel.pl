# Cancelling and terminating at any moment gives back what was held: no pin, no page, no warning.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = start_node('main', 'log_min_messages = warning');
my $columns = 'g int, x text';

# A query that waits in the middle, after it has given rows.
sub slow
{
	my ($at, $rows) = @_;

	return "SELECT g, CASE WHEN g = $at THEN pg_sleep(600)::text ELSE repeat('x', 1000) END"
	  . " FROM generate_series(1, $rows) AS g";
}
my $big = "SELECT g, repeat('y', 1000) FROM generate_series(1, 3000) AS g";
my $settings = "cached_query.nondeterministic = 'cache'";

$node->safe_psql('postgres', "ALTER SYSTEM SET $settings; SELECT pg_reload_conf()");
$node->poll_query_until('postgres', "SELECT current_setting('cached_query.nondeterministic') = 'cache'");

sub state_of
{
	my ($pid) = @_;

	return $node->safe_psql('postgres',
		"SELECT coalesce(wait_event, state) FROM pg_stat_activity WHERE pid = $pid");
}

# What one of two functions does to a client that waits for an answer.
my %signals = (
	cancel => { function => 'pg_cancel_backend', sqlstate => '57014' },
	terminate => { function => 'pg_terminate_backend', sqlstate => '57P01' });

foreach my $how (sort keys %signals)
{
	my %signal = %{ $signals{$how} };
	my $statement = rows_of(slow(2000, 3000), '1h', $columns);

	foreach my $case (
		[ 'fill', $statement ],
		[ 'fill for an aggregate', "SELECT count(*) FROM ($statement) AS s" ],
		[ 'fill in the function path', $statement =~ s/FROM cached_query\((.*)\) AS t\(/FROM ROWS FROM (cached_query($1) AS (/r =~ s/\)$/)) WITH ORDINALITY/r ],
		[ 'fill for a cursor', "BEGIN; DECLARE c CURSOR FOR $statement; FETCH 1 FROM c" ],
		[ 'fill of json', q{SELECT cached_query_json($q$} . slow(2000, 3000) . q{$q$, '1h')} ],
		[ 'refresh', q{SELECT cached_query_refresh($q$} . slow(2000, 3000) . q{$q$, '1h')} ],
		# rows go out while it runs, and this client doesn't read: as many as fit the socket
		[ 'fill past max_entry_size', "SET cached_query.max_entry_size = '100kB'; " . rows_of(slow(130, 3000), '1h', $columns) ],
		[ 'fill far past max_entry_size', "SET cached_query.max_entry_size = '100kB'; SELECT count(*) FROM ($statement) AS s" ],
		[ 'run without keeping', 'SET cached_query.mode = off; ' . rows_of(slow(130, 3000), '1h', $columns) ],
		[ 'run without keeping for a cursor', "SET cached_query.mode = off; BEGIN; DECLARE c CURSOR FOR $statement; MOVE ALL FROM c" ],
		[ 'run without keeping for a cursor that goes back',
			"SET cached_query.mode = off; BEGIN; DECLARE c CURSOR FOR $statement; MOVE 700 FROM c; MOVE BACKWARD 5 FROM c; MOVE ALL FROM c" ],
		[ 'fill in a fill', rows_of("SELECT g, x FROM cached_query(\$p\$" . slow(2000, 3000)
				  . "\$p\$, '1h') AS t($columns)", '1h', $columns) ],
		[ 'read of a hit', 'SELECT count(CASE WHEN g = 1000 THEN pg_sleep(600) END) FROM ('
			  . rows_of($big, '1h', $columns) . ') AS s' ])
	{
		my ($name, $sql) = @$case;
		my $client = CachedQueryTest::Deaf->connect($node);

		$node->safe_psql('postgres', rows_of($big, '1h', $columns)) if $name eq 'read of a hit';
		$client->send($sql);
		wait_until(sub { state_of($client->pid) eq 'PgSleep' }) or die "$name: does not run";
		my $start = time();
		$node->safe_psql('postgres', "SELECT $signal{function}(" . $client->pid . ')');
		is($client->until_ready->{sqlstate}, $signal{sqlstate}, "$how: $name");
		cmp_ok(time() - $start, '<', 10, "$how: $name: at once");
		if ($how eq 'cancel')
		{
			$client->ask('ROLLBACK') if $sql =~ /\bBEGIN\b/;
			is($client->ask('SELECT 1')->{rows}, 1, "$how: $name: the session goes on");
		}
		store_is_idle($node, "$how: $name: leaves nothing");
		$client->close;
	}
	is($node->safe_psql('postgres', "SELECT count(*) FROM cached_query_entries WHERE query LIKE '%pg_sleep%'"),
		'0', "$how: no part of an answer is stored");
}

# statement_timeout, lock_timeout and an error in the middle of the rows.
my $err;
$node->psql('postgres', "SET statement_timeout = '200ms'; " . rows_of(slow(2000, 3000), '1h', $columns),
	stderr => \$err);
like($err, qr/canceling statement due to statement timeout/, 'statement_timeout in a fill');
store_is_idle($node, 'statement_timeout leaves nothing');
$node->psql('postgres', rows_of("SELECT 1000 / (2000 - g), repeat('x', 1000) FROM generate_series(1, 3000) AS g", '1h', $columns),
	stderr => \$err);
like($err, qr/ERROR:  division by zero/, 'error in a fill');
store_is_idle($node, 'error leaves nothing');
$node->psql('postgres', "SELECT 1 / (2000 - g) FROM (" . rows_of($big, '1h', $columns) . ') AS s', stderr => \$err);
like($err, qr/ERROR:  division by zero/, 'error above a hit');
store_is_idle($node, 'error above a hit leaves nothing');

# A client that does not read: the server waits to send rows of a hit.  A cancel cannot get
# through to a backend that is sending, as for any query; it acts when the client reads on.
my $sql = rows_of($big, '1h', $columns);
foreach my $statement ($sql, "COPY ($sql) TO STDOUT")
{
	my $name = $statement =~ /^COPY/ ? 'COPY' : 'SELECT';
	my $client = CachedQueryTest::Deaf->connect($node);

	$client->send($statement);
	ok(wait_until(sub { state_of($client->pid) eq 'ClientWrite' }), "$name: server waits for the client");
	# the earlier hits of this answer left an image, which is what the client gets, but not COPY
	is(store_state($node)->{pins}, $name eq 'COPY' ? 1 : 2, "$name: the answer is pinned, and its image while it is sent")
	  if defined store_state($node);
	$node->safe_psql('postgres', 'SELECT pg_cancel_backend(' . $client->pid . ')');
	is($client->until_ready->{sqlstate}, '57014', "$name: cancelled");
	is($client->ask($statement)->{rows}, 3000, "$name: the same session gets all rows then");
	store_is_idle($node, "$name: cancel leaves nothing");

	$client->send($statement);
	ok(wait_until(sub { state_of($client->pid) eq 'ClientWrite' }), "$name: server waits again");
	$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . $client->pid . ')');
	store_is_idle($node, "$name: terminate leaves nothing");
	$client->close;

	$client = CachedQueryTest::Deaf->connect($node);
	$client->send($statement);
	ok(wait_until(sub { state_of($client->pid) eq 'ClientWrite' }), "$name: and again");
	$client->close;
	store_is_idle($node, "$name: a client that hangs up leaves nothing");
}

# An entry that is cleared, evicted or replaced while somebody reads it stays until then.
my $slow_reader = CachedQueryTest::Deaf->connect($node);
$slow_reader->send($sql);
wait_until(sub { state_of($slow_reader->pid) eq 'ClientWrite' });
$node->safe_psql('postgres', 'SELECT cached_query_clear()');
$node->safe_psql('postgres', "SELECT count(*) FROM cached_query(\$q\$SELECT g, repeat('z', 900) FROM generate_series($_, $_ + 2999) AS g\$q\$, '1h') AS t($columns)")
  foreach 1 .. 20;
is($slow_reader->until_ready->{rows}, 3000, 'a reader gets all rows of an entry that is gone');
store_is_idle($node, 'and its memory is given back');

# Cursors: each way in which one can end.
my %cursor_ends = (
	'close' => "BEGIN; DECLARE c CURSOR FOR $sql; FETCH 2 FROM c; CLOSE c; COMMIT",
	'commit' => "BEGIN; DECLARE c CURSOR FOR $sql; FETCH 2 FROM c; COMMIT",
	'rollback' => "BEGIN; DECLARE c CURSOR FOR $sql; FETCH 2 FROM c; ROLLBACK",
	'error' => "BEGIN; DECLARE c CURSOR FOR $sql; FETCH 2 FROM c; SELECT 1/0",
	'savepoint' => "BEGIN; SAVEPOINT s; DECLARE c CURSOR FOR $sql; FETCH 2 FROM c; ROLLBACK TO s; COMMIT",
	'savepoint released' => "BEGIN; SAVEPOINT s; DECLARE c CURSOR FOR $sql; FETCH 2 FROM c; RELEASE s; FETCH 2 FROM c; COMMIT",
	'cursor older than the savepoint' => "BEGIN; DECLARE c CURSOR FOR $sql; FETCH 2 FROM c; SAVEPOINT s; FETCH 2 FROM c; ROLLBACK TO s; FETCH 2 FROM c; COMMIT",
	'with hold' => "BEGIN; DECLARE c CURSOR WITH HOLD FOR $sql; FETCH 2 FROM c; COMMIT; FETCH ALL FROM c",
	'scroll' => "BEGIN; DECLARE c SCROLL CURSOR FOR $sql; FETCH ALL FROM c; FETCH FIRST FROM c; FETCH BACKWARD 1 FROM c; MOVE LAST FROM c; COMMIT",
	'plpgsql loop' => "DO \$\$ DECLARE r record; BEGIN FOR r IN $sql LOOP EXIT WHEN r.g = 10; END LOOP; END \$\$",
	'plpgsql loop with commit' => "DO \$\$ DECLARE r record; BEGIN FOR r IN $sql LOOP IF r.g % 500 = 0 THEN COMMIT; END IF; END LOOP; END \$\$",
	'plpgsql error caught' => "DO \$\$ DECLARE r record; BEGIN FOR r IN $sql LOOP PERFORM 1 / (10 - r.g); END LOOP; EXCEPTION WHEN division_by_zero THEN END \$\$",
	'limit' => "SELECT * FROM ($sql) AS s LIMIT 3",
	'select list' => "SELECT (cached_query_as(NULL::pg_temp.r, \$q\$$big\$q\$, '1h')).g LIMIT 3");
foreach my $name (sort keys %cursor_ends)
{
	my $before = $name eq 'select list' ? "CREATE TEMP TABLE r ($columns); " : '';

	$node->psql('postgres', "$before$cursor_ends{$name}", stderr => \$err, on_error_stop => 0);
	is($err =~ s/^psql:.*ERROR:  //r, $name eq 'error' ? 'division by zero' : '', "cursor, $name: works");
	store_is_idle($node, "cursor, $name: leaves nothing");
}

# An idle session with a cursor open that is terminated.
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_safe("BEGIN; DECLARE c CURSOR FOR $sql; FETCH 1 FROM c");
is(store_state($node)->{pins}, 1, 'an open cursor pins its answer') if defined store_state($node);
$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . session_pid($session) . ')');
store_is_idle($node, 'terminate with a cursor open leaves nothing');
$session->{run}->finish;

my @complaints = grep { !/terminating connection due to administrator command/ } complaints($node);
is(join("\n", @complaints), '', 'nothing to complain about');
$node->stop;
done_testing();
