# Images under pressure: little memory, several sessions with several formats and settings, and
# entries that are refreshed, invalidated and cleared meanwhile.  Each answer is the right one, byte
# for byte, and what is left in the end adds up.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $node = start_node('main', { extra => [ '--encoding=UTF8', '--locale=C' ] }, 'cached_query.memory = 8MB', 'log_statement = none');

sub stats
{
	my ($what) = @_;

	return $node->safe_psql('postgres', "SELECT $what FROM cached_query_stats");
}

sub call
{
	my ($number, $rows) = @_;

	return rows_of("SELECT $number + g, 'text ' || g, timestamptz '2024-01-01 00:00+00' + g * interval '1 day' FROM generate_series(1, $rows) AS g",
		'1h', 'a int, b text, c timestamptz');
}

# ---- Images go first ----

my $client = CachedQueryTest::Deaf->connect($node);

foreach my $number (1 .. 12)
{
	$client->raw(call($number, 4000)) foreach 1 .. 3;
}
my ($entries, $images) = split /\|/, stats('entries, images');
is("$entries|" . stats('evictions'), '12|0', 'twelve answers are kept');
cmp_ok($images, '>', 5, "and $images images");
my $many = 0;
while (stats('images') > 0 && $many < 300)
{
	$many++;
	$client->ask(call(100 + $many, 1500) =~ s/\*/count(*)/r);
}
is(stats('images, evictions'), '0|0', "$many new answers take the images' place and no other's");
is(stats('entries'), 12 + $many, 'all answers are there');

# Memory is full of good answers: an image does not take their place.
foreach (1 .. 200)
{
	last if stats('evictions') > 0;
	$client->ask(call(1000 + $_, 1500) =~ s/\*/count(*)/r);
}
cmp_ok(stats('evictions'), '>', 0, 'full');
($entries, my $evictions) = split /\|/, stats('entries, evictions');
my $last = call(2000, 4000);
$client->raw($last);
($entries, $evictions) = split /\|/, stats('entries, evictions');
my @got = map { $client->raw($last) } 1 .. 6;
is(scalar(grep { $_ ne $got[0] } @got), 0, 'hits');
is(stats('entries, evictions'), "$entries|$evictions", 'no answer was evicted for an image');

# What has expired may go.
$node->safe_psql('postgres', 'SELECT cached_query_clear()');
foreach (1 .. 200)
{
	last if stats('expirations') > 0;
	$client->ask(call(3000 + $_, 1500) =~ s/\*/count(*)/r =~ s/1h/100ms/r);
	$client->ask('SELECT pg_sleep(0.11)') if stats('memory_used > 0.9 * memory_total') eq 't';
}
$client->raw($last) foreach 1 .. 4;
cmp_ok(stats('images'), '>', 0, 'an image takes the place of what has expired');
store_is_idle($node, 'nothing pinned, nothing lost');

# ---- The storm ----

my @calls = map { call(5000 + $_, (1, 4, 300, 2000, 6000)[ $_ % 5 ]) } 1 .. 15;
my @forms = (
	[ '', undef ], [ '', [1] ], [ '', [ 0, 1, 0 ] ], [ "SET TimeZone = 'Asia/Kolkata'", [0] ],
	[ "SET DateStyle = 'German'", undef ], [ "SET client_encoding = 'LATIN1'", undef ]);
my (@want, @children);
my $before = stats('image_hits');
my $seconds = $ENV{STORM_SECONDS} || 10;
my $stop = $node->basedir . '/stop';

sub ask
{
	my ($session, $call, $form) = @_;

	return defined $form->[1] ? $session->raw_extended($call, $form->[1]) : $session->raw($call);
}

foreach my $f (0 .. $#forms)
{
	my $session = CachedQueryTest::Deaf->connect($node);

	$session->ask($forms[$f][0]) if $forms[$f][0] ne '';
	$session->ask('SET cached_query.mode = off');
	push @{ $want[$f] }, ask($session, $_, $forms[$f]) foreach @calls;
	$session->close;
}
foreach my $child (0 .. 6)
{
	my $pid = fork();

	die 'fork failed' unless defined $pid;
	push @children, $pid;
	next if $pid != 0;

	my $session = CachedQueryTest::Deaf->connect($node);
	my $f = $child % @forms;
	my ($wrong, $asked) = (0, 0);

	srand($child);
	$session->ask($forms[$f][0]) if $forms[$f][0] ne '';
	until (-e $stop || getppid() == 1)
	{
		my $c = int(rand(@calls));

		if ($child == 6)
		{
			# this one disturbs
			my $what = int(rand(4));

			$session->ask('SELECT cached_query_clear()') if $what == 0 && rand() < 0.2;
			$session->ask("SET cached_query.mode = refresh; $calls[$c]; RESET cached_query.mode") if $what == 1;
			$session->ask(call(int(rand(1e6)), 500)) if $what == 2;
			my ($query) = $calls[$c] =~ /(\$q\$.*\$q\$)/;
			$session->ask("SELECT cached_query_invalidate($query)") if $what == 3;
			sleep 0.02;
			next;
		}
		$asked++;
		$wrong++ if ask($session, $calls[$c], $forms[$f]) ne $want[$f][$c];
	}
	POSIX::_exit($wrong > 0 ? 1 : 0);
}
my $end = time() + $seconds;
ok(wait_until(sub { time() > $end && stats('image_hits') - $before > 100 }), 'many answers from images');
append_to_file($stop, '');
my $failed = 0;
foreach my $pid (@children)
{
	waitpid($pid, 0);
	$failed++ if $? != 0;
}
is($failed, 0, 'each session got the right bytes each time');
note 'hits from images: ' . (stats('image_hits') - $before) . ', ' . stats('hits') . ' hits in all';
store_is_idle($node, 'nothing pinned, nothing lost');
$node->safe_psql('postgres', 'SELECT cached_query_clear()');
is(stats('entries, images, image_memory, memory_used'), '0|0|0|0', 'all memory comes back');
log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
