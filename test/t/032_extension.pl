# CREATE and DROP EXTENSION: nothing is left in the catalogs, sessions that go on using it get a
# clear error, and it can be made again.  META.json, the control file, the changelog and the scripts
# agree, and META.json is what PGXN's specification (1.0.0) asks for.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = "$FindBin::RealBin/../..";
my $node = start_node('main');
my ($out, $err);

# ---- DROP EXTENSION ----

$node->safe_psql('postgres', 'CREATE DATABASE fresh');
my $rows = q{SELECT string_agg(format('%s %s', c.relname, (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %s', c.oid::regclass), false, true, '')))[1]), E'\n' ORDER BY c.relname)
	FROM pg_class AS c WHERE c.relkind = 'r' AND c.relnamespace = 'pg_catalog'::regnamespace AND c.relname NOT IN ('pg_statistic', 'pg_stat_statements')};
my $before = $node->safe_psql('fresh', $rows);

$node->safe_psql('fresh', 'CREATE EXTENSION cached_query');
isnt($node->safe_psql('fresh', $rows), $before, 'CREATE EXTENSION adds to the catalogs');
$node->safe_psql('fresh', 'CREATE TABLE t AS SELECT 1 AS a');
$node->safe_psql('fresh', rows_of('SELECT a FROM t', '1h', 'a int'));

my $call = rows_of('SELECT a FROM t', '1h', 'a int');
my $prepared = $node->background_psql('fresh', on_error_stop => 0);
my $cursor = $node->background_psql('fresh', on_error_stop => 0);

$prepared->query_safe("PREPARE p AS $call; EXECUTE p; EXECUTE p");
$cursor->query_safe("BEGIN; DECLARE c CURSOR FOR SELECT a FROM generate_series(1, 3), ($call) AS s; FETCH 1 FROM c");

$node->safe_psql('fresh', 'DROP EXTENSION cached_query');
is($cursor->query('FETCH 2 FROM c'), "1\n1", 'an open cursor has its rows');
$cursor->query('COMMIT');
$cursor->{stderr} = '';
foreach my $session ([ prepared => $prepared, 'EXECUTE p' ], [ 'not prepared' => $cursor, $call ])
{
	my ($name, $psql, $sql) = @$session;

	$psql->{stderr} = '';
	$psql->query("$sql;\n\\echo :SQLSTATE");
	like($psql->{stderr}, qr/ERROR:  function cached_query\(.*\) does not exist/, "$name: a clear error");
	like($psql->query('\echo :LAST_ERROR_SQLSTATE'), qr/42883/, "$name: 42883");
}
$prepared->quit;
$cursor->quit;
$node->safe_psql('fresh', 'DROP TABLE t');
is($node->safe_psql('fresh', $rows), $before, 'DROP EXTENSION leaves nothing in the catalogs');

$node->safe_psql('fresh', 'CREATE EXTENSION cached_query; CREATE TABLE t AS SELECT 2 AS a');
is($node->safe_psql('fresh', $call), '2', 'made again, it works');
$node->safe_psql('fresh', 'CREATE VIEW v AS ' . $call);
$node->psql('fresh', 'DROP EXTENSION cached_query', stderr => \$err);
like($err, qr/cannot drop extension cached_query because other objects depend on it\nDETAIL:  view v depends on/, 'not below a view');
is($node->psql('fresh', 'DROP EXTENSION cached_query CASCADE'), 0, 'CASCADE');
store_is_idle($node, 'nothing pinned');

# ---- Versions ----

my ($version) = slurp_file("$root/control/cached_query.control") =~ /^default_version = '(.*)'$/m;
my $default = $node->safe_psql('postgres', q{SELECT default_version FROM pg_available_extensions WHERE name = 'cached_query'});
is($default, $version, 'the version of the control file is installed');
is($node->safe_psql('postgres', qq{SELECT string_agg(source, ', ') FROM pg_extension_update_paths('cached_query') WHERE target = '$version' AND path IS NULL}),
	'', 'there is a way from each version to this one');

SKIP:
{
	skip 'pg_get_loaded_modules() is of 18', 1 if $node->safe_psql('postgres', 'SHOW server_version_num') < 180000;
	is($node->safe_psql('postgres', q{SELECT version FROM pg_get_loaded_modules() WHERE module_name = 'cached_query'}),
		$version, 'the library has it, too');
}

# A dated heading of the changelog is a release, which somebody may have.
my $changelog = slurp_file("$root/CHANGELOG.md");
my ($newest) = $changelog =~ /^## (\S+)/m;
my %known = map { $_ => 1 } split /\n/, $node->safe_psql('postgres', q{
	SELECT source FROM pg_extension_update_paths('cached_query') UNION SELECT version FROM pg_available_extension_versions WHERE name = 'cached_query'});
is($newest, $version, 'the changelog begins with this version');
is_deeply([ grep { !$known{$_} } $changelog =~ /^## (\S+) \(\d{4}-\d\d-\d\d\)/mg ], [], 'each release can be updated');
foreach my $script (glob "$root/control/*.sql")
{
	my ($command) = $script =~ /--.*--/ ? 'ALTER EXTENSION cached_query UPDATE TO' : 'CREATE EXTENSION cached_query';

	like(slurp_file($script), qr/^\\echo Use "$command.*\\quit$/m, "$script can't be run by psql");
}

# ---- META.json ----

my $meta = JSON::PP->new->utf8->decode(slurp_file("$root/META.json"));
my $semver = qr/^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-?[A-Za-z][0-9A-Za-z-]*)?$/;
my $term = qr{^[^\s/\\[:cntrl:]]{2,}$};

sub is_string { return defined $_[0] && !ref $_[0] && length $_[0]; }

foreach my $key (qw(name version abstract maintainer license provides meta-spec))
{
	ok(defined $meta->{$key}, "META.json: $key is there");
}
is_deeply([ grep { !/^(abstract|description|generated_by|license|maintainer|meta-spec|name|no_index|prereqs|provides|release_status|resources|tags|version|x_\w+)$/i } keys %$meta ],
	[], 'META.json: no other keys');
like($meta->{name}, $term, 'META.json: name');
like($meta->{version}, $semver, 'META.json: version');
is($meta->{version}, $version, 'META.json: it is the version of the control file');
ok(is_string($meta->{abstract}), 'META.json: abstract');
is_deeply([ grep { !is_string($_) } ref $meta->{maintainer} ? @{ $meta->{maintainer} } : $meta->{maintainer} ], [], 'META.json: maintainer');
like($meta->{license}, qr/^(agpl_3|apache_1_1|apache_2_0|artistic_1|artistic_2|bsd|freebsd|gfdl_1_2|gfdl_1_3|gpl_1|gpl_2|gpl_3|lgpl_2_1|lgpl_3_0|mit|mozilla_1_0|mozilla_1_1|openssl|perl_5|postgresql|qpl_1_0|ssleay|sun|zlib|open_source|restricted|unrestricted|unknown)$/,
	'META.json: license');
like($meta->{release_status} || 'stable', qr/^(stable|testing|unstable)$/, 'META.json: release_status');
like($meta->{'meta-spec'}{version}, qr/^1\.0\.\d+$/, 'META.json: meta-spec');
like($meta->{'meta-spec'}{url}, qr{^https?://pgxn\.org/meta/spec\.txt$}, 'META.json: its address');
cmp_ok(scalar keys %{ $meta->{provides} }, '>', 0, 'META.json: provides something');
foreach my $name (sort keys %{ $meta->{provides} })
{
	my $provided = $meta->{provides}{$name};

	like($name, $term, "META.json: $name");
	like($provided->{version}, $semver, "META.json: $name: version");
	is($provided->{version}, $version, "META.json: $name: it is the version of the control file");
	foreach my $key (qw(file docfile))
	{
		ok(-f "$root/$provided->{$key}", "META.json: $name: $key") if $key eq 'file' || defined $provided->{$key};
	}
	is_deeply([ grep { !/^(file|version|abstract|docfile|x_\w+)$/i } keys %$provided ], [], "META.json: $name: no other keys");
}
foreach my $phase (sort keys %{ $meta->{prereqs} || {} })
{
	like($phase, qr/^(configure|runtime|build|test|develop)$/, "META.json: prereqs $phase");
	foreach my $relation (sort keys %{ $meta->{prereqs}{$phase} })
	{
		my $range = $meta->{prereqs}{$phase}{$relation};

		like($relation, qr/^(requires|recommends|suggests|conflicts)$/, "META.json: prereqs $phase $relation");
		is_deeply([ grep { $range->{$_} ne '0' && $range->{$_} !~ /^(?:(?:[<>]=?|[!=]=)?\s*\d+\.\d+\.\d+\s*,?\s*)+$/ } keys %$range ],
			[], "META.json: prereqs $phase $relation: versions");
	}
}
is_deeply([ grep { !is_string($_) || length > 255 || m{[/\\[:cntrl:]]} } @{ $meta->{tags} || [] } ], [], 'META.json: tags');

log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
