# Types whose output functions read catalogs, or belong to an extension: their values go out as they
# were sent before only as long as they would be written so again.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', { extra => [ '--encoding=UTF8', '--locale=C' ] }, 'cached_query.memory = 64MB', 'client_min_messages = warning');
my $client = CachedQueryTest::Deaf->connect($node);

# ---- Types made of catalogs, which the answer depends on ----

$node->safe_psql('postgres', q{
	CREATE TYPE mood AS ENUM ('sad', 'glad');
	CREATE TYPE pair AS (a int, b mood);
	CREATE DOMAIN humour AS mood;
	CREATE TYPE moods AS RANGE (subtype = mood);
	CREATE TYPE visit AS (at timestamptz, what pair, moods mood[]);
	CREATE TYPE places AS (schema regnamespace, name regclass);
	CREATE TABLE visits (a int, v visit);
	INSERT INTO visits SELECT g, ROW(timestamptz '2024-01-01 00:00+00' + g * interval '1 hour', ROW(g, 'sad')::pair, '{glad,sad}')::visit FROM generate_series(1, 500) AS g;
});
my @named = (
	[ 'enum', q{SELECT (CASE WHEN g % 2 = 0 THEN 'sad' ELSE 'glad' END)::mood, g FROM generate_series(1, 500) AS g}, 'm mood, g int' ],
	[ 'array of an enum', q{SELECT ARRAY['glad'::mood, NULL, 'sad'] FROM generate_series(1, 500)}, 'm mood[]' ],
	[ 'domain of an enum', q{SELECT 'glad'::humour FROM generate_series(1, 500)}, 'm humour' ],
	[ 'range of an enum', q{SELECT moods('sad', 'glad', '[]'), multirange(moods('sad', NULL)) FROM generate_series(1, 500)}, 'm moods, n moods_multirange' ],
	[ 'composite', q{SELECT v, ARRAY[v] FROM visits}, 'v visit, w visit[]' ],
	[ 'row of a table', q{SELECT r FROM visits AS r}, 'r visits' ]);

foreach my $case (@named)
{
	my ($name, $query, $list) = @$case;

	foreach my $zone ('UTC', 'Asia/Kolkata')
	{
		$client->ask("SET TimeZone = '$zone'");
		cmp_ok(same_bytes($client, rows_of($query, '1h', $list), $_, "$name, $zone"), '>=', 2, 'from an image') foreach undef, [0], [1];
	}
}
$client->ask('RESET TimeZone');
is(same_bytes($client, rows_of(q{SELECT ROW('public', 'visits')::places FROM visits}, '1h', 'p places'), undef, 'composite with a name in it'), 0, 'a name has no image');
foreach my $change (
	q{ALTER TYPE mood RENAME VALUE 'sad' TO 'very sad'}, q{ALTER TYPE mood RENAME VALUE 'very sad' TO 'sad'},
	q{ALTER TYPE mood ADD VALUE 'so so' BEFORE 'glad'}, q{ALTER TYPE visit ADD ATTRIBUTE duration interval},
	q{ALTER TYPE visit DROP ATTRIBUTE moods}, q{ALTER TABLE visits ADD COLUMN b text DEFAULT 'b'})
{
	$node->safe_psql('postgres', $change);
	foreach my $case (@named)
	{
		my ($name, $query, $list) = @$case;

		$query =~ s/'sad'/'very sad'/g if $change =~ /TO 'very sad'/;
		cmp_ok(same_bytes($client, rows_of($query, '1h', $list), undef, "$name after $change"), '>=', 2, 'from a new image');
	}
}

# A session that has not heard of a new label makes no image of the old one: it is in a transaction,
# all that it needs is in its caches, and the answer of after the change is there.
my $labels = rows_of(q{SELECT m.* FROM generate_series(1, 20), unnest(enum_range(NULL::mood)) AS m}, '1h', 'm mood');
my $late = CachedQueryTest::Deaf->connect($node);
my $old = do { $late->ask('BEGIN'); $late->raw($labels); $late->raw($labels); $late->raw($labels) };
$node->safe_psql('postgres', q{ALTER TYPE mood RENAME VALUE 'glad' TO 'very glad'});
$client->raw($labels);
$late->raw($labels) foreach 1 .. 4;
my $new = $client->raw($labels);
unlike($new, qr/\x00\x00\x00\x04glad/, 'no old label');
like($new, qr/very glad/, 'the new one');
$late->ask('COMMIT');
cmp_ok(same_bytes($client, $labels, undef, 'after a session that was late'), '>=', 2, 'from an image');

# Nor is one made of labels that are not committed.
$late->ask(q{BEGIN; ALTER TYPE mood RENAME VALUE 'very glad' TO 'too glad'});
$late->raw($labels) foreach 1 .. 4;
cmp_ok(same_bytes($client, $labels, undef, 'while a label is being changed'), '>=', 2, 'from an image');
$late->ask('ROLLBACK');
cmp_ok(same_bytes($client, $labels, undef, 'after a label was not changed'), '>=', 2, 'from an image');
$late->close;

# ---- Types of extensions ----

# IMMUTABLE output functions are believed, but for the settings; others not.
SKIP:
{
	skip 'needs contrib', 1 if $node->psql('postgres', 'CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION cube') != 0;

	my $hstore = rows_of(q{SELECT hstore('k', g::text), 'Text'::citext FROM generate_series(1, 500) AS g}, '1h', 'h hstore, c citext');
	my $cube = rows_of(q{SELECT cube(g / 3.0::float8), g FROM generate_series(1, 500) AS g}, '1h', 'c cube, g int');

	cmp_ok(same_bytes($client, $hstore, $_, 'hstore and citext'), '>=', 2, 'from an image') foreach undef, [ 1, 0 ];
	is(same_bytes($client, $hstore, [1], 'citext, binary'), 0, 'its send function is STABLE');
	foreach my $digits (1, -10, 1)
	{
		$client->ask("SET extra_float_digits = $digits");
		cmp_ok(same_bytes($client, $cube, undef, "cube, extra_float_digits $digits"), '>=', 2, 'from an image');
	}
	$client->ask('RESET extra_float_digits');
	$node->safe_psql('postgres', 'ALTER FUNCTION hstore_out(hstore) STABLE');
	is(same_bytes($client, $hstore, undef, 'STABLE output function'), 0, 'no image');
	is(same_bytes($client, $hstore, [0], 'STABLE output function, text form'), 0, 'no image');
	$node->safe_psql('postgres', 'ALTER FUNCTION citextsend(citext) IMMUTABLE');
	cmp_ok(same_bytes($client, $hstore, [1], 'IMMUTABLE send function'), '>=', 2, 'from an image');
}

store_is_idle($node, 'nothing pinned, nothing lost');
log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
