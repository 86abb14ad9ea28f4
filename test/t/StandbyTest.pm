# StandbyTest.pm - what tests of exact results on a standby share: sessions that stay open, waiting for replay, and
# asking which results are still there.

package StandbyTest;

use strict;
use warnings;

use CachedQueryTest;
use Exporter 'import';
use Test::More;

our @EXPORT = qw(ask_on sql forget_session catch_up asked voids in_blocks end_of);

# The servers, and queries by their names.
my ($primary, $standby, $query);

sub ask_on
{
	($primary, $standby, $query) = @_;
	return;
}

# A session that is kept for all that follows; of a server that was started anew, a new one.
my %session;

sub sql
{
	my ($node, $sql) = @_;
	my $session = $session{ $node->name } ||= $node->background_psql('postgres');

	return $session->query_safe($sql);
}

sub forget_session
{
	my ($node) = @_;

	$session{ $node->name }->quit if $session{ $node->name };
	delete $session{ $node->name };
	return;
}

# Waits until what the primary has done is replayed.
sub catch_up
{
	my ($node) = @_;
	my $lsn = sql($primary, 'SELECT pg_current_wal_insert_lsn()');

	sql($node, qq{DO \$\$ BEGIN WHILE pg_last_wal_replay_lsn() < '$lsn' LOOP PERFORM pg_sleep(0.002); END LOOP; END \$\$});
	return;
}

# Asks for some of them, by the cache and directly; the names of hits, and of those whose answers differ.
sub asked
{
	my ($node, $auto, @wanted) = @_;
	my $script = '';
	my (@hits, @wrong);

	foreach my $name (@wanted)
	{
		my $call = $auto ? $query->{$name} : rows_of($query->{$name}, '1h', 'a text');
		my $set = $auto ? 'SET cached_query.auto = exact; SET cached_query.auto_min_time = 0;' : '';

		$script .= "RESET ALL; SET cached_query.consistency = exact; SELECT hits FROM cached_query_stats; BEGIN ISOLATION LEVEL REPEATABLE READ; $set\n"
		  . "$call; SET LOCAL cached_query.auto = off; $query->{$name}; COMMIT; SELECT hits FROM cached_query_stats;\n";
	}
	my @lines = split /\n/, sql($node, $script);
	foreach my $name (@wanted)
	{
		my ($before, $cached, $direct, $after) = splice @lines, 0, 4;

		push @hits, $name if $after > $before;
		push @wrong, "$name: cached $cached, direct $direct" if $cached ne $direct;
	}
	return (join(' ', @hits), join(', ', @wrong));
}

# What the primary does voids the results named here on a standby, and no other one.  What makes files or definitions
# may share a slot with others by chance; with again => 1 it is tried again then.
sub voids
{
	my ($what, $sql, $voided, %options) = @_;
	my %void = map { $_ => 1 } split / /, $voided;
	my $auto = $options{auto};
	my @of = grep { !$auto || !/^(none|total)$/ } sort keys %$query; # those without FROM are no candidates
	my $wanted = join(' ', grep { !$void{$_} } @of) . '; ';
	my $got = '';

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	foreach (1 .. ($options{again} ? 3 : 1))
	{
		asked($standby, $auto, @of);
		if ($options{database} || $sql =~ /STDIN/)
		{
			$primary->safe_psql($options{database} || 'postgres', $sql);
		}
		else
		{
			sql($primary, "$sql;\nRESET ALL");
		}
		catch_up($standby);
		$got = join('; ', asked($standby, $auto, @of));
		last if $got eq $wanted;
	}
	is($got, $wanted, $what);
	return;
}

# A block with this many subtransactions.
sub in_blocks
{
	my ($count, $statement, $end) = @_;

	return "DO \$\$ BEGIN FOR i IN 1..$count LOOP BEGIN $statement; EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; $end END \$\$";
}

# It is stopped, and has nothing to complain about.
sub end_of
{
	my ($node) = @_;

	forget_session($node);
	store_is_idle($node, 'nothing pinned, nothing lost: ' . $node->name);
	is(join("\n", grep { !/pg_tblspc/ } complaints($node)), '', 'nothing to complain about: ' . $node->name);
	$node->stop;
	return;
}

1;
