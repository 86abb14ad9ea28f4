# Transaction ids above 2 to the 31st, and across an epoch: after a crash, on a standby that was copied
# while definitions changed, and after its promotion answers are stored, found and void as ever.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my @settings = ({ allows_streaming => 1 }, 'max_prepared_transactions = 50', 'max_connections = 60', 'track_functions = none',
	'jit = off', 'log_min_messages = warning');
my $call = rows_of('SELECT a FROM t', '1h', 'a int');

# Stored, found, and void after a change of the definition.
sub works
{
	my ($name, $reader, $writer) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$reader->safe_psql('postgres', $call);
	is((outcome_of($reader, $call))[0], 'hit', "$name: an answer is kept");
	return unless $writer;
	$writer->safe_psql('postgres', 'ALTER TABLE t ALTER a TYPE int USING a + 1');
	$writer->wait_for_catchup($reader) if $writer != $reader;
	isnt((outcome_of($reader, $call))[0], 'hit', "$name: ... until its table is changed");
	is((outcome_of($reader, $call))[1], $reader->safe_psql('postgres', 'SELECT a FROM t'), "$name: ... with rows of now");
	is((outcome_of($reader, $call))[0], 'hit', "$name: ... that are kept again");
	return;
}

sub next_xid
{
	my ($node) = @_;

	return $node->safe_psql('postgres', 'SELECT pg_current_xact_id()');
}

# A standby, copied while definitions change.
sub copy
{
	my ($primary, $name) = @_;
	my $ddl = $primary->background_psql('postgres');

	$ddl->{stdin} .= q{SELECT format('CREATE TABLE d%s (a int)', g), pg_sleep(0.01), format('ALTER TABLE d%s ADD b int', g), format('CREATE FUNCTION d%s() RETURNS int LANGUAGE sql AS $$SELECT 1$$', g) FROM generate_series(1, 200) AS g \gexec} . "\n";
	$ddl->{run}->pump_nb;
	$primary->backup($name);
	$ddl->quit;
	$primary->safe_psql('postgres', q{SELECT format('DROP TABLE d%s; DROP FUNCTION d%s()', g, g) FROM generate_series(1, 200) AS g \gexec});
	my $standby = PostgreSQL::Test::Cluster->new($name);
	$standby->init_from_backup($primary, $name, has_streaming => 1);
	$standby->start;
	$primary->wait_for_catchup($standby);
	return $standby;
}

# The definitions are replayed after the restart.
sub crash
{
	my ($node, $writer) = @_;

	$writer->safe_psql('postgres', 'CREATE TABLE crashed (a int); DROP TABLE crashed');
	$node->stop('immediate');
	$node->start;
	return;
}

foreach my $case (
	[ 'high', 2_200_000_000, sub { cmp_ok($_[0], '<', 2**32, 'high: in the first epoch') } ],
	[ 'epoch', 2**32 - 2_000, sub { cmp_ok($_[0], '>', 2**32, 'epoch: in the second epoch') } ])
{
	my ($name, $xid, $at_end) = @$case;
	my $primary = start_node_at_xid($name, $xid, @settings);

	cmp_ok(next_xid($primary), '>=', $xid, "$name: the counter stands there");
	# first: their tables' OIDs, and so their slots, are the same each time
	run_regress($primary, qw(basic exact invalidation transactions));
	$primary->safe_psql('postgres', 'CREATE TABLE t (a int); INSERT INTO t VALUES (1)');
	works("$name, at first", $primary, $primary);
	crash($primary, $primary);
	works("$name, after a crash", $primary, $primary);

	my $standby = copy($primary, "${name}_standby");
	works("$name, on a standby", $standby, $primary);
	check_exact($primary, "$name, exact", [], '--seconds', 12);
	works("$name, after the checker", $primary, $primary);
	$primary->wait_for_catchup($standby);
	works("$name, on the standby again", $standby, $primary);
	$primary->wait_for_catchup($standby);
	crash($standby, $primary);
	$primary->wait_for_catchup($standby);
	works("$name, after a crash of the standby", $standby, $primary);
	$at_end->(next_xid($primary));
	crash($primary, $primary);
	works("$name, after another crash", $primary, $primary);
	$standby->promote;
	works("$name, promoted", $standby, $standby);
	check_exact($standby, "$name, promoted, exact", [], '--seconds', 5);
	store_is_idle($_, "$name: nothing is left pinned") foreach $primary, $standby;
	$_->stop foreach $standby, $primary;
}

# ---- A word that no transaction can have listed ----

my $node = start_node_at_xid('damaged', 2_200_000_000, 'log_min_messages = warning');

SKIP:
{
	skip 'needs a build with CQ_DEBUG', 24 unless defined store_state($node);
	$node->safe_psql('postgres', q{CREATE TABLE t (a int); INSERT INTO t VALUES (1);
		CREATE FUNCTION list_word(bigint) RETURNS void AS '$libdir/cached_query', 'cached_query_list_word' LANGUAGE C});
	foreach my $xid ('1', '3', '52516352', '2300000000', '4294967301', '576460752303423488')
	{
		$node->safe_psql('postgres', "SELECT list_word($xid)");
		works("a damaged word, $xid", $node, $node);
	}
}
$node->stop;
done_testing();
