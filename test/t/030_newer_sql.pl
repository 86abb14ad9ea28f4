# Expressions whose value depends on settings without a function that says so, and what 16 to 18
# added of that kind: a hit is what the query would return with this session's settings.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main');
my $version = $node->safe_psql('postgres', 'SHOW server_version_num');

$node->safe_psql('postgres', q{
	CREATE TABLE t (id int, x xml, j jsonb, at timestamptz, f float8);
	INSERT INTO t VALUES (1, '<r><d>01/02/2024</d><n>today</n></r>', '{"d": "01/02/2024", "n": "today", "f": 0.1}',
		'2024-07-01 12:00:00+00', 1.0 / 3);
});

# The query is asked with both settings, directly and through the cache, the latter twice.
sub depends_on
{
	my ($name, $query, $columns, @settings) = @_;
	my %direct;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	foreach my $setting (@settings)
	{
		$direct{$setting} = $node->safe_psql('postgres', "SET $setting; $query");
		foreach my $call (1, 2)
		{
			is($node->safe_psql('postgres', "SET $setting; " . rows_of($query, '1h', $columns)),
				$direct{$setting}, "$name: $setting, call $call");
		}
	}
	isnt($direct{ $settings[0] }, $direct{ $settings[1] }, "$name: the settings make a difference");
	return;
}

# An exact answer would have to be void at midnight.
sub never_exact
{
	my ($name, $query, $columns) = @_;
	my $call = 'SET cached_query.consistency = exact; ' . rows_of($query, '1h', $columns);
	my ($outcome) = outcome_of($node, $call);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($outcome, 'time_function', "$name: not exact");
	return;
}

my @date_order = ("DateStyle = 'ISO, MDY'", "DateStyle = 'ISO, DMY'");
my @digits = ('extra_float_digits = 0', 'extra_float_digits = -10');
my @zones = ("TimeZone = 'UTC'", "TimeZone = 'Asia/Tokyo'");

if ($node->safe_psql('postgres', q{SELECT EXISTS (SELECT FROM pg_config() WHERE name = 'CONFIGURE' AND setting LIKE '%libxml%')}) eq 't')
{
	depends_on('XMLTABLE', q{SELECT u.d FROM t, XMLTABLE('/r' PASSING x COLUMNS d date PATH 'd') AS u}, 'd date', @date_order);
	depends_on('XMLTABLE, array', q{SELECT u.d FROM t, XMLTABLE('/r' PASSING x COLUMNS d date[] PATH 'concat("{", d, "}")') AS u},
		'd date[]', @date_order);
	never_exact('XMLTABLE', q{SELECT u.n FROM t, XMLTABLE('/r' PASSING x COLUMNS n date PATH 'n') AS u}, 'n date');
}

# Dates that functions make of text.
depends_on('array of text', q{SELECT ('{' || (j->>'d') || '}')::date[] FROM t}, 'd date[]', @date_order);
never_exact('array of text', q{SELECT ('{' || (j->>'n') || '}')::date[] FROM t}, 'n date[]');
depends_on('jsonb_to_record', q{SELECT r.d FROM t, jsonb_to_record(j) AS r(d date)}, 'd date', @date_order);
never_exact('jsonb_to_record', q{SELECT r.n FROM t, jsonb_to_record(j) AS r(n date)}, 'n date');
$node->safe_psql('postgres', 'CREATE TYPE dated AS (id int, n date)');
never_exact('jsonb_populate_record', q{SELECT n FROM (SELECT (jsonb_populate_record(NULL::dated, j)).n FROM t) AS s}, 'n date');

# Names that functions make text of.
$node->safe_psql('postgres', q{
	CREATE TABLE named (r regclass);
	INSERT INTO named VALUES ('t');
	CREATE SCHEMA other;
	CREATE TABLE other.t ();
	CREATE TABLE other.hidden ()});
my @paths = ("search_path = public", "search_path = other, public");
depends_on('concat', q{SELECT concat(r) FROM public.named}, 'a text', @paths);
depends_on('to_json', q{SELECT to_json(r)::text FROM public.named}, 'a text', @paths);
depends_on('json_agg', q{SELECT json_agg(n)::text FROM public.named AS n}, 'a text', @paths);
depends_on('array_to_string', q{SELECT array_to_string(ARRAY[r], ',') FROM public.named}, 'a text', @paths);
depends_on('format', q{SELECT format('%s', r) FROM public.named}, 'a text', @paths);
depends_on('row', q{SELECT n::text FROM public.named AS n}, 'a text', @paths);

if ($version >= 160000)
{
	depends_on('JSON_OBJECT', q{SELECT JSON_OBJECT('at': at)::text FROM t}, 'o text', @zones);
	depends_on('JSON_ARRAY', q{SELECT JSON_ARRAY(f)::text FROM t}, 'o text', @digits);
	depends_on('JSON_ARRAYAGG', q{SELECT JSON_ARRAYAGG(at)::text FROM t}, 'o text', @zones);
	depends_on('JSON_OBJECTAGG', q{SELECT JSON_OBJECTAGG(id: at)::text FROM t}, 'o text', @zones);
	depends_on('date_add', q{SELECT date_add(at, '1 day')::text FROM t}, 'd text', @zones);
	is((outcome_of($node, rows_of('SELECT SYSTEM_USER', '1h', 'u text')))[0], 'session_function',
		'SYSTEM_USER is of the session');
	depends_on('pg_input_is_valid', q{SELECT pg_input_is_valid('hidden', 'regclass') FROM public.t}, 'v bool',
		"search_path = public", "search_path = other, public");
}

if ($version >= 170000)
{
	depends_on('JSON_VALUE', q{SELECT JSON_VALUE(j, '$.d' RETURNING date) FROM t}, 'd date', @date_order);
	depends_on('JSON_QUERY', q{SELECT JSON_QUERY(j, '$.d' RETURNING date[] WITH WRAPPER) FROM t}, 'd date[]', @date_order);
	depends_on('JSON_EXISTS',
		q{SELECT JSON_EXISTS(jsonb '"2024-07-01 10:00:00"', '$.datetime() ? (@ < $at)' PASSING at AS at) FROM t WHERE at > '2024-06-30 12:00Z'}, 'e bool',
		"TimeZone = 'UTC'", "TimeZone = 'America/Los_Angeles'");
	depends_on('JSON_TABLE', q{SELECT u.d FROM t, JSON_TABLE(j, '$' COLUMNS (d date PATH '$.d')) AS u}, 'd date', @date_order);
	never_exact('JSON_TABLE', q{SELECT u.n FROM t, JSON_TABLE(j, '$' COLUMNS (n date PATH '$.n')) AS u}, 'n date');
	never_exact('JSON_VALUE', q{SELECT JSON_VALUE(j, '$.n' RETURNING date) FROM t}, 'n date');
	depends_on('JSON_SCALAR', q{SELECT JSON_SCALAR(at)::text FROM t}, 's text', @zones);
	depends_on('JSON_SERIALIZE', q{SELECT JSON_SERIALIZE(JSON_SCALAR(at)) FROM t}, 's text', @zones);
}

# Its expression is not in the query, and float8out calls itself IMMUTABLE.
if ($version >= 180000)
{
	$node->safe_psql('postgres', q{
		CREATE TABLE v (id int, f float8, s text GENERATED ALWAYS AS (f::text) VIRTUAL);
		INSERT INTO v VALUES (1, 1.0 / 3);
		CREATE VIEW over AS SELECT s FROM v});
	depends_on('virtual column', 'SELECT s FROM v', 's text', @digits);
	depends_on('virtual column of a view', 'SELECT s FROM over', 's text', @digits);

	# a quiet column of a tracked table that is read through a virtual one
	$node->safe_psql('postgres', q{
		CREATE TABLE q (tenant int, id int, seen int, twice int GENERATED ALWAYS AS (seen * 2) VIRTUAL);
		INSERT INTO q SELECT g % 3, g, 0 FROM generate_series(1, 30) AS g;
		SELECT cached_query_track('q', '{tenant}', '{seen}')});
	foreach my $query ('SELECT sum(twice) FROM q WHERE tenant = 1', 'SELECT sum(o.twice) FROM (SELECT * FROM q) AS o WHERE tenant = 1')
	{
		my $call = 'SET cached_query.consistency = exact; ' . rows_of($query, '1h', 'n bigint');

		$node->safe_psql('postgres', $call);
		is((outcome_of($node, $call))[0], 'hit', "$query: a hit");
		$node->safe_psql('postgres', 'UPDATE q SET seen = seen + 1 WHERE tenant = 2');
		is((outcome_of($node, $call))[0], 'hit', '... a write of another key: a hit');
		$node->safe_psql('postgres', 'UPDATE q SET seen = seen + 1 WHERE tenant = 1');
		is_deeply([ outcome_of($node, $call) ], [ 'miss_invalidated', $node->safe_psql('postgres', $query) ], '... the quiet column is told');
	}
	like(($node->psql('postgres', q{SELECT cached_query_track('q', '{twice}')}))[2], qr/it is computed when it is read/, 'it is no key');
}

log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
