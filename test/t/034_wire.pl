# Rows as they were sent before: whatever a client receives is the same byte for byte, be it sent by
# the query itself, from tuples, while an image is made, or from the image.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $node = start_node('main', { extra => [ '--encoding=UTF8', '--locale=C' ] }, 'cached_query.memory = 64MB', "client_min_messages = warning");

sub stat_of
{
	my ($what) = @_;

	return $node->safe_psql('postgres', "SELECT $what FROM cached_query_stats");
}

# ---- Every built-in type ----

# Values by type; the types that read catalogs have no image, nor has what is not listed.
my %values = (
	bool => [qw(t f)], char => [qw(a z)], name => [qw(a b)], int2 => [qw(-1 32767)], int4 => [qw(-1 7)],
	int8 => [qw(-1 9223372036854775807)], oid => [qw(1 4294967295)], tid => ['(1,2)'], xid => [7], xid8 => [77],
	cid => [3], int2vector => ['1 2'], oidvector => ['1 2'], text => [ 'plain', "Gr\x{c3}\x{bc}\x{c3}\x{9f}e", '' ],
	varchar => ["na\x{c3}\x{af}ve"], bpchar => ['x  '], numeric => [qw(1.50 -1e30 NaN Infinity 0.00001)],
	uuid => ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'], json => ['{"a": [1, 2.50]}'], jsonb => ['{"b": {"c": null}, "a": 1.20}'],
	jsonpath => ['$.a[*] ? (@ > 1)'], inet => ['192.168.0.1/24'], cidr => ['10.0.0.0/8'], macaddr => ['08:00:2b:01:02:03'],
	macaddr8 => ['08:00:2b:01:02:03:04:05'], bit => ['1'], varbit => ['10110'], tsvector => [q{'a':1A 'fat':2,4C}],
	tsquery => [q{'fat' & 'rat':AB}], pg_lsn => ['16/B374D848'], pg_snapshot => ['10:20:10,14'], refcursor => ['c'],
	date => [qw(2024-02-03 infinity 0044-03-15BC)], time => ['01:02:03.456'], timetz => ['01:02:03+05:30'],
	timestamp => [ '2024-02-03 04:05:06.789', '-infinity' ], timestamptz => [ '2024-07-03 04:05:06.789+02', '1890-01-01 00:00:00+00' ],
	interval => [ '1 year -2 mons +3 days 04:05:06.7', '-1 day' ], float4 => [qw(1.1 3.4028235e38 NaN)],
	float8 => [qw(0.1 1e-300 0.30000000000000004 -Infinity)], point => ['(1.1,2.2)'], lseg => ['[(1,2),(3.3,4)]'],
	path => ['((1,2),(3.3,4))'], box => ['(3.3,4),(1,2)'], polygon => ['((1,2),(3.3,4),(5,6))'], line => ['{1.1,2,3}'],
	circle => ['<(1.1,2),3>'], bytea => [ '\x00ff10', '\x' ], money => [ '1234.56', '-0.5' ], xml => ['<a b="c">d</a>'],
	int4range => [ '[1,5)', 'empty' ], int8range => ['[1,)'], numrange => ['(1.5,2.50]'], daterange => ['[2024-01-01,2024-02-03)'],
	tsrange => ['["2024-01-01 00:00:00","2024-02-03 04:05:06")'], tstzrange => ['["2024-01-01 00:00:00+00",)'],
	int4multirange => ['{[1,5),[7,9)}'], int8multirange => ['{[1,5)}'], nummultirange => ['{[1.5,2.5)}'],
	datemultirange => ['{[2024-01-01,2024-02-03)}'], tsmultirange => ['{["2024-01-01 00:00:00","2024-02-03 04:05:06")}'],
	tstzmultirange => ['{["2024-01-01 00:00:00+00",)}']);
my %no_image = (
	regclass => ['pg_class'], regproc => ['pg_size_pretty_not'], regprocedure => ['abs(integer)'], regoper => ['!~~*'],
	regoperator => ['+(integer,integer)'], regtype => ['integer'], regrole => ['pg_monitor'], regnamespace => ['pg_catalog'],
	regconfig => ['english'], regdictionary => ['simple'], regcollation => ['"C"'], txid_snapshot => ['10:20:10,14'], aclitem => ['=r/pg_monitor']);

$no_image{regproc} = ['now'];
%no_image = (%no_image, oid8 => ['12345678901'], regdatabase => ['postgres'])
  if $node->safe_psql("postgres", "SHOW server_version_num") >= 190000;
my @types = split /\n/, $node->safe_psql('postgres', q{SELECT typname FROM pg_type
	WHERE typtype IN ('b', 'r', 'm') AND typnamespace = 'pg_catalog'::regnamespace AND typelem = 0 OR typname IN ('int2vector', 'oidvector', 'point', 'lseg', 'box', 'line', 'name') ORDER BY 1});
my @untested = grep { !$values{$_} && !$no_image{$_} && !/^(pg_node_tree|pg_ndistinct|pg_dependencies|pg_mcv_list|pg_brin.*|gtsvector|pg_ddl_command)$/ } @types;

is("@untested", '', 'no built-in type is forgotten');

my @settings = (
	'', "SET DateStyle = 'German'; SET IntervalStyle = 'iso_8601'; SET TimeZone = 'America/New_York'; SET extra_float_digits = -5; SET bytea_output = 'escape'; SET xmlbinary = 'hex'",
	"SET DateStyle = 'SQL, DMY'; SET TimeZone = 'Asia/Kolkata'; SET IntervalStyle = 'sql_standard'; SET extra_float_digits = 0");
my $client = CachedQueryTest::Deaf->connect($node);
my (%imaged, %expected);

foreach my $array ('', '[]')
{
	foreach my $type (grep { !$array || ($_ ne 'int2vector' && $_ ne 'oidvector' && $_ ne 'gtsvector') } sort keys %values, sort keys %no_image)
	{
		my $name = $type eq 'char' ? '"char"' : $type;
		my @literals = map { my $v = $_; $v =~ s/'/''/g; "'$v'::$name" } @{ $values{$type} || $no_image{$type} };
		my @rows = (map { my $v = $array ? "ARRAY[$_, NULL, $_]" : $_; "($v)" } @literals, @literals, @literals, @literals);
		my $list = join ', ', @rows, '(NULL)', ('(NULL)') x (@rows < 8 ? 8 - @rows : 0);
		my $call = rows_of("SELECT v::$name$array FROM (VALUES $list) AS x(v)", '1h', "v $name$array");
		my $binary = $node->safe_psql('postgres', qq{SELECT count(*) FROM pg_type WHERE typname = '$type' AND typsend <> 0});
		my ($images, $asked) = (0, 0);

		foreach my $settings (@settings)
		{
			$client->ask('RESET ALL');
			$client->ask($settings) if $settings ne '';
			foreach my $formats (undef, [0], $binary ? [1] : ())
			{
				$images += same_bytes($client, $call, $formats, "$name$array, " . (defined $formats ? "format $formats->[0]" : 'simple') . ", settings '$settings'");
				$asked += 5;
			}
		}
		$imaged{"$name$array"} = $images > 0 ? 1 : 0;
		$expected{"$name$array"} = $values{$type} ? 1 : 0;
	}
}
is_deeply(\%imaged, \%expected, 'these types have images, and those have none');
$client->ask('RESET ALL');

# ---- What else there is ----

$node->safe_psql('postgres', q{
	CREATE TABLE wide (a int, b text, c numeric, d timestamptz, e float8);
	INSERT INTO wide SELECT g, 'text ' || g || repeat('x', g % 300), g / 7.0, '2024-01-01 00:00+00'::timestamptz + g * interval '1 hour', g / 3.0 FROM generate_series(1, 20000) AS g;
	CREATE TABLE taken (a int);
	CREATE DOMAIN age AS int CHECK (VALUE >= 0);
	CREATE DOMAIN ages AS age[];
});
my $columns = 'a int, b text, c numeric, d timestamptz, e float8';
my $wide = rows_of('SELECT * FROM wide', '1h', $columns);
my $formats = [ 0, 1, 0, 1, 0 ];

cmp_ok(same_bytes($client, $wide, undef, 'many rows, simple'), '>=', 2, 'from an image');
cmp_ok(same_bytes($client, $wide, [], 'many rows, no formats'), '>=', 2, 'from an image');
cmp_ok(same_bytes($client, $wide, $formats, 'many rows, mixed formats'), '>=', 2, 'from an image');
cmp_ok(same_bytes($client, $wide =~ s/\*/d, a, b, c, e/r, undef, 'other order'), '==', 0, 'a projection has no image');
cmp_ok(same_bytes($client, $wide =~ s/\*/a, b, c, d, e/r, undef, 'columns listed'), '==', 5, 'it is the same');
cmp_ok(same_bytes($client, "$wide WHERE a % 2 = 0", undef, 'a filter'), '==', 0, 'a filter has no image');
cmp_ok(same_bytes($client, "$wide LIMIT 10", undef, 'a limit'), '==', 0, 'a limit has no image');
cmp_ok(same_bytes($client, "SELECT * FROM cached_query_as(NULL::wide, 'SELECT * FROM wide', '1h')", undef, 'row type'), '==', 5, 'the same entry');
is(same_bytes($client, "$wide; SELECT 1; $wide", undef, 'several statements'), 10, 'from an image');
is(same_bytes($client, rows_of('SELECT * FROM wide WHERE a < 0', '1h', $columns), undef, 'no row'), 0, 'nothing to keep');
is(same_bytes($client, rows_of('SELECT FROM wide', '1h', ''), undef, 'no column'), 0, 'or that')
  if $node->psql('postgres', rows_of('SELECT FROM wide', '1h', '')) == 0;
cmp_ok(same_bytes($client, rows_of(q{SELECT a::age, ARRAY[a]::ages FROM wide}, '1h', 'a age, b ages'), undef, 'domains'), '>=', 2, 'domains have');
cmp_ok(same_bytes($client, rows_of(q{SELECT repeat('wide and long ', 60000) || g, g FROM generate_series(1, 4) AS g}, '1h', 'v text, g int'), undef, 'large values'), '>=', 2, 'from an image');
cmp_ok(same_bytes($client, rows_of(q{SELECT decode(repeat('00ff', 30000), 'hex'), g FROM generate_series(1, 40) AS g}, '1h', 'v bytea, g int'), [1], 'large binary values full of zeros'), '>=', 2, 'from an image');
cmp_ok(same_bytes($client, rows_of(q{SELECT g::int8, 0::int8, NULL::int FROM generate_series(1, 20000) AS g}, '1h', 'v int8, g int8, n int'), [1], 'many zeros'), '>=', 2, 'from an image');

# Client encodings, one after the other in one session.
my $accents = rows_of(q{SELECT b || U&' Gr\00FC\00DFe', a FROM wide WHERE a < 3000}, '1h', 'b text, a int');
foreach my $encoding (qw(LATIN1 UTF8 SQL_ASCII WIN1252 UTF8 LATIN1))
{
	$client->ask("SET client_encoding = '$encoding'");
	cmp_ok(same_bytes($client, $accents, undef, "encoding $encoding"), '>=', 2, 'from an image');
}

# More forms than are kept: the oldest makes room.
my $digits = rows_of(q{SELECT g / 3.0::float8, g FROM generate_series(1, 500) AS g}, '1h', 'f float8, g int');
my $forms_before = stat_of('images');
foreach my $setting (-9 .. 3)
{
	$client->ask("SET extra_float_digits = $setting");
	cmp_ok(same_bytes($client, $digits, undef, "extra_float_digits $setting"), '>=', 1, 'from an image');
}
is(stat_of('images') - $forms_before, 8, 'eight of them are kept');
$client->ask('RESET extra_float_digits');

# An error in the middle: the rows before it, the error, and no image.
$client->ask("SET client_encoding = 'LATIN1'");
my $before = stat_of('images');
my $bad = rows_of(q{SELECT CASE WHEN a = 5000 THEN chr(26085) ELSE b END, a FROM wide}, '1h', 'b text, a int');
is(same_bytes($client, $bad, undef, 'a character that has no equivalent'), 0, 'no image');
is(stat_of('images'), $before, 'none was made');
is(same_bytes($client, $accents, undef, 'after it'), 5, 'images as before');
$client->ask("RESET client_encoding");

# Portals with limits: what is sent is the query's own, and then an image is used again.
foreach my $limits ([ 7, 7, 0 ], [ 20000, 0 ], [ 1, 0 ], [ 19999, 1, 1 ], [ 50000 ])
{
	my $answer = sub { return $client->raw_extended($wide, [], @$limits) };
	$client->ask('SET cached_query.mode = off');
	my $want = $answer->();
	$client->ask('RESET cached_query.mode');
	is($answer->(), $want, "portal with limits @$limits");
}
is(same_bytes($client, $wide, [], 'without a limit'), 5, 'from an image');

# A statement prepared once, between other things.
$client->prepare('kept', $wide);
$client->sync;
$client->raw_until_ready;
$client->execute('kept', [1]);
$client->sync;
my $binary = $client->raw_until_ready;
foreach my $between ('SELECT 1', 'SET TimeZone = UTC', 'SET extra_float_digits = 0', 'DISCARD PLANS', 'RESET ALL')
{
	$client->ask($between);
	foreach (1 .. 3)
	{
		$client->execute('kept', [1]);
		$client->sync;
		ok($client->raw_until_ready eq $binary, "prepared, binary, after $between");
	}
}

# Other receivers.
foreach my $case (
	[ 'COPY', "COPY ($wide) TO STDOUT" ],
	[ 'cursor', "BEGIN; DECLARE c CURSOR FOR $wide; FETCH 3 FROM c; FETCH ALL FROM c; COMMIT" ],
	[ 'scrolling cursor', "BEGIN; DECLARE c SCROLL CURSOR FOR $wide; FETCH ALL FROM c; FETCH BACKWARD 10 FROM c; COMMIT" ],
	[ 'holding cursor', "BEGIN; DECLARE c CURSOR WITH HOLD FOR $wide; COMMIT; FETCH ALL FROM c; CLOSE c" ],
	[ 'CREATE TABLE AS', "BEGIN; CREATE TEMP TABLE copied ON COMMIT DROP AS $wide; SELECT sum(a), count(*), max(b) FROM copied; COMMIT" ],
	[ 'aggregate', "SELECT sum(a), count(*), max(b) FROM ($wide) AS w" ],
	[ 'SPI', "DO \$do\$ DECLARE r record; n int := 0; BEGIN FOR r IN $wide LOOP n := n + r.a; END LOOP; RAISE INFO '%', n; END \$do\$" ],
	[ 'RETURNING', "BEGIN; INSERT INTO taken SELECT a FROM ($wide) AS w RETURNING a; ROLLBACK" ])
{
	is(same_bytes($client, $case->[1], undef, $case->[0]), 0, "$case->[0]: no image");
}
$client->ask('SET cached_query.wire_image = off');
is(same_bytes($client, $wide, undef, 'wire_image off'), 0, 'no image');
$client->ask('RESET cached_query.wire_image');

# Documents go out as they are stored, and nothing else does.
my $json = q{cached_query_json('SELECT a, b, c FROM wide WHERE a <= $1', '1h', 3000)};
foreach my $encoding ('UTF8', 'SQL_ASCII', 'LATIN1')
{
	$client->ask("SET client_encoding = '$encoding'");
	foreach my $call ($json, $json =~ s/3000/3/r, $json =~ s/3000/0/r, "$json AS doc, 1", "length($json\::text)", "$json WHERE true",
		"$json FROM generate_series(1, 2)", "(SELECT $json)", "$json ORDER BY 1\::int", "coalesce($json, '{}')", "$json LIMIT 1")
	{
		same_bytes($client, "SELECT $call", undef, "document, $encoding: $call");
		same_bytes($client, "SELECT $call", [1], "document, binary, $encoding: $call");
	}
}
$client->ask('RESET client_encoding');
same_bytes($client, "BEGIN; DECLARE c CURSOR FOR SELECT $json; FETCH ALL FROM c; COMMIT", undef, 'document by a cursor');
same_bytes($client, "COPY (SELECT $json) TO STDOUT", undef, 'document by COPY');
same_bytes($client, "SET cached_query.max_entry_size = '8kB'; SELECT $json; RESET cached_query.max_entry_size", undef, 'document that is not kept');
same_bytes($client, 'SELECT cached_query_json($q$SELECT 1 / (3000 - a), b FROM wide$q$, \'1h\')', undef, 'document with an error');
foreach my $limits ([1], [ 1, 1 ], [0])
{
	my $answer = sub { return $client->raw_extended("SELECT $json", [], @$limits) };
	$client->ask('SET cached_query.mode = off');
	my $want = $answer->();
	$client->ask('RESET cached_query.mode');
	is($answer->(), $want, "document, limits @$limits");
}

# New rows, and the same again.
$node->safe_psql('postgres', q{UPDATE wide SET b = 'changed' WHERE a = 1; SELECT cached_query_invalidate_relation('wide')});
cmp_ok(same_bytes($client, $wide, undef, 'after an invalidation'), '>=', 2, 'from a new image');
$node->safe_psql('postgres', "SET cached_query.mode = refresh; " . $wide =~ s/\*/count(*)/r);
cmp_ok(same_bytes($client, $wide, undef, 'after a refresh'), '>=', 2, 'from a new image');
$client->ask('DISCARD ALL');
is(same_bytes($client, $wide, undef, 'after DISCARD ALL'), 5, 'from the image');
$node->safe_psql('postgres', 'SELECT cached_query_clear()');
is(stat_of('images, image_memory, entries'), '0|0|0', 'images go with their entries');
store_is_idle($node, 'nothing pinned, nothing lost');

# Cancelled, and gone, while it is sent.
my $document = q{SELECT cached_query_json('SELECT g, repeat(md5(g::text), 10) FROM generate_series(1, 10000) AS g', '1h')};
same_bytes($client, $document, undef, 'large document');
foreach my $end ('pg_terminate_backend', 'gone')
{
	my $deaf = CachedQueryTest::Deaf->connect($node);

	$deaf->send($document);
	ok(wait_until(sub { $node->safe_psql('postgres', 'SELECT wait_event FROM pg_stat_activity WHERE pid = ' . $deaf->pid) eq 'ClientWrite' }),
		"document, $end: waits for its client");
	$node->safe_psql('postgres', "SELECT $end(" . $deaf->pid . ')') if $end ne 'gone';
	$deaf->close;
	store_is_idle($node, "document, $end: nothing pinned, nothing lost");
	same_bytes($client, $document, undef, "document, after $end");
}
my $large = rows_of(q{SELECT g, repeat(md5(g::text), 10) FROM generate_series(1, 20000) AS g}, '1h', 'g int, v text');
cmp_ok(same_bytes($client, $large, undef, 'large'), '>=', 2, 'from an image');
foreach my $end ('pg_cancel_backend', 'pg_terminate_backend', 'gone')
{
	foreach my $made (1, 0)
	{
		my $deaf = CachedQueryTest::Deaf->connect($node);

		$node->safe_psql('postgres', 'SELECT cached_query_clear()') unless $made;
		$node->safe_psql('postgres', $large =~ s/\*/count(*)/r) foreach 1 .. ($made ? 1 : 2);
		$deaf->send($large);
		ok(wait_until(sub { $node->safe_psql('postgres', 'SELECT wait_event FROM pg_stat_activity WHERE pid = ' . $deaf->pid) eq 'ClientWrite' }),
			"$end: waits for its client");
		$node->safe_psql('postgres', "SELECT $end(" . $deaf->pid . ')') if $end ne 'gone';
		if ($end eq 'pg_cancel_backend')
		{
			like($deaf->until_ready->{sqlstate}, qr/57014/, 'cancelled') ;
			is($deaf->ask('SELECT 1')->{first}, '1', 'and lives on');
		}
		$deaf->close;
		store_is_idle($node, "$end: nothing pinned, nothing lost");
		cmp_ok(same_bytes($client, $large, undef, "after $end"), '>=', 2, 'from an image');
	}
}

# What is too large to be kept in this form is not, and costs no more than to find out a few times.
$node->safe_psql('postgres', 'SELECT cached_query_clear()');
$client->ask("SET cached_query.max_entry_size = '1200kB'");
my $grows = rows_of(q{SELECT g, g, g, g, g, g FROM generate_series(1000000, 1020000) AS g}, '1h', 'a int, b int, c int, d int, e int, f int');
is(same_bytes($client, $grows, undef, 'an image over max_entry_size'), 0, 'none');
is(stat_of('entries, images'), '1|0', 'the entry stays');
$client->ask('RESET cached_query.max_entry_size');

log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
