# Foreign tables, by postgres_fdw to the server itself and by file_fdw: whose rows they are, own writes
# through them, how old they are, and settings; tables of another access method and plan nodes of
# other modules likewise.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main');

foreach my $library (qw(postgres_fdw file_fdw))
{
	next if -e $node->config_data('--pkglibdir') . "/$library.so";
	$node->stop;
	plan skip_all => "needs $library";
}

my ($host, $port) = ($node->host, $node->port);

$node->safe_psql('postgres', qq{
	CREATE ROLE r_a LOGIN; CREATE ROLE r_b LOGIN; CREATE ROLE f_a; CREATE ROLE f_b; CREATE ROLE f_none;
	CREATE TABLE remote (owner name, v int);
	INSERT INTO remote VALUES ('r_a', 1), ('r_b', 2), ('r_b', 3);
	CREATE TABLE remote_other (v int);
	CREATE VIEW remote_sum AS SELECT sum(v)::int AS v FROM remote_other;
	ALTER TABLE remote ENABLE ROW LEVEL SECURITY;
	CREATE POLICY own ON remote USING (owner = current_user);
	GRANT ALL ON remote, remote_other, remote_sum TO r_a, r_b;
	CREATE EXTENSION postgres_fdw; CREATE EXTENSION file_fdw;
	CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
	CREATE USER MAPPING FOR f_a SERVER loop OPTIONS (user 'r_a', password_required 'false');
	CREATE USER MAPPING FOR f_b SERVER loop OPTIONS (user 'r_b', password_required 'false');
	CREATE USER MAPPING FOR CURRENT_USER SERVER loop;
	CREATE FOREIGN TABLE ft (owner name, v int) SERVER loop OPTIONS (table_name 'remote');
	CREATE FOREIGN TABLE ft_other (v int) SERVER loop OPTIONS (table_name 'remote_other');
	CREATE FOREIGN TABLE ft_sum (v int) SERVER loop OPTIONS (table_name 'remote_sum');
	CREATE TABLE part (v int) PARTITION BY LIST (v);
	CREATE FOREIGN TABLE part_f PARTITION OF part FOR VALUES IN (1) SERVER loop OPTIONS (table_name 'remote_other');
	CREATE TABLE part_l PARTITION OF part FOR VALUES IN (2);
	CREATE VIEW fv AS SELECT * FROM ft;
	CREATE FUNCTION ff() RETURNS bigint LANGUAGE plpgsql STABLE AS \$\$ BEGIN RETURN (SELECT count(*) FROM ft); END \$\$;
	GRANT ALL ON ft, fv, ft_other, part TO f_a, f_b, f_none;
	-- the owner of fv is a superuser: to him the policy does not apply
});

# ---- Whose rows they are ----

foreach my $from (qw(ft), 'ft AS a JOIN ft AS b USING (v)', '(SELECT * FROM ft) AS s')
{
	my $call = rows_of("SELECT count(*) FROM $from", '1h', 'n bigint');

	foreach my $order ([qw(f_a f_b f_none f_a f_b)], [qw(f_b f_a f_none f_b)])
	{
		$node->safe_psql('postgres', 'SELECT cached_query_clear()');
		foreach my $role (@$order)
		{
			my ($direct, $cached) = map { my ($out, $err); $node->psql('postgres', "SET ROLE $role; $_", stdout => \$out, stderr => \$err); $out . ($err =~ /ERROR:  (.*)/ ? $1 : '') } "SELECT count(*) FROM $from", $call;

			is($cached, $direct, "$from: $role gets own rows or error ($direct)");
		}
	}
}
my $ff = rows_of('SELECT ff()', '1h', 'n bigint');
is($node->safe_psql('postgres', "SET ROLE $_; $ff"), $node->safe_psql('postgres', "SET ROLE $_; SELECT ff()"), "a function that reads it: $_") foreach qw(f_a f_b);
like((outcome_of($node, "SET ROLE f_a; $_; $_"))[0], qr/hit/, 'it is cached for one role') foreach rows_of('SELECT v FROM ft', '1h', 'v int');

# ---- Own writes ----

my %reads = (
	ft => rows_of('SELECT count(*) FROM ft', '1h', 'n bigint'),
	other => rows_of('SELECT count(*) FROM ft_other', '1h', 'n bigint'),
	'a view on the other server' => rows_of('SELECT v FROM ft_sum', '1h', 'v int'),
	partitioned => rows_of('SELECT count(*) FROM part', '1h', 'n bigint'),
	'a function' => rows_of('SELECT (SELECT count(*) FROM ft_other), ff()', '1h', 'n bigint, m bigint'));
my %direct = (ft => 'SELECT count(*) FROM ft', other => 'SELECT count(*) FROM ft_other', 'a view on the other server' => 'SELECT v FROM ft_sum',
	partitioned => 'SELECT count(*) FROM part', 'a function' => 'SELECT (SELECT count(*) FROM ft_other), ff()');
my %writes = (
	INSERT => q{INSERT INTO ft VALUES ('r_a', 9); INSERT INTO ft_other VALUES (1);},
	UPDATE => q{UPDATE ft SET v = v + 1; UPDATE ft_other SET v = 1;},
	DELETE => q{DELETE FROM ft; DELETE FROM ft_other;},
	TRUNCATE => q{TRUNCATE ft_other; TRUNCATE ft;},
	COPY => qq{COPY ft_other FROM stdin;\n1\n\\.\n},
	'a writing CTE' => q{WITH w AS (INSERT INTO ft_other VALUES (1) RETURNING 1) SELECT count(*) FROM w;},
	'a partition' => q{INSERT INTO part VALUES (1);},
	'a row that moves to a partition' => q{UPDATE part SET v = 1 WHERE v = 2;},
	'a prepared statement' => q{PREPARE p AS INSERT INTO ft_other VALUES (1); EXECUTE p;},
	'a function' => q{DO 'BEGIN INSERT INTO ft_other VALUES (1); END';},
	'another table of the server' => q{INSERT INTO ft_other VALUES (1);});

$node->safe_psql('postgres', 'INSERT INTO remote_other VALUES (1); INSERT INTO part_l VALUES (2)');
foreach my $write (sort keys %writes)
{
	foreach my $filled (0, 1)
	{
		my @reads = sort keys %reads;
		my @answers;

		$node->safe_psql('postgres', 'SELECT cached_query_clear();' . ($filled ? join ';', @reads{@reads} : ''));
		foreach my $which (\%direct, \%reads)
		{
			push @answers, $node->safe_psql('postgres', "BEGIN;\n$writes{$write}\n" . join('; ', map { $which->{$_} } @reads) . "; ROLLBACK;");
		}
		is($answers[1], $answers[0], "$write, " . ($filled ? 'filled before' : 'not filled') . ': own writes are seen');
		is($node->safe_psql('postgres', join '; ', @reads{@reads}), $node->safe_psql('postgres', join '; ', @direct{@reads}), '... and nothing of them is kept');
	}
}

# Also after a savepoint, and the next transaction hits again.
my $call = $reads{other};
my $s = $node->background_psql('postgres', on_error_stop => 1);

$s->query_safe($call);
$s->query_safe('BEGIN; SAVEPOINT a; INSERT INTO ft_other VALUES (1); RELEASE a');
is($s->query_safe($call), '2', 'after a savepoint: seen');
$s->query_safe('ROLLBACK');
is($s->query_safe($call), '1', 'after the transaction: as before');
is((outcome_of($node, $call))[0], 'hit', '... from the cache');

# A write to an ordinary table is none of these.
is((outcome_of($node, "BEGIN; INSERT INTO remote_other VALUES (5); $call; ROLLBACK"))[0], 'hit', 'a write to an ordinary table does not matter');

# ---- Age ----

# The other server's snapshot is of the transaction's first read there.
$s->query_safe('SELECT cached_query_clear()');
$s->query_safe('BEGIN; SELECT count(*) FROM ft_sum');
$node->safe_psql('postgres', 'INSERT INTO remote_other VALUES (1)');
sleep 2;
is($s->query_safe($call), '1', 'the transaction keeps the snapshot of its first remote read');
$s->query_safe('COMMIT');
is($node->safe_psql('postgres', rows_of('SELECT count(*) FROM ft_other', '1s', 'n bigint')), '2', '... and its answer is as old as the transaction');
$node->safe_psql('postgres', 'DELETE FROM remote_other WHERE ctid = (SELECT max(ctid) FROM remote_other)');
$s->quit;

# ---- Settings ----

my $file = $node->basedir . '/dates.csv';

append_to_file($file, "2020-03-04\n05/06/2020\n");
$node->safe_psql('postgres', "CREATE SERVER files FOREIGN DATA WRAPPER file_fdw; CREATE FOREIGN TABLE dates (d date) SERVER files OPTIONS (filename '$file')");
$call = rows_of('SELECT extract(month FROM d)::int FROM dates', '1h', 'm int');
foreach my $style ('ISO, MDY', 'ISO, DMY', 'ISO, MDY')
{
	is($node->safe_psql('postgres', "SET DateStyle = '$style'; $call"), $style =~ /MDY/ ? "3\n5" : "3\n6", "file_fdw: DateStyle $style");
}
is($node->safe_psql('postgres', "SET cached_query.consistency = exact; SELECT (cached_query_explain('SELECT d FROM dates')).reason"), 'dep_foreign_table', 'never exact');

# ---- Other access methods ----

$node->safe_psql('postgres', 'CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler; CREATE TABLE by_method (v int) USING heap2; CREATE ROLE other; GRANT SELECT ON by_method TO other');
$call = rows_of('SELECT count(*) FROM by_method', '1h', 'n bigint');
is((outcome_of($node, "$call; BEGIN; INSERT INTO by_method VALUES (1); $call; ROLLBACK; $call"))[0], 'hit, miss_cold, own_write', 'another access method: own writes are seen');
is((outcome_of($node, "SET ROLE other; $call"))[0], 'miss_cold', '... and its rows are kept for a role');

log_is_quiet($node, 'quiet');
store_is_idle($node, 'idle');
$node->stop;
done_testing();
